"""Which requests our own lane can ask, and the bytes in which it does.

A list of what it can, not of what it cannot: a request with anything that is not here goes
over libcurl, a field that is added to `Request` tomorrow included.
"""

import dataclasses
import re
import socket
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, cast

from sentinel.transport.preset import check
from sentinel.transport.secure import Terms
from sentinel.transport.wire import ALWAYS_PRIVATE, UNPLANNED, Request

MOST_SENT = 64 * 1024
"""Bytes of a request with its body; a larger one wants both directions driven at once."""
LONGEST_URL = 8 * 1024
"""Characters of a URL that are read here; the pattern costs hundreds of bytes for each of them."""
LONGEST_REMEMBERED = 512
"""Characters of a URL that something is remembered of: a redirect may lead to ever new ones, and
tens of thousands of them must not fill the memory."""

_HERE = {
    *("url", "method", "headers", "body", "follow", "max_redirects", "body_limit", "private"),
    *("verify", "ca_file", "cert_file", "key_file", "connect_to", "resolve_to", "ip"),
    *("http_version", "user_agent", "server_name", "ca_pem", "tls_min_version", "tls_max_version"),
}
_ELSEWHERE = tuple(
    (field.name, field.default)
    for field in dataclasses.fields(Request)
    if field.init and field.name not in _HERE
)
"""The other fields must be as they are by default."""

_HOST = r"(?:[a-z0-9_-]+\.)*[a-z][a-z0-9_-]*|\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:]+\]"
_URL = re.compile(
    rf"(?P<scheme>https?)://(?P<host>{_HOST})"
    r"(?::(?P<port>[1-9]\d{0,4}))?(?P<path>/(?:[A-Za-z0-9!$&'()*+,;=:@/._~-]|%[0-9A-F]{2})*)?"
    r"(?P<query>\?(?:[A-Za-z0-9!$&'()*+,;=:@/?._~-]|%[0-9A-F]{2})*)?"
)
_PLACE = re.compile(
    r"(?:\[(?P<six>[0-9a-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>[1-9]\d{0,4})"
)
_NAME = re.compile(_HOST)
_VERSIONS = {"": "", "1.2": "TLS 1.2", "1.3": "TLS 1.3"}
"""TLS as `transport.secure` writes it. Of the older ones libcurl takes care: for their sake it takes
keys and signatures that it refuses otherwise."""
_DOTS = re.compile(r"/\.{1,2}(?:/|$)")
_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_UNUSUAL = {
    *("host", "connection", "keep-alive", "upgrade", "http2-settings", "te", "trailer", "expect"),
    *("content-length", "transfer-encoding", "cookie"),
}
"""Headers that libcurl treats in ways of its own."""
_MOST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Plan:
    """A request as our lane asks it. `origin` is what answers alike: who is asked and how; `name`
    is the host that a certificate must be for, `host` and `port` are connected to."""

    scheme: Literal["http", "https"]
    name: str
    host: str
    port: int
    content: bytes
    terms: Terms | None
    origin: tuple[object, ...]


def planned(request: Request) -> Plan | None:
    """The plan; None when it must go over libcurl. It is kept with the request, and without secrets
    for equal ones, too."""
    if request.planned is UNPLANNED:
        secret = request.private or (request.headers and _secret(request))
        alone = secret or len(request.url) > LONGEST_REMEMBERED
        object.__setattr__(request, "planned", _plan(request) if alone else _kept(request))
    return cast("Plan | None", request.planned)


def _secret(request: Request) -> bool:
    return any(name.lower() in ALWAYS_PRIVATE for name, _ in request.headers)


@lru_cache(maxsize=32_768)
def _kept(request: Request) -> Plan | None:
    return _plan(request)


def _plan(request: Request) -> Plan | None:
    url = _URL.fullmatch(request.url) if len(request.url) <= LONGEST_URL else None
    if url is None or not _usual(request) or not _canonical(url["host"]):
        return None
    scheme: Literal["http", "https"] = "https" if url["scheme"] == "https" else "http"
    usual_port = 443 if scheme == "https" else 80
    port = int(url["port"] or usual_port)
    path = url["path"] or "/"
    if port > _MOST_PORT or _DOTS.search(path):
        return None
    host = url["host"].strip("[]")
    place = _place(request, host, port)
    authority = _authority(url["host"], port, usual_port)
    terms, name = None, host
    if scheme == "https":
        terms = _terms(request)
        if request.server_name:
            name = request.server_name
            authority = url[0].split("/", 3)[2]  # as it is written: libcurl is told it
    content = _content(request, path + (url["query"] or ""), authority)
    if place is None or content is None:
        return None
    origin = (scheme, host, port, name, *place, request.ip, terms)
    return Plan(scheme, name, *place, content, terms, origin)


def _terms(request: Request) -> Terms:
    """How TLS is spoken. Text wins over a file; who does not verify needs no authorities' text."""
    return Terms(
        verify=request.verify,
        ca_file="" if request.ca_pem else request.ca_file,
        ca_pem=request.ca_pem if request.verify else "",
        cert_file=request.cert_file,
        key_file=request.key_file,
        alpn=("http/1.1",) if request.http_version == "1.1" else ("h2", "http/1.1"),
        minimum=_VERSIONS[request.tls_min_version],
        maximum=_VERSIONS[request.tls_max_version],
    )


def _usual(request: Request) -> bool:
    """Whether all that is asked for is among what we can."""
    if request.http_version not in ("auto", "1.1"):
        return False
    if request.follow and request.method not in ("GET", "HEAD"):
        return False  # a hop that sets cookies may be asked a second time, over libcurl
    if request.method == "HEAD" and request.body is not None:
        return False
    if not {request.tls_min_version, request.tls_max_version} <= _VERSIONS.keys():
        return False
    if request.server_name and not _nameable(request.server_name):
        return False
    return all(getattr(request, name) == default for name, default in _ELSEWHERE)


def _nameable(name: str) -> bool:
    """Whether a server may be called so in the handshake: a URL's host, an address in no brackets."""
    host = f"[{name}]" if ":" in name else name
    return name[0] != "[" and _NAME.fullmatch(host) is not None and _canonical(host)


def _canonical(host: str) -> bool:
    """Whether libcurl would write the host in the same way: an address has many forms."""
    try:
        if host[0] == "[":
            packed = socket.inet_pton(socket.AF_INET6, host[1:-1])
            return socket.inet_ntop(socket.AF_INET6, packed) == host[1:-1]
        return not host[0].isdigit() or socket.inet_pton(socket.AF_INET, host) != b""
    except OSError:
        return False


def _place(request: Request, host: str, port: int) -> tuple[str, int] | None:
    if not request.connect_to:
        return request.resolve_to or host, port
    place = _PLACE.fullmatch(request.connect_to)
    if place is None or int(place["port"]) > _MOST_PORT:
        return None
    return place["six"] or place["host"], int(place["port"])


def _authority(host: str, port: int, usual_port: int) -> str:
    return host if port == usual_port else f"{host}:{port}"


def _content(request: Request, path: str, authority: str) -> bytes | None:
    """The request as libcurl writes it; None when it would not be so simple."""
    try:
        check(request)
    except ValueError:  # said by libcurl's side, with its reason
        return None
    named = {name.lower() for name, _ in request.headers}
    if not named.isdisjoint(_UNUSUAL):
        return None
    if not all(_VALUE.fullmatch(value) for _, value in request.headers):
        return None
    if not request.user_agent.isascii():
        return None
    lines = [f"{request.method} {path} HTTP/1.1", f"Host: {authority}"]
    if request.user_agent and "user-agent" not in named:
        lines.append(f"User-Agent: {request.user_agent}")
    if "accept" not in named:
        lines.append("Accept: */*")
    lines += [f"{name}: {value}" for name, value in request.headers]
    body = request.body
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    content = "\r\n".join((*lines, "", "")).encode("ascii") + (body or b"")
    return content if len(content) <= MOST_SENT else None
