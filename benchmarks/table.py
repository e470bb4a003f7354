"""The table of docs/reference/speed.md: every figure, what was wanted, the machine, how to repeat it.

    python -m benchmarks.table [--rounds N] [--seconds N] [--only watcher scrape …] [--out FILE]

Runs the benchmarks of speed and memory one after the other, each with its own defaults unless
options say otherwise (about an hour), and writes the page anew. Nothing in it is typed in by
hand; a benchmark that ends without figures is named as such.
"""

import argparse
import json
import os
import platform
import re
import shutil
import sqlite3
import ssl
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pycurl

from benchmarks.figures import Figure, shown
from benchmarks.watcher import KINDS
from sentinel import __version__

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "speed.md"
RUNS: Sequence[tuple[str, ...]] = (
    *(("watcher", kind) for kind in KINDS),
    ("scale",),
    ("scrape",),
    ("stack",),
    *(("blackbox", kind) for kind in KINDS),
)
WITHOUT_SECONDS = frozenset({"scrape"})
LEAST_S = {"scale": 15.0, "stack": 30.0}
"""What is scraped every 15 s, or looked at by people, is not told in less."""
LONGEST_S = 3600
SHORT = "**A short run**: fewer rounds or seconds than by default, as each command says, so rougher"
HEAD = """\
# Speed and memory

What a check costs, beside the program that most would use for it. `python -m benchmarks.table` writes
this page; `benchmarks/README.md` says how each figure is measured. CPU is user and system time of
one program with all its threads, by the clock that the kernel keeps of it. Programs that are compared
run in the same minutes on the same machine, in turns, against the same local servers, with a new
connection for each check; figures are medians of the rounds. *Ratio* is how many times less ours is
than what it is compared with: the other program where one is named, elsewhere the bound that is
wanted. CPU and ratios are what to compare: a wall time on a machine that others use too is an upper
bound.
"""


def measured(run: tuple[str, ...], options: argparse.Namespace) -> tuple[str, list[Figure] | None]:
    """The command of a run as a reader would give it, and its figures; None when it has none."""
    argv = [*run]
    if options.rounds:
        argv += [f"--rounds={options.rounds}"]
    if options.seconds and run[0] not in WITHOUT_SECONDS:
        argv += [f"--seconds={max(options.seconds, LEAST_S.get(run[0], 0.0)):g}"]
    ended = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{argv[0]}", *argv[1:], "--json"],
        stdout=subprocess.PIPE,
        text=True,
        timeout=LONGEST_S,
    )
    command = f"python -m benchmarks {' '.join(argv)}"
    lines = [line for line in ended.stdout.splitlines() if line.startswith("[")]
    if not lines:
        return command, None
    return command, [Figure(**each) for each in json.loads(lines[-1])]


def rows(command: str, figures: list[Figure] | None, load: tuple[float, float]) -> list[str]:
    """The lines of a run: a figure each; the last also says what gives it again, and the load."""
    heard = f"{load[0]:.1f} to {load[1]:.1f}"
    if figures is None:
        return [f"| `{command}` | ended without figures | | | | | {heard} |"]
    found = []
    for number, each in enumerate(figures):
        other = f"{each.against} {shown(each.limit, each.unit)}" if each.against else "the bound"
        met = each.aim() if each.met else f"{each.aim()}: **missed**"
        again = (f"`{command}`", heard) if number == 0 else ("", "")
        beside = f"; {each.beside}" if each.beside else ""
        found.append(
            f"| {each.what} | {each.value()} | {other}{beside} | {each.ratio:.2f} | {met}"
            f" | {again[0]} | {again[1]} |"
        )
    return found


def machine() -> list[str]:
    """What it was measured on: cores, kernel, and the version of everything that counts."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    size_gb = int(memory[1]) / 1024 / 1024 if memory else 0.0
    curl = pycurl.version_info()
    facts = [
        f"{os.cpu_count()} cores, {cpu[1] if cpu else platform.machine()}, {size_gb:.1f} GB",
        f"Linux {platform.release().split('-')[0]}, {platform.python_implementation()}"
        f" {platform.python_version()} ({_built()})",
        f"Sentinel {__version__}; libcurl {curl[1]} with {curl[5]}; pycurl {version('pycurl')};"
        f" {ssl.OPENSSL_VERSION}; SQLite {sqlite3.sqlite_version}",
    ]
    asked = {
        "blackbox_exporter": (shutil.which("prometheus-blackbox-exporter"), "--version"),
        "Prometheus": (shutil.which("prometheus"), "--version"),
        "Alertmanager": (shutil.which("prometheus-alertmanager"), "--version"),
        "nginx": (shutil.which("nginx", path="/usr/sbin:/usr/bin"), "-v"),
    }
    told = [f"{name} {_version(*argv)}" for name, argv in asked.items()]
    return [*facts, "; ".join(told)]


def _built() -> str:
    """How this Python was built, which is worth an eighth of a check."""
    how = sysconfig.get_config_var("CONFIG_ARGS") or ""
    if "'--prefix=/usr'" in how:
        return "the system's own"
    optimized = "--enable-optimizations" in how
    return f"built {'with' if optimized else 'without'} profile-guided optimization"


def _version(program: str | None, option: str) -> str:
    """A program's version, and that of Go where it is written in Go."""
    if program is None:
        return "not installed"
    ended = subprocess.run([program, option], capture_output=True, text=True, timeout=20)
    said = ended.stdout + ended.stderr
    number = re.search(r"(?:version |nginx/)([0-9][0-9.]*[0-9])", said)
    go = re.search(r"go version:\s+(\S+)", said)
    return (number[1] if number else "?") + (f" ({go[1]})" if go else "")


def main() -> int:
    """Run, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=0, help="of each; default: its own")
    parser.add_argument(
        "--seconds", type=float, default=0.0, help="of each round; default: its own"
    )
    parser.add_argument("--only", nargs="*", default=[], help="names of benchmarks")
    parser.add_argument("--out", type=Path, default=PAGE)
    options = parser.parse_args()
    began, load = datetime.now(UTC), os.getloadavg()[0]
    lines = [
        "| what | Sentinel | compared with | ratio | wanted | again | load |",
        "|---|---|---|---|---|---|---|",
    ]
    for run in RUNS:
        if options.only and run[0] not in options.only:
            continue
        before = os.getloadavg()[0]
        command, figures = measured(run, options)
        found = rows(command, figures, (before, os.getloadavg()[0]))
        print("\n".join(found), flush=True)
        lines += found
    facts = [
        *machine(),
        f"{began:%Y-%m-%d %H:%M} to {datetime.now(UTC):%H:%M} UTC; load average {load:.1f} at the"
        f" start, {os.getloadavg()[0]:.1f} at the end ({os.cpu_count()} would be a full machine)",
    ]
    if options.rounds or options.seconds:
        facts.append(SHORT)
    about = "\n".join(f"- {each}" for each in facts)
    table = "\n".join(lines)
    options.out.write_text(f"{HEAD}\n## The machine\n\n{about}\n\n## Measured\n\n{table}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
