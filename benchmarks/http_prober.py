"""The bare http prober against Debian's blackbox_exporter, in CPU per check, paced, side by side.

    python -m benchmarks.http_prober [--rate 1000] [--seconds 3] [--rounds 3]

Both ask the same local nginx for the same 10 KiB page over new connections at the same rate, in
turns; the medians of the rounds are compared. CPU is user + system of the program alone: this
process for ours (scheduling included), the exporter's process clock for blackbox_exporter, which
is driven over ``/probe`` as Prometheus drives it. Prints one line; needs nginx and
prometheus-blackbox-exporter.
"""

import argparse
import asyncio
import contextlib
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from sentinel.kinds import ProbeWorld
from sentinel.probers.http import Http
from sentinel.transport.curl import Transport
from sentinel.words import Secret

PAGE = b"<html><body>" + b"<p>Add to basket</p>" * 510 + b"</body></html>"
NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; root {folder}/www; }}
}}
"""
BLACKBOX = "modules: {http_2xx: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4}}}"
WARM_UP = 200


@dataclass(frozen=True)
class NoSecrets:
    """This benchmark has none."""

    def reveal(self, secret: Secret) -> str:
        return secret.template


class Exporter:
    """Asks blackbox_exporter over connections that stay open, as Prometheus does."""

    def __init__(self, port: int, page: str) -> None:
        self._port = port
        self._request = (
            f"GET /probe?module=http_2xx&target={page} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        ).encode()
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self) -> bool:
        if self._idle:
            reader, writer = self._idle.pop()
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(self._request)
        head = await reader.readuntil(b"\r\n\r\n")
        if b"chunked" in head:
            body = await reader.readuntil(b"\r\n0\r\n\r\n")
        else:
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
        self._idle.append((reader, writer))
        return b"probe_success 1" in body

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()


async def paced(
    ask: Callable[[], Awaitable[bool]], *, rate: int, seconds: float
) -> tuple[int, int]:
    """Start `rate` checks a second, evenly, whatever they take; how many were started and good."""
    count = int(rate * seconds)
    start = time.monotonic()
    asked: list[asyncio.Future[bool]] = []
    for index in range(count):
        wait = start + index / rate - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        asked.append(asyncio.ensure_future(ask()))
    return count, sum(await asyncio.gather(*asked))


def own_cpu_s() -> float:
    """CPU of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def cpu_s_of(pid: int) -> float:
    """CPU of another process so far, by its clock (Linux: the clock's number follows from the pid)."""
    return time.clock_gettime(~pid << 3 | 2)


async def measure(page: str, exporter: tuple[int, int], options: argparse.Namespace) -> str:
    """Run the rounds; the line to print."""
    port, pid = exporter
    ours: list[float] = []
    theirs: list[float] = []
    bad = {"ours": 0, "theirs": 0}
    blackbox = Exporter(port, page)
    async with Transport() as transport:
        prober = Http(url=page)

        async def check() -> bool:
            world = ProbeWorld(
                now=datetime.now(UTC),
                deadline=transport.now() + 5,
                transport=transport,
                secrets=NoSecrets(),
                needed=frozenset({"status"}),
            )
            return bool((await prober.observe(world)).values["status"] == 200)

        turns: Mapping[str, tuple[Callable[[], Awaitable[bool]], Callable[[], float], list[float]]]
        turns = MappingProxyType(
            {
                "ours": (check, own_cpu_s, ours),
                "theirs": (blackbox.ask, lambda: cpu_s_of(pid), theirs),
            }
        )
        for ask, _, _ in turns.values():
            await paced(ask, rate=options.rate, seconds=WARM_UP / options.rate)
        for _ in range(options.rounds):
            for whose, (ask, cpu_s, kept) in turns.items():
                before = cpu_s()
                count, good = await paced(ask, rate=options.rate, seconds=options.seconds)
                kept.append((cpu_s() - before) / count * 1e6)
                bad[whose] += count - good
    blackbox.close()
    mine, other = statistics.median(ours), statistics.median(theirs)
    return (
        f"http_prober: {mine:.0f} us CPU a check, blackbox_exporter {other:.0f} us, "
        f"ratio {other / mine:.2f} (paced {options.rate}/s, {options.rounds} rounds of "
        f"{options.seconds:g} s; {bad['ours']} of ours and {bad['theirs']} of theirs failed)"
    )


@contextlib.contextmanager
def running(argv: list[str], port: int) -> Iterator[int]:
    """A program that listens on `port`, for as long as the block lasts; its pid."""
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.02)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def main() -> None:
    """Start both programs, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    blackbox = shutil.which("prometheus-blackbox-exporter")
    if nginx is None or blackbox is None:
        raise SystemExit("this benchmark needs nginx and prometheus-blackbox-exporter")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "www").mkdir()
        (folder / "www" / "index.html").write_bytes(PAGE)
        web, probe = free_port(), free_port()
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=web))
        (folder / "blackbox.yml").write_text(BLACKBOX)
        listen = f"--web.listen-address=127.0.0.1:{probe}"
        config = f"--config.file={folder / 'blackbox.yml'}"
        with (
            running([nginx, "-c", str(folder / "nginx.conf")], web),
            running([blackbox, config, listen, "--log.level=error"], probe) as pid,
        ):
            page = f"http://127.0.0.1:{web}/"
            print(asyncio.run(measure(page, (probe, pid), options)))


if __name__ == "__main__":
    main()
