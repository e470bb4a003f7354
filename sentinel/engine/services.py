"""A service whose objectives are kept: its probes, and what their checks came to for each of them.

Counted are the checks of every probe of the service at every location, from the store, so that it
is the same at every node and after a restart: the last hour from the results themselves, what is
older from the rollups of five minutes. A rollup knows how many checks were bad and not when; it
stands for its five minutes, or its checks' intervals where these are longer, in that proportion.

Left out is what came to unknown; what fell into declared maintenance, unless the objective counts
it; and what failed for a network reason while its location was blind. Which location was blind
when is not in the rollups: after a restart such failures count.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from sentinel.engine.tallies import Tally
from sentinel.labels import matches
from sentinel.monitor.objective import Counted, Objective, Promise, stands_for_s
from sentinel.monitor.probe import Probe
from sentinel.monitor.silence import Maintenance, occurrences
from sentinel.store.rollups import BUCKET, Rollup, Summary, bucket_of
from sentinel.store.samples import Checked
from sentinel.words import Outcome, Seconds, Span

Series = tuple[str, str]
"""A probe and a location."""
BLIND_BEFORE = timedelta(minutes=1)
"""So long before a location is found to be blind its failures may have been due."""


class Blindness:
    """Which locations were blind when, as far back as results come late. None open: they see."""

    def __init__(self) -> None:
        self._spans: dict[str, tuple[datetime, datetime | None]] = {}

    def look(self, blind: Mapping[str, datetime], now: datetime) -> None:
        """These are blind now, since when."""
        for location, since_at in blind.items():
            self._spans[location] = (since_at - BLIND_BEFORE, None)
        for location, (from_at, to_at) in self._spans.items():
            if location not in blind and to_at is None:
                self._spans[location] = (from_at, now)

    def excuses(self, each: Checked) -> bool:
        """Whether a check failed for no more than that its location saw nothing."""
        span = self._spans.get(each.location)
        if span is None or not each.network:
            return False
        from_at, to_at = span
        return from_at <= each.due_at and (to_at is None or each.due_at < to_at)


class Watched:
    """One service, its objectives, and what they came to. `key` is what it depends on of the
    documents: with another it is counted anew."""

    def __init__(
        self,
        objectives: Sequence[Objective],
        probes: Sequence[Probe],
        maintenance: Sequence[Maintenance],
    ) -> None:
        self.objectives = tuple(objectives)
        self.tallies = tuple(Tally(each) for each in objectives)
        self.every_s = {probe.id: probe.every_s for probe in probes}
        self.declared = frozenset((p.id, place) for p in probes for place in p.locations)
        self.begun = False
        """Whether its last hour has been counted, so that only what comes needs reading."""
        self.pieces_left = 0
        """How much of the window promised has not been read yet."""
        self._windows = {
            probe.id: tuple(w for w in maintenance if matches(w.matchers, probe.alert_labels))
            for probe in probes
        }
        self._last_at: dict[Series, datetime] = {}
        planned = [
            (probe, window.cron, window.timezone, window.lasts_s)
            for probe, windows in sorted(self._windows.items())
            for window in windows
        ]
        self.key = (self.objectives, self.declared, tuple(sorted(self.every_s.items())), *planned)

    @property
    def series(self) -> int:
        """At how many probes and locations checks were seen."""
        return len(self._last_at)

    @property
    def longest_s(self) -> float:
        """The longest window promised."""
        return max((each.window_s for each in self.objectives), default=0.0)

    def planned(self, probe: str, from_at: datetime, to_at: datetime) -> Sequence[Span]:
        """The maintenance that a probe's checks due in [from_at, to_at) may have fallen into. It
        may take a while: call it off the event loop."""
        return [
            span
            for window in self._windows.get(probe, ())
            for span in _occurrences(window.cron, window.timezone, window.lasts_s, from_at, to_at)
        ]

    def count(self, each: Checked, planned: Sequence[Span], blindness: Blindness) -> None:
        """A check. One that is not later than the last of its series was counted before."""
        series = (each.probe, each.location)
        before_at = self._last_at.get(series)
        if before_at is not None and each.due_at <= before_at:
            return
        self._last_at[series] = each.due_at
        stands_s = stands_for_s(each.due_at, before_at, self.every_s[each.probe])
        if blindness.excuses(each):
            return
        away = any(each.due_at in span for span in planned)
        for objective, tally in zip(self.objectives, self.tallies, strict=True):
            held = objective.holds(each.outcome, each.duration_s)
            if held is None or (away and not objective.counts_maintenance):
                continue
            good, bad = (stands_s, 0.0) if held else (0.0, stands_s)
            tally.add(each.due_at, Counted(good, bad, int(not held)))

    def count_rollup(self, rollup: Rollup, planned: Sequence[Span]) -> None:
        """The checks of five minutes, older than all that is counted one by one."""
        self._last_at.setdefault((rollup.probe, rollup.location), rollup.bucket_at)
        end_at = rollup.bucket_at + BUCKET
        away = any(span.from_at < end_at and rollup.bucket_at < span.to_at for span in planned)
        every_s = self.every_s[rollup.probe]
        for objective, tally in zip(self.objectives, self.tallies, strict=True):
            if not away or objective.counts_maintenance:
                tally.add(rollup.bucket_at, counted_in(objective, rollup.summary, every_s))


def counted_in(objective: Objective, summary: Summary, every_s: Seconds) -> Counted:
    """What the checks of a rollup come to. Fast ones are known to 4 %: durations are in buckets."""
    checks = sum(summary.outcomes.values())
    if not checks:
        return Counted()
    stand_s = min(checks * every_s, max(BUCKET.total_seconds(), every_s)) / checks
    match objective.promise:
        case Promise.availability:
            bad = summary.outcomes.get(Outcome.failed, 0)
            good = checks - bad - summary.outcomes.get(Outcome.unknown, 0)
        case Promise.latency:
            most = bucket_of(objective.under_s)
            good = sum(count for bucket, count in summary.histogram.items() if bucket <= most)
            bad = summary.timed - good
    return Counted(good * stand_s, bad * stand_s, bad)


@lru_cache(maxsize=512)
def _occurrences(
    cron: str, timezone: str, lasts_s: Seconds, from_at: datetime, to_at: datetime
) -> tuple[Span, ...]:
    return occurrences(cron, timezone, lasts_s, from_at=from_at, to_at=to_at)
