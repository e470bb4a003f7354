"""Every benchmark, or those named: ``python -m benchmarks [NAME…]``. Each in a process of its own.

Exits 1 when one of them missed what is wanted of it. They are run by hand, never as tests.
"""

import subprocess
import sys

NAMES = ("watcher", "http_prober", "paging", "documents", "start")


def main() -> int:
    """Run them one after the other."""
    names = sys.argv[1:] or NAMES
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    ended = [subprocess.run([sys.executable, "-m", f"benchmarks.{name}"]) for name in names]
    return int(any(each.returncode for each in ended))


if __name__ == "__main__":
    sys.exit(main())
