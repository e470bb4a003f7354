"""Local time, and the one wrapper around croniter. Everything else in Sentinel is UTC.

A wall clock is what a clock on the wall shows: a naive datetime. Once a year it skips (a gap)
and once it shows the same time twice (a repeat). Here, everywhere: **a wall clock means its
first occurrence, and inside a gap the first instant after it.**

Schedules fire as Debian's cron fires them. A job with a fixed minute and hour fires once for
each wall clock that it names, resolved as above: ``30 2 * * *`` at 03:00 on the night that has
no 02:30, ``30 1 * * *`` once on the night that has two. A job whose minute or hour begins with
``*`` is one of intervals: it fires whenever the wall clock matches, in both passes of a
repeated hour and never for a time that was skipped.

croniter is only ever shown naive times, where it has no clock changes to get wrong (with aware
ones it fires fixed jobs twice, and at times that are not in the expression). Fields are those
of croniter 7, five of them; `H` and `R`, which differ from run to run, are refused.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterBadDateError, CroniterError, croniter

MAX_CRON = 200
"""Characters of a cron expression: a list of thousands of items takes a tenth of a second to read."""
HORIZON = timedelta(days=4 * 366)
"""No cron expression with five fields that ever fires is silent for longer."""

_FIELDS = ("minute", "hour", "day", "month", "weekday")
_ANY_DAY = datetime(2026, 1, 1)
_LIMITS = (59, 23, 31, 12, 7)
_YEARS = range(1970, 3000)
_LONGEST_REPEAT = timedelta(hours=3)
"""Clocks have not been set back by more since the zones have rules."""
_SECOND, _MICROSECOND = timedelta(seconds=1), timedelta(microseconds=1)
_MAX_STEPS = 2000
"""Firings looked at for one answer: a repeat of three hours holds 180, and some to spare."""


@cache
def zone(timezone: str) -> ZoneInfo:
    """The IANA time zone of this name. Raises ValueError."""
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as unknown:
        raise ValueError(f"there is no time zone `{timezone}`") from unknown


def check_cron(cron: str) -> None:
    """Raises ValueError, saying what is wrong, for what is not five fields that fire some day."""
    _refuse_malformed(cron)
    try:
        croniter(cron, _ANY_DAY).get_next(datetime)
    except CroniterBadDateError as never:
        raise ValueError(f"`{cron}` never fires: there is no such day") from never


@lru_cache(maxsize=4096)
def _refuse_malformed(cron: str) -> None:
    if len(cron) > MAX_CRON:
        raise ValueError(f"a cron expression has at most {MAX_CRON} characters")
    fields = cron.split()
    if len(fields) != 5:
        raise ValueError("a cron expression has five fields: minute hour day month weekday")
    for name, field, limit in zip(_FIELDS, fields, _LIMITS, strict=True):
        _refuse_traps(name, field, limit)
    try:
        croniter(cron, _ANY_DAY)
    except (CroniterError, ValueError, KeyError) as wrong:
        raise ValueError(f"`{cron}` is no cron expression: {wrong}") from wrong


def _refuse_traps(name: str, field: str, limit: int) -> None:
    """What croniter reads as something that nobody means."""
    if re.search(r"(?<![A-Za-z])[HhRr](?![A-Za-z])", field):
        raise ValueError(f"{name}: `H` and `R` are not known here, write the number")
    if same := re.search(r"\b(\w+)-\1\b", field):
        raise ValueError(f"{name}: write `{same.group(1)}` for `{same.group()}`")
    for step in re.findall(r"/(\d+)", field):
        if not 1 <= int(step) <= limit:
            raise ValueError(f"{name}: a step is 1 to {limit}, not {step}")


def wall(at: datetime, timezone: str) -> datetime:
    """An instant as an aware local time."""
    return at.astimezone(zone(timezone))


def local_date(at: datetime, timezone: str) -> date:
    """The local date of an instant."""
    return wall(at, timezone).date()


def moment(text: str) -> datetime:
    """An instant or, without an offset, a wall clock, as ISO 8601 has them, from 1970 to 2999: times
    that any zone and any span of ours can be added to. Raises ValueError."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = datetime.min
    if at.year not in _YEARS:
        raise ValueError(f"`{text[:60]}` is not a time, write it like 2026-02-03T09:00Z")
    return at


def instant(text: str, timezone: str) -> datetime:
    """The UTC instant of such a text; without an offset a wall clock there. Raises ValueError."""
    at = moment(text)
    return at.astimezone(UTC) if at.tzinfo else resolve(at, timezone)


def resolve(wall: datetime, timezone: str) -> datetime:
    """The UTC instant of a naive wall clock: its first occurrence, or the first instant after a gap."""
    there = zone(timezone)
    at = wall.replace(tzinfo=there, fold=0).astimezone(UTC)
    return at if _shows(at, there) == wall else _gap_end(wall, there)


def _shows(at: datetime, there: ZoneInfo) -> datetime:
    return at.astimezone(there).replace(tzinfo=None, fold=0)


def _gap_end(wall: datetime, there: ZoneInfo) -> datetime:
    """The instant at which the clock jumps over this wall time, by bisection to the second.

    PEP 495: in a gap fold=1 counts with the offset after the change, which lies before it,
    and fold=0 with the one before, which lies after it.
    """
    whole = wall.replace(microsecond=0)
    low = whole.replace(tzinfo=there, fold=1).astimezone(UTC)
    high = whole.replace(tzinfo=there, fold=0).astimezone(UTC)
    before = low.astimezone(there).utcoffset()
    while high - low > _SECOND:
        middle = (low + (high - low) / 2).replace(microsecond=0)
        if middle.astimezone(there).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def cron_after(cron: str, timezone: str, after: datetime) -> datetime | None:
    """The first firing strictly after `after` (aware UTC), as aware UTC; None: none in four years.

    Raises ValueError for what is no cron expression, and for an unknown zone.
    """
    _refuse_malformed(cron)
    there = zone(timezone)
    start = _shows(after, there)
    repeats = _of_intervals(cron) and _changes(after, after + _LONGEST_REPEAT, there)
    best: datetime | None = None
    for shown in _firings(cron, start - _LONGEST_REPEAT if repeats else start, forward=True):
        if shown - start > HORIZON:
            break
        instants = _instants(cron, shown, timezone)
        if best is not None and (not instants or instants[0] >= best):
            break
        later = [at for at in instants if at > after and (best is None or at < best)]
        best = min(later, default=best)
        if best is not None and not repeats:
            break
    return best


def cron_before(cron: str, timezone: str, at: datetime) -> datetime | None:
    """The last firing at or before `at` (aware UTC), as aware UTC; None: none in four years.

    Raises ValueError for what is no cron expression, and for an unknown zone.
    """
    _refuse_malformed(cron)
    there = zone(timezone)
    start = _shows(at, there) + _MICROSECOND
    repeats = _changes(at - _LONGEST_REPEAT, at, there)
    best: datetime | None = None
    for shown in _firings(cron, start + _LONGEST_REPEAT if repeats else start, forward=False):
        if start - shown > HORIZON:
            break
        instants = _instants(cron, shown, timezone)
        if best is not None and (not instants or instants[-1] <= best):
            break
        sooner = [each for each in instants if each <= at and (best is None or each > best)]
        best = max(sooner, default=best)
        if best is not None and not repeats:
            break
    return best


def _changes(since: datetime, until: datetime, there: ZoneInfo) -> bool:
    return since.astimezone(there).utcoffset() != until.astimezone(there).utcoffset()


def _of_intervals(cron: str) -> bool:
    minute, hour = cron.split()[:2]
    return minute.startswith("*") or hour.startswith("*")


def _instants(cron: str, shown: datetime, timezone: str) -> list[datetime]:
    """When a wall clock that matches fires, in order."""
    if not _of_intervals(cron):
        return [resolve(shown, timezone)]
    there = zone(timezone)
    passes = {shown.replace(tzinfo=there, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(at for at in passes if _shows(at, there) == shown)


def _firings(cron: str, start: datetime, *, forward: bool) -> Iterator[datetime]:
    """The wall clocks that match, strictly after or before a wall clock; at most 2,000."""
    steps = croniter(cron, start)
    for _ in range(_MAX_STEPS):
        try:
            yield steps.get_next(datetime) if forward else steps.get_prev(datetime)
        except CroniterError:
            return
