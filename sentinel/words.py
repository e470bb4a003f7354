"""The closed sets and small values that every room shares.

Severities are the words of PagerDuty's common event format, ordered, so that comparing
them as text (a known trap) cannot happen by accident.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Final, NewType

Labels = Mapping[str, str]
"""Label names to values. An empty value means the label is absent."""

Seconds = NewType("Seconds", float)
"""A span in seconds. In documents it is written ``500ms``, ``10s``, ``5m``, ``2h``, ``1d``, ``1w``."""

ID = re.compile(r"[a-z0-9-]+\Z")
"""What a document may be called."""

LOCAL_ID = re.compile(r"[a-z][a-z0-9_]*\Z")
"""What a step, an output or a capture may be called, so that expressions can name it."""

CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
"""Lower-case Crockford base32: incident ids take 8 characters of it, page codes 4."""


CUT = "…"
"""Ends a text that was cut."""


def shortened(text: str, most: int) -> str:
    """At most `most` characters of a text, and `CUT` after them where there were more. Texts that
    others gave are cut by this alone: by the mark, redaction knows where a secret may have been cut
    in two."""
    return text if len(text) <= most else f"{text[:most]}{CUT}"


class Severity(IntEnum):
    """How bad. Critical and error are high urgency, warning and info low."""

    info = 1
    warning = 2
    error = 3
    critical = 4

    @property
    def urgency(self) -> "Urgency":
        return Urgency.high if self >= Severity.error else Urgency.low


class Urgency(StrEnum):
    """Whether somebody may be woken."""

    high = "high"
    low = "low"


class Outcome(StrEnum):
    """What one check, or one attempt of a step, came to."""

    ok = "ok"
    warn = "warn"
    failed = "failed"
    unknown = "unknown"


OK: Final = Outcome.ok
"""For what runs at every check: CPython 3.11 takes as long to look a member up in its class as to call
a function."""


@dataclass(frozen=True, slots=True)
class Secret:
    """Text that holds secrets by reference: ``env:NAME`` or ``file:PATH`` as a whole, or
    ``{env:NAME}`` / ``{file:PATH}`` inside a URL.

    It never holds a secret's value; a shell reveals it at the sink. Its repr is ``***``
    so that no log, error or fact can show even the reference's surroundings.
    """

    template: str = field(repr=False)

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a document something was declared: a path relative to the workspace, line and
    column counted from 1."""

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open interval of instants, aware UTC: `from_at` belongs to it, `to_at` does not."""

    from_at: datetime
    to_at: datetime

    def __contains__(self, at: datetime) -> bool:
        return self.from_at <= at < self.to_at
