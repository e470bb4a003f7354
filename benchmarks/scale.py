"""Whether a check costs the same with few probes and with 20,000.

    python -m benchmarks.scale [--rounds 5] [--seconds 15] [--kind http]

Watchers of 100, 1,000, 10,000 and 20,000 probes, all at the same 1,000 checks a second, in turns,
each in a process of its own. A hundred at that rate are looked at every 100 ms; documents allow no
less than 1 s, so that row exists here only, to change one thing alone. Ten at that rate there cannot
be. How pace itself changes a check's price is told beside: ten probes at the 1 s that documents
allow wake the process ten times a second for a check each, with nothing left in the caches.

Wanted: the dearest of them within 20 % of the cheapest. The scrapes are in it: a page of 20,000
probes is longer than one of a hundred, and comes as often.
"""

import sys
from statistics import median

from benchmarks.figures import Figure, parser_of, progress, tell
from benchmarks.targets import targets
from benchmarks.watched import CONDITIONS
from benchmarks.watcher import one_round

RATE = 1000
COUNTS = (100, 1_000, 10_000, 20_000)
WITHIN = 1.2
SLOWEST_S = 1.0


def main() -> int:
    """All counts, in turns."""
    parser = parser_of(__doc__, rounds=5, seconds=15.0)
    parser.add_argument("--kind", choices=CONDITIONS, default="http")
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    options = parser.parse_args()
    costs: dict[int, list[float]] = {count: [] for count in options.counts}
    slow: list[float] = []
    with targets() as places:
        for number in range(options.rounds):
            progress(f"scale, round {number + 1} of {options.rounds}")
            measured = {"kind": options.kind, "seconds": options.seconds}
            for count, kept in costs.items():
                shape = {"probes": count, "every": count / RATE}
                kept.append(one_round(places, **measured, **shape).each_us)
            slow.append(one_round(places, **measured, probes=10, every=SLOWEST_S).each_us)
        progress("")
    medians = {count: median(kept) for count, kept in costs.items()}
    each = ", ".join(f"{count} probes {us:.0f} µs" for count, us in medians.items())
    beside = (
        f"{each}; 10 probes at 1 s, so 10/s: {median(slow):.0f} µs; {options.kind},"
        f" {options.rounds} rounds"
    )
    spread = max(medians.values()) / min(medians.values())
    figure = Figure("dearest check over cheapest", spread, "times", WITHIN, beside=beside)
    return tell("scale", (figure,), as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
