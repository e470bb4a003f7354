"""The whole watcher against Debian's blackbox_exporter, in CPU per check, paced, side by side.

    python -m benchmarks.watcher [--probes 10000] [--every 10] [--seconds 8] [--rounds 3]

Ours is everything that a node does for a check: schedule, http prober, three expectations,
verdict, metric lines and the journal on disk, in a process of its own, with 10,000 probes declared
and so 1,000 checks a second. blackbox_exporter is driven over ``/probe`` at the same rate, as
Prometheus drives it. Both ask the same local nginx for the same 10 KiB page over new connections,
in turns; medians of the rounds are compared. CPU is user + system of the program alone. Prints one
line; needs nginx and prometheus-blackbox-exporter. Wanted: ratio 2.5 (reach for 3), start lag p99
below 20 ms, resident memory below 250 MB.
"""

import argparse
import asyncio
import contextlib
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.http_prober import (
    BLACKBOX,
    NGINX,
    PAGE,
    Exporter,
    NoSecrets,
    cpu_s_of,
    free_port,
    paced,
    running,
)
from sentinel.engine.collector import settle_collector
from sentinel.engine.redaction import Redactor
from sentinel.engine.wallclock import WallClock
from sentinel.engine.watcher import Watcher
from sentinel.expression import compile_expression
from sentinel.metrics.registry import Metrics
from sentinel.monitor.probe import Expectation, Probe
from sentinel.probers.http import Http
from sentinel.store.sqlite import SqliteJournal
from sentinel.transport.curl import Transport
from sentinel.words import Outcome, Seconds

WARM_UP_S = 3.0
OUTSIDE = frozenset({"body", "json", "html", "headers"})
CONDITIONS = (
    ("status == 200", Outcome.failed),
    ('body.contains("Add to basket")', Outcome.failed),
    ("timing.total_s < 5.0", Outcome.warn),
)


@dataclass(frozen=True, slots=True)
class Figures:
    """What one round of ours came to; `checks` and `good` within the measured seconds."""

    checks: int
    good: int
    cpu_s: float
    lag_p99_ms: float
    resident_mb: float


def declared(page: str, count: int, every_s: float) -> list[Probe]:
    """Probes as a workspace would declare them, each with expressions of its own."""
    return [
        Probe(
            id=f"shop-{number}",
            prober=Http(url=f"{page}?shop={number}"),
            every_s=Seconds(every_s),
            timeout_s=Seconds(5.0),
            client="acme",
            service="storefront",
            expect=tuple(
                Expectation(compile_expression(that, Http.NAMES, outside=OUTSIDE), otherwise)
                for that, otherwise in CONDITIONS
            ),
        )
        for number in range(count)
    ]


def cpu_s() -> float:
    """CPU of this process so far, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def resident_mb() -> float:
    """Resident memory of this process now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("this benchmark needs /proc")


def samples(metrics: Metrics) -> dict[str, float]:
    """What was counted so far: outcomes, and the lag's buckets by upper bound."""
    counted: dict[str, float] = {}
    for family in (*metrics.checks.collect(), *metrics.start_lag.collect()):
        for sample in family.samples:
            key = sample.labels.get("outcome") or sample.labels.get("le")
            if key is not None:
                counted[key] = sample.value
    return counted


def quantile_ms(before: dict[str, float], after: dict[str, float], share: float) -> float:
    """The quantile of start lag between two samples, interpolated within its bucket."""
    names = [name for name in after if name not in Outcome.__members__]
    wanted = share * (after["+Inf"] - before["+Inf"])
    low, count_low = 0.0, 0.0
    for bound, name in sorted((float(name), name) for name in names):
        count = after[name] - before[name]
        if count >= wanted:
            within = (wanted - count_low) / (count - count_low) if count > count_low else 0.0
            return (low + (bound - low) * within) * 1000
        low, count_low = bound, count
    return float("inf")


async def watch(page: str, folder: Path, options: argparse.Namespace) -> Figures:
    """One round of ours, in this process."""
    metrics, clock = Metrics(), WallClock()
    journal = SqliteJournal.open(folder / "sentinel.db")
    async with Transport() as transport:
        watcher = Watcher(
            probes=declared(page, options.probes, options.every),
            location="local",
            journal=journal,
            clock=clock,
            transport=transport,
            secrets=NoSecrets(),
            metrics=metrics,
            redactor=Redactor(),
        )
        settle_collector()
        watching = asyncio.create_task(watcher.run())
        await asyncio.sleep(options.every + WARM_UP_S)
        before, began = samples(metrics), cpu_s()
        await asyncio.sleep(options.seconds)
        used, after = cpu_s() - began, samples(metrics)
        resident = resident_mb()
        watcher.stop()
        await watching
    await journal.close()
    counts = {each: int(after[each] - before[each]) for each in Outcome.__members__}
    lag = quantile_ms(before, after, 0.99)
    return Figures(sum(counts.values()), counts["ok"], used, lag, resident)


def ours(page: str, options: argparse.Namespace) -> Figures:
    """One round of ours, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-m", "benchmarks.watcher", "--watch", page, "--folder", folder]
        for name in ("probes", "every", "seconds"):
            argv += [f"--{name}", str(getattr(options, name))]
        ended = subprocess.run(argv, stdout=subprocess.PIPE, check=True, timeout=120)
        return Figures(**json.loads(ended.stdout))


async def theirs(exporter: Exporter, pid: int, options: argparse.Namespace) -> float:
    """One round of blackbox_exporter; CPU microseconds a check."""
    rate = round(options.probes / options.every)
    await paced(exporter.ask, rate=rate, seconds=1.0)
    began = cpu_s_of(pid)
    count, _ = await paced(exporter.ask, rate=rate, seconds=options.seconds)
    return (cpu_s_of(pid) - began) / count * 1e6


async def compare(page: str, exporter: tuple[int, int], options: argparse.Namespace) -> str:
    """Run the rounds; the line to print."""
    port, pid = exporter
    blackbox = Exporter(port, page)
    rounds: list[Figures] = []
    other: list[float] = []
    for _ in range(options.rounds):
        rounds.append(await asyncio.to_thread(ours, page, options))
        other.append(await theirs(blackbox, pid, options))
    blackbox.close()
    mine = statistics.median(each.cpu_s / each.checks * 1e6 for each in rounds)
    theirs_us = statistics.median(other)
    lag = statistics.median(each.lag_p99_ms for each in rounds)
    resident = max(each.resident_mb for each in rounds)
    rate = statistics.median(each.checks / options.seconds for each in rounds)
    failed = sum(each.checks - each.good for each in rounds)
    return (
        f"watcher: {mine:.0f} us CPU a check, blackbox_exporter {theirs_us:.0f} us, "
        f"ratio {theirs_us / mine:.2f}; {rate:.0f} checks/s, {failed} not good, start lag p99 "
        f"{lag:.1f} ms, {resident:.0f} MB with {options.probes} probes"
    )


@contextlib.contextmanager
def servers() -> Iterator[tuple[str, tuple[int, int]]]:
    """nginx and blackbox_exporter: the page's URL, and the exporter's port and pid."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    blackbox = shutil.which("prometheus-blackbox-exporter")
    if nginx is None or blackbox is None:
        raise SystemExit("this benchmark needs nginx and prometheus-blackbox-exporter")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "www").mkdir()
        (folder / "www" / "index.html").write_bytes(PAGE)
        web, probe = free_port(), free_port()
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=web))
        (folder / "blackbox.yml").write_text(BLACKBOX)
        listen = f"--web.listen-address=127.0.0.1:{probe}"
        config = f"--config.file={folder / 'blackbox.yml'}"
        with (
            running([nginx, "-c", str(folder / "nginx.conf")], web),
            running([blackbox, config, listen, "--log.level=error"], probe) as pid,
        ):
            yield f"http://127.0.0.1:{web}/", (probe, pid)


def main() -> None:
    """Start the servers, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--probes", type=int, default=10_000)
    parser.add_argument("--every", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--watch", default="", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, default=Path(), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.watch:
        print(json.dumps(asdict(asyncio.run(watch(options.watch, options.folder, options)))))
        return
    with servers() as (page, exporter):
        print(asyncio.run(compare(page, exporter, options)))


if __name__ == "__main__":
    main()
