"""Servers on loopback that do exactly what a test tells them, byte by byte."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from sentinel.kinds import ProbeWorld
from sentinel.monitor.probe import Observation
from sentinel.transport.curl import LaneChoice, Transport
from sentinel.transport.wire import Exchange, Request
from sentinel.words import Secret

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

lane: LaneChoice = "auto"
"""What `opened` opens; `tests/transport/conftest.py` runs tests over both lanes."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def opened() -> Transport:
    """A transport over the lane that is to be tested."""
    return Transport(lane=lane)


@asynccontextmanager
async def serving(
    script: Script,
    context: ssl.SSLContext | None = None,
    *,
    path: str = "",
    bound: socket.socket | None = None,
) -> AsyncIterator[int]:
    """Answer every connection with `script`; gives the port (0 at a Unix socket's `path`), which is
    that of `bound` where given. What the peer broke off is no error."""
    under_way: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
    said: set[asyncio.Task[Any] | None] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            if context is not None:
                await writer.start_tls(context)
            await script(reader, writer)
            said.add(asyncio.current_task())
            if not writer.is_closing():  # closed twice, Python 3.11.2 could not abort TLS any more
                writer.close()
            await writer.wait_closed()
        writer.transport.abort()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        under_way[asyncio.ensure_future(answer(reader, writer))] = writer

    if path:
        server: asyncio.Server = await asyncio.start_unix_server(connected, path)
    elif bound is not None:
        server = await asyncio.start_server(connected, sock=bound)
    else:
        server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield 0 if path else server.sockets[0].getsockname()[1]
    finally:
        await _rounds()  # closing between an accept and its connection would leave it open
        server.close()
        for task in under_way.keys() - said:
            task.cancel()
        if under_way:  # the clients are gone, so that what was still to be sent is given up
            await asyncio.wait(under_way, timeout=5)
        for writer in under_way.values():
            writer.transport.abort()
        await _rounds()


async def _rounds() -> None:
    """Let the loop do what it has put off."""
    for _ in range(10):
        await asyncio.sleep(0)


async def silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Say nothing for as long as there is a server."""
    await asyncio.Event().wait()


def saying(*parts: bytes) -> Script:
    """Hear a request's head, send the parts, close."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            writer.write(part)
            await writer.drain()

    return script


def for_ever(head: bytes, part: bytes, *, every_s: float = 0.0) -> Script:
    """Hear a request's head, send `head`, then `part` again and again."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        while True:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(every_s)

    return script


def recording(answers: dict[str, bytes]) -> tuple[Script, list[tuple[str, bytes]]]:
    """Answer by path (``""``: any other); what was asked for, as (path, whole request)."""
    heard: list[tuple[str, bytes]] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lower = head.lower()
        body = b""
        if b"content-length:" in lower:
            length = int(lower.split(b"content-length:")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
        path = head.split(b" ")[1].decode()
        heard.append((path, head + body))
        writer.write(answers.get(path.partition("?")[0], answers.get("", OK)))
        await writer.drain()

    return script, heard


def redirect(location: str, status: int = 302, *more: str) -> bytes:
    """A redirect without a body."""
    lines = [f"HTTP/1.1 {status} Moved", f"Location: {location}", "Content-Length: 0", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def fetched(
    script: Script,
    *,
    path: str = "/",
    seconds: float = 5.0,
    tls: ssl.SSLContext | None = None,
    scheme: str = "",
    **how: Any,
) -> Exchange:
    """What `Transport.fetch` says of a server on localhost that follows `script`."""

    async def main() -> Exchange:
        async with serving(script, tls) as port, opened() as transport:
            spoken = scheme or ("https" if tls else "http")
            request = Request(f"{spoken}://localhost:{port}{path}", ip="4", **how)
            return await transport.fetch(request, transport.now() + seconds)

    return asyncio.run(main())


class Secrets:
    """Reveals what a test gave it: template to value."""

    def __init__(self, **known: str) -> None:
        self.known = known

    def reveal(self, secret: Secret) -> str:
        text = secret.template
        for name, value in self.known.items():
            text = text.replace(f"{{env:{name}}}", value)
            text = value if text == f"env:{name}" else text
        return text


NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def observed(
    prober: Any, transport: Transport, *, seconds: float = 5.0, needed: str = "", **secrets: str
) -> Awaitable[Observation]:
    """One check by a prober, its expectations naming the roots `needed`."""
    world = ProbeWorld(
        now=NOW,
        deadline=transport.now() + seconds,
        transport=transport,
        secrets=Secrets(**secrets),
        needed=frozenset(needed.split()),
    )
    awaited: Awaitable[Observation] = prober.observe(world)
    return awaited
