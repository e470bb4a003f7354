"""Values of a matrix, or of something discovered, put where a declaration names them.

``${matrix.country}`` is a whole scalar and becomes the value, with its type; it may compute,
``${"shop-" + matrix.country}``. In an expression, ``body.contains(matrix.word)``, each such name
becomes a literal of the expression language, quoted and escaped, so that what a list of addresses
from outside holds is always a value and never code. What comes of it is checked as if it had been
written by hand.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sentinel.errors import ExpressionFailed
from sentinel.expression.tokens import Token, tokens_of
from sentinel.library.places import Path
from sentinel.library.quoting import EXPRESSION_KEYS
from sentinel.library.reading import At, Scope


@dataclass(frozen=True, slots=True)
class Filling:
    """What is put in: `value` is what the name `root` stands for, `scope` what it has below it;
    one scope for all fillings of a declaration, so that expressions are compiled once."""

    root: str
    scope: Scope
    value: Mapping[str, Any]


class Unfilled(Exception):
    """Something could not be put in; it has been said at its place."""


def filled(value: Any, at: At, filling: Filling, *, inside: str = "") -> Any:
    """A copy of `value` with everything put in; what names nothing of it is left as it is. `inside`
    is the key that `value` stands under. Raises Unfilled after saying what is wrong; depth is
    bounded by the reader."""
    if isinstance(value, dict):
        if inside in EXPRESSION_KEYS and inside != "expect":
            return {k: filled(each, at / k, filling, inside=inside) for k, each in value.items()}
        return {k: filled(each, at / k, filling, inside=k) for k, each in value.items()}
    if isinstance(value, list):
        return [filled(e, at / i, filling, inside=inside) for i, e in enumerate(value)]
    if not isinstance(value, str) or filling.root not in value:
        return value
    if "${" in value:
        return _reference(value, at, filling)
    return _inlined(value, at, filling) if inside in EXPRESSION_KEYS else value


def places_of(value: Any, at: At, root: str) -> Iterator[tuple[str, Path]]:
    """File and path of every text of a document that names `root`."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from places_of(each, at / key, root)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from places_of(each, at / index, root)
    elif isinstance(value, str) and root in value and _starts(list(tokens_of(value)), root):
        yield at.file, at.path


def _reference(text: str, at: At, filling: Filling) -> Any:
    """The value of a whole ``${…}``; one that names another root is left for its own reader."""
    if not _starts(list(tokens_of(text)), filling.root):
        return text
    source = at.reference_source(text)
    compiled = at.expression(source, filling.scope, skipped=2) if source is not None else None
    if compiled is None:
        raise Unfilled
    try:
        return compiled.evaluate({filling.root: filling.value})
    except ExpressionFailed as failed:
        at.wrong(f"this has no value here: {failed}", "give it one, or take it out")
        raise Unfilled from failed


def _starts(tokens: Sequence[Token], root: str) -> list[int]:
    """The indices at which a chain of names begins with `root`."""
    return [
        index
        for index, token in enumerate(tokens)
        if token.kind == "name"
        and token.text == root
        and (index == 0 or tokens[index - 1].text != ".")
    ]


def _inlined(source: str, at: At, filling: Filling) -> str:
    """The expression with a literal in the place of each chain that begins with the root."""
    tokens = list(tokens_of(source))
    text, done = "", 0
    for start in _starts(tokens, filling.root):
        value: Any = filling.value
        end = start
        while isinstance(value, Mapping) and _goes_on(tokens, end):
            name = tokens[end + 2].text
            if name not in value:
                at.unknown(name, list(value), f"a name of `{filling.root}`")
                raise Unfilled
            value, end = value[name], end + 2
        if isinstance(value, Mapping):
            written = source[tokens[start].column - 1 : _end(tokens[end])]
            at.wrong(f"`{written}` is a mapping", f"name one of its keys: {', '.join(value)}")
            raise Unfilled
        text += source[done : tokens[start].column - 1] + _literal(value)
        done = _end(tokens[end])
    return text + source[done:]


def _goes_on(tokens: Sequence[Token], at: int) -> bool:
    return at + 2 < len(tokens) and tokens[at + 1].text == "." and tokens[at + 2].kind == "name"


def _end(token: Token) -> int:
    return token.column - 1 + len(token.text)


def _literal(value: Any) -> str:
    """A scalar as CEL writes it: its escapes of text are among those of JSON."""
    text = json.dumps(value, ensure_ascii=False)
    negative = isinstance(value, int | float) and text.startswith("-")
    return f"({text})" if negative else text
