"""Text for people: Jinja2 in a sandbox that allows looking up, comparing and a few filters.

The stock sandbox stops escapes but not gluttony: ``"%999999999d"`` takes gigabytes. Here no
operator that can multiply sizes is allowed, nothing is called, and what comes out is
bounded. A text that fails to render is given back as written, with the error.
"""

from collections.abc import Mapping
from typing import Any

from jinja2 import TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_TEMPLATE = 20_000
MAX_TEXT = 50_000
FILTERS = ("upper", "lower", "title", "trim", "length", "round", "default", "first", "last", "int")
_REFUSED = (
    nodes.Call, nodes.CallBlock, nodes.Mul, nodes.Pow, nodes.Mod, nodes.Add, nodes.Concat,
    nodes.Macro, nodes.Import, nodes.FromImport, nodes.Include, nodes.Extends,
)  # fmt: skip
_MOST_LOOPS = 1


class _Strict(ImmutableSandboxedEnvironment):
    """Without globals, tests of types, or filters that can build something large."""

    def __init__(self) -> None:
        super().__init__(autoescape=False)
        self.globals.clear()
        known = self.filters
        self.filters = {name: known[name] for name in FILTERS} | {"join": _join}


def _join(values: Any, separator: str = ", ") -> str:
    return str(separator)[:10].join(str(value)[:1000] for value in list(values)[:100])


_environment = _Strict()


def check_text(template: str) -> str:
    """What is wrong with a template; "" when nothing is."""
    if len(template) > MAX_TEMPLATE:
        return f"a text has at most {MAX_TEMPLATE} characters"
    try:
        tree = _environment.parse(template)
    except TemplateError as wrong:
        return str(wrong)
    refused = next(tree.find_all(_REFUSED), None)
    if refused is not None:
        return f"line {refused.lineno}: {type(refused).__name__.lower()} is not allowed in a text"
    if _loops(tree) > _MOST_LOOPS:
        return "loops may not be nested in a text"
    return ""


def _loops(node: nodes.Node, depth: int = 0) -> int:
    depth += isinstance(node, nodes.For)
    return max([depth, *(_loops(child, depth) for child in node.iter_child_nodes())])


def render_text(template: str, bound: Mapping[str, Any]) -> tuple[str, str]:
    """The text, and what went wrong ("" when nothing did)."""
    problem = check_text(template)
    if problem:
        return template, problem
    try:
        pieces = []
        size = 0
        for piece in _environment.from_string(template).generate(dict(bound)):
            pieces.append(piece)
            size += len(piece)
            if size > MAX_TEXT:
                return "".join(pieces)[:MAX_TEXT], f"cut at {MAX_TEXT} characters"
        return "".join(pieces), ""
    except (TemplateError, SecurityError, TypeError, ValueError, ArithmeticError) as failed:
        return template, str(failed)[:300]
