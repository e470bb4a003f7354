"""What an expression names and calls, checked against what is declared.

The package names roots only, and finds an unknown name or function when it runs, which is
too late: a typo in a condition must not page anybody.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Literal

from sentinel.errors import ExpressionRefused
from sentinel.expression.tokens import Token
from sentinel.words import Severity

Type = Literal["bool", "int", "double", "string", "bytes", "list", "map", "dyn", "time"]
Declaration = Mapping[str, "Type | Mapping[str, Type]"]
"""Root names to their types: a type, or the names below it (two levels deep). ``dyn``, ``map`` and
``list`` say that anything may be below."""

Path = tuple[str | int, ...]
"""What an expression reads: a root, then keys and indexes, as far as they are literal."""


CONSTANTS: Mapping[str, int] = {severity.name: int(severity) for severity in Severity}
OPEN_TYPES = frozenset({"dyn", "map", "list"})
COMPREHENSIONS = frozenset({"all", "exists", "exists_one", "map", "filter"})
WORDS = frozenset({"true", "false", "null", "in"})
TYPES = frozenset({"int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type"})
PLAIN = frozenset(
    {"has", "size", "int", "uint", "double", "string", "bytes", "dyn", "type", "duration", "timestamp"}
)  # fmt: skip
METHODS = frozenset(
    {
        "size", "contains", "startsWith", "endsWith", "matches",
        "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear", "getHours",
        "getMilliseconds", "getMinutes", "getMonth", "getSeconds",
    }
)  # fmt: skip

TRIED = frozenset({"matches", "duration", "timestamp"})
"""Calls whose literal argument is tried at load."""


OPENING = ("(", "[", "{")
CLOSING = (")", "]", "}")


class Reader:
    """Reads what an expression names and calls, in order, and refuses what is not declared."""

    def __init__(
        self, tokens: list[Token], declared: Declaration, functions: frozenset[str]
    ) -> None:
        self.called: set[str] = set()
        self.tried: list[tuple[str, Token]] = []
        """Literal arguments that the engine must accept: function, text."""
        self.given: list[tuple[str, Token]] = []
        """Literal arguments of a kind's own functions, behind what these are called on."""
        self._tokens = tokens
        self._declared = declared
        self._functions = functions
        self._paths: dict[Path, None] = {}
        self._brackets: list[str] = []
        """The variable that each open bracket binds; "" for none."""
        self._numbers: dict[int, str] = {}
        """``int`` or ``double`` by the index of an operand's first and last token."""

    def read(self) -> tuple[Path, ...]:
        at = 0
        while at < len(self._tokens):
            at = self._step(at)
        self._refuse_mixed()
        return tuple(self._paths)

    def _step(self, at: int) -> int:
        token = self._tokens[at]
        if token.kind == "name":
            return self._name(at)
        if token.kind == "number":
            self._numbers[at] = "double" if re.search(r"[.eE]", token.text) else "int"
            if token.text[-1] in "uU" or token.text[:2] in ("0x", "0X"):
                del self._numbers[at]
        elif token.kind == "mark" and token.text in "([{":
            self._brackets.append(self._bound(at))
        elif token.kind == "mark" and token.text in ")]}" and self._brackets:
            self._brackets.pop()
        return at + 1

    def _bound(self, at: int) -> str:
        """The variable that the comprehension opening here binds, or ""."""
        if not (self._text(at) == "(" and self._text(at - 2) == "."):
            return ""
        if self._text(at - 1) not in COMPREHENSIONS:
            return ""
        if sum(map(bool, self._brackets)) >= 2:
            raise ExpressionRefused(
                "comprehensions may be nested once, not deeper", self._tokens[at - 1].column
            )
        return self._text(at + 1)

    def _name(self, at: int) -> int:
        """A chain of names and literal indexes that begins here; the index after it."""
        first = self._tokens[at]
        if self._text(at - 1) == ".":
            if at < 2 or not _ends_operand(self._tokens[at - 2]):
                raise ExpressionRefused("a name does not begin with a dot", first.column)
            if self._text(at + 1) == "(":
                self._call(at, METHODS | COMPREHENSIONS)
            return at + 1
        if self._text(at + 1) == "(":
            self._call(at, PLAIN)
            return at + 1
        path, after = self._chain(at)
        if first.text in WORDS or first.text in self._brackets:
            return after
        if first.text in TYPES and first.text not in self._declared:
            return after
        number = self._declare(path, first)
        self._numbers.update({at: number, after - 1: number} if number else {})
        return after

    def _chain(self, at: int) -> tuple[Path, int]:
        path: list[str | int] = [self._tokens[at].text]
        here = at + 1
        while here + 1 < len(self._tokens):
            part = self._tokens[here + 1]
            if self._text(here) == "." and part.kind == "name" and self._text(here + 2) != "(":
                path.append(part.text)
                here += 2
                continue
            index = _literal(part)
            if index is None or self._text(here) != "[" or self._text(here + 2) != "]":
                break
            path.append(index)
            here += 3
        return tuple(path), here

    def _text(self, at: int) -> str:
        return self._tokens[at].text if 0 <= at < len(self._tokens) else ""

    def _call(self, at: int, known: frozenset[str]) -> None:
        token = self._tokens[at]
        self.called.add(token.text)
        if token.text not in known | self._functions:
            if token.text in METHODS:
                meant = f"; write it after a dot: `value.{token.text}(…)`"
            else:
                meant = _meant(token.text, (known | self._functions) - COMPREHENSIONS)
            raise ExpressionRefused(f"there is no function `{token.text}`{meant}", token.column)
        if token.text in TRIED or token.text in self._functions:
            self._literal_of(at)

    def _literal_of(self, at: int) -> None:
        """Note the literal that a call is given: a method's first argument; of a function that is
        called on its first one, the second."""
        name = self._tokens[at].text
        starts = self._arguments(at + 1)
        behind = starts if self._text(at - 1) == "." or name in PLAIN else starts[1:]
        if not behind:
            return
        literal = self._tokens[behind[0]]
        if literal.kind == "text" and self._text(behind[0] + 1) in (",", ")"):
            (self.tried if name in TRIED else self.given).append((name, literal))

    def _arguments(self, at: int) -> list[int]:
        """Where the arguments begin of the call whose bracket opens here."""
        if self._text(at + 1) == ")":
            return []
        starts, depth = [at + 1], 0
        for here in range(at, len(self._tokens)):
            text = self._text(here)
            depth += (text in OPENING) - (text in CLOSING)
            if not depth:
                break
            if depth == 1 and text == ",":
                starts.append(here + 1)
        return starts

    def _declare(self, path: Path, token: Token) -> str:
        """Note what is read; its type when it is a number, else ""."""
        root = str(path[0])
        self._paths[path if root in self._declared else path[:1]] = None
        if root not in self._declared:
            if root in CONSTANTS:
                return "int"
            raise ExpressionRefused(
                f"`{root}` is not a name here{_meant(root, self._declared)}", token.column
            )
        below = self._declared[root]
        if isinstance(below, str):
            return _number(below, path, 1, token)
        if len(path) == 1:
            return ""
        if path[1] not in below:
            raise ExpressionRefused(
                f"`{root}` has no `{path[1]}`{_meant(str(path[1]), below)}", token.column
            )
        return _number(below[str(path[1])], path, 2, token)

    def _refuse_mixed(self) -> None:
        for at, token in enumerate(self._tokens):
            if token.kind != "mark" or token.text not in "+-*/%":
                continue
            sides = self._numbers.get(at - 1), self._numbers.get(at + 1)
            if set(sides) == {"int", "double"}:
                raise ExpressionRefused(
                    f"`{token.text}` takes two ints or two doubles: write 2.0 for 2, double(x) for x",
                    token.column,
                )


def _ends_operand(token: Token) -> bool:
    if token.kind == "mark":
        return token.text in ")]}"
    return token.text not in {"in"}


def _literal(token: Token) -> str | int | None:
    if token.kind == "number" and token.text.isdecimal():
        return int(token.text)
    if token.kind == "text" and token.text[0] in "\"'" and "\\" not in token.text:
        return token.text.strip(token.text[0])
    return None


def _number(kind: str, path: Path, known: int, token: Token) -> str:
    """The type of what a path reads when it is a number; refuses fields below a scalar."""
    if kind in OPEN_TYPES:
        return ""
    if len(path) > known:
        raise ExpressionRefused(
            f"`{shown(path[:known])}` is of type {kind} and has no `{path[known]}`", token.column
        )
    return kind if kind in ("int", "double") else ""


def _meant(word: str, known: "Mapping[str, object] | frozenset[str]") -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean `{close[0]}`?" if close else f"; one of {', '.join(sorted(known)[:12])}"


def refuse_severity_words(
    tokens: Sequence[Token], paths: Sequence[Path], outside: frozenset[str]
) -> None:
    """``severity == "error"`` would never hold: the words are numbers here. A label of that name
    (``labels.severity``, what a sender wrote) is a text and no severity, and so is whatever a
    target calls so (``json.severity``)."""
    ours = (path for path in paths if path[0] not in outside and "labels" not in path)
    if not any(path[-1] == "severity" for path in ours):
        return
    for token in tokens:
        word = token.text.strip("\"'")
        if token.kind == "text" and word in CONSTANTS:
            raise ExpressionRefused(
                f"write {word} without quotes: severities are ordered", token.column
            )


_SIMPLE_KEY = re.compile(r"[A-Za-z_]\w*\Z", re.ASCII)


def shown(path: Path) -> str:
    """A path as a person would write it."""
    text = str(path[0])
    for part in path[1:]:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if _SIMPLE_KEY.match(part) else f'["{part}"]'
    return text


def dotted(path: Path) -> str:
    """Its dotted beginning."""
    return shown(path).partition("[")[0]
