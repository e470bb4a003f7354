"""WebSockets (RFC 6455) over a raw connection: the upgrade, messages, pings, the close.

The framing is that of the ``websockets`` library, which does no I/O of its own; what is read,
how long, and how much of it, is decided here. No extension is offered, so nothing is inflated.
"""

import logging
import re
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidURI
from websockets.frames import Frame, Opcode
from websockets.http11 import Request as Upgrade
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from sentinel.transport.connection import Connection
from sentinel.transport.preset import check
from sentinel.transport.reasons import Reason
from sentinel.transport.wire import USER_AGENT, Exchange, Request, encoded

_LIBRARY = logging.getLogger("sentinel.transport.websocket")
_LIBRARY.setLevel(logging.WARNING)  # at DEBUG it tells headers, and with them credentials

MOST_RECEIVED = 1 << 20
"""Bytes that are read from one peer, and the largest message."""
MOST_FRAMES = 50_000
"""Frames from one peer: each costs time, and an empty one but two bytes."""
ABNORMAL = 1006
"""The close code where the peer said none (RFC 6455, 7.1.5)."""
_MOST_HEAD = 64 * 1024
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")
_SWITCHING = 101
_PROTOCOLS_OWN = ("connection", "upgrade", "sec-websocket-")

Message = str | bytes


@dataclass(frozen=True, slots=True)
class Closed:
    """The peer closed; `code` is `ABNORMAL` when it did so without a word."""

    code: int
    text: str = ""


class WebSocket:
    """What `upgrade` gives. `exchange` says how that went: with a reason, or a status other than
    101, there is nobody to talk to. The connection stays its opener's to close."""

    def __init__(
        self, connection: Connection, exchange: Exchange, protocol: ClientProtocol | None = None
    ) -> None:
        self.exchange = exchange
        self.closed: Closed | None = None
        self._connection = connection
        self._protocol = protocol
        self._messages: deque[Message] = deque()
        self._parts: list[bytes] = []
        self._is_text = False
        self._pings = 0
        self._pong = 0
        self._read = 0
        self._frames = 0
        self._broken = ""

    @property
    def upgraded(self) -> bool:
        """Whether the peer speaks WebSocket with us."""
        return self._protocol is not None

    @property
    def subprotocol(self) -> str:
        """The one that the peer chose; ``""`` for none."""
        return (self._protocol.subprotocol if self._protocol else None) or ""

    @property
    def broken(self) -> str:
        """How the peer broke the protocol; ``""`` when it did not."""
        return self._broken

    async def send(self, message: Message, deadline: float) -> Reason | None:
        """Send one message; the reason when that did not come about."""
        protocol = self._speaking()
        if protocol.state is not State.OPEN:
            return Reason.reset
        if isinstance(message, str):
            protocol.send_text(message.encode())
        else:
            protocol.send_binary(message)
        return await self._flush(deadline)

    async def receive(self, deadline: float) -> Message | Closed | Reason:
        """The next message; how the peer closed; or the reason when neither came. (A reason is
        text too: ask for it first.)"""
        while not self._messages:  # bounded by the deadline and by `MOST_RECEIVED`
            if self.closed is not None:
                return self.closed
            lost = await self._step(deadline)
            if lost is not None:
                return lost
        return self._messages.popleft()

    async def ping(self, deadline: float) -> float | Closed | Reason:
        """Seconds from a ping to its pong. Messages that come meanwhile are kept."""
        protocol = self._speaking()
        if protocol.state is not State.OPEN:
            return self.closed or Reason.reset
        self._pings += 1
        number = self._pings
        started = time.monotonic()
        protocol.send_ping(number.to_bytes(4, "big"))
        lost = await self._flush(deadline)
        while self._pong < number:  # bounded by the deadline and by `MOST_RECEIVED`
            if lost is not None:
                return lost
            if self.closed is not None:
                return self.closed
            lost = await self._step(deadline)
        return time.monotonic() - started

    async def close(self, deadline: float, *, code: int = 1000) -> Closed:
        """Say goodbye, and hear what the peer says to that until the deadline."""
        protocol = self._speaking()
        if protocol.state is State.OPEN:
            protocol.send_close(code)
        await self._flush(deadline)
        while self.closed is None:  # bounded by the deadline and by `MOST_RECEIVED`
            if await self._step(deadline) is not None:
                self.closed = Closed(ABNORMAL)
        return self.closed

    def _speaking(self) -> ClientProtocol:
        if self._protocol is None:
            raise ValueError("the connection was not upgraded")
        return self._protocol

    async def _step(self, deadline: float) -> Reason | None:
        """Read once, and take what that comes to."""
        if self._read > MOST_RECEIVED or self._frames > MOST_FRAMES:
            self._broken = f"more than {MOST_RECEIVED} bytes came, or {MOST_FRAMES} frames"
            return Reason.body_too_large
        if self._failed():  # in the same chunk as what was waited for before
            return Reason.protocol_error
        chunk = await self._connection.receive(deadline)
        if isinstance(chunk, Reason):
            return chunk
        return self.take(chunk) or await self._flush(deadline)

    def take(self, chunk: bytes) -> Reason | None:
        """Understand bytes that came (``b""``: the end)."""
        protocol = self._speaking()
        self._read += len(chunk)
        if chunk:
            protocol.receive_data(chunk)
        else:
            protocol.receive_eof()
        for frame in protocol.events_received():
            self._frames += 1
            if isinstance(frame, Frame) and not self._take_frame(frame):
                return Reason.protocol_error
        if protocol.close_rcvd is not None:
            self.closed = Closed(int(protocol.close_rcvd.code), protocol.close_rcvd.reason)
        elif not chunk:
            self.closed = Closed(ABNORMAL)
        elif self._failed():
            return Reason.protocol_error
        return None

    def _failed(self) -> bool:
        """Whether what came broke the framing."""
        failure = self._speaking().parser_exc
        if failure is not None:
            self._broken = str(failure)
        return bool(self._broken)

    def _take_frame(self, frame: Frame) -> bool:
        """Put a message together; False when its text is none."""
        match frame.opcode:
            case Opcode.PONG:
                number = int.from_bytes(frame.data[:5], "big")
                if self._pong < number <= self._pings:  # one that nobody asked for is allowed
                    self._pong = number
            case Opcode.TEXT | Opcode.BINARY | Opcode.CONT:
                if frame.opcode is not Opcode.CONT:
                    self._is_text = frame.opcode is Opcode.TEXT
                self._parts.append(bytes(frame.data))
                if frame.fin:
                    whole = b"".join(self._parts)
                    self._parts.clear()
                    try:
                        self._messages.append(whole.decode() if self._is_text else whole)
                    except UnicodeDecodeError:
                        self._broken = "a text message is not UTF-8"
                        return False
        return True

    async def _flush(self, deadline: float) -> Reason | None:
        """Send what the protocol has to say: ours, pongs, the answer to a close."""
        outgoing = b"".join(self._speaking().data_to_send())
        return await self._connection.send(outgoing, deadline) if outgoing else None


async def upgrade(
    connection: Connection,
    url: str,
    deadline: float,
    *,
    headers: Sequence[tuple[str, str]] = (),
    subprotocols: Sequence[str] = (),
) -> WebSocket:
    """Ask over an open connection to speak WebSocket. Never raises for a sick server.

    `url` is ``ws:`` or ``wss:``, and names the Host and the path; `headers` are revealed, and a
    ``Host`` or ``User-Agent`` among them replaces ours.
    """
    before = connection.exchange
    if before.reason is not None:
        return WebSocket(connection, before)
    try:
        protocol, asking = _asking(url, headers, subprotocols)
    except (ValueError, InvalidURI) as wrong:
        return WebSocket(
            connection, replace(before, reason=Reason.invalid_request, text=str(wrong))
        )
    started = time.monotonic()
    protocol.send_request(asking)
    lost = await connection.send(b"".join(protocol.data_to_send()), deadline)
    came = lost or await _head(connection, deadline)
    processing = time.monotonic() - started
    exchange = replace(
        before,
        url=url,
        phases={**before.phases, "processing": processing},
        duration_s=before.duration_s + processing,
    )
    if isinstance(came, Reason):
        return WebSocket(connection, replace(exchange, reason=came, text=_TEXTS.get(came, "")))
    return _answered(WebSocket(connection, exchange, protocol), came)


_TEXTS = {
    Reason.timeout: "no answer to the upgrade came in time",
    Reason.headers_too_large: "the head of the answer to the upgrade has no end",
    Reason.empty_reply: "closed before an answer to the upgrade",
    Reason.reset: "reset before an answer to the upgrade",
}


def _asking(
    url: str, headers: Sequence[tuple[str, str]], subprotocols: Sequence[str]
) -> tuple[ClientProtocol, Upgrade]:
    check(Request(url, headers=tuple(headers)))
    uri = parse_uri(encoded(url))
    offered = [Subprotocol(each) for each in subprotocols] or None
    protocol = ClientProtocol(uri, subprotocols=offered, max_size=MOST_RECEIVED, logger=_LIBRARY)
    asking = protocol.connect()
    asking.headers["User-Agent"] = USER_AGENT
    for name, _ in headers:
        if name.lower().startswith(_PROTOCOLS_OWN):
            raise ValueError(f"header `{name}` is the protocol's own")
        asking.headers.pop(name, None)
    for name, value in headers:
        asking.headers[name] = value  # adds: the library's headers hold several values
    return protocol, asking


async def _head(connection: Connection, deadline: float) -> bytes | Reason:
    """All that came until a head was whole."""
    came = b""
    while b"\r\n\r\n" not in came:  # bounded by `_MOST_HEAD` and by the deadline
        if len(came) > _MOST_HEAD:
            return Reason.headers_too_large
        chunk = await connection.receive(deadline)
        if isinstance(chunk, Reason):
            return chunk
        if not chunk:
            return Reason.truncated if came else Reason.empty_reply
        came += chunk
    return came


def _answered(socket: WebSocket, came: bytes) -> WebSocket:
    """The conversation that an answer leads to."""
    head, _, rest = came.partition(b"\r\n\r\n")
    status = _STATUS.match(head + b"\r")
    exchange = replace(
        socket.exchange,
        head=head + b"\r\n\r\n",
        status=int(status[1]) if status else 0,
        http_version="1.1",
    )
    if status is None:
        wrong = replace(exchange, reason=Reason.protocol_error, text="the answer is not HTTP/1.1")
        return WebSocket(socket._connection, wrong)
    if exchange.status != _SWITCHING:
        return WebSocket(socket._connection, replace(exchange, body=rest[:_MOST_HEAD]))
    socket.exchange = exchange
    lost = socket.take(came)
    refused = socket._speaking().handshake_exc
    if refused is not None or (lost is not None and not socket.closed):
        text = str(refused) if refused is not None else socket.broken
        wrong = replace(exchange, reason=Reason.protocol_error, text=text)
        return WebSocket(socket._connection, wrong)
    return socket
