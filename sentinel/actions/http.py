"""Requests to other systems: measure, switch, restart, tell."""

import base64
import json as jsonlib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, ClassVar, Literal, TypeVar, cast
from urllib.parse import quote, urlencode, urlsplit

from sentinel.expression import Declaration
from sentinel.kinds import ActionWorld, Done, Failed, Outcomes, Unsure, key
from sentinel.playbook.decision import Found
from sentinel.playbook.playbook import Reference
from sentinel.transport.page import header_map, json_value, text_of
from sentinel.transport.reasons import Reason
from sentinel.transport.shown import http_date
from sentinel.transport.wire import Exchange, Request, phrase
from sentinel.words import Secret, shortened

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, 9.2.1)."""

BEFORE_SENDING = frozenset(
    {
        *(Reason.dns_failed, Reason.dns_timeout, Reason.connect_refused),
        *(Reason.connect_unreachable, Reason.connect_timeout, Reason.tls_failed),
        *(Reason.certificate_untrusted, Reason.certificate_expired),
        *(Reason.certificate_not_yet_valid, Reason.certificate_name, Reason.invalid_request),
    }
)
"""Reasons that come before the request is sent: nothing can have happened."""

GATEWAY = (502, 504)
"""A gateway that says this may have passed the request on before it lost the answer."""

MAX_VALUE = 8 * 1024
"""Characters of one value that goes into a header, the path or the query."""

_KEPT = 16 * 1024
_JSON_KEPT = 40 * 1024
_TOKEN = re.compile(r"[\x21-\x7e]{1,200}\Z")


_Shape = TypeVar("_Shape")
LookUp = Callable[[Mapping[str, Any], ActionWorld], Awaitable[Found]]


class _ByMethod:
    """Whether a request writes, by its method; the class itself, with none, says no."""

    def __get__(self, request: "Http | None", _: type) -> bool:
        return request is not None and request.method not in SAFE


@dataclass(frozen=True, slots=True)
class Basic:
    """Credentials of HTTP's basic scheme (RFC 7617)."""

    user: str = key("User name.", examples=["sentinel"])
    password: Secret = key("Password, by reference.", examples=["env:PSP_PASSWORD"])


@dataclass(frozen=True, slots=True)
class Effect:
    """How to see afterwards whether a request took effect."""

    url: str = key(
        "What to GET.",
        examples=["https://psp.acme.example/routes/acmepay"],
        reads_secrets=True,
    )
    done: int = key("This status says that it did.", default=200)
    absent: int = key("This status says that it did not.", default=404)


@dataclass(frozen=True, slots=True)
class Http:
    """Sends one request and gives its answer to later steps.

    Any method but GET, HEAD and OPTIONS writes, unless the step says `writes: false`. A request
    that writes carries an Idempotency-Key header, the same for every attempt that means the same
    effect. Redirects are followed for requests that do not write, and only then.

    It succeeds when the status is 2xx, or one of `expect_status`. Refused connections, 429 and 5xx
    are failures that may be retried, and a Retry-After is honoured. When a request that writes was
    sent and its answer was lost (also 502 and 504), it is *unsure*: with `effect` its outcome is
    looked up, else a person is asked unless the step may be repeated.

    Outputs: `status`, `headers` (names in lower case), `body` (the first 16 KiB of text) and `json`
    (null when the body is no JSON, or longer than 40 KiB).
    """

    KIND: ClassVar[str] = "http"
    OUTPUTS: ClassVar[Declaration] = {
        "status": "int",
        "headers": "map",
        "body": "string",
        "json": "dyn",
    }
    WRITES: ClassVar[bool] = cast(bool, _ByMethod())

    url: str = key(
        "Where to ask, with scheme and host. `{env:NAME}` may stand in a user, password or token "
        "place.",
        default="",
        examples=["https://pay.internal.example/ratio"],
        reads_secrets=True,
    )
    at: str = key("Instead of `url`, an address of `site.addresses`.", default="")
    path: tuple[str, ...] = key(
        "Pieces appended to the URL's path, each encoded.",
        default=(),
        examples=[["routes", "${labels.vendor}"]],
    )
    query: Mapping[str, str] = key(
        "Query parameters appended to the URL, each encoded.", default_factory=dict
    )
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = key(
        "The request's method.", default="GET"
    )
    headers: Mapping[str, str] = key("Request headers.", default_factory=dict)
    secret_headers: Mapping[str, Secret] = key(
        "Request headers that are secrets: never shown, never sent to another origin.",
        default_factory=dict,
        examples=[{"X-Api-Key": "env:PSP_API_KEY"}],
    )
    json: Mapping[str, Any] | None = key(
        "The request's body as JSON.", default=None, examples=[{"weight": 0}]
    )
    form: Mapping[str, str] = key("The request's body as form fields.", default_factory=dict)
    body: str = key("The request's body, as it is.", default="")
    basic: Basic | None = key("Sign in with the basic scheme.", default=None)
    bearer: Secret | None = key(
        "Sign in with a bearer token.", default=None, examples=["env:PSP_TOKEN"]
    )
    expect_status: tuple[int, ...] = key(
        "Statuses that succeed, instead of 2xx.", default=(), examples=[[200, 409]]
    )
    verify: bool = key("Refuse a certificate that cannot be verified.", default=True)
    ca_file: str = key("PEM file of the authorities to trust instead of the system's.", default="")
    effect: Effect | None = key(
        "How to see afterwards whether it took effect, when its answer was lost.", default=None
    )

    def __post_init__(self) -> None:
        if isinstance(self.url, Reference):
            raise ValueError("scheme and host are written out; values go into `path` and `query`")
        if sum(map(bool, (self.json is not None, self.form, self.body))) > 1:
            raise ValueError("only one of `json`, `form` and `body`")

    async def act(self, inputs: Mapping[str, Any], world: ActionWorld) -> Outcomes:
        """Send it once."""
        rendered = replace(self, **inputs)
        writes = rendered.method not in SAFE
        try:
            request = _request(rendered, world)
        except ValueError as error:
            return Failed("invalid_input", str(error))
        exchange = await world.transport.fetch(request, world.deadline)
        evidence = await world.store_evidence("exchange", _shown(request, exchange))
        if exchange.status and exchange.reason in (None, Reason.body_too_large):
            return _answered(exchange, rendered.expect_status, world.now, evidence, writes=writes)
        return _unanswered(exchange, evidence, writes=writes)

    @property
    def look_up(self) -> "LookUp":
        """How to see whether an earlier attempt took effect. There only with `effect`: an action
        that cannot look is not asked, and the step is repeated or a person decides."""
        if self.effect is None:
            raise AttributeError("this request does not say how to see its effect")
        return self._look_up

    async def _look_up(self, inputs: Mapping[str, Any], world: ActionWorld) -> Found:
        rendered = replace(self, **inputs)
        effect = _shaped(Effect, rendered.effect) or Effect("")
        asking = replace(rendered, url=effect.url, method="GET", path=(), query={})
        asking = replace(asking, json=None, form={}, body="")
        request = _request(asking, world)
        exchange = await world.transport.fetch(request, world.deadline)
        evidence = await world.store_evidence("look-up", _shown(request, exchange))
        said = f"seen afterwards: {phrase(exchange.status) if exchange.status else exchange.text}"
        match exchange.status:
            case effect.done:
                return Found("done", _values(exchange), said, evidence)
            case effect.absent:
                return Found("not_done", text=said, evidence=evidence)
            case _:
                return Found("unknown", text=said, evidence=evidence)


def _request(http: Http, world: ActionWorld) -> Request:
    """The request on the wire. Raises ValueError for a value that cannot be part of it."""
    url = world.secrets.reveal(Secret(http.url)) if "{" in http.url else http.url
    body, content_type = _content(http)
    headers = {name: _line(name, value) for name, value in http.headers.items()}
    if content_type:
        headers.setdefault("Content-Type", content_type)
    if http.method not in SAFE and "idempotency-key" not in {name.lower() for name in headers}:
        headers["Idempotency-Key"] = _effect_key(world.key)
    headers |= {name: _line(name, _revealed(v, world)) for name, v in http.secret_headers.items()}
    headers |= _signed_in(http, world)
    return Request(
        extended(url, http.path, http.query),
        method=http.method,
        headers=tuple(headers.items()),
        body=body,
        follow=http.method in SAFE,
        verify=http.verify,
        ca_file=http.ca_file,
        private=frozenset(name.lower() for name in http.secret_headers),
    )


def _signed_in(http: Http, world: ActionWorld) -> dict[str, str]:
    basic = _shaped(Basic, http.basic)
    if basic is not None:
        pair = f"{basic.user}:{_revealed(basic.password, world)}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    if http.bearer is not None:
        return {"Authorization": _line("bearer", f"Bearer {_revealed(http.bearer, world)}")}
    return {}


def _shaped(kind: type[_Shape], value: _Shape | Mapping[str, Any] | None) -> _Shape | None:
    return kind(**value) if isinstance(value, Mapping) else value


def _revealed(value: object, world: ActionWorld) -> str:
    return world.secrets.reveal(value) if isinstance(value, Secret) else _text(value)


def _text(value: object) -> str:
    """A scalar as text, true and false in small letters. Raises ValueError for anything else."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError(f"a value is {type(value).__name__}, not one text or number")


def _line(name: str, value: object) -> str:
    """A header's value: one line, so that a value from outside cannot add a header."""
    text = _text(value)
    if len(text) > MAX_VALUE or any(mark in text for mark in "\r\n\0"):
        raise ValueError(f"the header `{name}` would not be one line of at most {MAX_VALUE}")
    return text


def _effect_key(effect: str) -> str:
    """The key as a header may hold it; any other by its hash."""
    return effect if _TOKEN.match(effect) else sha256(effect.encode()).hexdigest()


def _content(http: Http) -> tuple[bytes | None, str]:
    if http.json is not None:
        return jsonlib.dumps(http.json).encode(), "application/json"
    if http.form:
        pairs = {name: _text(value) for name, value in http.form.items()}
        return urlencode(pairs).encode(), "application/x-www-form-urlencoded"
    if http.body:
        return _text(http.body).encode(), ""
    return (b"" if http.method in ("POST", "PUT", "PATCH") else None), ""


def extended(url: str, path: tuple[str, ...], query: Mapping[str, str]) -> str:
    """`url` with pieces and parameters appended, each encoded, so that a value stays a value.

    Raises ValueError for a piece that is empty or climbs (``..``): no encoding prevents that.
    """
    split = urlsplit(url)
    if split.scheme not in ("http", "https") or not split.hostname:
        raise ValueError("the URL needs a scheme, http or https, and a host")
    pieces = [_text(piece) for piece in path]
    values = {name: _text(value) for name, value in query.items()}
    if any(piece in ("", ".", "..") for piece in pieces[:-1] + [p or "-" for p in pieces[-1:]]):
        raise ValueError("a piece of `path` is empty or climbs")
    if any(len(each) > MAX_VALUE for each in (*pieces, *values.values())):
        raise ValueError(f"a value is longer than {MAX_VALUE} characters")
    whole = split.path
    if pieces:
        whole = "/".join([whole.rstrip("/"), *(quote(piece, safe="") for piece in pieces)])
    asked = "&".join(part for part in (split.query, urlencode(values, quote_via=quote)) if part)
    return split._replace(path=whole, query=asked).geturl()


def _answered(
    exchange: Exchange, expected: tuple[int, ...], now: datetime, evidence: str, *, writes: bool
) -> Outcomes:
    status, values = exchange.status, _values(exchange)
    good = status in expected if expected else 200 <= status < 300
    if good:
        return Done(values, phrase(status), evidence)
    if writes and status in GATEWAY:
        return Unsure("answer_lost", f"a gateway answered {phrase(status)}", evidence)
    return Failed(
        "unexpected_status",
        phrase(status),
        retryable=status == 429 or status >= 500,
        retry_after_s=retry_after_s(exchange.header("retry-after"), now),
        values=values,
        evidence=evidence,
    )


def _unanswered(exchange: Exchange, evidence: str, *, writes: bool) -> Outcomes:
    reason = exchange.reason or Reason.empty_reply
    if writes and reason not in BEFORE_SENDING and exchange.phases:
        return Unsure(reason, exchange.text, evidence)
    return Failed(reason, exchange.text, retryable=exchange.network, evidence=evidence)


def _values(exchange: Exchange) -> Mapping[str, Any]:
    """What expressions see, at most 64 KiB in all."""
    return {
        "status": exchange.status,
        "headers": {name: shortened(value, 1000) for name, value in header_map(exchange).items()},
        "body": shortened(text_of(exchange), _KEPT),
        "json": json_value(exchange.body) if len(exchange.body) <= _JSON_KEPT else None,
    }


def retry_after_s(header: str, now: datetime) -> float | None:
    """Seconds or an HTTP date (RFC 9110, 10.2.3) as seconds from `now`, at most a day."""
    if header.isascii() and header.isdigit():
        return min(float(header), 86400.0)
    until = http_date(header)
    return None if until is None else min(max((until - now).total_seconds(), 0.0), 86400.0)


def _shown(request: Request, exchange: Exchange) -> bytes:
    body = exchange.body[:_KEPT]
    heads = f"{request.head()}\r\n\r\n{exchange.head_text()}\r\n\r\n"
    return (f"{exchange.text}\r\n\r\n" if exchange.text else "").encode() + heads.encode() + body
