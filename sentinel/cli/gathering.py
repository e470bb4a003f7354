"""A connection's answers, each in one write.

Uvicorn writes an answer's head and its body one after the other, two calls into the kernel and two
packets. For a page of 2 KB, thousands of times a second, that is dearer than making the page: here
what is written within one turn of the event loop leaves together, at the turn's end.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol


class Gathered(asyncio.Transport):
    """A transport whose writes of one turn leave together, in order. Everything else is the
    transport's own."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._waiting: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send it soon."""
        if not self._waiting:
            self._loop.call_soon(self._leave)
        self._waiting.append(bytes(data))

    def _leave(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._transport.write(b"".join(waiting))

    def close(self) -> None:
        """Close once what was written has left."""
        self._leave()
        self._transport.close()

    def abort(self) -> None:
        """Close at once; what waits is lost, as with any transport."""
        self._waiting.clear()
        self._transport.abort()

    def is_closing(self) -> bool:
        """Whether it is closed or about to be."""
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What is known of the connection."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Let the peer wait."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._transport.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Who is told what comes."""
        self._transport.set_protocol(protocol)


class GatheringProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """Uvicorn's protocol over such a transport: by httptools, or h11 where that is missing."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """A connection came."""
        super().connection_made(Gathered(transport, self.loop))
