"""Between a server and a library that opens its own connection and reads as much as there is.

Such a library (libpq) cannot be told when to stop: within one call it takes whatever a server has
sent, TLS messages that say nothing without end, a message of a gigabyte. So it is given a port of
loopback instead, behind which this relay asks the server. The relay runs in the same event loop as
the library: while the library reads, nothing more comes, and then only so much in one go. It counts
what the server says, and beyond what was allowed, or when it is closed, both sides are at their end.
TLS goes through untouched, so what the library verifies is the server's. Whoever else on this machine
connects to the port first reaches what they could reach by themselves.
"""

import asyncio
import socket
from contextlib import suppress
from types import TracebackType
from typing import Self

from sentinel.transport.raw import Opened, open_socket

PIECE = 64 * 1024
"""Bytes handed over before the others of the loop have their turn."""
MOST_CONNECTIONS = 4
"""A library may begin anew, say without TLS where the server speaks none."""
_LOOPBACK = "127.0.0.1"


class Relay:
    """Asks one server for one library. Use it as ``async with``, look at `opened` for whether the
    server was reached at all, and let the library connect to `address`."""

    def __init__(self, host: str, port: int, deadline: float, *, most_bytes: int) -> None:
        """`most_bytes` is what the server may say until `allow` says otherwise."""
        self._host, self._port = host, port
        self._deadline = deadline
        self.allowed_bytes = most_bytes
        """What the server might say since it was allowed anything last."""
        self._most_bytes = most_bytes
        self._came_bytes = 0
        self._open: set[socket.socket] = set()
        self._serving: asyncio.Task[None] | None = None
        self.opened = Opened(None)
        self.address = ("", 0)
        """Where the library connects to, once the server was reached."""

    async def __aenter__(self) -> Self:
        self.opened = await open_socket(self._host, self._port, self._deadline)
        if self.opened.socket is not None:
            self._open.add(self.opened.socket)
            listening = socket.create_server((_LOOPBACK, 0), backlog=1)
            listening.setblocking(False)
            self.address = listening.getsockname()
            self._serving = asyncio.ensure_future(self._serve(listening, self.opened.socket))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cut()
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.wait({self._serving})
        self._forget(*self._open)

    @property
    def flooded(self) -> bool:
        """Whether the server said more than it may, and both sides were ended by that."""
        return self._came_bytes > self._most_bytes

    def allow(self, more_bytes: int) -> None:
        """From now on the server may say so many bytes."""
        self.allowed_bytes = more_bytes
        self._most_bytes = self._came_bytes + more_bytes

    def cut(self) -> None:
        """Both sides are at their end, at once; whoever waits for them is told."""
        for each in self._open:
            with suppress(OSError):  # ended by the other side before
                each.shutdown(socket.SHUT_RDWR)

    async def _serve(self, listening: socket.socket, first: socket.socket) -> None:
        """Take the library's connections one after the other, each with one of its own to the server;
        the first is there already."""
        server: socket.socket | None = first
        with listening:
            for _ in range(MOST_CONNECTIONS):
                library = await self._accepted(listening)
                if server is None:
                    server = (await open_socket(self._host, self._port, self._deadline)).socket
                    self._open |= {server} if server is not None else set()
                if server is not None:
                    await self._join(library, server)
                    self._forget(server)
                    server = None
                self._forget(library)

    async def _accepted(self, listening: socket.socket) -> socket.socket:
        library, _address = await asyncio.get_running_loop().sock_accept(listening)
        self._open.add(library)
        library.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        library.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * PIECE)
        return library

    async def _join(self, library: socket.socket, server: socket.socket) -> None:
        """Hand over in both directions until one side is at its end."""
        ways = {
            asyncio.ensure_future(self._say(library, server)),
            asyncio.ensure_future(self._hear(server, library)),
        }
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)

    async def _say(self, library: socket.socket, server: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):  # either side is gone, which ends both
            while piece := await loop.sock_recv(library, PIECE):
                await loop.sock_sendall(server, piece)

    async def _hear(self, server: socket.socket, library: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while piece := await loop.sock_recv(server, PIECE):
                self._came_bytes += len(piece)
                if self.flooded:
                    return
                await loop.sock_sendall(library, piece)
                await asyncio.sleep(0)  # a socket that is never empty is never waited for

    def _forget(self, *ended: socket.socket) -> None:
        for each in ended:
            self._open.discard(each)
            each.close()
