"""MQTT 3.1.1 on the wire (OASIS standard of 2014): the packets that a probe needs, and no others.

Version 3.1.1 is what every broker speaks, those of version 5 too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from sentinel.transport.lines import Ended, Lines
from sentinel.transport.reasons import Reason

MOST_TEXT = 65_535
"""Bytes of a topic, a name or a password."""
REFUSALS: Mapping[int, str] = {
    1: "it does not speak MQTT 3.1.1",
    2: "the client id is not allowed",
    3: "the server is unavailable",
    4: "bad user name or password",
    5: "not authorized",
}
"""Return codes of CONNACK (3.2.2.3)."""


class Kind(IntEnum):
    """Packet types (2.2.1)."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    SUBSCRIBE = 8
    SUBACK = 9
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet as it came: type, the four flags beside it, and the rest."""

    kind: int
    flags: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Published:
    """A message; `number` is to be acknowledged, 0 when nothing is (QoS 0)."""

    topic: str
    payload: bytes
    retained: bool
    number: int


def connect(client_id: str, *, keep_alive_s: int, user: str = "", password: str = "") -> bytes:
    """Ask for a clean session (3.1). Raises ValueError for a text that is too long."""
    flags = 0x02
    parts = [_text(client_id)]
    if user:
        flags |= 0x80
        parts.append(_text(user))
    if password:
        flags |= 0x40
        parts.append(_text(password))
    head = _text("MQTT") + bytes([4, flags]) + keep_alive_s.to_bytes(2, "big")
    return _packet(Kind.CONNECT, 0, head + b"".join(parts))


def subscribe(number: int, topic: str, *, qos: int) -> bytes:
    """Ask for the messages of a topic filter (3.8)."""
    return _packet(Kind.SUBSCRIBE, 2, number.to_bytes(2, "big") + _text(topic) + bytes([qos]))


def publish(topic: str, payload: bytes, *, qos: int, number: int) -> bytes:
    """Say a message (3.3); `number` counts with QoS 1 only."""
    identified = number.to_bytes(2, "big") if qos else b""
    return _packet(Kind.PUBLISH, qos << 1, _text(topic) + identified + payload)


def puback(number: int) -> bytes:
    """A message with QoS 1 came (3.4)."""
    return _packet(Kind.PUBACK, 0, number.to_bytes(2, "big"))


PINGREQ = bytes([Kind.PINGREQ << 4, 0])
DISCONNECT = bytes([Kind.DISCONNECT << 4, 0])


async def read_packet(lines: Lines, awaited: str) -> Packet:
    """The next packet. Raises Ended."""
    first = (await lines.exactly(1, awaited))[0]
    size = 0
    for place in range(4):  # 2.2.3: at most four bytes of seven bits
        byte = (await lines.exactly(1, awaited))[0]
        size |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return Packet(first >> 4, first & 15, await lines.exactly(size, awaited))
    raise _wrong(f"a packet without a length; awaited: {awaited}")


def published(packet: Packet) -> Published:
    """What a PUBLISH packet says. Raises Ended."""
    body, qos = packet.body, packet.flags >> 1 & 3
    size = int.from_bytes(body[:2], "big")
    start = 2 + size + (2 if qos else 0)
    if len(body) < start or qos > 1:
        raise _wrong("a message that is cut short, or of a quality that nobody asked for")
    try:
        topic = body[2 : 2 + size].decode()
    except UnicodeDecodeError as error:
        raise _wrong("a topic that is not UTF-8") from error
    number = int.from_bytes(body[2 + size : start], "big")
    return Published(topic, body[start:], bool(packet.flags & 1), number)


def _wrong(what: str) -> Ended:
    return Ended(Reason.protocol_error, f"not MQTT: {what}")


def _text(text: str) -> bytes:
    content = text.encode()
    if len(content) > MOST_TEXT:
        raise ValueError(f"more than {MOST_TEXT} bytes do not fit into MQTT")
    return len(content).to_bytes(2, "big") + content


def _packet(kind: Kind, flags: int, body: bytes) -> bytes:
    size, head = len(body), bytearray([kind << 4 | flags])
    while size > 0x7F:  # bounded by the number
        head.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes((*head, size)) + body
