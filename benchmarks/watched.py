"""One round of Sentinel's watcher, or of its prober alone, in a process of its own.

Started by ``benchmarks.watcher`` and ``benchmarks.scale``; prints one line of JSON. The watcher is
everything that a node does for a check: schedule, prober, three expectations, verdict, metric
lines, journal on disk; its metrics are scraped like a node's, the answer packed, in the middle of
what is measured and every 15 s from there.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.asking import paced
from benchmarks.programs import own_cpu_s, resident_mb
from benchmarks.targets import ADDRESS, NAME, Places
from sentinel.engine.collector import settle_collector
from sentinel.engine.redaction import Redactor
from sentinel.engine.wallclock import WallClock
from sentinel.engine.watcher import Watcher
from sentinel.expression import compile_expression
from sentinel.kinds import Prober, ProbeWorld
from sentinel.metrics.registry import Metrics
from sentinel.monitor.probe import Expectation, Probe
from sentinel.probers.dns import Dns
from sentinel.probers.http import Http
from sentinel.probers.icmp import Icmp
from sentinel.probers.tcp import Tcp
from sentinel.store.sqlite import SqliteJournal
from sentinel.transport.curl import Transport
from sentinel.words import Outcome, Seconds, Secret

SCRAPED_EVERY_S = 15.0
SETTLE_S = 3.0
MOST_SETTLING_S = 30
IN_TIME_MS = 50.0
FIRST_CHECKS_A_SECOND = 100
OUTSIDE = frozenset({"body", "json", "html", "headers"})
_PAGE = ("status == 200", 'body.contains("Add to basket")')
CONDITIONS = {
    "http": (*_PAGE, "timing.total_s < 5.0"),
    "https": (*_PAGE, "certificate.days_left > 1.0"),
    "tcp": ('address == "127.0.0.1"', "timing.connect_s < 5.0", "timing.total_s < 5.0"),
    "dns": ('rcode == "NOERROR"', f'answers == ["{ADDRESS}"]', "timing.total_s < 5.0"),
    "icmp": ("received == 1", "loss_ratio < 0.5", "rtt.avg_s < 5.0"),
}
"""The last of each is a warning."""


@dataclass(frozen=True, slots=True)
class NoSecrets:
    """This benchmark has none."""

    def reveal(self, secret: Secret) -> str:
        """Never asked for."""
        return secret.template


@dataclass(frozen=True, slots=True)
class Round:
    """What a round came to; `checks` and `good` within the measured seconds. The prober alone has
    neither lag nor a size worth telling."""

    checks: int
    good: int
    cpu_s: float
    lag_p99_ms: float = 0.0
    resident_mb: float = 0.0

    @property
    def each_us(self) -> float:
        """CPU of one check."""
        return self.cpu_s / max(self.checks, 1) * 1e6


def prober_of(kind: str, places: Places, number: int) -> Prober:
    """The prober of one probe; web pages differ by their query."""
    match kind:
        case "http" | "https":
            url = f"{places.target(kind)}?shop={number}"
            return Http(url=url, ca_file=places.ca_file if kind == "https" else "")
        case "tcp":
            return Tcp(host_="127.0.0.1", port=places.plain)
        case "dns":
            return Dns(name=NAME, servers=(f"127.0.0.1:{places.names}",))
        case "icmp":
            return Icmp(host_="127.0.0.1")
        case _:
            raise ValueError(f"no target for {kind}")


def declared(kind: str, places: Places, *, count: int, every_s: float) -> list[Probe]:
    """Probes as a workspace declares them: who expects the same shares it, as the catalogue has it
    (``library.expectations``)."""
    probes = []
    names = prober_of(kind, places, 0).NAMES
    *failing, warning = CONDITIONS[kind]
    expect = tuple(
        Expectation(compile_expression(text, names, outside=OUTSIDE), otherwise)
        for text, otherwise in (
            *((each, Outcome.failed) for each in failing),
            (warning, Outcome.warn),
        )
    )
    for number in range(count):
        prober = prober_of(kind, places, number)
        probes.append(
            Probe(
                id=f"shop-{number}",
                prober=prober,
                every_s=Seconds(every_s),
                timeout_s=Seconds(5.0),
                client="acme",
                service="storefront",
                expect=expect,
            )
        )
    return probes


def counted(metrics: Metrics) -> dict[str, float]:
    """What was counted so far: outcomes, and the lag's buckets by upper bound."""
    found: dict[str, float] = {}
    for family in (*metrics.checks.collect(), *metrics.start_lag.collect()):
        for sample in family.samples:
            key = sample.labels.get("outcome") or sample.labels.get("le")
            if key is not None:
                found[key] = sample.value
    return found


def quantile_ms(before: dict[str, float], after: dict[str, float], share: float) -> float:
    """The quantile of start lag between two counts, interpolated within its bucket."""
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


async def watched(places: Places, options: argparse.Namespace, folder: Path) -> Round:
    """The watcher with all its probes."""
    metrics, clock = Metrics(), WallClock()
    journal = SqliteJournal.open(folder / "sentinel.db")
    probes = declared(options.kind, places, count=options.probes, every_s=options.every)
    async with Transport() as transport:
        watcher = Watcher(
            probes=probes,
            location="local",
            journal=journal,
            clock=clock,
            transport=transport,
            secrets=NoSecrets(),
            metrics=metrics,
            redactor=Redactor(),
            hear=transport.hear,
        )
        settle_collector()
        watching = asyncio.create_task(watcher.run())
        await asyncio.sleep(min(options.every, options.probes / FIRST_CHECKS_A_SECOND) + SETTLE_S)
        await _caught_up(metrics)
        before, began_s = counted(metrics), own_cpu_s()
        await _scraped(metrics, options.seconds)
        used_s, after = own_cpu_s() - began_s, counted(metrics)
        resident = resident_mb()
        watcher.stop()
        await watching
    await journal.close()
    counts = {each: int(after[each] - before[each]) for each in Outcome.__members__}
    lag_ms = quantile_ms(before, after, 0.99)
    return Round(sum(counts.values()), counts["ok"], used_s, lag_ms, resident)


async def _caught_up(metrics: Metrics) -> None:
    """Wait until a second's checks start in time: the first checks of 10,000 probes are dearer than
    all later ones, and on a busy machine they leave some seconds to catch up with."""
    for _ in range(MOST_SETTLING_S):
        before = counted(metrics)
        await asyncio.sleep(1.0)
        if quantile_ms(before, counted(metrics), 0.99) < IN_TIME_MS:
            return


async def _scraped(metrics: Metrics, seconds: float) -> None:
    """Let the seconds pass; scrape in the middle, or every 15 s."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    wait = min(seconds, SCRAPED_EVERY_S) / 2
    while loop.time() + wait < end:
        await asyncio.sleep(wait)
        await metrics.exposition_in_turns(encodings="gzip")
        wait = SCRAPED_EVERY_S
    await asyncio.sleep(end - loop.time())


async def alone(places: Places, options: argparse.Namespace) -> Round:
    """The prober, at the same pace with nothing around it."""
    rate = options.probes / options.every
    prober = prober_of(options.kind, places, 0)
    needed = frozenset(each.split(".")[0].split(" ")[0] for each in CONDITIONS[options.kind])
    async with Transport() as transport:

        async def check() -> bool:
            world = ProbeWorld(
                now=datetime.now(UTC),
                deadline=transport.now() + 5,
                transport=transport,
                secrets=NoSecrets(),
                needed=needed,
            )
            return not (await prober.observe(world)).reason

        await paced(check, rate=rate, seconds=1.0)
        began_s = own_cpu_s()
        count, good = await paced(check, rate=rate, seconds=options.seconds)
        return Round(count, good, own_cpu_s() - began_s)


def arguments(places: Places, *, kind: str, **measured: Any) -> list[str]:
    """The command line of one round."""
    argv = [sys.executable, "-m", "benchmarks.watched", json.dumps(asdict(places)), kind]
    return argv + [f"--{name}={value}" for name, value in measured.items()]


def main() -> None:
    """Measure one round, and print it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("places", type=json.loads)
    parser.add_argument("kind", choices=CONDITIONS)
    parser.add_argument("--probes", type=int, required=True)
    parser.add_argument("--every", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--alone", type=int, default=0)
    options = parser.parse_args()
    places = Places(**options.places)
    with tempfile.TemporaryDirectory() as folder:
        if options.alone:
            found = asyncio.run(alone(places, options))
        else:
            found = asyncio.run(watched(places, options, Path(folder)))
        print(json.dumps(asdict(found)))


if __name__ == "__main__":
    main()
