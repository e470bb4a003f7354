"""Two nodes at two locations on one PostgreSQL store: an alert only when as many agree as must."""

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from examples.shop.mailbox import MailServer
from tests.children import wait_for
from tests.engine.test_process import Running
from tests.store.postgres_server import Server

WORKSPACE = """
site:
  unmatched: escalation/me
  fallback: {{page: [person/me]}}
  addresses: {{shop: "http://127.0.0.1:1"}}
locations: {{eu: {{}}, us: {{}}}}
people:
  me: {{name: Me, methods: {{mail: "mailto://127.0.0.1:{mail}?from=s@loop.test&to=me@loop.test&mode=insecure"}}}}
escalations:
  me: {{levels: [{{page: [person/me]}}]}}
probes:
  home:
    every: 1s
    timeout: 900ms
    confirm: {{down: 2, up: 2}}
    locations: {{from: [eu, us], agree: 2}}
    http: {{at: shop}}
    expect: ['status == 200']
"""


class At(Running):
    """A node at a location that sees the shop at a port of its own."""

    def __init__(self, folder: Path, location: str, *, store: str, shop: int) -> None:
        super().__init__(folder, store)
        data = folder / f"data-{location}"
        self._store += ["--location", location, "--node", location, "--data", str(data)]
        self._store += ["--address", f"shop=http://127.0.0.1:{shop}"]

    def verdicts(self) -> dict[str, Any]:
        """The probe's state by location."""
        (home,) = json.loads(self.asks("/api/v1/probes"))["probes"]
        return {place: state["state"] for place, state in home["locations"].items()}


@pytest.fixture
def database() -> Iterator[Server]:
    server = Server()
    yield server
    server.remove()


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the nodes ask every second."""


class Shop:
    """The shop as one location sees it; `close` it and it is refused there."""

    def __init__(self, port: int = 0) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", port), Page)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def running(node: At) -> Iterator[At]:
    try:
        node.start()
        yield node
    finally:
        if node.process is not None and node.process.poll() is None:
            node.end(signal.SIGKILL)


@pytest.mark.slow
def test_one_location_alone_opens_nothing_and_two_that_agree_page_once(
    database: Server, tmp_path: Path, mail_server: MailServer
) -> None:
    (tmp_path / "sentinel.yaml").write_text(WORKSPACE.format(mail=mail_server.port))
    store = database.new_store()
    with ExitStack() as open_:
        shops = {place: Shop() for place in ("eu", "us")}
        for shop in shops.values():
            open_.callback(shop.close)
        eu, us = (
            open_.enter_context(running(At(tmp_path, place, store=store, shop=shop.port)))
            for place, shop in shops.items()
        )
        wait_for(lambda: eu.verdicts() == {"eu": "ok", "us": "ok"}, 30)

        shops["eu"].close()
        wait_for(lambda: us.verdicts() == {"eu": "firing", "us": "ok"}, 30)
        assert [] == eu.incidents()

        shops["us"].close()
        opened = wait_for(us.incidents, 30)
        assert ["triggered"] == [each["status"] for each in opened]
        wait_for(mail_server.mails, 30)

        shops["eu"] = open_.enter_context(closing(Shop(shops["eu"].port)))
        wait_for(lambda: eu.incidents()[0]["status"] == "resolved", 30)
        assert 1 == len(us.incidents())
        assert "firing" == us.verdicts()["us"]
    (paged,) = [mail for mail in mail_server.mails() if "Acknowledge" in mail.text]
    assert "home" in paged.text
