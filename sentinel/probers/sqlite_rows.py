"""SQLite for the kind `sql`: the standard library's, opened so that it can change nothing."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from sentinel.probers.sqlrows import MOST_COLUMNS, Answered, Asked

_STEPS = 1000
"""Of SQLite's machine between two looks at the clock."""
_LONGEST = 1 << 20
"""Bytes of one value or row; SQLite refuses longer ones."""


def ask(asked: Asked, now: Callable[[], float]) -> Answered:
    """Ask one query; blocks until `asked.deadline` at most. Never raises for what the file holds."""
    answered = Answered()
    started = now()
    if not Path(asked.database).is_file():
        return Answered("no_such_file", f"there is no file {asked.database}")
    try:
        connection = sqlite3.connect(
            f"file:{quote(asked.database)}?mode=ro",
            uri=True,
            timeout=max(asked.deadline - started, 0.0),
            isolation_level=None,
        )
    except sqlite3.Error as error:
        return Answered("open_failed", str(error))
    try:
        _restrict(connection, asked.deadline, now)
        answered.phases["connect"] = now() - started
        started = now()
        _read(connection, asked.query, answered)
    except sqlite3.Error as error:
        _explain(error, answered, late=now() >= asked.deadline)
    finally:
        answered.phases["query"] = now() - started
        connection.close()
    return answered


def _restrict(connection: sqlite3.Connection, deadline: float, now: Callable[[], float]) -> None:
    """No other file, no value without end, no time beyond the deadline."""
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
    connection.setlimit(sqlite3.SQLITE_LIMIT_COLUMN, MOST_COLUMNS)
    connection.execute("PRAGMA query_only = on")
    connection.set_progress_handler(lambda: int(now() >= deadline), _STEPS)
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")


def _read(connection: sqlite3.Connection, query: str, answered: Answered) -> None:
    cursor = connection.execute(query)
    columns = [column[0] for column in cursor.description or ()]
    for values in cursor:
        if not answered.take(columns, values):
            return


def _explain(error: sqlite3.Error, answered: Answered, *, late: bool) -> None:
    answered.text = str(error)
    answered.code = getattr(error, "sqlite_errorname", "")
    primary = "_".join(answered.code.split("_")[:2])
    match primary:
        case "SQLITE_INTERRUPT" | "SQLITE_BUSY" | "SQLITE_LOCKED":
            answered.reason = "timeout" if late or primary == "SQLITE_INTERRUPT" else "locked"
        case "SQLITE_READONLY" | "SQLITE_AUTH":
            answered.reason = "write_refused"
        case "SQLITE_NOTADB" | "SQLITE_CORRUPT" | "SQLITE_CANTOPEN" | "SQLITE_IOERR":
            answered.reason = "open_failed"
        case _:
            answered.reason = "query_failed"
