"""Reads that web, CLI and reports share: pure functions over a `View`.

Use them inside ``journal.view``: ``await journal.view(partial(availability, probe="acme-home",
from_at=…, to_at=…))``. Instants are aware UTC, spans half-open.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sentinel.monitor.probe import CheckResult
from sentinel.store import rollups
from sentinel.store.journal import IncidentRow, PresentAlert, ProbeState, View, Work, WorkKind
from sentinel.store.rollups import BUCKET, Gathering, Rollup, Summary
from sentinel.timeline.facts import Recorded
from sentinel.words import Outcome

MAX_RESULTS = 20_000
"""The most results that one bucket's worth of reading takes in."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class IncidentDetail:
    """All of one incident: its row, its facts from the first, and the work that waits, by key."""

    row: IncidentRow
    facts: Sequence[Recorded]
    work: Sequence[Work]


@dataclass(frozen=True, slots=True)
class ProbeLine:
    """A probe as lists show it: its states by location, and its alerts that are present."""

    probe: str
    states: Sequence[ProbeState]
    alerts: Sequence[PresentAlert]


@dataclass(frozen=True, slots=True)
class Availability:
    """`good` of `total` checks found the service usable (ok or warn); `unknown` ones, which say
    nothing of the service, are counted apart."""

    good: int
    total: int
    unknown: int

    @property
    def ratio(self) -> float | None:
        """Good by total, 0 to 1; None when nothing is known."""
        return self.good / self.total if self.total else None


@dataclass(frozen=True, slots=True)
class Backlog:
    """Work rows of a kind: `waiting` may be taken now (since `oldest_at`), `held` are under a
    lease, `coming` are due later, `standing` are never due."""

    waiting: int = 0
    held: int = 0
    coming: int = 0
    standing: int = 0
    oldest_at: datetime | None = None


def incident_detail(view: View, incident: str) -> IncidentDetail | None:
    """One incident; None when there is none of this id."""
    row = view.incident(incident)
    if row is None:
        return None
    return IncidentDetail(row, view.read(f"incident/{incident}"), view.work_of(incident))


def open_incidents(view: View, limit: int = 1000) -> Sequence[IncidentRow]:
    """Incidents that are triggered, acknowledged or mitigated, the worst first, then the newest."""
    rows = view.incidents(status=("triggered", "acknowledged", "mitigated"), limit=limit)
    return sorted(rows, key=lambda row: (-row.severity, -row.opened_at.timestamp(), row.incident))


def probe_lines(view: View) -> Sequence[ProbeLine]:
    """Every probe that was ever checked, by id."""
    states: dict[str, list[ProbeState]] = {}
    for state in view.probe_states():
        states.setdefault(state.probe, []).append(state)
    alerts: dict[str, list[PresentAlert]] = {}
    for alert in view.alerts():
        alerts.setdefault(alert.probe, []).append(alert)
    return [ProbeLine(probe, states[probe], alerts.get(probe, ())) for probe in sorted(states)]


def muted_alerts(view: View) -> Sequence[PresentAlert]:
    """Alerts that are present and belong to no incident because something mutes them."""
    return [alert for alert in view.alerts() if alert.muted_by]


def backlog(view: View, now: datetime) -> Mapping[WorkKind, Backlog]:
    """How much work there is, by kind; every kind is there."""
    return {kind: _backlog(view.works(kind), now) for kind in WorkKind}


def _backlog(works: Sequence[Work], now: datetime) -> Backlog:
    due = [(work, work.due_at) for work in works if work.due_at is not None]
    held = [work for work, _ in due if _is_held(work, now)]
    waiting = [due_at for work, due_at in due if due_at <= now and not _is_held(work, now)]
    return Backlog(
        waiting=len(waiting),
        held=len(held),
        coming=len(due) - len(held) - len(waiting),
        standing=len(works) - len(due),
        oldest_at=min(waiting, default=None),
    )


def _is_held(work: Work, now: datetime) -> bool:
    return bool(work.owner) and (work.lease_until_at is None or work.lease_until_at > now)


def history(view: View, probe: str, *, from_at: datetime, to_at: datetime) -> Sequence[Rollup]:
    """A probe's results due in [from_at, to_at) as five-minute rollups, oldest first, by location.

    Whole buckets come from stored rollups; the first and last, when the span cuts them, and
    those not rolled up yet are gathered from the results themselves.
    """
    unrolled = set(view.unrolled())
    rolled = [
        rollup
        for rollup in view.rollups(probe, from_at, to_at)
        if rollup.bucket_at + BUCKET <= to_at and rollup.bucket_at not in unrolled
    ]
    fresh = [
        rollup
        for start, end in _pieces(from_at, to_at, unrolled)
        for rollup in _gathered(probe, view.results(probe, start, end, limit=MAX_RESULTS))
    ]
    return sorted([*rolled, *fresh], key=lambda one: (one.bucket_at, one.location))


def summary(
    view: View, probe: str, *, from_at: datetime, to_at: datetime, location: str | None = None
) -> Summary:
    """What a probe's results due in [from_at, to_at) come to, at one location or all."""
    return rollups.merge(
        rollup.summary
        for rollup in history(view, probe, from_at=from_at, to_at=to_at)
        if location in (None, rollup.location)
    )


def availability(
    view: View, probe: str, *, from_at: datetime, to_at: datetime, location: str | None = None
) -> Availability:
    """How many of a probe's checks due in [from_at, to_at) were good, at one location or all.

    Pieces of a bucket that the span cuts are counted only while their results are kept
    (14 days unless the site says otherwise).
    """
    outcomes = summary(view, probe, from_at=from_at, to_at=to_at, location=location).outcomes
    good = outcomes.get(Outcome.ok, 0) + outcomes.get(Outcome.warn, 0)
    return Availability(
        good, good + outcomes.get(Outcome.failed, 0), outcomes.get(Outcome.unknown, 0)
    )


def _pieces(
    from_at: datetime, to_at: datetime, unrolled: set[datetime]
) -> Iterator[tuple[datetime, datetime]]:
    """The pieces of a span, each inside one bucket, that no stored rollup stands for."""
    cut = {_bucket_at(from_at), _bucket_at(to_at)}
    for bucket_at in sorted(cut | unrolled):
        start, end = max(bucket_at, from_at), min(bucket_at + BUCKET, to_at)
        whole = end - start == BUCKET
        if start < end and (not whole or bucket_at in unrolled):
            yield start, end


def _bucket_at(at: datetime) -> datetime:
    return at - (at - _EPOCH) % BUCKET


def _gathered(probe: str, results: Sequence[CheckResult]) -> list[Rollup]:
    gathered: dict[tuple[str, datetime], Gathering] = {}
    for result in results:
        place = (result.location, _bucket_at(result.due_at))
        gathered.setdefault(place, Gathering()).add(result)
    return [
        Rollup(probe, location, bucket_at, gathering.summary())
        for (location, bucket_at), gathering in gathered.items()
    ]


def latest_results(
    view: View, probe: str, *, now: datetime, limit: int = 50, within: timedelta = timedelta(days=1)
) -> Sequence[CheckResult]:
    """A probe's newest results of the last `within`, newest first, all locations."""
    return view.results(probe, now - within, now + timedelta(seconds=1), limit=limit)
