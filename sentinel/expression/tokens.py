"""The words of an expression: a lexer that knows no grammar.

CEL's own parser decides what is an expression; this only finds names, literals and brackets
with their columns, so that ``reading`` can check what the package does not.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sentinel.errors import ExpressionRefused

MAX_DEPTH = 32
"""Brackets within brackets, and unary operators in a row (``!!!``): the parser recurses."""

_WORD = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<text>[bB]?[rR][bB]?(?:\"\"\"[\s\S]*?\"\"\"|'''[\s\S]*?'''|"[^"\n]*"|'[^'\n]*')
        |[bB]?(?:\"\"\"(?:\\[\s\S]|[^\\])*?\"\"\"|'''(?:\\[\s\S]|[^\\])*?'''
               |"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<number>(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)[uU]?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<mark>[=!<>]=|&&|\|\||[\s\S])""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """One word. `kind` is text, number, name or mark; `column` counts from 1."""

    kind: str
    text: str
    column: int


def tokens_of(source: str) -> Iterator[Token]:
    """The words, without spaces and comments."""
    for match in _WORD.finditer(source):
        if match.lastgroup != "space":
            yield Token(match.lastgroup or "", match.group(), match.start() + 1)


def refuse_depth(tokens: Sequence[Token]) -> None:
    """Raises ExpressionRefused where brackets or unary operators go too deep."""
    depth = unary = 0
    for token in tokens:
        unary = unary + 1 if token.text in ("!", "-") else 0
        if token.kind == "mark":
            depth += (token.text in "([{") - (token.text in ")]}")
        if max(depth, unary) > MAX_DEPTH:
            raise ExpressionRefused(f"nested deeper than {MAX_DEPTH}", token.column)
