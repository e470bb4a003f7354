"""Which journal an address means. The one place that loads a store, so that SQLite users need
not install the PostgreSQL driver."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import cast

from sentinel.errors import ExtraMissing
from sentinel.store.journal import Journal
from sentinel.store.sql import Link, Unreachable
from sentinel.store.sqlite import SqliteJournal, SqliteLink

_POSTGRES = ("postgresql://", "postgres://")


def is_postgres(where: str) -> bool:
    """Whether an address is a PostgreSQL URL rather than a file's path."""
    return where.startswith(_POSTGRES)


def open_journal(where: str) -> Journal:
    """The journal at ``postgresql://…``, or in the SQLite file of that path (``:memory:``: nowhere).

    Blocks while it connects and migrates. Raises JournalUnavailable, StoreTooNew, ExtraMissing.
    """
    if not is_postgres(where):
        return SqliteJournal.open(where)
    return cast(Journal, _postgres().PostgresJournal.open(where))


def open_link(where: str, *, writes: bool) -> Link:
    """One bare connection, for backups and proofs. Raises ``sql.Unreachable``, ExtraMissing; also
    Unreachable for a SQLite file that is not there, rather than make one to read from."""
    if is_postgres(where):
        return cast(Link, _postgres().PostgresLink(where))
    if not writes and not Path(where).is_file():
        raise Unreachable(f"{where} is not there")
    return SqliteLink(where, writes=writes)


def _postgres() -> ModuleType:
    try:
        return importlib.import_module("sentinel.store.postgres")
    except ModuleNotFoundError as missing:
        raise ExtraMissing(
            f"a PostgreSQL store needs the package `{missing.name}`: pip install 'sentinel[postgres]'"
        ) from missing
