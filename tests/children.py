"""Programs that a test starts, and their certain end.

A child prints one JSON line when it is ready; what it prints afterwards is kept. Children and
whatever they leave behind are found by a mark in their environment (`MARK`), so a stray one is
named even when its parent died first.
"""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

MARK = "SENTINEL_TEST_RUN"
_OF_PYTHON_ITSELF = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")

T = TypeVar("T")


def wait_for(condition: Callable[[], T], deadline_s: float = 10.0, *, what: str = "") -> T:
    """Ask again and again until the condition gives something true, and give that.

    Raises AssertionError after `deadline_s`, with the last answer. The only place where tests
    let time pass.
    """
    end = time.monotonic() + deadline_s
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            name = what or getattr(condition, "__name__", "it")
            raise AssertionError(
                f"{name}: not within {deadline_s:g} s; the last answer: {answer!r}"
            )
        time.sleep(0.02)


class Child:
    """A running program. `ready` is the JSON object of its first line."""

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.lines: list[dict[str, Any]] = []
        self.talk: list[str] = []
        self.process = subprocess.Popen(
            [str(word) for word in argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
            cwd=cwd,
        )
        self._readers = [
            threading.Thread(target=self._read, args=(stream, keep), daemon=True)
            for stream, keep in (
                (self.process.stdout, self._keep_line),
                (self.process.stderr, self.talk.append),
            )
        ]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(stream: Any, keep: Callable[[str], None]) -> None:
        for line in stream:
            keep(line)

    def _keep_line(self, line: str) -> None:
        try:
            said = json.loads(line)
        except ValueError:
            said = {"said": line.rstrip("\n")}
        self.lines.append(said if isinstance(said, dict) else {"said": said})

    def until_ready(self, deadline_s: float = 15.0) -> Self:
        """Wait for the first line. Raises AssertionError with what the program complained of."""
        wait_for(lambda: self.lines or self.process.poll() is not None, deadline_s, what="ready")
        assert self.lines, f"ended with {self.process.returncode}: {''.join(self.talk)[-4000:]}"
        return self

    @property
    def ready(self) -> dict[str, Any]:
        return self.lines[0]

    @property
    def address(self) -> str:
        return str(self.ready["address"])

    def stop(self, deadline_s: float = 10.0) -> int:
        """SIGTERM, and SIGKILL when that is not heard in time; gives the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for reader in self._readers:
            reader.join(deadline_s)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return self.process.returncode


def strays(mark: str) -> dict[int, str]:
    """The living processes, other than this one, that carry the mark: pid and command line."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environment = (entry / "environ").read_bytes()
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it ended meanwhile, or belongs to somebody else
            continue
        marked = f"{MARK}={mark}".encode() in environment.split(b"\0")
        if marked and command and not any(name in command for name in _OF_PYTHON_ITSELF):
            found[int(entry.name)] = command.strip()
    return found


def end(pid: int) -> None:
    """Kill a stray process; it may be gone already."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
