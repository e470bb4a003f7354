"""``matrix:`` one declaration, many probes: every combination of some values.

::

    shop-page:
      matrix:
        country: [fi, {id: se, client: acme-sweden}]
        page: [home, cart]
        exclude: [{country: se, page: cart}]
        include: [{country: no, page: home}]

gives ``shop-page-fi-home``, ``shop-page-fi-cart``, ``shop-page-se-home``, ``shop-page-no-home``, and
``${matrix.country}``, ``${matrix.page}`` in it are those words. A value may be a mapping with an
``id``, whose other keys are read as ``${matrix.country.client}``. `exclude` takes out every
combination that has all the values it names; `include` adds whole combinations. A value becomes
a part of the id in lower case, everything that no id may hold as a hyphen.
"""

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from sentinel.library import pieces
from sentinel.library.reading import At
from sentinel.library.shape import Schema

MOST = 10_000
"""Probes that one declaration may come to."""

_VALUE: Schema = {
    "type": ["string", "number", "boolean", "object"],
    "minLength": 1,
    "properties": {"id": pieces.identifier("What it is called in the probe's id", "se")},
    "required": ["id"],
    "description": "A value, or a mapping with an `id` and further values by name",
    "examples": ["fi", {"id": "se", "client": "acme-sweden"}],
}
_CHOSEN: Schema = pieces.mapped(
    _VALUE, "Values by name", minProperties=1, examples=[{"country": "se", "page": "cart"}]
)
MATRIX: Schema = {
    "type": "object",
    "properties": {
        "include": pieces.listed(_CHOSEN, "Combinations beside those", maxItems=MOST),
        "exclude": pieces.listed(_CHOSEN, "Combinations to leave out", maxItems=MOST),
    },
    "additionalProperties": pieces.listed(
        _VALUE, "The values that this name takes in turn", minItems=1, maxItems=MOST
    ),
    "propertyNames": pieces.LOCAL_NAMES,
    "minProperties": 1,
    "description": "One declaration, many probes: every combination of these values; "
    "`${matrix.NAME}` is the value, and the ids get the values behind them",
    "examples": [{"country": ["fi", "se"], "page": ["home", "cart"]}],
}
_SPECIAL = ("include", "exclude")
_OUTSIDE_IDS = re.compile("[^a-z0-9]+")
_TYPES: Mapping[type, Literal["bool", "int", "double", "string", "map"]] = {
    bool: "bool",
    int: "int",
    float: "double",
    str: "string",
    dict: "map",
}

Combination = Mapping[str, Any]


def combinations(matrix: Mapping[str, Any], at: At) -> list[Combination] | None:
    """Every combination in the order of the names and values; None when it has no sense, which has
    been said. `matrix` has the shape of `MATRIX`."""
    axes = {name: values for name, values in matrix.items() if name not in _SPECIAL}
    included, excluded = matrix.get("include", []), matrix.get("exclude", [])
    if not axes:
        at.wrong("this matrix names no values", "write it like country: [fi, se]", at_key=True)
        return None
    count = math.prod(map(len, axes.values())) + len(included)
    if count > MOST:
        at.wrong(f"this matrix comes to {count:,} probes", f"at most {MOST:,}", at_key=True)
        return None
    if not _sensible(axes, included, excluded, at):
        return None
    product = (dict(zip(axes, each, strict=True)) for each in itertools.product(*axes.values()))
    kept = [each for each in product if not any(_has(each, chosen) for chosen in excluded)]
    found = [*kept, *included]
    if not found:
        at.wrong("this matrix leaves out every combination", "exclude fewer", at_key=True)
        return None
    return found


def _sensible(
    axes: Mapping[str, Any], included: Sequence[Any], excluded: Sequence[Any], at: At
) -> bool:
    """Whether what is included and excluded names values of the matrix; says so where not."""
    good = True
    for index, chosen in enumerate(included):
        for name in axes.keys() - chosen.keys():
            (at / "include" / index).wrong(
                f"`{name}` is missing here", "an included combination has every name", at_key=True
            )
            good = False
    for special, several in (("include", included), ("exclude", excluded)):
        for index, chosen in enumerate(several):
            for name in chosen.keys() - axes.keys():
                (at / special / index / name).unknown(name, list(axes), "a name of this matrix")
                good = False
    for index, chosen in enumerate(excluded):
        for name in axes.keys() & chosen.keys():
            known = [_shown(each) for each in axes[name]]
            if _shown(chosen[name]) not in known:
                what = f"one of the values of `{name}`"
                (at / "exclude" / index / name).unknown(_shown(chosen[name]), known, what)
                good = False
    return good


def _has(combination: Combination, chosen: Mapping[str, Any]) -> bool:
    return all(_shown(combination[name]) == _shown(value) for name, value in chosen.items())


def _shown(value: Any) -> str:
    """What a value is called: itself, or a mapping's id."""
    if isinstance(value, dict):
        return str(value["id"])
    return str(value).lower() if isinstance(value, bool) else str(value)


def id_of(base: str, combination: Combination) -> str:
    """The id of one combination's probe: ``shop-page-fi-home``."""
    return "-".join([base, *filter(None, map(id_part, map(_shown, combination.values())))])


def id_part(text: str) -> str:
    """A text as part of an id; empty when nothing of it may be in one."""
    return _OUTSIDE_IDS.sub("-", text.lower()).strip("-")


def types_of(found: Sequence[Combination]) -> Mapping[str, Any]:
    """What each name of a matrix is, for expressions: its values' type, or ``dyn``."""
    seen: dict[str, set[type]] = {}
    for combination in found:
        for name, value in combination.items():
            seen.setdefault(name, set()).add(type(value))
    return dict(_typed(seen))


def _typed(seen: Mapping[str, set[type]]) -> Iterator[tuple[str, str]]:
    for name, types in seen.items():
        yield name, _TYPES[next(iter(types))] if len(types) == 1 else "dyn"
