"""Handing a body on while it comes, making the server wait when the reader is slower."""

import asyncio
from collections.abc import Awaitable, Callable

import pycurl

HIGH_WATER = 256 * 1024
"""Bytes that wait for the reader before the connection is left to fill up."""


class Flow:
    """Between libcurl, which pushes chunks, and a coroutine, which takes them. Flat memory: at most
    `HIGH_WATER` and one more chunk."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._size = 0
        self._paused = False
        self._wake = asyncio.Event()

    def take(self, chunk: bytes) -> int | None:
        """libcurl's write callback. A chunk refused with a pause is offered again."""
        if self._size >= HIGH_WATER:
            self._paused = True
            return int(pycurl.WRITEFUNC_PAUSE)
        self._waiting.append(chunk)
        self._size += len(chunk)
        self._wake.set()
        return None

    async def drain(
        self,
        ended: "asyncio.Future[tuple[int, str]]",
        sink: Callable[[bytes], Awaitable[None]],
        resume: Callable[[], None],
    ) -> tuple[int, str]:
        """Give everything to `sink` in order until the transfer has ended; how it ended."""
        ended.add_done_callback(lambda _: self._wake.set())
        while True:  # bounded by the transfer's own deadline
            await self._wake.wait()
            self._wake.clear()
            await self._give(sink)
            if self._paused:
                self._paused = False
                resume()
            elif ended.done() and not self._waiting:
                return ended.result()

    async def _give(self, sink: Callable[[bytes], Awaitable[None]]) -> None:
        if not self._waiting:
            return
        chunk = b"".join(self._waiting)
        self._waiting.clear()
        self._size = 0
        await sink(chunk)
