"""How long the checks of one probe took, by buckets, where the site asks for histograms.

Each bucket keeps its last exemplar: the slot of a check (``check``, when it was due) that fell into
it, which leads from a slow bucket to that check's result. Exemplars are OpenMetrics' alone.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import datetime

from prometheus_client.utils import floatToGoString

NAME = "sentinel_probe_check_duration_seconds"
HELP = "How long the probe's checks took"


class Durations:
    """A histogram. `buckets` are upper bounds in seconds, ascending; the last, infinite one is added."""

    __slots__ = ("_buckets", "_counts", "_exemplars", "_sum_s")

    def __init__(self, buckets: Sequence[float]) -> None:
        self._buckets = buckets
        self._counts = [0] * (len(buckets) + 1)
        self._exemplars: list[tuple[float, datetime, datetime] | None] = [None] * len(self._counts)
        self._sum_s = 0.0

    def observe(self, duration_s: float, *, due_at: datetime, started_at: datetime) -> None:
        """Count a check."""
        place = bisect_left(self._buckets, duration_s)
        self._counts[place] += 1
        self._sum_s += duration_s
        self._exemplars[place] = (duration_s, due_at, started_at)

    def lines(self, text: str, *, openmetrics: bool) -> Iterator[str]:
        """The lines of the series with this label text, ``kind="tcp",location="local",…``."""
        before, _, after = text.partition(',location="')
        total = 0
        for bound, count, exemplar in zip(
            (*self._buckets, float("inf")), self._counts, self._exemplars, strict=True
        ):
            total += count
            upper = floatToGoString(bound)  # type: ignore[no-untyped-call]
            labels = f'{before},le="{upper}",location="{after}'
            shown = _shown(exemplar) if openmetrics and exemplar is not None else ""
            yield f"{NAME}_bucket{{{labels}}} {total}.0{shown}\n"
        yield f"{NAME}_count{{{text}}} {total}.0\n"
        yield f"{NAME}_sum{{{text}}} {self._sum_s!r}\n"


def _shown(exemplar: tuple[float, datetime, datetime]) -> str:
    duration_s, due_at, started_at = exemplar
    slot = due_at.isoformat().replace("+00:00", "Z")
    return f' # {{check="{slot}"}} {duration_s!r} {started_at.timestamp()!r}'
