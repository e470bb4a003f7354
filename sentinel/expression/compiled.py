"""An expression that can be evaluated: the only file that touches the CEL package.

Only what an expression mentions is handed over (``json.cart.total`` converts that number and
nothing else of the JSON), because converting costs 2 µs a key and evaluating 0.3.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sentinel.errors import ExpressionFailed, ExpressionRefused
from sentinel.expression.demanded import Demand, demands, unmet
from sentinel.expression.package import cel
from sentinel.expression.plain import MAX_SCALAR, Plain, plain
from sentinel.expression.reading import (
    CONSTANTS,
    Declaration,
    Path,
    Reader,
    dotted,
    refuse_severity_words,
    shown,
)
from sentinel.expression.tokens import Token, refuse_depth, tokens_of
from sentinel.words import shortened

Functions = Mapping[str, Callable[..., Any]]

Literals = Mapping[str, Callable[[str], object]]
"""By function: raises ValueError for a literal argument that the function cannot work with."""

MAX_LENGTH = 4096
MAX_NESTING = 100
"""Of a value: the package recurses natively, and crashes the process on far deeper ones."""

_Tree = dict[str, Any]
"""Key to what is read below it; None: all of it."""
_PLAIN_VALUES = frozenset({bool, int, float, str, bytes, type(None)})
_TRIAL = {"matches": '"".matches(%s)', "duration": "duration(%s)", "timestamp": "timestamp(%s)"}


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression, equal to another of the same source and outside roots.

    `names` are the dotted names it reads, `roots` their first parts, constants included; `first` is
    the root of its first name that is no constant.
    """

    source: str
    names: frozenset[str]
    roots: frozenset[str]
    outside: frozenset[str] = frozenset()
    first: str = ""
    plain: Plain | None = field(default=None, compare=False, repr=False)
    """What `evaluate` and `scalars` would say, where the expression is plain comparisons and no more:
    each value is looked up once."""
    _program: Any = field(default=None, compare=False, repr=False)
    _functions: Functions = field(default_factory=dict, compare=False, repr=False)
    _paths: tuple[Path, ...] = field(default=(), compare=False, repr=False)
    _reads: "tuple[tuple[str, _Tree | None], ...]" = field(default=(), compare=False, repr=False)
    _constants: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)
    _demands: tuple[Demand, ...] = field(default=(), compare=False, repr=False)
    _shown: tuple[str, ...] = field(default=(), compare=False, repr=False)

    def evaluate(self, bindings: Mapping[str, Any]) -> Any:
        """The value as a Python value (bool, int, float, str, bytes, list, dict, None, aware UTC
        datetime, timedelta); looks up in `bindings` only what it names, so they may be lazy.

        Raises ExpressionFailed: ``field_missing`` (no such key or index) or ``field_type`` when it
        reads anything a target sent, else ``expression_error``.
        """
        if self.plain is not None:
            found = self.plain(bindings)
            if found is not None:
                return found[0]
        if self._demands and unmet(self._demands, bindings):
            return False
        known: dict[str, Any] = dict(self._constants)
        for root, below in self._reads:
            try:
                value = bindings[root]
            except KeyError as missing:
                raise self._failed("field_missing", f"there is no `{root}`") from missing
            known[root] = value if type(value) in _PLAIN_VALUES else self._container(value, below)
        try:
            if self._functions:
                context = cel.Context(variables=known, functions=dict(self._functions))
                return self._program.execute(context)
            return self._program.execute(known)
        except (KeyError, IndexError) as missing:
            raise self._failed("field_missing", _missing(missing)) from missing
        except Exception as wrong:  # the package raises builtins of every kind
            raise self._failed("field_type", _said(wrong)) from wrong

    def _container(self, value: Any, below: "_Tree | None") -> Any:
        known = value if below is None else _pruned(value, below)
        if _deeper_than(known, MAX_NESTING):
            raise self._failed("field_type", f"nested deeper than {MAX_NESTING}")
        return known

    def _failed(self, reason: str, text: str) -> ExpressionFailed:
        outside = bool(self.roots & self.outside)
        return ExpressionFailed(f"{self.source}: {text}", reason if outside else "expression_error")

    def scalars(self, bindings: Mapping[str, Any]) -> dict[str, Any]:
        """The value of every scalar that the expression names, in its order, for people to see:
        ``{"status": 503, 'headers["server"]': "nginx"}``. Texts are cut at 200 characters (then
        ``…`` follows); what is missing, None or no scalar is left out, and so are the constants."""
        found: dict[str, Any] = {}
        for path, name in zip(self._paths, self._shown, strict=True):
            value = _follow(bindings, path)
            if isinstance(value, str):
                found[name] = shortened(value, MAX_SCALAR)
            elif isinstance(value, (bool, int, float)):
                found[name] = value
        return found


def default_reason(expression: Expression) -> str:
    """The reason of an expectation that gives none: ``unexpected_`` and the first name's root."""
    return f"unexpected_{expression.first or 'value'}"


def compile_expression(
    source: str,
    declared: Declaration,
    *,
    outside: frozenset[str] = frozenset(),
    functions: Functions | None = None,
    literals: Literals | None = None,
) -> Expression:
    """Compile once. `outside` are the roots that a target sent, `functions` what the kind brings,
    `literals` what a text must be that these are given as it is written.

    Raises ExpressionRefused with the column, and what would be right where that can be guessed:
    for what CEL does not accept, undeclared names and functions, comprehensions nested more than
    once, quoted severity words, numbers that cannot be added, literals that cannot be read.
    """
    if len(source) > MAX_LENGTH:
        raise ExpressionRefused(f"an expression has at most {MAX_LENGTH} characters", MAX_LENGTH)
    tokens = list(tokens_of(source))
    refuse_depth(tokens)
    program = _compile(source)
    reader = Reader(tokens, declared, frozenset(functions or {}))
    paths = reader.read()
    refuse_severity_words(tokens, paths, outside)
    for function, literal in reader.tried:
        _try(function, literal)
    for function, literal in reader.given:
        _accept(function, literal, literals or {})
    own = tuple(path for path in paths if path[0] not in CONSTANTS)
    return Expression(
        source=source,
        names=frozenset(dotted(path) for path in paths),
        roots=frozenset(str(path[0]) for path in paths),
        outside=outside,
        first=str(own[0][0]) if own else "",
        _program=program,
        _functions={
            name: call for name, call in (functions or {}).items() if name in reader.called
        },
        _paths=own,
        _reads=_reads(own),
        _constants={name: CONSTANTS[name] for name in CONSTANTS if (name,) in paths},
        _demands=demands(tokens),
        plain=plain(tokens),
        _shown=tuple(map(shown, own)),
    )


# What is handed to CEL


def _reads(paths: Iterable[Path]) -> tuple[tuple[str, _Tree | None], ...]:
    tree: _Tree = {}
    for path in paths:
        node: _Tree = tree
        keys = _keys(path)
        for key in keys[:-1]:
            below = node.setdefault(key, {})
            if below is None:
                break
            node = below
        else:
            node[keys[-1]] = None
    return tuple(tree.items())


def _keys(path: Path) -> list[str]:
    """The keys before the first index: a list is handed over whole."""
    keys: list[str] = []
    for part in path:
        if isinstance(part, int):
            break
        keys.append(part)
    return keys


def _pruned(value: Any, below: _Tree) -> Any:
    if not isinstance(value, Mapping):
        return value
    kept = {}
    for key, further in below.items():
        if key in value:
            kept[key] = value[key] if further is None else _pruned(value[key], further)
    return kept


def _deeper_than(value: Any, limit: int) -> bool:
    if type(value) in _PLAIN_VALUES:
        return False
    if isinstance(value, Mapping):
        return limit == 0 or any(_deeper_than(each, limit - 1) for each in value.values())
    if isinstance(value, list | tuple):
        return limit == 0 or any(_deeper_than(each, limit - 1) for each in value)
    return False


def _follow(bindings: Mapping[str, Any], path: Path) -> Any:
    value: Any = bindings
    for part in path:
        try:
            value = None if isinstance(value, str) else value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


# What goes wrong while it runs

_UNDEFINED = re.compile(r"Undefined variable or function: '(\w+)'")


def _missing(error: BaseException) -> str:
    said = str(error.args[0] if error.args else error)[:MAX_SCALAR]
    return said if isinstance(error, IndexError) else f"there is no {said}"


def _said(error: BaseException) -> str:
    """The package's message without its advice, which is for programmers."""
    text = str(error)
    if undefined := _UNDEFINED.match(text):  # all names were checked at load: it is the type
        return f"`{undefined.group(1)}` does not take a value of this type"
    if text.startswith("No such overload"):
        return "the values are not of types that this operation takes"
    return text.split(". ")[0].replace("\n", " ")[:MAX_SCALAR]


# What is refused at load


def _compile(source: str) -> Any:
    try:
        return cel.compile(source)
    except ValueError as refused:
        said, column = _syntax(source, str(refused))
        raise ExpressionRefused(said, column) from refused


def _syntax(source: str, text: str) -> tuple[str, int]:
    place = re.search(r"ERROR: <input>:(\d+):(\d+): (.*)", text)
    if place is None:
        return "this is not CEL", 1
    said = place.group(3).removeprefix("Syntax error: ").split(" expecting ")[0]
    if "'<EOF>'" in said:
        said = "the expression ends too early"
    before = source.splitlines(keepends=True)[: int(place.group(1)) - 1]
    return said, sum(map(len, before)) + int(place.group(2))


def _try(function: str, argument: Token) -> None:
    """Run a call on its literal argument now: a bad pattern is a mistake in the document."""
    try:
        cel.compile(_TRIAL[function] % argument.text).execute({})
    except Exception as wrong:
        said = _said(wrong).removeprefix(f"Function '{function}' error: ")
        raise ExpressionRefused(f"{function}: {said}", argument.column) from wrong


def _accept(function: str, argument: Token, literals: Literals) -> None:
    """Refuse a literal that a kind's own function would refuse at each check."""
    check = literals.get(function)
    value = cel.compile(argument.text).execute({}) if check is not None else None
    if check is None or not isinstance(value, str):
        return
    try:
        check(value)
    except ValueError as wrong:
        raise ExpressionRefused(f"{function}: {wrong}", argument.column) from wrong
