"""One check: the prober's coroutine, tried again where the document says so, then judged.

What a prober raises is our failure and not the target's: outcome unknown, reason ``internal`` or
the failure's own, written to the log. A prober that outlives its time is given up on by the
watcher (`given_up`): whatever the reason, the answer did not come within the declared timeout.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from sentinel.clock import Clock
from sentinel.errors import Failure, FailureReason
from sentinel.kinds import Pings, Prober, ProbeWorld, Secrets
from sentinel.monitor.judge import judge
from sentinel.monitor.probe import Attempt, CheckResult, Observation, Probe
from sentinel.monitor.verdict import EPOCH
from sentinel.words import Outcome

log = logging.getLogger(__name__)

GRACE_S = 0.5
"""How long beyond its timeout a prober may take to say that it timed out."""


class Memory(msgspec.Struct, frozen=True, gc=False):
    """What a check may look back at; nothing of it is a fold's."""

    kept: bytes | None = None
    kept_at: datetime | None = None
    pings: Sequence[Pings] = ()


class Seen(msgspec.Struct, frozen=True):
    """A check that ended and is not judged yet. `earlier` are the attempts before the last one,
    which began at `last_at`. (A Struct, since one is made for every check.)"""

    observation: Observation
    due_at: datetime
    started_at: datetime
    earlier: tuple[Attempt, ...] = ()
    last_at: datetime = EPOCH


class Checker:
    """Performs checks at one location. Holds no state between them."""

    def __init__(self, *, location: str, clock: Clock, transport: Any, secrets: Secrets) -> None:
        self._location = location
        self._clock = clock
        self._transport = transport
        self._secrets = secrets

    async def check(
        self, probe: Probe, *, due_at: datetime, memory: Memory, needed: frozenset[str]
    ) -> tuple[Observation, CheckResult]:
        """Perform one check now. Never raises for what a target or a prober does."""
        seen = await self.see(probe, due_at=due_at, memory=memory, needed=needed)
        return seen.observation, self.judged(probe, seen)

    async def see(
        self, probe: Probe, *, due_at: datetime, memory: Memory, needed: frozenset[str]
    ) -> Seen:
        """Perform one check now and leave what it comes to for `judged`, unless the probe is to be
        tried again, which depends on it. Never raises for what a target or a prober does."""
        clock = self._clock
        started_at = now = clock.now()
        deadline = clock.monotonic() + probe.timeout_s
        attempts: list[Attempt] = []
        for left in range(probe.retry.times, -1, -1):
            world = ProbeWorld(
                now=now,
                deadline=deadline,
                transport=self._transport,
                secrets=self._secrets,
                kept=memory.kept,
                kept_at=memory.kept_at,
                pings=memory.pings,
                needed=needed,
            )
            observation = await observe(probe, world)
            if not left:
                break
            result = self.judged(probe, Seen(observation, due_at, started_at))
            again_at = clock.monotonic() + probe.retry.after_s
            if again_at >= deadline or not _worth_trying(probe, result):
                break
            attempts.append(Attempt(now, observation.duration_s, result.reason))
            await clock.sleep_until(clock.now() + timedelta(seconds=probe.retry.after_s))
            now = clock.now()
        return Seen(observation, due_at, started_at, tuple(attempts), now)

    def judged(self, probe: Probe, seen: Seen) -> CheckResult:
        """What a check that ended comes to."""
        result = judge(
            probe,
            seen.observation,
            location=self._location,
            due_at=seen.due_at,
            started_at=seen.started_at,
        )
        if not seen.earlier:
            return result
        last = Attempt(seen.last_at, seen.observation.duration_s, result.reason)
        return replace(result, attempts=(*seen.earlier, last))

    async def in_time(
        self,
        probe: Probe,
        check: "asyncio.Task[tuple[Observation, CheckResult]]",
        *,
        due_at: datetime,
    ) -> tuple[Observation, CheckResult]:
        """What a check under way comes to, or what it comes to that its prober does not end."""
        until = due_at + timedelta(seconds=probe.timeout_s + GRACE_S)
        sleeper = asyncio.create_task(self._clock.sleep_until(until))
        try:
            await asyncio.wait({check, sleeper}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeper.cancel()
        if check.done():
            return check.result()
        seen = self.given_up(probe, due_at=due_at, started_at=due_at)
        return seen.observation, self.judged(probe, seen)

    def given_up(self, probe: Probe, *, due_at: datetime, started_at: datetime) -> Seen:
        """What was seen of a check whose prober did not end in time."""
        observation = Observation(
            values={},
            duration_s=(self._clock.now() - started_at).total_seconds(),
            reason="timeout",
            text=f"no answer within {probe.timeout_s:g} s, and the prober did not end by itself",
        )
        return Seen(observation, due_at, started_at)


async def observe(probe: Probe, world: ProbeWorld) -> Observation:
    """What the prober sees; what it raises becomes outcome unknown."""
    started_at = world.now
    try:
        return await cast(Prober, probe.prober).observe(world)
    except Failure as failure:
        log.warning("a prober failed", extra={"probe": probe.id, "reason": failure.reason.value})
        return _unknown(failure.reason.value, str(failure))
    except Exception as error:
        log.exception("a prober raised", extra={"probe": probe.id, "at": started_at.isoformat()})
        return _unknown(FailureReason.INTERNAL.value, f"the prober raised {type(error).__name__}")


def _unknown(reason: str, text: str) -> Observation:
    return Observation(values={}, duration_s=0.0, reason=reason, text=text, outcome=Outcome.unknown)


def _worth_trying(probe: Probe, result: CheckResult) -> bool:
    if result.outcome is not Outcome.failed:
        return False
    return probe.retry.only_on == "any" or result.network


def needed_roots(probe: Probe) -> frozenset[str]:
    """The roots that a probe's expectations name: nothing else need be computed. Probes that name
    the same share one set."""
    return _shared(frozenset().union(*(each.that.roots for each in probe.expect)))


@lru_cache(maxsize=1024)
def _shared(roots: frozenset[str]) -> frozenset[str]:
    return roots
