"""Sender processes: who may have one, for how long, and what happens when it does not come back.

Rules, each for a night on which it was missing somewhere:

- One send holds one process and has one deadline; a process that outlives it is killed.
- Low urgency never holds more than `LOW_MOST` of the processes, so the rest is always there for
  high; and one idle process is kept warm.
- One endpoint (scheme, host, port) never holds more than `ENDPOINT_MOST`, and after it hung only
  `HUNG_MOST` until it answers again, so one dead mail relay cannot hold every process.
- Who waits longer than the deadline for a process is refused for certain: nothing was sent, and
  the caller goes to the next method.
"""

import asyncio
import os
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

import sentinel
from sentinel.notifiers.wire.frames import (
    FORK,
    KILL,
    LENGTH,
    LETTERS,
    MAX_FRAME,
    ORDER,
    Letter,
    Reply,
)

MOST = 64
LOW_MOST = 8
ENDPOINT_MOST = 8
HUNG_MOST = 2
KEEP_IDLE = 4
"""Idle processes kept; the others end at once."""

ENVIRONMENT = (
    *("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)
"""What sender processes see of the environment; secrets in it are not theirs."""


ROOT = str(Path(sentinel.__file__).resolve().parent.parent)
"""The folder that holds this package: all that a stem may import beyond what is installed."""


class _NotSent(Exception):
    """The process ended before it had the letter, so nothing was sent for certain."""


@dataclass(eq=False, slots=True)
class _Sender:
    """One process, seen from here: its number, its line, how many letters it has served."""

    number: int
    line: socket.socket
    served: int = 0


@dataclass(eq=False, slots=True)
class _Waiting:
    """Somebody who waits for a process, in the order they came."""

    endpoint: str
    urgent: bool
    granted: asyncio.Future[None]


@dataclass(slots=True)
class _Busy:
    """How many processes are in use: in all, by low urgency, by endpoint."""

    total: int = 0
    low: int = 0
    by_endpoint: Counter[str] = field(default_factory=Counter)

    def count(self, waiting: _Waiting, by: int) -> None:
        self.total += by
        self.low += 0 if waiting.urgent else by
        self.by_endpoint[waiting.endpoint] += by
        if not self.by_endpoint[waiting.endpoint]:
            del self.by_endpoint[waiting.endpoint]


class Pool:
    """Senders of one node. Use `start` before and `close` after; everything on one event loop."""

    def __init__(self, *, most: int = MOST, low_most: int = LOW_MOST) -> None:
        self._most = most
        self._low_most = low_most
        self._busy = _Busy()
        self._hung: set[str] = set()
        self._queue: list[_Waiting] = []
        self._idle: list[_Sender] = []
        self._number = 0
        self._stem: asyncio.subprocess.Process | None = None
        self._control: socket.socket | None = None
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Load the stem and keep one sender warm. Raises OSError when no process can be had."""
        await self._ensure_stem()
        self._idle.append(await self._fork())

    async def close(self) -> None:
        """End every process; what is in flight is killed."""
        for waiting in self._queue:
            if not waiting.granted.done():
                waiting.granted.set_exception(_NotSent("the node is stopping"))
        for sender in self._idle:
            sender.line.close()
        self._idle.clear()
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._stem is not None:
            await _end(self._stem)
            self._stem = None

    async def send(
        self, letter: Letter, *, endpoint: str, urgent: bool, deadline_s: float
    ) -> Reply:
        """Hand one letter over. Returns within twice `deadline_s`; never raises for a bad end."""
        try:
            async with asyncio.timeout(deadline_s):
                waiting = await self._seat(endpoint, urgent)
        except TimeoutError:
            return Reply("refused", "no_sender", "every sender process was busy until the deadline")
        except _NotSent as error:
            return Reply("refused", "no_sender", str(error))
        try:
            return await self._hand_over(letter, endpoint, deadline_s)
        finally:
            self._busy.count(waiting, -1)
            self._grant()

    async def _hand_over(self, letter: Letter, endpoint: str, deadline_s: float) -> Reply:
        try:
            async with asyncio.timeout(deadline_s):
                reply = await self._through_a_sender(letter)
        except TimeoutError:
            self._hung.add(endpoint)
            text = f"no end after {deadline_s:g} s; the sender was killed"
            return Reply("uncertain", "deadline", text)
        except _NotSent as error:
            return Reply("refused", "no_sender", str(error))
        except OSError as error:
            return Reply("uncertain", "sender_lost", type(error).__name__)
        self._hung.discard(endpoint)
        return reply

    async def _through_a_sender(self, letter: Letter) -> Reply:
        """An idle sender may have died with its stem: then a fresh one gets the letter."""
        try:
            async with self._sender() as sender:
                return await _ask(sender, letter)
        except _NotSent:
            self._drop_stem()
        async with self._sender() as sender:
            return await _ask(sender, letter)

    async def _seat(self, endpoint: str, urgent: bool) -> _Waiting:
        """Wait for one's turn: high urgency first, then in the order they came."""
        granted = asyncio.get_running_loop().create_future()
        waiting = _Waiting(endpoint, urgent, granted)
        self._queue.append(waiting)
        self._grant()
        try:
            await granted
        except BaseException:
            if waiting in self._queue:
                self._queue.remove(waiting)
            else:  # granted in the same moment: the place is given back
                self._busy.count(waiting, -1)
                self._grant()
            raise
        return waiting

    def _grant(self) -> None:
        """Give places to those in the queue who may have one now."""
        for waiting in sorted(self._queue, key=lambda one: not one.urgent):
            if self._busy.total >= self._most:
                return
            if not waiting.granted.done() and self._may(waiting):
                self._queue.remove(waiting)
                self._busy.count(waiting, 1)
                waiting.granted.set_result(None)

    def _may(self, waiting: _Waiting) -> bool:
        most = HUNG_MOST if waiting.endpoint in self._hung else ENDPOINT_MOST
        if self._busy.by_endpoint[waiting.endpoint] >= most:
            return False
        return waiting.urgent or self._busy.low < self._low_most

    @asynccontextmanager
    async def _sender(self) -> AsyncIterator[_Sender]:
        """A process for one letter: kept when it answered, killed when it did not."""
        sender = self._idle.pop() if self._idle else await self._fork()
        try:
            yield sender
        except BaseException:
            self._kill(sender)
            raise
        sender.served += 1
        if len(self._idle) < KEEP_IDLE and sender.served < LETTERS:
            self._idle.append(sender)
        else:
            sender.line.close()

    async def _fork(self) -> _Sender:
        try:
            control = await self._ensure_stem()
            ours, theirs = socket.socketpair()
            ours.setblocking(False)
            self._number = (self._number + 1) % (1 << 32)
            with theirs:
                socket.send_fds(control, [ORDER.pack(FORK, self._number)], [theirs.fileno()])
        except OSError as error:
            raise _NotSent(f"no sender process: {error.strerror or error}") from error
        return _Sender(self._number, ours)

    def _kill(self, sender: _Sender) -> None:
        sender.line.close()
        if self._control is None:
            return
        try:
            self._control.send(ORDER.pack(KILL, sender.number))
        except OSError:
            self._drop_stem()

    async def _ensure_stem(self) -> socket.socket:
        """The control socket of a living stem, started anew when it is gone."""
        async with self._starting:
            if self._control is not None and self._stem and self._stem.returncode is None:
                return self._control
            self._drop_stem()
            if self._stem is not None:
                await _end(self._stem)
            ours, theirs = socket.socketpair()
            with theirs:
                self._stem = await _spawn(theirs.fileno())
            ours.setblocking(False)
            if not await asyncio.get_running_loop().sock_recv(ours, 1):
                ours.close()
                raise OSError("the process that loads Apprise ended at its start")
            self._control = ours
            return ours

    def _drop_stem(self) -> None:
        """Give up a stem that is gone: its senders die with it; the next letter starts another."""
        for sender in self._idle:
            sender.line.close()
        self._idle.clear()
        if self._control is not None:
            self._control.close()
            self._control = None


async def _spawn(descriptor: int) -> asyncio.subprocess.Process:
    """Start a stem that never imports from the working folder (``-P``), which is a workspace."""
    environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    environment["PYTHONPATH"] = ROOT
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "sentinel.notifiers.wire.stem",
        str(descriptor),
        pass_fds=(descriptor,),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        env=environment,
    )


async def _end(process: asyncio.subprocess.Process) -> None:
    """It ends by itself when its control socket is closed; killed if not within 2 s."""
    try:
        async with asyncio.timeout(2):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _ask(sender: _Sender, letter: Letter) -> Reply:
    """Send one frame and read one. Raises _NotSent, or OSError when the process ended with it."""
    loop = asyncio.get_running_loop()
    content = msgspec.json.encode(letter)
    if len(content) > MAX_FRAME:
        raise _NotSent("the message is longer than 1 MiB")
    try:
        await loop.sock_sendall(sender.line, LENGTH.pack(len(content)) + content)
        head = await loop.sock_recv(sender.line, LENGTH.size)
    except OSError as error:  # also a reset, which unix(7) gives when the peer left it unread
        raise _NotSent(f"the sender process ended: {error.strerror}") from error
    (size,) = LENGTH.unpack(head + await _read(sender.line, LENGTH.size - len(head)))
    if size > MAX_FRAME:
        raise OSError("an answer longer than agreed")
    return msgspec.json.decode(await _read(sender.line, size), type=Reply)


async def _read(line: socket.socket, size: int) -> bytes:
    loop = asyncio.get_running_loop()
    content = b""
    while len(content) < size:
        piece = await loop.sock_recv(line, size - len(content))
        if not piece:
            raise ConnectionAbortedError("the sender process ended")
        content += piece
    return content
