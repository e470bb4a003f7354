"""Programs end when they must, with their children, and cannot drown the node in words."""

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from sentinel.engine.world import World
from sentinel.kinds import CommandResult
from sentinel.transport.process import MAX_OUTPUT
from tests.actions.conftest import Kept, run_with


def ran(folder: Path, *argv: str, timeout_s: float = 5.0) -> CommandResult:
    """A program, given up on long after it must have ended."""

    async def use(world: World, _: Kept) -> CommandResult:
        async with asyncio.timeout(timeout_s + 20):
            return await world.run(argv, {})

    result, _ = run_with(folder, use, timeout_s=timeout_s)
    assert isinstance(result, CommandResult)
    return result


def gone(pid: int, within_s: float = 5.0) -> bool:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            if state != "Z":
                time.sleep(0.02)
                continue
        return True
    return False


def test_a_program_runs_in_the_workspace_with_nothing_to_read(tmp_path: Path) -> None:
    result = ran(tmp_path, "sh", "-c", "pwd; cat; echo oops >&2; exit 4")
    assert result == CommandResult(4, f"{tmp_path}\n", "oops\n")


@pytest.mark.slow
def test_at_the_deadline_the_children_die_too(tmp_path: Path) -> None:
    script = "trap '' TERM; sleep 600 & echo $!; wait; sleep 600"
    result = ran(tmp_path, "sh", "-c", script, timeout_s=0.3)
    assert result.exit_code is None
    assert gone(int(result.stdout))


def test_a_cancelled_run_leaves_nothing_behind(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    async def use(world: World, _: Kept) -> None:
        run = asyncio.create_task(world.run(["sh", "-c", "echo $$ > pid; sleep 600"], {}))
        while not (pid_file.exists() and pid_file.read_text().strip()):
            await asyncio.sleep(0.01)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    run_with(tmp_path, use)

    assert gone(int(pid_file.read_text()))


def test_output_is_cut_but_never_stops_the_program(tmp_path: Path) -> None:
    result = ran(tmp_path, "sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x; echo end >&2")
    assert (result.exit_code, len(result.stdout), result.stderr) == (0, MAX_OUTPUT, "end\n")


@pytest.mark.slow
def test_a_server_left_behind_does_not_hold_the_step(tmp_path: Path) -> None:
    script = "sleep 600 & echo $! > pid; echo started"
    result = ran(tmp_path, "sh", "-c", script, timeout_s=60.0)
    os.kill(int((tmp_path / "pid").read_text()), 9)
    assert (result.exit_code, result.stdout) == (0, "started\n")


def test_a_program_has_no_core_dumps_and_bounded_files(tmp_path: Path) -> None:
    result = ran(tmp_path, "sh", "-c", "ulimit -c; ulimit -f")
    assert result.stdout.split() == ["0", str((1 << 30) // 512)]


def test_a_program_of_the_workspace_is_found_by_its_path(tmp_path: Path) -> None:
    script = tmp_path / "bin" / "restart"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\necho restarted\n")
    script.chmod(0o755)
    assert ran(tmp_path, "bin/restart").stdout == "restarted\n"


@pytest.mark.parametrize("program", ["no-such-program", "bin/none", "notes.txt"])
def test_a_program_that_may_not_run_is_said_before_anything_starts(
    tmp_path: Path, program: str
) -> None:
    (tmp_path / "notes.txt").write_text("not a program")
    use: Callable[[World, Kept], Awaitable[Any]] = lambda world, _: world.run([program], {})  # noqa: E731
    with pytest.raises(FileNotFoundError, match=program):
        run_with(tmp_path, use)


def test_evidence_is_cut_at_its_limit(tmp_path: Path) -> None:
    _, kept = run_with(tmp_path, lambda world, _: world.store_evidence("page", b"x" * (2 << 20)))
    assert len(kept.evidence[0][1]) == 1 << 20
