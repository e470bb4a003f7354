"""The `View` over plain SQL, the same for both stores."""

from collections.abc import Collection, Sequence
from datetime import datetime
from zlib import decompress

from sentinel.monitor.probe import CheckResult
from sentinel.store import rows, samples
from sentinel.store.journal import (
    Activation,
    Document,
    InboxRow,
    IncidentRow,
    PresentAlert,
    ProbeState,
    Work,
    WorkKind,
)
from sentinel.store.rollups import Rollup
from sentinel.store.samples import Checked
from sentinel.store.sql import Row, Sql
from sentinel.timeline import chain
from sentinel.timeline.chain import Sealed
from sentinel.timeline.codec import instant, micros
from sentinel.timeline.facts import Recorded

_PAST_ANY = "\U0010ffff"


class SqlView:
    """Reads inside one open transaction; see ``journal.View`` for what each method promises."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    def version(self, stream: str) -> int:
        found = self._sql.rows("SELECT version FROM streams WHERE name = ?", (stream,))
        return int(found[0][0]) if found else 0

    def read(self, stream: str, after: int = 0) -> Sequence[Recorded]:
        return [chain.read(sealed) for sealed in self.sealed(stream, after)]

    def sealed(self, stream: str, after: int = 0) -> Sequence[Sealed]:
        found = self._sql.rows(
            f"SELECT {rows.FACT_COLUMNS} FROM facts WHERE stream = ? AND version > ?"  # noqa: S608
            " ORDER BY version",
            (stream, after),
        )
        return [Sealed(*row) for row in found]

    def streams(self, prefix: str) -> Sequence[str]:
        found = self._sql.rows(
            "SELECT name FROM streams WHERE name >= ? AND name < ? AND version > 0 ORDER BY name",
            (prefix, prefix + _PAST_ANY),
        )
        return [row[0] for row in found]

    def work(self, key: str) -> Work | None:
        found = self._works("WHERE key = ?" + self._sql.row_lock, (key,))
        return found[0] if found else None

    def work_of(self, incident: str) -> Sequence[Work]:
        return self._works(
            "WHERE key IN (SELECT key FROM work_incidents WHERE incident = ?) ORDER BY key",
            (incident,),
        )

    def works(self, kind: WorkKind) -> Sequence[Work]:
        return self._works("WHERE kind = ? ORDER BY key", (kind.value,))

    def due(self, now: datetime, kinds: Sequence[WorkKind], limit: int) -> Sequence[Work]:
        if not kinds:
            return []
        return self._works(
            f"WHERE kind IN ({_marks(kinds)}) AND free_at <= ? ORDER BY free_at, key LIMIT ?"
            + self._sql.row_skip,
            (*(kind.value for kind in kinds), micros(now), limit),
        )

    def next_due(self, kinds: Sequence[WorkKind]) -> datetime | None:
        earliest = [
            row[0]
            for kind in kinds
            for row in self._sql.rows(
                "SELECT min(free_at) FROM work WHERE kind = ? AND free_at IS NOT NULL",
                (kind.value,),
            )
            if row[0] is not None
        ]
        return instant(min(earliest)) if earliest else None

    def inbox(self, limit: int) -> Sequence[InboxRow]:
        found = self._sql.rows(
            "SELECT id, kind, received_at, body FROM inbox"  # noqa: S608
            f" ORDER BY place, received_at, seq LIMIT ?{self._sql.row_skip}",
            (limit,),
        )
        return [rows.to_inbox(row) for row in found]

    def alert(self, fingerprint: str) -> PresentAlert | None:
        found = self._alerts("WHERE fingerprint = ?" + self._sql.row_lock, (fingerprint,))
        return found[0] if found else None

    def alerts(self) -> Sequence[PresentAlert]:
        return self._alerts("ORDER BY started_at, fingerprint", ())

    def probe_states(self, probe: str | None = None) -> Sequence[ProbeState]:
        only = "" if probe is None else "WHERE s.probe = ?"
        found = self._sql.rows(
            "SELECT s.probe, s.location, s.slot_at, s.state, k.kept_at, k.kept"  # noqa: S608
            " FROM probe_states s LEFT JOIN probe_kept k"
            " ON k.probe = s.probe AND k.location = s.location AND k.kept_at = s.kept_at"
            f" {only} ORDER BY s.probe, s.location",
            () if probe is None else (probe,),
        )
        return [rows.to_probe_state(row) for row in found]

    def incidents(
        self, *, status: Sequence[str] = (), limit: int = 100, before: datetime | None = None
    ) -> Sequence[IncidentRow]:
        conditions, values = ["1 = 1"], list[object]()
        if status:
            conditions.append(f"status IN ({_marks(status)})")
            values += [str(one) for one in status]
        if before is not None:
            conditions.append("opened_at < ?")
            values.append(micros(before))
        return self._incidents(
            f"WHERE {' AND '.join(conditions)} ORDER BY opened_at DESC, incident DESC LIMIT ?",
            (*values, limit),
        )

    def incident(self, incident: str) -> IncidentRow | None:
        found = self._incidents("WHERE incident = ?", (incident,))
        return found[0] if found else None

    def document(self, digest: str) -> Document | None:
        found = self._sql.rows(
            "SELECT digest, kind, id, body FROM documents WHERE digest = ?", (digest,)
        )
        return rows.to_document(found[0]) if found else None

    def activations(self, at: datetime) -> Sequence[Activation]:
        found = self._sql.rows(
            "SELECT a.at, a.kind, a.id, a.digest FROM activations a JOIN"
            " (SELECT kind, id, max(at) AS at FROM activations WHERE at <= ? GROUP BY kind, id) l"
            " ON l.kind = a.kind AND l.id = a.id AND l.at = a.at"
            " WHERE a.digest IS NOT NULL ORDER BY a.kind, a.id",
            (micros(at),),
        )
        return [Activation(instant(row[0]), *row[1:]) for row in found]

    def evidence(self, digest: str) -> bytes | None:
        found = self._sql.rows("SELECT body FROM evidence WHERE digest = ?", (digest,))
        return decompress(found[0][0]) if found else None

    def results(
        self, probe: str, from_at: datetime, to_at: datetime, limit: int = 1000
    ) -> Sequence[CheckResult]:
        return samples.results(self._sql, probe, from_at=from_at, to_at=to_at, limit=limit)

    def checked(
        self, series: Collection[tuple[str, str]], from_at: datetime, to_at: datetime
    ) -> Sequence[Checked]:
        return samples.checked(self._sql, series, from_at=from_at, to_at=to_at)

    def rollups(self, probe: str, from_at: datetime, to_at: datetime) -> Sequence[Rollup]:
        return samples.rollups(self._sql, probe, from_at=from_at, to_at=to_at)

    def unrolled(self) -> Sequence[datetime]:
        found = self._sql.rows("SELECT bucket_at FROM rollup_due ORDER BY bucket_at")
        return [instant(row[0]) for row in found]

    def _works(self, rest: str, values: Sequence[object]) -> list[Work]:
        found = self._sql.rows(f"SELECT {rows.WORK_COLUMNS} FROM work {rest}", values)  # noqa: S608
        return [rows.to_work(row) for row in found]

    def _alerts(self, rest: str, values: Sequence[object]) -> list[PresentAlert]:
        found = self._sql.rows(f"SELECT {rows.ALERT_COLUMNS} FROM alerts {rest}", values)  # noqa: S608
        return [rows.to_alert(row) for row in found]

    def _incidents(self, rest: str, values: Sequence[object]) -> list[IncidentRow]:
        found: list[Row] = self._sql.rows(
            f"SELECT {rows.INCIDENT_COLUMNS} FROM incidents {rest}",  # noqa: S608
            values,
        )
        return [rows.to_incident(row) for row in found]


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
