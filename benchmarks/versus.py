"""This tree's watcher against another checkout's, both at the same time: what a change costs a check.

    python -m benchmarks.versus FOLDER [http https tcp dns icmp] [--rounds 5] [--seconds 20]

On a machine that others use too, what a check costs differs by a third from one minute to the next,
and rounds in turns tell no change of less than a tenth apart. Two watchers that run beside one
another meet the same noise: their shares of each round differ by a fiftieth. Who is started first
takes turns. Prints one line a kind, with the least and the greatest share; both run on this Python,
with its packages.
"""

import json
import subprocess
import sys
from pathlib import Path
from statistics import median

from benchmarks.figures import parser_of, progress
from benchmarks.targets import Places, targets
from benchmarks.watched import Round, arguments
from benchmarks.watcher import EVERY_S, KINDS

HERE = Path(__file__).parent.parent
ROUND_S = 600.0


def beside(places: Places, kind: str, folders: list[Path], seconds: float) -> list[Round]:
    """One round of the watchers of these folders, in the order in which they are given."""
    probes = round(KINDS[kind].rate * EVERY_S)
    argv = arguments(places, kind=kind, probes=probes, every=EVERY_S, seconds=seconds)
    running = [subprocess.Popen(argv, cwd=each, stdout=subprocess.PIPE) for each in folders]
    try:
        said = [each.communicate(timeout=ROUND_S)[0] for each in running]
    finally:
        for each in running:
            each.kill()
    return [Round(**json.loads(each)) for each in said]


def main() -> int:
    """Each kind that was named, or all."""
    parser = parser_of(__doc__, rounds=5, seconds=20.0)
    parser.add_argument("folder", type=Path, help="a checkout to compare with")
    parser.add_argument("kinds", nargs="*", default=list(KINDS), metavar="KIND")
    options = parser.parse_args()
    folders = [HERE, options.folder.resolve()]
    with targets() as places:
        for kind in options.kinds:
            rounds = []
            for number in range(options.rounds):
                progress(f"{kind}, round {number + 1} of {options.rounds}")
                turn = -1 if number % 2 else 1
                rounds.append(beside(places, kind, folders[::turn], options.seconds)[::turn])
            progress("")
            shares = [ours.each_us / theirs.each_us for ours, theirs in rounds]
            ours_us, theirs_us = (
                median(each.each_us for each in side) for side in zip(*rounds, strict=True)
            )
            bad = sum(each.checks - each.good for pair in rounds for each in pair)
            print(
                f"versus {kind}: {ours_us:.0f} µs a check against {theirs_us:.0f}: "
                f"{median(shares):.3f} ({min(shares):.3f} to {max(shares):.3f}); "
                f"{len(rounds)} rounds, {bad} not good",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
