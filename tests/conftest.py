"""What every test may use.

`needs(package)` skips a test when the Debian package's program is not there
(``requirements/system.txt`` says which program). With ``SENTINEL_FORBID_SKIPS`` set, as in CI,
every skip is a failure.
"""

import os
import secrets
import shutil
import socket
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from examples.shop.mailbox import MailServer
from tests import children

ROOT = Path(__file__).parent.parent
PROGRAM_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def _programs() -> dict[str, str]:
    lines = (ROOT / "requirements" / "system.txt").read_text().splitlines()
    return dict(line.split() for line in lines if line and not line.startswith("#"))


PROGRAMS = _programs()
R = TypeVar("R", pytest.TestReport, pytest.CollectReport)


def program(package: str) -> str | None:
    """The path of the package's program, or None when it is not installed."""
    return shutil.which(PROGRAMS[package], path=PROGRAM_PATH)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for needed in item.iter_markers("needs"):
        for package in needed.args:
            if program(package) is None:
                pytest.skip(f"needs the package {package}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _forbid_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _forbid_skip((yield))


def _forbid_skip(report: R) -> R:
    expected_to_fail = hasattr(report, "wasxfail")
    if os.environ.get("SENTINEL_FORBID_SKIPS") and report.skipped and not expected_to_fail:
        report.outcome = "failed"
        report.longrepr = f"skipping is forbidden here: {report.longrepr}"
    return report


@pytest.fixture(scope="session", autouse=True)
def no_stray_children() -> Iterator[None]:
    """At the end nothing that the tests started still runs."""
    mark = secrets.token_hex(8)
    os.environ[children.MARK] = mark
    yield
    left = children.strays(mark)
    for pid in left:
        children.end(pid)
    assert left == {}, "processes outlived the tests that started them"


@pytest.fixture
def wait_for() -> Callable[..., Any]:
    """`children.wait_for`: poll a condition until a deadline."""
    return children.wait_for


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Gives a loopback port that nobody listens on; prefer port 0 where a program can say its own."""

    def free() -> int:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            return int(listener.getsockname()[1])

    return free


Start = Callable[..., children.Child]


def _starting() -> Iterator[Start]:
    started: list[children.Child] = []

    def begin(argv: Sequence[str | Path], *, ready_s: float = 15.0, **how: Any) -> children.Child:
        child = children.Child(argv, **how)
        started.append(child)
        return child.until_ready(ready_s)

    yield begin
    for child in reversed(started):
        child.stop()


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a program that prints one JSON line when it is ready, and stops it after the test."""
    yield from _starting()


@pytest.fixture(scope="module")
def start_once() -> Iterator[Start]:
    """The same, for all tests of a module."""
    yield from _starting()


@pytest.fixture
def mail_server(tmp_path: Path) -> Iterator[MailServer]:
    """A real SMTP server on loopback that delivers into a Maildir; `manners` make it misbehave."""
    server = MailServer(tmp_path / "mail" / "box")
    server.start()
    yield server
    server.stop()
