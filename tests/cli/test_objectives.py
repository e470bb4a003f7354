"""``sentinel objectives`` against a running node."""

import json
import signal
import socket
from pathlib import Path

import pytest

from tests.children import wait_for
from tests.cli.running import run
from tests.engine.test_process import WORKSPACE, Running

PROMISED = """\
clients: {acme: {services: {checkout: {objective: {availability: 99.95, latency: {under: 800ms, share: 95}}}}}}
"""


@pytest.mark.slow
def test_objectives_are_listed_with_what_is_left(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as shop:
        port = shop.getsockname()[1]
        text = WORKSPACE.format(mail=port, shop=port) + PROMISED
        text = text.replace("  home:\n", "  home:\n    client: acme\n    service: checkout\n")
        (tmp_path / "sentinel.yaml").write_text(text)
        running = Running(tmp_path)
        at = ["--data", str(tmp_path / ".sentinel")]
        try:
            running.start()
            asked = wait_for(lambda: run("objectives", *at).output.splitlines(), 20)
            listed = json.loads(run("objectives", "--json", *at).output)
        finally:
            if running.process is not None:
                running.end(signal.SIGKILL)
    assert [
        ["acme", "checkout", "availability", "99.95% of 30d"],
        ["acme", "checkout", "latency", "95% of 30d under 800ms"],
    ] == [line.split("\t")[:4] for line in asked]
    assert ["availability", "latency"] == [each["objective"] for each in listed]
