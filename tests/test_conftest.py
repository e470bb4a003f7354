"""The tests' own tools: skipping, forbidding it, stray processes, waiting."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.children import MARK, Child, strays, wait_for
from tests.conftest import ROOT

INNER = """
import subprocess, sys
import pytest
from tests import conftest
from tests.conftest import *

conftest.PROGRAMS["no-such-package"] = "no-such-program-anywhere"
"""
SKIPPED = """
import pytest

@pytest.mark.needs("no-such-package")
def test_with_a_package():
    raise AssertionError("ran")
"""
STRAY = """
import subprocess, sys

kept = []

def test_leaves_a_child():
    kept.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]))
"""


def _inner_run(folder: Path, test: str, **env: str) -> subprocess.CompletedProcess[str]:
    folder.joinpath("conftest.py").write_text(INNER)
    folder.joinpath("test_inner.py").write_text(test)
    clean = {name: value for name, value in os.environ.items() if name != "SENTINEL_FORBID_SKIPS"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-rs", "-c", ROOT / "pyproject.toml", folder],
        cwd=ROOT,
        env={**clean, "PYTHONPATH": str(ROOT), **env},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.slow
def test_a_missing_program_skips_with_the_name_of_its_package(tmp_path: Path) -> None:
    run = _inner_run(tmp_path, SKIPPED)

    assert run.returncode == 0, run.stdout
    assert "needs the package no-such-package" in run.stdout


@pytest.mark.slow
def test_a_skip_is_a_failure_where_skipping_is_forbidden(tmp_path: Path) -> None:
    run = _inner_run(tmp_path, SKIPPED, SENTINEL_FORBID_SKIPS="1")

    assert run.returncode == 1
    assert "skipping is forbidden here" in run.stdout


@pytest.mark.slow
def test_a_module_that_skips_itself_is_a_failure_too(tmp_path: Path) -> None:
    module = 'import pytest\npytest.skip("not today", allow_module_level=True)\n'

    run = _inner_run(tmp_path, module, SENTINEL_FORBID_SKIPS="1")

    assert run.returncode != 0
    assert "skipping is forbidden here" in run.stdout


@pytest.mark.slow
def test_a_process_left_running_fails_the_run_and_is_ended(tmp_path: Path) -> None:
    run = _inner_run(tmp_path, STRAY)

    assert run.returncode == 1
    assert "outlived the tests" in run.stdout


def test_strays_are_found_by_their_mark_only() -> None:
    child = Child([sys.executable, "-c", "print('{}', flush=True); input()"], env={MARK: "mine"})
    child.until_ready()

    assert [child.process.pid] == list(strays("mine"))
    assert strays("another") == {}
    child.stop()
    assert strays("mine") == {}


def test_waiting_gives_the_first_true_answer() -> None:
    answers = iter([None, [], "there"])

    assert wait_for(lambda: next(answers)) == "there"


def test_waiting_ends_at_its_deadline_with_the_last_answer() -> None:
    with pytest.raises(AssertionError, match=r"the shop: not within 0\.05 s; the last answer: 0"):
        wait_for(lambda: 0, 0.05, what="the shop")
