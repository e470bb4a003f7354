"""A raw connection, opened and secured by libcurl, so that TCP and HTTP fail alike: the same
name lookup, the same verification, the same reasons, the chain also when it is refused."""

import asyncio
from typing import Any

import pycurl

from sentinel.transport.handle import Handle
from sentinel.transport.poller import Poller
from sentinel.transport.reasons import Reason, of_curl
from sentinel.transport.wire import Exchange

_CHUNK = 16 * 1024


class Connection:
    """What `Transport.connect` gives. `exchange` says how connecting went: with a reason there is
    nobody to talk to. Close it in any case."""

    def __init__(
        self, exchange: Exchange, poller: Poller | None = None, handle: Handle | None = None
    ) -> None:
        self.exchange = exchange
        self._poller = poller
        self._handle = handle

    async def send(self, content: bytes, deadline: float) -> Reason | None:
        """Send all of it; the reason when that did not come about by `deadline`."""
        left = memoryview(content)
        while left:  # bounded by the deadline
            try:
                left = left[self._curl().send(left) :]
            except BlockingIOError:
                if not await self._ready(deadline, write=True):
                    return Reason.timeout
            except pycurl.error as error:
                return _lost(error)
        return None

    async def receive(self, deadline: float) -> bytes | Reason:
        """The next bytes, at most 16 KiB; ``b""`` when the peer closed; the reason when none came."""
        while True:  # bounded by the deadline
            try:
                chunk: bytes = self._curl().recv(_CHUNK)
            except BlockingIOError:
                if not await self._ready(deadline, write=False):
                    return Reason.timeout
            except pycurl.error as error:
                return _lost(error)
            else:
                return chunk

    def close(self) -> None:
        """Close it. Twice is once."""
        if self._handle is not None:
            if self._poller is not None:
                self._poller.stop(self._handle.curl)
            self._handle.close()
            self._handle = None

    def _curl(self) -> Any:
        if self._handle is None or self.exchange.reason is not None:
            raise ValueError("the connection is not open")
        return self._handle.curl

    async def _ready(self, deadline: float, *, write: bool) -> bool:
        """Wait until the socket can be read or written; False when the deadline came first."""
        loop = asyncio.get_running_loop()
        fd = self._curl().getinfo(pycurl.ACTIVESOCKET)
        woken = asyncio.Event()
        (loop.add_writer if write else loop.add_reader)(fd, woken.set)
        try:
            async with asyncio.timeout_at(deadline):
                await woken.wait()
        except TimeoutError:
            return False
        finally:
            (loop.remove_writer if write else loop.remove_reader)(fd)
        return True


def _lost(error: Exception) -> Reason:
    code, text = (*error.args, 0, "")[:2]
    return of_curl(int(code), system_error=0, resolved=True, connected=True, text=str(text))
