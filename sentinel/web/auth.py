"""Who is asking: the machine's own people, the holder of a token, the holder of a signed link.

From loopback and over the node's unix socket (mode 0600) people of the machine act without a
token. From anywhere else every request names itself with ``Authorization: Bearer …``; the
acknowledge page and pings carry their own secret. A browser's request from another site's
page is refused: loopback is trusted, the pages open beside it in a browser are not.
"""

import hmac
import ipaddress
import secrets
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlsplit

from starlette.requests import Request

from sentinel.engine.folds import SiteState

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]", "::1", "testserver", "sentinel"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who acts, and through which door (``web``, ``api``, ``cli``)."""

    name: str
    via: str


def is_local(request: Request) -> bool:
    """From loopback, or over the unix socket (which has no peer address)."""
    if request.client is None or not request.client.host:
        return True
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def caller(request: Request, site: SiteState, *, via: str) -> Caller | None:
    """Who is asking; None: nobody we know. A token wins over being local."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        name = _holder(token.strip(), site)
        return Caller(name, via) if name else None
    if is_local(request):
        return Caller(request.headers.get("x-sentinel-user", "") or "operator", via)
    return None


def _holder(token: str, site: SiteState) -> str:
    digest = digest_of(token)
    for known in site.tokens.values():
        if hmac.compare_digest(known.digest, digest):
            return known.user
    return ""


def digest_of(token: str) -> str:
    """What is kept of a token."""
    return sha256(token.encode()).hexdigest()


def new_token() -> str:
    """A fresh token, 43 characters; shown once and never kept."""
    return secrets.token_urlsafe(32)


def foreign(request: Request, site_url: str) -> bool:
    """Whether a browser sends this for a page that is not ours: another site's form or script, or
    a name that was pointed at us (DNS rebinding)."""
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return True
    ours = {_host(site_url)} | LOCAL_NAMES
    host = _host(f"//{request.headers.get('host', 'localhost')}")
    if is_local(request) and host not in ours:
        return True
    origin = request.headers.get("origin")
    if origin in (None, "null"):
        return False
    there = _host(origin or "")
    return not there or there != host


def _host(url: str) -> str:
    """The host of a URL; none where it is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
