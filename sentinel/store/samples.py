"""Check results: packed small, written in batches, read by probe.

Results of one commit whose series are of one part (`PARTS` of them) are one row: a thousand results
a second touch some sixty places of the store, and a probe's results are found by reading a
sixty-fourth of what was written. Of two results of one slot the first stays (rule 1), which is seen
to when they are read. What results of a probe repeat (expectations' sources, the names of phases
and samples) is its *shape*, stored once; the row holds MessagePack without a single key.
Ids of series and shapes are 63 bits of a SHA-256, so that two nodes give the same id
without asking each other.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from sentinel.monitor.probe import Attempt, CheckResult, Judged, Sample
from sentinel.store import rollups as rolled
from sentinel.store.rollups import Gathering, Rollup
from sentinel.store.sql import Row, Sql
from sentinel.timeline.codec import instant, micros
from sentinel.words import Outcome

WINDOW_US = 10_000_000
PARTS = 64
BUCKET_US = rolled.BUCKET // timedelta(microseconds=1)
_WINDOWS_A_QUERY = 360
_MAX_KNOWN = 200_000

Shape = tuple[tuple[tuple[str, tuple[str, ...]], ...], tuple[str, ...], tuple[tuple[str, str], ...]]
"""Per judged expectation its source and the names in its `actual`; phases; samples with unit."""

Entry = tuple[int, int, bytes]
"""A result as it lies in a row: series, due time, packed."""

_OUTCOMES = tuple(Outcome)
_NUMBER = {outcome: number for number, outcome in enumerate(_OUTCOMES)}
_SAMPLES = 11
"""Where a packed result has its samples' values."""
_encode = msgspec.msgpack.Encoder(enc_hook=str).encode
_decode = msgspec.msgpack.Decoder().decode
_decode_entries = msgspec.msgpack.Decoder(list[Entry]).decode


class Packed(msgspec.Struct, frozen=True, gc=False):
    """A result as it is stored, with what finds it. `due_at` is in microseconds."""

    probe: str
    location: str
    due_at: int
    shape: Shape
    shape_id: int
    body: bytes


class Checked(NamedTuple):
    """What counting needs of a result."""

    probe: str
    location: str
    due_at: datetime
    outcome: Outcome
    duration_s: float
    network: bool


class Interned:
    """Which series and shapes are known to be stored, so that they are not sent again.

    `fresh` ones were written in the open transaction; `settle` after its commit, `forget`
    whenever anything was rolled back (writing one again does no harm).
    """

    def __init__(self) -> None:
        self._known: set[int] = set()
        self._fresh: set[int] = set()

    def is_new(self, id_: int) -> bool:
        """Whether it must be written now; asks once per transaction."""
        if id_ in self._known or id_ in self._fresh:
            return False
        self._fresh.add(id_)
        return True

    def settle(self) -> None:
        if len(self._known) > _MAX_KNOWN:
            self._known.clear()
        self._known |= self._fresh
        self._fresh.clear()

    def forget(self) -> None:
        self._fresh.clear()


def packed(result: CheckResult) -> Packed:
    """For ``Change.results``, where the result is at hand and the writer has not to go back to all
    of it."""
    shape, shape_id = _known_shape(result)
    due_at = micros(result.due_at)
    body = pack(result, shape_id, due_at)
    return Packed(result.probe, result.location, due_at, shape, shape_id, body)


def write(sql: Sql, results: Sequence[CheckResult | Packed], interned: Interned) -> None:
    """Store results; those of a slot already there, and those older than what was pruned, are
    dropped. Their buckets become due for a rollup."""
    floor = mark(sql, "results_from")
    series, shapes, buckets = list[Row](), list[Row](), set[int]()
    parts: dict[tuple[int, int], list[Entry]] = {}
    for result in results:
        one = result if isinstance(result, Packed) else packed(result)
        due_at = one.due_at
        if due_at < floor:
            continue
        series_id = id_of_series(one.probe, one.location)
        if interned.is_new(series_id):
            series.append((series_id, one.probe, one.location))
        if interned.is_new(one.shape_id):
            shapes.append((one.shape_id, json.dumps(one.shape)))
        place = due_at - due_at % WINDOW_US, series_id % PARTS
        parts.setdefault(place, []).append((series_id, due_at, one.body))
        buckets.add(due_at - due_at % BUCKET_US)
    if series:
        sql.run_many(_INSERT.format("series (id, probe, location)", "?, ?, ?"), series)
    if shapes:
        sql.run_many(_INSERT.format("shapes (id, body)", "?, ?"), shapes)
    if parts:
        rows = [(*place, *_together(entries)) for place, entries in parts.items()]
        sql.run_many(_RESULTS, rows)
        sql.run_many(_DUE, [(bucket,) for bucket in sorted(buckets)])


def _together(entries: Sequence[Entry]) -> tuple[int | None, int | None, bytes]:
    """The columns series, due_at and body of a row."""
    return entries[0] if len(entries) == 1 else (None, None, _encode(entries))


def entries_of(series: int | None, due_at: int | None, body: bytes) -> Sequence[Entry]:
    """The results that a row holds, in the order in which they came."""
    if series is not None and due_at is not None:
        return ((series, due_at, body),)
    return _decode_entries(body)


_RESULTS = "INSERT INTO results (window_at, part, series, due_at, body) VALUES (?, ?, ?, ?, ?)"
_INSERT = "INSERT INTO {} VALUES ({}) ON CONFLICT DO NOTHING"
_DUE = (
    "INSERT INTO rollup_due (bucket_at, stamp) VALUES (?, 1)"
    " ON CONFLICT (bucket_at) DO UPDATE SET stamp = rollup_due.stamp + 1"
)


def mark(sql: Sql, name: str) -> int:
    """A stored mark; 0 when it was never set."""
    found = sql.rows("SELECT value FROM marks WHERE name = ?", (name,))
    return int(found[0][0]) if found else 0


@lru_cache(maxsize=65_536)
def id_of_series(probe: str, location: str) -> int:
    return _hashed(json.dumps([probe, location]))


@lru_cache(maxsize=16_384)
def id_of_shape(shape: Shape) -> int:
    return _hashed(json.dumps(shape))


def _hashed(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def _known_shape(result: CheckResult) -> tuple[Shape, int]:
    """The shape of a result and its id, found by its names one after another: many probes have the
    same, and flat texts are told apart faster than what is nested."""
    names: list[str | int] = []
    for one in result.judged:
        names += (one.source, len(one.actual))
        names += one.actual
    names.append(len(result.phases))
    names += result.phases
    for sample in result.samples:
        names += (sample.name, sample.unit)
    flat = tuple(names)
    known = _shapes.get(flat)
    if known is None:
        if len(_shapes) >= _MOST_SHAPES:
            _shapes.clear()
        shape = shape_of(result)
        known = _shapes[flat] = (shape, id_of_shape(shape))
    return known


_shapes: dict[tuple[str | int, ...], tuple[Shape, int]] = {}
_MOST_SHAPES = 16_384


def shape_of(result: CheckResult) -> Shape:
    return (
        tuple([(judged.source, tuple(judged.actual)) for judged in result.judged]),
        tuple(result.phases),
        tuple([(sample.name, sample.unit) for sample in result.samples]),
    )


def pack(result: CheckResult, shape_id: int, due_at: int) -> bytes:
    """A result without what its slot (due at so many microseconds) and shape already say."""
    body = (
        shape_id,
        micros(result.started_at) - due_at,
        result.duration_s,
        _NUMBER[result.outcome],
        result.reason,
        result.text,
        result.network,
        result.address,
        result.evidence,
        [(_NUMBER[one.outcome], one.reason, *one.actual.values()) for one in result.judged],
        tuple(result.phases.values()),
        [sample.value for sample in result.samples],
        _tried(result.attempts) if result.attempts else (),
    )
    try:
        return _encode(body)
    except OverflowError:
        return _encode((*body[:9], _narrow(body[9]), *body[10:]))


def _tried(attempts: Iterable[Attempt]) -> list[tuple[int, float, str]]:
    return [(micros(one.started_at), one.duration_s, one.reason) for one in attempts]


def _narrow(judged: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """Integers of more than 64 bits, which MessagePack has not, as text."""
    return [
        [str(item) if type(item) is int and abs(item) >= 2**63 else item for item in one]
        for one in judged
    ]


def unpack(
    probe: str, location: str, due_at: int, body: bytes, shapes: Mapping[int, Shape]
) -> CheckResult:
    """A stored result. Raises KeyError when its shape is not among `shapes`."""
    shape_id, late, duration_s, outcome, *rest = _decode(body)
    reason, text, network, address, evidence, judged, phases, samples, attempts = rest
    sources, phase_names, sample_names = shapes[shape_id]
    return CheckResult(
        probe=probe,
        location=location,
        due_at=instant(due_at),
        started_at=instant(due_at + late),
        duration_s=duration_s,
        outcome=_OUTCOMES[outcome],
        reason=reason,
        text=text,
        network=network,
        judged=tuple(
            Judged(source, _OUTCOMES[one[0]], one[1], dict(zip(names, one[2:], strict=True)))
            for (source, names), one in zip(sources, judged, strict=True)
        ),
        phases=dict(zip(phase_names, phases, strict=True)),
        samples=tuple(
            Sample(name, value, unit)
            for (name, unit), value in zip(sample_names, samples, strict=True)
        ),
        address=address,
        attempts=tuple(Attempt(instant(at), spent_s, why) for at, spent_s, why in attempts),
        evidence=evidence,
    )


def gather(body: bytes, shapes: Mapping[int, Shape], into: Gathering) -> None:
    """Add a stored result to a rollup, reading no more of it than that takes."""
    body_of = _decode(body)
    into.count(_OUTCOMES[body_of[3]], body_of[2])
    for named, value in zip(shapes[body_of[0]][2], body_of[_SAMPLES], strict=True):
        into.samples.setdefault(named, []).append(value)


def results(
    sql: Sql, probe: str, *, from_at: datetime, to_at: datetime, limit: int
) -> list[CheckResult]:
    """A probe's results due in [from_at, to_at), newest first, all locations, at most `limit`."""
    located: dict[int, str] = dict(
        sql.rows("SELECT id, location FROM series WHERE probe = ?", (probe,))
    )
    found: dict[tuple[int, int], bytes] = {}
    if not located:
        return []
    parts = {series % PARTS for series in located}
    for windows in _windows(sql, micros(from_at), micros(to_at)):
        rows = sql.rows(
            "SELECT series, due_at, body FROM results"  # noqa: S608
            f" WHERE window_at IN ({_marks(windows)}) AND part IN ({_marks(parts)}) ORDER BY seq",
            (*windows, *parts),
        )
        for row in rows:
            for series, due_at, body in entries_of(*row):
                if series in located and micros(from_at) <= due_at < micros(to_at):
                    found.setdefault((-due_at, series), body)
        if len(found) >= limit:
            break
    newest = sorted(found)[:limit]
    shapes = read_shapes(sql, (found[slot] for slot in newest))
    return [
        unpack(probe, located[series], -before, found[before, series], shapes)
        for before, series in newest
    ]


def checked(
    sql: Sql, series: Collection[tuple[str, str]], *, from_at: datetime, to_at: datetime
) -> list[Checked]:
    """The checks of these (probe, location) due in [from_at, to_at), oldest first."""
    named = {id_of_series(*each): each for each in series}
    parts = sorted({id_ % PARTS for id_ in named})
    found: dict[tuple[int, int], bytes] = {}
    for windows in _windows(sql, micros(from_at), micros(to_at)) if named else ():
        rows = sql.rows(
            "SELECT series, due_at, body FROM results"  # noqa: S608
            f" WHERE window_at IN ({_marks(windows)}) AND part IN ({_marks(parts)}) ORDER BY seq",
            (*windows, *parts),
        )
        for row in rows:
            for id_, due_at, body in entries_of(*row):
                if id_ in named and micros(from_at) <= due_at < micros(to_at):
                    found.setdefault((due_at, id_), body)
    return [_checked(*named[id_], due_at, found[due_at, id_]) for due_at, id_ in sorted(found)]


def _checked(probe: str, location: str, due_at: int, body: bytes) -> Checked:
    _, _, duration_s, outcome, _, _, network, *_ = _decode(body)
    return Checked(probe, location, instant(due_at), _OUTCOMES[outcome], duration_s, network)


def _windows(sql: Sql, from_us: int, to_us: int) -> Iterator[tuple[int, ...]]:
    """The windows of a span that may hold results, newest first, some hundred at a time."""
    first = sql.rows("SELECT window_at FROM results ORDER BY window_at LIMIT 1")
    last = sql.rows("SELECT window_at FROM results ORDER BY window_at DESC LIMIT 1")
    if not first:
        return
    oldest = max(from_us - from_us % WINDOW_US, int(first[0][0]))
    newest = min(to_us - to_us % WINDOW_US, int(last[0][0]))
    step = WINDOW_US * _WINDOWS_A_QUERY
    for start in range(newest, oldest - 1, -step):
        yield tuple(range(start, max(start - step, oldest - 1), -WINDOW_US))


@lru_cache(maxsize=16_384)
def _shape(text: str) -> Shape:
    sources, phases, samples = json.loads(text)
    return (
        tuple((source, tuple(names)) for source, names in sources),
        tuple(phases),
        tuple((name, unit) for name, unit in samples),
    )


def read_shapes(sql: Sql, bodies: Iterable[bytes]) -> dict[int, Shape]:
    """The shapes that these rows name."""
    ids = sorted({_shape_id(body) for body in bodies})
    shapes: dict[int, Shape] = {}
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        found = sql.rows(f"SELECT id, body FROM shapes WHERE id IN ({_marks(some)})", some)  # noqa: S608
        shapes |= {id_: _shape(text) for id_, text in found}
    return shapes


def rollups(sql: Sql, probe: str, *, from_at: datetime, to_at: datetime) -> list[Rollup]:
    """A probe's rollups of buckets that begin in [from_at, to_at), oldest first, by location."""
    found = sql.rows(
        "SELECT s.location, r.bucket_at, r.body FROM series s JOIN rollups r ON r.series = s.id"
        " WHERE s.probe = ? AND r.bucket_at >= ? AND r.bucket_at < ?"
        " ORDER BY r.bucket_at, s.location",
        (probe, micros(from_at), micros(to_at)),
    )
    return [
        Rollup(probe, location, instant(at), rolled.unpack(body)) for location, at, body in found
    ]


def _shape_id(body: bytes) -> int:
    number: int = _decode(body)[0]
    return number


def _marks(values: Iterable[object]) -> str:
    return ", ".join("?" for _ in values)
