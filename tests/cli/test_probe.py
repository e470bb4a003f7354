"""``sentinel probe`` on a folder, without a node: declared probes, and those of a list."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import run

WORKSPACE = """\
site: {unmatched: escalation/a, fallback: {page: [person/ana]}}
people: {ana: {methods: {mail: "env:ANA"}}}
escalations: {a: {levels: [{page: [person/ana]}]}}
probes:
  home: {tcp: {host: 127.0.0.1, port: %(port)d}}
  shops:
    discover: {file: shops.json, name: "${discovered.labels.shop}"}
    tcp: {host: "${discovered.host}", port: "${discovered.port}"}
  shops-abroad:
    discover: {url: "http://127.0.0.1:%(port)d/%(path)s", bearer: "env:INVENTORY_TOKEN"}
    tcp: {host: "${discovered.host}", port: "${discovered.port}"}
"""


class Inventory(BaseHTTPRequestHandler):
    """Lists itself, to whoever knows the token."""

    def do_GET(self) -> None:
        known = self.headers["authorization"] == "Bearer open sesame"
        port = self.server.server_address[1]  # type: ignore[index]
        content = json.dumps([{"targets": [f"127.0.0.1:{port}", "http://user@shop.example"]}])
        self.send_response(200 if known and self.path == "/sd" else 403)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def inventory() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Inventory) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def folder(tmp_path: Path, inventory: int, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INVENTORY_TOKEN", "open sesame")
    _write(tmp_path, inventory)
    groups = [
        {"targets": [f"127.0.0.1:{inventory}"], "labels": {"shop": "fi"}},
        {"targets": ["127.0.0.1"], "labels": {"shop": "se"}},
    ]
    (tmp_path / "shops.json").write_text(json.dumps(groups))
    return tmp_path


def _write(folder: Path, port: int, path: str = "sd") -> None:
    (folder / "sentinel.yaml").write_text(WORKSPACE % {"port": port, "path": path})


def test_a_probe_of_a_list_in_a_file_is_checked_as_a_declared_one(folder: Path) -> None:
    for id in ("home", "shops-fi"):
        done = run("probe", id, str(folder), "--json")
        assert 0 == done.exit_code, done.output
        found = json.loads(done.stdout)
        assert (id, "tcp", "ok") == (found["probe"], found["kind"], found["outcome"])


def test_an_endpoint_is_asked_with_its_token(folder: Path, inventory: int) -> None:
    done = run("probe", f"shops-abroad-127.0.0.1-{inventory}".replace(".", "-"), str(folder))
    assert 0 == done.exit_code, done.output


@pytest.mark.parametrize(
    ("id", "said"),
    [
        ("homw", "no document declares a probe `homw`, did you mean `home`?"),
        ("shops", "the list of `shops` (shops.json) makes 1 probe: `shops-fi`"),
        ("shops-fx", "none is `shops-fx`, did you mean `shops-fi`?"),
        ("shops-se", "left out: 127.0.0.1: "),
        ("shops-abroad-de", "left out: http://user@shop.example: it holds credentials"),
    ],
)
def test_an_id_that_no_document_and_no_list_has_is_exit_2_and_says_what_there_is(
    folder: Path, id: str, said: str
) -> None:
    done = run("probe", id, str(folder))
    assert (2, "") == (done.exit_code, done.stdout)
    assert said in done.stderr


def test_a_list_that_cannot_be_read_is_said_with_its_reason(
    folder: Path, inventory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(folder, inventory, path="elsewhere")
    assert (1, "the answer has status 403") == _ending(folder, "shops-abroad-fi")
    _write(folder, 1)
    assert (4, "connect_refused: ") == _ending(folder, "shops-abroad-fi")
    monkeypatch.delenv("INVENTORY_TOKEN")
    assert (1, "INVENTORY_TOKEN") == _ending(folder, "shops-abroad-fi")
    (folder / "shops.json").write_text("{}")
    assert (1, "the list is not a list of groups") == _ending(folder, "shops-fi")
    (folder / "shops.json").unlink()
    assert (1, "shops.json: No such file") == _ending(folder, "shops-fi")


SAID = (
    "the answer has status 403",
    "connect_refused: ",
    "INVENTORY_TOKEN",
    "the list is not a list of groups",
    "shops.json: No such file",
)


def _ending(folder: Path, id: str) -> tuple[int, str]:
    """How it ends, and which of `SAID` is said of the first list."""
    done = run("probe", id, str(folder))
    assert "" == done.stdout
    lines = [line for line in done.stderr.splitlines() if "cannot be read" in line]
    return done.exit_code, next((each for each in SAID if each in lines[-1]), done.stderr)
