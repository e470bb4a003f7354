"""A watcher on a clock turned by hand, a journal in memory, and probers that follow a script."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, ParamSpec, TypeVar

from sentinel.engine.redaction import Redactor
from sentinel.engine.watcher import Watcher
from sentinel.errors import JournalUnavailable
from sentinel.kinds import ProbeWorld
from sentinel.metrics.registry import Metrics
from sentinel.monitor.probe import CheckResult, Confirm, Evidence, Observation, Probe
from sentinel.monitor.verdict import Verdict, VerdictState
from sentinel.store.journal import Change, InboxRow, ProbeState, View
from sentinel.store.sqlite import SqliteJournal
from sentinel.testing import KnownSecrets, ManualClock
from sentinel.words import Outcome, Seconds
from tests.monitor.builders import NOON

P = ParamSpec("P")
T = TypeVar("T")
SECOND = timedelta(seconds=1)

Said = Observation | BaseException | Callable[[ProbeWorld], Awaitable[Observation]]


def played(story: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Run an asynchronous test to its end."""

    @functools.wraps(story)
    def play(*args: P.args, **keys: P.kwargs) -> None:
        async def whole() -> None:
            async with asyncio.timeout(20):
                await story(*args, **keys)

        asyncio.run(whole())

    return play


def good(**keys: Any) -> Observation:
    return Observation(**{"values": {}, "duration_s": 0.0, **keys})


def bad(reason: str = "status", **keys: Any) -> Observation:
    return good(reason=reason, **keys)


@dataclass
class Script:
    """What the checks of a probe see, one after another; the last stays. `worlds` is what they
    were given."""

    says: list[Said] = field(default_factory=lambda: [good()])
    worlds: list[ProbeWorld] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    def then(self, *says: Said) -> None:
        """From the next check on."""
        self.says = list(says)

    async def play(self, world: ProbeWorld) -> Observation:
        self.worlds.append(world)
        said = self.says[0] if len(self.says) == 1 else self.says.pop(0)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if isinstance(said, BaseException):
                raise said
            return said if isinstance(said, Observation) else await said(world)
        finally:
            self.at_once -= 1


@dataclass(frozen=True)
class Scripted:
    """A prober that does as it is told."""

    KIND: ClassVar[str] = "scripted"
    NAMES: ClassVar[Mapping[str, Any]] = {"status": "int"}
    script: Script = field(default_factory=Script, compare=False)
    at: str = "shop.acme.example"

    def host(self) -> str:
        return self.at

    async def observe(self, world: ProbeWorld) -> Observation:
        return await self.script.play(world)


def scripted(id: str = "acme-home", *, host: str = "shop.acme.example", **keys: Any) -> Probe:
    keys.setdefault("every_s", Seconds(60.0))
    keys.setdefault("confirm", Confirm(every_s=Seconds(10.0)))
    return Probe(id=id, prober=Scripted(Script(), host), **keys)


def script(probe: Probe) -> Script:
    assert isinstance(probe.prober, Scripted)
    return probe.prober.script


class Journal(SqliteJournal):
    """A real journal in memory that can be made to refuse, and remembers what it was told."""

    refuses = False
    changes: list[Change]
    gate: asyncio.Event | None = None
    """While it is there and not set, commits are under way and do not end."""

    async def transact(
        self, streams: Sequence[str], decide: Callable[[View], tuple[Change, T]], *, now: datetime
    ) -> T:
        if self.refuses:
            raise JournalUnavailable("the disk is full")

        if self.gate is not None:
            await self.gate.wait()

        def remembered(view: View) -> tuple[Change, T]:
            change, answer = decide(view)
            self.changes.append(change)
            return change, answer

        return await super().transact(streams, remembered, now=now)


def a_journal() -> Journal:
    journal = Journal.open(":memory:")
    assert isinstance(journal, Journal)
    journal.changes = []
    return journal


@dataclass
class Watch:
    """One run of a watcher, and what can be asked of it."""

    clock: ManualClock
    journal: Journal
    metrics: Metrics
    watcher: Watcher
    took: list[bool]
    running: asyncio.Task[None]
    redactor: Redactor

    async def advance(self, seconds: float) -> None:
        await self.clock.advance(timedelta(seconds=seconds))

    async def inbox(self) -> list[InboxRow]:
        return list(await self.journal.view(lambda view: view.inbox(1000)))

    async def results(self, probe: str = "acme-home") -> list[CheckResult]:
        """Oldest first."""
        span = (NOON - timedelta(days=9), NOON + timedelta(days=9))
        found = await self.journal.view(lambda view: view.results(probe, *span))
        return list(found)[::-1]

    async def row(self, probe: str = "acme-home") -> ProbeState:
        (row,) = await self.journal.view(lambda view: view.probe_states(probe))
        return row

    async def verdict(self, probe: str = "acme-home") -> VerdictState:
        return VerdictState.from_json((await self.row(probe)).state)

    async def until(self, state: Verdict, probe: str = "acme-home") -> None:
        """Advance until the stored verdict is this one; at most ten minutes."""
        for _ in range(600):
            rows = await self.journal.view(lambda view: view.probe_states(probe))
            if rows and VerdictState.from_json(rows[0].state).state is state:
                return
            await self.advance(1)
        raise AssertionError(f"{probe} did not become {state}")

    def page(self) -> str:
        return "".join(self.metrics.families.pieces())


@asynccontextmanager
async def watching(
    probes: Iterable[Probe],
    *,
    journal: Journal | None = None,
    clock: ManualClock | None = None,
    secrets: Iterable[str] = (),
    hear: Callable[[], None] = lambda: None,
) -> Any:
    clock = clock or ManualClock(NOON)
    journal = journal or a_journal()
    took: list[bool] = []
    metrics = Metrics()
    redactor = Redactor(secrets)
    watcher = Watcher(
        probes=probes,
        location="local",
        journal=journal,
        clock=clock,
        transport=None,
        secrets=KnownSecrets(),
        metrics=metrics,
        redactor=redactor,
        on_journal=took.append,
        hear=hear,
    )
    running = asyncio.create_task(watcher.run())
    await clock.settle()
    try:
        yield Watch(clock, journal, metrics, watcher, took, running, redactor)
    finally:
        watcher.stop()
        await asyncio.wait([running])


def page_of_shop(body: bytes) -> Evidence:
    return Evidence("GET / HTTP/1.1", "HTTP/1.1 503 Service Unavailable", body, {"status": 503})


__all__ = [
    "NOON", "SECOND", "Journal", "Outcome", "Script", "Scripted", "Watch", "a_journal", "bad", "good",
    "page_of_shop", "played", "script", "scripted", "watching",
]  # fmt: skip
