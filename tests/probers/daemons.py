"""Real servers of other people's, each on loopback ports of its own, ended with the test."""

import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.children import wait_for
from tests.conftest import program


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on."""
    listeners = [socket.socket() for _ in range(count)]
    try:
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [int(listener.getsockname()[1]) for listener in listeners]
    finally:
        for listener in listeners:
            listener.close()


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as asking:
        asking.settimeout(1.0)
        return asking.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(
    package: str, words: Sequence[str | Path], *, ports: Sequence[int], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """The package's program until the block ends; given when it listens on all its ports."""
    path = program(package)
    assert path, f"the package {package} is not installed"
    log = folder / f"{package}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [path, *map(str, words)], stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd=folder
        )
    try:
        wait_for(
            lambda: process.poll() is not None or all(answers(port) for port in ports),
            15.0,
            what=f"{package} listens",
        )
        assert process.poll() is None, log.read_text(errors="replace")
        yield process
    finally:
        process.terminate()
        process.wait(10)
