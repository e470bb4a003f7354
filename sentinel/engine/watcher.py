"""The watcher: every probe is checked in its slots, and what comes of it is shown and committed.

One timer wakes it at the next due time, at most five hundred times a second. A check is one coroutine; a
probe never has two. What a check comes to is folded into the probe's verdict and shown in metrics
at once, and committed together with everything else that came in, at least once a second, or at
once when a verdict changed (rule 3). A recheck is granted at most once a second per host (rule 2).

When the journal refuses, checks and metrics go on; results, states and changed verdicts wait in
memory (``engine.committer``) and `on_journal` says so after every try. Whether the location is blind
(rule 5) is judged once a second while anything is unreachable, and told as an alert of its own.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from sentinel.clock import Clock
from sentinel.engine.batch import removed_row
from sentinel.engine.blindness import Blindness
from sentinel.engine.checking import GRACE_S, Checker, Seen
from sentinel.engine.committer import Committer
from sentinel.engine.crowd import SOON, TOGETHER, Crowd
from sentinel.engine.pings import add_ping
from sentinel.engine.redaction import Redactor, secret_values
from sentinel.engine.results import Results
from sentinel.engine.runner import Runner, blank_row, is_blank
from sentinel.engine.schedule import Schedule
from sentinel.engine.stall import STALL
from sentinel.kinds import Pings, Secrets
from sentinel.metrics.registry import Metrics
from sentinel.monitor.probe import CheckResult, Observation, Probe
from sentinel.monitor.verdict import first_due_at, next_due_at, turn_of
from sentinel.store.journal import Journal, PresentAlert, ProbeState, View

log = logging.getLogger(__name__)

FLOOR = timedelta(milliseconds=2)
"""Each wake-up costs as much as a check's verdict; at 1,000 checks a second two share one."""
CROWDED = timedelta(milliseconds=20)
HOUSEKEEPING = timedelta(seconds=1)
FIRST_CHECKS_A_SECOND = 100
PINGS_APART = timedelta(seconds=1)
A_FEW = 6
"""Checks that are started before what came for others is heard: it counts as time that theirs took."""
MANY = 36
"""Checks that are started before anything else has its turn."""
MOST_AT_ONCE = 2000
"""Checks in flight; more wait, and their lag shows it. A dead network must not fill the memory."""
_NEVER = datetime.max.replace(tzinfo=UTC)
_NOW = datetime.min.replace(tzinfo=UTC)


class Watcher:
    """Watches, at one location, the probes that run from there. Used from one event loop."""

    def __init__(
        self,
        *,
        probes: Iterable[Probe],
        location: str,
        journal: Journal,
        clock: Clock,
        transport: Any,
        secrets: Secrets,
        metrics: Metrics,
        redactor: Redactor,
        on_journal: Callable[[bool], None] = lambda ok: None,
        hear: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_journal` is told after every commit whether the journal took it; `hear` serves ready
        sockets. `redactor` knows the secrets of these probes; later ones' it learns in `apply`."""
        self._location = location
        self._journal = journal
        self._clock = clock
        self._metrics = metrics
        self._redactor = redactor
        self._secrets = secrets
        self._hear = hear
        self._checker = Checker(
            location=location, clock=clock, transport=transport, secrets=secrets
        )
        self._committer = Committer(
            location=location,
            journal=journal,
            clock=clock,
            metrics=metrics,
            on_journal=on_journal,
            on_fault=self._fail,
        )
        self._blindness = Blindness(location)
        self._results = Results(
            checker=self._checker,
            metrics=metrics,
            redactor=redactor,
            committer=self._committer,
            blindness=self._blindness,
        )
        self._schedule = Schedule()
        self._runners: dict[str, Runner] = {}
        self._running: dict[Runner, None] = {}
        self._unread: list[tuple[Runner, Seen, bool]] = []
        self._read_at = _NOW
        self._crowd = Crowd()
        self._abandoned: set[asyncio.Task[Any]] = set()
        self._ticker: asyncio.Task[None] | None = None
        self._ended: asyncio.Future[None] | None = None
        self._sleeps_until = _NOW
        self._wakes_at = _NEVER
        self._sweep_at = _NOW
        metrics.probes.set_function(self._runners.__len__)
        metrics.in_flight.set_function(self._running.__len__)
        self.apply(probes)

    # -------------------------------------------------------------------------- from outside

    async def run(self) -> None:
        """Load what was stored, then watch until `stop`. Raises JournalUnavailable when nothing
        can be loaded, and whatever is a fault of our own."""
        self._ended = asyncio.get_running_loop().create_future()
        await self._load()
        self._committer.start()
        self._schedule_first(self._runners.values())
        self._wake()
        try:
            await self._ended
        finally:
            await self._close()

    def stop(self) -> None:
        """Make `run` end: checks in flight are dropped, what is known is committed."""
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    def apply(self, probes: Iterable[Probe]) -> None:
        """Watch these from now on. What is known of a probe stays while its id does; all series
        of one that is gone end, and the responder is told."""
        here = (probe for probe in probes if self._location in probe.locations)
        mine = {probe.id: probe for probe in sorted(here, key=turn_of)}
        for gone in [id for id in self._runners if id not in mine]:
            self._remove(self._runners.pop(gone))
        added = []
        for id, probe in mine.items():
            runner = self._runners.get(id)
            if runner is None:
                runner = self._runners[id] = Runner(probe)
                self._metrics.families.declare(probe, self._location)
                added.append(runner)
            else:
                self._adopt(runner, probe)
        if self._ticker is not None:
            self._redactor.know(secret_values(mine.values(), self._secrets))
            self._schedule_first(added)

    def ping(self, probe: str, ping: Pings) -> bool:
        """Keep what was sent for a heartbeat probe and look at it soon, at most once a second.
        False: there is no such probe here."""
        runner = self._runners.get(probe)
        if runner is None:
            return False
        runner.pings = add_ping(runner.pings, ping)
        self._committer.touch(runner)
        soon = max(self._clock.now(), runner.started_at + PINGS_APART)
        if self._ticker is not None and (runner.due_at is None or soon < runner.due_at):
            self._put(runner, soon)
        return True

    async def check_now(self, probe: str) -> tuple[Observation, CheckResult]:
        """Check a probe now, outside its slots: for people, playbook steps and waits. It waits for
        a check of the probe that is in flight, and changes neither verdict, metrics nor store.
        Raises KeyError for a probe that is not here."""
        runner = self._runners[probe]
        for _ in range(MOST_AT_ONCE):
            if runner.task is None:
                break
            await asyncio.wait([runner.task])
        due_at = self._clock.now()
        checked = self._checker.check(
            runner.probe, due_at=due_at, memory=runner.memory(), needed=runner.needed
        )
        runner.task = task = asyncio.create_task(checked)
        try:
            return await self._checker.in_time(runner.probe, task, due_at=due_at)
        finally:
            task.cancel()
            runner.task = None
            if runner.waiting and self._runners.get(probe) is runner:
                runner.waiting = False
                self._put(runner, self._clock.now())

    def failing(self) -> list[str]:
        """What fires here, ``id: reason`` by id, from memory: for when the journal is away."""
        return [
            f"{id}: {runner.state.reason}"
            for id, runner in sorted(self._runners.items())
            if runner.state.fires
        ]

    @property
    def blind(self) -> frozenset[str]:
        """The location while it is blind (``monitor.agreement``), else nothing."""
        return frozenset({self._location}) if self._blindness.since_at else frozenset()

    # ----------------------------------------------------------------------- start and end

    async def _load(self) -> None:
        def look(view: View) -> tuple[list[ProbeState], PresentAlert | None]:
            states = [row for row in view.probe_states() if row.location == self._location]
            return states, view.alert(self._blindness.fingerprint)

        rows, alert = await self._journal.view(look)
        self._blindness.restore(alert)
        now = self._clock.now()
        for row in rows:
            runner = self._runners.get(row.probe)
            if runner is not None:
                runner.restore(row)
            elif not is_blank(row):
                self._committer.tell(row.probe, removed_row(row.probe, self._location, now))
                self._committer.drop(blank_row(row.probe, row.location, row.slot_at))

    def _schedule_first(self, runners: Collection[Runner]) -> None:
        now = self._clock.now()
        within_s = sum(each.state.slot_at is None for each in runners) / FIRST_CHECKS_A_SECOND
        for runner in runners:
            if runner.state.slot_at is None:
                at = first_due_at(runner.probe, now=now, within_s=within_s)
            else:
                at = next_due_at(runner.probe, runner.state, after=now)
            self._put(runner, at)

    async def _close(self) -> None:
        for task in (self._ticker, *(runner.task for runner in self._running), *self._abandoned):
            if task is not None:
                task.cancel()
        self._ticker = None
        self._read(self._clock.now())
        await self._committer.close()

    def _fail(self, error: BaseException) -> None:
        """A fault of our own: `run` raises it, and the node decides."""
        if self._ended is not None and not self._ended.done():
            self._ended.set_exception(error)

    # ------------------------------------------------------------------------------- the loop

    def _wake(self) -> None:
        """Look at once what is due, and how long to sleep then."""
        if self._ended is None or self._ended.done():
            return
        if self._ticker is not None:
            self._ticker.cancel()
        self._ticker = asyncio.create_task(self._tick())

    async def _tick(self) -> None:
        try:
            while True:
                now = self._clock.now()
                if now - self._wakes_at > STALL:  # so every check in flight was held up
                    self._metrics.stalls.inc()
                    for runner in self._running:
                        runner.stalled = True
                self._sleeps_until = self._wakes_at = self._turn(now)
                await self._clock.sleep_until(self._sleeps_until)
        except Exception as error:
            self._fail(error)

    def _turn(self, now: datetime) -> datetime:
        """Do what is due; the instant to wake up at next."""
        self._sleeps_until = _NOW
        self._wakes_at = _NEVER
        if self._unread and now >= self._read_at:
            self._read(now)
            now = self._clock.now()
        if now >= self._sweep_at:
            self._sweep(now)
        if self._start_due(now):
            return now
        wake_at = (self._schedule.next_at() or _NEVER) - self._crowd.early
        if self._unread:
            wake_at = min(wake_at, self._read_at)
        if self._running or self._blindness.worth_judging:
            wake_at = min(wake_at, self._sweep_at)
        floor = max(self._crowd.apart, FLOOR)
        return max(wake_at, now + (CROWDED if len(self._running) >= MOST_AT_ONCE else floor))

    def _put(self, runner: Runner, at: datetime) -> None:
        self._schedule.put(runner, at)
        if at + FLOOR < self._sleeps_until:
            self._wake()

    def _start_due(self, now: datetime) -> bool:
        """Start many of what is due; whether there is more."""
        for number in range(min(MANY, MOST_AT_ONCE - len(self._running))):
            runner = self._schedule.pop(now + self._crowd.early)
            if runner is None:
                return False
            if runner.task is None:
                self._start(runner, runner.due_at or now, now)
            else:
                runner.waiting = True
            if number % A_FEW == A_FEW - 1:
                asyncio.get_running_loop().call_soon(self._hear)
        return len(self._running) < MOST_AT_ONCE

    def _start(self, runner: Runner, due_at: datetime, now: datetime) -> None:
        if runner.state.slot_at is not None and due_at <= runner.state.slot_at:
            log.warning("the clock went back", extra={"probe": runner.probe.id})
            runner.state = replace(runner.state, slot_at=None)
        self._metrics.start_lag.observe(abs((now - due_at).total_seconds()))
        runner.started_at = now
        runner.stalled = False
        runner.give_up_at = self._clock.monotonic() + runner.probe.timeout_s + GRACE_S
        runner.task = asyncio.Task(self._check(runner, due_at), name="check")
        self._running[runner] = None

    def _sweep(self, now: datetime) -> None:
        """Once a second: give up on probers that do not end, judge blindness."""
        self._sweep_at = now + HOUSEKEEPING
        over = self._clock.monotonic()
        outlived = [each for each in self._running if each.give_up_at <= over]
        if outlived:
            log.warning(
                "probers outlived their timeouts",
                extra={"probes": len(outlived), "probe": outlived[0].probe.id},
            )
        for runner in outlived:
            self._give_up(runner)
        alert = self._blindness.judge(self._runners.values(), now)
        if alert is not None:
            self._metrics.blind.labels(self._location).set(bool(self._blindness.since_at))
            self._committer.tell(alert.id, alert)

    async def _check(self, runner: Runner, due_at: datetime) -> None:
        own = runner.task
        try:
            seen = await self._checker.see(
                runner.probe, due_at=due_at, memory=runner.memory(), needed=runner.needed
            )
            if runner.task is own:  # else it was given up
                self._finish(runner, seen)
        except Exception as error:
            self._fail(error)

    def _give_up(self, runner: Runner) -> None:
        task = runner.task
        if task is not None:
            self._abandoned.add(task)
            task.add_done_callback(self._abandoned.discard)
            task.cancel()
        due_at = runner.due_at or runner.started_at
        seen = self._checker.given_up(runner.probe, due_at=due_at, started_at=runner.started_at)
        self._finish(runner, seen)

    def _finish(self, runner: Runner, seen: Seen) -> None:
        """A check ended: it is read now, or, in a crowd and when nobody waits for it, with others."""
        now = self._clock.now()
        runner.task = None
        self._running.pop(runner, None)
        self._unread.append((runner, seen, runner.stalled or now - self._wakes_at > STALL))
        if not self._crowd.count(now) or runner.state.sick:
            self._read(now)
        elif len(self._unread) == 1:
            self._read_at = now + max(TOGETHER, self._crowd.apart - SOON)
            if self._read_at + SOON < self._sleeps_until:  # else it wakes up for others then
                self._wake()

    def _read(self, now: datetime) -> None:
        unread, self._unread = self._unread, []
        for runner, seen, late in unread:
            if self._runners.get(runner.probe.id) is runner:  # else it was removed meanwhile
                self._results.read(runner, seen, late=late, now=now)
                self._put(runner, now if runner.waiting else self._schedule.next_due(runner, now))
                runner.waiting = False

    # --------------------------------------------------------------------------- the documents

    def _adopt(self, runner: Runner, probe: Probe) -> None:
        before = runner.probe
        runner.adopt(probe)
        self._metrics.families.declare(probe, self._location)
        moved = (before.every_s, before.confirm) != (probe.every_s, probe.confirm)
        if moved and self._ticker is not None and runner.task is None:
            self._put(runner, self._schedule.next_due(runner, self._clock.now()))

    def _remove(self, runner: Runner) -> None:
        probe = runner.probe.id
        runner.due_at = None
        self._running.pop(runner, None)
        if runner.task is not None:
            runner.task.cancel()
            runner.task = None
        self._metrics.families.remove(probe, self._location)
        self._results.forget(runner)
        self._committer.drop(blank_row(probe, self._location, runner.row_at))
        self._committer.tell(probe, removed_row(probe, self._location, self._clock.now()))
