"""A blackbox file's text as nodes with places, by the rules of Go's yaml.v3, which wrote the contract.

The reader of our own documents (``document``) is YAML 1.2 and forgets how a scalar was written; a
`blackbox.yml` may say ``fail_if_ssl: yes``, ``method: 5.50``, ``<<: *shared``, and means them as yaml.v3
decodes them into typed fields. So a scalar stays its text here, with whether it was quoted, and the
schema says what it becomes. As there: a merge key adds what is not written out, null leaves the
default and drops out of a list, tags are ignored, of several documents only the first is read.

Bounded as our own files: 2 MiB, 64 levels, 1,000 aliases.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.cyaml import CBaseLoader, CParser  # type: ignore[attr-defined]

from sentinel.library.document import MAX_ALIASES, MAX_BYTES, MAX_DEPTH, Problem
from sentinel.words import Place

MERGE = "<<"
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"y", "Y", "yes", "Yes", "YES", "on", "On", "ON"})
_FALSE = frozenset({"n", "N", "no", "No", "NO", "off", "Off", "OFF"})
_PLAIN_TRUE, _PLAIN_FALSE = (
    frozenset({"true", "True", "TRUE"}),
    frozenset({"false", "False", "FALSE"}),
)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_OLD_OCTAL = re.compile(r"([-+]?)0([0-7]+)\Z")
_PREFIXED = re.compile(r"[-+]?0(?:x[0-9a-fA-F]+|o[0-7]+|b[01]+)\Z")
_DECIMAL = re.compile(r"[-+]?[0-9]+\Z")
_LARGEST = 2**63


class Refused(Exception):
    """Something in the file is wrong, at a place."""

    def __init__(self, place: Place, message: str, hint: str = "") -> None:
        problem = Problem(place, message, hint)
        super().__init__(str(problem))
        self.problem = problem


class Empty(Exception):
    """The file holds no document: nothing, or comments only."""


@dataclass(frozen=True, slots=True)
class Node:
    """A value as it is written. `plain` scalars were not quoted."""

    value: yaml.Node
    path: str

    @property
    def place(self) -> Place:
        return _place(self.path, self.value.start_mark)

    def wrong(self, message: str, hint: str = "") -> Refused:
        """The exception that says so at this place."""
        return Refused(self.place, message, hint)

    @property
    def scalar(self) -> str | None:
        """The text of a scalar as it is written; None for a list or mapping."""
        return str(self.value.value) if isinstance(self.value, yaml.ScalarNode) else None

    @property
    def is_plain(self) -> bool:
        return isinstance(self.value, yaml.ScalarNode) and not self.value.style

    @property
    def is_null(self) -> bool:
        return self.is_plain and self.value.value in _NULLS

    def shown(self) -> str:
        """The value in a message, short."""
        if isinstance(self.value, yaml.SequenceNode):
            return "a list"
        if isinstance(self.value, yaml.MappingNode):
            return "a mapping"
        text = str(self.value.value)
        return f"`{text[:60]}…`" if len(text) > 60 else f"`{text}`"

    def items(self) -> Iterator["Node"]:
        """The entries of a list, without nulls. Raises Refused for anything but a list."""
        if not isinstance(self.value, yaml.SequenceNode):
            raise self.wrong(f"{self.shown()} is not a list", "write it as `[…]` or line by line")
        for each in self.value.value:
            node = Node(each, self.path)
            if not node.is_null:
                yield node

    def pairs(self) -> dict[str, tuple["Node", "Node"]]:
        """Key to key and value of a mapping, merge keys followed. Raises Refused for anything but a
        mapping, and for a key that stands twice."""
        return _pairs(self, depth=0)


def _pairs(node: Node, depth: int) -> dict[str, tuple[Node, Node]]:
    if not isinstance(node.value, yaml.MappingNode):
        raise node.wrong(f"{node.shown()} is not a mapping", "write `key: value` lines")
    if depth > MAX_DEPTH:
        raise node.wrong("merge keys lead in a circle", "write the keys out")
    found: dict[str, tuple[Node, Node]] = {}
    merged: list[Node] = []
    for raw_key, raw_value in node.value.value:
        key, value = Node(raw_key, node.path), Node(raw_value, node.path)
        name = key.scalar
        if name is None:
            raise key.wrong(f"{key.shown()} is not a key", "a key is a word")
        if name == MERGE and key.is_plain:
            merged = list(value.items()) if isinstance(raw_value, yaml.SequenceNode) else [value]
        elif name in found:
            raise key.wrong(f"the key `{name}` stands here a second time", "keep one of them")
        else:
            found[name] = (key, value)
    for each in merged:
        for name, pair in _pairs(each, depth + 1).items():
            found.setdefault(name, pair)
    return found


def parse(path: str, content: bytes) -> Node:
    """The first document. Raises Refused for what YAML cannot read, Empty where there is none."""
    if len(content) > MAX_BYTES:
        raise Refused(Place(path, 1, 1), "this file is larger than 2 MiB", "split it")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Refused(Place(path, line, 1), "this is not UTF-8 text", "save it as UTF-8") from error
    try:
        _measure(path, text)
        loader = CBaseLoader(text)
        first = loader.get_node() if loader.check_node() else None
        if first is None:
            raise Empty
        return Node(first, path)
    except yaml.MarkedYAMLError as error:
        place = _place(path, error.problem_mark or error.context_mark)
        raise Refused(place, f"YAML cannot read this: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise Refused(Place(path, 1, 1), f"YAML cannot read this: {error}") from error


def _place(path: str, mark: Any) -> Place:
    return Place(path, mark.line + 1, mark.column + 1) if mark is not None else Place(path, 1, 1)


def _measure(path: str, text: str) -> None:
    """Refuse what could exhaust the parser's own stack, before it builds anything."""
    parser = CParser(text)
    depth = aliases = 0
    # Bounded: a file has no more events than bytes.
    while (event := parser.get_event()) is not None:
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            aliases += 1
        elif isinstance(event, yaml.DocumentEndEvent):
            return
        if depth > MAX_DEPTH or aliases > MAX_ALIASES:
            limit = f"{MAX_DEPTH} levels" if depth > MAX_DEPTH else f"{MAX_ALIASES:,} aliases"
            raise Refused(_place(path, event.start_mark), f"this file has more than {limit}")


def flag(node: Node) -> bool:
    """true or false, and the words that YAML 1.1 had for them. Raises Refused."""
    text = node.scalar
    if node.is_plain and (text in _PLAIN_TRUE or text in _PLAIN_FALSE):
        return text in _PLAIN_TRUE
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise node.wrong(f"{node.shown()} is neither true nor false")


def text(node: Node) -> str:
    """Any scalar as it is written. Raises Refused for a list or mapping."""
    if node.scalar is None:
        raise node.wrong(f"{node.shown()} is not a text")
    return node.scalar


def whole(node: Node) -> int:
    """A whole number; of a decimal number what stands before the point, as yaml.v3 does it. ``0x1f``,
    ``0o17``, ``017`` and ``1_000`` are numbers. Raises Refused."""
    number = _number(node)
    if number is None or not -_LARGEST <= number < _LARGEST:
        raise node.wrong(f"{node.shown()} is not a whole number")
    return int(number)


def _number(node: Node) -> int | float | None:
    if not node.is_plain:
        return None
    written = (node.scalar or "").replace("_", "")
    octal = _OLD_OCTAL.match(written)
    if octal:
        return int(octal[1] + octal[2], 8)
    if _PREFIXED.match(written):
        return int(written, 0)
    if _DECIMAL.match(written) and len(written) < 40:
        return int(written)
    number = float(written) if _FLOAT.match(written) else None
    return number if number is not None and abs(number) < _LARGEST else None


def anything(node: Node, depth: int = 0) -> object:
    """The value that the text looks like: for the one key whose values may be anything. Raises
    Refused."""
    if depth > MAX_DEPTH:
        raise node.wrong("this contains itself", "write the values out")
    if isinstance(node.value, yaml.SequenceNode):
        return [anything(Node(each, node.path), depth + 1) for each in node.value.value]
    if isinstance(node.value, yaml.MappingNode):
        return {name: anything(value, depth + 1) for name, (_, value) in node.pairs().items()}
    if node.is_null:
        return None
    if node.is_plain and (node.scalar in _PLAIN_TRUE or node.scalar in _PLAIN_FALSE):
        return node.scalar in _PLAIN_TRUE
    number = _number(node)
    return node.scalar if number is None else number
