"""The whole watcher against Debian's blackbox_exporter, in CPU per check, paced, side by side.

    python -m benchmarks.watcher [http https tcp dns icmp] [--rounds 5] [--seconds 10]

Ours is all that ``benchmarks.watched`` says, with 10,000 probes every 10 s (https: 5,000, so 500
checks a second), a process a round. The exporter is driven over ``/probe`` at the same rate, as
Prometheus drives it; a second one with GOGC=400, which many set, and our prober with nothing around
it are measured beside. All ask the same local targets over new connections, in turns; the medians
of the rounds are compared. CPU is user + system of the program alone. Prints one line a kind.

Our scrape comes once in the measured seconds, at least: fewer than 15 of them tell us dearer than
we are, never cheaper.
"""

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.asking import Exporter, paced
from benchmarks.figures import Figure, parser_of, progress, tell
from benchmarks.programs import cpu_s_of
from benchmarks.targets import Places, exporter, targets
from benchmarks.watched import Round, arguments

EVERY_S = 10.0
LAG_MS, RESIDENT_MB, CORE = 20.0, 300.0, 50.0
ALONE_S = 5.0
"""The prober alone and the tuned exporter are only told beside; they get less time."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many checks a second, and the shares of the exporter's CPU that are wanted and better."""

    rate: int
    wanted: float
    reach: float


KINDS = {
    "http": Wanted(1000, 1 / 2.5, 1 / 4),
    "https": Wanted(500, 1 / 1.5, 1 / 2.5),
    "tcp": Wanted(1000, 1 / 4, 1 / 8),
    "dns": Wanted(1000, 1 / 5, 1 / 10),
    "icmp": Wanted(1000, 1 / 5, 1 / 10),
}


@dataclass(slots=True)
class Rounds:
    """All rounds of a kind: ours, the prober alone, and the exporters' microseconds a check."""

    ours: list[Round] = field(default_factory=list)
    alone: list[Round] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    tuned: list[float] = field(default_factory=list)
    lost: int = 0
    """Probes of the exporters that were not good."""


def one_round(places: Places, kind: str, **measured: Any) -> Round:
    """One round of ours, in a process of its own."""
    argv = arguments(places, kind=kind, **measured)
    ended = subprocess.run(argv, stdout=subprocess.PIPE, check=True, timeout=600)
    return Round(**json.loads(ended.stdout))


async def driven(asked: Exporter, pid: int, *, rate: float, seconds: float) -> tuple[float, int]:
    """One round of an exporter: CPU microseconds a probe, and how many failed."""
    await paced(asked.ask, rate=rate, seconds=1.0)
    began_s = cpu_s_of(pid)
    count, good = await paced(asked.ask, rate=rate, seconds=seconds)
    return (cpu_s_of(pid) - began_s) / count * 1e6, count - good


async def compared(places: Places, kind: str, options: argparse.Namespace) -> Rounds:
    """All rounds of a kind, in turns."""
    rate, rounds = options.rate or KINDS[kind].rate, Rounds()
    probes = round(rate * options.every)
    with exporter(places) as (port, pid), exporter(places, GOGC="400") as (other, other_pid):
        module = {"module": kind, "target": places.target(kind)}
        plain, tuned = Exporter(port, **module), Exporter(other, **module)
        asked = (
            (plain, pid, rounds.theirs, options.seconds),
            (tuned, other_pid, rounds.tuned, min(options.seconds, ALONE_S)),
        )
        shape = {"kind": kind, "probes": probes, "every": options.every}
        for number in range(options.rounds):
            progress(f"{kind}, round {number + 1} of {options.rounds}")
            whole = {**shape, "seconds": options.seconds}
            rounds.ours.append(await asyncio.to_thread(lambda w=whole: one_round(places, **w)))
            for exported, of, kept, seconds in asked:
                each_us, failed = await driven(exported, of, rate=rate, seconds=seconds)
                kept.append(each_us)
                rounds.lost += failed
            bare = {**shape, "seconds": min(options.seconds, ALONE_S), "alone": 1}
            rounds.alone.append(await asyncio.to_thread(lambda b=bare: one_round(places, **b)))
        progress("")
        plain.close()
        tuned.close()
    return rounds


def figures_of(kind: str, rounds: Rounds, options: argparse.Namespace) -> Sequence[Figure]:
    """What the rounds come to."""
    want = KINDS[kind]
    theirs, tuned = median(rounds.theirs), median(rounds.tuned)
    ours = median(each.each_us for each in rounds.ours)
    alone = median(each.each_us for each in rounds.alone)
    rate = median(each.checks for each in rounds.ours) / options.seconds
    bad = sum(each.checks - each.good for each in rounds.ours) + rounds.lost
    beside = (
        f"{tuned:.0f} µs with GOGC=400: {tuned / ours:.2f}; prober alone {alone:.0f} µs:"
        f" {theirs / alone:.2f}; {len(rounds.ours)} rounds, {bad} not good"
    )
    lag_ms = median(each.lag_p99_ms for each in rounds.ours)
    resident = max(each.resident_mb for each in rounds.ours)
    probes = round((options.rate or want.rate) * options.every)
    core = Figure(f"of one core, {probes} {kind} probes", ours * rate / 1e4, "%", CORE)
    return (
        Figure(
            f"CPU a check, {kind} at {rate:.0f}/s", ours, "µs", theirs, "blackbox_exporter",
            want.wanted, want.reach, beside,
        ),
        Figure(f"start lag p99, {probes} {kind} probes", lag_ms, "ms", LAG_MS),
        *([core] if kind == "http" else []),
        Figure(f"resident memory, {probes} {kind} probes", resident, "MB", RESIDENT_MB),
    )  # fmt: skip


def main() -> int:
    """Each kind that was named, or all."""
    parser = parser_of(__doc__, rounds=5, seconds=10.0)
    parser.add_argument("kinds", nargs="*", default=list(KINDS), metavar="KIND")
    parser.add_argument("--every", type=float, default=EVERY_S, help="seconds; rate × every probes")
    parser.add_argument("--rate", type=int, default=0, help="checks a second; default: the kind's")
    options = parser.parse_args()
    missed = 0
    with targets() as places:
        for kind in options.kinds:
            rounds = asyncio.run(compared(places, kind, options))
            found = figures_of(kind, rounds, options)
            missed |= tell(f"watcher {kind}", found, as_json=options.json)
    return missed


if __name__ == "__main__":
    sys.exit(main())
