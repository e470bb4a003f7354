"""The one expression language: CEL, behind this module alone.

An expression is compiled once, at load, and reads only roots that its kind declares. The
package knows no types, so a small lexer of ours reads the dotted names and how deep
comprehensions nest; what is undeclared, too long or too deep is refused at load, because
nothing can stop an evaluation once it runs. Severity words are the constants ``critical``
4, ``error`` 3, ``warning`` 2, ``info`` 1.

Functions that a kind brings are called as methods of a root, ``html.attr("a", "href")``, or
plainly; the root is their first argument.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import cel

from sentinel.errors import ExpressionFailed, ExpressionRefused
from sentinel.words import Severity

Type = Literal["bool", "int", "double", "string", "bytes", "list", "map", "dyn", "time"]
Declaration = Mapping[str, "Type | Mapping[str, Type]"]
"""Root names to their types: a type, or the names below it (two levels deep). ``dyn``, ``map`` and
``list`` say that anything may be below."""

MAX_LENGTH = 4096
MAX_BRACKETS = 32
OPEN_TYPES = frozenset({"dyn", "map", "list"})
CONSTANTS: Mapping[str, int] = {severity.name: int(severity) for severity in Severity}
COMPREHENSIONS = frozenset({"all", "exists", "exists_one", "map", "filter"})
FUNCTIONS = frozenset(
    {
        "has", "size", "int", "uint", "double", "string", "bytes", "bool", "type", "duration",
        "timestamp", "matches", "contains", "startsWith", "endsWith", "max", "min", "dyn",
        "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear", "getHours",
        "getMilliseconds", "getMinutes", "getMonth", "getSeconds",
    }
)  # fmt: skip
WORDS = frozenset({"true", "false", "null", "in"})

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<text>[rRbB]{0,2}(?:\"\"\"[\s\S]*?\"\"\"|'''[\s\S]*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<number>\d[\w.]*)
    |(?P<name>[A-Za-z_]\w*)
    |(?P<mark>.)""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression, equal to another of the same source and outside roots. `names` are the
    dotted names it reads, `roots` their first parts."""

    source: str
    names: frozenset[str]
    roots: frozenset[str]
    outside: frozenset[str] = frozenset()
    first: str = ""
    _program: Any = field(default=None, compare=False, repr=False)
    _functions: Mapping[str, Callable[..., Any]] = field(
        default_factory=dict, compare=False, repr=False
    )

    def evaluate(self, bindings: Mapping[str, Any]) -> Any:
        """The value as a Python value; looks up in `bindings` only the roots it names.

        Raises ExpressionFailed: ``field_missing`` (no such key or index) or ``field_type`` when it
        reads anything a target sent, else ``expression_error``.
        """
        try:
            known = {name: bindings[name] for name in self.roots if name not in CONSTANTS}
        except KeyError as missing:
            raise self._failed("field_missing", f"there is no {missing}") from missing
        known.update({name: CONSTANTS[name] for name in self.roots if name in CONSTANTS})
        try:
            if not self._functions:
                return self._program.execute(known)
            return self._program.execute(
                cel.Context(variables=known, functions=dict(self._functions))
            )
        except (KeyError, IndexError) as missing:
            raise self._failed("field_missing", f"no {_text(missing)}") from missing
        except Exception as wrong:  # the package raises builtins of every kind
            raise self._failed("field_type", _text(wrong)) from wrong

    def _failed(self, reason: str, text: str) -> ExpressionFailed:
        outside = bool(self.roots & self.outside)
        return ExpressionFailed(f"{self.source}: {text}", reason if outside else "expression_error")

    def scalars(self, bindings: Mapping[str, Any]) -> dict[str, Any]:
        """The value of every scalar that the expression names, for people to see; texts are cut at
        200 characters, what is missing or is no scalar is left out."""
        found: dict[str, Any] = {}
        for name in sorted(self.names):
            value = _follow(bindings, name)
            if isinstance(value, str):
                found[name] = value[:200]
            elif isinstance(value, bool | int | float):
                found[name] = value
        return found


def _text(error: BaseException) -> str:
    return str(error.args[0] if error.args else error)[:300]


def _follow(bindings: Mapping[str, Any], name: str) -> Any:
    value: Any = bindings
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def default_reason(expression: Expression) -> str:
    """The reason of an expectation that gives none: ``unexpected_`` and the first name's root."""
    return f"unexpected_{expression.first or 'value'}"


def compile_expression(
    source: str,
    declared: Declaration,
    *,
    outside: frozenset[str] = frozenset(),
    functions: Mapping[str, Callable[..., Any]] | None = None,
) -> Expression:
    """Compile once. `outside` are the roots that a target sent. Raises ExpressionRefused."""
    if len(source) > MAX_LENGTH:
        raise ExpressionRefused(f"an expression has at most {MAX_LENGTH} characters")
    program = _compile(source)
    tokens = list(_tokens(source))
    known = FUNCTIONS | frozenset(functions or {})
    names = _Reader(tokens, declared, known).read()
    _refuse_severity_words(tokens, names)
    roots = frozenset(name.partition(".")[0] for name in names)
    used = {name: call for name, call in (functions or {}).items() if name in source}
    first = next((name.partition(".")[0] for name in names if name not in CONSTANTS), "")
    return Expression(source, frozenset(names), roots, outside, first, program, used)


def _compile(source: str) -> Any:
    try:
        return cel.compile(source)
    except ValueError as refused:
        text = str(refused)
        place = re.search(r"<input>:(\d+):(\d+): (.*)", text)
        column = int(place.group(2)) if place else 1
        said = place.group(3).splitlines()[0] if place else text.splitlines()[0]
        raise ExpressionRefused(said.removeprefix("Syntax error: "), column) from refused
    except RecursionError as deep:
        raise ExpressionRefused("the expression is nested too deeply") from deep


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int


def _tokens(source: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(source):
        if match.lastgroup != "space":
            yield _Token(match.lastgroup or "", match.group(), match.start() + 1)


class _Reader:
    """Reads dotted names in order of appearance, with what comprehensions bind left out."""

    def __init__(
        self, tokens: list[_Token], declared: Declaration, functions: frozenset[str]
    ) -> None:
        self._tokens = tokens
        self._declared = declared
        self._functions = functions
        self._names: dict[str, None] = {}
        self._brackets: list[str] = []
        """The variable that each open bracket binds; "" for none."""

    def read(self) -> list[str]:
        at = 0
        while at < len(self._tokens):
            at = self._step(at)
        return list(self._names)

    def _step(self, at: int) -> int:
        token = self._tokens[at]
        if token.text in "([{" and token.kind == "mark":
            self._open(at)
        elif token.text in ")]}" and token.kind == "mark" and self._brackets:
            self._brackets.pop()
        elif token.kind == "name":
            return self._name(at)
        return at + 1

    def _open(self, at: int) -> None:
        bound = ""
        before = self._tokens[at - 1].text if at else ""
        if self._tokens[at].text == "(" and before in COMPREHENSIONS and at >= 2:
            bound = self._tokens[at + 1].text if at + 1 < len(self._tokens) else ""
            if any(self._brackets) and sum(map(bool, self._brackets)) >= 2:
                raise ExpressionRefused(
                    "comprehensions may be nested once, not deeper", self._tokens[at - 1].column
                )
        self._brackets.append(bound)
        if len(self._brackets) > MAX_BRACKETS:
            raise ExpressionRefused("brackets are nested too deeply", self._tokens[at].column)

    def _name(self, at: int) -> int:
        """A dotted chain that begins here; the index after it."""
        first = self._tokens[at]
        before = self._tokens[at - 1].text if at else ""
        if before == "." or first.text in WORDS:
            return at + 1
        parts = [first.text]
        here = at + 1
        while (
            self._is(here, ".")
            and here + 1 < len(self._tokens)
            and self._tokens[here + 1].kind == "name"
        ):
            if self._is(here + 2, "("):
                break  # a method: its name is no field
            parts.append(self._tokens[here + 1].text)
            here += 2
        if self._is(at + 1, "("):
            self._function(first)
            return at + 1
        if first.text not in self._brackets:
            self._declare(parts, first)
        return here

    def _is(self, at: int, text: str) -> bool:
        return at < len(self._tokens) and self._tokens[at].text == text

    def _function(self, token: _Token) -> None:
        if token.text not in self._functions and token.text not in COMPREHENSIONS:
            raise ExpressionRefused(
                f"there is no function `{token.text}`{_meant(token.text, self._functions)}",
                token.column,
            )

    def _declare(self, parts: list[str], token: _Token) -> None:
        root = parts[0]
        if root in CONSTANTS and root not in self._declared:
            self._names[root] = None
            return
        if root not in self._declared:
            raise ExpressionRefused(
                f"`{root}` is not a name here{_meant(root, self._declared)}", token.column
            )
        below = self._declared[root]
        if isinstance(below, str):
            if len(parts) > 1 and below not in OPEN_TYPES:
                raise ExpressionRefused(
                    f"`{root}` is a {below} and has no `{parts[1]}`", token.column
                )
        elif len(parts) > 1:
            self._below(root, below, parts, token)
        self._names[".".join(parts)] = None

    def _below(self, root: str, below: Mapping[str, Type], parts: list[str], token: _Token) -> None:
        if parts[1] not in below:
            raise ExpressionRefused(
                f"`{root}` has no `{parts[1]}`{_meant(parts[1], below)}", token.column
            )
        if len(parts) > 2 and below[parts[1]] not in OPEN_TYPES:
            raise ExpressionRefused(
                f"`{root}.{parts[1]}` is a {below[parts[1]]} and has no `{parts[2]}`", token.column
            )


def _meant(word: str, known: "Mapping[str, object] | frozenset[str]") -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean `{close[0]}`?" if close else f"; one of {', '.join(sorted(known)[:12])}"


def _refuse_severity_words(tokens: list[_Token], names: list[str]) -> None:
    """``severity == "error"`` would never hold: the words are numbers here."""
    if not any(name == "severity" or name.endswith(".severity") for name in names):
        return
    for token in tokens:
        word = token.text.strip("\"'")
        if token.kind == "text" and word in CONSTANTS:
            raise ExpressionRefused(
                f"write {word} without quotes: severities are ordered", token.column
            )
