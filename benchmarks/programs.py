"""Other programs while they are measured: found, started, stopped by pid; their CPU and memory.

CPU is user and system time of all of a process' threads, by the clock that Linux keeps of it in
nanoseconds, never by its ticks.
"""

import contextlib
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

READY_S = 20.0


def needed(program: str | None, package: str) -> str:
    """The program, or the end of the benchmark with the name of the Debian package that has it."""
    if program is None:
        raise SystemExit(f"this benchmark needs the package {package}")
    return program


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A loopback port that nobody uses."""
    with socket.socket(type=kind) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def running(
    argv: Sequence[str], port: int = 0, environment: Mapping[str, str] | None = None
) -> Iterator[int]:
    """A program, for as long as the block lasts; its pid. With `port` the block begins once the
    program listens there. SystemExit when it ends by itself or does not listen."""
    with subprocess.Popen(
        argv,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
    ) as process:
        try:
            if port:
                _await_listener(process, port)
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


def _await_listener(process: "subprocess.Popen[bytes]", port: int) -> None:
    until = time.monotonic() + READY_S
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise SystemExit(f"{process.args!r} does not listen on port {port}")


def own_cpu_s() -> float:
    """CPU of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def cpu_s_of(pid: int) -> float:
    """CPU of another process so far (Linux: the number of its clock follows from its pid)."""
    return time.clock_gettime(~pid << 3 | 2)


def resident_mb(pid: int | str = "self") -> float:
    """Resident memory of a process now."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("this benchmark needs /proc")


def family(pid: int) -> list[int]:
    """A process and all that it started, directly or not, as far as they run."""
    found = [pid]
    for each in found:  # grows while it is walked
        for children in Path(f"/proc/{each}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, children.read_text().split())
    return found


def family_cpu_s(pid: int) -> float:
    """CPU of a process so far, with its children: those that run, and those that ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ended_s = (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
    used_s = ended_s
    for each in family(pid):
        with contextlib.suppress(OSError):
            used_s += cpu_s_of(each)
    return used_s


def family_mb(pid: int) -> float:
    """Resident memory of a process and its children now. What several processes share is shared out
    among them (Linux: PSS), so that a forked child's copy of its parent does not count twice."""
    found = 0.0
    for each in family(pid):
        with contextlib.suppress(OSError):
            told = Path(f"/proc/{each}/smaps_rollup").read_text()
            found += int(told.partition("\nPss:")[2].split()[0]) / 1024
    return found
