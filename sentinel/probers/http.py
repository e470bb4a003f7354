"""Web pages and APIs over HTTP/1.1, HTTP/2 and HTTP/3, plain or over TLS."""

import base64
import json as jsonlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, ClassVar, Literal
from urllib.parse import quote, urlencode, urljoin, urlsplit

from sentinel.expression import Declaration
from sentinel.kinds import ProbeWorld, Secrets, key
from sentinel.monitor.probe import Evidence, Observation, Sample
from sentinel.transport.curl import Visitor
from sentinel.transport.page import (
    header_map,
    html_attr,
    html_count,
    html_text,
    json_value,
    text_of,
)
from sentinel.transport.reasons import Reason
from sentinel.transport.redirects import origin
from sentinel.transport.shown import (
    CERTIFICATE_NAMES,
    EVIDENCE_BODY,
    certificate_values,
    facts_of,
    http_metrics,
)
from sentinel.transport.wire import BODY_LIMIT, Exchange, Request, phrase
from sentinel.words import Outcome, Secret

_FORM = "application/x-www-form-urlencoded"
_ENCODINGS = {"none": "", "any": "gzip, br, deflate"}
_FAMILIES: Mapping[str, Literal["any", "4", "6"]] = {"any": "any", "ipv4": "4", "ipv6": "6"}


@dataclass(frozen=True, slots=True)
class Basic:
    """Credentials of HTTP's basic scheme (RFC 7617)."""

    user: str = key("User name.", examples=["monitor"])
    password: Secret = key("Password, by reference.", examples=["env:SHOP_PASSWORD"])


@dataclass(frozen=True, slots=True)
class Http:
    """Asks for one URL and looks at the whole answer.

    Each check opens a new connection, resolves the name anew and follows redirects itself, so
    that every phase is measured every time. The certificate is verified unless `verify: false`;
    when it is refused, its facts are in the evidence and in the metrics all the same.

    Expectations may use `status`, `headers` (names in lower case; a header sent twice is joined
    with `, `), `body` (text, by its charset, else UTF-8), `json` (null when the body is not JSON
    or has more than 5,000 values), `html` with `html.text("h1")`, `html.attr("a.next", "href")`
    and `html.count("li.product")` (CSS selectors; text and attribute are null when nothing is
    there), `timing`, `certificate` (https only), `redirects`, `size_bytes` (on the wire),
    `http_version`, `address` and `url` (the last one asked). Where a probe has no `expect`, the
    status must be 2xx, else the reason is `unexpected_status`.
    """

    KIND: ClassVar[str] = "http"
    NAMES: ClassVar[Declaration] = {
        "status": "int",
        "headers": "map",
        "body": "string",
        "json": "dyn",
        "html": "dyn",
        "timing": {
            "total_s": "double",
            "resolve_s": "double",
            "connect_s": "double",
            "tls_s": "double",
            "processing_s": "double",
            "transfer_s": "double",
        },
        "certificate": CERTIFICATE_NAMES,
        "redirects": {"count": "int", "url": "string"},
        "size_bytes": "int",
        "http_version": "string",
        "address": "string",
        "url": "string",
    }

    FUNCTIONS: ClassVar[Mapping[str, Callable[..., Any]]] = {
        "attr": html_attr,
        "text": html_text,
        "count": html_count,
    }
    """What expressions may call on `html`, beside the language's own functions."""

    url: str = key(
        "Where to ask, with scheme and host. `{env:NAME}` may stand in a user, password or token "
        "place.",
        default="",
        examples=["https://shop.acme.example/"],
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
    ip: Literal["any", "ipv4", "ipv6"] = key("Which addresses to use.", default="any")
    http_version: Literal["auto", "1.1", "2", "3"] = key(
        "HTTP version to offer; auto is 2 over TLS, else 1.1.", default="auto"
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

    def host(self) -> str:
        """The host that is connected to."""
        return _host(self.connect_to or self.url)

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
        exchange = await world.transport.fetch(request, world.deadline, jar=jar)
        if visitor is not None and exchange.status:
            visitor.page = exchange.url
        return observed(exchange, head, now=world.now, needed=world.needed)

    def _remembered(self, secrets: Secrets, visitor: Visitor | None) -> tuple[Request, str]:
        request = self.request(secrets, visitor)
        whole = request, request.head()
        secret = self.basic or self.bearer or self.secret_headers or self.secret_form
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
        )

    def _content(self, secrets: Secrets) -> tuple[bytes | None, str]:
        """The body and its type; no body is None."""
        if self.json is not None:
            return jsonlib.dumps(self.json).encode(), "application/json"
        if self.form or self.secret_form:
            hidden = {name: secrets.reveal(value) for name, value in self.secret_form.items()}
            return urlencode({**self.form, **hidden}).encode(), _FORM
        if self.body:
            return self.body.encode(), ""
        return (b"" if self.method in ("POST", "PUT", "PATCH") else None), ""


def _unasked(text: str) -> Observation:
    """Nothing was asked, since the request cannot be built: says nothing about the target."""
    return Observation({}, 0.0, Reason.invalid_request, text, outcome=Outcome.unknown)


def observed(
    exchange: Exchange, head: str, *, now: datetime, needed: frozenset[str]
) -> Observation:
    """What an exchange comes to as an observation; `head` is its request's, for evidence. Without
    anything `needed` the status counts."""
    reason, outcome, text = _verdict(exchange, needed)
    samples = [Sample("timing.total_s", exchange.duration_s, "s")]
    certificates = exchange.certificates if exchange.pems else ()
    if certificates:
        samples.append(Sample("certificate.days_left", certificates[0].days_left(now), "d"))
    return Observation(
        values=Seen(exchange, now),
        duration_s=exchange.duration_s,
        reason=reason,
        text=text,
        network=exchange.network,
        outcome=outcome,
        phases=exchange.phases,
        address=exchange.address,
        samples=samples,
        evidence=Evidence(
            request=head,
            response=exchange.head_text(),
            body=exchange.body[:EVIDENCE_BODY],
            facts=facts_of(exchange),
        ),
        metrics=http_metrics(exchange),
    )


def _verdict(exchange: Exchange, needed: frozenset[str]) -> tuple[str, Outcome | None, str]:
    if exchange.reason is not None:
        ours = exchange.ours or exchange.reason is Reason.invalid_request
        return exchange.reason, Outcome.unknown if ours else Outcome.failed, exchange.text
    said = phrase(exchange.status)
    if not needed and not 200 <= exchange.status < 300:
        return "unexpected_status", Outcome.failed, f"the status is {said}"
    return "", None, said


class Seen(Mapping[str, Any]):
    """The names that expectations use, each computed when it is asked for, and once."""

    __slots__ = ("_exchange", "_kept", "_now")

    def __init__(self, exchange: Exchange, now: datetime) -> None:
        self._exchange = exchange
        self._now = now
        self._kept: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._kept:
            self._kept[name] = self._value(name)
        return self._kept[name]

    def __iter__(self) -> Iterator[str]:
        plain = not self._exchange.certificates
        return (name for name in Http.NAMES if not (plain and name == "certificate"))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def _value(self, name: str) -> Any:
        exchange = self._exchange
        match name:
            case "status" | "size_bytes" | "http_version" | "address" | "url":
                return getattr(exchange, name)
            case "headers":
                return header_map(exchange)
            case "body" | "html":
                return text_of(exchange)
            case "json":
                return json_value(exchange.body)
            case "timing":
                phases = exchange.phases
                timing = {f"{phase}_s": seconds for phase, seconds in phases.items()}
                return {"total_s": exchange.duration_s, **timing}
            case "certificate":
                return certificate_values(exchange, self._now)
            case "redirects":
                return {"count": exchange.redirected, "url": exchange.url}
            case _:
                raise KeyError(name)


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
