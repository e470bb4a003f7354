"""What ``/metrics`` costs with 10,000 probes of 12 series, plain and packed.

    python -m benchmarks.scrape [--rounds 5] [--probes 10000]

All that a node does for a scrape but the socket: its own families, the lines of all probes, and
gzip where Prometheus asks for it. Between two scrapes every probe ends another check, as between
two real ones, so that nothing is kept from the scrape before. CPU of this process, medians.
Wanted: 60 ms plain; prometheus-client printing the same lines from its own gauges is told beside.
"""

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import median

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from benchmarks.figures import Figure, parser_of, tell
from benchmarks.programs import own_cpu_s
from sentinel.engine.collector import settle_collector
from sentinel.metrics.registry import Metrics
from sentinel.monitor.judge import judge
from sentinel.monitor.probe import Observation, Probe
from sentinel.probers.http import Http
from sentinel.words import Seconds

PLAIN_MS, PACKED_MS = 60.0, 100.0


def observed(number: int) -> Observation:
    """What a check may have seen, another number in each: one line, which with the eleven that every
    probe has anyway (outcomes, labels, firing, timeout, success and durations) makes twelve."""
    took_s = 0.01 + number % 977 / 10_000
    return Observation(
        values={},
        duration_s=took_s,
        phases={},
        metrics={
            "probe_http_content_length": 10_035 + number % 7,
        },
    )


def theirs_ms(probes: int) -> float:
    """The same number of lines from prometheus-client's own gauges, once."""
    registry = CollectorRegistry()
    names = ("probe", "kind", "location", "client", "service", "vendor")
    for line in range(12):
        gauge = Gauge(f"line_{line}", "A line", names, registry=registry)
        for number in range(probes):
            gauge.labels(f"shop-{number}", "http", "local", "acme", "storefront", "").set(number)
    began_s = own_cpu_s()
    generate_latest(registry)
    return (own_cpu_s() - began_s) * 1000


def main() -> int:
    """Declare, check, scrape."""
    parser = parser_of(__doc__, rounds=5, seconds=0.0)
    parser.add_argument("--probes", type=int, default=10_000)
    options = parser.parse_args()
    metrics, now = Metrics(), datetime.now(UTC)
    probes = [
        Probe(
            id=f"shop-{number}",
            prober=Http(url="http://127.0.0.1/"),
            every_s=Seconds(10.0),
            client="acme",
            service="storefront",
        )
        for number in range(options.probes)
    ]
    for probe in probes:
        metrics.families.declare(probe, "local")
    settle_collector()
    plain, packed = list[float](), list[float]()
    size, lines = 0, 0
    for turn in range(options.rounds):
        at = now + timedelta(seconds=10 * turn)
        _check_all(metrics, probes, at, turn)
        plain.append(_spent_ms(lambda: metrics.exposition().body))
        body = metrics.exposition().body
        size = len(body)
        lines = sum(1 for line in body.splitlines() if b'probe="' in line)
        _check_all(metrics, probes, at, turn + 1)
        packed.append(_spent_ms(lambda: metrics.exposition(encodings="gzip").body))
    beside = (
        f"{lines} lines, {size / 1e6:.1f} MB; prometheus-client {theirs_ms(options.probes):.0f} ms;"
        f" {options.rounds} rounds"
    )
    return tell(
        "scrape",
        (
            Figure("CPU of /metrics", median(plain), "ms", PLAIN_MS, beside=beside),
            Figure("CPU of /metrics packed", median(packed), "ms", PACKED_MS),
        ),
        as_json=options.json,
    )


def _check_all(metrics: Metrics, probes: list[Probe], at: datetime, turn: int) -> None:
    for number, probe in enumerate(probes):
        seen = observed(number + turn)
        result = judge(probe, seen, location="local", due_at=at, started_at=at)
        metrics.families.show(seen, result, firing=False)


def _spent_ms(work: Callable[[], bytes]) -> float:
    began_s = own_cpu_s()
    work()
    return (own_cpu_s() - began_s) * 1000


if __name__ == "__main__":
    sys.exit(main())
