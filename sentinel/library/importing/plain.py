"""A file of another program as plain values, read as Go's YAML reads it: anchors and merge keys too."""

import re
from typing import Any

import yaml

from sentinel.library.document import MAX_NODES, Problem
from sentinel.library.importing.draft import ImportRefused
from sentinel.library.modules_yaml import Empty, Node, Refused, parse
from sentinel.words import Place

MOST_DEPTH = 100
"""Levels of lists and mappings, aliases unfolded."""
_NUMBER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})\Z")
_DECIMAL = re.compile(r"[-+]?[0-9]+\.[0-9]+\Z")
_FLAGS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


def plain_values(path: str, content: bytes) -> Any:
    """The file's value; None when it is empty. Raises ImportRefused."""
    try:
        return _Plain().value(parse(path, content))
    except Empty:
        return None
    except Refused as refused:
        raise ImportRefused([refused.problem]) from refused


class _Plain:
    """Counts what it unfolds: aliases may not make a file larger than memory."""

    def __init__(self) -> None:
        self._count = 0

    def value(self, node: Node, depth: int = 0) -> Any:
        """The node as a plain value. Raises Refused. `parse` bounds how deep a text is, but not an
        alias that stands within what it is an alias of."""
        self._count += 1
        if self._count > MAX_NODES:
            raise _refused(node, f"the aliases unfold to more than {MAX_NODES:,} values")
        if depth > MOST_DEPTH:
            raise _refused(node, f"the aliases unfold to more than {MOST_DEPTH} levels")
        inner = depth + 1
        if isinstance(node.value, yaml.MappingNode):
            return {name: self.value(value, inner) for name, (_, value) in node.pairs().items()}
        if isinstance(node.value, yaml.SequenceNode):
            return [self.value(each, inner) for each in node.items()]
        return None if node.is_null else _scalar(node)


def _refused(node: Node, text: str) -> ImportRefused:
    return ImportRefused([Problem(Place(node.path, 1, 1), text)])


def _scalar(node: Node) -> Any:
    text = node.scalar or ""
    if not node.is_plain:
        return text
    if text in _FLAGS:
        return _FLAGS[text]
    if _NUMBER.match(text):
        return int(text)
    return float(text) if _DECIMAL.match(text) else text


_SPAN = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h|d|w|y)")
_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_UNITS_S |= {"d": 86400.0, "w": 604800.0, "y": 365 * 86400.0}


def span_s(text: Any, default: float) -> float:
    """Seconds of a span as Go and Prometheus write it, ``1m30s``, ``500ms``, ``1d``; `default`
    where there is none or it cannot be read."""
    parts = _SPAN.findall(str(text or ""))
    if not parts or "".join(f"{number}{unit}" for number, unit in parts) != str(text):
        return default
    return float(sum(float(number) * _UNITS_S[unit] for number, unit in parts))


def mapping_of(value: Any) -> dict[str, Any]:
    """The value when it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def list_of(value: Any) -> list[Any]:
    """The value when it is a list, else an empty one."""
    return value if isinstance(value, list) else []
