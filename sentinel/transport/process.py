"""Programs, run with care: for the actions and probers of the kind `command`.

A program is run without a shell, in a session and process group of its own, with a small
environment, no standard input, limits on files, cores, memory and processor time, and its output
cut. A launcher sets the limits between fork and exec, because code may not safely run there in a
process with threads. At the deadline the whole group is asked to end, and killed a moment later.
What a program leaves behind when it ends by itself is killed too, unless it may be a server that
it was asked to start (`Program.may_leave`). A child that made a session of its own escapes both.
"""

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sentinel.transport import launcher

MAX_OUTPUT = 64 * 1024
"""Bytes kept of standard output, and of standard error; the rest is read and dropped."""

GRACE_S = 1.0
"""From the request to end (SIGTERM) to the end of all discussion (SIGKILL)."""

INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""What programs see of the node's environment; all else must be declared."""

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

LIMITS: Mapping[str, int] = {"core": 0, "fsize": 1 << 30, "nofile": 4096, "cpu": 3600}
"""No core dumps (they hold secrets), files up to 1 GiB, 4,096 open ones, an hour of processor time.
Names are those of ``resource.RLIMIT_*``, values bytes, counts or seconds."""


@dataclass(frozen=True, slots=True)
class Program:
    """What is to be run: `argv[0]` with a slash from `folder`, without one along PATH and then
    `further_path`. `env` comes on top of the small environment. `limits` come on top of `LIMITS`."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    folder: Path
    limits: Mapping[str, int] = field(default_factory=dict)
    further_path: str = ""
    may_leave: bool = True
    """Whether children may stay when the program itself has ended."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How it went. `exit_code` is negative when a signal ended it (``-11``: SIGSEGV), and says
    nothing when it was `killed` at the deadline. Outputs are text, cut at 64 KiB each; what is no
    UTF-8 is U+FFFD."""

    exit_code: int
    killed: bool
    stdout: str
    stderr: str
    duration_s: float


async def run(program: Program, deadline: float, *, grace_s: float = GRACE_S) -> Ended:
    """Run it; returns at the latest `grace_s` and a moment after `deadline` (monotonic clock).

    Raises FileNotFoundError when there is no such program: then nothing was started.
    """
    surroundings = {name: os.environ[name] for name in INHERITED if name in os.environ}
    surroundings |= program.env
    path = surroundings.get("PATH", DEFAULT_PATH)
    if program.further_path:
        path = f"{path}{os.pathsep}{program.further_path}"
    file = find_program(program.argv[0], program.folder, path)
    limits = ",".join(f"{name}={most}" for name, most in {**LIMITS, **program.limits}.items())
    started = time.monotonic()
    out, err = _Output(), _Output()
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", launcher.__file__, limits, file, *program.argv),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out.theirs,
            stderr=err.theirs,
            cwd=program.folder,
            env=surroundings,
            start_new_session=True,
        )
    except BaseException:
        out.close()
        err.close()
        raise
    ended = False
    try:
        ended = await _ended(process, deadline, grace_s, out, err, may_leave=program.may_leave)
    finally:
        if not ended:
            _signal_group(process.pid, signal.SIGKILL)
            await _all_within(GRACE_S, process.wait())
        out.close()
        err.close()
    took_s = time.monotonic() - started
    return Ended(process.returncode or 0, not ended, out.text(), err.text(), took_s)


def find_program(name: str, folder: Path, path: str) -> str:
    """The program's absolute path: with a slash from `folder`, else along `path`."""
    wanted = str(folder / name) if "/" in name else name
    found = shutil.which(wanted, path=path)
    if found is None:
        raise FileNotFoundError(f"no program `{name}` that may be run")
    return str(Path(found).absolute())


class _Output:
    """One end of a pipe that is always drained, so that a program never waits for us."""

    def __init__(self) -> None:
        self._ours, self.theirs = os.pipe()
        os.set_blocking(self._ours, False)
        self._kept = bytearray()
        self.ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._ours, self._read)

    def _read(self) -> None:
        piece = os.read(self._ours, MAX_OUTPUT)
        if not piece:
            self._loop.remove_reader(self._ours)
            self.ended.set()
        self._kept += piece[: MAX_OUTPUT - len(self._kept)]

    def begin(self) -> None:
        """The program has its end now; ours is closed, so that the pipe ends with the program."""
        if self.theirs >= 0:
            os.close(self.theirs)
            self.theirs = -1

    def close(self) -> None:
        self.begin()
        self._loop.remove_reader(self._ours)
        os.close(self._ours)

    def text(self) -> str:
        return self._kept.decode("utf-8", "replace")


async def _ended(
    process: asyncio.subprocess.Process,
    deadline: float,
    grace_s: float,
    *outputs: _Output,
    may_leave: bool,
) -> bool:
    """Whether it ended by itself in time. Children that may stay can hold the pipes open a moment
    longer; others are killed at once, so that the pipes end."""
    for output in outputs:
        output.begin()
    try:
        async with asyncio.timeout_at(deadline):
            await process.wait()
    except TimeoutError:
        _signal_group(process.pid, signal.SIGTERM)
        await _all_within(grace_s, process.wait())
        return False
    if not may_leave:
        _signal_group(process.pid, signal.SIGKILL)
    await _all_within(grace_s, *(output.ended.wait() for output in outputs))
    return True


async def _all_within(seconds: float, *awaited: Awaitable[Any]) -> None:
    try:
        async with asyncio.timeout(seconds):
            await asyncio.gather(*awaited)
    except TimeoutError:
        return


def _signal_group(pid: int, number: signal.Signals) -> None:
    """Signal the group; one that is already gone is what was wanted. What became another user
    (``sudo``) cannot be reached, and is not waited for without end."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return
