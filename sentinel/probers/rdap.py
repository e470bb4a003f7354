"""What registries say of a domain (RDAP: RFC 9082, 9083), and where to ask (RFC 9224)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from sentinel.words import shortened

MOST = 50
"""Statuses and name servers that are taken."""
_LENGTH = 300
_EXPIRY = ("expiration", "registrar expiration")
"""The registry's date first, then the registrar's (RFC 8056), which may be the earlier contract."""


class _Happening(msgspec.Struct, frozen=True):
    eventAction: str = ""
    eventDate: str = ""


class _PublicId(msgspec.Struct, frozen=True):
    type: str = ""
    identifier: str = ""


class _Entity(msgspec.Struct, frozen=True):
    roles: list[str] = []
    vcardArray: Any = None
    publicIds: list[_PublicId] = []


class _Nameserver(msgspec.Struct, frozen=True):
    ldhName: str = ""


class _SecureDns(msgspec.Struct, frozen=True):
    delegationSigned: bool | None = None


class _Domain(msgspec.Struct, frozen=True):
    """The part of a domain object (RFC 9083, 5.3) that is looked at."""

    objectClassName: str
    ldhName: str = ""
    status: list[str] = []
    events: list[_Happening] = []
    entities: list[_Entity] = []
    nameservers: list[_Nameserver] = []
    secureDNS: _SecureDns = _SecureDns()


class _Bootstrap(msgspec.Struct, frozen=True):
    services: list[tuple[list[str], list[str]]]


class DomainFacts(msgspec.Struct, frozen=True):
    """What a registry says of a domain. Times are aware UTC, None where it does not say; statuses
    are RDAP's words (``client hold``), names lower-case."""

    name: str
    registrar: str = ""
    registrar_id: str = ""
    statuses: list[str] = []
    nameservers: list[str] = []
    registered_at: datetime | None = None
    expires_at: datetime | None = None
    changed_at: datetime | None = None
    signed: bool | None = None


def domain_facts(body: bytes) -> DomainFacts:
    """The facts of an answer. Raises ValueError when it is no domain object."""
    try:
        domain = msgspec.json.decode(body, type=_Domain)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"this is no RDAP domain: {error}") from error
    if domain.objectClassName != "domain":
        raise ValueError(f"this is no RDAP domain but `{shortened(domain.objectClassName, 40)}`")
    registrar = next((each for each in domain.entities if "registrar" in each.roles), _Entity())
    at = {each.eventAction: instant(each.eventDate) for each in reversed(domain.events)}
    return DomainFacts(
        name=_name(domain.ldhName),
        registrar=_full_name(registrar.vcardArray),
        registrar_id=next((each.identifier[:_LENGTH] for each in registrar.publicIds), ""),
        statuses=sorted({each[:_LENGTH].lower() for each in domain.status})[:MOST],
        nameservers=sorted({_name(each.ldhName) for each in domain.nameservers})[:MOST],
        registered_at=at.get("registration"),
        expires_at=next((at[word] for word in _EXPIRY if at.get(word)), None),
        changed_at=at.get("last changed"),
        signed=domain.secureDNS.delegationSigned,
    )


def server_of(body: bytes, name: str) -> str:
    """The RDAP server for a domain in IANA's bootstrap file: the longest of its endings that is
    listed, https before http; ``""`` when none is. Raises ValueError when it is no such file."""
    try:
        bootstrap = msgspec.json.decode(body, type=_Bootstrap)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"this is no RDAP bootstrap file: {error}") from error
    listed = {ending.lower(): urls for endings, urls in bootstrap.services for ending in endings}
    labels = name.split(".")
    for start in range(len(labels)):
        urls = listed.get(".".join(labels[start:]))
        if urls:
            return _best(urls)
    return ""


def instant(text: str) -> datetime | None:
    """A date and time of RFC 3339, in UTC where it does not say; None for what is none."""
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def ascii_name(name: str) -> str:
    """A domain's name as registries know it: lower case, IDNA, no final dot. Raises ValueError."""
    plain = name.strip().rstrip(".").lower()
    try:
        encoded = plain.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ValueError(f"`{name}` is no domain name: {error}") from error
    letters = set("abcdefghijklmnopqrstuvwxyz0123456789-.")
    if "." not in encoded or not set(encoded) <= letters:
        raise ValueError(f"`{name}` is no domain name, such as acme.example")
    return encoded


def _best(urls: Sequence[str]) -> str:
    known = [url for url in urls if urlsplit(url).scheme in ("https", "http")]
    return min(known, key=lambda url: url[:6] != "https:", default="")


def _name(name: str) -> str:
    return name[:_LENGTH].rstrip(".").lower()


def _full_name(vcard: Any) -> str:
    """``fn`` of a jCard (RFC 7095): ``["vcard", [["fn", {}, "text", "Name"], …]]``."""
    match vcard:
        case ["vcard", [*properties]]:
            for each in properties[:MOST]:
                match each:
                    case ["fn", _, _, str() as name]:
                        return name[:_LENGTH]
    return ""


def shown_instant(at: datetime | None) -> str:
    """ISO 8601 UTC, ``""`` for none."""
    return at.isoformat().replace("+00:00", "Z") if at else ""
