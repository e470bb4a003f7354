"""Commits what the watcher finds: at least once a second, at once when a verdict changed.

*At once* is the next turn of the event loop, so that whatever changes in one turn is one commit;
and while one commit is under way all that comes waits for the next. When the journal refuses, the
batch waits on within its bounds and is tried again every second, and `on_journal` is told each
time, so that the node knows when to go into blind mode (rule 33).
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from sentinel.clock import Clock
from sentinel.engine.batch import Batch
from sentinel.engine.runner import Runner
from sentinel.errors import JournalUnavailable
from sentinel.metrics.registry import Metrics
from sentinel.monitor.probe import CheckResult
from sentinel.store.journal import InboxRow, Journal, ProbeState

WITHIN = timedelta(seconds=1)


class Committer:
    """Owns the batch. Before `start` it only collects. Used from one event loop."""

    def __init__(
        self,
        *,
        location: str,
        journal: Journal,
        clock: Clock,
        metrics: Metrics,
        on_journal: Callable[[bool], None],
        on_fault: Callable[[BaseException], None],
    ) -> None:
        """`on_fault` is told what a journal may not raise."""
        self._journal = journal
        self._clock = clock
        self._metrics = metrics
        self._on_journal = on_journal
        self._on_fault = on_fault
        self._batch = Batch(location, on_dropped=metrics.results_dropped.inc)
        self._started = False
        self._urgent = False
        self._timer: asyncio.Task[None] | None = None
        self._committing: asyncio.Task[None] | None = None
        metrics.results_held.set_function(lambda: self._batch.results)

    def add(self, runner: Runner, result: CheckResult, *, steady: bool) -> None:
        """A result and the state it led to; `steady` when only counts changed in that."""
        self._batch.add(runner, result, steady=steady)
        if self._timer is None:
            self._arm()

    def touch(self, runner: Runner) -> None:
        """A state that changed without a result."""
        self._batch.touch(runner)
        self._arm()

    def keep(self, digest: str, content: bytes) -> None:
        """Evidence, for the same commit as the result that is added next."""
        self._batch.keep(digest, content)

    def drop(self, row: ProbeState) -> None:
        """The last row of a probe that is gone."""
        self._batch.drop(row)

    def tell(self, about: str, row: InboxRow, *, urgent: bool = True) -> None:
        """A row for the responder, committed at once, or with the next commit if not `urgent`."""
        self._batch.tell(about, row)
        if not urgent:
            self._arm()
        elif not self._urgent:
            self._urgent = True
            if self._started:
                asyncio.get_running_loop().call_soon(self._go)

    def start(self) -> None:
        """Commit from now on."""
        self._started = True
        self._go()

    async def close(self) -> None:
        """Commit what waits, once, and commit no more."""
        self._started = False
        if self._timer is not None:
            self._timer.cancel()
        if self._committing is not None:
            await asyncio.wait([self._committing])
        self._batch.hurry()
        if self._batch:
            await self._commit()

    def _arm(self) -> None:
        if self._started and self._timer is None and self._committing is None:
            self._timer = asyncio.create_task(self._later())

    async def _later(self) -> None:
        await self._clock.sleep_until(self._clock.now() + WITHIN)
        self._timer = None
        self._go()

    def _go(self) -> None:
        if self._started and self._committing is None and self._batch:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._committing = asyncio.create_task(self._commit_and_go_on())

    async def _commit_and_go_on(self) -> None:
        try:
            took = await self._commit()
        except Exception as fault:
            self._on_fault(fault)
            return
        finally:
            self._committing = None
        if took and self._urgent:
            self._go()
        elif self._batch:
            self._arm()

    async def _commit(self) -> bool:
        """Commit what waits; False: the journal refused, and it waits on."""
        taken = self._batch.take(self._clock.now())
        self._urgent = False
        began = self._clock.monotonic()
        try:
            await self._journal.transact((), taken.decide, now=self._clock.now())
        except JournalUnavailable as refused:
            self._batch.give_back(taken)
            self._metrics.commits.labels("refused").inc()
            self._metrics.failures.labels(refused.reason.value).inc()
            self._on_journal(False)
            return False
        self._metrics.commits.labels("ok").inc()
        self._metrics.commit_seconds.observe(self._clock.monotonic() - began)
        self._on_journal(True)
        return True
