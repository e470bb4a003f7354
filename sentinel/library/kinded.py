"""Documents and steps that name a kind: exactly one key of theirs does, and its value is the kind's.

No ``oneOf`` in any schema: every kind's key is an optional property, and the reader counts them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sentinel.errors import ExtraMissing
from sentinel.kinds import Family
from sentinel.library.fields import Building, form
from sentinel.library.reading import At, Lookup
from sentinel.library.shape import Schema, meant

Body = Mapping[str, Any]


def kind_properties(
    lookup: Lookup, family: Family, *, references: bool, used: Collection[str] | None = None
) -> dict[str, Schema]:
    """A schema for each installed kind's key. Of kinds that no document uses (`used`; None: all),
    the code is not even loaded."""
    properties: dict[str, Schema] = {}
    for name in lookup.names(family):
        properties[name] = {}
        if used is not None and name not in used:
            continue
        try:
            kind = lookup.find(family, name)
        except ExtraMissing:
            continue  # said where a document uses it
        properties[name] = form(kind, lookup, references=references).schema
    return properties


def only_kind(body: Body, known: Sequence[str], at: At, what: str) -> str | None:
    """The one key that names a kind; None, and said, when there is none or more than one."""
    given = [key for key in body if key in known]
    if len(given) == 1:
        return given[0]
    if given:
        names = " and ".join(f"`{each}`" for each in given)
        at.wrong(f"{what} has exactly one kind, not {names}", "make two of it", at_key=True)
    else:
        mistyped = any(meant(key, known).startswith("did") for key in body)
        if not mistyped:  # that one has been said with the unknown key
            at.wrong(f"{what} needs one key that names its kind", meant("", known), at_key=True)
    return None


def find_kind(lookup: Lookup, family: Family, name: str, at: At) -> Any:
    """The kind's class; None, and said at its key, when its package is not installed."""
    try:
        return lookup.find(family, name)
    except ExtraMissing as missing:
        (at / name).wrong(str(missing), at_key=True)
        return None


def build(kind: Any, value: Any, at: At, building: Building) -> Any:
    """The kind's value from its checked mapping; None, and said, when it cannot be made."""
    references = building.references is not None
    building = replace(building, step_names=getattr(kind, "STEP_NAMES", {}))
    return form(kind, at.reading.lookup, references=references).convert(value, at, building)
