"""One declaration, many probes: templates are laid under it, and a matrix multiplies it.

Done before any shape is checked: what comes out is checked as if it had been written by hand,
and a problem of any of it is said once, at the line of the declaration or of the template.
"""

from collections.abc import Iterator
from typing import Any

from sentinel.library import pieces
from sentinel.library.declared import Declared, note
from sentinel.library.discovery import DISCOVER
from sentinel.library.filling import Filling, Unfilled, filled
from sentinel.library.layering import Templates
from sentinel.library.matrices import MATRIX, combinations, id_of, id_part, types_of
from sentinel.library.reading import REFERENCE, At, Reading, Scope
from sentinel.library.shape import Schema, Shape

USE: Schema = {
    "type": ["string", "array"],
    "pattern": REFERENCE,
    "errorMessage": "not a reference to a template, write template/…",
    "items": pieces.reference("A template", "template/storefront"),
    "maxItems": 20,
    "description": "Templates that are laid under this document, the last one on top",
    "examples": ["template/storefront", ["template/storefront", "template/slow"]],
}
DISCOVERIES = "discoveries"
"""Where `widened` puts probes with ``discover:``, which come to others only while a node runs."""

_SHAPES = {"use": Shape(USE), "matrix": Shape(MATRIX), "discover": Shape(DISCOVER)}
_MATRIX = "matrix"
_DISCOVER = "discover"


def widened(documents: dict[str, list[Declared]], reading: Reading) -> dict[str, list[Declared]]:
    """The documents with every probe laid over its templates and multiplied by its matrix; the ids
    of what comes out are declared in the place of the declaration's."""
    templates = Templates(documents.get("templates", ()), reading)
    found = [
        each
        for declared in documents.get("probes", ())
        for each in _one(declared, templates, reading)
    ]
    return {
        **documents,
        "probes": [each for each in found if _DISCOVER not in each.body],
        DISCOVERIES: [each for each in found if _DISCOVER in each.body],
    }


def _one(declared: Declared, templates: Templates, reading: Reading) -> Iterator[Declared]:
    if not declared.body.keys() & _SHAPES.keys():
        yield declared
        return
    laid = _laid(declared, templates)
    if laid is None:
        reading.open_ids.add(declared.id)
        return
    if _DISCOVER in laid.body:
        yield from _opened(laid, reading)
    elif _MATRIX in laid.body:
        yield from _multiplied(laid, reading)
    else:
        yield laid


def _opened(declared: Declared, reading: Reading) -> Iterator[Declared]:
    """A probe with ``discover:``: what it comes to is not known yet, only how ids begin."""
    reading.declared["probes"].pop(declared.id, None)
    reading.open_ids.add(declared.id)
    if _MATRIX in declared.body:
        (declared.at / _MATRIX).wrong(
            "`matrix:` and `discover:` are both given", "keep one of them", at_key=True
        )
        return
    yield declared


def _laid(declared: Declared, templates: Templates) -> Declared | None:
    """The probe over its templates; None, and said, when there is no telling what it would be."""
    if "use" not in declared.body:
        return declared if _well_formed(declared, _MATRIX, _DISCOVER) else None
    if not _well_formed(declared, "use"):
        return None
    layer = templates.laid_under(declared)
    if layer is None:
        return None
    laid = _with(declared, declared.id, layer.body, layer.at)
    return laid if _well_formed(laid, _MATRIX, _DISCOVER) else None


def _well_formed(declared: Declared, *keys: str) -> bool:
    good = True
    for key in keys:
        if key in declared.body:
            misshapes = _SHAPES[key].misshapes(declared.body[key])
            note(misshapes, declared.at / key)
            good = good and not misshapes
    return good


def _with(declared: Declared, id: str, body: Any, at: At) -> Declared:
    return Declared(declared.kind, id, body, body, at, declared.place)


def _multiplied(declared: Declared, reading: Reading) -> Iterator[Declared]:
    """A probe for each combination of the matrix; one that cannot be made is left out, and said."""
    at = declared.at / _MATRIX
    found = combinations(declared.body[_MATRIX], at)
    known = reading.declared["probes"]
    known.pop(declared.id, None)
    if found is None:
        reading.open_ids.add(declared.id)
        return
    body = {key: each for key, each in declared.body.items() if key != _MATRIX}
    scope = Scope({_MATRIX: types_of(found)})
    for combination in found:
        name = id_of(declared.id, combination)
        if not _nameable(combination, at) or not _new(name, declared, reading):
            continue
        known[name] = declared.place
        try:
            own = filled(body, declared.at, Filling(_MATRIX, scope, combination))
        except Unfilled:
            continue
        yield _with(declared, name, own, declared.at)


def _nameable(combination: Any, at: At) -> bool:
    for name, value in combination.items():
        shown = value["id"] if isinstance(value, dict) else str(value)
        if not id_part(shown):
            at_name = at / name
            at_name.wrong(
                f"`{shown}` has nothing in it that could be part of an id",
                "write a mapping with an `id`: {id: fi, …}",
            )
            return False
    return True


def _new(name: str, declared: Declared, reading: Reading) -> bool:
    first = reading.declared["probes"].get(name)
    if first is None:
        return True
    twice = first == declared.place
    (declared.at / _MATRIX).wrong(
        f"two combinations of this matrix are called `{name}`"
        if twice
        else f"`{name}`, which comes of this matrix, is declared a second time",
        "give one of the values a mapping with an `id` of its own"
        if twice
        else f"the first is at {first}",
        at_key=True,
    )
    return False
