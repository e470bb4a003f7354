"""All of Sentinel against Prometheus + blackbox_exporter + Alertmanager: 500 shops, every 5 s.

    python -m benchmarks.stack [--rounds 3] [--seconds 60] [--targets 500] [--every 5]

Ours is one ``sentinel run`` as anybody starts it: SQLite file, journal, verdicts, incidents, pages by
its notifier, console. Meanwhile somebody scrapes ``/metrics`` every 15 s and looks at the console,
its incidents and the states of all 500 probes, every 5 s. Theirs is Debian's Prometheus with the
relabelling of the exporter's README and one alert rule on ``probe_success``, the exporter, and an
Alertmanager; nobody looks at them. On both sides one of the shops answers 500 all the time, and
both must have told the same local address of it, else the benchmark ends without a figure.

In turns, each side started anew each round and left to settle first. CPU is user + system of all
processes of a side, memory their resident memory together at the end of a round (pages that they
share counted once); medians.
Wanted: 1/5 of the CPU per 1,000 checks, and no more memory. Needs prometheus,
prometheus-blackbox-exporter, prometheus-alertmanager and nginx.
"""

import argparse
import contextlib
import json
import shutil
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import Any, ClassVar

from benchmarks.figures import Figure, parser_of, progress, tell
from benchmarks.programs import family_cpu_s, family_mb, free_port, needed, running
from benchmarks.start import program
from benchmarks.targets import Places, exporter, targets

SETTLE_S = 20.0
SCRAPED_EVERY_S, LOOKED_EVERY_S = 15.0, 5.0
TOLD_WITHIN_S = 60.0

SITE = """\
site:
  url: "http://127.0.0.1:{console}"
  addresses: {{shop: "http://127.0.0.1:{shop}"}}
  unmatched: escalation/storefront
  fallback: {{page: [person/ana]}}
clients: {{acme: {{services: {{storefront: {{}}}}}}}}
people: {{ana: {{methods: {{web: "json://127.0.0.1:{sink}/"}}}}}}
escalations: {{storefront: {{levels: [{{page: [person/ana]}}]}}}}
"""
PROBE = """\
  shop-{number}:
    http: {{at: shop, path: ["{page}"]}}
    expect: ['status == 200', {{that: 'timing.total_s < 5.0', else: warn, reason: slow}}]
"""
DEFAULTS = (
    "defaults: {{probes: {{client: acme, service: storefront, every: {every:g}s}}}}\nprobes:\n"
)
PROMETHEUS = """\
global: {{scrape_interval: {every:g}s, scrape_timeout: {every:g}s, evaluation_interval: {every:g}s}}
rule_files: [{folder}/rules.yml]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{alerts}"]}}]}}]}}
scrape_configs:
  - job_name: blackbox
    metrics_path: /probe
    params: {{module: [http]}}
    static_configs: [{{targets: {shops}}}]
    relabel_configs:
      - {{source_labels: [__address__], target_label: __param_target}}
      - {{source_labels: [__param_target], target_label: instance}}
      - {{target_label: __address__, replacement: "127.0.0.1:{exporter}"}}
"""
RULES = "groups: [{name: shops, rules: [{alert: ShopDown, expr: probe_success == 0, for: 10s}]}]\n"
ALERTS = """\
route: {{receiver: ana, group_wait: 1s}}
receivers: [{{name: ana, webhook_configs: [{{url: "http://127.0.0.1:{sink}/"}}]}}]
"""


@dataclass(frozen=True, slots=True)
class Round:
    """One side, one round."""

    checks: float
    cpu_s: float
    resident_mb: float

    @property
    def per_thousand_s(self) -> float:
        """CPU seconds of 1,000 checks."""
        return self.cpu_s / self.checks * 1000


class Sink(BaseHTTPRequestHandler):
    """Whom both sides page; counts what it was told."""

    told: ClassVar[int] = 0

    def do_POST(self) -> None:
        """Take a page."""
        self.rfile.read(int(self.headers.get("content-length") or 0))
        Sink.told += 1
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing to say."""


@contextlib.contextmanager
def sink() -> Iterator[int]:
    """The port of a `Sink`."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Sink) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def got(url: str) -> str:
    """What is answered. Raises OSError."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def measured(
    pids: list[int], checks: Callable[[], float], look: Callable[[float], None], seconds: float
) -> Round:
    """Settle, wait for a page, then measure; `look` is called once a second with the second's number."""
    time.sleep(SETTLE_S)
    until = time.monotonic() + TOLD_WITHIN_S
    while not Sink.told:
        if time.monotonic() > until:
            raise SystemExit("a side did not tell of the shop that is down")
        time.sleep(0.5)
    before, cpu_s = checks(), sum(map(family_cpu_s, pids))
    began = time.monotonic()
    for second in range(int(seconds)):
        look(second)
        time.sleep(max(began + second + 1 - time.monotonic(), 0))
    used_s = sum(map(family_cpu_s, pids)) - cpu_s
    return Round(checks() - before, used_s, sum(map(family_mb, pids)))


def ours(places: Places, folder: Path, told: int, options: argparse.Namespace) -> Round:
    """A node of ours."""
    port = free_port()
    (folder / "probes").mkdir()
    site = SITE.format(console=port, shop=places.plain, sink=told)
    (folder / "sentinel.yaml").write_text(site)
    pages = ["broken", *(f"shop-{n}.html" for n in range(1, options.targets))]
    text = DEFAULTS.format(every=options.every)
    text += "".join(PROBE.format(number=n, page=page) for n, page in enumerate(pages))
    (folder / "probes" / "shops.yaml").write_text(text)
    base = f"http://127.0.0.1:{port}"

    def checks() -> float:
        lines = got(f"{base}/metrics").splitlines()
        return sum(float(x.split()[-1]) for x in lines if x.startswith("sentinel_checks_total"))

    def look(second: float) -> None:
        if second % SCRAPED_EVERY_S == 0:
            got(f"{base}/metrics")
        if second % LOOKED_EVERY_S == 0:
            got(f"{base}/")
            got(f"{base}/probes")

    argv = program("run", str(folder), "--listen", f"127.0.0.1:{port}", "--log-level", "error")
    with running(argv, port) as pid:
        return measured([pid], checks, look, options.seconds)


def theirs(places: Places, folder: Path, told: int, options: argparse.Namespace) -> Round:
    """The three programs."""
    prometheus = needed(shutil.which("prometheus"), "prometheus")
    alertmanager = needed(shutil.which("prometheus-alertmanager"), "prometheus-alertmanager")
    port, alerts = free_port(), free_port()
    url = places.target("http")
    shops = [f"{url}broken", *(f"{url}shop-{n}.html" for n in range(1, options.targets))]
    (folder / "rules.yml").write_text(RULES)
    (folder / "alerts.yml").write_text(ALERTS.format(sink=told))

    def checks() -> float:
        query = urllib.parse.urlencode({"query": "sum(count_over_time(probe_success[1h]))"})
        answer = json.loads(got(f"http://127.0.0.1:{port}/api/v1/query?{query}"))
        return float(answer["data"]["result"][0]["value"][1])

    with exporter(places) as (exported, exporter_pid):
        config = PROMETHEUS.format(
            every=options.every, folder=folder, alerts=alerts, shops=json.dumps(shops),
            exporter=exported,
        )  # fmt: skip
        (folder / "prometheus.yml").write_text(config)
        listen = f"--web.listen-address=127.0.0.1:{alerts}"
        alerting = [alertmanager, f"--config.file={folder}/alerts.yml", listen]
        alerting += [f"--storage.path={folder}/alerts", "--cluster.listen-address="]
        scraping = [prometheus, f"--config.file={folder}/prometheus.yml"]
        scraping += [f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"]
        with running(alerting, alerts) as alerts_pid, running(scraping, port) as pid:
            pids = [pid, alerts_pid, exporter_pid]
            return measured(pids, checks, lambda second: None, options.seconds)


def main() -> int:
    """All rounds, in turns."""
    parser = parser_of(__doc__, rounds=3, seconds=60.0)
    parser.add_argument("--targets", type=int, default=500)
    parser.add_argument("--every", type=float, default=5.0)
    options = parser.parse_args()
    sides = (ours, theirs)
    kept: dict[Any, list[Round]] = {side: [] for side in sides}
    with targets() as places, sink() as told:
        www = Path(places.modules).parent / "www"
        for number in range(1, options.targets):
            (www / f"shop-{number}.html").write_bytes((www / "index.html").read_bytes())
        for number in range(options.rounds):
            for side in sides:
                progress(f"stack, round {number + 1} of {options.rounds}, {side.__name__}")
                Sink.told = 0
                with tempfile.TemporaryDirectory() as name:
                    kept[side].append(side(places, Path(name), told, options))
        progress("")
    cpu_s, size_mb, rate = (
        [median(value(each) for each in kept[side]) for side in sides]
        for value in (
            lambda each: each.per_thousand_s,
            lambda each: each.resident_mb,
            lambda each: each.checks / options.seconds,
        )
    )
    against = "Prometheus + blackbox_exporter + Alertmanager"
    beside = f"{rate[0]:.0f} and {rate[1]:.0f} checks/s, {options.rounds} rounds, both paged"
    found = (
        Figure("CPU of 1,000 checks", cpu_s[0], "s", cpu_s[1], against, 1 / 5, beside=beside),
        Figure("resident memory", size_mb[0], "MB", size_mb[1], against),
    )
    return tell("stack", found, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
