"""The proof that a store holds together: chains, versions, and that rows and streams agree."""

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from zlib import decompress
from zlib import error as ZlibError

from sentinel.errors import JournalUnavailable
from sentinel.store import samples
from sentinel.store.open import open_link
from sentinel.store.read import SqlView
from sentinel.store.sql import Conflict, Sql, Unreachable
from sentinel.timeline import chain, codec

_RESULTS_A_TIME = 1_000
_STREAMS_A_TIME = 500
_MOST_PAGES = 10_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in a store that does not hold. `where` is a stream, or a table and key."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def verify(where: str) -> list[Finding]:
    """Everything that does not hold in the store at `where` (path or URL); empty: all is well.

    Every stream's hashes, gapless versions and head; that every fact can be read; that
    incidents and work belong to streams; that evidence and documents are what their digests
    say. Reads one consistent state and changes nothing; it may run beside a live Sentinel.
    Raises JournalUnavailable, ExtraMissing.
    """
    try:
        with contextlib.closing(open_link(where, writes=False)) as link:
            link.begin_reading()
            return [*findings(link)]
    except (Unreachable, Conflict) as refused:
        raise JournalUnavailable(str(refused)) from refused


def verify_stream(view: SqlView, stream: str) -> list[chain.Broken]:
    """What is broken in one stream (``incident verify``)."""
    return chain.verify(view.sealed(stream))


def findings(sql: Sql) -> Iterator[Finding]:
    """Everything that does not hold, read through one open transaction."""
    for name, version, head in _heads(sql):
        yield from _stream(sql, name, version, head)
    yield from _orphans(sql)
    yield from _results(sql)
    yield from _documents(sql)
    yield from _evidence(sql)


def _heads(sql: Sql) -> Iterator[tuple[str, int, str]]:
    after = ""
    for _ in range(_MOST_PAGES):
        found = sql.rows(
            "SELECT name, version, hash FROM streams WHERE name > ? ORDER BY name LIMIT ?",
            (after, _STREAMS_A_TIME),
        )
        yield from ((name, version, head) for name, version, head in found)
        if len(found) < _STREAMS_A_TIME:
            return
        after = found[-1][0]


def _stream(sql: Sql, name: str, version: int, head: str) -> Iterator[Finding]:
    facts = SqlView(sql).sealed(name)
    for broken in chain.verify(facts):
        yield Finding(name, f"version {broken.version}: {broken.what}")
    last = facts[-1].version if facts else 0
    if last != version:
        yield Finding(name, f"its last fact is version {last}, its head says {version}")
    elif facts and facts[-1].hash != head:
        yield Finding(name, "its head is not the hash of its last fact")
    for fact in facts:
        try:
            codec.decode(fact.type, fact.v, fact.data)
        except codec.FactUnreadable as unreadable:
            yield Finding(name, f"version {fact.version}: {unreadable}")


_QUESTIONS = (
    (
        "SELECT DISTINCT f.stream FROM facts f LEFT JOIN streams s ON s.name = f.stream"
        " WHERE s.name IS NULL ORDER BY f.stream",
        "stream",
        "it has facts and no head",
    ),
    (
        "SELECT i.incident FROM incidents i LEFT JOIN streams s"
        " ON s.name = 'incident/' || i.incident AND s.version > 0"
        " WHERE s.name IS NULL ORDER BY i.incident",
        "incidents",
        "no stream tells of it",
    ),
    (
        "SELECT i.incident FROM incidents i JOIN streams s ON s.name = 'incident/' || i.incident"
        " WHERE i.version > s.version ORDER BY i.incident",
        "incidents",
        "it is of a later version than its stream",
    ),
    (
        "SELECT w.key FROM work_incidents w LEFT JOIN streams s"
        " ON s.name = 'incident/' || w.incident AND s.version > 0"
        " WHERE s.name IS NULL ORDER BY w.key",
        "work",
        "it belongs to an incident that no stream tells of",
    ),
    (
        "SELECT w.key FROM work_incidents w LEFT JOIN work k ON k.key = w.key"
        " WHERE k.key IS NULL ORDER BY w.key",
        "work_incidents",
        "no such work row",
    ),
    (
        "SELECT DISTINCT a.digest FROM activations a LEFT JOIN documents d ON d.digest = a.digest"
        " WHERE a.digest IS NOT NULL AND d.digest IS NULL ORDER BY a.digest",
        "activations",
        "no document has this digest",
    ),
)


def _orphans(sql: Sql) -> Iterator[Finding]:
    for question, table, what in _QUESTIONS:
        for (key,) in sql.rows(question):
            yield Finding(f"{table} {key}" if table != "stream" else key, what)


def _results(sql: Sql) -> Iterator[Finding]:
    known = {series for (series,) in sql.rows("SELECT id FROM series")}
    unknown: set[int] = set()
    after = 0
    for _ in range(_MOST_PAGES):
        rows = sql.rows(
            "SELECT seq, series, due_at, body FROM results WHERE seq > ? ORDER BY seq LIMIT ?",
            (after, _RESULTS_A_TIME),
        )
        for seq, *row in rows:
            after = seq
            try:
                unknown |= {series for series, _, _ in samples.entries_of(*row)} - known
            except ValueError as unreadable:
                yield Finding(f"results {seq}", f"it cannot be read: {unreadable}")
        if len(rows) < _RESULTS_A_TIME:
            break
    for series in sorted(unknown):
        yield Finding(f"results {series}", "no probe has this series")


def _documents(sql: Sql) -> Iterator[Finding]:
    for (digest,) in sql.rows("SELECT digest FROM documents ORDER BY digest"):
        document = SqlView(sql).document(digest)
        assert document is not None
        if hashlib.sha256(codec.canonical(document.body).encode()).hexdigest() != digest:
            yield Finding(f"documents {digest}", "its body has another digest")


def _evidence(sql: Sql) -> Iterator[Finding]:
    for (digest,) in sql.rows("SELECT digest FROM evidence ORDER BY digest"):
        ((packed,),) = sql.rows("SELECT body FROM evidence WHERE digest = ?", (digest,))
        try:
            right = hashlib.sha256(decompress(packed)).hexdigest() == digest
        except ZlibError:
            right = False
        if not right:
            yield Finding(f"evidence {digest}", "its bytes have another digest")
