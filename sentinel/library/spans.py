"""The small notations of documents: spans, turns, counts, clock times, days of the week.

Each reader takes text that the schema's pattern has admitted, and raises ValueError with a
sentence that says what would be right where a pattern cannot tell.
"""

import re
from datetime import date, datetime, time, timedelta

from sentinel.oncall.rotation import Turn, TurnUnit
from sentinel.words import Seconds

_LENGTH = r"([0-9]{1,9}(\.[0-9]{1,9})?(ms|s|m)|[0-9]{1,5}(\.[0-9]{1,9})?(h|d|w)"
"""As many digits as make any span, added to any time of ours, a time: 2,000 years at most."""
SPAN = rf"^{_LENGTH}|[0-9]{{1,3}}(\.[0-9]{{1,9}})?y)$"
COUNT = r"^[0-9]{1,2} of [0-9]{1,2}$"
RUNS = rf"^[0-9]{{1,6}} in {_LENGTH})$"
TURN = r"^[1-9][0-9]{0,3}(h|d|w|mo)$"
CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$"
_DAY = "(19[7-9][0-9]|2[0-9]{3})-[0-9]{2}-[0-9]{2}"
DATE = rf"^{_DAY}$"
WALL = rf"^{_DAY}([ T][0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}})?)?$"
DAYS = r"^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)(-(Mon|Tue|Wed|Thu|Fri|Sat|Sun))?$"

_UNITS_S = {
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
    "y": 365 * 86400.0,
}
_SPLIT = re.compile(r"([0-9.]+)([a-z]+)\Z")
_TURN_UNITS = {"h": TurnUnit.hour, "d": TurnUnit.day, "w": TurnUnit.week, "mo": TurnUnit.month}
_DAY_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def seconds(text: str) -> Seconds:
    """``500ms``, ``10s``, ``5m``, ``2h``, ``1d``, ``1w``, ``2y`` (of 365 days) in seconds."""
    found = _SPLIT.match(text)
    if found is None or found.group(2) not in _UNITS_S:
        raise ValueError(f"`{text}` is not a span of time, write it like 500ms, 10s, 5m, 2h or 1d")
    return Seconds(float(found.group(1)) * _UNITS_S[found.group(2)])


def count_of(text: str) -> tuple[int, int]:
    """``3 of 5`` as (3, 5)."""
    some, _, of = text.partition(" of ")
    return int(some), int(of)


def runs_in(text: str) -> tuple[int, Seconds]:
    """``3 in 24h`` as (3, 86400 s)."""
    count, _, span = text.partition(" in ")
    return int(count), seconds(span)


def turn(text: str, *, active_days: bool) -> Turn:
    """``1w``, ``12h``, ``3d``, ``1mo``."""
    unit = "mo" if text.endswith("mo") else text[-1]
    return Turn(int(text[: -len(unit)]), _TURN_UNITS[unit], active_days)


def clock(text: str) -> time:
    """``08:00``; ``24:00`` is the midnight at the day's end, which a window ends on as 00:00."""
    return time.fromisoformat("00:00" if text == "24:00" else text)


def day(text: str) -> date:
    """``2026-12-24``. Raises ValueError for a day that does not exist."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"the day `{text}` does not exist, write it as YYYY-MM-DD") from None


def wall(text: str) -> datetime:
    """``2026-01-05 09:00`` or a date (its midnight), as a naive wall clock."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f'the time `{text}` does not exist, write it as "YYYY-MM-DD HH:MM"'
        ) from None


def days(text: str) -> frozenset[int]:
    """``Mon-Fri`` or ``Sat``, 0 = Monday; ``Sat-Mon`` goes over the week's end."""
    first, _, last = text.partition("-")
    start = _DAY_NAMES.index(first)
    count = (_DAY_NAMES.index(last or first) - start) % 7 + 1
    return frozenset((start + step) % 7 for step in range(count))


def written(span_s: float) -> str:
    """A span as people would write it, for messages."""
    for unit in ("w", "d", "h", "m", "s"):
        size = _UNITS_S[unit]
        if span_s >= size and span_s % size == 0:
            return f"{int(span_s / size)}{unit}"
    return f"{timedelta(seconds=span_s).total_seconds():g}s"
