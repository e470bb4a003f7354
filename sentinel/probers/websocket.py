"""WebSockets: live prices, chats, order boards, whatever keeps a line open."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal
from urllib.parse import quote, urlsplit

from sentinel.expression import Declaration
from sentinel.kinds import ProbeWorld, Secrets, key
from sentinel.labels import accept_pattern, pattern
from sentinel.monitor.probe import MetricFamily, Observation, Sample
from sentinel.probers.captures import Captures
from sentinel.probers.spoken import (
    CONNECTION_NAMES,
    FAMILIES,
    TIMING,
    ca_file_key,
    cert_file_key,
    ip_key,
    key_file_key,
    observation,
    server_name_key,
    values_of,
    verify_key,
)
from sentinel.transport.page import header_map
from sentinel.transport.reasons import Reason
from sentinel.transport.websocket import Closed, WebSocket, upgrade
from sentinel.transport.wire import phrase
from sentinel.words import Secret

UPGRADE_REFUSED = "upgrade_refused"
"""The reason when the server answered, but not with 101."""
UNEXPECTED = "unexpected_message"
"""The reason when the server closed before a message that was expected."""
CLOSED = "closed"
"""The reason when the server closed before a pong."""

MOST_KEPT = 50
"""Messages that expectations and evidence may see."""
_SCHEMES = {"ws": ("ws", 80), "http": ("ws", 80), "wss": ("wss", 443), "https": ("wss", 443)}


@dataclass(frozen=True, slots=True)
class WebsocketTurn:
    """One turn of a dialogue: first what is expected, then what is sent."""

    expect: str = key(
        "Read messages until one fits this pattern (RE2, anywhere in it).",
        default="",
        examples=['"type":"welcome"', '"session":"(?P<session>[^"]+)"'],
        accepts=accept_pattern,
    )
    send: str = key(
        "Send this as a text message; `\\1` and `\\g<name>` are what patterns caught.",
        default="",
        examples=['{"subscribe": "prices"}'],
    )
    secret_send: Secret | None = key(
        "Send this instead, and show it nowhere.",
        default=None,
        examples=['{"token": "{env:LIVE_TOKEN}"}'],
    )


@dataclass(frozen=True, slots=True)
class Websocket:
    """Opens a WebSocket, and may ping and have a dialogue of messages.

    The upgrade must be answered with 101, else the reason is `upgrade_refused`. Each turn reads
    messages until one fits `expect`, then sends `send`. When the server closes before that message
    the reason is `unexpected_message`, when more than 1 MiB came `body_too_large`. When it closes
    before the answer to a ping, the reason is `closed`. Named groups
    `(?P<name>…)` become values of `captured`.

    Expectations may use `status`, `headers` (of the answer to the upgrade), `subprotocol` (empty:
    none), `message` (the first that came; to use it without `messages` makes the check wait for
    one), `messages` (the first 50), `captured`, `close_code` and `close_text` (naming either makes
    the check say goodbye and wait for the server's; 1006: it said none), `timing` (also `ping_s`),
    `certificate` (wss only) and `address`. A binary message is shown as text in UTF-8.
    """

    KIND: ClassVar[str] = "websocket"
    NAMES: ClassVar[Declaration] = {
        **CONNECTION_NAMES,
        "timing": {**TIMING, "processing_s": "double", "ping_s": "double"},
        "status": "int",
        "headers": "map",
        "subprotocol": "string",
        "message": "string",
        "messages": "list",
        "captured": "map",
        "close_code": "int",
        "close_text": "string",
    }
    METRICS: ClassVar[tuple[MetricFamily, ...]] = (
        MetricFamily("probe_websocket_status_code", "Response HTTP status code"),
        MetricFamily(
            "probe_websocket_connection_upgraded",
            "Indicates if the websocket connection was successfully upgraded",
        ),
        MetricFamily(
            "probe_websocket_failed_due_to_regex", "Indicates if probe failed due to regex"
        ),
        MetricFamily(
            "probe_websocket_duration_seconds",
            "Duration of websocket request by phase",
            ("phase",),
        ),
    )

    url: str = key(
        "Where to ask, with scheme (`ws`, `wss`) and host.",
        examples=["wss://live.acme.example/prices"],
    )
    path: tuple[str, ...] = key(
        "Pieces appended to the URL's path, each encoded.", default=(), examples=[["live"]]
    )
    messages: tuple[WebsocketTurn, ...] = key(
        "A dialogue, turn by turn.",
        default=(),
        maxItems=50,
        examples=[[{"send": '{"subscribe": "prices"}'}, {"expect": '"price"'}]],
    )
    ping: bool = key("Send a ping, and wait for its pong, before the dialogue.", default=False)
    subprotocols: tuple[str, ...] = key(
        "Subprotocols to offer, the preferred one first.",
        default=(),
        maxItems=20,
        examples=[["graphql-transport-ws"]],
    )
    headers: Mapping[str, str] = key(
        "Headers of the upgrade.",
        default_factory=dict,
        examples=[{"Origin": "https://shop.acme.example"}],
    )
    secret_headers: Mapping[str, Secret] = key(
        "Headers that are secrets, by reference, never shown.",
        default_factory=dict,
        examples=[{"Authorization": "Bearer {env:LIVE_TOKEN}"}],
    )
    verify: bool = verify_key()
    ca_file: str = ca_file_key()
    cert_file: str = cert_file_key()
    key_file: str = key_file_key()
    server_name: str = server_name_key()
    ip: Literal["any", "ipv4", "ipv6"] = ip_key()

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in _SCHEMES or not parts.hostname:
            raise ValueError(f"`{self.url}` is no address of a WebSocket: write wss://host/path")
        if parts.username is not None:
            raise ValueError("credentials go into `secret_headers`, not into the URL")
        if "\\" in parts.netloc or re.search(r"[\s\x00-\x1f]", self.url):
            raise ValueError(f"`{self.url}` holds what no URL may hold")
        _ = parts.port  # raises ValueError
        for turn in self.messages:
            accept_pattern(turn.expect)

    def host(self) -> str:
        """The host that is connected to."""
        return urlsplit(self.url).hostname or ""

    async def observe(self, world: ProbeWorld) -> Observation:
        """Upgrade once, and talk."""
        parts = urlsplit(self.url)
        scheme, port = _SCHEMES[parts.scheme]
        connection = await world.transport.connect(
            self.host(),
            parts.port or port,
            world.deadline,
            tls=scheme == "wss",
            verify=self.verify,
            ca_file=self.ca_file,
            cert_file=self.cert_file,
            key_file=self.key_file,
            server_name=self.server_name,
            ip=FAMILIES[self.ip],
        )
        try:
            socket = await upgrade(
                connection,
                self._address(scheme),
                world.deadline,
                headers=self._headers(world.secrets),
                subprotocols=self.subprotocols,
            )
            talk = _Talk(socket, world)
            started = world.transport.now()
            if socket.upgraded:
                await talk.have(self)
            talk_s = world.transport.now() - started
            if socket.upgraded:
                await talk.part()
        finally:
            connection.close()
        return self._observed(talk, talk_s)

    def _address(self, scheme: str) -> str:
        whole = urlsplit(self.url)._replace(scheme=scheme, fragment="")
        if not self.path:
            return whole.geturl()
        pieces = "/".join(quote(piece, safe="") for piece in self.path)
        return whole._replace(path=f"{whole.path.rstrip('/')}/{pieces}").geturl()

    def _headers(self, secrets: Secrets) -> list[tuple[str, str]]:
        hidden = ((name, secrets.reveal(value)) for name, value in self.secret_headers.items())
        return [*self.headers.items(), *hidden]

    def _observed(self, talk: "_Talk", talk_s: float) -> Observation:
        exchange, phases = talk.socket.exchange, talk.socket.exchange.phases
        reason, text = talk.reason, talk.text
        if exchange.reason is None and not talk.socket.upgraded:
            reason = UPGRADE_REFUSED
            text = f"the upgrade was answered with {phrase(exchange.status)}"
        metrics = {
            "probe_websocket_status_code": exchange.status,
            "probe_websocket_connection_upgraded": int(talk.socket.upgraded),
            "probe_websocket_failed_due_to_regex": int(reason == UNEXPECTED),
            "probe_websocket_duration_seconds": {
                "resolve": phases.get("resolve", 0.0),
                "connect": phases.get("connect", 0.0) + phases.get("tls", 0.0),
                "processing": phases.get("processing", 0.0),
                "transfer": talk_s,
            },
        }
        closed = talk.closed
        timing = {"processing_s": phases.get("processing", 0.0)}
        samples: tuple[Sample, ...] = ()
        if talk.ping_s is not None:
            timing["ping_s"] = talk.ping_s
            samples = (Sample("timing.ping_s", talk.ping_s, "s"),)
        own = {
            "status": exchange.status,
            "headers": header_map(exchange),
            "subprotocol": talk.socket.subprotocol,
            "message": talk.messages[0] if talk.messages else "",
            "messages": talk.messages,
            "captured": talk.captures.named,
            **({"close_code": closed.code, "close_text": closed.text} if closed else {}),
        }
        hidden = dict.fromkeys(self.secret_headers, "***")
        told = [f"{name}: {value}" for name, value in {**self.headers, **hidden}.items()]
        return observation(
            exchange,
            values_of(exchange, own, talk_s=talk_s, now=talk.now, timing=timing),
            now=talk.now,
            talk_s=talk_s,
            reason=reason,
            text=text or ("upgraded" if talk.socket.upgraded else ""),
            sent="\n".join([f"GET {exchange.url.partition('?')[0]}", *told, *talk.sent]),
            received="\n".join([exchange.head_text(), *talk.messages]).encode(),
            samples=samples,
            metrics=metrics,
        )


class _Talk:
    """A dialogue under way: what was sent, what came, and why it ended early."""

    def __init__(self, socket: WebSocket, world: ProbeWorld) -> None:
        self.socket = socket
        self.now = world.now
        self._deadline = world.deadline
        self._needed = world.needed
        self._secrets = world.secrets
        self.captures = Captures()
        self.sent: list[str] = []
        self.messages: list[str] = []
        self.ping_s: float | None = None
        self.closed: Closed | None = None
        self.reason = ""
        self.text = ""

    async def have(self, declared: Websocket) -> None:
        """Ping where asked, and take every turn, until one does not come about."""
        if declared.ping and not await self._ping():
            return
        for turn in declared.messages:
            if turn.expect and not await self._listen(turn.expect):
                return
            if (turn.send or turn.secret_send is not None) and not await self._say(turn):
                return
        if not self.messages and self._needed & {"message", "messages"}:
            await self._listen("")

    async def part(self) -> None:
        """Close as the protocol wants it; the answer is waited for only when it is needed."""
        wanted = self._needed & {"close_code", "close_text"} and not self.reason
        self.closed = self.socket.closed
        closed = await self.socket.close(self._deadline if wanted else 0.0)
        if wanted:
            self.closed = closed

    async def _say(self, turn: WebsocketTurn) -> bool:
        if turn.secret_send is not None:
            said, shown = self._secrets.reveal(turn.secret_send), "***"
        else:
            said = shown = self.captures.filled(turn.send)
        self.sent.append(shown)
        lost = await self.socket.send(said, self._deadline)
        if lost is not None:
            self.reason, self.text = lost, "what was to be sent could not be"
        return lost is None

    async def _ping(self) -> bool:
        took = await self.socket.ping(self._deadline)
        if isinstance(took, float):
            self.ping_s = took
            return True
        self._ended(took, "no pong", CLOSED)
        return False

    async def _listen(self, expect: str) -> bool:
        """Read messages until one fits."""
        wanted = pattern(expect)
        missing = f"no message that fits `{expect}`" if expect else "no message came"
        while True:  # bounded by the deadline and by the bytes that a WebSocket reads
            message = await self.socket.receive(self._deadline)
            if isinstance(message, Closed | Reason):
                self._ended(message, missing, UNEXPECTED)
                return False
            text = message if isinstance(message, str) else message.decode("utf-8", "replace")
            if len(self.messages) < MOST_KEPT:
                self.messages.append(text)
            fits = wanted.search(text)
            if fits:
                self.captures.take(fits)
                return True

    def _ended(self, how: Closed | Reason, missing: str, closed: str) -> None:
        if isinstance(how, Reason):
            self.reason, self.text = how, f"{self.socket.broken or how}; {missing}"
        else:
            self.reason = closed
            self.text = f"closed with {how.code} {how.text}".rstrip() + f"; {missing}"
