"""What is asked of a server, and what came back: plain values, nothing that holds a socket.

Phases are seconds, named as blackbox_exporter names them: *resolve* the name, *connect* the
TCP connection, *tls* the handshake, *processing* from the request sent to the first byte,
*transfer* from there to the last byte. Over redirects they are summed, but for transfer,
which is the last hop's.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from http import HTTPStatus
from typing import Final, Literal
from urllib.parse import quote, urlsplit

import msgspec

from sentinel import __version__
from sentinel.transport.reasons import NETWORK, OURS, Reason
from sentinel.transport.tls import Certificate, chain

USER_AGENT = f"Sentinel/{__version__}"
BODY_LIMIT = 1 << 20
"""Bytes of a decoded body that are read unless a request says otherwise."""
LARGEST_BODY = 64 << 20
"""What a request may say at most when its body is kept and not handed on."""
PHASES = ("resolve", "connect", "tls", "processing", "transfer")
SAFE = "!#$%&'()*+,/:;=?@[]~"
"""Characters of a whole URL that stay as they are when the rest is percent-encoded."""
ALWAYS_PRIVATE = frozenset({"authorization", "proxy-authorization", "cookie"})

_LENGTH = re.compile(r"[0-9]{1,19}")

IpVersion = Literal["any", "4", "6", "prefer_4", "prefer_6"]
HttpVersion = Literal["auto", "1.0", "1.1", "2", "2-only", "3"]
"""``2-only`` is HTTP/2 from the first byte on, also without TLS: no upgrade, no way back."""
TlsVersion = Literal["", "1.0", "1.1", "1.2", "1.3"]
UNPLANNED: Final = object()


@dataclass(frozen=True, slots=True)
class Request:
    """One request, complete: credentials are in `headers`, revealed.

    `private` names (lower case) the headers that hold secrets; these, and the ones that
    always do, are never shown and never follow a redirect to another origin. `compression` is
    an Accept-Encoding value; bodies are decoded and `body_limit` counts what they decode to.
    A connection is always new.

    **Where it goes.** Three fields replace where the request's own origin is connected to, while
    URL, Host header, name in the handshake and name in the certificate stay: `connect_to`
    (``host:port``), `resolve_to` (an IP address, the port stays) and `unix_socket` (a path; it
    wins, then `connect_to`). `server_name` is the other way round: the name that the handshake
    asks for and the certificate must have, where it is not the URL's. A redirect to another
    origin leaves all four behind. `source_ip` is the address of this machine that connections
    come from. `ip` ``prefer_6`` is IPv6 when the name has such an address, else IPv4; a dead one
    is a failure and not passed over, since it is what one wants to know.

    **Through whom.** `proxy` is a URL, credentials and all (``http https socks4 socks4a socks5
    socks5h``; with the last and socks4a it resolves the name). Plain http is asked of an HTTP
    proxy, anything else through CONNECT. `proxy_headers` go to the proxy only; `no_proxy` is a
    comma-separated list of hosts, domains and networks asked directly (``*``: all).

    **TLS.** `ca_pem`, `cert_pem` and `key_pem` are PEM text in the place of files and win over
    them; the private ones never follow a redirect to another origin. `tls_min_version` is 1.2
    where nothing is said (libcurl's default).
    """

    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    follow: bool = True
    max_redirects: int = 10
    verify: bool = True
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    connect_to: str = ""
    ip: IpVersion = "any"
    http_version: HttpVersion = "auto"
    compression: str = ""
    user_agent: str = USER_AGENT
    body_limit: int = BODY_LIMIT
    private: frozenset[str] = frozenset()
    resolve_to: str = ""
    server_name: str = ""
    unix_socket: str = ""
    source_ip: str = ""
    proxy: str = field(default="", repr=False)
    proxy_headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    no_proxy: str = ""
    tls_min_version: TlsVersion = ""
    tls_max_version: TlsVersion = ""
    ca_pem: str = field(default="", repr=False)
    cert_pem: str = field(default="", repr=False)
    key_pem: str = field(default="", repr=False)

    planned: object = field(default=UNPLANNED, init=False, compare=False, repr=False)
    """What `transport.plan` makes of it, kept here once it did: a request is asked again and again,
    and has three dozen fields to find anything else by."""

    def head(self) -> str:
        """The request's head as text for evidence, with private values masked and without
        credentials in the URL. The Host and User-Agent lines are there even when defaulted."""
        url = urlsplit(self.url)
        named = {name.lower() for name, _ in self.headers}
        lines = [f"{self.method} {url.path or '/'}{'?' + url.query if url.query else ''} HTTP"]
        if "host" not in named:
            lines.append(f"Host: {url.netloc.rpartition('@')[2]}")
        if "user-agent" not in named:
            lines.append(f"User-Agent: {self.user_agent}")
        hidden = ALWAYS_PRIVATE | self.private
        lines += [f"{n}: {'***' if n.lower() in hidden else v}" for n, v in self.headers]
        return "\r\n".join(lines)


@dataclass(frozen=True, slots=True)
class Hop:
    """One redirect that was followed: what answered, with which status, and how long it took."""

    url: str
    status: int
    location: str
    address: str
    phases: Mapping[str, float]
    duration_s: float


class Exchange(msgspec.Struct, frozen=True, dict=True):
    """One conversation, also when it failed. What costs to compute is computed when asked for.
    (A Struct, since one is made for every check and a frozen dataclass takes five times as long.)

    `reason` is ``""`` when a whole answer came (of any status). `status` is 0 when none came.
    `url` is the last one asked, `head` the last response head as sent, `body` its decoded
    body (when it failed midway: what came). `address` and `port` are the peer's.
    `verified` is None when no certificate was looked at. `size_bytes` counts the body on the
    wire, before decoding. `redirected` counts redirects, one that was not followed too.
    """

    url: str
    reason: Reason | None = None
    text: str = ""
    status: int = 0
    http_version: str = ""
    head: bytes = b""
    body: bytes = b""
    phases: Mapping[str, float] = msgspec.field(default_factory=dict)
    duration_s: float = 0.0
    redirects: tuple[Hop, ...] = ()
    redirected: int = 0
    address: str = ""
    port: int = 0
    verified: bool | None = None
    tls_version: str = ""
    tls_cipher: str = ""
    size_bytes: int = 0
    pems: Sequence[str] = ()
    trailers: bytes = b""
    """The lines after the body, kept for ``2-only`` alone."""

    @property
    def network(self) -> bool:
        """Whether the reason lies between us and the target."""
        return self.reason in NETWORK

    @property
    def ours(self) -> bool:
        """Whether the reason is a failure of our own, which says nothing about the target."""
        return self.reason in OURS

    @cached_property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Names in lower case with their values, in the order they came (ISO 8859-1, RFC 9110)."""
        return tuple(_header_lines(self.head))

    def header(self, name: str) -> str:
        """The first value of a header, whatever its case; ``""`` when there is none."""
        found = _header_line(name).search(self.head)
        return found.group(1).decode("iso-8859-1").strip() if found else ""

    @property
    def content_length(self) -> int:
        """The body's length as the head told it; -1 when it told none, or more than one."""
        told = {value for name, value in self.headers if name == "content-length"}
        (one,) = told if len(told) == 1 else ("",)
        return int(one) if _LENGTH.fullmatch(one) else -1

    def trailer(self, name: str) -> str:
        """The first value of a line after the body; ``""`` when there is none."""
        found = _header_line(name).search(b"\r\n" + self.trailers)
        return found.group(1).decode("iso-8859-1").strip() if found else ""

    @cached_property
    def certificates(self) -> tuple[Certificate, ...]:
        """The chain as presented, leaf first; empty without TLS."""
        return chain(self.pems)

    @property
    def encrypted(self) -> bool:
        """Whether the last hop was asked over TLS."""
        return self.url[:6].lower() == "https:"

    def chain_facts(self) -> list[dict[str, object]]:
        """The chain for evidence: JSON values only, times in ISO 8601 UTC."""
        return [certificate_facts(certificate) for certificate in self.certificates]

    def head_text(self) -> str:
        """The response head for evidence."""
        return self.head.decode("iso-8859-1").rstrip()


def certificate_facts(certificate: Certificate) -> dict[str, object]:
    """A certificate as JSON values."""
    return {
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "names": list(certificate.names[:100]),
        "not_before": _iso(certificate.not_before),
        "not_after": _iso(certificate.not_after),
        "serial": certificate.serial,
        "fingerprint": certificate.fingerprint,
    }


def encoded(url: str) -> str:
    """`url` with spaces and other letters in path and query percent-encoded, as browsers do; the
    host stays, for libcurl to turn into its ASCII form (IDNA). Raises ValueError."""
    if url.isascii() and " " not in url:
        return url
    parts = urlsplit(url)
    path, query = (quote(part, safe=SAFE) for part in (parts.path, parts.query))
    return parts._replace(path=path, query=query, fragment="").geturl()


@lru_cache(maxsize=1024)
def phrase(status: int) -> str:
    """``503 Service Unavailable``; the number alone when the status has no registered name."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


@lru_cache(maxsize=256)
def _header_line(name: str) -> re.Pattern[bytes]:
    return re.compile(rb"(?i)\r\n%s[ \t]*:([^\r\n]*)" % re.escape(name.encode()))


def _header_lines(head: bytes) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for line in head.decode("iso-8859-1").split("\r\n")[1:]:
        name, colon, value = line.partition(":")
        if colon:
            found.append((name.strip().lower(), value.strip()))
    return found


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
