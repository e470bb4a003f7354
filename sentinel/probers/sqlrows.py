"""What the database drivers of the kind `sql` are asked, and what they answer."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal

MOST_ROWS = 1000
MOST_BYTES = 64 * 1024
"""Of all rows together, roughly as JSON."""
MOST_TEXT = 16 * 1024
"""Characters of one value."""
MOST_COLUMNS = 100
MARGIN_S = 0.05
"""How long before the deadline the server stops by itself, so that it is heard saying so."""

Tls = Literal["off", "prefer", "require", "verify"]


@dataclass(frozen=True, slots=True)
class Asked:
    """One query to one database, credentials revealed. `deadline` is on the monotonic clock."""

    database: str
    query: str
    deadline: float
    host: str = ""
    port: int = 0
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    tls: Tls = "prefer"
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""


@dataclass(slots=True)
class Answered:
    """How it went; a driver fills it in as it comes along. `reason` is ``""`` when the rows are
    whole, or `truncated` at the limits."""

    reason: str = ""
    text: str = ""
    network: bool = False
    ours: bool = False
    address: str = ""
    encrypted: bool = False
    phases: dict[str, float] = field(default_factory=dict)
    rows: list[Mapping[str, Any]] = field(default_factory=list)
    truncated: bool = False
    code: str = ""
    """The database's own code: SQLSTATE, or a number."""
    _size: int = 0

    def take(self, columns: Sequence[str], values: Sequence[Any]) -> bool:
        """Keep a row; False when there is no room for it. Of columns alike the first counts."""
        row: dict[str, Any] = {}
        for name, value in zip(columns[:MOST_COLUMNS], values, strict=False):
            row.setdefault(name, plain(value))
        self._size += sum(len(name) + len(str(value)) + 6 for name, value in row.items())
        if len(self.rows) >= MOST_ROWS or self._size > MOST_BYTES:
            self.truncated = True
            return False
        self.rows.append(row)
        return True


def plain(value: Any) -> Any:
    """A database's value as expressions and samples take it: numbers, truth, text or null.

    Exact numbers become whole ones where they are; times are ISO 8601 text, spans seconds; what
    holds more values (arrays, JSON) is its text.
    """
    match value:
        case None | bool():
            return value
        case int():
            return value if -(2**63) <= value < 2**63 else float(value)
        case float():
            return value
        case Decimal():
            if not value.is_finite():
                return math.nan if value.is_nan() else math.copysign(math.inf, value)
            whole = value == value.to_integral_value() and abs(value) < 2**63
            return int(value) if whole else float(value)
        case timedelta():
            return value.total_seconds()
        case datetime() | date() | time():
            return value.isoformat()
        case bytes() | bytearray() | memoryview():
            return bytes(value)[:MOST_TEXT].decode("utf-8", "replace")
        case _:
            return str(value)[:MOST_TEXT]
