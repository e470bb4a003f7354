"""Performing a case, and what every case is held to.

Whatever the target does: the prober gives an `Observation` and does not raise, everything that
expectations could name can be looked at, it ends within its timeout and the engine's grace, the
process does not grow by more than `MOST_GROWN`, and no file descriptor stays open.
"""

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sentinel.engine.checking import GRACE_S
from sentinel.errors import ExpressionFailed
from sentinel.kinds import Prober
from sentinel.monitor.probe import Observation
from sentinel.transport.curl import Transport
from tests.hostile.targets import LANES, Aim
from tests.transport.servers import Script, observed, serving

TIMEOUT_S = 0.6
"""What a case is given when it is expected to time out."""
PATIENCE_S = 6.0
"""What it is given when it is not: a busy machine is slow, and no case waits for this."""
LATE_S = GRACE_S + 1.0
"""Beyond its timeout: the engine's grace, and a second for a machine with other things to do."""
MOST_GROWN = 24 << 20
"""Bytes of resident memory at the peak of a case."""
NEEDED = "json html body headers banner rows value message messages captured answers reply"


@dataclass(frozen=True, slots=True)
class Case:
    """One sickness, and the reasons that a check of it may end with (``""``: it is well)."""

    sickness: str
    script: Script
    reasons: frozenset[str]

    @property
    def waits(self) -> bool:
        return "timeout" in self.reasons


def case(sickness: str, script: Script, reasons: str) -> Case:
    return Case(sickness, script, frozenset(reasons.split() or [""]))


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of a case."""

    observation: Observation
    took_s: float
    grown: int

    @property
    def reason(self) -> str:
        return str(self.observation.reason)


def descriptors() -> int:
    """Open file descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))


def resident() -> int:
    """Bytes of memory that the process has in use."""
    return _memory("VmRSS")


def peak() -> int:
    """The most that it had since `forget_peak`."""
    return _memory("VmHWM")


def forget_peak() -> None:
    """Count the peak from now on (proc(5), clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5")


def _memory(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no {name} in /proc/self/status")


async def perform(cases: Iterable[Case], way: str, aim: Aim) -> Mapping[str, Ended]:
    """Meet each case's server once, and see that nothing of all that stays open. Those that wait
    for their timeout wait together, the others come one by one, so that each is weighed alone."""
    ended: dict[str, Ended] = {}
    patient = [each for each in cases if each.waits]
    quick = [each for each in cases if not each.waits]
    async with Transport(lane=LANES.get(way, "auto")) as transport:
        await _meet(_WARM, aim, transport)
        before = descriptors()
        for each in quick:
            ended |= await _weighed([each], aim, transport)
        ended |= await _weighed(patient, aim, transport)
        await _until_closed(before)
    return ended


_WARM = Case("warm", lambda reader, writer: asyncio.sleep(0), frozenset())


async def _weighed(cases: Sequence[Case], aim: Aim, transport: Transport) -> Mapping[str, Ended]:
    """Meet these at the same time; the growth is that of all of them together."""
    forget_peak()
    before = resident()
    met = await asyncio.gather(*(_meet(each, aim, transport) for each in cases))
    grown = peak() - before
    return {
        each.sickness: Ended(observation, took_s, grown)
        for each, (observation, took_s) in zip(cases, met, strict=True)
    }


async def _meet(each: Case, aim: Aim, transport: Transport) -> tuple[Observation, float]:
    seconds = TIMEOUT_S if each.waits else PATIENCE_S
    async with serving(each.script) as port:
        began = transport.now()
        observation = await check(aim(port), transport, seconds=seconds)
        return observation, transport.now() - began


async def check(prober: Prober, transport: Transport, *, seconds: float) -> Observation:
    """One check, of which everything is then looked at that an expectation could name."""
    async with asyncio.timeout(seconds + LATE_S):
        observation = await observed(
            prober, transport, seconds=seconds, needed=NEEDED, PASSWORD="secret"
        )
    for name in tuple(observation.values):
        with suppress(KeyError, ExpressionFailed):  # what is not there, or not as expected
            repr(observation.values[name])
    return observation


async def _until_closed(before: int) -> None:
    for _ in range(100):
        if descriptors() <= before:
            return
        await asyncio.sleep(0.02)
    left = [os.readlink(f"/proc/self/fd/{each}") for each in os.listdir("/proc/self/fd")[:-1]]
    raise AssertionError(f"{descriptors() - before} file descriptors stayed open of {left}")


def wrong(cases: Iterable[Case], ended: Mapping[str, Ended]) -> Mapping[str, str]:
    """What did not come as the table says, by sickness; nothing when all did."""
    found = {}
    for each in cases:
        came = ended[each.sickness]
        limit_s = (TIMEOUT_S if each.waits else PATIENCE_S) + LATE_S
        if came.reason not in each.reasons:
            said = came.observation.text[:100]
            found[each.sickness] = f"{came.reason or 'well'} and not {set(each.reasons)}: {said}"
        elif came.took_s > limit_s:
            found[each.sickness] = f"took {came.took_s:.1f} s of {limit_s:.1f}"
        elif came.grown > MOST_GROWN:
            found[each.sickness] = f"grew by {came.grown >> 20} MiB"
        elif came.reason and not came.observation.text:
            found[each.sickness] = "ended without a text"
    return found
