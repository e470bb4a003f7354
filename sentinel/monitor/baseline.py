"""What is normal for a number, learnt from good checks alone, and whether content came in time.

A kind that wants a baseline keeps it as its ``Observation.keep``: the watcher stores that only
when the check is good, so a baseline never learns from a failing one (rule 7). The bytes are
small: one value a local day, five weeks of them.

A deadline is met by content that *changed*, not by a fresh timestamp: `changed_at` is when a
check first saw content whose digest is not the last one's.
"""

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median

from sentinel.localtime import cron_after, cron_before, local_date
from sentinel.monitor.probe import Deadline
from sentinel.monitor.verdict import instant, microseconds

DAYS_KEPT = 35
FEWEST_WEEKDAYS = 3
"""Earlier days of the same weekday that a median needs before it says anything."""

MOST_SKIPPED = 400
"""Due times in a row that may be skipped: more than a year of them means never due."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What good checks taught. `value` is the last good one, `days` the last good one of each
    local day, oldest first; `digest` names the content and `changed_at` when it was first seen."""

    value: float | None = None
    days: tuple[tuple[date, float], ...] = ()
    digest: str = ""
    changed_at: datetime | None = None

    def to_bytes(self) -> bytes:
        """To be kept; at most some 2 KiB."""
        stored = {
            "value": self.value,
            "days": [[day.isoformat(), value] for day, value in self.days],
            "digest": self.digest,
            "changed_at": microseconds(self.changed_at),
        }
        return json.dumps(stored, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, kept: bytes | None) -> "Baseline":
        """What `to_bytes` gave; None: nothing learnt yet. Raises ValueError for other bytes."""
        if kept is None:
            return cls()
        try:
            stored = json.loads(kept)
            return cls(
                value=stored.get("value"),
                days=tuple((date.fromisoformat(day), float(v)) for day, v in stored["days"]),
                digest=stored.get("digest", ""),
                changed_at=instant(stored.get("changed_at")),
            )
        except (ValueError, TypeError, KeyError, AttributeError) as wrong:
            raise ValueError("these bytes are no baseline") from wrong


def learn(
    baseline: Baseline, *, value: float, digest: str, now: datetime, timezone: str = "UTC"
) -> Baseline:
    """The baseline after a check that saw `value` in content of this digest; to be kept only if
    that check is good. The day is the local one of `timezone`."""
    today = local_date(now, timezone)
    earlier = [each for each in baseline.days if each[0] < today]
    return Baseline(
        value=value,
        days=(*earlier, (today, value))[-DAYS_KEPT:],
        digest=digest,
        changed_at=changed_at(baseline, digest=digest, now=now),
    )


def changed_at(baseline: Baseline, *, digest: str, now: datetime) -> datetime:
    """When the content of this digest was first seen: now, unless it is the baseline's own. The
    first content ever seen counts as changed, since nothing says that it is old."""
    if digest == baseline.digest and baseline.changed_at is not None:
        return baseline.changed_at
    return now


def change_ratio(baseline: Baseline, value: float) -> float:
    """Value over the last good one, minus one: -0.1 is a tenth less. 0.0 while there is no last
    good one, and when both are 0; growth from 0 counts as from 1."""
    if baseline.value is None or value == baseline.value:
        return 0.0
    return value / baseline.value - 1.0 if baseline.value else float(value)


def weekday_ratio(
    baseline: Baseline, value: float, *, now: datetime, timezone: str = "UTC"
) -> float:
    """Value over the median of the same weekday's earlier good values, minus one. 0.0 while there
    are fewer than 3 of them. For shops whose Sunday is never like their Monday."""
    today = local_date(now, timezone)
    same = [v for day, v in baseline.days if day < today and day.weekday() == today.weekday()]
    if len(same) < FEWEST_WEEKDAYS:
        return 0.0
    usual = median(same)
    return value / usual - 1.0 if usual else float(value)


@dataclass(frozen=True, slots=True)
class Due:
    """How content stands to its deadline. `due_at` is the last due time whose grace is over,
    `overdue` whether content has not changed since, `late_s` by how long that is after the grace.
    `next_due_at` is the due time that counts next, perhaps in its grace already."""

    due_at: datetime | None
    overdue: bool
    late_s: float
    next_due_at: datetime | None


def deadline_state(deadline: Deadline, *, now: datetime, changed_at: datetime) -> Due:
    """Whether content is overdue: it must have changed at or after each due time, before due +
    grace. Due times on a local date of `skip` ask for nothing."""
    grace = timedelta(seconds=deadline.grace_s)
    due = _last_due(deadline, now - grace)
    after = _next_due(deadline, now - grace)
    if due is None or changed_at >= due:
        return Due(due, overdue=False, late_s=0.0, next_due_at=after)
    late = (now - due - grace).total_seconds()
    return Due(due, overdue=True, late_s=late, next_due_at=after)


def _last_due(deadline: Deadline, at: datetime) -> datetime | None:
    for _ in range(MOST_SKIPPED):
        due = cron_before(deadline.cron, deadline.timezone, at)
        if due is None or not _skipped(deadline, due):
            return due
        at = due - timedelta(microseconds=1)
    return None


def _next_due(deadline: Deadline, at: datetime) -> datetime | None:
    for _ in range(MOST_SKIPPED):
        due = cron_after(deadline.cron, deadline.timezone, at)
        if due is None or not _skipped(deadline, due):
            return due
        at = due
    return None


def _skipped(deadline: Deadline, due: datetime) -> bool:
    return local_date(due, deadline.timezone).isoformat() in deadline.skip
