"""A file's nodes into plain values, by the table of ``modules_schema``: every mistake, with its place.

A block becomes a dict with all its keys; a duration is in nanoseconds, a size in bytes, a secret a
`Hidden`. A key whose value is wrong keeps its default, so that the rest is looked at all the same.
"""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from sentinel.blackbox.matching import LONGEST_PATTERN
from sentinel.blackbox.module import Hidden
from sentinel.errors import ExpressionRefused
from sentinel.expression import Declaration, compile_expression
from sentinel.labels import pattern
from sentinel.library import modules_units as units
from sentinel.library import modules_yaml as go
from sentinel.library.document import Problem
from sentinel.library.modules_schema import Block, Key, Leaf, ListOf, MapOf, Type, default, zero
from sentinel.library.modules_yaml import Node, Refused
from sentinel.words import Place

BODY: Declaration = {"body": "dyn"}
"""What a CEL expression of a module may name."""

_TLS_VERSIONS = ("TLS10", "TLS11", "TLS12", "TLS13")
MOST_VALUES = 100_000
_MOST_PROBLEMS = 100
_REFS = {
    "ca_ref", "cert_ref", "key_ref", "username_ref", "password_ref", "credentials_ref",
    "client_secret_ref", "client_certificate_key_ref",
}  # fmt: skip
"""Keys of Prometheus' common client block that name a secret manager; an exporter has none."""


class Reader:
    """Reads one file. `problems` holds what was wrong, in the order of the file's keys."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._left = MOST_VALUES

    def read(self, kind: Type, node: Node) -> Any:
        """The value of a node that is not null. Raises Refused when nothing of it can be used."""
        self._left -= 1
        if self._left < 0:
            raise node.wrong(f"this file unfolds to more than {MOST_VALUES:,} values")
        match kind:
            case Leaf():
                return _LEAVES[kind](node)
            case ListOf():
                return tuple(self._kept(kind.of, each, zero(kind.of)) for each in node.items())
            case MapOf():
                return {
                    name: zero(kind.of)
                    if value.is_null
                    else self._kept(kind.of, value, zero(kind.of))
                    for name, (_, value) in node.pairs().items()
                }
            case Block():
                return self._block(kind, node)

    def _kept(self, kind: Type, node: Node, otherwise: Any) -> Any:
        try:
            return self.read(kind, node)
        except Refused as refused:
            self._note(refused.problem)
            if self._left < 0 or len(self.problems) >= _MOST_PROBLEMS:
                raise
            return otherwise

    def _note(self, problem: Problem) -> None:
        if problem not in self.problems:
            self.problems.append(problem)

    def _block(self, block: Block, node: Node) -> dict[str, Any]:
        written = node.pairs()
        values = {}
        noted = len(self.problems)
        for key in block.keys:
            _, value = written.pop(key.name, (None, None))
            if value is None or value.is_null:
                values[key.name] = default(key)
            else:
                values[key.name] = self._kept(key.type, value, default(key))
        for name, (at, _) in written.items():
            self._note(_unknown(name, at, block.keys))
        if block.check is not None and len(self.problems) == noted:
            block.check(values, _refusing(node, self._note))
        return values


def _refusing(node: Node, note: Callable[[Problem], None]) -> Callable[..., None]:
    def refuse(message: str, key: str = "") -> None:
        at = node.pairs().get(key, (node, node))[0]
        note(Problem(at.place, message))

    return refuse


def _unknown(name: str, at: Node, keys: tuple[Key, ...]) -> Problem:
    if name in _REFS:
        hint = f"write `{name.removesuffix('_ref')}` or `{name.removesuffix('_ref')}_file`"
        return Problem(at.place, f"`{name}` needs a secret manager, and there is none", hint)
    near = get_close_matches(name, [key.name for key in keys], 1)
    known = f"did you mean `{near[0]}`?" if near else f"one of {', '.join(k.name for k in keys)}"
    return Problem(at.place, f"the key `{name}` is not known here", known)


def _duration(node: Node) -> int:
    return _measured(node, units.nanoseconds, "a duration needs its unit: 5s, 500ms or 1m30s")


def _size(node: Node) -> int:
    size = _measured(node, units.size_bytes, "a size needs its unit: 10MB or 512KB")
    return units.MOST_BYTES if size < 0 else size


def _measured(node: Node, measure: Callable[[str], int], hint: str) -> int:
    written = node.scalar
    if written is None:
        raise node.wrong(f"{node.shown()} is not one value", hint)
    try:
        found = measure(written)
    except ValueError as wrong:
        raise node.wrong(str(wrong)) from wrong
    if measure is units.nanoseconds and node.is_plain and written.lstrip("+-") == "0":
        raise node.wrong("`0` is a number", hint)
    return found


def _pattern(node: Node) -> str:
    source = go.text(node)
    try:
        pattern(source, longest=LONGEST_PATTERN)
    except ValueError as wrong:
        said = f'"Could not compile regular expression" regexp="{source}": {wrong}'
        raise node.wrong(said, "regular expressions are RE2") from wrong
    return source


def _cel(node: Node) -> str:
    source = go.text(node)
    try:
        compile_expression(source, BODY, outside=frozenset(BODY))
    except ExpressionRefused as wrong:
        said = f'"Could not compile CEL program" expression="{source}": {wrong}'
        raise node.wrong(said) from wrong
    return source


def _tls_version(node: Node) -> str:
    if node.scalar not in _TLS_VERSIONS:
        known = f"one of {', '.join(_TLS_VERSIONS)}"
        raise node.wrong(f"unknown TLS version: {node.scalar}", known)
    return node.scalar


def _url(node: Node) -> str:
    source = go.text(node)
    try:
        parts = urlsplit(source)
        _ = parts.port
    except ValueError as wrong:
        raise node.wrong(f'parse "{source}": {wrong}') from wrong
    if source and (not parts.scheme or any(c.isspace() for c in source)):
        raise node.wrong(f'parse "{source}": not a URL', "write it like http://proxy:3128")
    return source


def _secret(node: Node) -> Hidden:
    return Hidden(go.text(node))


_LEAVES: Mapping[Leaf, Callable[[Node], Any]] = {
    Leaf.text: go.text,
    Leaf.flag: go.flag,
    Leaf.switch: go.flag,
    Leaf.whole: go.whole,
    Leaf.duration: _duration,
    Leaf.size: _size,
    Leaf.pattern: _pattern,
    Leaf.cel: _cel,
    Leaf.tls_version: _tls_version,
    Leaf.url: _url,
    Leaf.secret: _secret,
    Leaf.anything: go.anything,
}


def nothing_at(path: str) -> Problem:
    """What is wrong with a file that holds no document, in the original's word."""
    return Problem(Place(path, 1, 1), "EOF", "an empty file has no modules; write `modules: {}`")
