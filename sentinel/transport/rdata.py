"""What records say, in the presentation form of zone files (RFC 1035, 5.1 and each type's own RFC).

`_LAYOUTS` spells each type as its fields in order. A type that is not there, and the data of
another class than IN and CH, are written as RFC 3597 says: ``\\# 4 0a000001``. Digests are upper
or lower case as blackbox_exporter prints them, whose regular expressions are matched on this text.
"""

import base64
import socket
import struct
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from sentinel.transport.dnsnames import Known, WireError, read_name, type_name

_LAYOUTS: Mapping[int, tuple[str, ...]] = {
    1: ("ipv4",),
    2: ("name",),
    5: ("name",),
    6: ("name", "name", "u32", "u32", "u32", "u32", "u32"),
    7: ("name",),
    8: ("name",),
    9: ("name",),
    12: ("name",),
    13: ("string", "string"),
    14: ("name", "name"),
    15: ("u16", "name"),
    16: ("strings",),
    17: ("name", "name"),
    18: ("u16", "name"),
    28: ("ipv6",),
    33: ("u16", "u16", "u16", "name"),
    35: ("u16", "u16", "string", "string", "string", "name"),
    36: ("u16", "name"),
    39: ("name",),
    43: ("u16", "u8", "u8", "HEX"),
    44: ("u8", "u8", "HEX"),
    46: ("type", "u8", "u8", "u32", "instant", "instant", "u16", "name", "base64"),
    47: ("name", "types"),
    48: ("u16", "u8", "u8", "base64"),
    49: ("base64",),
    50: ("u8", "u8", "u16", "salt", "hash", "types"),
    51: ("u8", "u8", "u16", "salt"),
    52: ("u8", "u8", "u8", "hex"),
    53: ("u8", "u8", "u8", "hex"),
    59: ("u16", "u8", "u8", "HEX"),
    60: ("u16", "u8", "u8", "base64"),
    61: ("base64",),
    62: ("u32", "u16", "types"),
    63: ("u32", "u8", "u8", "hex"),
    64: ("u16", "name", "parameters"),
    65: ("u16", "name", "parameters"),
    99: ("strings",),
    108: ("dashed",),
    109: ("dashed",),
    256: ("u16", "u16", "quoted"),
    257: ("u8", "tag", "quoted"),
}
_SERVICE_KEYS = ("mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint")
"""SvcParamKeys by number (RFC 9460, 14.3.2); others are ``key123``."""
IN, CH = 1, 3
_A, _TXT, _AAAA = 1, 16, 28


def presented(message: bytes, start: int, end: int, known: Known, kind: tuple[int, int]) -> str:
    """The data from `start` to `end` of a record of `kind` (type, class). Raises WireError when it
    does not have the form of its type."""
    type_, class_ = kind
    if class_ == IN:
        if type_ == _A and end - start == 4:
            return socket.inet_ntoa(message[start:end])
        if type_ == _AAAA and end - start == 16:
            return socket.inet_ntop(socket.AF_INET6, message[start:end])
    layout = _LAYOUTS.get(type_)
    if layout is None or (class_ != IN and (class_ != CH or type_ == _A)):
        return f"\\# {end - start} {message[start:end].hex()}".rstrip()
    reading = _Reading(message, start, end, known)
    try:
        parts = [_FIELDS[field](reading) for field in layout]
    except (struct.error, IndexError, OSError):
        raise WireError(f"the data of a {type_name(type_)} record is cut short") from None
    if reading.at != end:
        raise WireError(f"the data of a {type_name(type_)} record has not the length it states")
    return " ".join(part for part in parts if part)


def joined(message: bytes, start: int, end: int) -> bytes:
    """The character strings of TXT data, one after the other."""
    reading = _Reading(message, start, end, {})
    found = b""
    while reading.at < end:
        found += reading.string()
    return found


class _Reading:
    """The data of one record, read from its beginning; never beyond its end."""

    __slots__ = ("at", "end", "known", "message")

    def __init__(self, message: bytes, at: int, end: int, known: Known) -> None:
        self.message = message
        self.at = at
        self.end = end
        self.known = known

    def bytes_(self, count: int) -> bytes:
        begin, self.at = self.at, self.at + count
        if self.at > self.end:
            raise WireError("the data of a record is cut short")
        return self.message[begin : self.at]

    def number(self, count: int) -> int:
        return int.from_bytes(self.bytes_(count), "big")

    def rest(self) -> bytes:
        return self.bytes_(self.end - self.at)

    def string(self) -> bytes:
        return self.bytes_(self.number(1))

    def name(self) -> str:
        text, self.at = read_name(self.message, self.at, self.known)
        if self.at > self.end:
            raise WireError("the data of a record is cut short")
        return text


def quoted(content: bytes) -> str:
    """A character string as zone files write it."""
    return f'"{_plain(content)}"'


def _plain(content: bytes) -> str:
    if content.isascii() and (text := content.decode()).isprintable():
        return text.replace("\\", "\\\\").replace('"', '\\"')
    return "".join(
        ("\\" + chr(byte) if byte in b'"\\' else chr(byte)) if 32 <= byte < 127 else f"\\{byte:03}"
        for byte in content
    )


def _strings(reading: _Reading) -> str:
    parts = []
    while reading.at < reading.end:
        parts.append(quoted(reading.string()))
    return " ".join(parts)


def _instant(reading: _Reading) -> str:
    """RFC 4034, 3.2: ``YYYYMMDDHHmmSS`` in UTC."""
    return datetime.fromtimestamp(reading.number(4), UTC).strftime("%Y%m%d%H%M%S")


def _types(reading: _Reading) -> str:
    """RFC 4034, 4.1.2: windows of 256 types, each a map of bits."""
    names = []
    while reading.at < reading.end:
        window, size = reading.number(1), reading.number(1)
        for index, byte in enumerate(reading.bytes_(size)):
            for bit in range(8):
                if byte & 0x80 >> bit:
                    names.append(type_name(window << 8 | index << 3 | bit))
    return " ".join(names)


def _salt(reading: _Reading) -> str:
    return reading.string().hex().upper() or "-"


def _hash(reading: _Reading) -> str:
    return base64.b32hexencode(reading.string()).decode().rstrip("=")


def _parameters(reading: _Reading) -> str:
    """RFC 9460, 2.1: ``key="value"``, in the order of the wire."""
    shown = []
    while reading.at < reading.end:
        number, size = reading.number(2), reading.number(2)
        key = _service_key(number)
        value = _parameter(number, reading.bytes_(size))
        shown.append(f'{key}="{value}"' if size else key)
    return " ".join(shown)


def _service_key(number: int) -> str:
    return _SERVICE_KEYS[number] if number < len(_SERVICE_KEYS) else f"key{number}"


def _parameter(number: int, value: bytes) -> str:
    match _service_key(number):
        case "mandatory":
            keys = range(0, len(value) - 1, 2)
            return ",".join(_service_key(value[i] << 8 | value[i + 1]) for i in keys)
        case "alpn":
            reading = _Reading(value, 0, len(value), {})
            protocols = []
            while reading.at < reading.end:
                protocols.append(_plain(reading.string()))
            return ",".join(protocols)
        case "port" if len(value) == 2:
            return str(int.from_bytes(value, "big"))
        case "ipv4hint" if len(value) % 4 == 0:
            return ",".join(socket.inet_ntoa(value[i : i + 4]) for i in range(0, len(value), 4))
        case "ipv6hint" if len(value) % 16 == 0:
            at = range(0, len(value), 16)
            return ",".join(socket.inet_ntop(socket.AF_INET6, value[i : i + 16]) for i in at)
        case "ech":
            return base64.b64encode(value).decode()
        case _:
            return _plain(value)


_FIELDS: Mapping[str, Callable[[_Reading], str]] = {
    "u8": lambda reading: str(reading.number(1)),
    "u16": lambda reading: str(reading.number(2)),
    "u32": lambda reading: str(reading.number(4)),
    "ipv4": lambda reading: socket.inet_ntoa(reading.bytes_(4)),
    "ipv6": lambda reading: socket.inet_ntop(socket.AF_INET6, reading.bytes_(16)),
    "name": _Reading.name,
    "string": lambda reading: quoted(reading.string()),
    "strings": _strings,
    "tag": lambda reading: _plain(reading.string()),
    "quoted": lambda reading: quoted(reading.rest()),
    "type": lambda reading: type_name(reading.number(2)),
    "types": _types,
    "instant": _instant,
    "salt": _salt,
    "hash": _hash,
    "HEX": lambda reading: reading.rest().hex().upper(),
    "hex": lambda reading: reading.rest().hex(),
    "base64": lambda reading: base64.b64encode(reading.rest()).decode(),
    "dashed": lambda reading: reading.rest().hex("-"),
    "parameters": _parameters,
}
