"""References to secrets where nobody reads them: they would be sent, or used, as they stand.

A kind reveals what it declares as `Secret`, and in a text only where its `kinds.key` says
``reads_secrets``. A reference in any other text is a finding, with the keys of the same kind that
do read secrets. Names of variables count as such when they are in capitals: ``env:prod`` is a tag
somewhere else.
"""

import dataclasses
import re
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from sentinel.library.reading import At
from sentinel.library.shape import shown
from sentinel.words import Secret

_NAME = r"env:[A-Z_][A-Z0-9_]*"
_FILE = r"file:(?!//)[^{}\s]+"
_BRACES = re.compile(rf"\{{(?:env:[A-Za-z_][A-Za-z0-9_]*|{_FILE})\}}")
_WHOLE = re.compile(rf"(?:[A-Za-z][A-Za-z-]*[ ]+)?({_NAME}|{_FILE})\Z")
"""Alone, or behind the name of a scheme: ``Bearer env:TOKEN``."""
_BARE = re.compile(rf"(?:\A|[=:/@ ])({_NAME})\b(?!\}})")
_MOST_DEPTH = 64


def unread(text: str) -> str:
    """The first reference in a text that nobody reads; empty when there is none."""
    if ":" not in text or "${" in text:
        return ""
    found = _BRACES.search(text)
    if found is not None:
        return found[0]
    whole = _WHOLE.match(text)
    return whole[1] if whole is not None else ""


def bare(text: str) -> str:
    """The first reference without braces within a text in which only those with braces are read."""
    if "env:" not in text or "${" in text:
        return ""
    found = _BARE.search(_BRACES.sub("", text))
    return found[1] if found is not None else ""


def tell_bare(text: str, at: At) -> None:
    """Say that a reference stands without braces within a text in which they are needed."""
    reference = bare(text)
    if reference:
        at.finding(f"{shown(reference)} is taken literally within a text", f"write {{{reference}}}")


class Reader:
    """Which fields of a kind read secrets, and what to say of the others."""

    def __init__(self, kind: Any, hints: Mapping[str, Any]) -> None:
        self._texts = frozenset(name for name, hint in hints.items() if _is_text(hint))
        fields = [each for each in dataclasses.fields(kind) if "description" in each.metadata]
        self._within = frozenset(each.name for each in fields if each.metadata.get("reads_secrets"))
        self._secret = [each.name for each in fields if _is_secret(hints[each.name])]

    def look(self, name: str, value: Any, at: At) -> None:
        """Say what a field's value, as it was written, refers to in vain."""
        if name in self._within:
            if isinstance(value, str):
                tell_bare(value, at)
        elif name in self._texts:
            self._look(name, value, at, _MOST_DEPTH)

    def _look(self, name: str, value: Any, at: At, depth: int) -> None:
        if isinstance(value, str):
            reference = unread(value)
            if reference:
                where = f"`{name.rstrip('_')}` reads no secrets"
                at.finding(f"{shown(reference)} is taken literally here: {where}", self._hint(name))
        elif depth and isinstance(value, dict | list):
            for key, each in _items(value):
                if isinstance(each, str | dict | list):
                    self._look(name, each, at / key, depth - 1)

    def _hint(self, name: str) -> str:
        if f"secret_{name}" in self._secret:
            return f"write it under `secret_{name}:`"
        keys = [f"`{each.rstrip('_')}`" for each in self._secret]
        keys += [f"`{each}` as {{env:NAME}}" for each in sorted(self._within)]
        return f"they are read in {', '.join(keys)}" if keys else ""


def _items(value: dict[str, Any] | list[Any]) -> Iterator[tuple[str | int, Any]]:
    yield from value.items() if isinstance(value, dict) else enumerate(value)


def _is_text(hint: Any) -> bool:
    """Whether a field's values are plain text, at any depth."""
    inner = _inner(hint)
    if Secret in inner:
        return False
    return hint in (str, Any, object) or any(map(_is_text, inner))


def _is_secret(hint: Any) -> bool:
    return hint is Secret or any(map(_is_secret, _inner(hint)))


def _inner(hint: Any) -> tuple[Any, ...]:
    """The types that a type is made of; a mapping's keys and a nested kind have fields, or none, of
    their own."""
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        return ()
    inner = typing.get_args(hint)
    return inner[1:] if isinstance(origin, type) and issubclass(origin, Mapping) else inner
