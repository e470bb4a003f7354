"""The node as people run it: a process, a port, a real mail server; killed, restarted, reloaded."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from examples.shop.mailbox import MailServer
from tests.children import wait_for
from tests.store.postgres_server import Server

pytestmark = pytest.mark.slow

WORKSPACE = """
site: {{unmatched: escalation/me, fallback: {{page: [person/me], every: 15m}}}}
people:
  me: {{name: Me, methods: {{mail: "mailto://127.0.0.1:{mail}?from=s@loop.test&to=me@loop.test&mode=insecure"}}}}
escalations:
  me: {{levels: [{{page: [person/me], ack_within: 5m}}]}}
probes:
  home:
    every: 2s
    timeout: 1s
    tcp: {{host: 127.0.0.1, port: {shop}}}
    confirm: {{down: 2, up: 2, every: 1s}}
"""


class Running:
    """``sentinel run`` in a folder, on a free port."""

    def __init__(self, folder: Path, store: str = "") -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._store = ["--store", store] if store else []
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        url = f"http://127.0.0.1:{self.port}"
        argv = [sys.executable, "-m", "sentinel", "run", str(self.folder), "--url", url]
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [*argv, "--listen", f"127.0.0.1:{self.port}", *self._store], stdout=log, stderr=log
        )
        log.close()
        wait_for(lambda: self.asks("/-/ready") == "Ready\n", 60)

    def asks(self, path: str, body: Any = None) -> str:
        """The answer's text; "" when nobody answers or it is refused."""
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", content)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return str(answer.read().decode())
        except (URLError, ConnectionError, TimeoutError):
            return ""

    def incidents(self) -> list[dict[str, Any]]:
        return list(json.loads(self.asks("/api/v1/incidents") or '{"incidents": []}')["incidents"])

    def end(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)


@contextlib.contextmanager
def _running(folder: Path, mail_server: MailServer, store: str) -> Iterator[tuple[Running, int]]:
    """A node that is ready, and the port of a shop that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        shop = free.getsockname()[1]
    (folder / "sentinel.yaml").write_text(WORKSPACE.format(mail=mail_server.port, shop=shop))
    running = Running(folder, store)
    try:
        running.start()
        yield running, shop
    finally:
        if running.process is not None and running.process.poll() is None:
            running.end(signal.SIGKILL)


@pytest.fixture
def database() -> Iterator[Server]:
    server = Server()
    yield server
    server.remove()


@pytest.fixture(params=["sqlite", "postgres"])
def node(
    request: pytest.FixtureRequest, tmp_path: Path, mail_server: MailServer
) -> Iterator[tuple[Running, int]]:
    store = ""
    if request.param == "postgres":
        store = request.getfixturevalue("database").new_store()
    with _running(tmp_path, mail_server, store) as found:
        yield found


def _link(mail_server: MailServer) -> str:
    text = mail_server.mails()[0].text
    found = re.search(r"http://127\.0\.0\.1:\d+(/a/[\w-]+)", text)
    assert found is not None, text
    return found[1]


def test_a_dead_shop_pages_is_acknowledged_recovers_and_survives_kill_9(
    node: tuple[Running, int], mail_server: MailServer
) -> None:
    running, shop = node
    wait_for(lambda: len(mail_server.mails()) > 0, 30)
    (opened,) = running.incidents()

    assert 0 > running.end(signal.SIGKILL)
    running.start()
    (after,) = running.incidents()
    assert (opened["incident"], "triggered") == (after["incident"], after["status"])

    request = urllib.request.Request(
        f"http://127.0.0.1:{running.port}{_link(mail_server)}", b"command=ack"
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert "You have it." in answer.read().decode()
    with socket.create_server(("127.0.0.1", shop)):
        wait_for(lambda: running.incidents()[0]["status"] == "resolved", 30)

    proof = json.loads(running.asks(f"/api/v1/incidents/{opened['incident']}/verify"))
    assert proof["findings"] == []
    assert len(running.incidents()) == 1
    assert 0 == running.end()


def test_a_bad_file_at_sighup_keeps_the_old_set(node: tuple[Running, int]) -> None:
    running, _ = node
    assert running.process is not None
    file = running.folder / "sentinel.yaml"
    good = file.read_text()
    file.write_text(good + "probez: {}\n")
    os.kill(running.process.pid, signal.SIGHUP)
    wait_for(lambda: "last_reload_successful 0.0" in running.asks("/metrics"), 20)
    assert "home" in running.asks("/api/v1/probes")

    file.write_text(good)
    os.kill(running.process.pid, signal.SIGHUP)
    wait_for(lambda: "last_reload_successful 1.0" in running.asks("/metrics"), 20)
    assert 0 == running.end()


def test_a_list_that_changes_brings_probes_and_takes_them_without_a_reload(
    node: tuple[Running, int],
) -> None:
    running, shop = node
    probes = running.folder / "probes"
    probes.mkdir()
    (probes / "found.yaml").write_text(
        "probes:\n  found:\n    discover: {file: found.json, every: 1s}\n"
        "    every: 1s\n    tcp: {host: '${discovered.host}', port: '${discovered.port}'}\n"
    )
    found = running.folder / "found.json"
    found.write_text(json.dumps([{"targets": [f"127.0.0.1:{shop}"]}]))
    assert running.process is not None
    running.process.send_signal(signal.SIGHUP)

    id = f"found-127-0-0-1-{shop}"
    wait_for(
        lambda: (
            f'probe_success{{client="",kind="tcp",location="local",probe="{id}"'
            in running.asks("/metrics")
        ),
        30,
    )
    wait_for(lambda: id in running.asks("/api/v1/probes"), 10)
    found.write_text("[]")
    wait_for(lambda: id not in running.asks("/metrics"), 10)
    assert id not in running.asks("/api/v1/probes")


def test_a_database_that_goes_away_is_blindness_and_the_incident_goes_on_afterwards(
    database: Server, tmp_path: Path, mail_server: MailServer
) -> None:
    with _running(tmp_path, mail_server, database.new_store()) as (running, shop):
        wait_for(lambda: len(mail_server.mails()) == 1, 30)
        (opened,) = running.incidents()

        database.stop()
        blind = wait_for(lambda: mail_server.mails()[1:], 30)
        assert "journal unavailable, may repeat" in blind[0].text
        assert "home: " in blind[0].text  # what it sees failing, from memory
        assert "Healthy\n" == running.asks("/-/healthy")
        assert "" == running.asks("/-/ready")
        assert "sentinel_failures_total" in running.asks("/metrics")

        with socket.create_server(("127.0.0.1", shop)):
            database.start()
            wait_for(lambda: running.asks("/-/ready") == "Ready\n", 30)
            wait_for(lambda: running.incidents()[0]["status"] == "resolved", 30)
        assert [opened["incident"]] == [each["incident"] for each in running.incidents()]
        proof = json.loads(running.asks(f"/api/v1/incidents/{opened['incident']}/verify"))
        assert [] == proof["findings"]

        database.stop()
        assert 0 == running.end()
        database.start()
