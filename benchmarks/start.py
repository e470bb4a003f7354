"""How soon the program answers: ``sentinel --version``, and ready with 1,000 probes declared.

    python -m benchmarks.start [--rounds 5]

Both are real processes and wall time; the medians of the rounds are compared with what is wanted,
0.15 s and 3 s. The processor time beside them is what they would take on a machine that does
nothing else. Ready is the first 200 of ``/-/ready``, with a workspace whose 1,000 probes watch a
port of loopback on which nobody listens. Prints one line each.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from benchmarks.documents import write
from benchmarks.programs import free_port

VERSION_S, READY_S = 0.15, 3.0
PROBES, FILES = 1_000, 5
GIVE_UP_S = 30.0


def program(*arguments: str) -> list[str]:
    """The installed command beside this Python, or the module where it is not installed."""
    installed = Path(sys.executable).with_name("sentinel")
    if installed.exists():
        return [str(installed), *arguments]
    return [sys.executable, "-c", "from sentinel.cli.main import main; main()", *arguments]


def children_cpu_s() -> float:
    """Processor time of the children that have ended."""
    used = os.times()
    return used.children_user + used.children_system


def version() -> tuple[float, float]:
    """One run of ``--version``: wall and processor seconds."""
    cpu_s, began = children_cpu_s(), time.monotonic()
    subprocess.run(program("--version"), stdout=subprocess.DEVNULL, check=True, env=installed())
    return time.monotonic() - began, children_cpu_s() - cpu_s


def installed() -> dict[str, str]:
    """The environment of an installed program, which finds its modules compiled: a shell that forbids
    Python to keep what it compiled adds a second to each start."""
    return {name: it for name, it in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def ready(root: Path) -> tuple[float, float]:
    """One start until ``/-/ready`` says 200: wall and processor seconds of the process."""
    port = free_port()
    argv = program("run", str(root), "--listen", f"127.0.0.1:{port}", "--log-level", "error")
    with tempfile.TemporaryDirectory() as data:
        began = time.monotonic()
        process = subprocess.Popen(
            [*argv, "--data", data], stderr=subprocess.DEVNULL, env=installed()
        )
        try:
            while not answers(port):
                if time.monotonic() - began > GIVE_UP_S or process.poll() is not None:
                    raise SystemExit("the node did not become ready")
                time.sleep(0.01)
            return time.monotonic() - began, time.clock_gettime(~process.pid << 3 | 2)
        finally:
            process.terminate()
            process.wait(10)


def answers(port: int) -> bool:
    """Whether the node is ready now."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:  # a refused connection, or 503
        return False


def told(name: str, taken: Sequence[tuple[float, float]], wanted_s: float) -> tuple[str, bool]:
    """The line, and whether the median is within what is wanted."""
    wall_s = statistics.median(wall for wall, _ in taken)
    cpu_s = statistics.median(cpu for _, cpu in taken)
    line = (
        f"{name}: {wall_s:.3f} s, {wall_s / wanted_s:.2f} of the {wanted_s:g} s wanted "
        f"({cpu_s:.3f} s CPU, median of {len(taken)})"
    )
    return line, wall_s <= wanted_s


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    version()
    line, quick = told("start, --version", [version() for _ in range(options.rounds)], VERSION_S)
    print(line, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root, probes=PROBES, files=FILES, shop=f"http://127.0.0.1:{free_port()}")
        line, soon = told(
            f"start, ready with {PROBES} probes",
            [ready(root) for _ in range(options.rounds)],
            READY_S,
        )
    print(line)
    return int(not (quick and soon))


if __name__ == "__main__":
    sys.exit(main())
