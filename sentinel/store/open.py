"""Which journal an address means. The one place that loads a store, so that SQLite users need
not install the PostgreSQL driver."""

import importlib
from typing import cast

from sentinel.errors import ExtraMissing
from sentinel.store.journal import Journal
from sentinel.store.sqlite import SqliteJournal

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
    try:
        postgres = importlib.import_module("sentinel.store.postgres")
    except ModuleNotFoundError as missing:
        raise ExtraMissing(
            f"a PostgreSQL store needs the package `{missing.name}`: pip install 'sentinel[postgres]'"
        ) from missing
    return cast(Journal, postgres.PostgresJournal.open(where))
