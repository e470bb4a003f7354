"""One plain HTTP/1.1 conversation on a socket of our own: connect, TLS where asked, ask, listen.

Everything happens in callbacks of `transport.sockets`; the caller awaits once, the end. What can
be done at once is: on a fast network a request leaves with the connection that was begun, and
an answer comes with the first wake-up.
"""

import asyncio
import socket
import time
from enum import Enum, auto
from errno import ECONNRESET, EPIPE

from sentinel.transport.connection import of_talking
from sentinel.transport.dial import Dialled, Undialled, begun, is_open, why
from sentinel.transport.http1 import Answer
from sentinel.transport.lookup import Address
from sentinel.transport.plan import Plan
from sentinel.transport.reasons import Reason
from sentinel.transport.secure import Tls
from sentinel.transport.secure import why as why_tls
from sentinel.transport.sockets import READ, WRITE, Sockets
from sentinel.transport.wire import Exchange, Request

_CHUNK = 64 * 1024


class Turned(Enum):
    """Why a conversation over TLS did not come about, where another library may do better."""

    http2 = auto()
    """The server takes HTTP/2."""
    refused = auto()
    """The handshake failed, or the certificate was not taken."""


class Talk:
    """The conversation. `begin` or `go_on` it, await its `end`, take the `exchange`."""

    __slots__ = (
        "_address",
        "_answer",
        "_answered_at",
        "_asked_at",
        "_began_at",
        "_connected_at",
        "_deadline",
        "_ended",
        "_ended_at",
        "_own",
        "_plan",
        "_reason",
        "_request",
        "_resolved_at",
        "_sockets",
        "_text",
        "_tls",
        "_unsent",
        "_waiter",
        "turned",
        "verified",
    )

    def __init__(
        self,
        sockets: Sockets,
        plan: Plan,
        request: Request,
        *,
        tls: Tls | None,
        deadline: float,
        began_at: float,
        resolved_at: float,
    ) -> None:
        """Instants are on the monotonic clock, and 0.0 until they come."""
        self._sockets = sockets
        self._plan = plan
        self._request = request
        self._tls = tls
        self._deadline = deadline
        self._began_at = began_at
        self._resolved_at = resolved_at
        self._answer = Answer(method=request.method, limit=request.body_limit)
        self._own: socket.socket | None = None
        self._address: Address | None = None
        self._unsent = plan.content
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False
        self._reason: Reason | None = None
        self._text = ""
        self._connected_at = self._asked_at = self._answered_at = self._ended_at = 0.0
        self.verified: bool | None = None
        self.turned: Turned | None = None

    def begin(self, address: Address) -> None:
        """Connect to this address and go on from there."""
        self._address = address
        try:
            self._own = begun(address)
        except OSError as error:
            self._unconnected(why(error, address))
            return
        self._sockets.keep(self._own)
        self._sockets.at(self._deadline, self._expired)
        self._on_connecting()

    def go_on(self, result: Dialled | Undialled) -> None:
        """Go on with a connection that somebody else has opened, or has not."""
        self._address = result.address
        if isinstance(result, Undialled):
            self._unconnected(result)
            return
        self._own = result.socket
        self._sockets.keep(self._own)
        self._sockets.at(self._deadline, self._expired)
        self._on_connecting()

    async def end(self) -> None:
        """Wait for it. Cancelled, nothing is left behind."""
        if self._ended:
            return
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._release()

    # Asking

    def _on_connecting(self, _mask: int = 0) -> None:
        if self._tls is None:
            self._push()
            return
        try:
            connected = is_open(self._socket())
        except OSError as error:
            self._broke(error)
            return
        if connected:
            self._connected_at = time.monotonic()
            self._shake(self._tls)
        else:
            self._sockets.watch(self._socket().fileno(), WRITE, self._on_connecting)

    def _shake(self, tls: Tls) -> None:
        """One step of the handshake; behind the last one goes the request."""
        try:
            done = tls.shaken()
        except OSError as error:
            self._refused(tls, error)
            return
        if not done:
            self._unsent = tls.outgoing()
        elif tls.protocol() == "h2":
            self.turned = Turned.http2
            self._finish()
            return
        else:
            self.verified = True if self._request.verify else None
            self._asked_at = time.monotonic()
            tls.write(self._plan.content)
            self._unsent = tls.outgoing()
        self._push()

    def _push(self) -> None:
        """Send what is to be sent. The first byte that goes out says that there is a connection."""
        own = self._socket()
        if self._unsent:
            now = time.monotonic()
            try:
                sent = own.send(self._unsent)
            except BlockingIOError:
                wanted = READ | WRITE if self._connected_at else WRITE
                self._sockets.watch(own.fileno(), wanted, self._on_pushing)
                return
            except OSError as error:
                self._broke(error)
                return
            if not self._connected_at:
                self._connected_at = self._asked_at = now
            self._unsent = self._unsent[sent:]
        mask = READ | WRITE if self._unsent else READ
        self._sockets.watch(
            own.fileno(), mask, self._on_pushing if self._unsent else self._on_heard
        )

    def _on_pushing(self, mask: int) -> None:
        if mask & READ and self._connected_at:  # it answers before it has heard all
            self._on_heard(mask)
        if mask & ~READ and not self._ended:
            self._push()

    # Listening

    def _on_heard(self, _mask: int) -> None:
        try:
            received = self._socket().recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            self._broke(error)
            return
        if self._tls is None:
            self._hear(received)
        else:
            self._tls.feed(received)
            if self._asked_at:
                self._hear_secret(self._tls)
            else:
                self._shake(self._tls)

    def _hear_secret(self, tls: Tls) -> None:
        while not self._ended:  # bounded by what was received
            try:
                piece = tls.read()
            except OSError as error:
                self._fail(Reason.tls_failed, f"TLS failed: {error.strerror or error}")
                return
            if piece is None:
                break
            self._hear(piece)
        if not self._ended and (unsent := tls.outgoing()):
            self._unsent += unsent
            self._push()

    def _hear(self, received: bytes) -> None:
        answer = self._answer
        if not received:
            answer.close()
        elif self._answered_at:
            answer.feed(received)
        else:
            now = time.monotonic()
            answer.feed(received)
            if answer.begun:
                self._answered_at = now
        if answer.done:
            self._reason, self._text = answer.reason, answer.text
            self._finish()
        elif self._tls is None and answer.missing:
            # Rather one wake-up when it is all there than one for every segment.
            wanted = min(answer.missing, _CHUNK)
            self._socket().setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, wanted)

    # Ending

    def _expired(self) -> None:
        if self._sockets.closed:
            self._fail(Reason.client_failed, "the transport was closed")
        elif not self._connected_at:
            where = f" to {self._address.ip} port {self._address.port}" if self._address else ""
            self._fail(Reason.connect_timeout, f"connecting{where} took too long")
        else:
            text = f"it took too long; {self._answer.size_bytes} bytes of a body were received"
            self._fail(Reason.timeout, text)

    def _broke(self, error: OSError) -> None:
        """The connection broke, or never was."""
        if not self._connected_at and error.errno not in (ECONNRESET, EPIPE):
            self._unconnected(why(error, self._address))
            return
        if not self._connected_at:
            self._connected_at = time.monotonic()
        self._fail(of_talking(error), f"the connection was lost: {error.strerror or error}")

    def _refused(self, tls: Tls, error: OSError) -> None:
        """TLS says no. The peer is told why, if it still listens; whether it hears does not matter."""
        alert = tls.outgoing()
        if alert:
            try:
                self._socket().send(alert)
            except OSError:
                self._text = ""
        reason, text = why_tls(error, tls, self._plan.name)
        if reason.startswith("certificate_"):
            self.verified = False
        self.turned = Turned.refused
        self._fail(reason, text)

    def _unconnected(self, undialled: Undialled) -> None:
        self._fail(undialled.reason, undialled.text)

    def _fail(self, reason: Reason, text: str) -> None:
        self._reason, self._text = reason, text
        self._answer.stop()
        self._finish()

    def _finish(self) -> None:
        self._ended_at = time.monotonic()
        self._ended = True
        self._release()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _release(self) -> None:
        if self._own is not None:
            self._sockets.forget(self._deadline, self._expired)
            self._sockets.drop(self._own)
            self._own = None

    def _socket(self) -> socket.socket:
        assert self._own is not None
        return self._own

    # What it came to

    def exchange(self) -> Exchange:
        """What happened, once it has ended."""
        answer, tls, address = self._answer, self._tls, self._address
        heard = answer.status > 0
        return Exchange(
            url=self._request.url,
            reason=self._reason,
            text=self._text,
            status=answer.status,
            http_version=answer.version,
            head=answer.head if heard else b"",
            body=answer.body,
            phases=self._phases(),
            duration_s=self._ended_at - self._began_at,
            address=address.ip if address is not None and self._connected_at else "",
            port=address.port if address is not None and self._connected_at else 0,
            verified=self.verified,
            tls_version=tls.version() if tls is not None else "",
            tls_cipher=tls.cipher() if tls is not None else "",
            size_bytes=answer.size_bytes,
            pems=tls.pems() if tls is not None else (),
        )

    def _phases(self) -> dict[str, float]:
        """Seconds by phase; the one in which it ended early has lasted until the end."""
        ended, connected, asked = self._ended_at, self._connected_at, self._asked_at
        answered = self._answered_at
        return {
            "resolve": self._resolved_at - self._began_at,
            "connect": (connected or ended) - self._resolved_at,
            "tls": ((asked or ended) - connected) if connected and self._tls is not None else 0.0,
            "processing": ((answered or ended) - asked) if asked else 0.0,
            "transfer": (ended - answered) if answered else 0.0,
        }
