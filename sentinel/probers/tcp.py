"""TCP ports: databases, mail servers, message brokers, anything that listens."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from sentinel.expression import Declaration
from sentinel.kinds import ProbeWorld, key
from sentinel.labels import accept_pattern, pattern
from sentinel.monitor.probe import MetricFamily, Observation
from sentinel.probers.captures import Captures
from sentinel.probers.spoken import (
    CONNECTION_NAMES,
    Talked,
    ca_file_key,
    cert_file_key,
    host_key,
    ip_key,
    key_file_key,
    observation,
    opened,
    secured,
    server_name_key,
    tls_key,
    values_of,
    verify_key,
)
from sentinel.transport.connection import Connection
from sentinel.transport.lines import Ended
from sentinel.transport.reasons import Reason
from sentinel.transport.wire import Exchange
from sentinel.words import Secret

_HEARD = frozenset({"banner", "body"})
"""Names that need something to be heard."""
MOST_RECEIVED = 64 * 1024
"""Bytes that are read in one check, in all."""
UNEXPECTED = "unexpected_line"
"""The reason when the peer closed, or said too much, before a line that was expected."""
UNEXPECTED_BYTES = "unexpected_bytes"
"""The same for bytes that were expected."""

_SILENCE: Mapping[str, Any] = {"banner": "", "body": "", "captured": {}}
_NOTHING_MISSED = {"probe_failed_due_to_regex": 0, "probe_failed_due_to_bytes": 0}
_LABEL = r"^[a-zA-Z_][a-zA-Z0-9_]*$"
_HEX = r"^([0-9a-fA-F]{2} ?)+$"


@dataclass(frozen=True, slots=True)
class TcpLine:
    """One turn of a dialogue: first what is expected, then what is sent, then TLS."""

    expect: str = key(
        "Read lines until one fits this pattern (RE2, anywhere in the line).",
        default="",
        examples=["^220 ", "\\+PONG", "^\\* OK (?P<software>.*)"],
        accepts=accept_pattern,
    )
    expect_bytes: str = key(
        "Read until these bytes came, in hexadecimal.",
        default="",
        pattern=_HEX,
        examples=["4a 00 00 00 0a"],
    )
    send: str = key(
        "Send this and a line end; `\\1` and `\\g<name>` are what patterns caught.",
        default="",
        examples=["QUIT\r", "PONG \\1\r"],
    )
    secret_send: Secret | None = key(
        "Send this and a line end instead, and show it nowhere.",
        default=None,
        examples=["AUTH {env:CACHE_PASSWORD}\r"],
    )
    send_bytes: str = key(
        "Send these bytes as they are, in hexadecimal.",
        default="",
        pattern=_HEX,
        examples=["10 0c 00 04"],
    )
    starttls: bool = key("Go on over TLS after this turn.", default=False)
    labels: Mapping[str, str] = key(
        "Labels of `probe_expect_info` once this turn's `expect` came; `\\1` and `\\g<name>` as in "
        "`send`.",
        default_factory=dict,
        propertyNames={"pattern": _LABEL},
        examples=[{"software": "\\1"}],
    )


@dataclass(frozen=True, slots=True)
class Tcp:
    """Opens a TCP connection, over TLS where asked, and may have a dialogue of lines.

    Without `lines` a connection (and a verified certificate with `tls`) is all it takes. Each
    turn of a dialogue reads lines until one fits `expect`, reads on until `expect_bytes` came,
    sends `send` and `\\n` or the bytes of `send_bytes`, and goes on over TLS with `starttls`. When
    the peer closes or says more than 64 KiB before what was expected, the reason is
    `unexpected_line` or `unexpected_bytes`. Named groups `(?P<name>…)` become values of `captured`.

    Expectations may use `banner` (the first line that came), `body` (all that came; to use
    either without `lines` makes the check wait for a first line), `captured`, `timing`,
    `certificate` (with `tls` or `starttls`) and `address`.
    """

    KIND: ClassVar[str] = "tcp"
    NAMES: ClassVar[Declaration] = {
        "banner": "string",
        "body": "string",
        "captured": "map",
        **CONNECTION_NAMES,
    }

    host_: str = host_key("mail.acme.example", "10.0.0.7")
    port: int = key("Port to connect to.", minimum=1, maximum=65535, examples=[5432])
    lines: tuple[TcpLine, ...] = key(
        "A dialogue, turn by turn.",
        default=(),
        maxItems=50,
        examples=[[{"expect": "^220 ", "send": "QUIT\r"}, {"expect": "^221 "}]],
    )
    tls: bool = tls_key()
    verify: bool = verify_key()
    ca_file: str = ca_file_key()
    cert_file: str = cert_file_key()
    key_file: str = key_file_key()
    server_name: str = server_name_key()
    ip: Literal["any", "ipv4", "ipv6"] = ip_key()

    def __post_init__(self) -> None:
        secure = self.tls
        for line in self.lines:
            accept_pattern(line.expect)
            bytes.fromhex(line.expect_bytes + line.send_bytes)
            if sum(map(bool, (line.send, line.secret_send, line.send_bytes))) > 1:
                raise ValueError("a turn has one of `send`, `secret_send` and `send_bytes`")
            if line.labels and not line.expect:
                raise ValueError("`labels` need an `expect`")
            if line.starttls and secure:
                raise ValueError("`starttls` where TLS is spoken already")
            secure = secure or line.starttls

    @property
    def METRICS(self) -> tuple[MetricFamily, ...]:
        """Families of its own: the labels that its turns declare."""
        bytes_family = MetricFamily(
            "probe_failed_due_to_bytes", "Indicates if probe failed due to bytes"
        )
        names = self._label_names()
        expected = MetricFamily("probe_expect_info", "Explicit content matched", names)
        return (bytes_family, expected) if names else (bytes_family,)

    def _label_names(self) -> tuple[str, ...]:
        return tuple(sorted({name for line in self.lines for name in line.labels}))

    def _talks(self, world: ProbeWorld) -> bool:
        """Whether a connection is not all it takes."""
        return bool(self.lines) or not world.needed.isdisjoint(_HEARD)

    def host(self) -> str:
        """The host that is connected to."""
        return self.host_.lower()

    async def observe(self, world: ProbeWorld) -> Observation:
        """Connect once, and talk."""
        connection = await opened(self, world, port=self.port, tls=self.tls)
        if connection.exchange.reason is not None or not self._talks(world):
            connection.close()
            return _connected(connection.exchange, world)
        talk = _Talk(self, connection, world)
        watch = Talked(connection, world)
        try:
            await talk.have()
        except Ended as ended:
            talk.reason, talk.text = ended.reason, ended.text
        finally:
            talk_s = watch.seconds()
            connection.close()
        return self._observed(connection.exchange, talk, world, talk_s)

    def _observed(
        self, exchange: Exchange, talk: "_Talk", world: ProbeWorld, talk_s: float
    ) -> Observation:
        made = {
            "banner": lambda: _text(bytes(talk.received.partition(b"\n")[0])),
            "body": lambda: talk.received.decode("utf-8", "replace"),
        }
        own = {"captured": talk.captures.named}
        metrics: dict[str, object] = {
            "probe_failed_due_to_regex": int(talk.reason == UNEXPECTED),
            "probe_failed_due_to_bytes": int(talk.reason == UNEXPECTED_BYTES),
        }
        if talk.labelled:
            names = self._label_names()
            metrics["probe_expect_info"] = {
                _one_or_all([labels.get(name, "") for name in names]): 1 for labels in talk.labelled
            }
        return observation(
            exchange,
            values_of(exchange, own, talk_s=talk_s, now=world.now, made=made),
            now=world.now,
            talk_s=talk_s,
            reason=talk.reason,
            text=talk.text,
            sent="\n".join(talk.sent),
            received=bytes(talk.received),
            metrics=metrics,
        )


def _connected(exchange: Exchange, world: ProbeWorld) -> Observation:
    """A check in which nothing was said: connecting was all it took, or came to nothing."""
    values = values_of(exchange, _SILENCE, talk_s=0.0, now=world.now)
    return observation(exchange, values, now=world.now, talk_s=0.0, metrics=_NOTHING_MISSED)


def _one_or_all(values: list[str]) -> str | tuple[str, ...]:
    """A family of one label is keyed by its value, one of several by the tuple of theirs."""
    return values[0] if len(values) == 1 else tuple(values)


class _Talk:
    """A dialogue under way: what was sent, what came, and why it ended early."""

    __slots__ = (
        "_at", "_connection", "_declared", "_world", "captures", "labelled", "reason", "received",
        "sent", "text",
    )  # fmt: skip

    def __init__(self, declared: Tcp, connection: Connection, world: ProbeWorld) -> None:
        self._declared = declared
        self._connection = connection
        self._world = world
        self._at = 0
        self.captures = Captures()
        self.labelled: list[Mapping[str, str]] = []
        self.received = bytearray()
        self.sent: list[str] = []
        self.reason = ""
        self.text = ""

    async def have(self) -> None:
        """Take every turn, until one does not come about. Raises Ended."""
        for line in self._declared.lines:
            if line.expect:
                await self._listen(line.expect)
            if line.expect_bytes:
                await self._await_bytes(bytes.fromhex(line.expect_bytes))
            if line.labels:
                filled = self.captures.filled
                self.labelled.append({name: filled(text) for name, text in line.labels.items()})
            await self._say(line)
            if line.starttls:
                waiting = bytes(self.received[self._at :])
                await secured(self._connection, self._declared, self._world, waiting=waiting)
        if not self._declared.lines:
            await self._listen("")

    async def _say(self, line: TcpLine) -> None:
        if line.send_bytes:
            said, shown = bytes.fromhex(line.send_bytes), line.send_bytes
        elif line.secret_send is not None:
            said, shown = self._world.secrets.reveal(line.secret_send).encode() + b"\n", "***"
        elif line.send:
            shown = self.captures.filled(line.send)
            said = shown.encode() + b"\n"
        else:
            return
        self.sent.append(shown)
        lost = await self._connection.send(said, self._world.deadline)
        if lost is not None:
            raise Ended(lost, "what was to be sent could not be")

    async def _listen(self, expect: str) -> None:
        """Read lines until one fits."""
        wanted = pattern(expect)
        missing = f"no line that fits `{expect}`" if expect else "no line came"
        while True:  # bounded by what is read
            line, closed = await self._line(missing)
            fits = wanted.search(_text(line)) if line or not closed else None
            if fits:
                self.captures.take(fits)
                return
            if closed:
                raise Ended(UNEXPECTED, f"closed; {missing}")

    async def _line(self, missing: str) -> tuple[bytes, bool]:
        """The next line; with True, what the peer said last, and gave no end."""
        start = begun = self._at
        while (end := self.received.find(b"\n", begun)) < 0:  # bounded by what is read
            begun = len(self.received)
            if not await self._more(UNEXPECTED, missing):
                self._at = len(self.received)
                return bytes(self.received[start:]), True
        self._at = end + 1
        return bytes(self.received[start:end]), False

    async def _await_bytes(self, wanted: bytes) -> None:
        """Read until these bytes came, and no further."""
        missing = f"not the bytes {wanted.hex(' ')}"
        begun = self._at
        while (found := self.received.find(wanted, begun)) < 0:  # bounded by what is read
            begun = max(self._at, len(self.received) - len(wanted) + 1)
            if not await self._more(UNEXPECTED_BYTES, missing):
                raise Ended(UNEXPECTED_BYTES, f"closed; {missing}")
        self._at = found + len(wanted)

    async def _more(self, too_much: str, missing: str) -> bool:
        """Read once; False when the peer closed."""
        if len(self.received) > MOST_RECEIVED:
            raise Ended(too_much, f"more than 64 KiB came; {missing}")
        chunk = await self._connection.receive(self._world.deadline)
        if isinstance(chunk, Reason):
            raise Ended(chunk, missing)
        self.received += chunk
        return bool(chunk)


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r")
