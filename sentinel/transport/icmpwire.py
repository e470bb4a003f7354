"""ICMP messages: echo requests as bytes, and what came back as values (RFC 792, RFC 4443).

`read` takes any bytes and never raises: what is no reply to an echo request and no error about
one is None. An error quotes the beginning of the packet that it is about, in which identifier and
sequence are found again.
"""

import socket
import struct

import msgspec

NONCE = 8
"""Bytes at the head of a payload that tell one request from all others; fewer when it is shorter."""
OVERHEAD = 8
"""Bytes of an ICMP header."""

_ECHO = struct.Struct("!BBHHH")
_REPLY_4, _REQUEST_4, _UNREACHABLE_4, _EXPIRED_4, _PARAMETER_4 = 0, 8, 3, 11, 12
_REQUEST_6, _REPLY_6, _UNREACHABLE_6, _BIG_6, _EXPIRED_6, _PARAMETER_6 = 128, 129, 1, 2, 3, 4
_ERRORS_4 = (_UNREACHABLE_4, _EXPIRED_4, _PARAMETER_4)
_ERRORS_6 = (_UNREACHABLE_6, _BIG_6, _EXPIRED_6, _PARAMETER_6)
_NEEDS_FRAGMENTS = 4
_ICMP, _ICMP_6 = 1, 58

FILTER_4 = ~(1 << _REPLY_4 | 1 << _UNREACHABLE_4 | 1 << _EXPIRED_4 | 1 << _PARAMETER_4) & 0xFFFFFFFF
"""``ICMP_FILTER``: a bit set keeps that type away from a raw socket."""
FILTER_6 = struct.pack(
    "=8I",
    ~sum(1 << kind for kind in _ERRORS_6) & 0xFFFFFFFF,
    *[0xFFFFFFFF] * 3,
    ~(1 << _REPLY_6 - 128) & 0xFFFFFFFF,
    *[0xFFFFFFFF] * 3,
)
"""``ICMP6_FILTER``: the same, for 256 types."""

_UNREACHABLE_TEXTS_4 = {
    0: "network unreachable",
    1: "host unreachable",
    2: "protocol unreachable",
    3: "port unreachable",
    9: "network administratively prohibited",
    10: "host administratively prohibited",
    13: "communication administratively prohibited",
}
_UNREACHABLE_TEXTS_6 = {
    0: "no route to the address",
    1: "communication administratively prohibited",
    2: "beyond the scope of the source",
    3: "address unreachable",
    4: "port unreachable",
    5: "source address refused by policy",
    6: "route refused",
}


class Heard(msgspec.Struct, frozen=True):
    """A reply (`trouble` is ``""``), or an error about a request: ``unreachable``, ``expired``,
    ``too_big``, ``refused``, with a sentence in `text`.

    `hop_limit` is the reply's own (IPv4: its TTL), None when the system did not tell. `nonce` are
    the first bytes of the payload and `size` all of them; errors need not quote them.
    """

    identifier: int
    sequence: int
    trouble: str = ""
    text: str = ""
    nonce: bytes = b""
    size: int = 0
    hop_limit: int | None = None


def request(family: int, identifier: int, sequence: int, payload: bytes) -> bytes:
    """An echo request. Its checksum is there for IPv4; for IPv6 the kernel makes it."""
    if family == socket.AF_INET6:
        return _ECHO.pack(_REQUEST_6, 0, 0, identifier, sequence) + payload
    bare = _ECHO.pack(_REQUEST_4, 0, 0, identifier, sequence) + payload
    return bare[:2] + (0xFFFF - _sum(bare)).to_bytes(2, "big") + bare[4:]


def _sum(content: bytes) -> int:
    """The ones' complement sum of 16-bit words (RFC 1071): what is left modulo 2^16 - 1."""
    if len(content) % 2:
        content += b"\0"
    return int.from_bytes(content, "big") % 0xFFFF


def read_packet(packet: bytes) -> Heard | None:
    """An IPv4 packet with its header, as raw sockets give it."""
    header = (packet[0] & 0xF) * 4 if packet else 0
    if header < 20 or len(packet) < header + OVERHEAD:
        return None
    return read(socket.AF_INET, packet[header:], hop_limit=packet[8])


def read(family: int, message: bytes, *, hop_limit: int | None) -> Heard | None:
    """An ICMP message without an IP header."""
    if len(message) < OVERHEAD:
        return None
    kind, code, _, identifier, sequence = _ECHO.unpack_from(message)
    if kind == (_REPLY_6 if family == socket.AF_INET6 else _REPLY_4):
        if family == socket.AF_INET and _sum(message):
            return None  # damaged on its way: raw sockets see it before the kernel has checked
        nonce = message[OVERHEAD : OVERHEAD + NONCE]
        size = len(message) - OVERHEAD
        return Heard(identifier, sequence, nonce=nonce, size=size, hop_limit=hop_limit)
    if family == socket.AF_INET6:
        return _quoted_6(kind, code, message)
    return _quoted_4(kind, code, message)


def _quoted_4(kind: int, code: int, message: bytes) -> Heard | None:
    if kind not in _ERRORS_4 or len(message) < OVERHEAD + 20:
        return None
    header = (message[OVERHEAD] & 0xF) * 4
    about = message[OVERHEAD + header :]
    if message[OVERHEAD + 9] != _ICMP or len(about) < OVERHEAD or about[0] != _REQUEST_4:
        return None
    trouble, text = troubled(socket.AF_INET, kind, code, int.from_bytes(message[6:8], "big"))
    return _about(about, trouble, text)


def _quoted_6(kind: int, code: int, message: bytes) -> Heard | None:
    about = message[OVERHEAD + 40 :]
    if kind not in _ERRORS_6 or len(about) < OVERHEAD:
        return None
    if message[OVERHEAD + 6] != _ICMP_6 or about[0] != _REQUEST_6:
        return None
    trouble, text = troubled(socket.AF_INET6, kind, code, int.from_bytes(message[4:8], "big"))
    return _about(about, trouble, text)


def _about(quoted: bytes, trouble: str, text: str) -> Heard:
    _, _, _, identifier, sequence = _ECHO.unpack_from(quoted)
    return Heard(identifier, sequence, trouble, text)


def troubled(family: int, kind: int, code: int, most: int) -> tuple[str, str]:
    """What an error of type `kind` says; `most` is the largest packet that the next hop takes,
    where it told."""
    six = family == socket.AF_INET6
    if kind == (_EXPIRED_6 if six else _EXPIRED_4):
        return "expired", "its hop limit ran out on the way"
    if (six and kind == _BIG_6) or (not six and (kind, code) == (3, _NEEDS_FRAGMENTS)):
        return "too_big", "it is larger than the way takes" + (f": {most} bytes" if most else "")
    if kind == (_UNREACHABLE_6 if six else _UNREACHABLE_4):
        texts = _UNREACHABLE_TEXTS_6 if six else _UNREACHABLE_TEXTS_4
        return "unreachable", texts.get(code, f"destination unreachable, code {code}")
    return "refused", "a router did not understand the packet"
