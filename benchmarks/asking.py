"""Starting checks at an even pace, and asking an exporter as Prometheus asks it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

ANSWER_S = 10.0


class Exporter:
    """Asks ``/probe`` of an exporter over connections that stay open. Without ``Accept-Encoding``:
    packing pages, which Prometheus asks for, would only make an exporter dearer."""

    def __init__(self, port: int, **parameters: str) -> None:
        self._port = port
        self._request = (
            f"GET /probe?{urlencode(parameters)} HTTP/1.1\r\nHost: localhost\r\n"
            "X-Prometheus-Scrape-Timeout-Seconds: 10\r\n\r\n"
        ).encode()
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self) -> bool:
        """One probe; whether it succeeded."""
        async with asyncio.timeout(ANSWER_S):
            return b"\nprobe_success 1" in await self._page()

    async def _page(self) -> bytes:
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
        return body

    def close(self) -> None:
        """Close what stays open."""
        for _, writer in self._idle:
            writer.close()


async def paced(
    ask: Callable[[], Awaitable[bool]], *, rate: float, seconds: float
) -> tuple[int, int]:
    """Start `rate` checks a second, evenly, whatever they take; how many were started and good."""
    count = max(int(rate * seconds), 1)
    start = time.monotonic()
    asked: list[asyncio.Future[bool]] = []
    for index in range(count):
        wait = start + index / rate - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        asked.append(asyncio.ensure_future(ask()))
    ended = await asyncio.gather(*asked, return_exceptions=True)
    return count, sum(each is True for each in ended)
