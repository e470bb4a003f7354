"""What an action may touch, for real: a program, the wire, a probe, evidence, commands.

Programs run as ``transport.process`` says. One that ended by itself may leave a server behind that
it was asked to start.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sentinel.kinds import CommandResult, Secrets
from sentinel.transport.curl import Transport
from sentinel.transport.process import Program, run

MAX_EVIDENCE = 1 << 20
"""Bytes of one piece of evidence; longer ones are cut."""


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
        """Run a program; returns at the latest a second and a moment after the deadline.

        Raises FileNotFoundError when there is no such program: then nothing was started.
        """
        ended = await run(Program(tuple(argv), env, self.folder), self.deadline)
        code = None if ended.killed else ended.exit_code
        return CommandResult(code, ended.stdout, ended.stderr)

    async def check(self, probe: str) -> Mapping[str, Any]:
        """Check a declared probe now. Raises KeyError when no document declares it."""
        return await self.checks(probe)

    async def store_evidence(self, name: str, content: bytes) -> str:
        """Keep bytes, at most `MAX_EVIDENCE`; gives the SHA-256 of what was kept."""
        return await self.keeps(name, content[:MAX_EVIDENCE])

    async def submit(self, command: Mapping[str, Any]) -> None:
        """Send a command about this incident."""
        await self.submits(command)
