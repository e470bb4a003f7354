"""What an action may touch, for real: a program, the wire, a probe, evidence, commands.

Programs are run without a shell, in a session and process group of their own, with a small
environment, no standard input, limits on files and cores, and their output cut. A launcher sets
the limits between fork and exec, because code may not safely run there in a process with
threads. At the deadline the whole group is asked to end, and killed a second later; a program
that ended by itself may leave a server behind that it was asked to start.
"""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sentinel.engine import launcher
from sentinel.kinds import CommandResult, Secrets
from sentinel.transport.curl import Transport

MAX_OUTPUT = 64 * 1024
"""Bytes kept of standard output, and of standard error; the rest is read and dropped."""

MAX_EVIDENCE = 1 << 20
"""Bytes of one piece of evidence; longer ones are cut."""

GRACE_S = 1.0
"""From the request to end (SIGTERM) to the end of all discussion (SIGKILL)."""

INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""What programs see of the node's environment; all else must be declared."""

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(slots=True, eq=False)
class World:
    """The world of one attempt of one step; implements `kinds.ActionWorld`.

    `folder` is the workspace, where programs run. `checks`, `keeps` and `submits` are the
    engine's own doors: check a probe now, keep evidence with the incident, send a command.
    """

    key: str
    deadline: float
    now: datetime
    transport: Transport
    secrets: Secrets
    folder: Path
    checks: Callable[[str], Awaitable[Mapping[str, Any]]]
    keeps: Callable[[str, bytes], Awaitable[str]]
    submits: Callable[[Mapping[str, Any]], Awaitable[None]]

    async def run(self, argv: Sequence[str], env: Mapping[str, str]) -> CommandResult:
        """Run a program; returns at the latest `GRACE_S` and a moment after the deadline.

        Raises FileNotFoundError when there is no such program: then nothing was started.
        """
        surroundings = {name: os.environ[name] for name in INHERITED if name in os.environ}
        surroundings |= env
        program = find_program(argv[0], self.folder, surroundings.get("PATH", DEFAULT_PATH))
        out, err = _Output(), _Output()
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", launcher.__file__, program, *argv),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out.theirs,
                stderr=err.theirs,
                cwd=self.folder,
                env=surroundings,
                start_new_session=True,
            )
        except BaseException:
            out.close()
            err.close()
            raise
        ended = False
        try:
            ended = await _ended(process, self.deadline - self.transport.now(), out, err)
        finally:
            if not ended:
                _signal_group(process.pid, signal.SIGKILL)
                await process.wait()
            out.close()
            err.close()
        return CommandResult(process.returncode if ended else None, out.text(), err.text())

    async def check(self, probe: str) -> Mapping[str, Any]:
        """Check a declared probe now. Raises KeyError when no document declares it."""
        return await self.checks(probe)

    async def store_evidence(self, name: str, content: bytes) -> str:
        """Keep bytes, at most `MAX_EVIDENCE`; gives the SHA-256 of what was kept."""
        return await self.keeps(name, content[:MAX_EVIDENCE])

    async def submit(self, command: Mapping[str, Any]) -> None:
        """Send a command about this incident."""
        await self.submits(command)


def find_program(name: str, folder: Path, path: str) -> str:
    """The program's absolute path: with a slash from the workspace, else along `path`."""
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


async def _ended(process: asyncio.subprocess.Process, left_s: float, *outputs: _Output) -> bool:
    """Whether it ended by itself in time. Its children may hold the pipes open a moment longer."""
    for output in outputs:
        output.begin()
    try:
        async with asyncio.timeout(max(left_s, 0.0)):
            await process.wait()
    except TimeoutError:
        _signal_group(process.pid, signal.SIGTERM)
        await _all_within(GRACE_S, process.wait())
        return False
    await _all_within(GRACE_S, *(output.ended.wait() for output in outputs))
    return True


async def _all_within(seconds: float, *awaited: Awaitable[Any]) -> None:
    try:
        async with asyncio.timeout(seconds):
            await asyncio.gather(*awaited)
    except TimeoutError:
        return


def _signal_group(pid: int, number: signal.Signals) -> None:
    """Signal the group; one that is already gone is what was wanted."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return
