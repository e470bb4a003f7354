"""``sentinel run`` refuses to start half: with a bad workspace, store, port or switch."""

import asyncio
import contextlib
import json
import logging
import socket
import sqlite3
import sys
from pathlib import Path

import pytest

from sentinel.cli.run import Lines, node_name
from sentinel.engine.redaction import Redactor
from sentinel.store.sqlite import SqliteJournal
from tests.cli.running import run_alone
from tests.engine.test_process import WORKSPACE

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sentinel.yaml").write_text(WORKSPACE.format(mail=1, shop=1))
    return tmp_path


def test_a_mistake_in_a_file_is_exit_3_and_nothing_is_started(folder: Path) -> None:
    with (folder / "sentinel.yaml").open("a") as file:
        file.write("probez: {}\n")
    done = run_alone("run", str(folder), "--listen", "127.0.0.1:0")
    assert 3 == done.returncode
    assert "sentinel.yaml:13:1" in done.stderr
    assert "did you mean `probes`?" in done.stderr
    assert not (folder / ".sentinel" / "sentinel.db").exists()


def test_a_store_of_a_newer_sentinel_is_refused(folder: Path) -> None:
    data = folder / ".sentinel"
    data.mkdir()
    path = data / "sentinel.db"
    asyncio.run(SqliteJournal.open(path).close())
    with contextlib.closing(sqlite3.connect(path)) as later, later:
        later.execute("INSERT INTO migrations (number, name, checksum) VALUES (999, 'later', 'x')")
    done = run_alone("run", str(folder), "--listen", "127.0.0.1:0")
    assert 1 == done.returncode
    assert "the store has migration 999" in done.stderr


def test_a_port_that_is_taken_is_said(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run_alone("run", str(folder), "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert 1 == done.returncode
    assert "Address already in use" in done.stderr


def test_a_database_that_does_not_answer_is_said_without_its_password(folder: Path) -> None:
    url = "postgresql://sentinel:geheim-4711@127.0.0.1:1/none"
    done = run_alone("run", str(folder), "--listen", "127.0.0.1:0", "--store", url)
    assert 1 == done.returncode
    assert "refused" in done.stderr
    assert "geheim" not in done.stderr


def test_two_locations_on_one_machine_are_two_nodes() -> None:
    assert 3 == len({node_name(location) for location in ("local", "eu", "us")})


def test_a_line_of_the_log_holds_no_secret_though_an_error_quotes_it() -> None:
    lines = Lines()
    lines.redactor = Redactor(["geheim-4711"])
    try:
        raise ValueError("`geheim-4711` is no number")
    except ValueError:
        error = sys.exc_info()
    record = logging.LogRecord("x", 40, "", 0, "asked %s", ("geheim-4711",), error)
    record.tried, record.count = ["geheim-4711"], 3
    line = json.loads(lines.format(record))

    assert ("asked ***", ["***"], 3) == (line["message"], line["tried"], line["count"])
    assert "ValueError: `***` is no number" in line["error"]
