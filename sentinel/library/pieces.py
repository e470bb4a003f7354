"""Pieces of schemas that many documents share, each with its sentence for a wrong value."""

from typing import Any

from sentinel.library import spans
from sentinel.library.reading import REFERENCE
from sentinel.library.shape import Schema
from sentinel.words import Severity

Piece = dict[str, Any]


def text(description: str, *examples: str, **more: Any) -> Piece:
    """Any text."""
    return {"type": "string", "description": description, "examples": list(examples), **more}


def number(description: str, *examples: float, **more: Any) -> Piece:
    return {"type": "number", "description": description, "examples": list(examples), **more}


def whole(description: str, *examples: int, **more: Any) -> Piece:
    return {"type": "integer", "description": description, "examples": list(examples), **more}


def switch(description: str) -> Piece:
    return {"type": "boolean", "description": description}


def _patterned(pattern: str, wrong: str, description: str, examples: tuple[str, ...]) -> Piece:
    return {
        "type": "string",
        "pattern": pattern,
        "errorMessage": wrong,
        "description": description,
        "examples": list(examples),
    }


def span(description: str, *examples: str) -> Piece:
    """A length of time."""
    wrong = "not a span of time, write it like 500ms, 10s, 5m, 2h, 1d or 1w"
    return _patterned(spans.SPAN, wrong, description, examples or ("30s",))


def identifier(description: str, *examples: str) -> Piece:
    """The id of a document."""
    wrong = "not an id, use lower-case letters, digits and hyphens"
    return _patterned("^[a-z0-9-]+$", wrong, description, examples)


def local_identifier(description: str, *examples: str) -> Piece:
    """The id of a step, an output or a capture."""
    wrong = (
        "not a name that expressions can use,"
        " begin with a lower-case letter and go on with letters, digits and _"
    )
    return _patterned("^[a-z][a-z0-9_]*$", wrong, description, examples)


def reference(description: str, *examples: str) -> Piece:
    wrong = "not a reference, write person/…, team/…, rotation/…, escalation/… or calendar/…"
    return _patterned(REFERENCE, wrong, description, examples)


def expression(description: str, *examples: str) -> Piece:
    return {
        "type": "string",
        "minLength": 1,
        "maxLength": 4096,
        "description": f"{description} (CEL, in single quotes)",
        "examples": list(examples),
        "x-expression": True,
    }


def secret(description: str, *examples: str) -> Piece:
    return text(
        f"{description}. A secret is written env:NAME or file:PATH, in a URL {{env:NAME}}",
        *examples,
        minLength=1,
    )


def timezone(description: str) -> Piece:
    return text(f"{description}, a name of the IANA database", "Europe/Helsinki", "UTC")


def cron(description: str, *examples: str) -> Piece:
    return text(f"{description}: minute hour day month weekday", *examples, maxLength=200)


def date(description: str, *examples: str) -> Piece:
    wrong = "not a date, write it like 2026-12-24"
    return _patterned(spans.DATE, wrong, description, examples or ("2026-12-24",))


def wall(description: str, *examples: str) -> Piece:
    wrong = 'not a local time, write it like "2026-01-05 09:00" or 2026-01-05'
    return _patterned(spans.WALL, wrong, description, examples or ("2026-01-05 09:00",))


def clock(description: str, *examples: str) -> Piece:
    wrong = 'not a time of day, write it like "08:00"'
    return _patterned(spans.CLOCK, wrong, description, examples)


def url(description: str, *examples: str) -> Piece:
    wrong = "not an address, begin it with https:// or http://"
    return _patterned(r"^https?://[^\s]+$", wrong, description, examples)


def one_of(description: str, *words: str) -> Piece:
    return {"type": "string", "enum": list(words), "description": description}


def severity(description: str) -> Piece:
    return one_of(description, *(each.name for each in sorted(Severity, reverse=True)))


def listed(item: Schema, description: str, **more: Any) -> Piece:
    return {"type": "array", "items": item, "description": description, **more}


def mapped(value: Schema, description: str, **more: Any) -> Piece:
    """A mapping of any keys."""
    return {"type": "object", "additionalProperties": value, "description": description, **more}


def entry(properties: Piece, description: str, *required: str, **more: Any) -> Piece:
    """A mapping of these keys and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
        "description": description,
        **more,
    }


ID_NAMES: Piece = {
    "pattern": "^[a-z0-9-]+$",
    "errorMessage": "not an id, use lower-case letters, digits and hyphens",
}
LOCAL_NAMES: Piece = {
    "pattern": "^[a-z][a-z0-9_]*$",
    "errorMessage": "not a name that expressions can use,"
    " begin with a lower-case letter and go on with letters, digits and _",
}
MATCHERS: Piece = mapped(
    {
        "type": ["string", "array"],
        "items": {"type": "string"},
        "description": "A value, a list of values, or ~ and a regular expression (RE2)",
    },
    "Labels that must match: {label: value | [values] | '~re2'}",
    minProperties=1,
    examples=[{"client": "acme", "service": ["storefront", "checkout"]}],
)
