"""One `Change` to statements, the same for both stores. Facts are sealed here."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zlib import compress

from sentinel.store import rows, samples
from sentinel.store.journal import Change, InboxRow, ProbeState, Work
from sentinel.store.samples import Interned
from sentinel.store.sql import Row, Sql
from sentinel.timeline import chain
from sentinel.timeline.codec import micros
from sentinel.timeline.facts import Fact

COMMANDS_FIRST = {"command": 0}
"""Places in the inbox by kind; every other kind has place 1."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes changes through one connection. `locked` are the streams of the open transaction."""

    sql: Sql
    interned: Interned = field(default_factory=Interned)

    def write(self, change: Change, *, locked: Sequence[str], now: datetime) -> None:
        """Write everything, or raise with the transaction to be rolled back by the caller.

        Raises ValueError for facts of a stream that is not locked and for evidence whose
        digest is not its own.
        """
        touched = {*change.append, *change.redact}
        if not touched <= set(locked):
            raise ValueError(f"not locked, so not writable: {sorted(touched - set(locked))}")
        for stream, facts in change.append.items():
            self._append(stream, facts, now)
        for stream, versions in change.redact.items():
            self._redact(stream, versions)
        self._put_work(change.work, change.work_done)
        self._put_inbox(change.inbox, change.inbox_taken)
        self._put_tables(change)
        self._put_probe_states(change.probe_states)
        self._put_evidence(change.evidence, now)
        if change.results:
            samples.write(self.sql, change.results, self.interned)

    def _append(self, stream: str, facts: Sequence[Fact], now: datetime) -> None:
        found = self.sql.rows("SELECT version, hash FROM streams WHERE name = ?", (stream,))
        version, prev = found[0] if found else (0, chain.FIRST_PREV)
        sealed_rows: list[Row] = []
        for fact in facts:
            sealed = chain.seal(
                fact,
                stream=stream,
                version=version + 1,
                prev=prev,
                recorded_at=now,
                salt=os.urandom(chain.SALT_BYTES),
            )
            version, prev = sealed.version, sealed.hash
            sealed_rows.append(rows.fact_row(sealed))
        if not sealed_rows:
            return
        self.sql.run_many(_insert("facts", rows.FACT_COLUMNS), sealed_rows)
        self.sql.run(
            _upsert("streams", "name, version, hash", keys="name"), (stream, version, prev)
        )
        pins = sorted({digest for fact in facts for digest in _digests(fact)})
        if pins:
            self.sql.run_many(
                "INSERT INTO evidence_pins (digest) VALUES (?) ON CONFLICT DO NOTHING",
                [(digest,) for digest in pins],
            )

    def _redact(self, stream: str, versions: Sequence[int]) -> None:
        self.sql.run_many(
            "UPDATE facts SET text = NULL, salt = NULL WHERE stream = ? AND version = ?",
            [(stream, version) for version in versions],
        )

    def _put_work(self, put: Sequence[Work], done: Sequence[str]) -> None:
        gone = [(key,) for key in dict.fromkeys((*done, *(work.key for work in put)))]
        if not gone:
            return
        self.sql.run_many("DELETE FROM work_incidents WHERE key = ?", gone)
        if done:
            self.sql.run_many("DELETE FROM work WHERE key = ?", [(key,) for key in done])
        if put:
            self.sql.run_many(
                _upsert("work", rows.WORK_COLUMNS, keys="key"),
                [rows.work_row(work) for work in put],
            )
        ties = [(incident, work.key) for work in put for incident in work.incidents]
        if ties:
            self.sql.run_many(_insert("work_incidents", "incident, key"), ties)

    def _put_inbox(self, put: Sequence[InboxRow], taken: Sequence[str]) -> None:
        if taken:
            self.sql.run_many("DELETE FROM inbox WHERE id = ?", [(id_,) for id_ in taken])
        if put:
            arrived = [
                (
                    row.id,
                    COMMANDS_FIRST.get(row.kind, 1),
                    row.kind,
                    micros(row.received_at),
                    rows.dump(row.body),
                )
                for row in put
            ]
            self.sql.run_many(_insert("inbox", "id, place, kind, received_at, body"), arrived)

    def _put_tables(self, change: Change) -> None:
        if change.alerts_gone:
            self.sql.run_many(
                "DELETE FROM alerts WHERE fingerprint = ?", [(one,) for one in change.alerts_gone]
            )
        if change.alerts:
            self.sql.run_many(
                _upsert("alerts", rows.ALERT_COLUMNS, keys="fingerprint"),
                [rows.alert_row(alert) for alert in change.alerts],
            )
        if change.incidents:
            self.sql.run_many(
                _upsert("incidents", rows.INCIDENT_COLUMNS, keys="incident"),
                [rows.incident_row(row) for row in change.incidents],
            )
        if change.documents:
            self.sql.run_many(
                _insert("documents", "digest, kind, id, body"),
                [(one.digest, one.kind, one.id, rows.dump(one.body)) for one in change.documents],
            )
        if change.activations:
            self.sql.run_many(
                _upsert("activations", "kind, id, at, digest", keys="kind, id, at"),
                [(one.kind, one.id, micros(one.at), one.digest) for one in change.activations],
            )

    def _put_probe_states(self, states: Sequence[ProbeState]) -> None:
        if not states:
            return
        columns = "probe, location, slot_at, state, kept_at"
        self.sql.run_many(
            _upsert("probe_states", columns, keys="probe, location")
            + " WHERE excluded.slot_at > probe_states.slot_at",
            [
                (one.probe, one.location, micros(one.slot_at), rows.dump(one.state), _kept_at(one))
                for one in states
            ],
        )
        kept = [
            (one.probe, one.location, _kept_at(one), one.kept)
            for one in states
            if one.kept is not None
        ]
        if kept:
            self.sql.run_many(
                _upsert("probe_kept", "probe, location, kept_at, kept", keys="probe, location")
                + " WHERE excluded.kept_at > probe_kept.kept_at",
                kept,
            )

    def _put_evidence(self, evidence: Mapping[str, bytes], now: datetime) -> None:
        for digest, body in evidence.items():
            if hashlib.sha256(body).hexdigest() != digest:
                raise ValueError(f"evidence {digest} is not the SHA-256 of its bytes")
            self.sql.run(
                "INSERT INTO evidence (digest, kept_at, size_bytes, body) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (digest) DO UPDATE SET kept_at = excluded.kept_at",
                (digest, micros(now), len(body), compress(body)),
            )


def _kept_at(state: ProbeState) -> int | None:
    if state.kept is None:
        return None
    return micros(state.kept_at if state.kept_at is not None else state.slot_at)


def _digests(fact: Fact) -> list[str]:
    """The evidence that a fact names: by its field ``evidence``, or EvidenceKept's ``digest``."""
    named = [getattr(fact.what, "evidence", "")]
    if type(fact.what).__name__ == "EvidenceKept":
        named.append(getattr(fact.what, "digest", ""))
    return [digest for digest in named if digest]


def _insert(table: str, columns: str) -> str:
    marks = ", ".join("?" for _ in columns.split(","))
    return f"INSERT INTO {table} ({columns}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608


def _upsert(table: str, columns: str, *, keys: str) -> str:
    """Insert, or replace the row of the same keys."""
    own = {key.strip() for key in keys.split(",")}
    names = [name.strip() for name in columns.split(",")]
    marks = ", ".join("?" for _ in names)
    changes = ", ".join(f"{name} = excluded.{name}" for name in names if name not in own)
    return (
        f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608
        f" ON CONFLICT ({keys}) DO UPDATE SET {changes}"
    )
