"""What a block of a blackbox module must not say, beyond what each of its keys knows.

Each rule is given the block's values and `refuse(message, key)`, which says it at that key's place.
The first group are the original's own rules, in its own words. The second, marked so, refuses at
load what it loads and what can then never succeed: such a probe fails for ever, here a line says why.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address
from typing import Any, Protocol

from sentinel.transport.dnsnames import WireError, class_number, type_number

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ALGORITHMS = ("RS256", "RS384", "RS512")
_COMPRESSIONS = ("", "gzip", "br", "deflate", "identity")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
_RESERVED = frozenset(
    {
        "Authorization", "Host", "Content-Encoding", "Content-Length", "Content-Type", "User-Agent",
        "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Www-Authenticate",
        "Accept-Encoding", "X-Prometheus-Remote-Write-Version", "X-Prometheus-Remote-Read-Version",
        "X-Prometheus-Scrape-Timeout-Seconds", "X-Amz-Date", "X-Amz-Security-Token",
        "X-Amz-Content-Sha256",
    }
)  # fmt: skip
"""Headers that Prometheus' common client block keeps for itself."""


class Refuse(Protocol):
    """Says that a key, or without one the whole block, is wrong; the rest is looked at all the same."""

    def __call__(self, message: str, key: str = "") -> None: ...


def module(probers: Iterable[str]) -> Callable[[Mapping[str, Any], Refuse], None]:
    """The rule of a module that may name these probers."""
    known = tuple(probers)

    def check(values: Mapping[str, Any], refuse: Refuse) -> None:
        if values["prober"] not in known:
            refuse(f"prober '{values['prober']}' is invalid, one of {', '.join(known)}", "prober")

    return check


def tls_config(values: Mapping[str, Any], refuse: Refuse) -> None:
    _at_most_one(values, refuse, ("ca", "ca_file"), "ca, ca_file & ca_ref")
    _at_most_one(values, refuse, ("cert", "cert_file"), "cert, cert_file & cert_ref")
    _at_most_one(values, refuse, ("key", "key_file"), "key and key_file")
    cert, key = values["cert"] or values["cert_file"], values["key"] or values["key_file"]
    if cert and not key:
        refuse(
            "exactly one of key or key_file must be configured when a client certificate is configured"
        )
    if key and not cert:
        refuse(
            "exactly one of cert or cert_file must be configured when a client key is configured"
        )


def basic_auth(values: Mapping[str, Any], refuse: Refuse) -> None:
    for name in ("username", "password"):
        keys = (name, f"{name}_file")
        _at_most_one(values, refuse, keys, f"basic_auth {name}, {name}_file & {name}_ref")


def authorization(values: Mapping[str, Any], refuse: Refuse) -> None:
    keys = ("credentials", "credentials_file")
    _at_most_one(values, refuse, keys, "authorization credentials & credentials_file")
    if values["type"].strip().lower() == "basic":
        refuse('authorization type cannot be set to "basic", use "basic_auth" instead', "type")


def oauth2(values: Mapping[str, Any], refuse: Refuse) -> None:
    for name in ("client_id", "token_url"):
        if not values[name]:
            refuse(f"oauth2 {name} must be configured", name)
    if values["grant_type"] == JWT_BEARER:
        keys = ("client_certificate_key", "client_certificate_key_file")
        _at_most_one(
            values, refuse, keys, "oauth2 client_certificate_key & client_certificate_key_file"
        )
        if values["signature_algorithm"] not in ("", *_ALGORITHMS):
            refuse("valid signature algorithms are RS256, RS384 and RS512", "signature_algorithm")
    else:
        keys = ("client_secret", "client_secret_file")
        said = "oauth2 client_secret, client_secret_file & client_secret_ref"
        _at_most_one(values, refuse, keys, said)
    _proxy(values, refuse)


def client(values: Mapping[str, Any], refuse: Refuse) -> None:
    """The block of Prometheus' common HTTP client."""
    bearer = [key for key in ("bearer_token", "bearer_token_file") if values[key]]
    _at_most_one(
        values, refuse, ("bearer_token", "bearer_token_file"), "bearer_token & bearer_token_file"
    )
    given = [key for key in ("basic_auth", "oauth2", "authorization") if values[key] is not None]
    if bearer and "authorization" in given:
        refuse("authorization is not compatible with bearer_token & bearer_token_file", bearer[0])
    elif bearer and given:
        refuse(
            "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured",
            bearer[0],
        )
    elif len(given) > 1:
        refuse("at most one of basic_auth, oauth2 & authorization must be configured", given[1])
    _proxy(values, refuse)
    for name in values["http_headers"]:
        if _canonical(name) in _RESERVED:
            refuse(f'setting header "{_canonical(name)}" is not allowed', "http_headers")
    _extra_headers(values["http_headers"], refuse, "http_headers")


def _proxy(values: Mapping[str, Any], refuse: Refuse) -> None:
    url, environment = values["proxy_url"], values["proxy_from_environment"]
    if values["proxy_connect_header"] and not (url or environment):
        refuse(
            "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be "
            "configured",
            "proxy_connect_header",
        )
    if environment and url:
        refuse(
            "if proxy_from_environment is configured, proxy_url must not be configured", "proxy_url"
        )
    if environment and values["no_proxy"]:
        refuse(
            "if proxy_from_environment is configured, no_proxy must not be configured", "no_proxy"
        )
    if values["no_proxy"] and not url and not environment:
        refuse("if no_proxy is configured, proxy_url must also be configured", "no_proxy")
    for name, secrets in values["proxy_connect_header"].items():
        _header(name, [secret.text for secret in secrets], refuse, "proxy_connect_header")


def header_rule(values: Mapping[str, Any], refuse: Refuse) -> None:
    if not values["header"]:
        refuse("header name must be set for HTTP header matchers", "header")
    if not values["regexp"]:
        refuse("regexp must be set for HTTP header matchers", "regexp")


def http(values: Mapping[str, Any], refuse: Refuse) -> None:
    client(values, refuse)
    if values["body"] and values["body_file"]:
        refuse("setting body and body_file both are not allowed", "body_file")
    for name, value in values["headers"].items():
        if _canonical(name) == "Accept-Encoding" and not _accepts(values["compression"], value):
            wrong = f'"{name}: {value}", "compression: {values["compression"]}"'
            refuse(f"invalid configuration {wrong}", "compression")
    _versions(values, refuse)
    # Beyond the original: it would load these, and each of their probes would fail.
    for name, value in values["headers"].items():
        _header(name, [value], refuse, "headers")
    if values["method"] and not _TOKEN.match(values["method"]):
        refuse(f"`{values['method']}` is not a method of HTTP", "method")
    if values["compression"] not in _COMPRESSIONS:
        known = ", ".join(filter(None, _COMPRESSIONS))
        refuse(f"`{values['compression']}` is not a compression, one of {known}", "compression")


def _versions(values: Mapping[str, Any], refuse: Refuse) -> None:
    versions, http3 = values["valid_http_versions"], values["enable_http3"]
    if not http3 and "HTTP/3.0" in versions:
        refuse(
            "HTTP/3 cannot be used as a valid HTTP version when enable_http3 is false",
            "valid_http_versions",
        )
    if http3 and {"HTTP/2.0", "HTTP/1.1"} & set(versions):
        refuse(
            "HTTP/3 and HTTP/2.0/1.1 cannot be used together - only HTTP/3.0 is allowed when "
            "enable_http3 is true",
            "valid_http_versions",
        )
    if http3 and values["enable_http2"]:
        refuse("when enable_http3 is true, enable_http2 must be set to false", "enable_http3")


def icmp(values: Mapping[str, Any], refuse: Refuse) -> None:
    if values["ttl"] < 0:
        refuse('"ttl" cannot be negative', "ttl")
    if values["ttl"] > 255:
        refuse('"ttl" cannot exceed 255', "ttl")
    # Beyond the original: an IPv4 packet holds no more (RFC 791, 3.1).
    if not 0 <= values["payload_size"] <= 65_507:
        refuse("`payload_size` is from 0 to 65507 bytes", "payload_size")
    source_address(values, refuse)


def dns(values: Mapping[str, Any], refuse: Refuse) -> None:
    if not values["query_name"]:
        refuse("query name must be set for DNS module", "query_name")
    if values["query_class"] and not _named(class_number, values["query_class"]):
        refuse(f"query class '{values['query_class']}' is not valid", "query_class")
    if values["query_type"] and not _named(type_number, values["query_type"]):
        refuse(f"query type '{values['query_type']}' is not valid", "query_type")
    # Beyond the original, as are its regular expressions, which it compiles at each probe.
    if values["transport_protocol"] not in ("", "udp", "tcp"):
        refuse(f"`{values['transport_protocol']}` is neither udp nor tcp", "transport_protocol")
    source_address(values, refuse)


def _named(number: Callable[[str], int], name: str) -> bool:
    try:
        number(name)
    except WireError:
        return False
    return True


def source_address(values: Mapping[str, Any], refuse: Refuse) -> None:
    """Beyond the original: an address is an address."""
    try:
        ip_address(values["source_ip_address"] or "0.0.0.0")  # noqa: S104 - read, never bound
    except ValueError:
        refuse(f"`{values['source_ip_address']}` is not an address", "source_ip_address")


def exchanged(values: Mapping[str, Any], refuse: Refuse) -> None:
    if values["expect"] and values["expect_bytes"]:
        refuse("at most one of expect & expect_bytes must be configured", "expect_bytes")


def label(values: Mapping[str, Any], refuse: Refuse) -> None:
    """Beyond the original: a label that Prometheus would not take ends its process' answer."""
    if not _LABEL.match(values["name"]):
        refuse(f"`{values['name']}` is not a label name: letters, digits and _", "name")


def websocket(values: Mapping[str, Any], refuse: Refuse) -> None:
    _extra_headers(values["headers"], refuse, "headers")


def _extra_headers(headers: Mapping[str, Mapping[str, Any]], refuse: Refuse, key: str) -> None:
    for name, given in headers.items():
        _header(
            name, [*given["values"], *(secret.text for secret in given["secrets"])], refuse, key
        )


def _header(name: str, values: Iterable[str], refuse: Refuse, key: str) -> None:
    if not _TOKEN.match(name):
        refuse(f"`{name}` is not a header name", key)
    if any(_CONTROL.search(value) for value in values):
        refuse(f"the value of header `{name}` has a line break or control character", key)


def _at_most_one(
    values: Mapping[str, Any], refuse: Refuse, keys: tuple[str, str], said: str
) -> None:
    if all(values[key] for key in keys):
        refuse(f"at most one of {said} must be configured", keys[1])


def _canonical(name: str) -> str:
    """As Go's CanonicalMIMEHeaderKey: ``accept-encoding`` → ``Accept-Encoding``."""
    return "-".join(part[:1].upper() + part[1:].lower() for part in name.split("-"))


def _accepts(compression: str, accept_encoding: str) -> bool:
    """Whether the header lets the server send this compression (RFC 9110, 12.5.3)."""
    if not compression or not accept_encoding:
        return True
    offered = [_offer(each) for each in accept_encoding.split(",")]
    for name, quality in sorted(offered, key=lambda offer: -offer[1]):
        if name in (compression, "*"):
            return quality > 0
    return False


def _offer(text: str) -> tuple[str, float]:
    name, semicolon, quality = text.rpartition(";")
    if not semicolon:
        return text.strip(), 1.0
    try:
        return name.strip(), float(quality.strip().removeprefix("q="))
    except ValueError:
        return name.strip(), 0.0
