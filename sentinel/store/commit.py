"""One writer thread with group commit: many transactions, one COMMIT.

Callers put transactions into a queue; the thread takes all that wait (at most 256), locks
the union of their streams in name order, runs each inside its own savepoint and commits
once. A transaction whose ``decide`` raises is rolled back to its savepoint and fails alone;
when the database itself refuses, the whole batch fails with JournalUnavailable and nothing
of it was written. Nobody is answered before the COMMIT has returned.

The connection is opened lazily and thrown away after every refusal, so the journal is well
again as soon as the database is.
"""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from sentinel.errors import JournalUnavailable
from sentinel.store.journal import Change, View
from sentinel.store.read import SqlView
from sentinel.store.samples import Interned
from sentinel.store.sql import Conflict, ConnectionLost, Link, Unreachable
from sentinel.store.write import Writer

MAX_BATCH = 256
MAX_RUNS = 6
"""How often a batch is run when other writers keep getting in between."""

Decide = Callable[[View], tuple[Change, Any]]
Operation = Callable[[Writer], tuple[Any, bool]]
"""Writes through a `Writer`; returns the answer, and whether work or inbox rows were written."""


@dataclass(slots=True)
class Transaction:
    """One caller's request, and what came of it."""

    streams: Sequence[str]
    operation: Operation
    loop: asyncio.AbstractEventLoop | None = None
    future: "asyncio.Future[Any] | None" = None
    answer: Any = None
    failure: Exception | None = None
    wakes: bool = False


def decision(streams: Sequence[str], decide: Decide, *, now: datetime) -> Operation:
    """What `Journal.transact` runs: decide on a view, then write the change."""

    def operate(writer: Writer) -> tuple[Any, bool]:
        change, answer = decide(SqlView(writer.sql))
        writer.write(change, locked=streams, now=now)
        return answer, bool(change.work or change.inbox)

    return operate


@dataclass(slots=True)
class _Listener:
    loop: asyncio.AbstractEventLoop
    wake: Callable[[], None]


@dataclass(slots=True)
class Committer:
    """The writer of one journal. `open_link` opens its connection; `after` is called with each
    committed batch's transactions, in the writer's thread."""

    open_link: Callable[[], Link]
    _link: Link | None = None
    _interned: Interned = field(default_factory=Interned)
    _committing: bool = False
    _listeners: list[_Listener] = field(default_factory=list)

    def listen(self, wake: Callable[[], None]) -> None:
        """Call `wake` on the running event loop after each commit that wrote work or inbox rows."""
        self._listeners.append(_Listener(asyncio.get_running_loop(), wake))

    def wake_all(self) -> None:
        """Wake every listener; may be called from any thread."""
        for listener in tuple(self._listeners):
            _call_on(listener.loop, listener.wake)

    def run(self, batch: Sequence[Transaction]) -> None:
        """Run and commit a batch, and leave answer or failure in each transaction."""
        for attempt in range(1, MAX_RUNS + 1):
            try:
                self._commit(batch)
                break
            except Conflict as conflict:
                self._abandon()
                if attempt == MAX_RUNS:
                    _fail(batch, f"other writers kept getting in between: {conflict}")
            except Unreachable as refused:
                self.drop_link()
                if isinstance(refused, ConnectionLost) and attempt == 1 and not self._committing:
                    continue  # it broke while idle; nothing was sent to be committed
                _fail(batch, str(refused))
                break
        if any(one.wakes and one.failure is None for one in batch):
            self.wake_all()

    def look(self, look: Callable[[Link], Any]) -> Any:
        """Read through the writer's own connection; for stores that no other one can see."""
        try:
            link = self._linked()
            link.begin_reading()
            try:
                return look(link)
            finally:
                link.roll_back()
        except Unreachable as refused:
            self.drop_link()
            raise JournalUnavailable(str(refused)) from refused

    def drop_link(self) -> None:
        """Close the connection; the next batch opens another."""
        self._abandon()
        if self._link is not None:
            self._link.close()
            self._link = None

    def _linked(self) -> Link:
        if self._link is None:
            self._link = self.open_link()
        return self._link

    def _commit(self, batch: Sequence[Transaction]) -> None:
        self._committing = False
        link = self._linked()
        link.begin_writing(sorted({stream for one in batch for stream in one.streams}))
        writer = Writer(link, self._interned)
        for one in batch:
            self._run_one(link, writer, one)
        if any(one.wakes and one.failure is None for one in batch):
            link.announce()
        self._committing = True
        link.commit()
        self._interned.settle()

    def _run_one(self, link: Link, writer: Writer, one: Transaction) -> None:
        one.answer, one.failure, one.wakes = None, None, False
        link.run("SAVEPOINT one")
        try:
            one.answer, one.wakes = one.operation(writer)
        except (Conflict, Unreachable):
            raise
        except Exception as failure:
            one.failure, one.wakes = failure, False
            self._interned.forget()
            link.run("ROLLBACK TO SAVEPOINT one")
        link.run("RELEASE SAVEPOINT one")

    def _abandon(self) -> None:
        self._interned.forget()
        if self._link is not None:
            self._link.roll_back()


class CommitThread:
    """Runs a `Committer` in a thread of its own and answers on the callers' event loops."""

    def __init__(self, committer: Committer, *, name: str) -> None:
        self._committer = committer
        self._queue: queue.SimpleQueue[Transaction | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._open = True
        self._unanswered = 0
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether a transaction is under way; read on the event loop only."""
        return self._unanswered > 0

    async def run(self, streams: Sequence[str], operation: Operation) -> Any:
        if not self._open:
            raise JournalUnavailable("the journal is closed")
        loop = asyncio.get_running_loop()
        one = Transaction(streams, operation, loop, loop.create_future())
        assert one.future is not None
        self._unanswered += 1
        one.future.add_done_callback(self._answered)
        self._queue.put(one)
        return await one.future

    async def stop(self) -> None:
        """Take nothing more, finish what waits, then end the thread."""
        if self._open:
            self._open = False
            self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _answered(self, _: object) -> None:
        self._unanswered -= 1

    def _serve(self) -> None:
        going = True
        while going:
            batch, going = self._next_batch()
            if batch:
                self._committer.run(batch)
                _answer(batch)
        self._committer.drop_link()

    def _next_batch(self) -> tuple[list[Transaction], bool]:
        batch: list[Transaction] = []
        one = self._queue.get()
        while one is not None:
            batch.append(one)
            if len(batch) >= MAX_BATCH:
                return batch, True
            try:
                one = self._queue.get_nowait()
            except queue.Empty:
                return batch, True
        return batch, False


def _fail(batch: Sequence[Transaction], why: str) -> None:
    for one in batch:
        one.answer, one.wakes = None, False
        one.failure = JournalUnavailable(why)


def _answer(batch: Sequence[Transaction]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[Transaction]] = {}
    for one in batch:
        if one.loop is not None:
            by_loop.setdefault(one.loop, []).append(one)
    for loop, answered in by_loop.items():
        _call_on(loop, partial(_resolve, answered))


def _resolve(answered: Sequence[Transaction]) -> None:
    for one in answered:
        if one.future is None or one.future.done():
            continue  # the caller was cancelled meanwhile; what it asked for is committed
        if one.failure is not None:
            one.future.set_exception(one.failure)
        else:
            one.future.set_result(one.answer)


def _call_on(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    # A loop that has closed has nobody left who waits.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(call)
