"""Which request follows a redirect (RFC 9110, section 15.4), and what must not follow it.

Credentials belong to the origin they were declared for: private headers and the client
certificate stay behind when scheme, host or port changes, and so does what was said of where
that origin is found. A proxy stays: it is between us and everybody. A body goes on (307, 308) only to
the same host, since a form may hold a password.
"""

import re
from dataclasses import replace
from urllib.parse import quote, urljoin, urlsplit

from sentinel.transport.reasons import Reason
from sentinel.transport.wire import ALWAYS_PRIVATE, SAFE, Exchange, Request

FOLLOWED = frozenset({301, 302, 303, 307, 308})
_PORTS = {"http": 80, "https": 443}
_BODY_HEADERS = frozenset({"content-type", "content-length", "content-encoding"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def location_of(exchange: Exchange) -> str:
    """The absolute URL that a redirect leads to; ``""`` when the answer is not a redirect or
    names none. Characters that a URL may not hold are percent-encoded as browsers do."""
    if exchange.status not in FOLLOWED:
        return ""
    raw = _CONTROL.sub("", exchange.header("location"))
    if not raw:
        return ""
    location = quote(raw.encode("iso-8859-1"), safe=SAFE)
    try:
        return urljoin(exchange.url, location).partition("#")[0]
    except ValueError:
        return location


def following(request: Request, status: int, url: str) -> Request | Reason:
    """The request to `url` after `request` was answered with a redirect of `status`; or why
    there is none."""
    try:
        before, after = origin(request.url), origin(url)
    except ValueError:
        return Reason.redirect_refused
    if after[0] not in _PORTS or not after[1]:
        return Reason.redirect_refused
    method, body, headers = request.method, request.body, request.headers
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, body = "GET", None
        headers = tuple(h for h in headers if h[0].lower() not in _BODY_HEADERS)
    if body is not None and before[1] != after[1]:
        return Reason.redirect_refused
    if before == after:
        return replace(request, url=url, method=method, body=body, headers=headers)
    private = ALWAYS_PRIVATE | request.private | {"host"}
    return replace(
        request,
        url=url,
        method=method,
        body=body,
        headers=tuple(h for h in headers if h[0].lower() not in private),
        cert_file="",
        key_file="",
        cert_pem="",
        key_pem="",
        connect_to="",
        resolve_to="",
        server_name="",
        unix_socket="",
    )


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port that decide whether two URLs belong together (RFC 6454). Raises
    ValueError for a URL that cannot be taken apart."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(scheme)
