"""``sentinel doctor``: what it sees in documents and on the machine, and how it ends."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result

from sentinel.cli.doctor_check import Standing
from sentinel.cli.doctor_machine import look
from sentinel.store.sqlite import SqliteJournal
from tests.cli.running import run, run_alone
from tests.engine.test_process import WORKSPACE, Running

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""Apprise's services and what they import warn about their own Python."""

SITE = """\
site: {addresses: {shop: "https://shop.example"}, unmatched: escalation/a, fallback: {page: [person/ana]}}
people: {ana: {methods: {push: "env:DOCTOR_PUSH", mail: "mailto://mail.example?from=s@shop.example&to=ana@shop.example"}}}
escalations: {a: {levels: [{page: [person/ana]}]}}
"""


@pytest.fixture(autouse=True)
def push(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCTOR_PUSH", "ntfy://ntfy.example/geheim-4711")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sentinel.yaml").write_text(SITE)
    return tmp_path


def ask(folder: Path, *words: str) -> Result:
    return run("doctor", str(folder), "--listen", "127.0.0.1:0", *words)


def seen(done: Result) -> dict[str, tuple[str, str]]:
    """Standing and text by check."""
    return {row["check"]: (row["standing"], row["text"]) for row in json.loads(done.stdout)}


def test_where_all_is_well_every_check_says_so_and_nothing_is_left_behind(folder: Path) -> None:
    done = ask(folder, "--json")
    assert 0 == done.exit_code, done.output
    assert {"ok"} == {standing for standing, _ in seen(done).values()}
    assert {"documents", "secrets", "people", "data", "disk", "store", "node", "port"} <= set(
        seen(done)
    )
    assert ["sentinel.yaml"] == os.listdir(folder)
    assert "nothing wrong\n" == ask(folder).stderr


def test_a_missing_secret_is_named_and_no_value_is_printed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "sentinel.yaml").write_text(SITE.replace('"mailto:', '"mailto://{file:pw}@x?q='))
    monkeypatch.delenv("DOCTOR_PUSH")
    done = ask(folder, "--json")
    assert (1, ("wrong", "missing: env:DOCTOR_PUSH, file:pw")) == (
        done.exit_code,
        seen(done)["secrets"],
    )
    assert "of 2 the secret is missing" in seen(done)["people"][1]


def test_an_address_that_cannot_be_used_is_said_without_its_secret(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCTOR_PUSH", "nfty://ntfy.example/geheim-4711")
    done = ask(folder)
    assert 1 == done.exit_code
    assert "WRONG    people       ana by push:" in done.stdout
    assert "→ mend it, then `sentinel page ana --test`" in done.stdout
    assert "geheim" not in done.output


@pytest.mark.parametrize(
    ("text", "exit_code", "standing"),
    [
        (SITE.replace("escalation/a", "escalation/b"), 1, "wrong"),
        (SITE + "rotations: {day: {layers: []}}\n", 1, "wrong"),
        (SITE + "playbooks: {idle: {when: 'true'}}\n", 3, "finding"),
    ],
)
def test_the_documents_are_linted(folder: Path, text: str, exit_code: int, standing: str) -> None:
    (folder / "sentinel.yaml").write_text(text)
    done = ask(folder, "--json")
    assert (exit_code, standing) == (done.exit_code, seen(done)["documents"][0])


def test_a_taken_port_is_wrong_and_so_is_none(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = ask(folder, "--listen", f"127.0.0.1:{taken.getsockname()[1]}", "--json")
    assert (1, "wrong") == (done.exit_code, seen(done)["port"][0])
    assert "wrong" == seen(ask(folder, "--listen", "here", "--json"))["port"][0]


def test_permission_to_ping_is_looked_at_where_somebody_pings(folder: Path) -> None:
    assert "ping" not in seen(ask(folder, "--json"))
    (folder / "probes").mkdir()
    (folder / "probes" / "edge.yaml").write_text("probes: {edge: {icmp: {host: edge.example}}}\n")
    assert "ping" in seen(ask(folder, "--json"))


def test_a_data_folder_open_to_others_or_of_the_future_is_a_finding(folder: Path) -> None:
    data = folder / ".sentinel"
    data.mkdir(mode=0o700)
    (data / "blind.json").write_text("{}")
    assert 0 == ask(folder).exit_code
    os.utime(data / "blind.json", (4_000_000_000, 4_000_000_000))
    done = ask(folder, "--json")
    assert (3, "finding") == (done.exit_code, seen(done)["clock"][0])
    data.chmod(0o755)
    assert "finding" == seen(ask(folder, "--json"))["data"][0]
    assert ["blind.json"] == os.listdir(data)


def test_a_store_is_opened_and_its_migrations_are_compared(folder: Path) -> None:
    data = folder / ".sentinel"
    data.mkdir(mode=0o700)
    path = data / "sentinel.db"
    asyncio.run(SqliteJournal.open(path).close())
    assert "may be written and is up to date" in seen(ask(folder, "--json"))["store"][1]
    with contextlib.closing(sqlite3.connect(path)) as later, later:
        later.execute("INSERT INTO migrations (number, name, checksum) VALUES (999, 'later', 'x')")
    done = ask(folder, "--json")
    assert (1, "wrong") == (done.exit_code, seen(done)["store"][0])
    assert "the store has migration 999" in seen(done)["store"][1]
    path.write_text("no database, but long enough that one would know it from its head")
    assert "wrong" == seen(ask(folder, "--json"))["store"][0]


def test_a_database_that_is_away_is_said_without_its_password(folder: Path) -> None:
    url = "postgresql://sentinel:geheim-4711@127.0.0.1:1/none"
    done = ask(folder, "--store", url, "--json")
    assert (1, "wrong") == (done.exit_code, seen(done)["store"][0])
    assert "geheim" not in done.output


def test_a_full_disk_is_wrong() -> None:
    found = {each.name: each for each in look(Path("/proc/self"), "/proc/none", "127.0.0.1:0")}
    assert (Standing.wrong, True) == (found["disk"].standing, "0 MiB free" in found["disk"].text)


def test_a_socket_at_which_nobody_answers_is_a_finding(folder: Path) -> None:
    data = folder / ".sentinel"
    data.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(data / "node.sock"))
    done = ask(folder, "--json")
    assert (3, "finding") == (done.exit_code, seen(done)["node"][0])


@pytest.mark.slow
def test_without_authorities_nothing_is_trusted(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(folder / "none"))
    done = run_alone("doctor", str(folder), "--listen", "127.0.0.1:0")
    assert 1 == done.returncode
    assert "no certificate authority is trusted" in done.stdout


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Running]:
    (tmp_path / "sentinel.yaml").write_text(WORKSPACE.format(mail=1, shop=1))
    running = Running(tmp_path)
    try:
        running.start()
        yield running
    finally:
        if running.process is not None and running.process.poll() is None:
            running.end(signal.SIGKILL)


@pytest.mark.slow
def test_a_running_node_is_asked_and_its_port_is_its_own(node: Running) -> None:
    done = run("doctor", str(node.folder), "--listen", f"127.0.0.1:{node.port}", "--json")
    assert ("ok", "runs and is ready") == seen(done)["node"]
    assert "port" not in seen(done)
    assert "may be written" in seen(done)["store"][1]
