"""MQTT brokers: what scales, lockers, doors and vans talk through."""

import secrets
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from sentinel.expression import Declaration
from sentinel.kinds import ProbeWorld, key
from sentinel.monitor.probe import MetricFamily, Observation, Sample
from sentinel.probers.spoken import (
    CONNECTION_NAMES,
    TIMING,
    Ports,
    ca_file_key,
    cert_file_key,
    host_key,
    ip_key,
    key_file_key,
    observation,
    password_key,
    port_key,
    server_name_key,
    talked,
    tls_key,
    values_of,
    verify_key,
)
from sentinel.transport.connection import Connection
from sentinel.transport.lines import Ended, Lines
from sentinel.transport.mqtt import (
    DISCONNECT,
    PINGREQ,
    REFUSALS,
    Kind,
    Packet,
    Published,
    connect,
    puback,
    publish,
    published,
    read_packet,
    subscribe,
)
from sentinel.transport.reasons import Reason
from sentinel.words import Secret, shortened

REFUSED = "refused"
"""The reason when the broker accepted the connection, but not the session."""
AUTH_FAILED = "auth_failed"
"""The reason when user and password were refused, or are missing."""
SUBSCRIPTION_REFUSED = "subscription_refused"
"""The reason when the broker does not let us listen to the topic."""

_PORTS = Ports(1883, 8883)
_BAD_CREDENTIALS = (4, 5)
_SUBSCRIPTION, _MESSAGE = 1, 2
_MOST_PACKETS = 10_000
_SHOWN = 200
_NO_CONTROLS = r"^[^\x00-\x1f\x7f]*$"


@dataclass(frozen=True, slots=True)
class Mqtt:
    """Opens a session with a broker, pings it, and may listen to a topic and talk to itself there.

    The session is clean and has a name of its own each time, so that no two checks push each other
    out. With `topic` it subscribes, which must be granted; a message is waited for when an
    expectation names one. With `round_trip` it publishes a message there, not retained, and
    waits until it comes back; give it a topic that nobody else listens to.

    The reasons are `auth_failed` (user and password were refused, or are missing), `refused` (any
    other refusal of the session) and `subscription_refused`.

    Expectations may use `message` (its payload as text), `message_topic`, `retained`, `timing`
    (also `ping_s` and, with `round_trip`, `round_trip_s`), `certificate` (with `tls`) and `address`.
    """

    KIND: ClassVar[str] = "mqtt"
    NAMES: ClassVar[Declaration] = {
        **CONNECTION_NAMES,
        "timing": {**TIMING, "ping_s": "double", "round_trip_s": "double"},
        "message": "string",
        "message_topic": "string",
        "retained": "bool",
    }
    METRICS: ClassVar[tuple[MetricFamily, ...]] = (
        MetricFamily("probe_mqtt_ping_seconds", "Time from PINGREQ to PINGRESP in seconds"),
        MetricFamily(
            "probe_mqtt_round_trip_seconds",
            "Time from publishing a message to its coming back in seconds",
        ),
    )

    host_: str = host_key("broker.acme.example")
    port: int | None = port_key(_PORTS, example=1884)
    user: str = key("User name.", default="", maxLength=1000, examples=["monitor"])
    password: Secret | None = password_key("env:BROKER_PASSWORD")
    client_id: str = key(
        "The session's name, where the broker allows only certain ones.",
        default="",
        maxLength=1000,
        pattern=_NO_CONTROLS,
    )
    topic: str = key(
        "Listen to this topic (filter).",
        default="",
        maxLength=1000,
        pattern=_NO_CONTROLS,
        examples=["shop/doors/#", "sentinel/round-trip"],
    )
    round_trip: bool = key("Publish a message to `topic`, and wait for it.", default=False)
    qos: Literal[0, 1] = key("Quality of service: 0 at most once, 1 at least once.", default=0)
    tls: bool = tls_key()
    verify: bool = verify_key()
    ca_file: str = ca_file_key()
    cert_file: str = cert_file_key()
    key_file: str = key_file_key()
    server_name: str = server_name_key()
    ip: Literal["any", "ipv4", "ipv6"] = ip_key()

    def __post_init__(self) -> None:
        if self.password is not None and not self.user:
            raise ValueError("`password` needs a `user`")
        if self.round_trip and (not self.topic or set("+#") & set(self.topic)):
            raise ValueError("`round_trip` needs a `topic` without `+` and `#`")
        if self.round_trip and self.topic.startswith("$"):
            raise ValueError("topics that begin with `$` are the broker's own")

    def host(self) -> str:
        """The host that is connected to."""
        return self.host_.lower()

    async def observe(self, world: ProbeWorld) -> Observation:
        """Connect once, ping, listen."""
        return await talked(self, world, _PORTS, lambda connection: _Talk(self, connection, world))


class _Talk:
    """A session under way."""

    def __init__(self, declared: Mqtt, connection: Connection, world: ProbeWorld) -> None:
        self._declared = declared
        self._connection = connection
        self._world = world
        self._lines = Lines(connection, world.deadline)
        self._sent: list[str] = []
        self._came: list[str] = []
        self._messages: list[Published] = []
        self._timing: dict[str, float] = {}
        self._in_session = False
        self.ended: Ended | None = None

    async def have(self) -> None:
        """Every step that is declared. Raises Ended."""
        declared, now = self._declared, self._world.transport.now
        await self._sign_in()
        started = now()
        await self._say("PINGREQ", PINGREQ)
        await self._until(Kind.PINGRESP, "an answer to PINGREQ")
        self._timing["ping_s"] = now() - started
        if declared.topic:
            await self._say(
                f"SUBSCRIBE {declared.topic}",
                subscribe(_SUBSCRIPTION, declared.topic, qos=declared.qos),
            )
            granted = await self._until(Kind.SUBACK, "an answer to SUBSCRIBE")
            if len(granted.body) != 3 or granted.body[2] > 1:  # 0x80: a failure
                raise Ended(SUBSCRIPTION_REFUSED, f"the broker refused `{declared.topic}`")
        if declared.round_trip:
            await self._round_trip()
        elif declared.topic and self._world.needed & {"message", "message_topic", "retained"}:
            await self._message(None)

    async def part(self) -> None:
        """Say goodbye: a session that only breaks off would have its will published."""
        if self._in_session and self._connection.exchange.reason is None:
            await self._connection.send(DISCONNECT, self._world.deadline)

    async def _sign_in(self) -> None:
        declared = self._declared
        revealed = self._world.secrets.reveal(declared.password) if declared.password else ""
        client_id = declared.client_id or f"sentinel-{secrets.token_hex(6)}"
        try:
            asking = connect(client_id, keep_alive_s=60, user=declared.user, password=revealed)
        except ValueError as wrong:
            raise Ended(Reason.invalid_request, str(wrong)) from wrong
        shown = f"CONNECT {client_id} {declared.user}".rstrip()
        await self._say(f"{shown} ***" if revealed else shown, asking)
        answer = await self._packet("an answer to CONNECT")
        if answer.kind != Kind.CONNACK or len(answer.body) != 2:
            raise Ended(Reason.protocol_error, f"not MQTT: CONNECT was answered with {answer.kind}")
        code = answer.body[1]
        if code:
            reason = AUTH_FAILED if code in _BAD_CREDENTIALS else REFUSED
            raise Ended(reason, f"the broker refused: {REFUSALS.get(code, f'code {code}')}")
        self._in_session = True

    async def _round_trip(self) -> None:
        payload = f"sentinel {secrets.token_hex(8)}".encode()
        started = self._world.transport.now()
        declared = self._declared
        said = publish(declared.topic, payload, qos=declared.qos, number=_MESSAGE)
        await self._say(f"PUBLISH {declared.topic}", said)
        await self._message(payload)
        self._timing["round_trip_s"] = self._world.transport.now() - started

    async def _message(self, payload: bytes | None) -> None:
        """Wait for the message of this payload, or (None) for any."""
        awaited = f"a message on `{self._declared.topic}`"
        for _ in range(_MOST_PACKETS):
            found = [each for each in self._messages if payload in (None, each.payload)]
            if found:
                self._messages = found[:1]
                return
            self._messages.clear()
            await self._packet(awaited)
        raise Ended(Reason.protocol_error, f"{_MOST_PACKETS} packets; awaited: {awaited}")

    async def _until(self, kind: Kind, awaited: str) -> Packet:
        """The next packet of this kind; messages that come before it are kept."""
        for _ in range(_MOST_PACKETS):
            packet = await self._packet(awaited)
            if packet.kind == kind:
                return packet
        raise Ended(Reason.protocol_error, f"{_MOST_PACKETS} packets; awaited: {awaited}")

    async def _packet(self, awaited: str) -> Packet:
        """The next packet; a message is kept, and acknowledged where it wants to be."""
        packet = await read_packet(self._lines, awaited)
        if packet.kind == Kind.PUBLISH:
            message = published(packet)
            self._messages.append(message)
            if len(self._came) < _SHOWN:
                payload = shortened(message.payload.decode("utf-8", "replace"), _SHOWN)
                self._came.append(f"PUBLISH {message.topic} {payload}")
            if message.number:
                await self._lines.send(puback(message.number))
        return packet

    async def _say(self, shown: str, content: bytes) -> None:
        self._sent.append(shown)
        await self._lines.send(content)

    def observed(self, talk_s: float) -> Observation:
        """What it came to."""
        own: dict[str, Any] = {}
        if self._messages:
            first = self._messages[0]
            own["message"] = first.payload.decode("utf-8", "replace")
            own["message_topic"] = first.topic
            own["retained"] = first.retained
        metrics = {
            f"probe_mqtt_{name.removesuffix('_s')}_seconds": seconds
            for name, seconds in self._timing.items()
        }
        exchange, now = self._connection.exchange, self._world.now
        return observation(
            exchange,
            values_of(exchange, own, talk_s=talk_s, now=now, timing=self._timing),
            now=now,
            talk_s=talk_s,
            reason=self.ended.reason if self.ended else "",
            text=self.ended.text if self.ended else "in session",
            sent="\n".join(self._sent),
            received="\n".join(self._came).encode(),
            samples=tuple(Sample(f"timing.{name}", s, "s") for name, s in self._timing.items()),
            metrics=metrics,
        )
