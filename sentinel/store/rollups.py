"""Results of five minutes in one row: counts, durations and samples.

Durations go into a histogram whose buckets grow by 4 %: bucket i holds (1.04^(i-1),
1.04^i] seconds, so that how many were faster than any bound is known to 4 % of the bound. Two
histograms merge by adding counts, which averages of p95s do not. Only outcomes ok and warn have
their duration counted: how long a refused connection took says nothing of how fast the shop is.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from sentinel.monitor.probe import CheckResult
from sentinel.words import OK, Outcome

BUCKET = timedelta(minutes=5)
GAMMA = 1.04
_LOG_GAMMA = math.log(GAMMA)
_SHORTEST_S = 1e-6


@dataclass(frozen=True, slots=True)
class SampleRollup:
    """A named sample over a bucket: how often, sum, least and greatest, in `unit`."""

    unit: str
    count: int
    sum: float
    min: float
    max: float


@dataclass(frozen=True, slots=True)
class Summary:
    """What some results come to. `outcomes` are counts; `timed` of them have a duration, in seconds."""

    outcomes: Mapping[Outcome, int] = field(default_factory=dict)
    timed: int = 0
    sum_s: float = 0.0
    min_s: float = 0.0
    max_s: float = 0.0
    histogram: Mapping[int, int] = field(default_factory=dict)
    samples: Mapping[str, SampleRollup] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rollup:
    """The results of one probe at one location due in [`bucket_at`, `bucket_at` + 5 min)."""

    probe: str
    location: str
    bucket_at: datetime
    summary: Summary


@dataclass(slots=True)
class Gathering:
    """Adds results up; `summary` is what they came to so far."""

    outcomes: dict[Outcome, int] = field(default_factory=dict)
    durations: list[float] = field(default_factory=list)
    samples: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    """Values by name and unit."""

    def add(self, result: CheckResult) -> None:
        self.count(result.outcome, result.duration_s)
        for sample in result.samples:
            self.samples.setdefault((sample.name, sample.unit), []).append(sample.value)

    def count(self, outcome: Outcome, duration_s: float) -> None:
        """Add a result's outcome and duration alone."""
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        if outcome is OK or outcome is Outcome.warn:
            self.durations.append(duration_s)

    def summary(self) -> Summary:
        histogram: dict[int, int] = {}
        for duration_s in self.durations:
            bucket = bucket_of(duration_s)
            histogram[bucket] = histogram.get(bucket, 0) + 1
        return Summary(
            self.outcomes,
            len(self.durations),
            math.fsum(self.durations),
            min(self.durations, default=0.0),
            max(self.durations, default=0.0),
            histogram,
            {
                name: SampleRollup(unit, len(values), math.fsum(values), min(values), max(values))
                for (name, unit), values in self.samples.items()
            },
        )


def bucket_of(duration_s: float) -> int:
    """The number of the histogram bucket that holds a duration."""
    return math.ceil(math.log(max(duration_s, _SHORTEST_S)) / _LOG_GAMMA)


_ORDER = (Outcome.ok, Outcome.warn, Outcome.failed, Outcome.unknown)


def pack(summary: Summary) -> bytes:
    """A summary as stored."""
    samples = {
        name: (one.unit, one.count, one.sum, one.min, one.max)
        for name, one in summary.samples.items()
    }
    return msgspec.msgpack.encode(
        (
            [summary.outcomes.get(outcome, 0) for outcome in _ORDER],
            (summary.timed, summary.sum_s, summary.min_s, summary.max_s),
            summary.histogram,
            samples,
        )
    )


def unpack(body: bytes) -> Summary:
    """A stored summary."""
    counts, (timed, sum_s, min_s, max_s), histogram, samples = msgspec.msgpack.decode(body)
    return Summary(
        {outcome: count for outcome, count in zip(_ORDER, counts, strict=True) if count},
        timed,
        sum_s,
        min_s,
        max_s,
        histogram,
        {name: SampleRollup(*one) for name, one in samples.items()},
    )
