"""Every transfer of libcurl, driven by the node's one epoll set.

libcurl tells through two callbacks which sockets and which timer it wants; neither is ever
called by us, and neither calls back into libcurl. To register each of its sockets with the
event loop instead costs 30 % more CPU per check.
"""

import asyncio
import time
from collections.abc import Callable
from functools import partial

import pycurl

from sentinel.transport.sockets import FAILED, READ, WRITE, Sockets

_BATCH = 256
"""Ended transfers that are read in one go."""

_TURNS = 8
"""How often libcurl's "at once" is obeyed before others get their turn."""

_WANTED = {
    pycurl.POLL_NONE: 0,
    pycurl.POLL_IN: READ,
    pycurl.POLL_OUT: WRITE,
    pycurl.POLL_INOUT: READ | WRITE,
}
_HAPPENED = tuple(
    (pycurl.CSELECT_IN if mask & READ else 0)
    | (pycurl.CSELECT_OUT if mask & WRITE else 0)
    | (pycurl.CSELECT_ERR if mask & FAILED else 0)
    for mask in range(32)
)

Ended = Callable[[int, str], None]
"""Told once how a transfer ended: libcurl's code (0: well) and its message."""


class Poller:
    """Drives transfers until each has ended. Belongs to one running loop, from start to close."""

    def __init__(self, sockets: Sockets) -> None:
        self._loop = asyncio.get_running_loop()
        self._sockets = sockets
        self._told = False
        """Whether libcurl was told of a socket in this wake-up, and must be asked what ended."""
        self._open = True
        self._running: dict[pycurl.Curl, Ended | None] = {}
        """Every handle that libcurl's multi holds; None once it was told how it ended."""
        self._timer: asyncio.TimerHandle | None = None
        self._due: float | None = None
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_NOTHING)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)

    def __len__(self) -> int:
        """How many transfers are under way."""
        return len(self._running)

    def start(self, curl: pycurl.Curl, ended: Ended) -> None:
        """Begin a transfer and take its first steps. `ended` may be called before this returns."""
        self._running[curl] = ended
        self._multi.add_handle(curl)
        self._settle()

    def resume(self, curl: pycurl.Curl) -> None:
        """Go on with a transfer that its reader paused."""
        curl.pause(pycurl.PAUSE_CONT)
        self._settle()

    def stop(self, curl: pycurl.Curl) -> None:
        """Give up a transfer, or let go of one that ended. Nothing is told any more. Twice is once."""
        if curl in self._running:
            del self._running[curl]
            self._multi.remove_handle(curl)

    def detach(self) -> None:
        """Leave the set and give up every transfer, telling so. Must run on the loop's thread,
        before `close`."""
        if self._timer is not None:
            self._timer.cancel()
        for curl in list(self._running):
            self._end(curl, pycurl.E_ABORTED_BY_CALLBACK, "the transport was closed")
            self.stop(curl)
        self._open = False

    def close(self) -> None:
        """Free libcurl's side. A name lookup under way may hold this for seconds, since libcurl
        waits for its own threads: call it where that may last."""
        self._multi.close()

    def _on_socket(self, wanted: int, fd: int, _multi: object, _kept: object) -> None:
        if not self._open:  # libcurl puts its last sockets away, on another thread
            return
        if wanted == pycurl.POLL_REMOVE:
            self._sockets.leave(fd)
        else:
            self._sockets.watch(fd, _WANTED[wanted], partial(self._on_ready, fd))

    def _on_timer(self, after_ms: int) -> None:
        self._due = None if after_ms < 0 else time.monotonic() + after_ms / 1000

    def _on_timeout(self) -> None:
        self._timer = None
        self._settle()

    def _on_ready(self, fd: int, mask: int) -> None:
        self._multi.socket_action(fd, _HAPPENED[mask & 31])
        if not self._told:
            self._told = True
            self._sockets.afterwards(self._served)

    def _served(self) -> None:
        self._told = False
        self._settle()

    def _settle(self) -> None:
        """After every call into libcurl: do at once what it wants done at once, tell what ended,
        arm the timer. A timer armed too early is left alone and re-armed when it fires: deadlines
        are mostly alike, and cancelled timers would fill the loop's heap."""
        for _ in range(_TURNS):
            if self._due is None or self._due > time.monotonic():
                break
            self._due = None
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        self._collect()
        if self._due is None:
            return
        if self._timer is not None:
            if self._timer.when() <= self._due:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(self._due, self._on_timeout)

    def _collect(self) -> None:
        for _ in range(_BATCH):
            left, well, failed = self._multi.info_read(_BATCH)
            for curl in well:
                self._end(curl, 0, "")
            for curl, code, text in failed:
                self._end(curl, code, text)
            if not left:
                return

    def _end(self, curl: pycurl.Curl, code: int, text: str) -> None:
        ended = self._running.get(curl)
        if ended is not None:
            self._running[curl] = None
            ended(code, text)
