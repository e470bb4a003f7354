"""``sentinel blackbox`` against Debian's blackbox_exporter: one takes the other's place.

    python -m benchmarks.blackbox [http https tcp dns icmp] [--rounds 5] [--seconds 6] [--rate 500]

Both have the same modules file and are asked for the same pages over connections that stay open,
by the same driver at the same rate, in turns; the medians of the rounds are compared. CPU is user +
system of the program alone, its web server included. Prints one line a kind.
"""

import argparse
import asyncio
import sys
from statistics import median

from benchmarks.asking import Exporter
from benchmarks.figures import Figure, parser_of, progress, tell
from benchmarks.programs import free_port, resident_mb, running
from benchmarks.start import program
from benchmarks.targets import Places, exporter, targets
from benchmarks.watcher import KINDS, driven

RATE = 500


async def compared(places: Places, kind: str, options: argparse.Namespace) -> tuple[Figure, ...]:
    """All rounds of a kind, in turns."""
    port = free_port()
    listen = f"--web.listen-address=127.0.0.1:{port}"
    argv = program("blackbox", f"--config.file={places.modules}", listen)
    argv += ["--log.level=error"]
    ours, theirs, tuned = list[float](), list[float](), list[float]()
    lost = 0
    module = {"module": kind, "target": places.target(kind)}
    with (
        running(argv, port) as pid,
        exporter(places) as (other_port, other_pid),
        exporter(places, GOGC="400") as (tuned_port, tuned_pid),
    ):
        turns = (
            (Exporter(port, **module), pid, ours),
            (Exporter(other_port, **module), other_pid, theirs),
            (Exporter(tuned_port, **module), tuned_pid, tuned),
        )
        for number in range(options.rounds):
            progress(f"blackbox {kind}, round {number + 1} of {options.rounds}")
            for asked, of, kept in turns:
                cost_us, failed = await driven(
                    asked, of, rate=options.rate, seconds=options.seconds
                )
                kept.append(cost_us)
                lost += failed
        progress("")
        sizes = resident_mb(pid), resident_mb(other_pid)
        for asked, _, _ in turns:
            asked.close()
    mine, other, better = median(ours), median(theirs), median(tuned)
    beside = (
        f"{better:.0f} µs with GOGC=400: {better / mine:.2f}; {sizes[0]:.0f} MB resident against"
        f" {sizes[1]:.0f}; {options.rounds} rounds, {lost} not good"
    )
    what = f"CPU a probe, {kind} at {options.rate}/s"
    want = KINDS[kind]
    return (Figure(what, mine, "µs", other, "blackbox_exporter", 1.0, want.wanted, beside=beside),)


def main() -> int:
    """Each kind that was named, or all."""
    parser = parser_of(__doc__, rounds=5, seconds=6.0)
    parser.add_argument("kinds", nargs="*", default=list(KINDS), metavar="KIND")
    parser.add_argument("--rate", type=int, default=RATE, help="probes a second")
    options = parser.parse_args()
    missed = 0
    with targets() as places:
        for kind in options.kinds:
            found = asyncio.run(compared(places, kind, options))
            missed |= tell(f"blackbox {kind}", found, as_json=options.json)
    return missed


if __name__ == "__main__":
    sys.exit(main())
