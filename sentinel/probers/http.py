"""Web pages and APIs over HTTP/1.1, HTTP/2 and HTTP/3, plain or over TLS."""

import base64
import json as jsonlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar, Literal
from urllib.parse import quote, urlencode, urljoin, urlsplit

from sentinel.expression import Declaration
from sentinel.kinds import ProbeWorld, Secrets, key
from sentinel.monitor.probe import Observation
from sentinel.probers.http_answer import FUNCTIONS, LITERALS, NAMES, observed
from sentinel.probers.http_signing import Basic, OAuth2
from sentinel.transport.curl import Visitor
from sentinel.transport.oauth2 import FORM, fetch_signed
from sentinel.transport.reasons import Reason
from sentinel.transport.redirects import origin
from sentinel.transport.wire import BODY_LIMIT, IpVersion, Request, TlsVersion
from sentinel.words import Outcome, Secret

_ENCODINGS = {"none": "", "any": "gzip, br, deflate"}
_FAMILIES: Mapping[str, IpVersion] = {
    "any": "any",
    "ipv4": "4",
    "ipv6": "6",
    "prefer_ipv4": "prefer_4",
    "prefer_ipv6": "prefer_6",
}
_TLS: Mapping[str, TlsVersion] = {"1.0": "1.0", "1.1": "1.1", "1.2": "1.2", "1.3": "1.3"}


@dataclass(frozen=True, slots=True)
class Http:
    """Asks for one URL and looks at the whole answer.

    Each check opens a new connection, resolves the name anew and follows redirects itself, so
    that every phase is measured every time. The certificate is verified unless `verify: false`;
    when it is refused, its facts are in the evidence and in the metrics all the same.

    Expectations may use `status`, `headers` (names in lower case; a header sent twice is joined
    with `, `), `body` (text, by its charset, else UTF-8), `json` (null when the body is not JSON
    or has more than 5,000 values) with `json.path("$.items[?@.stock > 0].sku")` and `json.paths`
    (JSONPath, RFC 9535: the first value or null, and the list of all), `html` with
    `html.text("h1")`, `html.attr("a.next", "href")` and `html.count("li.product")` (CSS selectors;
    text and attribute are null when nothing is there), with `html.json_ld("Product")` and
    `html.json_ld_all` (schema.org in JSON-LD: the first object of a type or null, and the list of
    all) and with `html.product()` (the page's product in one shape: `name sku gtin brand url price
    currency availability price_valid_until offers`), `timing`, `certificate` (https only),
    `redirects`, `size_bytes` (on the wire), `http_version`, `address` and `url` (the last one
    asked). Where a probe has no `expect`, the status must be 2xx, else the reason is
    `unexpected_status`.

    With `oauth2` a token is fetched first, kept in memory while it is good, and fetched anew once
    when a kept one is answered with 401; its time is not in `timing`. Where there is none, nothing
    is asked and the reason is `oauth2_failed`. Through a `proxy` the address is the proxy's, and
    what it and the way through it take is in `connect` and `tls`; its own failures are
    `proxy_failed` (nobody there, or no such protocol) and `proxy_refused` (it said no).
    """

    KIND: ClassVar[str] = "http"
    NAMES: ClassVar[Declaration] = NAMES
    FUNCTIONS: ClassVar[Mapping[str, Callable[..., Any]]] = FUNCTIONS
    LITERALS: ClassVar[Mapping[str, Callable[[str], None]]] = LITERALS

    url: str = key(
        "Where to ask, with scheme and host. `{env:NAME}` may stand in a user, password or token "
        "place.",
        default="",
        examples=["https://shop.acme.example/"],
        reads_secrets=True,
    )
    at: str = key(
        "Instead of `url`: one of the site's addresses, by name.", default="", examples=["shop"]
    )
    path: tuple[str, ...] = key(
        "Pieces appended to the URL's path, each encoded; an empty last piece makes a trailing "
        "slash.",
        default=(),
        examples=[["search"], ["basket", "add", ""]],
    )
    query: Mapping[str, str] = key(
        "Query parameters appended to the URL, each encoded.",
        default_factory=dict,
        examples=[{"q": "mug"}],
    )
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = key(
        "The request's method.", default="GET"
    )
    headers: Mapping[str, str] = key(
        "Request headers.", default_factory=dict, examples=[{"Accept-Language": "fi"}]
    )
    secret_headers: Mapping[str, Secret] = key(
        "Request headers that are secrets: never shown, never sent to another origin.",
        default_factory=dict,
        examples=[{"X-Api-Key": "env:SHOP_API_KEY"}],
    )
    body: str = key("The request's body, as it is.", default="")
    form: Mapping[str, str] = key(
        "The request's body as form fields (application/x-www-form-urlencoded).",
        default_factory=dict,
        examples=[{"sku": "mug-1", "quantity": "1"}],
    )
    secret_form: Mapping[str, Secret] = key(
        "Form fields that are secrets, by reference.",
        default_factory=dict,
        examples=[{"password": "env:SHOP_PASSWORD"}],
    )
    json: Mapping[str, Any] | None = key(
        "The request's body as JSON.", default=None, examples=[{"sku": "mug-1"}]
    )
    basic: Basic | None = key("Sign in with the basic scheme.", default=None)
    bearer: Secret | None = key(
        "Sign in with a bearer token.", default=None, examples=["env:SHOP_TOKEN"]
    )
    oauth2: OAuth2 | None = key(
        "Sign in with a token for client credentials.",
        default=None,
        examples=[
            {
                "token_url": "https://login.acme.example/oauth2/token",
                "client_id": "sentinel",
                "client_secret": "env:ACME_CLIENT_SECRET",
            }
        ],
    )
    follow: bool = key("Follow redirects.", default=True)
    max_redirects: int = key("How many, at most.", default=10, minimum=0, maximum=30)
    verify: bool = key("Refuse a certificate that cannot be verified.", default=True)
    ca_file: str = key("PEM file of the authorities to trust instead of the system's.", default="")
    cert_file: str = key("PEM file of a client certificate.", default="")
    key_file: str = key("PEM file of its key, when it is not in the same file.", default="")
    connect_to: str = key(
        "Connect to this `host:port` instead of where the name leads; name and certificate stay "
        "the URL's.",
        default="",
        examples=["10.0.0.7:8443"],
    )
    server_name: str = key(
        "The name to ask for in the TLS handshake and to find in the certificate, where it is not "
        "the URL's.",
        default="",
        examples=["shop.acme.example"],
    )
    unix_socket: str = key(
        "Connect to this socket of the machine; the URL's host is only said.",
        default="",
        examples=["/run/shop/web.sock"],
    )
    source_ip: str = key(
        "The address of this machine to connect from.", default="", examples=["192.0.2.10"]
    )
    proxy: Secret | None = key(
        "Ask through this proxy: http, https, socks4, socks4a, socks5 or socks5h (the last and "
        "socks4a resolve the name themselves). `{env:NAME}` may stand in its user and password "
        "places.",
        default=None,
        examples=["http://proxy.acme.example:3128", "socks5h://{env:PROXY_LOGIN}@10.0.0.5:1080"],
    )
    no_proxy: tuple[str, ...] = key(
        "Hosts, domains and networks that are asked without the proxy, also after a redirect.",
        default=(),
        examples=[["acme.example", "10.0.0.0/8"]],
    )
    ip: Literal["any", "ipv4", "ipv6", "prefer_ipv4", "prefer_ipv6"] = key(
        "Which addresses to use. A preferred kind is used when the name has it, and fails when it "
        "does not answer.",
        default="any",
    )
    http_version: Literal["auto", "1.1", "2", "3"] = key(
        "HTTP version to offer; auto is 2 over TLS, else 1.1. 2 over plain text is spoken at once, "
        "3 is spoken or fails.",
        default="auto",
    )
    tls_min: Literal["auto", "1.0", "1.1", "1.2", "1.3"] = key(
        "The lowest version of TLS to accept; auto is 1.2.", default="auto"
    )
    tls_max: Literal["auto", "1.0", "1.1", "1.2", "1.3"] = key(
        "The highest version of TLS to offer.", default="auto"
    )
    compression: Literal["none", "gzip", "br", "deflate", "any"] = key(
        "Which encodings to accept; the body is decoded.", default="none"
    )
    max_body_bytes: int = key(
        "The largest decoded body that is read; a larger one fails with `body_too_large`.",
        default=BODY_LIMIT,
        minimum=0,
        maximum=BODY_LIMIT,
    )

    _plain: tuple[Request, str] | None = field(default=None, init=False, repr=False, compare=False)
    """The request of a stranger without secrets, and its head: they never change."""

    def __post_init__(self) -> None:
        if sum(each is not None for each in (self.basic, self.bearer, self.oauth2)) > 1:
            raise ValueError("`basic`, `bearer` and `oauth2` exclude each other: keep one")
        if self.unix_socket and self.proxy is not None:
            raise ValueError("`unix_socket` and `proxy` exclude each other: keep one")

    def host(self) -> str:
        """The host that is connected to; ``""`` for a socket of this machine."""
        return "" if self.unix_socket else _host(self.connect_to or self.url)

    async def observe(self, world: ProbeWorld) -> Observation:
        """Ask once."""
        return await self.visit(world, None)

    async def visit(self, world: ProbeWorld, visitor: Visitor | None) -> Observation:
        """Ask as a visitor who has cookies and comes from a page; None: a stranger."""
        try:
            request, head = (
                self._plain
                if self._plain is not None and visitor is None
                else self._remembered(world.secrets, visitor)
            )
        except ValueError as error:
            return _unasked(str(error))
        jar = visitor.jar if visitor is not None else None
        token = ""
        if self.oauth2 is None:
            exchange = await world.transport.fetch(request, world.deadline, jar=jar)
        else:
            grant = self.oauth2.grant(request, world.secrets)
            exchange, token = await fetch_signed(
                world.transport, request, grant, world.deadline, jar=jar
            )
            head += "\r\nAuthorization: ***" if token else ""
        if visitor is not None and exchange.status:
            visitor.page = exchange.url
        return observed(exchange, head, now=world.now, needed=world.needed, hidden=token)

    def _remembered(self, secrets: Secrets, visitor: Visitor | None) -> tuple[Request, str]:
        request = self.request(secrets, visitor)
        whole = request, request.head()
        secret = self.basic or self.bearer or self.secret_headers or self.secret_form or self.proxy
        if visitor is None and not secret and "{" not in self.url:
            object.__setattr__(self, "_plain", whole)
        return whole

    def request(self, secrets: Secrets, visitor: Visitor | None) -> Request:
        """The request on the wire. Raises SecretMissing, and ValueError for a URL that is none."""
        url = self.url
        if "{" in url:
            url = secrets.reveal(Secret(url))
        body, content_type = self._content(secrets)
        headers = list(self.headers.items())
        named = {name.lower() for name, _ in headers}
        if content_type and "content-type" not in named:
            headers.append(("Content-Type", content_type))
        if visitor is not None:
            url = _against(visitor, url, below_base=bool(self.path))
            referer = _referer(visitor.page, url)
            if referer and "referer" not in named:
                headers.append(("Referer", referer))
        headers += [(name, secrets.reveal(value)) for name, value in self.secret_headers.items()]
        if self.basic is not None:
            pair = f"{self.basic.user}:{secrets.reveal(self.basic.password)}"
            headers.append(("Authorization", "Basic " + base64.b64encode(pair.encode()).decode()))
        if self.bearer is not None:
            headers.append(("Authorization", f"Bearer {secrets.reveal(self.bearer)}"))
        return Request(
            _extended(url, self.path, self.query) if self.path or self.query else url,
            method=self.method,
            headers=tuple(headers),
            body=body,
            follow=self.follow,
            max_redirects=self.max_redirects,
            verify=self.verify,
            ca_file=self.ca_file,
            cert_file=self.cert_file,
            key_file=self.key_file,
            connect_to=self.connect_to,
            ip=_FAMILIES[self.ip],
            http_version=self.http_version,
            compression=_ENCODINGS.get(self.compression, self.compression),
            body_limit=self.max_body_bytes,
            private=frozenset(name.lower() for name in self.secret_headers),
            server_name=self.server_name,
            unix_socket=self.unix_socket,
            source_ip=self.source_ip,
            proxy=secrets.reveal(self.proxy) if self.proxy is not None else "",
            no_proxy=",".join(self.no_proxy),
            tls_min_version=_TLS.get(self.tls_min, ""),
            tls_max_version=_TLS.get(self.tls_max, ""),
        )

    def _content(self, secrets: Secrets) -> tuple[bytes | None, str]:
        """The body and its type; no body is None."""
        if self.json is not None:
            return jsonlib.dumps(self.json).encode(), "application/json"
        if self.form or self.secret_form:
            hidden = {name: secrets.reveal(value) for name, value in self.secret_form.items()}
            return urlencode({**self.form, **hidden}).encode(), FORM
        if self.body:
            return self.body.encode(), ""
        return (b"" if self.method in ("POST", "PUT", "PATCH") else None), ""


def _unasked(text: str) -> Observation:
    """Nothing was asked, since the request cannot be built: says nothing about the target."""
    return Observation({}, 0.0, Reason.invalid_request, text, outcome=Outcome.unknown)


def _against(visitor: Visitor, url: str, *, below_base: bool) -> str:
    """A relative URL as a visitor's browser takes it: from the page, else from the base."""
    if urlsplit(url).scheme:
        return url
    page = visitor.page if url and visitor.page and not below_base else visitor.base
    return urljoin(page, url) if url else page


def _referer(page: str, url: str) -> str:
    """Where a visitor says to come from: the page within its origin, only the origin to others,
    nothing from TLS to plain text (Referrer Policy, strict-origin-when-cross-origin)."""
    if not page:
        return ""
    before, after = origin(page), origin(url)
    if before == after:
        return page
    if before[0] == "https" != after[0]:
        return ""
    return f"{before[0]}://{urlsplit(page).netloc.rpartition('@')[2]}/"


def _extended(url: str, path: tuple[str, ...], query: Mapping[str, str]) -> str:
    """`url` with pieces and parameters appended, each percent-encoded: data, never syntax."""
    parts = urlsplit(url)
    whole = parts.path
    if path:
        whole = whole.rstrip("/") + "/" + "/".join(_piece(piece) for piece in path)
    asked = "&".join(part for part in (parts.query, urlencode(query, quote_via=quote)) if part)
    return parts._replace(path=whole, query=asked).geturl()


def _piece(piece: str) -> str:
    """One piece of a path, encoded. Raises ValueError for one that would climb, which no encoding
    prevents (RFC 3986, 6.2.2.3)."""
    if piece in (".", ".."):
        raise ValueError(f"`{piece}` cannot be a piece of a path")
    return quote(piece, safe="")


@lru_cache(maxsize=32_768)
def _host(url: str) -> str:
    try:
        return urlsplit(url if "//" in url else f"//{url}").hostname or ""
    except ValueError:
        return ""
