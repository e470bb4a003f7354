"""The embedded journal: one SQLite file, WAL, synchronous FULL, one writer with group commit.

FULL is the only mode: with group commit it costs little, and NORMAL may lose committed
pages in a power cut. Other processes may read the file while it is in use (backups do),
and a second writer is kept out by SQLite's own lock for as long as a batch takes.

``:memory:`` is a journal for rehearsals and tests: transactions then run at once, on the
caller's thread, so that a run with a manual clock is the same every time.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sentinel.errors import JournalUnavailable
from sentinel.store import retention
from sentinel.store.commit import Committer, CommitThread, Operation, Transaction, decision
from sentinel.store.journal import Change, Keep, View
from sentinel.store.migrate import migrate, migrations
from sentinel.store.read import SqlView
from sentinel.store.reading import Readers
from sentinel.store.sql import Link, Row, Sql, Unreachable, Values

T = TypeVar("T")

MEMORY = ":memory:"
BUSY_FOR = timedelta(seconds=5)
"""How long to wait for another process that writes to the same file."""
READERS = 2
_WAL_PAGES = 4_000
"""A checkpoint copies pages back about every 16 MB of log."""
_WAL_KEPT_BYTES = 64 * 1024 * 1024


class SqliteLink:
    """One connection to a SQLite file; see ``sql.Link``."""

    dialect = "sqlite"
    row_lock = ""
    row_skip = ""

    def __init__(
        self, path: str, *, writes: bool, max_pages: int = 0, busy_for: timedelta = BUSY_FOR
    ) -> None:
        with _unreachable():
            self._connection = sqlite3.connect(
                path,
                isolation_level=None,
                check_same_thread=False,
                timeout=busy_for.total_seconds(),
                cached_statements=256,
            )
        try:
            self._prepare(writes=writes, max_pages=max_pages)
        except Unreachable:
            self.close()
            raise

    def _prepare(self, *, writes: bool, max_pages: int) -> None:
        if not writes:
            self.run("PRAGMA query_only = ON")
            return
        # Redacted text must not survive in the free space of its page.
        self.run("PRAGMA secure_delete = FAST")
        self.run("PRAGMA journal_mode = WAL")
        self.run("PRAGMA synchronous = FULL")
        self.run(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
        self.run(f"PRAGMA journal_size_limit = {_WAL_KEPT_BYTES}")
        if max_pages:
            self.run(f"PRAGMA max_page_count = {max_pages}")

    def rows(self, statement: str, values: Values = ()) -> list[Row]:
        with _unreachable():
            return self._connection.execute(statement, values).fetchall()

    def run(self, statement: str, values: Values = ()) -> int:
        with _unreachable():
            return self._connection.execute(statement, values).rowcount

    def run_many(self, statement: str, values: Sequence[Values]) -> None:
        with _unreachable():
            self._connection.executemany(statement, values)

    def begin_writing(self, streams: Sequence[str]) -> None:
        """IMMEDIATE locks the whole file, and so every stream."""
        self.run("BEGIN IMMEDIATE")

    def begin_reading(self) -> None:
        self.run("BEGIN DEFERRED")

    def commit(self) -> None:
        self.run("COMMIT")

    def roll_back(self) -> None:
        with contextlib.suppress(
            sqlite3.Error
        ):  # the connection is gone, and its transaction with it
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def announce(self) -> None:
        """Nobody else works on this file."""

    def close(self) -> None:
        with contextlib.suppress(
            sqlite3.Error
        ):  # the file stays right: SQLite recovers it at the next open
            self._connection.close()


@contextlib.contextmanager
def _unreachable() -> Iterator[None]:
    """Our own mistakes (constraints, types) pass as they are; the rest is the store's refusal."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError):
        raise
    except sqlite3.DatabaseError as refused:
        raise Unreachable(f"SQLite: {refused}") from refused


class SqliteJournal:
    """``journal.Journal`` on one SQLite file. Make it with `open`."""

    def __init__(self, path: str, *, max_pages: int = 0, busy_for: timedelta = BUSY_FOR) -> None:
        def open_writer() -> SqliteLink:
            return SqliteLink(path, writes=True, max_pages=max_pages, busy_for=busy_for)

        def open_reader() -> SqliteLink:
            return SqliteLink(path, writes=False)

        self._committer = Committer(open_writer)
        self._writer: CommitThread | None = None
        self._readers: Readers | None = None
        self._looking = 0
        if path != MEMORY:
            self._writer = CommitThread(self._committer, name="sentinel-writer")
            self._readers = Readers(open_reader, threads=READERS, name="sentinel-reader")

    @classmethod
    def open(
        cls, path: str | Path, *, max_pages: int = 0, busy_for: timedelta = BUSY_FOR
    ) -> "SqliteJournal":
        """Open the file, made and migrated if need be, readable by its owner only.

        `max_pages` limits the file to so many pages of 4 KiB (0: no limit), `busy_for` how long
        another process's transaction is waited for. Raises JournalUnavailable, StoreTooNew, ``sql.StoreDamaged``.
        """
        if str(path) == MEMORY:
            return cls._open_memory()
        try:
            _touch_private(Path(path))
            link = SqliteLink(str(path), writes=True)
            try:
                migrate(link, migrations("sqlite"))
            finally:
                link.close()
        except (Unreachable, OSError) as refused:
            raise JournalUnavailable(f"{path}: {refused}") from refused
        return cls(str(path), max_pages=max_pages, busy_for=busy_for)

    @classmethod
    def _open_memory(cls) -> "SqliteJournal":
        link = SqliteLink(MEMORY, writes=True)
        migrate(link, migrations("sqlite"))
        once = iter((link,))

        def open_writer() -> Link:
            for only in once:
                return only
            raise Unreachable("a journal in memory is gone once it is closed")

        journal = cls(MEMORY)
        journal._committer = Committer(open_writer)
        return journal

    @property
    def shared(self) -> bool:
        """Never: the embedded store is one node's."""
        return False

    @property
    def busy(self) -> bool:
        """Whether a transaction or a look is under way; read on the event loop only."""
        return self._looking > 0 or (self._writer is not None and self._writer.busy)

    async def transact(
        self, streams: Sequence[str], decide: Callable[[View], tuple[Change, T]], *, now: datetime
    ) -> T:
        answer: T = await self._run(streams, decision(streams, decide, now=now))
        return answer

    async def view(self, look: Callable[[View], T]) -> T:
        return await self.inspect(lambda sql: look(SqlView(sql)))

    async def operate(self, change: Callable[[Sql], T]) -> T:
        """Run statements in a transaction of their own; for the store's own upkeep."""
        answer: T = await self._run((), lambda writer: (change(writer.sql), False))
        return answer

    async def inspect(self, look: Callable[[Sql], T]) -> T:
        """Run reading statements on one consistent state; for the store's own upkeep."""
        if self._readers is not None:
            self._looking += 1
            try:
                return await self._readers.look(look)
            finally:
                self._looking -= 1
        seen: T = self._committer.look(look)
        return seen

    async def _run(self, streams: Sequence[str], operation: Operation) -> Any:
        if self._writer is not None:
            return await self._writer.run(streams, operation)
        one = Transaction(streams, operation)
        self._committer.run([one])
        if one.failure is not None:
            raise one.failure
        return one.answer

    def woken(self, wake: Callable[[], None]) -> None:
        self._committer.listen(wake)

    async def roll_up(self, now: datetime) -> int:
        """Roll up every five minutes that are over; see ``retention.roll_up``."""
        return await retention.roll_up(self, now)

    async def prune(self, now: datetime, keep: Keep) -> int:
        """Roll up, then delete what is older than `keep` says; see ``retention.prune``."""
        return await retention.prune(self, now, keep)

    async def close(self) -> None:
        """Commit what waits, then close. Later calls raise JournalUnavailable."""
        if self._readers is not None:
            await self._readers.stop()
        if self._writer is not None:
            await self._writer.stop()
        else:
            self._committer.drop_link()


def _touch_private(path: Path) -> None:
    """Make the file with mode 0600 before SQLite would make it with the umask's."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
