"""A node with its web application, asked without a socket: real routes, real store, a clock turned
by hand."""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from sentinel.engine.inbox import alert_row
from sentinel.engine.node import Node, Settings, read_workspace
from sentinel.incident.correlate import Report
from sentinel.store.journal import Change
from sentinel.store.sqlite import SqliteJournal
from sentinel.testing import KnownSecrets, ManualClock
from sentinel.web.app import build
from sentinel.words import Severity
from tests.engine.kernel import START, Scripted

WORKSPACE = """
site:
  url: "http://sentinel.test"
  unmatched: escalation/main
  fallback: {page: [person/bo]}
people:
  ana: {name: Ana Silva, timezone: Europe/Lisbon, methods: {push: "env:ANA"}}
  bo: {name: Bo Lind, methods: {push: "env:BO"}}
rotations:
  shop: {timezone: UTC, layers: [{id: day, people: [ana, bo], turn: 1w, anchor: "2026-01-05 09:00"}]}
escalations:
  main: {levels: [{page: [person/ana], ack_within: 5m}, {page: [person/bo], ack_within: 5m}]}
"""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class World:
    node: Node
    clock: ManualClock
    notifier: Scripted
    peer: str = "127.0.0.1"
    _app: Any = None
    _rows: Any = field(default_factory=itertools.count)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        raw: bytes = b"",
        form: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        peer: str | None = None,
    ) -> Answer:
        content = raw if body is None else json.dumps(body).encode()
        sent = {"host": "sentinel.test"} | (headers or {})
        if form is not None:
            content = urlencode(form).encode()
            sent["content-type"] = "application/x-www-form-urlencoded"
        if content:
            sent["content-length"] = str(len(content))
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(n.lower().encode(), v.encode()) for n, v in sent.items()],
            "client": (peer or self.peer, 5000),
            "server": ("sentinel.test", 80),
        }
        got: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Any) -> None:
            got.append(message)

        answering = asyncio.ensure_future(self._app(scope, receive, send))
        await self.clock.settle()
        await answering
        start = next(m for m in got if m["type"] == "http.response.start")
        whole = b"".join(m.get("body", b"") for m in got if m["type"] == "http.response.body")
        return Answer(start["status"], {n.decode(): v.decode() for n, v in start["headers"]}, whole)

    async def alert(self, *, severity: Severity = Severity.error, **labels: str) -> None:
        labels = {"alertname": "home", "client": "acme", "service": "storefront"} | labels
        report = Report(
            labels, severity, self.clock.now(), "test", reason="status", summary="it is <b>down</b>"
        )
        row = alert_row(
            report, id=f"t/{next(self._rows)}", received_at=self.clock.now(), ends_at=None
        )
        await self.node.journal.transact(
            [], lambda view: (Change(inbox=[row]), None), now=self.clock.now()
        )
        await self.clock.settle()

    async def incident(self) -> str:
        rows = (await self.ask("GET", "/api/v1/incidents")).json()["incidents"]
        return str(rows[0]["incident"])

    def link(self) -> str:
        """The path of the link in the newest message."""
        return self.notifier.sent[-1][1].link.removeprefix("http://sentinel.test")

    async def advance(self, **span: float) -> None:
        await self.clock.advance(timedelta(**span))


def play(folder: Path, score: Callable[[World], Awaitable[None]], text: str = WORKSPACE) -> None:
    """Run a score against a started node."""

    async def whole() -> None:
        (folder / "sentinel.yaml").write_text(text)
        data = folder / ".sentinel"
        data.mkdir(exist_ok=True)
        journal = SqliteJournal.open(":memory:")
        clock = ManualClock(START)
        notifier = Scripted()
        node = Node(
            Settings(root=folder, data=data, name="node"),
            read_workspace(folder),
            journal=journal,
            clock=clock,
            secrets=KnownSecrets({"env:ANA": "x", "env:BO": "x", "env:BEAT": "beat-secret-1"}),
            notifier=notifier,
            new_id=(f"{number:08d}" for number in itertools.count(1)),
        )
        world = World(node, clock, notifier, _app=build(node))
        await node.start()
        await clock.settle()
        try:
            await score(world)
        finally:
            await node.close()

    asyncio.run(whole())
