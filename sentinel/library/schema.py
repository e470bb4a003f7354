"""The JSON Schema of every kind of document: the contract, for us, for editors and for the docs.

Draft-07, with descriptions and examples. The parts of prober and action kinds are made from
their dataclasses (``fields``), so a new kind is in every schema the day it is installed.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from sentinel.library import directory, people, pieces, playbooks, probes, rotations, site
from sentinel.library.loosening import loosened
from sentinel.library.reading import InstalledKinds, Lookup
from sentinel.library.shape import Schema

DRAFT = "http://json-schema.org/draft-07/schema#"
SINGLETONS = frozenset({"site", "defaults"})
"""Kinds without ids: one site in a workspace, one ``defaults:`` in a file."""

_FIXED: Mapping[str, Schema] = {
    "people": people.SCHEMA,
    "rotations": rotations.ROTATION,
    "escalations": rotations.ESCALATION,
    "site": site.SITE,
    "clients": directory.CLIENT,
    "locations": directory.LOCATION,
    "vendors": directory.VENDOR,
    "maintenance": site.MAINTENANCE,
    "calendars": directory.CALENDAR,
    "teams": directory.TEAM,
    "users": directory.USER,
}
_MADE: Mapping[str, Callable[[Lookup, Collection[str] | None], Schema]] = {
    "probes": probes.schema,
    "templates": lambda lookup, used: {
        **loosened(probes.schema(lookup, used)),
        "description": "A part of probes that `use:` it: any of their keys",
    },
    "playbooks": playbooks.schema,
}
KINDS: tuple[str, ...] = (*_MADE, *_FIXED, "defaults")
"""Every kind of document, in the order in which people meet them."""

DEFAULTED = ("probes", "playbooks", "people", "rotations", "escalations", "maintenance")
"""Kinds whose shared keys may stand under ``defaults:``."""


def document_schema(
    kind: str, lookup: Lookup | None = None, *, used: Collection[str] | None = None
) -> Schema:
    """The schema of one document of a kind. `used` limits whose code is loaded (None: every
    installed kind's). Raises KeyError for an unknown kind."""
    lookup = lookup or InstalledKinds()
    if kind == "defaults":
        return _defaults(lookup)
    if kind in _MADE:
        return _MADE[kind](lookup, used)
    return _FIXED[kind]


def _defaults(lookup: Lookup) -> Schema:
    shared: dict[str, Any] = {}
    for kind in DEFAULTED:
        declared = document_schema(kind, lookup, used=())
        probers = lookup.names("probers") if kind == "probes" else ()
        own = probes.OWN_KEYS if kind == "probes" else ()
        keys = {
            key: each
            for key, each in declared["properties"].items()
            if key not in declared["required"] and key not in (*probers, *own)
        }
        shared[kind] = pieces.entry(
            keys, f"What every one of this file's {kind} has unless it says so"
        )
    return pieces.entry(shared, "Keys that the documents of this file share")


def file_schema(lookup: Lookup | None = None) -> Schema:
    """The schema of a whole file: kind to id to document. What editors need."""
    lookup = lookup or InstalledKinds()
    properties: dict[str, Any] = {}
    for kind in KINDS:
        declared = _for_editors(kind, lookup)
        if kind in SINGLETONS:
            properties[kind] = declared
        else:
            properties[kind] = pieces.mapped(
                declared, str(declared["description"]), propertyNames=pieces.ID_NAMES
            )
    return {
        "$schema": DRAFT,
        "title": "A Sentinel file: kind, id, document",
        **pieces.entry(properties, "Documents of any kinds"),
    }


def printed_schema(kind: str, lookup: Lookup | None = None) -> Schema:
    """What ``sentinel schema KIND`` prints; ``file`` is the schema of a whole file."""
    lookup = lookup or InstalledKinds()
    if kind == "file":
        return file_schema(lookup)
    return {"$schema": DRAFT, "title": f"sentinel {kind}", **_for_editors(kind, lookup)}


def _for_editors(kind: str, lookup: Lookup) -> Schema:
    """A probe as it is written, before templates and matrices have made it whole."""
    declared = document_schema(kind, lookup)
    return loosened(declared) if kind == "probes" else declared
