"""Documents as the text of a file in our voice: expressions in single quotes, remarks as comments."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from sentinel.library.importing.draft import Draft
from sentinel.library.quoting import EXPRESSION_KEYS

_WIDTH = 110


class _Quoted(str):
    """A text that is written in single quotes."""

    __slots__ = ()


class _Writer(yaml.SafeDumper):
    """The dumper with our styles: no aliases, short mappings and lists on one line."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Lists stand below their key, further in."""
        super().increase_indent(flow, indentless=False)


_Writer.add_representer(
    _Quoted,
    lambda writer, text: writer.represent_scalar("tag:yaml.org,2002:str", str(text), style="'"),
)


def written(draft: Draft, heading: str) -> str:
    """The text of a file with these documents; `heading` is its first comment."""
    lines = [f"# {heading}", *_comments(draft.remarks.get("", ()), "# "), ""]
    for kind, documents in (("templates", draft.templates), ("probes", draft.probes)):
        if documents:
            lines.append(f"{kind}:")
            for id, body in documents.items():
                lines += _comments(draft.remarks.get(f"{kind}/{id}", ()), "  # ")
                lines += _document(id, body)
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _comments(remarks: Any, before: str) -> Iterator[str]:
    for remark in remarks:
        for line in str(remark).splitlines() or [""]:
            yield before + "".join(c if c.isprintable() else "?" for c in line)


def _document(id: str, body: Mapping[str, Any]) -> Iterator[str]:
    text = yaml.dump(
        {id: _styled(body, "")},
        Dumper=_Writer,
        sort_keys=False,
        allow_unicode=True,
        width=_WIDTH,
        default_flow_style=None,
    )
    yield from (f"  {line}" if line else line for line in text.splitlines())


def _styled(value: Any, inside: str) -> Any:
    """The value with its expressions marked as quoted."""
    if isinstance(value, Mapping):
        deep = inside if inside in EXPRESSION_KEYS and inside != "expect" else ""
        return {key: _styled(each, deep or key) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_styled(each, inside) for each in value]
    quoted = inside in EXPRESSION_KEYS or (isinstance(value, str) and "${" in value)
    return _Quoted(value) if isinstance(value, str) and quoted else value
