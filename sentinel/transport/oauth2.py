"""Signing in with OAuth 2: a token for client credentials (RFC 6749, 4.4), kept while it is good.

A token is fetched over our own transport, kept in memory only, for as long as the server said (one
hour where it said nothing), and given up a little earlier than that. When a kept one is answered
with 401, it is forgotten and the request asked once more with a fresh one. However many checks want
the same token at the same time, one request is made for it. Neither token nor client secret is ever
in a text, a repr or a fact; what a server says of a refusal is.
"""

import asyncio
import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit
from weakref import WeakKeyDictionary

import msgspec

from sentinel.transport.curl import CookieJar, Sink, Transport
from sentinel.transport.reasons import Reason
from sentinel.transport.wire import Exchange, Request, phrase
from sentinel.words import shortened

FORM = "application/x-www-form-urlencoded"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
MOST_ANSWER = 64 * 1024
MOST_SAID = 300
"""Characters of why there is no token."""
MOST_KEPT = 1_024
"""Grants whose tokens are kept; the one used longest ago goes first."""
UNTOLD_FOR = 3600.0
"""Seconds that a token is kept of which the server did not say how long it is good."""
EARLY_FOR = 30.0
"""Seconds before its end at which a token is not used any more; a fifth of a short one's life."""
LONGEST_FOR = 30 * 86_400.0
UNAUTHORIZED = 401
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")  # RFC 6749, appendix A.12, without spaces

Claim = Callable[[], str]
"""Makes the assertion of a JWT bearer grant (RFC 7523, 2.1); asked only when a token is fetched. It
then stands in the form as ``assertion``, in the place of the client's id and secret."""
Place = Literal["auto", "header", "body"]
"""Where the client's id and secret are sent: the basic scheme, the form, or the form after the
server refused the basic scheme (RFC 6749, 2.3.1 asks servers for the first)."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What is asked for a token, complete. `asking` is the request to the token endpoint without
    its method and body: URL, and how to get there. `params` are further form fields; they may
    replace ``grant_type``. Equal grants share their token."""

    asking: Request
    client_id: str
    client_secret: str = field(repr=False)
    scopes: tuple[str, ...] = ()
    params: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    sent_in: Place = "auto"


@dataclass(frozen=True, slots=True)
class NoToken:
    """There is no token, and why; `duration_s` is what finding that out took."""

    text: str
    duration_s: float = 0.0


async def fetch_signed(
    transport: Transport,
    request: Request,
    grant: Grant,
    deadline: float,
    *,
    sink: Sink | None = None,
    jar: CookieJar | None = None,
    claim: Claim | None = None,
) -> tuple[Exchange, str]:
    """`transport.fetch` with a bearer token, and the token, so that it can be kept out of what is
    shown (``""``: there was none). Without one nothing is asked and the reason is
    ``oauth2_failed``."""
    tokens = tokens_of(transport)
    before = tokens.kept(grant)
    token = await tokens.token(transport, grant, deadline, claim=claim)
    if isinstance(token, NoToken):
        return _unsigned(request, token), ""
    exchange = await transport.fetch(_signed(request, token), deadline, sink=sink, jar=jar)
    if exchange.status != UNAUTHORIZED or token != before:
        return exchange, token
    tokens.forget(grant, token)
    fresh = await tokens.token(transport, grant, deadline, claim=claim)
    if isinstance(fresh, NoToken):
        return _unsigned(request, fresh), token
    return await transport.fetch(_signed(request, fresh), deadline, sink=sink, jar=jar), fresh


def _signed(request: Request, token: str) -> Request:
    return replace(request, headers=(*request.headers, ("Authorization", f"Bearer {token}")))


def _unsigned(request: Request, refusal: NoToken) -> Exchange:
    return Exchange(request.url, Reason.oauth2_failed, refusal.text, duration_s=refusal.duration_s)


_OF_TRANSPORT: "WeakKeyDictionary[Transport, Tokens]" = WeakKeyDictionary()


def tokens_of(transport: Transport) -> "Tokens":
    """The tokens that are kept with this transport, and go with it."""
    if transport not in _OF_TRANSPORT:
        _OF_TRANSPORT[transport] = Tokens()
    return _OF_TRANSPORT[transport]


class _Kept:
    """One grant's token, and what is known of its server."""

    __slots__ = ("failed_at", "lock", "place", "refusal", "token", "until")

    def __init__(self, place: Place) -> None:
        self.lock = asyncio.Lock()
        self.place: Place = place
        self.token = ""
        self.until = 0.0
        self.refusal = NoToken("")
        self.failed_at = 0.0


class Tokens:
    """The tokens of one transport's grants, each fetched by one request at a time."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._grants: dict[Grant, _Kept] = {}

    def kept(self, grant: Grant) -> str:
        """The token that would be used now without asking; ``""`` when there is none."""
        kept = self._grants.get(grant)
        return kept.token if kept is not None and kept.until > Transport.now() else ""

    def forget(self, grant: Grant, token: str) -> None:
        """The server takes this token no more. Another one, fetched meanwhile, stays."""
        kept = self._grants.get(grant)
        if kept is not None and kept.token == token:
            kept.token = ""
            kept.until = 0.0

    async def token(
        self, transport: Transport, grant: Grant, deadline: float, *, claim: Claim | None = None
    ) -> str | NoToken:
        """A good token, the kept one where there is one. Never later than `deadline`."""
        known = self.kept(grant)
        if known:
            return known
        begun = transport.now()
        kept = self._remembered(grant)
        try:
            async with asyncio.timeout_at(deadline):
                await kept.lock.acquire()
        except TimeoutError:
            return NoToken("no token came in time", transport.now() - begun)
        try:  # another check may have asked meanwhile
            if kept.until > transport.now():
                return kept.token
            if kept.failed_at > begun:
                return kept.refusal
            return await self._fetched(transport, grant, kept, deadline, claim=claim)
        finally:
            kept.lock.release()

    def _remembered(self, grant: Grant) -> _Kept:
        kept = self._grants.pop(grant, None) or _Kept(grant.sent_in)
        self._grants[grant] = kept  # the newest used is last
        idle = [each for each, other in self._grants.items() if not other.lock.locked()]
        for oldest in idle[: max(0, len(self._grants) - self._most)]:
            del self._grants[oldest]
        return kept

    async def _fetched(
        self,
        transport: Transport,
        grant: Grant,
        kept: _Kept,
        deadline: float,
        *,
        claim: Claim | None,
    ) -> str | NoToken:
        places: tuple[Place, ...] = ("header", "body") if kept.place == "auto" else (kept.place,)
        for place in places[:1] if claim else places:
            asked = _asked(grant, place, assertion=claim() if claim else "")
            exchange = await transport.fetch(asked, deadline)
            said = _read(exchange)
            if isinstance(said, _Said):
                kept.place = place
                kept.token = said.token
                kept.until = transport.now() + said.good_for - min(EARLY_FOR, said.good_for / 5)
                return said.token
            kept.refusal, kept.failed_at = said, transport.now()
            if exchange.status not in (400, UNAUTHORIZED):
                break
        return kept.refusal


@dataclass(frozen=True, slots=True)
class _Said:
    """What a token endpoint gave; `good_for` is seconds."""

    token: str = field(repr=False)
    good_for: float


def _asked(grant: Grant, place: str, *, assertion: str) -> Request:
    """The request for a token (RFC 6749, 4.4.2). Redirects are not followed: it holds a secret."""
    fields = {"grant_type": "client_credentials"}
    if grant.scopes:
        fields["scope"] = " ".join(grant.scopes)
    fields.update(grant.params)
    headers = [("Content-Type", FORM), ("Accept", "application/json")]
    if assertion:
        fields |= {"grant_type": JWT_BEARER, "assertion": assertion}
    elif place == "header":
        pair = f"{quote_plus(grant.client_id)}:{quote_plus(grant.client_secret)}"
        headers.append(("Authorization", "Basic " + base64.b64encode(pair.encode()).decode()))
    else:
        fields |= {"client_id": grant.client_id, "client_secret": grant.client_secret}
    return replace(
        grant.asking,
        method="POST",
        headers=(*grant.asking.headers, *headers),
        body=urlencode(fields).encode(),
        follow=False,
        body_limit=MOST_ANSWER,
    )


def _read(exchange: Exchange) -> _Said | NoToken:
    """The token in an answer (RFC 6749, 5.1), or what is wrong with it."""
    who = urlsplit(exchange.url).hostname or "the token endpoint"
    if exchange.reason is not None:
        return NoToken(
            shortened(f"no token from {who}: {exchange.reason}, {exchange.text}", MOST_SAID),
            exchange.duration_s,
        )
    fields = _fields(exchange)
    if exchange.status != 200:
        said = ", ".join(
            str(fields[name]) for name in ("error", "error_description") if fields.get(name)
        )
        return NoToken(
            shortened(f"no token from {who}: {said or phrase(exchange.status)}", MOST_SAID),
            exchange.duration_s,
        )
    token = fields.get("access_token")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        return NoToken(f"no token from {who}: its answer holds none", exchange.duration_s)
    if str(fields.get("token_type") or "bearer").lower() != "bearer":
        return NoToken(f"no bearer token from {who}", exchange.duration_s)
    return _Said(token, _good_for(fields.get("expires_in")))


def _fields(exchange: Exchange) -> Mapping[str, Any]:
    """The answer's fields: JSON as the standard has it, or a form as older servers send."""
    kind = exchange.header("content-type").partition(";")[0].strip().lower()
    if kind in (FORM, "text/plain"):
        pairs = parse_qsl(exchange.body.decode("utf-8", "replace"), max_num_fields=100)
        if pairs:
            return dict(pairs)
    try:
        fields = msgspec.json.decode(exchange.body)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _good_for(told: Any) -> float:
    """Seconds; a number, or a text of one, as some servers send it."""
    try:
        seconds = float(told)
    except (TypeError, ValueError, OverflowError):
        return UNTOLD_FOR
    return min(seconds, LONGEST_FOR) if seconds > 0 else UNTOLD_FOR
