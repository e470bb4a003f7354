"""Local time, and the one wrapper around croniter. Everything else in Sentinel is UTC."""

from datetime import datetime


def resolve(wall: datetime, timezone: str) -> datetime:
    """The UTC instant of a naive wall clock: its first occurrence, or the first instant after a gap."""
    raise NotImplementedError


def cron_after(cron: str, timezone: str, after: datetime) -> datetime | None:
    """The first firing strictly after `after` (aware UTC), as aware UTC; None: never."""
    raise NotImplementedError


def cron_before(cron: str, timezone: str, at: datetime) -> datetime | None:
    """The last firing at or before `at`; None: none within four years."""
    raise NotImplementedError
