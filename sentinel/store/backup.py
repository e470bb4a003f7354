"""Copies of a store that are right, and the proof that one is.

A backup is always one SQLite file, whichever store it comes from, and restores into either;
so it is also how an installation moves from SQLite to PostgreSQL or back. It is taken from
one consistent state while Sentinel goes on. The file appears under its name only when it is
whole and on the disk, with mode 0600: it holds whatever the store holds.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from sentinel.errors import JournalUnavailable
from sentinel.store.migrate import check_notes, migrate, migrations, read_notes
from sentinel.store.open import is_postgres, open_link
from sentinel.store.sql import Conflict, Link, Row, Unreachable
from sentinel.store.sqlite import SqliteLink

COPIED_ROWS = 2_000
"""Rows read and written at a time."""
_MOST_PAGES = 10_000_000

TABLES = {
    "streams": ("name", "version, hash"),
    "facts": (
        "stream, version",
        "type, v, occurred_at, recorded_at, data, text, salt, text_hash, hash",
    ),
    "work": (
        "key",
        "kind, due_at, free_at, attempt, owner, epoch, lease_until_at, incidents, body",
    ),
    "work_incidents": ("incident, key", ""),
    "inbox": ("seq", "id, place, kind, received_at, body"),
    "alerts": (
        "fingerprint",
        "source, labels, severity, started_at, ends_at, incident, muted_by, probe, reason, summary",
    ),
    "incidents": (
        "incident",
        "status, severity, title, labels, opened_at, changed_at, resolved_at, holder, version",
    ),
    "probe_states": ("probe, location", "slot_at, state, kept_at"),
    "probe_kept": ("probe, location", "kept_at, kept"),
    "documents": ("digest", "kind, id, body"),
    "activations": ("kind, id, at", "digest"),
    "evidence": ("digest", "kept_at, size_bytes, body"),
    "evidence_pins": ("digest", ""),
    "series": ("id", "probe, location"),
    "shapes": ("id", "body"),
    "results": ("seq", "window_at, part, series, due_at, body"),
    "rollups": ("series, bucket_at", "body"),
    "rollup_due": ("bucket_at", "stamp"),
    "marks": ("name", "value"),
}
"""Every table but ``migrations``: its key's columns, and the others."""


def backup(where_from: str, path_to: Path) -> None:
    """Copy the store at `where_from` (a path or ``postgresql://…``) into a new SQLite file.

    Raises FileExistsError rather than replace a file, JournalUnavailable when either side refuses.
    """
    if path_to.exists():
        raise FileExistsError(f"{path_to} is there already: choose another name")
    beginning = path_to.with_name(f".{path_to.name}.part")
    with _refusals():
        try:
            _make_private(beginning)
            if is_postgres(where_from):
                _copy_from_postgres(where_from, beginning)
            else:
                _copy_file(Path(where_from), beginning)
            _to_disk(beginning)
            os.replace(beginning, path_to)
            _to_disk(path_to.parent)
        finally:
            beginning.unlink(missing_ok=True)


def restore(path_from: Path, where_to: str) -> None:
    """Bring a backup back into a store that is new or empty, which is migrated if need be.

    Raises FileNotFoundError, FileExistsError when `where_to` holds anything, JournalUnavailable,
    StoreTooNew. Stop Sentinel first; ask `verify` what the backup is worth first.
    """
    if not path_from.is_file():
        raise FileNotFoundError(f"{path_from} is not there")
    if not is_postgres(where_to):
        backup(str(path_from), Path(where_to))
        return
    with (
        _refusals(),
        contextlib.closing(open_link(str(path_from), writes=False)) as source,
        contextlib.closing(open_link(where_to, writes=True)) as sink,
    ):
        source.begin_reading()
        check_notes(read_notes(source), migrations("sqlite"))
        migrate(sink, migrations("postgres"))
        sink.begin_writing(())
        for table in TABLES:
            if sink.rows(f"SELECT 1 FROM {table} LIMIT 1"):  # noqa: S608
                raise FileExistsError(f"the store to restore into is not empty: {table}")
            _copy_table(source, sink, table)
        sink.commit()


def _copy_from_postgres(url: str, path_to: Path) -> None:
    with (
        contextlib.closing(open_link(url, writes=False)) as source,
        contextlib.closing(SqliteLink(str(path_to), writes=True)) as sink,
    ):
        migrate(sink, migrations("sqlite"))
        source.begin_reading()
        sink.begin_writing(())
        for table in TABLES:
            _copy_table(source, sink, table)
        sink.commit()
        sink.rows("PRAGMA wal_checkpoint(TRUNCATE)")


def _copy_table(source: Link, sink: Link, table: str) -> None:
    """Copy by the key's order, a slice at a time, so that no table need fit into memory."""
    keys, others = TABLES[table]
    columns = f"{keys}, {others}" if others else keys
    marks = ", ".join("?" for _ in columns.split(","))
    insert = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608
    for part in _slices(source, table, keys, columns):
        sink.run_many(insert, part)
    if keys == "seq" and sink.dialect == "postgres":
        sink.rows(
            f"SELECT setval(pg_get_serial_sequence('{table}', 'seq'),"  # noqa: S608
            f" coalesce(max(seq), 0) + 1, false) FROM {table}"
        )


def _slices(source: Link, table: str, keys: str, columns: str) -> Iterator[list[Row]]:
    width = len(keys.split(","))
    after = f"WHERE ({keys}) > ({', '.join('?' * width)})"
    where, values = "", Row()
    for _ in range(_MOST_PAGES):
        part = source.rows(
            f"SELECT {columns} FROM {table} {where} ORDER BY {keys} LIMIT {COPIED_ROWS}",  # noqa: S608
            values,
        )
        if part:
            yield part
        if len(part) < COPIED_ROWS:
            return
        where, values = after, part[-1][:width]


def _copy_file(path_from: Path, path_to: Path) -> None:
    if not path_from.is_file():
        raise JournalUnavailable(f"{path_from} is not there")
    source = sqlite3.connect(f"{path_from.resolve().as_uri()}?mode=ro", uri=True)
    sink = sqlite3.connect(path_to)
    try:
        source.backup(sink)
        # One file, with nothing beside it.
        sink.execute("PRAGMA journal_mode = DELETE")
    finally:
        sink.close()
        source.close()


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except (Unreachable, Conflict, sqlite3.Error) as refused:
        raise JournalUnavailable(str(refused)) from refused


def _make_private(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _to_disk(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
