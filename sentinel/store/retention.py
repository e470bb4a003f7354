"""What the store does in the background: roll results up, and delete what is too old.

Each bucket that got results is noted with a stamp, in the transaction that wrote them. A
rollup reads the bucket's results off the writer, writes the rollups, and takes the note
away only if the stamp is still the one it had read; so a late result, or a crash anywhere,
only means that the bucket is rolled up once more.

Deleting goes in slices, so that no page waits long behind it. Facts are never deleted.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol, TypeVar

from sentinel.store import rollups, samples
from sentinel.store.journal import Keep
from sentinel.store.rollups import Gathering
from sentinel.store.samples import BUCKET_US, WINDOW_US
from sentinel.store.sql import Row, Sql
from sentinel.timeline.codec import micros

T = TypeVar("T")

SETTLED_AFTER = timedelta(seconds=30)
"""A bucket is rolled up this long after its end, when its slowest checks have come in."""
MAX_BUCKETS = 48
"""How many buckets one call rolls up: four hours, after a long halt."""
MAX_SLICES = 1_000
SLICE_ROWS = 5_000
_ROLLUPS_A_TRANSACTION = 2_000


class Kept(Protocol):
    """What upkeep needs of a journal."""

    async def operate(self, change: Callable[[Sql], T]) -> T: ...

    async def inspect(self, look: Callable[[Sql], T]) -> T: ...


async def roll_up(journal: Kept, now: datetime) -> int:
    """Roll up the oldest buckets that are over, at most `MAX_BUCKETS`; returns how many."""
    settled = micros(now - SETTLED_AFTER) - BUCKET_US
    notes = await journal.inspect(
        lambda sql: sql.rows(
            "SELECT bucket_at, stamp FROM rollup_due WHERE bucket_at <= ? ORDER BY bucket_at LIMIT ?",
            (settled, MAX_BUCKETS),
        )
    )
    for bucket_at, stamp in notes:
        packed = await _rolled(journal, bucket_at)
        for start in range(0, len(packed), _ROLLUPS_A_TRANSACTION):
            part = packed[start : start + _ROLLUPS_A_TRANSACTION]
            await journal.operate(partial(_write, packed=part))
        await journal.operate(partial(_forget, bucket_at=bucket_at, stamp=stamp))
    return len(notes)


async def prune(journal: Kept, now: datetime, keep: Keep) -> int:
    """Roll up, then delete what `keep` does not keep; returns how many rows went."""
    await roll_up(journal, now)
    results_from = await journal.operate(
        lambda sql: _raise_floor(sql, micros(now - keep.results_for))
    )
    rollups_from = micros(now - keep.rollups_for)
    evidence_from = micros(now - keep.evidence_for)
    gone = 0
    for statement, values in (
        (_OLD_RESULTS, (results_from, SLICE_ROWS)),
        (_OLD_ROLLUPS, (rollups_from, SLICE_ROWS)),
        (_OLD_EVIDENCE, (evidence_from, SLICE_ROWS // 50)),
    ):
        gone += await _delete(journal, statement, values)
    return gone


_OLD_RESULTS = (
    "DELETE FROM results WHERE seq IN"
    " (SELECT seq FROM results WHERE window_at < ? ORDER BY window_at LIMIT ?)"
)
_OLD_ROLLUPS = (
    "DELETE FROM rollups WHERE (series, bucket_at) IN"
    " (SELECT series, bucket_at FROM rollups WHERE bucket_at < ? LIMIT ?)"
)
_OLD_EVIDENCE = (
    "DELETE FROM evidence WHERE digest IN (SELECT e.digest FROM evidence e"
    " LEFT JOIN evidence_pins p ON p.digest = e.digest"
    " WHERE e.kept_at < ? AND p.digest IS NULL ORDER BY e.kept_at LIMIT ?)"
)


async def _delete(journal: Kept, statement: str, values: Sequence[int]) -> int:
    gone = 0
    for _ in range(MAX_SLICES):
        went = await journal.operate(lambda sql: sql.run(statement, values))
        gone += went
        if went < values[-1]:
            break
    return gone


def _raise_floor(sql: Sql, wanted: int) -> int:
    """Move the mark below which results are deleted, and late ones dropped; never below what is
    not rolled up yet, never back, always at a bucket's beginning."""
    first = sql.rows("SELECT min(bucket_at) FROM rollup_due")[0][0]
    floor = wanted - wanted % BUCKET_US
    if first is not None:
        floor = min(floor, int(first))
    floor = max(floor, samples.mark(sql, "results_from"))
    sql.run(
        "INSERT INTO marks (name, value) VALUES ('results_from', ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (floor,),
    )
    return floor


async def _rolled(journal: Kept, bucket_at: int) -> list[Row]:
    """A bucket's rollups as rows, gathered window by window so that no read is long."""
    gathered: dict[int, Gathering] = {}
    for window_at in range(bucket_at, bucket_at + BUCKET_US, WINDOW_US):
        await journal.inspect(partial(_gather, window_at=window_at, gathered=gathered))
    return [
        (series, bucket_at, rollups.pack(gathering.summary()))
        for series, gathering in sorted(gathered.items())
    ]


def _gather(sql: Sql, window_at: int, gathered: dict[int, Gathering]) -> None:
    rows = sql.rows(
        "SELECT series, due_at, body FROM results WHERE window_at = ? ORDER BY seq", (window_at,)
    )
    found: dict[tuple[int, int], bytes] = {}
    for row in rows:
        for series, due_at, body in samples.entries_of(*row):
            found.setdefault((series, due_at), body)
    shapes = samples.read_shapes(sql, found.values())
    for (series, _), body in found.items():
        samples.gather(body, shapes, gathered.setdefault(series, Gathering()))


def _write(sql: Sql, packed: Sequence[Row]) -> None:
    sql.run_many(
        "INSERT INTO rollups (series, bucket_at, body) VALUES (?, ?, ?)"
        " ON CONFLICT (series, bucket_at) DO UPDATE SET body = excluded.body",
        packed,
    )


def _forget(sql: Sql, bucket_at: int, stamp: int) -> None:
    sql.run("DELETE FROM rollup_due WHERE bucket_at = ? AND stamp = ?", (bucket_at, stamp))
