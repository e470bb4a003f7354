"""A raw connection, over TCP or a unix socket, plain or over TLS, which may also begin later
(STARTTLS). It fails alike with HTTP: the same reasons, the same verification, the presented
chain also when it was refused."""

import asyncio
import errno
import socket
import time
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from sentinel.transport.dial import Dialled, Undialled, dial, why
from sentinel.transport.lookup import Address, Lookup, Unfound, written_out
from sentinel.transport.reasons import Reason
from sentinel.transport.secure import PIECE, Terms, Tls, Unusable
from sentinel.transport.secure import why as why_tls
from sentinel.transport.sockets import Sockets
from sentinel.transport.wire import Exchange, IpVersion

_CHUNK = 16 * 1024
_MOST_AT_ONCE = 16
"""Chunks that are read one after the other before others have their turn."""
MOST_HANDSHAKE = 1 << 20
"""Bytes of a TLS handshake: the longest chain that OpenSSL takes is a tenth of that."""


class Peer(msgspec.Struct, frozen=True, gc=False):
    """Whom to connect to: a host (name, or address without brackets) and port, or the path of a
    unix socket; from which address of our own, and over which of its."""

    host: str = ""
    port: int = 0
    ip: IpVersion = "any"
    source_ip: str = ""
    unix_path: str = ""


class Connection:
    """What `Transport.connect` gives. `exchange` says how connecting went: with a reason there is
    nobody to talk to. `protocol` is what ALPN agreed on (``""``: nothing). Close it in any case."""

    def __init__(self, exchange: Exchange, sockets: Sockets, own: socket.socket | None) -> None:
        self.exchange = exchange
        self.protocol = ""
        self._sockets = sockets
        self._socket = own
        self._tls: Tls | None = None
        self._at_once = 0
        if own is not None:
            sockets.keep(own)

    async def start_tls(
        self,
        *,
        server_name: str,
        deadline: float,
        verify: bool = True,
        ca_file: str = "",
        cert_file: str = "",
        key_file: str = "",
        alpn: tuple[str, ...] = (),
        minimum: str = "",
        maximum: str = "",
    ) -> Reason | None:
        """Speak TLS from here on; the reason when that did not come about, with which nothing more
        can be said. `exchange` then has the facts of TLS, the chain also when it was refused.

        `server_name` is asked for (SNI, unless it is an address) and verified. `alpn` are the
        protocols offered, `minimum` the lowest version taken (``"TLS 1.0"`` to ``"TLS 1.3"``),
        `maximum` the highest.
        """
        terms = Terms(verify, ca_file, cert_file, key_file, alpn, minimum, maximum)
        began = time.monotonic()
        try:
            tls = Tls(terms, server_name)
        except Unusable as error:
            return self._ended(Reason.client_failed, str(error), began)
        try:
            ended = await self._shaken(tls, deadline)
        except OSError as error:
            reason, text = why_tls(error, tls, server_name)
            await self._said(tls, deadline)
            self._told(tls, verified=False if reason.startswith("certificate_") else None)
            return self._ended(reason, text, began)
        if ended is not None:
            return self._ended(ended, f"the TLS handshake ended early: {ended}", began)
        self._told(tls, verified=True if verify else None)
        self._spent(began)
        self._tls, self.protocol = tls, tls.protocol()
        return None

    async def send(self, content: bytes, deadline: float) -> Reason | None:
        """Send all of it; the reason when that did not come about by `deadline`."""
        own = self._open()
        if self._tls is None:
            return await self._sent(own, content, deadline)
        for at in range(0, len(content), PIECE):
            try:
                self._tls.write(content[at : at + PIECE])
            except OSError:
                return Reason.tls_failed
            lost = await self._sent(own, self._tls.outgoing(), deadline)
            if lost is not None:
                return lost
        return None

    async def receive(self, deadline: float) -> bytes | Reason:
        """The next bytes, at most 64 KiB; ``b""`` when the peer closed; the reason when none came."""
        own = self._open()
        if self._tls is None:
            return await self._received(own, deadline)
        while True:  # bounded by the deadline
            try:
                got = self._tls.read()
            except OSError:
                return Reason.tls_failed
            if got is not None:
                return got
            lost = await self._sent(own, self._tls.outgoing(), deadline)
            if lost is not None:
                return lost
            came = await self._received(own, deadline)
            if isinstance(came, Reason):
                return came
            self._tls.feed(came)

    def close(self) -> None:
        """Close it. Twice is once."""
        if self._socket is not None:
            self._sockets.drop(self._socket)
            self._socket = None

    def _open(self) -> socket.socket:
        if self._socket is None or self.exchange.reason is not None:
            raise ValueError("the connection is not open")
        return self._socket

    async def _shaken(self, tls: Tls, deadline: float) -> Reason | None:
        """The handshake, to its end; why there was none. Raises OSError: what TLS says against it."""
        own, fed = self._open(), 0
        while not tls.shaken():  # bounded by the deadline
            if fed > MOST_HANDSHAKE:
                return Reason.tls_failed
            lost = await self._sent(own, tls.outgoing(), deadline)
            if lost is not None:
                return lost
            came = await self._received(own, deadline)
            if isinstance(came, Reason):
                return came
            fed += len(came)
            tls.feed(came)
        return await self._sent(own, tls.outgoing(), deadline)

    async def _said(self, tls: Tls, deadline: float) -> None:
        """Tell the peer why the handshake ends (an alert); whether it hears does not matter."""
        if self._socket is not None:
            await self._sent(self._socket, tls.outgoing(), min(deadline, time.monotonic() + 0.1))

    async def _sent(self, own: socket.socket, content: bytes, deadline: float) -> Reason | None:
        left = memoryview(content)
        while left:  # bounded by the deadline
            try:
                left = left[own.send(left) :]
            except BlockingIOError:
                if not await self._sockets.writable(own, deadline):
                    return self._waited()
            except OSError as error:
                return of_talking(error)
        return None

    async def _received(self, own: socket.socket, deadline: float) -> bytes | Reason:
        self._at_once += 1
        if (
            self._at_once > _MOST_AT_ONCE
        ):  # a peer that never pauses must not keep the loop to itself
            self._at_once = 0
            await asyncio.sleep(0)
            if time.monotonic() >= deadline:
                return self._waited()
        while True:  # bounded by the deadline
            try:
                return own.recv(_CHUNK)
            except BlockingIOError:
                self._at_once = 0
                if not await self._sockets.readable(own, deadline):
                    return self._waited()
            except OSError as error:
                return of_talking(error)

    def _waited(self) -> Reason:
        return Reason.client_failed if self._sockets.closed else Reason.timeout

    def _told(self, tls: Tls, *, verified: bool | None) -> None:
        """What is known of TLS now."""
        url = self.exchange.url.replace("http:", "https:", 1)
        self.exchange = replace(
            self.exchange,
            url=url,
            verified=verified,
            tls_version=tls.version(),
            tls_cipher=tls.cipher(),
            pems=tls.pems(),
        )

    def _ended(self, reason: Reason, text: str, began: float) -> Reason:
        self._spent(began)
        self.exchange = replace(self.exchange, reason=reason, text=text)
        return reason

    def _spent(self, began: float) -> None:
        lasted = time.monotonic() - began
        phases = dict(self.exchange.phases)
        phases["tls"] = phases.get("tls", 0.0) + lasted
        duration_s = self.exchange.duration_s + lasted
        self.exchange = replace(self.exchange, phases=phases, duration_s=duration_s)


async def connected(sockets: Sockets, lookup: Lookup, peer: Peer, deadline: float) -> Connection:
    """A connection to the peer, or one that says why there is none."""
    began = time.monotonic()
    if deadline <= began:
        exchange = Exchange(_url(peer), Reason.timeout, "no time was left to connect")
        return Connection(exchange, sockets, None)
    if peer.unix_path:
        result = _local(peer.unix_path)
        return _connection(sockets, peer, result, began=began, resolved=began)
    if not 0 < peer.port < 65536:
        exchange = Exchange(_url(peer), Reason.invalid_request, f"{peer.port} is no port")
        return Connection(exchange, sockets, None)
    found: Sequence[Address] | Unfound | None = written_out(peer.host, peer.port, peer.ip)
    if not found:
        found = await lookup.find(peer.host, peer.port, deadline, ip=peer.ip)
    resolved = time.monotonic()
    if isinstance(found, Unfound):
        spent = resolved - began
        exchange = Exchange(
            _url(peer), found.reason, found.text, phases={"resolve": spent}, duration_s=spent
        )
        return Connection(exchange, sockets, None)
    result = await dial(sockets, found, deadline, source_ip=peer.source_ip)
    return _connection(sockets, peer, result, began=began, resolved=resolved)


def of_talking(error: OSError) -> Reason:
    """The reason for an error of a connection that there was."""
    match error.errno:
        case errno.ETIMEDOUT:
            return Reason.timeout
        case errno.EMFILE | errno.ENOMEM | errno.ENOBUFS:
            return Reason.client_failed
        case _:
            return Reason.reset


def _connection(
    sockets: Sockets,
    peer: Peer,
    result: Dialled | Undialled,
    *,
    began: float,
    resolved: float,
) -> Connection:
    now = time.monotonic()
    failed = result if isinstance(result, Undialled) else None
    address = result.address
    exchange = Exchange(
        _url(peer),
        failed.reason if failed is not None else None,
        failed.text if failed is not None else "",
        phases={"resolve": resolved - began, "connect": now - resolved, "tls": 0.0},
        duration_s=now - began,
        address=address.ip if address is not None else "",
        port=address.place[1] if address is not None else 0,
    )
    return Connection(exchange, sockets, result.socket if isinstance(result, Dialled) else None)


def _local(path: str) -> Dialled | Undialled:
    """A connection to a unix socket, which is made at once or not at all."""
    own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        own.connect(path)
    except OSError as error:
        own.close()
        return why(error, None)
    return Dialled(own, None)


def _url(peer: Peer) -> str:
    if peer.unix_path:
        return f"unix:{peer.unix_path}"
    host = f"[{peer.host}]" if ":" in peer.host else peer.host
    return f"http://{host}:{peer.port}/"
