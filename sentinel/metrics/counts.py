"""What is counted of every check: plain numbers, which become metrics at a scrape.

prometheus-client's own counters lock for each number and a histogram takes two; a thousand checks a
second would spend a twentieth of their time in them. Used from one thread.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from sentinel.words import Outcome


class Outcomes(Collector):
    """Checks by what they came to. `of` are the counts."""

    def __init__(self, name: str, about: str) -> None:
        self._name = name
        self._about = about
        self.of = dict.fromkeys(Outcome, 0)

    def collect(self) -> Iterator[Metric]:
        """The family, as it is now."""
        family = CounterMetricFamily(self._name, self._about, labels=["outcome"])
        for outcome, count in self.of.items():
            family.add_metric([outcome.value], count)
        yield family


class Spans(Collector):
    """A histogram of seconds. `bounds` are its buckets' upper ones, ascending; the last, infinite
    one is added."""

    def __init__(self, name: str, about: str, bounds: Sequence[float]) -> None:
        self._name = name
        self._about = about
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum_s = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum_s += seconds

    def collect(self) -> Iterator[Metric]:
        """The family, as it is now."""
        total, buckets = 0, list[tuple[str, float]]()
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            total += count
            upper = floatToGoString(bound)  # type: ignore[no-untyped-call]
            buckets.append((upper, total))
        yield HistogramMetricFamily(self._name, self._about, buckets=buckets, sum_value=self._sum_s)
