"""The demo: a whole round in the world, and a round that names the stage that did not happen."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from sentinel.cli.demo_round import button
from sentinel.cli.demo_world import mail_address
from sentinel.engine.failpoint import VARIABLE, Stage
from tests import children
from tests.children import wait_for
from tests.conftest import ROOT

pytestmark = pytest.mark.slow
AT_ONCE = 2
"""Rounds beside each other: they mostly wait."""
WITHIN_S = 150
DEMO = [sys.executable, "-m", "sentinel", "demo", "--port", "0"]


def round_of(folder: Path, off: str) -> subprocess.CompletedProcess[str]:
    """One unattended round with stages off, its temporary files in `folder`."""
    env = {**os.environ, "TMPDIR": str(folder), VARIABLE: off, "COLUMNS": "200"}
    patience = "45" if not off else "16"
    argv = [*DEMO, "--once", "--patience", patience]
    return subprocess.run(argv, env=env, cwd=ROOT, capture_output=True, text=True, timeout=WITHIN_S)


Rounds = Mapping[str, Future[subprocess.CompletedProcess[str]]]


@pytest.fixture(scope="module")
def rounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rounds]:
    """All rounds, begun."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        names = ["", *Stage]
        folders = {name: tmp_path_factory.mktemp(f"round-{name or 'whole'}") for name in names}
        yield {name: pool.submit(round_of, folders[name], name) for name in names}


def test_a_whole_round_happens_and_leaves_nothing_behind(
    rounds: Rounds, tmp_path_factory: pytest.TempPathFactory
) -> None:
    done = rounds[""].result(WITHIN_S)

    assert 0 == done.returncode, done.stdout[-3000:] + done.stderr
    assert len(Stage) == done.stdout.count("✓")
    folder = next(tmp_path_factory.getbasetemp().glob("round-whole*"))
    assert [] == list(folder.iterdir())


@pytest.mark.parametrize("stage", list(Stage))
def test_a_round_without_a_stage_fails_and_names_it(rounds: Rounds, stage: Stage) -> None:
    done = rounds[stage].result(WITHIN_S * 3)

    assert 1 == done.returncode, done.stdout[-3000:] + done.stderr
    assert f"the stage `{stage}` is missing" in done.stderr
    assert list(Stage).index(stage) == done.stdout.count("✓")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_demo_that_is_killed_takes_everything_with_it(
    tmp_path: Path, number: signal.Signals
) -> None:
    mark = f"killed-{number}-{os.getpid()}"
    env = {**os.environ, "TMPDIR": str(tmp_path), children.MARK: mark, "PYTHONUNBUFFERED": "1"}
    argv = [*DEMO, "--patience", "30"]
    with subprocess.Popen(argv, env=env, cwd=ROOT, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        assert "Console: http://127.0.0.1:" in started.stdout.readline()
        assert len(children.strays(mark)) > 4

        started.send_signal(number)

        started.wait(30)
        wait_for(lambda: not children.strays(mark), 20, what="the last of its processes ends")


def test_an_unknown_stage_is_refused() -> None:
    env = {**os.environ, VARIABLE: "pages"}
    argv = [sys.executable, "-m", "sentinel", "run", "."]

    done = subprocess.run(argv, env=env, cwd=ROOT, capture_output=True, text=True, timeout=30)

    assert 2 == done.returncode
    assert "no stage pages; there are checks, incident" in done.stderr


def test_a_page_without_the_button_sends_nothing() -> None:
    other = '<form method="post"><input name="command" value="note"><button>Add</button></form>'
    ours = '<form method="post"><input name="command" value="ack"><button>Yes</button></form>'

    assert {} == button("<p>This link has expired</p>" + other)
    assert {"command": "ack"} == button(other + ours)


def test_each_person_has_an_address_at_the_local_mailbox() -> None:
    address = mail_address("OPS_LEAD_MAIL", "2525")

    assert "mailto://127.0.0.1:2525?to=ops-lead@acme.example" in address
