"""Who muted an alert: a silence, a maintenance, a dependency. The values, and the decision.

A muted alert opens no incident and starts no playbook; it is recorded, shown and measured.
When the mute ends and the alert still fires, it is new at that moment.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sentinel.labels import Matchers, matches
from sentinel.localtime import cron_before
from sentinel.monitor.verdict import Verdict, VerdictState
from sentinel.words import Labels, Place, Seconds, Span

MOST_OCCURRENCES = 10_000
_LEAST = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Silence:
    """A person mutes by matchers from `from_at` until `to_at` (half-open, UTC)."""

    id: str
    matchers: Matchers
    from_at: datetime
    to_at: datetime
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A declared window: `cron` in `timezone` names its starts, each lasts `lasts_s`.

    `automation_allowed` False pauses write steps not yet started on the same labels.
    """

    id: str
    matchers: Matchers
    cron: str
    timezone: str
    lasts_s: Seconds
    automation_allowed: bool = False
    reason: str = ""
    place: Place = Place("", 0, 0)


@dataclass(frozen=True, slots=True)
class Parent:
    """A probe that the alerting one depends on, as its locations stand together.

    `recovered_at` is when it last ended being pending or firing; `interval_s` is the *child's*
    ``every``: so long after the parent recovered the child has been looked at again.
    """

    probe: str
    sick: bool
    recovered_at: datetime | None
    interval_s: Seconds


def parent_of(probe: str, states: Iterable[VerdictState], interval_s: Seconds) -> Parent:
    """A parent from its verdicts: sick while any location is pending, firing or recovering."""
    all_states = tuple(states)
    return Parent(
        probe=probe,
        sick=any(state.fires or state.state is Verdict.pending for state in all_states),
        recovered_at=max((s.recovered_at for s in all_states if s.recovered_at), default=None),
        interval_s=interval_s,
    )


def muted_by(
    labels: Labels,
    now: datetime,
    silences: Iterable[Silence],
    maintenance: Iterable[Maintenance],
    parents: Iterable[Parent] = (),
) -> str:
    """What mutes an alert with these labels at `now`: ``silence/ID``, ``maintenance/ID``,
    ``dependency/PROBE``, the first that does in this order; ``""`` when nothing does."""
    for silence in silences:
        if silence.from_at <= now < silence.to_at and matches(silence.matchers, labels):
            return f"silence/{silence.id}"
    for window in maintenance:
        if matches(window.matchers, labels) and maintenance_active(window, now) is not None:
            return f"maintenance/{window.id}"
    for parent in parents:
        if _excuses(parent, now):
            return f"dependency/{parent.probe}"
    return ""


def _excuses(parent: Parent, now: datetime) -> bool:
    """A child still firing one interval after its parent recovered is ill by itself (rule 8)."""
    if parent.sick:
        return True
    if parent.recovered_at is None:
        return False
    return now < parent.recovered_at + timedelta(seconds=parent.interval_s)


def maintenance_active(window: Maintenance, now: datetime) -> Span | None:
    """The occurrence of the window that `now` lies in, half-open; None: it is not maintenance."""
    start = cron_before(window.cron, window.timezone, now)
    if start is None:
        return None
    span = Span(start, start + timedelta(seconds=window.lasts_s))
    return span if now in span else None


def occurrences(
    cron: str, timezone: str, lasts_s: Seconds, *, from_at: datetime, to_at: datetime
) -> tuple[Span, ...]:
    """A window's occurrences that touch [from_at, to_at), the newest first, at most 10,000: what
    `maintenance_active` answers for an instant, for a span. Raises ValueError as `cron_before`."""
    found: list[Span] = []
    lasts = timedelta(seconds=lasts_s)
    at = to_at - _LEAST
    for _ in range(MOST_OCCURRENCES):
        start = cron_before(cron, timezone, at)
        if start is None or start + lasts <= from_at:
            break
        found.append(Span(start, start + lasts))
        at = start - _LEAST
    return tuple(found)


def automation_paused(labels: Labels, now: datetime, maintenance: Iterable[Maintenance]) -> str:
    """``maintenance/ID`` of the window that keeps write steps on these labels from starting now;
    ``""``: they may."""
    for window in maintenance:
        if (
            not window.automation_allowed
            and matches(window.matchers, labels)
            and maintenance_active(window, now) is not None
        ):
            return f"maintenance/{window.id}"
    return ""
