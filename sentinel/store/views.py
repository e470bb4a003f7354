"""Reads over stored results: pure functions over a `View`.

Use them inside ``journal.view``: ``await journal.view(partial(history, probe="acme-home",
from_at=…, to_at=…))``. Instants are aware UTC, spans half-open.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from sentinel.monitor.probe import CheckResult
from sentinel.store.journal import View
from sentinel.store.rollups import BUCKET, Gathering, Rollup

MAX_RESULTS = 20_000
"""The most results that one bucket's worth of reading takes in."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
