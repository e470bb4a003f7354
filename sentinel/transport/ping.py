"""Echo requests (ping) over few sockets for all checks, each reply given to who asked for it.

Linux has ping sockets, which need no privilege where ``net.ipv4.ping_group_range`` holds a group of
ours, and raw ones, which need ``CAP_NET_RAW``; the first kind that is allowed is used. One socket
serves all requests of a family, source address and fragmentation rule. A raw one asks the
kernel, with a filter of types, for replies and errors only.

A reply is matched by identifier, sequence and eight random bytes at the head of its payload, and
by the address it comes from. An error about a request (no route, hop limit, size) ends it with
that reason, where blackbox_exporter would wait for its timeout.

The round trip is measured from just before sending to the callback that reads the reply.
"""

import asyncio
import errno
import os
import socket
import struct
import time

import msgspec

from sentinel.transport.dial import of_connecting
from sentinel.transport.icmpwire import (
    FILTER_4,
    FILTER_6,
    NONCE,
    Heard,
    read,
    read_packet,
    request,
    troubled,
)
from sentinel.transport.lookup import Address
from sentinel.transport.reasons import Reason
from sentinel.transport.sockets import READ, Sockets

NOT_PERMITTED = "not_permitted"
"""The system allows neither kind of socket: a failure of our own."""
TTL_EXPIRED = "ttl_expired"
TOO_BIG = "too_big"
MOST_PAYLOAD = 65_507
"""Bytes after the ICMP header that an IPv4 packet can carry."""
PERMISSION = (
    "neither a ping socket nor a raw one is allowed: let the group in with `sysctl -w"
    " net.ipv4.ping_group_range='0 2147483647'`, or give the process CAP_NET_RAW"
    " (systemd: AmbientCapabilities=CAP_NET_RAW)"
)

_ICMP_FILTER = 1  # linux/icmp.h
_ICMP6_FILTER = 1  # linux/icmpv6.h
_SOL_RAW = 255
_IP_MTU_DISCOVER, _IP_RECVERR, _IP_RECVTTL = 10, 11, 12  # linux/in.h
_IPV6_MTU_DISCOVER, _IPV6_RECVERR = 23, 25  # linux/in6.h
_PMTUDISC_DONT, _PMTUDISC_DO = 0, 2
_RECEIVE_BUFFER = 4 << 20
"""What is asked of the system, so that a burst of replies is not lost while others are served."""
_DRAINED = 64
"""Packets read at one wake-up; the rest wakes us again."""
_SPACE = 512
"""Bytes of a packet's own that are read: its header, and enough to know it by."""
_ANCILLARY = socket.CMSG_SPACE(64) + socket.CMSG_SPACE(128)
_EXTENDED_ERROR = struct.Struct("=IBBBxII")
_SEQUENCES = 1 << 16
_DRAWN = 256
"""Nonces drawn from the system at once."""
_MOST_LINES = 32
"""Sockets that stay open though nobody waits on them."""


class Echo(msgspec.Struct, frozen=True):
    """How one request went. `reason` is ``""`` for a reply; else `timeout`, `connect_unreachable`,
    `ttl_expired`, `too_big`, `not_permitted`, `protocol_error` or `client_failed`. `rtt_s` counts
    until the reply, the error, or the end of waiting, `setup_s` until it was sent. `hop_limit` is
    the reply's."""

    reason: str
    rtt_s: float
    text: str = ""
    hop_limit: int | None = None
    size: int = 0
    setup_s: float = 0.0

    @property
    def ours(self) -> bool:
        """Whether it says nothing about the target."""
        return self.reason in (NOT_PERMITTED, Reason.client_failed)


class Packet(msgspec.Struct, frozen=True, gc=False):
    """What is sent: bytes of `payload`, `ttl` (hop limit; 0: the system's), whether routers may
    take it apart, and the address it comes from (``""``: the system chooses)."""

    size: int = 56
    ttl: int = 0
    dont_fragment: bool = False
    source_ip: str = ""


class Pinger:
    """All ping sockets of a node. Belongs to the loop of its `Sockets`; close it before them."""

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets
        self._lines: dict[tuple[int, str, bool], _Line] = {}

    async def ping(self, address: Address, packet: Packet, deadline: float) -> Echo:
        """Send one echo request and wait for its reply, at most until `deadline`."""
        started = time.monotonic()
        source = packet.source_ip
        if source and (":" in source) != (address.family == socket.AF_INET6):
            text = f"{source} is not of the family of {address.ip}"
            return Echo(Reason.connect_unreachable, 0.0, text)
        try:
            line = self._line(address.family, packet)
        except PermissionError:
            return Echo(NOT_PERMITTED, 0.0, PERMISSION)
        except OSError as error:
            reason = Reason.client_failed
            if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                reason = of_connecting(error.errno)
            return Echo(reason, 0.0, f"no socket could be opened: {error.strerror}")
        waiting = line.sent(address, packet, started)
        if isinstance(waiting, Echo):
            return waiting
        self._sockets.at(deadline, waiting.expired)
        try:
            echo = await waiting.future
        finally:
            self._sockets.forget(deadline, waiting.expired)
            line.waiting.pop(waiting.sequence, None)
        if echo is not None:
            return echo
        setup_s = waiting.sent_at - started
        rtt_s = time.monotonic() - waiting.sent_at
        return Echo(Reason.timeout, rtt_s, "no reply came", setup_s=setup_s)

    def close(self) -> None:
        """Close every socket. Who still waits sees `client_failed`."""
        for line in self._lines.values():
            line.close()
        self._lines.clear()

    def _line(self, family: int, packet: Packet) -> "_Line":
        about = (family, packet.source_ip, packet.dont_fragment)
        line = self._lines.get(about)
        if line is None:
            if len(self._lines) >= _MOST_LINES:
                self._put_away()
            line = self._lines[about] = _Line(self._sockets, family, packet)
        return line

    def _put_away(self) -> None:
        """Close those that nobody waits on."""
        for about, line in list(self._lines.items()):
            if not line.waiting:
                line.close()
                del self._lines[about]


class _Waiting:
    """One request under way."""

    __slots__ = ("future", "host", "nonce", "sent_at", "sequence", "setup_s")

    def __init__(
        self, future: "asyncio.Future[Echo | None]", sequence: int, host: str, nonce: bytes
    ) -> None:
        self.future = future
        self.sequence = sequence
        self.host = host
        self.nonce = nonce
        self.sent_at = 0.0
        self.setup_s = 0.0

    def expired(self) -> None:
        self.tell(None)

    def tell(self, echo: Echo | None) -> None:
        if not self.future.done():
            self.future.set_result(echo)


class _Line:
    """One socket, and who waits on it, by sequence number."""

    def __init__(self, sockets: Sockets, family: int, packet: Packet) -> None:
        self.waiting: dict[int, _Waiting] = {}
        self._sockets = sockets
        self._family = family
        self._six = family == socket.AF_INET6
        self._socket, self._raw = _opened(family, packet)
        self._identifier = int.from_bytes(os.urandom(2), "big")
        if not self._raw:  # the kernel puts its own number in place of ours
            self._identifier = self._socket.getsockname()[1]
        self._next = int.from_bytes(os.urandom(2), "big")
        self._nonces: list[bytes] = []
        self._ttl = 0
        sockets.watch(self._socket.fileno(), READ, self._ready)

    def sent(self, address: Address, packet: Packet, began: float) -> _Waiting | Echo:
        """Send a request; who waits for its reply, or how sending failed."""
        sequence = self._free()
        if sequence is None:
            return Echo(Reason.client_failed, 0.0, f"{_SEQUENCES} requests are under way")
        if not self._nonces:
            drawn = os.urandom(NONCE * _DRAWN)
            self._nonces = [drawn[at : at + NONCE] for at in range(0, len(drawn), NONCE)]
        future = asyncio.get_running_loop().create_future()
        waiting = _Waiting(future, sequence, address.ip, self._nonces.pop())
        payload = waiting.nonce.ljust(packet.size, b"\0")[: packet.size]
        content = request(self._family, self._identifier, sequence, payload)
        self.waiting[sequence] = waiting
        waiting.sent_at = time.monotonic()
        waiting.setup_s = waiting.sent_at - began
        try:
            self._limit(packet.ttl)
            self._socket.sendto(content, (*address.place[:1], 0, *address.place[2:]))
        except OSError as error:
            del self.waiting[sequence]
            return _unsent(error)
        return waiting

    def close(self) -> None:
        self._sockets.drop(self._socket)
        for waiting in self.waiting.values():
            waiting.tell(Echo(Reason.client_failed, 0.0, "the transport was closed"))

    def _free(self) -> int | None:
        """A sequence number that nobody waits with."""
        if len(self.waiting) >= _SEQUENCES:
            return None
        for _ in range(_SEQUENCES):
            self._next = (self._next + 1) % _SEQUENCES
            if self._next not in self.waiting:
                return self._next
        return None

    def _limit(self, ttl: int) -> None:
        """Set the hop limit of what is sent next; -1 is the system's."""
        if ttl == self._ttl:
            return
        level, option = (
            (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)
            if self._six
            else (socket.IPPROTO_IP, socket.IP_TTL)
        )
        self._socket.setsockopt(level, option, ttl or -1)
        self._ttl = ttl

    def _ready(self, mask: int) -> None:
        for _ in range(_DRAINED):
            try:
                heard, host = self._heard()
            except BlockingIOError:
                break
            except OSError:  # the error of a packet that was sent: the error queue says which
                continue
            if heard is not None:
                self._tell(heard, host)
        if mask & ~READ and not self._raw:
            self._read_errors()

    def _heard(self) -> tuple[Heard | None, str]:
        """The next packet, and where it comes from."""
        if self._raw and not self._six:
            packet = self._socket.recv(MOST_PAYLOAD + 128)
            return read_packet(packet), socket.inet_ntoa(packet[12:16]) if len(packet) > 20 else ""
        packet, ancillary, _, place = self._socket.recvmsg(MOST_PAYLOAD + 128, _ANCILLARY)
        limit = next((int.from_bytes(told[:4], "little") for _, kind, told in ancillary), None)
        return read(self._family, packet, hop_limit=limit), place[0]

    def _tell(self, heard: Heard, host: str) -> None:
        waiting = self.waiting.get(heard.sequence)
        if waiting is None or heard.identifier != self._identifier:
            return
        rtt_s = time.monotonic() - waiting.sent_at
        if heard.trouble:
            waiting.tell(_troubled(heard.trouble, f"{heard.text}, says {host}", rtt_s))
        elif host == waiting.host.partition("%")[0] and heard.nonce == waiting.nonce[: heard.size]:
            waiting.tell(Echo("", rtt_s, "", heard.hop_limit, heard.size, waiting.setup_s))

    def _read_errors(self) -> None:
        """What a ping socket was told about its requests (``man 7 ip``, IP_RECVERR)."""
        for _ in range(_DRAINED):
            try:
                about, ancillary, _, _ = self._socket.recvmsg(
                    _SPACE, _ANCILLARY, socket.MSG_ERRQUEUE
                )
            except OSError:
                return
            for _, kind, told in ancillary:
                if kind in (_IP_RECVERR, _IPV6_RECVERR) and len(told) >= 16 and len(about) >= 8:
                    self._tell_error(about, told)

    def _tell_error(self, about: bytes, told: bytes) -> None:
        waiting = self.waiting.get(int.from_bytes(about[6:8], "big"))
        number, origin, kind, code, most, _ = _EXTENDED_ERROR.unpack_from(told)
        if waiting is None:
            return
        rtt_s = time.monotonic() - waiting.sent_at
        if origin in (2, 3):  # SO_EE_ORIGIN_ICMP, _ICMP6; else it is the kernel's own
            waiting.tell(_troubled(*troubled(self._family, kind, code, most), rtt_s))
        else:
            waiting.tell(msgspec.structs.replace(_unsent(OSError(number, "")), rtt_s=rtt_s))


def _troubled(trouble: str, text: str, rtt_s: float) -> Echo:
    match trouble:
        case "expired":
            return Echo(TTL_EXPIRED, rtt_s, text)
        case "too_big":
            return Echo(TOO_BIG, rtt_s, text)
        case "refused":
            return Echo(Reason.protocol_error, rtt_s, text)
        case _:
            return Echo(Reason.connect_unreachable, rtt_s, text)


def _unsent(error: OSError) -> Echo:
    """Why a request could not be sent."""
    text = f"could not be sent: {error.strerror or os.strerror(error.errno or 0)}"
    match error.errno:
        case errno.EMSGSIZE:
            return Echo(TOO_BIG, 0.0, text)
        case errno.EAGAIN:
            return Echo(Reason.client_failed, 0.0, "the system's send buffer is full")
        case errno.EACCES:  # a broadcast address, or a route that prohibits
            return Echo(Reason.connect_unreachable, 0.0, text)
        case _:
            return Echo(of_connecting(error.errno or 0), 0.0, text)


def _opened(family: int, packet: Packet) -> tuple[socket.socket, bool]:
    """A socket, and whether it is a raw one. Raises OSError; PermissionError when neither is
    allowed."""
    protocol = socket.IPPROTO_ICMPV6 if family == socket.AF_INET6 else socket.IPPROTO_ICMP
    raw = False
    try:
        own = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, protocol)
    except OSError as refused:
        if refused.errno not in (errno.EACCES, errno.EPERM, errno.EPROTONOSUPPORT):
            raise
        own = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)
        raw = True
    try:
        _set_up(own, packet, raw=raw)
    except OSError:
        own.close()
        raise
    return own, raw


def _set_up(own: socket.socket, packet: Packet, *, raw: bool) -> None:
    six = own.family == socket.AF_INET6
    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    rule = _PMTUDISC_DO if packet.dont_fragment else _PMTUDISC_DONT
    if six:
        own.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        own.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, rule)
    else:
        own.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, rule)
    if raw and six:
        own.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, FILTER_6)
    elif raw:
        own.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", FILTER_4))
    elif six:
        own.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
    else:
        own.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        own.setsockopt(socket.IPPROTO_IP, _IP_RECVTTL, 1)
    if packet.source_ip or not raw:
        own.bind((packet.source_ip, 0))
