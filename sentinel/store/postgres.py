"""The journal of a cluster: PostgreSQL, the same contract and the same SQL as the embedded one.

A transaction locks its streams' rows with ``SELECT … FOR UPDATE`` in name order, so two
nodes that decide on one stream take turns and no two can wait for each other in a circle.
Work and inbox rows that a decision reads one by one, or as due, are locked with it; those
another node holds are left out of lists. Conflicts that PostgreSQL finds (deadlock,
serialisation) make the batch run again.

Commits that wrote work or inbox rows send one NOTIFY per batch, which wakes the other
nodes. LISTEN and session settings need a direct connection, not a transaction-pooling
proxy. A connection that was lost is opened anew at the next use; until that succeeds
every call raises JournalUnavailable. When it was lost during COMMIT, whether the batch
was committed is not known: decide again on what is there.
"""

import contextlib
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

import psycopg
from psycopg import errors

from sentinel.errors import JournalUnavailable
from sentinel.store import retention
from sentinel.store.commit import Committer, CommitThread, decision
from sentinel.store.journal import Change, Keep, View
from sentinel.store.migrate import migrate, migrations
from sentinel.store.read import SqlView
from sentinel.store.reading import Readers
from sentinel.store.sql import Conflict, ConnectionLost, Row, Sql, Unreachable, Values
from sentinel.timeline.chain import FIRST_PREV

T = TypeVar("T")

READERS = 2
WAKE_CHANNEL = "sentinel_work"
_CONNECT_TIMEOUT_S = 5
_LISTEN_TURN_S = 0.25
_RECONNECT_AFTER_S = 1.0
_MIGRATION_LOCK = 0x5E4714E1
_SETTINGS = (
    "SET lock_timeout = '5s'",
    "SET statement_timeout = '30s'",
    # A node that freezes inside a transaction must not hold its streams for ever.
    "SET idle_in_transaction_session_timeout = '15s'",
    "SET synchronous_commit = on",
)
_KEEPALIVES: dict[str, Any] = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}


class PostgresLink:
    """One connection to PostgreSQL; see ``sql.Link``. `node` marks our own NOTIFYs."""

    dialect = "postgres"

    def __init__(self, url: str, *, node: str = "") -> None:
        self._node = node
        self.row_lock = ""
        self.row_skip = ""
        try:
            self._connection = _connect(url)
        except psycopg.Error as refused:
            raise Unreachable(f"PostgreSQL: {refused}") from refused

    def rows(self, statement: str, values: Values = ()) -> list[Row]:
        with self._unreachable():
            found: list[Any] = self._execute(statement, values).fetchall()
            return found

    def run(self, statement: str, values: Values = ()) -> int:
        with self._unreachable():
            return self._execute(statement, values).rowcount

    def run_many(self, statement: str, values: Sequence[Values]) -> None:
        with self._unreachable(), self._connection.cursor() as cursor:
            cursor.executemany(_marked(statement), values)

    def begin_writing(self, streams: Sequence[str]) -> None:
        self.row_lock, self.row_skip = " FOR UPDATE", " FOR UPDATE SKIP LOCKED"
        self.run("BEGIN")
        if not streams:
            return
        names = list(streams)
        self.run(
            "INSERT INTO streams (name, version, hash) SELECT name, 0, ? FROM unnest(?::text[]) name"
            " ON CONFLICT DO NOTHING",
            (FIRST_PREV, names),
        )
        self.rows("SELECT 1 FROM streams WHERE name = ANY(?) ORDER BY name FOR UPDATE", (names,))

    def begin_reading(self) -> None:
        self.row_lock, self.row_skip = "", ""
        self.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def commit(self) -> None:
        self.run("COMMIT")

    def roll_back(self) -> None:
        with contextlib.suppress(
            psycopg.Error
        ):  # the connection is gone, and its transaction with it
            if self._connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                self._connection.execute("ROLLBACK")

    def announce(self) -> None:
        self.rows("SELECT pg_notify(?, ?)", (WAKE_CHANNEL, self._node))

    def close(self) -> None:
        with contextlib.suppress(psycopg.Error):  # it was lost before
            self._connection.close()

    def _execute(self, statement: str, values: Values) -> "psycopg.Cursor[Any]":
        return self._connection.execute(_marked(statement), values or None)

    @contextlib.contextmanager
    def _unreachable(self) -> Iterator[None]:
        """Our own mistakes (constraints, types) pass as they are; the rest is the store's refusal."""
        try:
            yield
        except (errors.SerializationFailure, errors.DeadlockDetected) as between:
            raise Conflict(str(between)) from between
        except (
            psycopg.IntegrityError,
            psycopg.ProgrammingError,
            psycopg.DataError,
            psycopg.NotSupportedError,
        ):
            raise
        except psycopg.Error as refused:
            lost = self._connection.broken or self._connection.closed
            sort = ConnectionLost if lost else Unreachable
            raise sort(f"PostgreSQL: {refused}") from refused


def _connect(url: str) -> "psycopg.Connection[Any]":
    connection = psycopg.connect(
        url, autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S, **_KEEPALIVES
    )
    for setting in _SETTINGS:
        connection.execute(setting)
    return connection


@lru_cache(maxsize=1024)
def _marked(statement: str) -> str:
    """The statement with PostgreSQL's marks for values; ours hold no other ``?`` and no ``%``."""
    return statement.replace("?", "%s")


class Listener:
    """A thread that hears other nodes' commits and calls `heard`, also after every reconnection."""

    def __init__(self, url: str, *, node: str, heard: Callable[[], None]) -> None:
        self._url = url
        self._node = node
        self._heard = heard
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="sentinel-listener", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Blocks for up to a quarter of a second."""
        self._stop.set()
        self._thread.join()

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                self._listen()
            except psycopg.Error:
                # The writer reports the outage; here it is enough to come back.
                self._stop.wait(_RECONNECT_AFTER_S)

    def _listen(self) -> None:
        with _connect(self._url) as connection:
            connection.execute(f"LISTEN {WAKE_CHANNEL}")
            self._heard()
            while not self._stop.is_set():
                for notify in connection.notifies(timeout=_LISTEN_TURN_S):
                    if notify.payload != self._node:
                        self._heard()


class PostgresJournal:
    """``journal.Journal`` on a PostgreSQL database. Make it with `open`."""

    def __init__(self, url: str) -> None:
        node = uuid.uuid4().hex
        self._committer = Committer(lambda: PostgresLink(url, node=node))
        self._writer = CommitThread(self._committer, name="sentinel-writer")
        self._readers = Readers(lambda: PostgresLink(url), threads=READERS, name="sentinel-reader")
        self._listener = Listener(url, node=node, heard=self._committer.wake_all)

    @classmethod
    def open(cls, url: str) -> "PostgresJournal":
        """Open ``postgresql://…`` (several hosts and ``target_session_attrs=read-write`` for a
        failover pair), migrated if need be. Raises JournalUnavailable, StoreTooNew,
        ``sql.StoreDamaged``."""
        try:
            link = PostgresLink(url)
            try:
                link.rows("SELECT pg_advisory_lock(?)", (_MIGRATION_LOCK,))
                migrate(link, migrations("postgres"))
            finally:
                link.close()
        except (Unreachable, Conflict) as refused:
            raise JournalUnavailable(str(refused)) from refused
        return cls(url)

    @property
    def shared(self) -> bool:
        """Always: nodes of several locations may work on one database."""
        return True

    @property
    def busy(self) -> bool:
        """Whether a transaction is under way; read on the event loop only."""
        return self._writer.busy

    async def transact(
        self, streams: Sequence[str], decide: Callable[[View], tuple[Change, T]], *, now: datetime
    ) -> T:
        answer: T = await self._writer.run(streams, decision(streams, decide, now=now))
        return answer

    async def view(self, look: Callable[[View], T]) -> T:
        return await self._readers.look(lambda sql: look(SqlView(sql)))

    async def operate(self, change: Callable[[Sql], T]) -> T:
        """Run statements in a transaction of their own; for the store's own upkeep."""
        answer: T = await self._writer.run((), lambda writer: (change(writer.sql), False))
        return answer

    async def inspect(self, look: Callable[[Sql], T]) -> T:
        """Run reading statements on one consistent state; for the store's own upkeep."""
        return await self._readers.look(look)

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
        await self._readers.stop()
        await self._writer.stop()
        self._listener.stop()
