"""Asking one name server one question: over UDP, TCP or TLS (RFC 1035, 4.2; RFC 7766; RFC 7858).

Nothing is remembered between two questions, and no stub resolver stands between: what is measured
is this server, now. Over UDP each question has a random id and a random port, which the kernel draws
for it and on which its peer alone is heard (RFC 5452; `transport.udp`); a datagram that does not
answer the question is passed over as if it had not come. Where nothing came, the question is sent
again, `tries` times within the deadline, to the server's next address if it has several. A
truncated answer is asked for over TCP.

Phases are blackbox_exporter's: *resolve* the server's own name, *connect*, *request*; with TLS
also *tls*. Of several tries, *connect* and *request* are the last one's alone.
"""

import asyncio
import os
import re
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from sentinel.transport.connection import Connection
from sentinel.transport.curl import Transport
from sentinel.transport.dial import why
from sentinel.transport.dnsnames import WireError
from sentinel.transport.dnswire import Message, Question, is_answer, parse, query
from sentinel.transport.lookup import Address, Unfound, written_out
from sentinel.transport.reasons import Reason
from sentinel.transport.udp import UdpSockets
from sentinel.transport.wire import Exchange, IpVersion

Protocol = Literal["udp", "tcp", "tls"]
PORTS: Mapping[Protocol, int] = {"udp": 53, "tcp": 53, "tls": 853}
SYSTEM = "/etc/resolv.conf"
_PLACE = re.compile(
    r"(?:\[(?P<six>[^\]\s]+)\]|(?P<name>[^:\[\]\s]+))(?::(?P<port>[1-9]\d{0,4}))?|(?P<bare>(?=(?:[^:]*:){2})[0-9a-fA-F:.]+(?:%\w+)?)",
    re.ASCII,
)
_MOST_CONFIGURED = 16 * 1024
_NONE_CONFIGURED = "127.0.0.1"
LARGEST = 65_535
"""Bytes of a message, over either."""
MOST_STRAYS = 1000
"""Datagrams that answer another question; who sends more is not waited out."""


@dataclass(frozen=True, slots=True)
class Server:
    """Who is asked, and how. `host` is a name or an address without brackets; `port` 0 is the
    protocol's own. `tries` (at least 1) and `retry_truncated` are about UDP; `verify`, the PEM files
    and `server_name` (``""``: the host) about TLS."""

    host: str
    port: int = 0
    protocol: Protocol = "udp"
    ip: IpVersion = "any"
    source_ip: str = ""
    tries: int = 1
    retry_truncated: bool = True
    verify: bool = True
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    server_name: str = ""


class Answer(msgspec.Struct, frozen=True):
    """How it went. `message` is there whatever its response code; without one `reason` says why
    nothing useful came, with a sentence in `text`.

    `protocol` is the one that the answer came over, `sent` how often the question was, `size` the
    answer's bytes; `exchange` has the facts about TLS and certificates, None over UDP.
    """

    message: Message | None = None
    reason: Reason | None = None
    text: str = ""
    phases: Mapping[str, float] = {}
    address: str = ""
    protocol: Protocol = "udp"
    sent: int = 0
    size: int = 0
    exchange: Exchange | None = None

    @property
    def duration_s(self) -> float:
        return sum(self.phases.values())


class Said(msgspec.Struct, frozen=True):
    """What came of one question on one socket."""

    message: Message | None = None
    reason: Reason | None = None
    text: str = ""
    size: int = 0


def place(text: str) -> tuple[str, int]:
    """``ns1.example:5353`` as host and port (0: the protocol's own). Raises ValueError."""
    found = _PLACE.fullmatch(text)
    port = int(found["port"] or 0) if found else 0
    if found is None or port > 65535:
        raise ValueError(f"`{text}` is no server: write NAME, ADDRESS, NAME:PORT or [ADDRESS]:PORT")
    return found["name"] or found["six"] or found["bare"], port


def system_server(path: str = SYSTEM) -> str:
    """The first name server of ``/etc/resolv.conf``; loopback when it names none (resolver(5))."""
    try:
        with open(path, encoding="utf-8", errors="replace") as configured:
            lines = configured.read(_MOST_CONFIGURED).splitlines()
    except OSError:
        return _NONE_CONFIGURED
    words = (line.split() for line in lines)
    named = (each[1] for each in words if len(each) > 1 and each[0] == "nameserver")
    return next(named, _NONE_CONFIGURED)


async def ask(
    transport: Transport,
    question: Question,
    server: Server,
    deadline: float,
    before: Message | None = None,
) -> Answer:
    """Ask, and give what came by `deadline`. `before` is an earlier answer to the same question: the
    answer's message is this very one when the server says the same again over UDP, and need not be
    read twice. Never raises for a sick server. Raises WireError for a name that cannot be asked for
    (`dnsnames.wire_name`)."""
    if server.protocol != "udp":
        return await _over_tcp(transport, question, server, deadline)
    started = time.monotonic()
    port = server.port or PORTS["udp"]
    found: Sequence[Address] | Unfound | None = written_out(server.host, port, server.ip)
    if not found:
        found = await transport.lookup.find(server.host, port, deadline, ip=server.ip)
    resolve_s = time.monotonic() - started
    if isinstance(found, Unfound):
        return Answer(reason=found.reason, text=found.text, phases={"resolve": resolve_s})
    addresses = _usable(found, server.source_ip)
    if not addresses:
        text = f"no address of the family of {server.source_ip}"
        return Answer(reason=Reason.connect_unreachable, text=text, phases={"resolve": resolve_s})
    for turn in range(server.tries):
        address = addresses[turn % len(addresses)]
        now = time.monotonic()
        until = now + (deadline - now) / (server.tries - turn)
        datagrams = _Datagrams(transport.udp, address, server.source_ip, before)
        said = await datagrams.asked(question, until)
        if said.message is not None or time.monotonic() >= deadline:
            break
    phases = {
        "resolve": resolve_s,
        "connect": datagrams.connect_s,
        "request": datagrams.request_s,
    }
    answer = Answer(
        said.message, said.reason, said.text, phases, address.ip, "udp", turn + 1, said.size
    )
    if said.message is None or not said.message.truncated or not server.retry_truncated:
        return answer
    return await _whole(transport, question, server, deadline, answer)


async def _whole(
    transport: Transport, question: Question, server: Server, deadline: float, answer: Answer
) -> Answer:
    """What was too long for a datagram, over TCP."""
    reached = Server(answer.address, server.port, ip=server.ip, source_ip=server.source_ip, tries=1)
    whole = await _over_tcp(transport, question, reached, deadline, protocol="tcp")
    phases = {**whole.phases, "resolve": answer.phases["resolve"]}
    return msgspec.structs.replace(whole, sent=answer.sent + 1, phases=phases)


def _usable(addresses: Sequence[Address], source_ip: str) -> Sequence[Address]:
    if not source_ip:
        return addresses
    family = socket.AF_INET6 if ":" in source_ip else socket.AF_INET
    return [address for address in addresses if address.family == family]


class _Datagrams:
    """One question over UDP. What comes is read where it is heard of, and the time it took taken
    there, so that it is not that of the loop too."""

    __slots__ = (
        "_address",
        "_asked",
        "_before",
        "_future",
        "_own",
        "_sent_at",
        "_source_ip",
        "_strays",
        "_udp",
        "connect_s",
        "request_s",
    )

    def __init__(
        self, udp: UdpSockets, address: Address, source_ip: str, before: Message | None
    ) -> None:
        self._udp = udp
        self._address = address
        self._source_ip = source_ip
        self._before = before
        self._strays = 0
        self.connect_s = 0.0
        self.request_s = 0.0

    async def asked(self, question: Question, until: float) -> Said:
        """What was answered by `until`."""
        udp, sockets = self._udp, self._udp.sockets
        started = self._sent_at = time.monotonic()
        self._future: asyncio.Future[Said] = asyncio.get_running_loop().create_future()
        try:
            own = udp.take(self._address.family, self._ready, source_ip=self._source_ip)
        except OSError as error:
            return self._lost(error)
        self._own = own
        self._asked = query(question, id=next(udp.unguessable))
        said = None
        try:
            own.connect(self._address.place)
            self._sent_at = time.monotonic()
            self.connect_s = self._sent_at - started
            own.send(self._asked)
            sockets.at(until, self._expired)
            said = await self._future
        except OSError as error:
            self._end(said := self._lost(error))
        finally:
            sockets.forget(until, self._expired)
            if said is None or said.message is None or self._source_ip:
                sockets.drop(own)
            else:
                udp.give(own, self._address.family)
        return said

    def _ready(self, _mask: int) -> None:
        if self._future.done():
            return
        try:
            came = self._own.recv(LARGEST)
        except BlockingIOError:  # it was damaged on its way
            return
        except OSError as error:  # what was sent came to nobody: no listener, no route
            self._end(self._lost(error))
            return
        before = self._before
        if before is not None and came[2:] == before.wire and came[:2] == self._asked[:2]:
            self._end(Said(before, size=len(came)))
            return
        if is_answer(self._asked, came):
            self._end(_read(came))
            return
        self._strays += 1
        if self._strays == MOST_STRAYS:
            text = f"{MOST_STRAYS} datagrams answered nothing that was asked"
            self._end(Said(reason=Reason.protocol_error, text=text))

    def _expired(self) -> None:
        if not self._future.done():
            ours = self._udp.sockets.closed
            reason = Reason.client_failed if ours else Reason.timeout
            self._end(Said(reason=reason, text="no answer came"))

    def _end(self, said: Said) -> None:
        self.request_s = time.monotonic() - self._sent_at
        self._future.set_result(said)

    def _lost(self, error: OSError) -> Said:
        failed = why(error, self._address)
        return Said(reason=failed.reason, text=failed.text)


def _read(came: bytes) -> Said:
    try:
        return Said(parse(came), size=len(came))
    except WireError as wrong:
        text = f"the answer is no DNS message: {wrong}"
        return Said(reason=Reason.protocol_error, text=text, size=len(came))


async def _over_tcp(
    transport: Transport,
    question: Question,
    server: Server,
    deadline: float,
    *,
    protocol: Protocol | None = None,
) -> Answer:
    protocol = protocol or server.protocol
    connection = await transport.connect(
        server.host,
        server.port or PORTS[protocol],
        deadline,
        tls=protocol == "tls",
        verify=server.verify,
        ca_file=server.ca_file,
        cert_file=server.cert_file,
        key_file=server.key_file,
        server_name=server.server_name,
        ip=server.ip,
        source_ip=server.source_ip,
    )
    try:
        exchange = connection.exchange
        phases = {
            name: seconds
            for name, seconds in exchange.phases.items()
            if name in ("resolve", "connect") or (name == "tls" and protocol == "tls")
        }
        if exchange.reason is not None:
            said = Said(reason=exchange.reason, text=exchange.text)
        else:
            started = time.monotonic()
            said = await converse(connection, question, deadline)
            phases["request"] = time.monotonic() - started
    finally:
        connection.close()
    return Answer(
        said.message,
        said.reason,
        said.text,
        phases,
        exchange.address,
        protocol,
        1,
        said.size,
        exchange,
    )


async def converse(connection: Connection, question: Question, deadline: float) -> Said:
    """Ask on an open connection, which may be a secured one (RFC 7766: a length before each
    message). The connection stays open."""
    asked = query(question, id=int.from_bytes(os.urandom(2), "big"))
    lost = await connection.send(len(asked).to_bytes(2, "big") + asked, deadline)
    if lost is not None:
        return Said(reason=lost, text="the question could not be sent")
    came = b""
    while len(came) < 2 or len(came) < 2 + int.from_bytes(came[:2], "big"):  # at most 64 KiB
        chunk = await connection.receive(deadline)
        if isinstance(chunk, Reason):
            return Said(reason=chunk, text="no whole answer came", size=len(came))
        if not chunk:
            reason = Reason.truncated if came else Reason.empty_reply
            text = "closed before a whole answer came"
            return Said(reason=reason, text=text, size=len(came))
        came += chunk
    message = came[2 : 2 + int.from_bytes(came[:2], "big")]
    if not is_answer(asked, message):
        text = "what came answers another question"
        return Said(reason=Reason.protocol_error, text=text, size=len(message))
    return _read(message)
