"""The one expression language: CEL, behind this module alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Type = Literal["bool", "int", "double", "string", "bytes", "list", "map", "dyn", "time"]
Declaration = Mapping[str, "Type | Mapping[str, Type]"]
"""Root names to their types: a type, or the names below it (two levels deep). ``dyn``, ``map`` and
``list`` say that anything may be below."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression. `names` are the dotted names it reads, `roots` their first parts."""

    source: str
    names: frozenset[str]
    roots: frozenset[str]

    def evaluate(self, bindings: Mapping[str, Any]) -> Any:
        """The value as a Python value; looks up in `bindings` only the roots it names.
        Raises ExpressionFailed."""
        raise NotImplementedError


def compile_expression(
    source: str,
    declared: Declaration,
    *,
    outside: frozenset[str] = frozenset(),
    functions: Mapping[str, Callable[..., Any]] | None = None,
) -> Expression:
    """Compile once. `outside` are the roots that a target sent (a missing field there is
    ``field_missing``). Raises ExpressionRefused with a column."""
    raise NotImplementedError
