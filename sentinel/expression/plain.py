"""Comparisons so plain that Python makes them itself: a name, and a literal of the value's own type.

``status == 200``, ``timing.total_s < 1.5 && size_bytes > 1000``, ``body.contains("Add to basket")``,
``answers == ["192.0.2.1"]``: most expectations are of this form, and are evaluated at every check.
Where the value is of the literal's type, CEL and Python agree (its specification, "Equality",
"Ordering", "String functions": 64-bit integers, IEEE 754 doubles, texts of code points), and asking
the package costs ten times as much. Every other value, and every other form, is the package's to
answer.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sentinel.expression.demanded import conjuncts
from sentinel.expression.reading import shown
from sentinel.expression.tokens import Token
from sentinel.words import shortened

Plain = Callable[[Mapping[str, Any]], tuple[bool, Mapping[str, Any]] | None]
"""Whether it holds, and by name the scalars that it compared, as they are shown; None: ask the
package."""
MAX_SCALAR = 200
"""Characters of a text that is shown."""

_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TEXTS: Mapping[str, Callable[[str, str], bool]] = {
    "contains": operator.contains,
    "startsWith": str.startswith,
    "endsWith": str.endswith,
}
_BOOLS = {"true": True, "false": False}
_LARGEST = 2**63
_CALL_TOKENS = 4
"""``contains ( "…" )``, after the name and its dot."""


def plain(tokens: Sequence[Token]) -> Plain | None:
    """The whole expression as plain comparisons; None where any part of it is not."""
    parts = [_comparison(part) for part in conjuncts(tokens)]
    found = [part for part in parts if part is not None]
    if not found or len(found) != len(parts):
        return None
    return found[0] if len(found) == 1 else _all(found)


def _all(parts: Sequence[Plain]) -> Plain:
    def hold(bindings: Mapping[str, Any]) -> tuple[bool, Mapping[str, Any]] | None:
        all_hold, compared = True, dict[str, Any]()
        for part in parts:
            found = part(bindings)
            if found is None:
                return None
            all_hold = all_hold and found[0]
            compared |= found[1]
        return all_hold, compared

    return hold


def _comparison(tokens: Sequence[Token]) -> Plain | None:
    if len(tokens) > _CALL_TOKENS and tokens[-1].text == ")":
        path, (call, bracket, literal) = _path(tokens[:-5]), tokens[-4:-1]
        compare = _TEXTS.get(call.text)
        dot = tokens[-5].text == "."
        text = _text(literal)
        if path and dot and compare and bracket.text == "(" and text is not None:
            return _closure(path, compare, text)
        return None
    for at, token in enumerate(tokens):
        if token.text in _ORDERS and token.kind == "mark":
            path, literal_value = _path(tokens[:at]), _literal(tokens[at + 1 :])
            if path and token.text in ("==", "!=") and literal_value is None:
                return _list_closure(path, _ORDERS[token.text], tokens[at + 1 :])
            if not path or literal_value is None:
                return None
            if type(literal_value) in (str, bool) and token.text not in ("==", "!="):
                return None
            return _closure(path, _ORDERS[token.text], literal_value)
    return None


def _list_closure(
    path: tuple[str, ...], compare: Callable[[Any, Any], bool], tokens: Sequence[Token]
) -> Plain | None:
    """``answers == ["192.0.2.1", "192.0.2.2"]``: texts alone, since numbers of a list are compared
    across their types."""
    if len(tokens) < 3 or len(tokens) % 2 == 0 or (tokens[0].text, tokens[-1].text) != ("[", "]"):
        return None
    if any(token.text != "," or token.kind != "mark" for token in tokens[2:-1:2]):
        return None
    found = [_text(token) for token in tokens[1:-1:2]]
    texts = [text for text in found if text is not None]
    if len(texts) != len(found):
        return None
    root, below = path[0], path[1:]

    def hold(bindings: Mapping[str, Any]) -> tuple[bool, Mapping[str, Any]] | None:
        try:
            value = bindings[root]
            for name in below:
                value = value[name]
        except (KeyError, TypeError, IndexError):
            return None
        if type(value) is not list:
            return None
        if value != texts and any(type(each) is not str for each in value):
            return None
        return compare(value, texts), {}

    return hold


def _closure(path: tuple[str, ...], compare: Callable[[Any, Any], bool], literal: Any) -> Plain:
    kind, root, below = type(literal), path[0], path[1:]
    name = shown(path)
    as_wanted = (True, {name: _short(literal)})
    exact = compare is operator.eq and kind is not float  # of zeros there are two
    of_text = kind is str

    def hold(bindings: Mapping[str, Any]) -> tuple[bool, Mapping[str, Any]] | None:
        try:
            value = bindings[root]
            for each in below:
                value = value[each]
        except (KeyError, TypeError, IndexError):
            return None
        if type(value) is not kind or (kind is int and not -_LARGEST <= value < _LARGEST):
            return None
        if value != value:
            return None  # the package refuses to order what is no number
        holds = compare(value, literal)
        return (
            as_wanted if holds and exact else (holds, {name: _short(value) if of_text else value})
        )

    return hold


def _path(tokens: Sequence[Token]) -> tuple[str, ...]:
    """A dotted name in parts; empty where it is anything else."""
    dotted = len(tokens) % 2 == 1 and all(
        token.text == "." if place % 2 else token.kind == "name"
        for place, token in enumerate(tokens)
    )
    names = tuple(token.text for token in tokens[::2])
    return names if dotted and names[0] not in _BOOLS and names[0] != "null" else ()


def _literal(tokens: Sequence[Token]) -> int | float | str | bool | None:
    negative = len(tokens) == 2 and tokens[0].text == "-" and tokens[1].kind == "number"
    if len(tokens) != 1 and not negative:
        return None
    token = tokens[-1]
    if token.kind == "name":
        return _BOOLS.get(token.text)
    if token.kind == "text":
        return _text(token)
    number = _number(token)
    return number if number is None or not negative else -number


def _number(token: Token) -> int | float | None:
    if token.kind != "number" or token.text[-1] in "uU" or token.text[:2] in ("0x", "0X"):
        return None
    if token.text.isdigit():
        number = int(token.text)
        return number if number < _LARGEST else None
    return float(token.text)


def _text(token: Token) -> str | None:
    """What stands between the quotes, where nothing in it means anything else."""
    text = token.text
    simple = token.kind == "text" and text[0] in "\"'" and "\\" not in text
    return text[1:-1] if simple and text[:3] not in ('"""', "'''") else None


def _short(value: Any) -> Any:
    """A scalar as it is shown."""
    return shortened(value, MAX_SCALAR) if isinstance(value, str) else value
