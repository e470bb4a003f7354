"""Schemas for what is not whole yet: a template, and a probe that a template or matrix completes.

Nothing is required but in the items of lists, which replace one another whole; any scalar may
be ``${…}``, which a matrix or what is discovered fills in; and ``null`` takes a template's key
away. Editors are given this schema; what comes of it is held against the strict one.
"""

import re
from collections.abc import Mapping
from typing import Any

from sentinel.library.fields import WHOLE_REFERENCE
from sentinel.library.shape import Schema

_LITERAL = frozenset({"use", "matrix", "discover"})
"""Keys that are read before anything is filled in."""


def loosened(declared: Schema) -> Schema:
    """The loose form of a document's schema."""
    loose = _loose(declared)
    properties = {
        name: declared["properties"][name] if name in _LITERAL else each
        for name, each in loose["properties"].items()
    }
    return {**loose, "properties": properties}


def _loose(declared: Schema) -> Schema:
    loose = {key: each for key, each in declared.items() if key != "required"}
    if "properties" in loose:
        loose["properties"] = {n: _or_null(_loose(e)) for n, e in loose["properties"].items()}
    for key in ("items", "additionalProperties"):
        inner = loose.get(key)
        if isinstance(inner, Mapping):
            required = inner.get("required") if key == "items" else None
            loose[key] = {**_loose(inner), **({"required": required} if required else {})}
    return _or_reference(loose)


def _or_null(loose: Schema) -> Schema:
    types = _types(loose)
    return {**loose, "type": [*types, "null"]} if types and "enum" not in loose else loose


def _or_reference(loose: dict[str, Any]) -> Schema:
    """Where a scalar of some kind belongs, ``${…}`` may stand."""
    if "enum" in loose:
        words = [str(each) for each in loose.pop("enum")]
        loose["type"] = "string"
        loose["pattern"] = f"^({'|'.join(map(re.escape, words))})$|{WHOLE_REFERENCE}"
        loose.setdefault("errorMessage", f"not one of {', '.join(words)}")
        return loose
    types = _types(loose)
    if {"integer", "number", "boolean"} & set(types) and "string" not in types:
        return loose | {"type": [*types, "string"], "pattern": WHOLE_REFERENCE}
    if "pattern" in loose:
        loose["pattern"] = f"{loose['pattern']}|{WHOLE_REFERENCE}"
    return loose


def _types(schema: Schema) -> list[str]:
    declared = schema.get("type", [])
    return [declared] if isinstance(declared, str) else list(declared)
