"""Every key of a blackbox module as data: its type and its default.

From this one table come the reader (``modules_read``), the dump for ``/config`` (``modules_dump``)
and the list of keys that the differential suite must cover (`schema_keys`). Names, types and
defaults are blackbox_exporter's ``config/config.go`` and Prometheus' common HTTP client block.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from sentinel.blackbox.module import Hidden
from sentinel.library import modules_rules as rules

PROBERS = ("http", "tcp", "icmp", "dns", "grpc", "unix", "websocket")


class Leaf(StrEnum):
    """What a scalar becomes. A switch is a flag that knows whether it was written."""

    text = "text"
    flag = "flag"
    switch = "switch"
    whole = "whole"
    duration = "duration"
    size = "size"
    pattern = "pattern"
    cel = "cel"
    tls_version = "tls_version"
    url = "url"
    secret = "secret"
    anything = "anything"


@dataclass(frozen=True, slots=True)
class ListOf:
    of: "Type"


@dataclass(frozen=True, slots=True)
class MapOf:
    of: "Type"


Check = Callable[[Mapping[str, Any], rules.Refuse], None]


@dataclass(frozen=True, slots=True)
class Block:
    """A mapping with known keys. `absent`: what stands for a block that is not written: its keys'
    defaults, their zeroes, or nothing at all. `check` refuses what no single key can know."""

    keys: tuple["Key", ...]
    check: Check | None = None
    absent: Literal["defaults", "zeroes", "nothing"] = "zeroes"


Type = Leaf | ListOf | MapOf | Block

ZEROES: Mapping[Leaf, Any] = {
    **dict.fromkeys(Leaf, ""),
    Leaf.flag: False,
    Leaf.whole: 0,
    Leaf.duration: 0,
    Leaf.size: 0,
    Leaf.anything: None,
    Leaf.switch: None,
    Leaf.secret: Hidden(),
}


@dataclass(frozen=True, slots=True)
class Key:
    """One key. `default` is its value in a block that leaves it out (None: the type's zero),
    `always` whether a dump shows it even at its zero."""

    name: str
    type: Type
    default: Any = None
    always: bool = False


def _texts(*names: str) -> tuple[Key, ...]:
    return tuple(Key(name, Leaf.text) for name in names)


def _flags(*names: str) -> tuple[Key, ...]:
    return tuple(Key(name, Leaf.flag) for name in names)


_TEXTS, _PATTERNS = ListOf(Leaf.text), ListOf(Leaf.pattern)
_FALLBACK = Key("ip_protocol_fallback", Leaf.flag, default=True)
_IP = (*_texts("preferred_ip_protocol"), _FALLBACK)

_TLS = Key(
    "tls_config",
    Block(
        (
            *_texts("ca", "cert"),
            Key("key", Leaf.secret),
            *_texts("ca_file", "cert_file", "key_file", "server_name"),
            Key("insecure_skip_verify", Leaf.flag, always=True),
            Key("min_version", Leaf.tls_version),
            Key("max_version", Leaf.tls_version),
        ),
        rules.tls_config,
    ),
)
_PROXY = (
    Key("proxy_url", Leaf.url),
    *_texts("no_proxy"),
    *_flags("proxy_from_environment"),
    Key("proxy_connect_header", MapOf(ListOf(Leaf.secret))),
)
_BASIC = Block(
    (
        Key("username", Leaf.text, always=True),
        *_texts("username_file"),
        Key("password", Leaf.secret),
        *_texts("password_file"),
    ),
    rules.basic_auth,
    absent="nothing",
)
_AUTHORIZATION = Block(
    (*_texts("type"), Key("credentials", Leaf.secret), *_texts("credentials_file")),
    rules.authorization,
    absent="nothing",
)
_OAUTH2 = Block(
    (
        Key("client_id", Leaf.text, always=True),
        Key("client_secret", Leaf.secret, always=True),
        Key("client_secret_file", Leaf.text, always=True),
        *_texts("client_certificate_key_id"),
        Key("client_certificate_key", Leaf.secret),
        *_texts(
            "client_certificate_key_file", "grant_type", "signature_algorithm", "iss", "audience"
        ),
        Key("claims", MapOf(Leaf.anything)),
        Key("scopes", _TEXTS),
        Key("token_url", Leaf.text, always=True),
        Key("endpoint_params", MapOf(Leaf.text)),
        _TLS,
        *_PROXY,
    ),
    rules.oauth2,
    absent="nothing",
)
_EXTRA_HEADERS = MapOf(
    Block((Key("values", _TEXTS), Key("secrets", ListOf(Leaf.secret)), Key("files", _TEXTS)))
)
_CLIENT = (
    Key("basic_auth", _BASIC),
    Key("authorization", _AUTHORIZATION),
    Key("oauth2", _OAUTH2),
    Key("bearer_token", Leaf.secret),
    *_texts("bearer_token_file"),
    _TLS,
    Key("follow_redirects", Leaf.flag, default=True, always=True),
    Key("enable_http2", Leaf.flag, default=True, always=True),
    *_PROXY,
    Key("http_headers", _EXTRA_HEADERS),
)
_HEADER_RULES = ListOf(
    Block(
        (*_texts("header"), Key("regexp", Leaf.pattern), *_flags("allow_missing")),
        rules.header_rule,
    )
)
_HTTP = Block(
    (
        Key("valid_status_codes", ListOf(Leaf.whole)),
        Key("valid_http_versions", _TEXTS),
        *_IP,
        *_flags("skip_resolve_phase_with_proxy"),
        Key("no_follow_redirects", Leaf.switch),
        *_flags("fail_if_ssl", "fail_if_not_ssl"),
        *_texts("method"),
        Key("headers", MapOf(Leaf.text)),
        Key("fail_if_body_matches_regexp", _PATTERNS),
        Key("fail_if_body_not_matches_regexp", _PATTERNS),
        Key("fail_if_body_json_matches_cel", Leaf.cel),
        Key("fail_if_body_json_not_matches_cel", Leaf.cel),
        Key("fail_if_header_matches", _HEADER_RULES),
        Key("fail_if_header_not_matches", _HEADER_RULES),
        *_texts("body", "body_file"),
        *_CLIENT,
        *_texts("compression"),
        Key("body_size_limit", Leaf.size),
        *_flags("enable_http3"),
    ),
    rules.http,
    absent="defaults",
)
_QUERY_RESPONSE = Key(
    "query_response",
    ListOf(
        Block(
            (
                Key("expect", Leaf.pattern),
                *_texts("expect_bytes"),
                Key("labels", ListOf(Block(_texts("name", "value"), rules.label))),
                *_texts("send"),
                *_flags("starttls"),
            ),
            rules.exchanged,
        )
    ),
)
_SOURCE = _texts("source_ip_address")
_TCP = Block(
    (*_IP, *_SOURCE, _QUERY_RESPONSE, *_flags("tls"), _TLS), rules.source_address, absent="defaults"
)
_UNIX = Block((_QUERY_RESPONSE, *_flags("tls"), _TLS))
_ICMP = Block(
    (
        *_IP,
        *_SOURCE,
        Key("payload_size", Leaf.whole),
        *_flags("dont_fragment"),
        Key("ttl", Leaf.whole, default=64),
    ),
    rules.icmp,
    absent="defaults",
)
_RECORD_RULES = Block(
    tuple(
        Key(name, _PATTERNS)
        for name in (
            "fail_if_matches_regexp",
            "fail_if_all_match_regexp",
            "fail_if_not_matches_regexp",
            "fail_if_none_matches_regexp",
        )
    )
)
_DNS = Block(
    (
        *_IP,
        *_flags("dns_over_tls"),
        _TLS,
        *_SOURCE,
        *_texts("transport_protocol", "query_class", "query_name", "query_type"),
        Key("recursion_desired", Leaf.flag, default=True),
        Key("valid_rcodes", _TEXTS),
        Key("validate_answer_rrs", _RECORD_RULES),
        Key("validate_authority_rrs", _RECORD_RULES),
        Key("validate_additional_rrs", _RECORD_RULES),
    ),
    rules.dns,
    absent="defaults",
)
_GRPC = Block(
    (
        *_texts("service"),
        *_flags("tls"),
        _TLS,
        *_IP,
        Key("metadata", MapOf(_TEXTS)),
    )
)
"""Without the block its zeroes count, so that the fallback is off: DefaultModule leaves it out."""
_WEBSOCKET = Block(
    (
        Key("http_config", Block(_CLIENT, rules.client, absent="defaults")),
        Key("headers", _EXTRA_HEADERS),
        _QUERY_RESPONSE,
        *_IP,
    ),
    rules.websocket,
    absent="defaults",
)
MODULE = Block(
    (
        *_texts("prober"),
        Key("timeout", Leaf.duration),
        Key("http", _HTTP),
        Key("tcp", _TCP),
        Key("icmp", _ICMP),
        Key("dns", _DNS),
        Key("grpc", _GRPC),
        Key("unix", _UNIX),
        Key("websocket", _WEBSOCKET),
    ),
    rules.module(PROBERS),
)
FILE = Block((Key("modules", MapOf(MODULE)),))


def schema_keys() -> tuple[str, ...]:
    """Every key of a module that takes a value of its own, dotted from the module down and in the
    order of the table: ``timeout``, ``http.tls_config.ca_file``, ``tcp.query_response.expect``."""
    return tuple(_leaves(MODULE, ""))


def _leaves(block: Block, prefix: str) -> Iterator[str]:
    for key in block.keys:
        inner = key.type
        while isinstance(inner, ListOf | MapOf):
            inner = inner.of
        if isinstance(inner, Block):
            yield from _leaves(inner, f"{prefix}{key.name}.")
        else:
            yield f"{prefix}{key.name}"


def zero(kind: Type) -> Any:
    """The value of a key of this type that says nothing."""
    match kind:
        case Leaf():
            return ZEROES[kind]
        case ListOf():
            return ()
        case MapOf():
            return {}
        case Block():
            return (
                {key.name: zero(key.type) for key in kind.keys}
                if kind.absent != "nothing"
                else None
            )


def default(key: Key) -> Any:
    """The value of a key that its block leaves out."""
    if key.default is not None:
        return key.default
    if isinstance(key.type, Block) and key.type.absent == "defaults":
        return {inner.name: default(inner) for inner in key.type.keys}
    return zero(key.type)
