"""Modules as YAML again, for ``/config`` and debug pages: as yaml.v3 prints them, secrets masked.

Keys that are at their type's zero are left out, as Go's ``omitempty`` does it, so that what is shown
is short; keys of maps are sorted. Values of `headers` are shown in clear, as the original does: a
secret belongs into `authorization`, `basic_auth` or `http_headers`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import yaml

from sentinel.blackbox.module import Hidden
from sentinel.library.modules_schema import ZEROES, Block, Leaf, ListOf, MapOf, Type
from sentinel.library.modules_units import duration_text, size_text

MASK = "<secret>"
_INDENT = "    "


def shown(block: Block, values: Mapping[str, Any]) -> dict[str, Any]:
    """A block's values as plain ones to be shown, in the table's order, what says nothing left out."""
    found: dict[str, Any] = {}
    for key in block.keys:
        value = values[key.name]
        if key.always or not _says_nothing(key.type, value):
            found[key.name] = _plain(key.type, value)
    return found


def _says_nothing(kind: Type, value: Any) -> bool:
    match kind:
        case Leaf():
            return value is None or value == ZEROES[kind]
        case ListOf() | MapOf():
            return not value
        case Block():
            return value is None or (
                kind.absent != "nothing"
                and all(_says_nothing(key.type, value[key.name]) for key in kind.keys)
            )


def _plain(kind: Type, value: Any) -> Any:
    match kind:
        case Leaf():
            return _leaf(kind, value)
        case ListOf():
            return [_plain(kind.of, each) for each in value]
        case MapOf():
            return {name: _plain(kind.of, value[name]) for name in sorted(value)}
        case Block():
            return shown(kind, value)


def _leaf(kind: Leaf, value: Any) -> Any:
    match kind:
        case Leaf.secret:
            return MASK if value else ""
        case Leaf.duration:
            return duration_text(value)
        case Leaf.size:
            return size_text(value)
        case Leaf.url:
            return _without_password(value)
        case Leaf.pattern:
            return value or None
        case _:
            return value


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    if parts.password is None:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:xxxxx@{host}"))


def dump_modules(modules: Mapping[str, Mapping[str, Any]]) -> str:
    """The whole file: `modules` are the shown values by name. A Hidden among them is masked."""
    return dump({"modules": {name: modules[name] for name in sorted(modules)}})


def dump(value: Mapping[str, Any]) -> str:
    """A mapping as YAML in yaml.v3's layout, its keys in their order."""
    return "".join(f"{line}\n" for line in _mapping(value, "")) or "{}\n"


def _mapping(value: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, each in value.items():
        head = f"{indent}{_scalar(name)}:"
        if isinstance(each, Mapping) and each:
            yield head
            yield from _mapping(each, indent + _INDENT)
        elif isinstance(each, Sequence) and not isinstance(each, str) and each:
            yield head
            yield from _list(each, indent + _INDENT)
        else:
            yield f"{head} {_scalar(each)}"


def _list(value: Sequence[Any], indent: str) -> Iterator[str]:
    for each in value:
        if isinstance(each, Mapping) and each:
            lines = _mapping(each, indent + "  ")
            yield f"{indent}- {next(lines).lstrip()}"
            yield from lines
        else:
            yield f"{indent}- {_scalar(each)}"


def _scalar(value: Any) -> str:
    """One value on one line; what a plain word could be taken for something else is quoted."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Hidden():
            return MASK
        case str():
            return _word(value)
        case int() | float():
            return repr(value)
        case _:
            return json.dumps(value, ensure_ascii=False)


def _word(text: str) -> str:
    printed: str = yaml.safe_dump(text, width=float("inf"), allow_unicode=True)
    first = printed.removesuffix("\n...\n").removesuffix("\n")
    if "\n" in first or first[:1] in ("'", '"', "|", ">"):
        return f"'{text}'" if _fits_single(text) else json.dumps(text, ensure_ascii=False)
    return json.dumps(text) if text in ("y", "n", "Y", "N") else first


def _fits_single(text: str) -> bool:
    return bool(text) and text.isprintable() and "'" not in text and not text[0].isalnum()
