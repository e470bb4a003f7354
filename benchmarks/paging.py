"""How soon people are paged when 200 shops break in the same second.

    python -m benchmarks.paging [--incidents 200] [--rounds 1] [--only many|one]

A whole node (watcher, responder, performer, journal in a file, the real clock) checks 200 pages
of a local server once a second; from one moment on all of them answer 500, and the first such
answer confirms. What is measured lies between that answer's last byte and the call of the notifier:
the check is judged, committed, correlated, an incident opened, the page queued, claimed and composed.
First with 200 people, one an incident: the 99th percentile of the pages. Then with one person for
all: when the first page left, and when the bundle that tells of the other 199 left, which takes a
real minute. Prints one line each. Wanted: 1 s; 1 s and 60 s.
"""

import argparse
import asyncio
import itertools
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from sentinel.engine.node import Node, Settings, read_workspace
from sentinel.engine.secrets import LiveSecrets
from sentinel.engine.wallclock import WallClock
from sentinel.kinds import Accepted, Message
from sentinel.store.sqlite import SqliteJournal
from sentinel.words import CROCKFORD, Seconds, Secret

WITHIN_S = 1.0
BUNDLE_AT_S = 60.0
WARM_UP_S = 4.0
GIVE_UP_S = 20.0

SITE = """\
site:
  url: "https://sentinel.acme.example"
  addresses: {{shop: "http://127.0.0.1:{port}"}}
  unmatched: escalation/team-0
  fallback: {{page: [person/p0], every: 15m}}
  group: {{by: [probe, urgency]}}
clients: {{acme: {{services: {{storefront: {{}}}}}}}}
"""
PROBE = """\
  shop-{n}:
    client: acme
    service: storefront
    every: 1s
    timeout: 1s
    http: {{at: shop, path: [shop-{n}]}}
    expect: ['status == 200']
    confirm: {{down: 1, up: 2}}
    severity: critical
"""
PERSON = '  p{n}: {{methods: {{mail: "mailto://mail.acme.example?to=p{n}@acme.example"}}}}\n'
TEAM = "  team-{n}: {{levels: [{{page: [person/p{n}], ack_within: 5m}}]}}\n"
PLAYBOOK = """\
  shop-{n}:
    when: 'labels.probe == "shop-{n}"'
    page: {{escalation: escalation/team-{n}}}
"""


def write(root: Path, *, port: int, probes: int, people: int) -> None:
    """A workspace of so many probes; each person has an escalation and a playbook of their own,
    unless there is one person for all."""

    def each(head: str, text: str, count: int) -> str:
        return f"{head}:\n" + "".join(text.format(n=n) for n in range(count))

    (root / "sentinel.yaml").write_text(SITE.format(port=port))
    for name in ("probes", "playbooks", "rotations"):
        (root / name).mkdir()
    (root / "probes" / "shops.yaml").write_text(each("probes", PROBE, probes))
    (root / "rotations" / "people.yaml").write_text(
        each("people", PERSON, people) + each("escalations", TEAM, people)
    )
    if people > 1:
        (root / "playbooks" / "shops.yaml").write_text(each("playbooks", PLAYBOOK, people))


class Shops(asyncio.Protocol):
    """One connection to the shops: 200, or once `broken` 500; `answered` when it first was 500."""

    broken = False
    answered: ClassVar[dict[str, float]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, received: bytes) -> None:
        shop = received.split(b" ", 2)[1].strip(b"/").decode()
        status = b"500 Broken" if Shops.broken else b"200 OK"
        self._transport.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\nok")
        if Shops.broken:
            Shops.answered.setdefault(shop, time.monotonic())


@dataclass
class Recorder:
    """A notifier that accepts and remembers when, to whom and what."""

    sent: list[tuple[float, str, Message]] = field(default_factory=list)

    async def send(self, address: Secret, message: Message, *, deadline_s: Seconds) -> Accepted:
        self.sent.append((time.monotonic(), address.template, message))
        return Accepted()


async def until(done: Callable[[], bool], within_s: float) -> None:
    """Wait for something to become true, at most so long."""
    last = time.monotonic() + within_s
    while not done() and time.monotonic() < last:
        await asyncio.sleep(0.05)


async def storm(root: Path, recorder: Recorder, options: argparse.Namespace, people: int) -> float:
    """Start a node, break all shops at one moment, wait for the pages; CPU seconds of that."""
    Shops.broken, Shops.answered = False, {}
    server = await asyncio.get_running_loop().create_server(Shops, "127.0.0.1", 0, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    write(root, port=port, probes=options.incidents, people=people)
    data = root / ".sentinel"
    data.mkdir()
    node = Node(
        Settings(root, data, "bench"),
        read_workspace(root),
        journal=SqliteJournal.open(data / "sentinel.db"),
        clock=WallClock(),
        secrets=LiveSecrets(root),
        notifier=recorder,
        new_id=("".join(secrets.choice(CROCKFORD) for _ in range(8)) for _ in itertools.count()),
    )
    await node.start()
    await asyncio.sleep(WARM_UP_S)
    Shops.broken, began_s = True, time.process_time()
    if people > 1:
        await until(lambda: len(recorder.sent) >= options.incidents, GIVE_UP_S)
    else:
        await until(lambda: len(recorder.sent) >= 2, BUNDLE_AT_S + GIVE_UP_S)
    used_s = time.process_time() - began_s
    await node.close()
    server.close()
    await server.wait_closed()
    return used_s


def quantile(values: list[float], share: float) -> float:
    """The smallest value that `share` of all do not exceed."""
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


def for_many(options: argparse.Namespace) -> tuple[str, bool]:
    """200 people: the line, and whether it is within the bound."""
    recorder = Recorder()
    with tempfile.TemporaryDirectory() as folder:
        cpu_s = asyncio.run(storm(Path(folder), recorder, options, options.incidents))
    took: list[float] = []
    for at, address, _ in recorder.sent:
        number = address.partition("?to=p")[2].partition("@")[0]
        took.append(at - Shops.answered[f"shop-{number}"])
    spread_s = max(Shops.answered.values()) - min(Shops.answered.values())
    p99 = quantile(took, 0.99) if len(took) >= options.incidents else float("inf")
    line = (
        f"paging: {len(took)} of {options.incidents} people paged for as many incidents within "
        f"{spread_s:.1f} s; from the confirming check to the notifier p50 {quantile(took, 0.5):.2f} s, "
        f"p99 {p99:.2f} s (wanted {WITHIN_S:g} s); {cpu_s:.2f} s CPU in all, checks and shops included"
    )
    return line, p99 <= WITHIN_S


def for_one(options: argparse.Namespace) -> tuple[str, bool]:
    """One person: the line, and whether it is within the bounds."""
    recorder = Recorder()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(storm(Path(folder), recorder, options, 1))
    (first_at, _, _), (bundle_at, _, bundle) = recorder.sent[:2]
    first_s, bundle_s = first_at - min(Shops.answered.values()), bundle_at - first_at
    told = bundle.title.partition("] ")[2].partition(",")[0]
    line = (
        f"paging one person: first page {first_s:.2f} s after the confirming check (wanted {WITHIN_S:g} "
        f"s); {bundle_s:.1f} s later one that tells of {told} (wanted {options.incidents - 1} at "
        f"{BUNDLE_AT_S:g} s)"
    )
    others = told == f"{options.incidents - 1} incidents"
    in_time = BUNDLE_AT_S <= bundle_s <= BUNDLE_AT_S + WITHIN_S
    return line, first_s <= WITHIN_S and others and in_time


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--incidents", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", choices=["many", "one"], help="one half only")
    options = parser.parse_args()
    good = True
    for name, measure in (("many", for_many), ("one", for_one)):
        for _ in range(options.rounds if options.only in (None, name) else 0):
            line, well = measure(options)
            print(line, flush=True)
            good = good and well
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
