"""Local time, and the one wrapper around croniter. Everything else in Sentinel is UTC.

Two rules mend croniter's clock changes, so that a schedule fires as Debian's cron would:

1. where minute or hour begins with ``*``, a firing whose wall clock does not match the
   fields (an artefact of the spring gap) is dropped;
2. otherwise the second pass of a repeated hour is dropped: a job at 01:30 runs once.

A fixed time inside a gap fires at the first instant after it.
"""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterError, croniter

MAX_CRON = 200
"""Characters of a cron expression: a list of thousands of items takes a tenth of a second to read."""
HORIZON = timedelta(days=4 * 366)
"""No cron expression with five fields that ever fires is silent for longer."""


@cache
def zone(timezone: str) -> ZoneInfo:
    """The IANA time zone of this name. Raises ValueError."""
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as unknown:
        raise ValueError(f"there is no time zone `{timezone}`") from unknown


def check_cron(cron: str) -> None:
    """Raises ValueError for what is not five fields that fire some day."""
    if len(cron) > MAX_CRON:
        raise ValueError(f"a cron expression has at most {MAX_CRON} characters")
    if len(cron.split()) != 5:
        raise ValueError("a cron expression has five fields: minute hour day month weekday")
    try:
        croniter(cron, datetime(2026, 1, 1, tzinfo=UTC)).get_next(datetime)
    except (CroniterError, ValueError, KeyError) as wrong:
        raise ValueError(f"`{cron}` is no cron expression: {wrong}") from wrong


def wall(at: datetime, timezone: str) -> datetime:
    """An instant as an aware local time."""
    return at.astimezone(zone(timezone))


def local_date(at: datetime, timezone: str) -> date:
    """The local date of an instant."""
    return wall(at, timezone).date()


def resolve(wall: datetime, timezone: str) -> datetime:
    """The UTC instant of a naive wall clock: its first occurrence, or the first instant after a gap."""
    there = zone(timezone)
    at = wall.replace(tzinfo=there, fold=0).astimezone(UTC)
    if at.astimezone(there).replace(tzinfo=None) == wall:
        return at
    return _gap_end(wall, there)


def _gap_end(wall: datetime, there: ZoneInfo) -> datetime:
    """The instant at which the clock jumps over this wall time, by bisection to the second."""
    low = wall.replace(tzinfo=there, fold=1).astimezone(UTC) - timedelta(hours=3)
    high = low + timedelta(hours=6)
    before = low.astimezone(there).utcoffset()
    for _ in range(64):
        if high - low <= timedelta(seconds=1):
            break
        middle = low + (high - low) / 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(there).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def cron_after(cron: str, timezone: str, after: datetime) -> datetime | None:
    """The first firing strictly after `after` (aware UTC), as aware UTC; None: none in four years."""
    return _walk(cron, timezone, after, forward=True)


def cron_before(cron: str, timezone: str, at: datetime) -> datetime | None:
    """The last firing at or before `at` (aware UTC), as aware UTC; None: none in four years."""
    return _walk(cron, timezone, at + timedelta(microseconds=1), forward=False)


def _walk(cron: str, timezone: str, start: datetime, *, forward: bool) -> datetime | None:
    there = zone(timezone)
    steps = croniter(cron, start.astimezone(there))
    minute, hour = cron.split()[:2]
    free = minute.startswith("*") or hour.startswith("*")
    for _ in range(1000):
        try:
            local = steps.get_next(datetime) if forward else steps.get_prev(datetime)
        except CroniterError:
            return None
        at = local.astimezone(UTC)
        if abs(at - start) > HORIZON:
            return None
        beyond = at > start if forward else at < start
        if beyond and _counts(cron, local.astimezone(there), there, free=free):
            return at
    return None


def _counts(cron: str, local: datetime, there: ZoneInfo, *, free: bool) -> bool:
    if free:
        return bool(croniter.match(cron, local.replace(tzinfo=None)))
    first = local.replace(fold=0).astimezone(UTC)
    return local.fold == 0 or first == local.astimezone(UTC)
