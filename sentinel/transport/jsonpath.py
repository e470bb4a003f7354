"""JSONPath (RFC 9535) over what a server sent, for expressions.

The query is a document's, the value a stranger's. So the standard functions `match` and `search`
use RE2 and not Python's backtracking expressions, and a query descends (``..``) at most once: over
5,000 values each further one would multiply its cost, while the other probes wait.
"""

from functools import lru_cache
from typing import Any

from jsonpath import JSONPath, JSONPathEnvironment
from jsonpath.exceptions import JSONPathError
from jsonpath.filter import StringLiteral
from jsonpath.function_extensions import ExpressionType, FilterFunction

from sentinel.labels import accept_pattern, pattern

MOST_QUERY = 1_000
"""Characters of a query."""
MOST_FOUND = 1_000
"""Values that a query gives; the rest is left out."""


class _Fits(FilterFunction):
    """`match` (the whole text) or `search` (anywhere in it); a pattern that is none fits nothing, as
    RFC 9535, 2.4.6 has it."""

    arg_types = [ExpressionType.VALUE, ExpressionType.VALUE]  # noqa: RUF012
    return_type = ExpressionType.LOGICAL

    def __init__(self, *, whole: bool) -> None:
        self._whole = whole

    def __call__(self, value: object, expression: object) -> bool:
        if not isinstance(value, str) or not isinstance(expression, str):
            return False
        try:
            compiled = pattern(expression)
        except ValueError:
            return False
        found = compiled.fullmatch(value) if self._whole else compiled.search(value)
        return found is not None


def _standard(kind: type[JSONPathEnvironment] = JSONPathEnvironment) -> JSONPathEnvironment:
    environment = kind(strict=True)
    environment.function_extensions |= {
        "match": _Fits(whole=True),
        "search": _Fits(whole=False),
    }
    return environment


_STANDARD = _standard()


@lru_cache(maxsize=1024)
def _query(text: str) -> JSONPath:
    if not 0 < len(text) <= MOST_QUERY:
        raise ValueError(f"a JSONPath has 1 to {MOST_QUERY} characters")
    try:
        query = _STANDARD.compile(text)
    except (JSONPathError, RecursionError) as error:
        said = str(error).partition("\n")[0]
        raise ValueError(f"`{text[:80]}` is not a JSONPath: {said}") from error
    if not isinstance(query, JSONPath):  # unions and the like are not in the standard
        raise ValueError(f"`{text[:80]}` is not one JSONPath")
    if str(query).count("..") > 1:
        raise ValueError(f"JSONPath `{text[:80]}` descends (`..`) more than once")
    return query


class _Strict(JSONPathEnvironment):
    """Refuses a pattern that is written in a query and is none."""

    def check_well_typedness(self, token: Any, func: Any, args: Any) -> None:
        super().check_well_typedness(token, func, args)
        if isinstance(func, _Fits) and isinstance(args[1], StringLiteral):
            accept_pattern(args[1].value)


_STRICT = _standard(_Strict)


def accept_query(text: str) -> None:
    """Raises ValueError for a text that is no query, or that holds a pattern which fits nothing since
    it is none."""
    _query(text)
    _STRICT.compile(text)


def json_paths(value: Any, query: str) -> list[Any]:
    """The values that the query selects, in its order, at most 1,000; none in what is no object or
    list. Raises ValueError for a query that is none."""
    compiled = _query(query)
    if not isinstance(value, dict | list):
        return []
    found: list[Any] = []
    try:
        for each in compiled.finditer(value):
            if len(found) == MOST_FOUND:
                break
            found.append(each.obj)
    except JSONPathError:  # nested deeper than the library descends
        return []
    return found


def json_path(value: Any, query: str) -> Any:
    """The first value that the query selects; None when there is none."""
    found = json_paths(value, query)
    return found[0] if found else None
