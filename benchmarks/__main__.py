"""Every benchmark, or those named: ``python -m benchmarks [NAME…] [OPTION…]``. Each in a process of its own.

`table` runs those of speed and memory and writes the page of the documentation. Options go to every
one that is named. Exits 1 when one of them missed what is wanted of it. They are run by hand, never as tests.
"""

import subprocess
import sys

from benchmarks.watcher import KINDS

NAMES = (
    *("watcher", "scale", "scrape", "stack", "blackbox"),
    *("paging", "documents", "start"),
)
TABLE = "table"


def main() -> int:
    """Run them one after the other."""
    given = sys.argv[1:]
    first = next((n for n, each in enumerate(given) if each not in (*NAMES, TABLE)), len(given))
    names, options = given[:first] or NAMES, given[first:]
    if options and not (first and (options[0].startswith("-") or options[0] in KINDS)):
        told = ", ".join((*NAMES, TABLE))
        print(f"no benchmark {options[0]}; there are {told}", file=sys.stderr)
        return 2
    ended = [
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options]) for name in names
    ]
    return int(any(each.returncode for each in ended))


if __name__ == "__main__":
    sys.exit(main())
