"""Certificates as facts: read from DER with nothing but the standard library.

A verdict about a certificate is OpenSSL's; this module only says what the certificate
claims (X.509 v3, RFC 5280), also for one that was refused. Nothing here decides trust.
"""

import binascii
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address

_MAX_PARTS = 1024
"""More elements than this in one structure is not a certificate that anyone meant to serve."""

_USUAL = 16 * 1024
"""Characters of a PEM that is remembered: a hostile server may present ever new ones, of any size."""

_SEQUENCE, _SET, _OID, _INTEGER = 0x30, 0x31, 0x06, 0x02
_VERSION, _EXTENSIONS = 0xA0, 0xA3
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_BMP_STRING = 0x1E
_DNS_NAME, _IP_NAME = 0x82, 0x87
_SUBJECT_ALT_NAME = bytes.fromhex("551d11")

_ATTRIBUTES = {  # RFC 4514, section 3, and the two that RFC 4519 users write most
    bytes.fromhex("550403"): "CN",
    bytes.fromhex("550406"): "C",
    bytes.fromhex("550407"): "L",
    bytes.fromhex("550408"): "ST",
    bytes.fromhex("55040a"): "O",
    bytes.fromhex("55040b"): "OU",
    bytes.fromhex("550409"): "STREET",
    bytes.fromhex("0992268993f22c640119"): "DC",
    bytes.fromhex("550405"): "SERIALNUMBER",
    bytes.fromhex("2a864886f70d010901"): "EMAIL",
}


@dataclass(frozen=True, slots=True)
class Certificate:
    """What one certificate says of itself.

    `subject` and `issuer` are RFC 4514 strings (``CN=shop.example,O=Acme``), `names` the DNS
    names and IP addresses it is for, `serial` lower-case hexadecimal as transmitted,
    `fingerprint` SHA-256 of its DER in lower-case hexadecimal. Times are aware UTC, both
    inclusive.
    """

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    serial: str
    fingerprint: str

    def days_left(self, now: datetime) -> float:
        """Days until it expires; negative when it has."""
        return (self.not_after - now) / timedelta(days=1)


def chain(pems: Sequence[str]) -> tuple[Certificate, ...]:
    """The certificates as presented, leaf first. What cannot be read is left out: OpenSSL has
    already judged it, and a fact less must not cost the check."""
    read = (_remembered(pem) if len(pem) <= _USUAL else _from_pem(pem) for pem in pems)
    return tuple(certificate for certificate in read if certificate is not None)


@lru_cache(maxsize=4096)  # the same few certificates are seen at every check
def _remembered(pem: str) -> Certificate | None:
    return _from_pem(pem)


def _from_pem(pem: str) -> Certificate | None:
    try:
        lines = pem.strip().splitlines()
        return parse(binascii.a2b_base64("".join(lines[1:-1])))
    except ValueError:
        return None


def parse(der: bytes) -> Certificate:
    """The facts in a DER certificate. Raises ValueError when it is not one."""
    tag, certificate, _ = _element(der, 0)
    if tag != _SEQUENCE:
        raise ValueError("not a certificate: no outer sequence")
    _, body, _ = _element(certificate, 0)
    fields = list(_elements(body))
    if fields and fields[0][0] == _VERSION:
        fields = fields[1:]
    if len(fields) < 6 or fields[0][0] != _INTEGER:
        raise ValueError("not a certificate: fields are missing")
    serial, _, issuer, validity, subject = (value for _, value in fields[:5])
    not_before, not_after = (_time(tag, value) for tag, value in list(_elements(validity))[:2])
    return Certificate(
        subject=_name(subject),
        issuer=_name(issuer),
        names=_alternative_names(fields[6:]),
        not_before=not_before,
        not_after=not_after,
        serial=serial.hex(),
        fingerprint=hashlib.sha256(der).hexdigest(),
    )


def _element(data: bytes, at: int) -> tuple[int, bytes, int]:
    """The element at `at`: its tag, its content, and where the next one begins."""
    if at + 2 > len(data):
        raise ValueError("cut short")
    tag, length, start = data[at], data[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        if not 1 <= size <= 4:
            raise ValueError("a length that DER does not allow")
        length = int.from_bytes(data[start : start + size], "big")
        start += size
    if start + length > len(data):
        raise ValueError("cut short")
    return tag, data[start : start + length], start + length


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    for _ in range(_MAX_PARTS):
        if at >= len(data):
            return
        tag, content, at = _element(data, at)
        yield tag, content
    raise ValueError("too many elements")


def _time(tag: int, content: bytes) -> datetime:
    text = content.decode("ascii")
    if tag == _UTC_TIME:  # RFC 5280, 4.1.2.5.1: two-digit years from 50 on are of the last century
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("not a time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _name(content: bytes) -> str:
    parts = [
        "+".join(_attribute(attribute) for _, attribute in _elements(relative))
        for _, relative in _elements(content)
    ]
    return ",".join(reversed(parts))


def _attribute(content: bytes) -> str:
    (_, oid), (tag, value) = list(_elements(content))[:2]
    text = value.decode("utf-16-be" if tag == _BMP_STRING else "utf-8", "replace")
    escaped = "".join("\\" + c if c in ',+"\\<>;' else c for c in text)
    return f"{_ATTRIBUTES.get(oid, oid.hex())}={escaped}"


def _alternative_names(fields: Sequence[tuple[int, bytes]]) -> tuple[str, ...]:
    extensions = next((value for tag, value in fields if tag == _EXTENSIONS), b"")
    for _, listed in _elements(extensions):
        for _, extension in _elements(listed):
            parts = [value for _, value in _elements(extension)]
            if parts and parts[0] == _SUBJECT_ALT_NAME:
                _, names, _ = _element(parts[-1], 0)
                return tuple(_general_names(names))
    return ()


def _general_names(content: bytes) -> Iterator[str]:
    for tag, value in _elements(content):
        if tag == _DNS_NAME:
            yield value.decode("ascii", "replace")
        elif tag == _IP_NAME and len(value) in (4, 16):
            yield str(ip_address(value))
