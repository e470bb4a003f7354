"""Domain names between text and wire (RFC 1035, 3.1 and 4.1.4), and the numbers that have names.

Text is presentation form with its final dot. In a label the bytes that mean something in a zone
file are escaped with a backslash, those that cannot be printed are ``\\DDD`` in decimal. Names that
are not ASCII become IDNA on their way out.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

LONGEST_NAME = 255
"""Bytes of a name on the wire, its final zero included (RFC 1035, 2.3.4)."""
LONGEST_LABEL = 63
MOST_HOPS = 64
"""Compression pointers that one name may lead through. Writers need one; pointers may only lead
backwards, so that there is no loop, and this bounds the way all the same."""

TYPES: Mapping[str, int] = {
    "A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "MB": 7, "MG": 8, "MR": 9, "NULL": 10, "PTR": 12,
    "HINFO": 13, "MINFO": 14, "MX": 15, "TXT": 16, "RP": 17, "AFSDB": 18, "SIG": 24, "KEY": 25,
    "AAAA": 28, "LOC": 29, "SRV": 33, "NAPTR": 35, "KX": 36, "CERT": 37, "DNAME": 39, "OPT": 41,
    "APL": 42, "DS": 43, "SSHFP": 44, "IPSECKEY": 45, "RRSIG": 46, "NSEC": 47, "DNSKEY": 48,
    "DHCID": 49, "NSEC3": 50, "NSEC3PARAM": 51, "TLSA": 52, "SMIMEA": 53, "HIP": 55, "CDS": 59,
    "CDNSKEY": 60, "OPENPGPKEY": 61, "CSYNC": 62, "ZONEMD": 63, "SVCB": 64, "HTTPS": 65,
    "SPF": 99, "NID": 104, "L32": 105, "L64": 106, "LP": 107, "EUI48": 108, "EUI64": 109,
    "TKEY": 249, "TSIG": 250, "IXFR": 251, "AXFR": 252, "ANY": 255, "URI": 256, "CAA": 257,
}  # fmt: skip
"""Record types by name (IANA, DNS parameters); others are written ``TYPE123`` (RFC 3597, 5)."""

CLASSES: Mapping[str, int] = {"IN": 1, "CH": 3, "HS": 4, "NONE": 254, "ANY": 255}
"""Classes by name; others are written ``CLASS123``."""

RCODES: Mapping[str, int] = {
    "NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5,
    "YXDOMAIN": 6, "YXRRSET": 7, "NXRRSET": 8, "NOTAUTH": 9, "NOTZONE": 10, "DSOTYPENI": 11,
    "BADVERS": 16, "BADKEY": 17, "BADTIME": 18, "BADMODE": 19, "BADNAME": 20, "BADALG": 21,
    "BADTRUNC": 22, "BADCOOKIE": 23,
}  # fmt: skip
"""Response codes by name; others are written ``RCODE123``."""

_TYPE_NAMES = {number: name for name, number in TYPES.items()}
_CLASS_NAMES = {number: name for name, number in CLASSES.items()}
_RCODE_NAMES = {number: name for name, number in RCODES.items()}
_PLAIN = re.compile(rb"[A-Za-z0-9_-]+").fullmatch
_MARKED = frozenset(b".'@;()\"\\ ")


class WireError(ValueError):
    """Bytes that are no DNS message, or a name that cannot be asked for."""


def type_number(name: str) -> int:
    """``MX``, ``TYPE15`` → 15. Raises WireError for what is no type."""
    return _number(name, TYPES, "TYPE", 65535)


def class_number(name: str) -> int:
    """``IN``, ``CLASS1`` → 1. Raises WireError for what is no class."""
    return _number(name, CLASSES, "CLASS", 65535)


def rcode_number(name: str) -> int:
    """``NXDOMAIN``, ``RCODE3`` → 3. Raises WireError for what is no response code."""
    return _number(name, RCODES, "RCODE", 4095)


def type_name(number: int) -> str:
    return _TYPE_NAMES.get(number) or f"TYPE{number}"


def class_name(number: int) -> str:
    return _CLASS_NAMES.get(number) or f"CLASS{number}"


def rcode_name(number: int) -> str:
    return _RCODE_NAMES.get(number) or f"RCODE{number}"


def _number(name: str, known: Mapping[str, int], generic: str, most: int) -> int:
    upper = name.upper()
    if upper in known:
        return known[upper]
    digits = upper.removeprefix(generic)
    if digits != upper and digits.isascii() and digits.isdigit() and len(digits) <= 5:
        number = int(digits)
        if number <= most:
            return number
    raise WireError(f"`{name[:40]}` is no {generic.lower()}: one of {', '.join(known)}, {generic}1")


@lru_cache(maxsize=4096)
def wire_name(text: str) -> bytes:
    """A name as it is asked for. Raises WireError for an empty or too long label or name."""
    if text == ".":
        return b"\0"
    parts = []
    for label in _labels(text):
        if not 0 < len(label) <= LONGEST_LABEL:
            raise WireError(f"`{text[:80]}`: a label has 1 to {LONGEST_LABEL} bytes")
        parts.append(bytes((len(label),)) + label)
    wire = b"".join(parts) + b"\0"
    if len(wire) > LONGEST_NAME:
        raise WireError(f"`{text[:80]}…`: a name has at most {LONGEST_NAME} bytes")
    return wire


def _labels(text: str) -> list[bytes]:
    """The labels of a name in presentation form; the final dot may be missing."""
    if "\\" not in text:
        return [_ascii(label, text) for label in text.removesuffix(".").split(".")]
    labels = []
    label = bytearray()
    at = 0
    for _ in text:  # at most a step for each character
        if at >= len(text):
            break
        character, at = text[at], at + 1
        if character == ".":
            labels.append(bytes(label))
            label.clear()
        elif character == "\\":
            byte, at = _unescaped(text, at)
            label.append(byte)
        else:
            label += _ascii(character, text)
    if label:
        labels.append(bytes(label))
    return labels


def _unescaped(text: str, at: int) -> tuple[int, int]:
    """The byte that an escape means, and where what follows it begins."""
    digits = text[at : at + 3]
    if len(digits) == 3 and digits.isascii() and digits.isdigit() and int(digits) < 256:
        return int(digits), at + 3
    if not text[at : at + 1].isascii() or at == len(text):
        raise WireError(f"`{text[:80]}` has an escape that means nothing")
    return ord(text[at]), at + 1


def _ascii(label: str, text: str) -> bytes:
    """A label's bytes, in IDNA's form when it is not ASCII."""
    try:
        return label.encode("ascii" if label.isascii() else "idna")
    except UnicodeError:
        raise WireError(f"`{text[:80]}` has a label that cannot be written in ASCII") from None


Known = dict[int, tuple[str, int]]
"""Names of a message that were read: offset to text and length on the wire."""


def read_name(message: bytes, at: int, known: Known) -> tuple[str, int]:
    """The name at `at`, and where what follows it begins. Raises WireError."""
    text, length, after = _read(message, at, known, 0)
    known[at] = text, length
    return text, after


def _read(message: bytes, at: int, known: Known, hops: int) -> tuple[str, int, int]:
    """Text, length on the wire when written out, and where what follows begins."""
    start, length, text = at, 1, ""
    end = len(message)
    while at < end:  # bounded: a name has 255 bytes
        size = message[at]
        if size == 0:
            return text or ".", length, at + 1
        if size <= LONGEST_LABEL:
            label = message[at + 1 : at + 1 + size]
            text += (label.decode("ascii") if _PLAIN(label) else escaped(label)) + "."
            length += size + 1
            at += size + 1
            if length > LONGEST_NAME:
                raise WireError("a name is longer than 255 bytes")
        elif size >= 0xC0 and at + 1 < end:
            target = (size & 0x3F) << 8 | message[at + 1]
            rest, more = _led_to(message, start, target, known, hops)
            length += more - 1
            if length > LONGEST_NAME:
                raise WireError("a name is longer than 255 bytes")
            return (text + rest if rest != "." or not text else text), length, at + 2
        else:
            break
    raise WireError("a name is cut short, or has a label of no known kind")


def _led_to(message: bytes, start: int, target: int, known: Known, hops: int) -> tuple[str, int]:
    if target in known:
        return known[target]
    if target >= start or hops >= MOST_HOPS:
        raise WireError("a compression pointer does not lead backwards, or through too many others")
    text, length, _ = _read(message, target, known, hops + 1)
    known[target] = text, length
    return text, length


def escaped(label: bytes) -> str:
    """A label's bytes as zone files write them."""
    return "".join(
        ("\\" + chr(byte) if byte in _MARKED else chr(byte)) if 32 <= byte < 127 else f"\\{byte:03}"
        for byte in label
    )
