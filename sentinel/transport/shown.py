"""What a conversation shows in metrics and evidence, alike for every kind that talks over it.

Family names and meanings are blackbox_exporter's. Where it shows nothing about a certificate
that it refused, these are shown: an expired one is exactly the one to see.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from sentinel.transport.resolve import address_hash
from sentinel.transport.tls import Certificate
from sentinel.transport.wire import Exchange

EVIDENCE_BODY = 16 * 1024
"""Bytes of a body that are kept as evidence."""

NO_CHAIN = -62135596800
"""What blackbox_exporter says of the verified chain when nothing was verified (Go's zero time)."""


_LONGEST_ADDRESS = 64
_LONGEST_DATE = 64
_LONGEST_NUMBER = 20
"""Digits: 64 bits have no more, and Python refuses to read those of thousands."""
_SHOWN = re.compile(rb"(?i)\r\n(content-length|last-modified)[ \t]*:[ \t]*([^\r\n]*)")


def address_metrics(exchange: Exchange) -> dict[str, Any]:
    """The name lookup and the address; 0 where there is none: never resolved, or a socket's path."""
    address = exchange.address
    known = bool(address) and "/" not in address
    return {
        "probe_dns_lookup_time_seconds": exchange.phases.get("resolve", 0.0),
        "probe_ip_protocol": (6 if ":" in address else 4) if known else 0,
        "probe_ip_addr_hash": address_hash(address) if known else 0,
    }


def tls_metrics(exchange: Exchange) -> dict[str, Any]:
    """Certificate and handshake; empty when none was presented."""
    certificates = exchange.certificates if exchange.pems else ()
    if not certificates:
        return {}
    earliest = _chain_expiry(certificates)
    shown: dict[str, Any] = {
        "probe_ssl_earliest_cert_expiry": earliest,
        "probe_ssl_last_chain_info": {_leaf(certificates[0]): 1},
    }
    if exchange.verified is not False:
        shown["probe_ssl_last_chain_expiry_timestamp_seconds"] = (
            earliest if exchange.verified else NO_CHAIN
        )
    if exchange.tls_version:
        shown["probe_tls_version_info"] = {exchange.tls_version: 1}
        shown["probe_tls_cipher_info"] = {exchange.tls_cipher: 1}
    return shown


@lru_cache(maxsize=4096)
def _chain_expiry(certificates: tuple[Certificate, ...]) -> float:
    return min(certificate.not_after for certificate in certificates).timestamp()


@lru_cache(maxsize=4096)
def _leaf(leaf: Certificate) -> tuple[str, ...]:
    """Fingerprint, subject, issuer, DNS names, serial."""
    names = ",".join(name for name in leaf.names if not _is_address(name))
    return leaf.fingerprint, leaf.subject, leaf.issuer, names, leaf.serial


def http_metrics(exchange: Exchange) -> dict[str, Any]:
    """All of an HTTP conversation's."""
    named = {name.lower(): value for name, value in _SHOWN.findall(exchange.head)}
    length = named.get(b"content-length", b"")
    shown = address_metrics(exchange)
    shown |= {
        "probe_http_duration_seconds": exchange.phases,
        "probe_http_status_code": exchange.status,
        "probe_http_version": float(exchange.http_version or 0),
        "probe_http_redirects": exchange.redirected,
        "probe_http_ssl": int(exchange.encrypted and exchange.status > 0),
        "probe_http_content_length": _length(length) if exchange.status else 0,
        "probe_http_uncompressed_body_length": len(exchange.body),
    }
    modified = named.get(b"last-modified", b"")
    if modified and (at := http_date(modified.decode("iso-8859-1"))) is not None:
        shown["probe_http_last_modified_timestamp_seconds"] = at.timestamp()
    if exchange.pems:
        shown |= tls_metrics(exchange)
    return shown


def facts_of(exchange: Exchange) -> dict[str, Any]:
    """The small structured part of evidence: JSON values only."""
    facts: dict[str, Any] = {
        "url": exchange.url.partition("?")[0],
        "address": exchange.address,
        "phases": dict(exchange.phases),
        "size_bytes": exchange.size_bytes,
    }
    if exchange.redirects:
        facts["redirects"] = [
            {"url": hop.url, "status": hop.status, "location": hop.location}
            for hop in exchange.redirects
        ]
    if exchange.pems:
        facts["certificates"] = exchange.chain_facts()
        facts["verified"] = exchange.verified
        facts["tls"] = f"{exchange.tls_version} {exchange.tls_cipher}".strip()
    return facts


def certificate_values(exchange: Exchange, now: datetime) -> Mapping[str, Any]:
    """What expectations see as `certificate`; empty when none was presented, so that
    ``has(certificate.days_left)`` tells."""
    certificates = exchange.certificates
    if not certificates:
        return {}
    leaf = certificates[0]
    return {
        "days_left": leaf.days_left(now),
        "chain_days_left": min(one.days_left(now) for one in certificates),
        "subject": leaf.subject,
        "issuer": leaf.issuer,
        "names": list(leaf.names),
        "serial": leaf.serial,
        "fingerprint": leaf.fingerprint,
        "verified": exchange.verified is True,
    }


CERTIFICATE_NAMES: Mapping[str, Any] = {
    "days_left": "double",
    "chain_days_left": "double",
    "subject": "string",
    "issuer": "string",
    "names": "list",
    "serial": "string",
    "fingerprint": "string",
    "verified": "bool",
}


def _length(digits: bytes) -> int:
    return int(digits) if digits.isdigit() and len(digits) <= _LONGEST_NUMBER else -1


def http_date(text: str) -> datetime | None:
    """A date as HTTP and mail write it (RFC 9110, 5.6.7; RFC 5322, 3.3), UTC where it names no zone;
    None for what is none."""
    return _read_date(text) if len(text) <= _LONGEST_DATE else None


@lru_cache(maxsize=4096)
def _read_date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _is_address(name: str) -> bool:
    return len(name) <= _LONGEST_ADDRESS and _reads_as_address(name)


@lru_cache(maxsize=4096)
def _reads_as_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
