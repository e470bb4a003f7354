"""TCP ports: databases, mail servers, message brokers, anything that listens."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

from sentinel.expression import Declaration
from sentinel.kinds import ProbeWorld, key
from sentinel.labels import pattern
from sentinel.monitor.probe import Evidence, Observation, Sample
from sentinel.transport.connection import Connection
from sentinel.transport.reasons import NETWORK, Reason
from sentinel.transport.shown import (
    CERTIFICATE_NAMES,
    EVIDENCE_BODY,
    address_metrics,
    certificate_values,
    facts_of,
    tls_metrics,
)
from sentinel.transport.wire import Exchange, IpVersion
from sentinel.words import Outcome

MOST_RECEIVED = 64 * 1024
"""Bytes that are read in one check, in all."""
UNEXPECTED = "unexpected_line"
"""The reason when the peer closed, or said too much, before a line that was expected."""

_FAMILIES: Mapping[str, IpVersion] = {"any": "any", "ipv4": "4", "ipv6": "6"}


@dataclass(frozen=True, slots=True)
class TcpLine:
    """One turn of a dialogue: first what is expected, then what is sent."""

    expect: str = key(
        "Read lines until one fits this pattern (RE2, anywhere in the line).",
        default="",
        examples=["^220 ", "\\+PONG"],
    )
    send: str = key("Send this and a line end.", default="", examples=["QUIT\r", "PING\r"])


@dataclass(frozen=True, slots=True)
class Tcp:
    """Opens a TCP connection, over TLS where asked, and may have a dialogue of lines.

    Without `lines` a connection (and a verified certificate with `tls`) is all it takes. Each
    turn of a dialogue reads lines until one fits `expect`, then sends `send` and `\\n`. When the
    peer closes or says more than 64 KiB before that line, the reason is `unexpected_line`.

    Expectations may use `banner` (the first line that came), `body` (all that came; to use
    either without `lines` makes the check wait for a first line), `timing`, `certificate` (with
    `tls`) and `address`.
    """

    KIND: ClassVar[str] = "tcp"
    NAMES: ClassVar[Declaration] = {
        "banner": "string",
        "body": "string",
        "timing": {
            "total_s": "double",
            "resolve_s": "double",
            "connect_s": "double",
            "tls_s": "double",
            "talk_s": "double",
        },
        "certificate": CERTIFICATE_NAMES,
        "address": "string",
    }

    host_: str = key(
        "Host name or address to connect to.", examples=["mail.acme.example", "10.0.0.7"]
    )
    port: int = key("Port to connect to.", minimum=1, maximum=65535, examples=[5432])
    lines: tuple[TcpLine, ...] = key(
        "A dialogue, turn by turn.",
        default=(),
        maxItems=50,
        examples=[[{"expect": "^220 ", "send": "QUIT\r"}, {"expect": "^221 "}]],
    )
    tls: bool = key("Speak TLS from the beginning.", default=False)
    verify: bool = key("Refuse a certificate that cannot be verified.", default=True)
    ca_file: str = key("PEM file of the authorities to trust instead of the system's.", default="")
    server_name: str = key("Name to ask for and to verify, when it is not the host's.", default="")
    ip: Literal["any", "ipv4", "ipv6"] = key("Which addresses to use.", default="any")

    def __post_init__(self) -> None:
        for line in self.lines:
            try:
                pattern(line.expect)
            except ValueError as wrong:
                raise ValueError(f"`{line.expect}` is not an RE2 pattern: {wrong}") from wrong

    def host(self) -> str:
        """The host that is connected to."""
        return self.host_.lower()

    async def observe(self, world: ProbeWorld) -> Observation:
        """Connect once, and talk."""
        connection = await world.transport.connect(
            self.host_,
            self.port,
            world.deadline,
            tls=self.tls,
            verify=self.verify,
            ca_file=self.ca_file,
            server_name=self.server_name,
            ip=_FAMILIES[self.ip],
        )
        try:
            talk = _Talk(connection, world.deadline)
            started = world.transport.now()
            if connection.exchange.reason is None:
                await talk.have(self.lines)
                if not self.lines and world.needed & {"banner", "body"}:
                    await talk.listen("")
            talk_s = world.transport.now() - started
        finally:
            connection.close()
        return _observed(connection.exchange, talk, talk_s=talk_s, now=world.now)


class _Talk:
    """A dialogue under way: what was sent, what came, and why it ended early."""

    def __init__(self, connection: Connection, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self._rest = b""
        self.received = b""
        self.sent: list[str] = []
        self.reason = ""
        self.text = ""

    async def have(self, lines: tuple[TcpLine, ...]) -> None:
        """Take every turn, until one does not come about."""
        for line in lines:
            if line.expect and not await self.listen(line.expect):
                return
            if line.send:
                self.sent.append(line.send)
                lost = await self._connection.send(line.send.encode() + b"\n", self._deadline)
                if lost is not None:
                    self.reason, self.text = lost, "what was to be sent could not be"
                    return

    async def listen(self, expect: str) -> bool:
        """Read lines until one fits."""
        wanted = pattern(expect)
        while len(self.received) <= MOST_RECEIVED:  # bounded by what is read, too
            line, end, rest = self._rest.partition(b"\n")
            if end:
                self._rest = rest
                if wanted.search(_text(line)):
                    return True
                continue
            chunk = await self._connection.receive(self._deadline)
            if isinstance(chunk, Reason):
                self.reason, self.text = chunk, self._missing(expect)
                return False
            if not chunk:
                if self._rest and wanted.search(_text(self._rest)):
                    return True
                self.reason, self.text = UNEXPECTED, f"closed; {self._missing(expect)}"
                return False
            self.received += chunk
            self._rest += chunk
        self.reason, self.text = UNEXPECTED, f"more than 64 KiB came; {self._missing(expect)}"
        return False

    def _missing(self, expect: str) -> str:
        return f"no line that fits `{expect}`" if expect else "no line came"


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r")


class _Seen(Mapping[str, Any]):
    """The names that expectations use."""

    def __init__(
        self, exchange: Exchange, received: bytes, *, talk_s: float, now: datetime
    ) -> None:
        self._exchange = exchange
        self._received = received
        self._talk_s = talk_s
        self._now = now

    def __getitem__(self, name: str) -> Any:
        match name:
            case "banner":
                return _text(self._received.partition(b"\n")[0])
            case "body":
                return self._received.decode("utf-8", "replace")
            case "timing":
                phases = {f"{phase}_s": seconds for phase, seconds in _phases(self._exchange)}
                total_s = self._exchange.duration_s + self._talk_s
                return {**phases, "talk_s": self._talk_s, "total_s": total_s}
            case "certificate":
                return certificate_values(self._exchange, self._now)
            case "address":
                return self._exchange.address
            case _:
                raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        plain = not self._exchange.certificates
        return (name for name in Tcp.NAMES if not (plain and name == "certificate"))

    def __len__(self) -> int:
        return len(list(iter(self)))


def _phases(exchange: Exchange) -> Iterator[tuple[str, float]]:
    """The phases of connecting; those of a request do not exist here."""
    for name, seconds in exchange.phases.items():
        if name not in ("processing", "transfer"):
            yield name, seconds


def _observed(exchange: Exchange, talk: _Talk, *, talk_s: float, now: datetime) -> Observation:
    reason = exchange.reason or talk.reason
    ours = exchange.ours or reason == Reason.invalid_request
    outcome = (Outcome.unknown if ours else Outcome.failed) if reason else None
    duration_s = exchange.duration_s + talk_s
    samples = [Sample("timing.total_s", duration_s, "s")]
    if exchange.certificates:
        days_left = exchange.certificates[0].days_left(now)
        samples.append(Sample("certificate.days_left", days_left, "d"))
    return Observation(
        values=_Seen(exchange, talk.received, talk_s=talk_s, now=now),
        duration_s=duration_s,
        reason=reason,
        text=exchange.text or talk.text or "connected",
        network=reason in NETWORK,
        outcome=outcome,
        phases={**dict(_phases(exchange)), "talk": talk_s},
        address=exchange.address,
        samples=samples,
        evidence=Evidence(
            request="\n".join(talk.sent),
            response=_text(talk.received[:EVIDENCE_BODY]),
            facts=facts_of(exchange),
        ),
        metrics={
            **address_metrics(exchange),
            **tls_metrics(exchange),
            "probe_failed_due_to_regex": int(reason == UNEXPECTED),
        },
    )
