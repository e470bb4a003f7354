"""What is sent: an `http` block and its client block as a request of our transport.

Credentials of the client block (`basic_auth`, `authorization`, `oauth2`, secret `http_headers`)
belong to the host that was named: on a redirect they go along to that host and its subdomains
only. (The original sends them to whoever it is redirected to.)
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sentinel.blackbox.check import Check
from sentinel.blackbox.module import ExtraHeader, HttpClient, HttpModule
from sentinel.blackbox.oauth2 import Bearer
from sentinel.blackbox.proxying import proxy_for
from sentinel.blackbox.tlsfiles import TlsMaterial, content_of, revealed
from sentinel.blackbox.urls import Url, is_address
from sentinel.transport.wire import LARGEST_BODY, HttpVersion, Request

Lines = tuple[tuple[str, str], ...]
_SENSITIVE = frozenset({"authorization", "cookie", "cookie2", "www-authenticate"})
_OF_A_BODY = frozenset({"content-type", "content-length", "content-encoding", "content-language"})


@dataclass(frozen=True, slots=True, repr=False)
class Asked:
    """What a module asks at one hop. `own` are the headers that everybody may see, `private` those
    that hold secrets; `host` is the Host header where it is not the URL's."""

    url: Url
    method: str
    own: Lines
    private: Lines
    tls: TlsMaterial
    host: str = ""
    body: bytes | None = None
    repeatable: bool = True
    """Whether the body may be sent again (a file is read once)."""


def first(
    check: Check, module: HttpModule, url: Url, *, tls: TlsMaterial, token: Bearer | None
) -> Asked:
    """The first request, complete. Raises Ended when a file cannot be read."""
    headers = dict(module.headers)
    host = check.hostname
    for name in [name for name in headers if name.lower() == "host"]:
        host = headers.pop(name)
    extra, private = extra_headers(check, module.client.http_headers)
    own: Lines = (*headers.items(), *extra)
    if not any(name.lower() == "authorization" for name, _ in (*own, *private)):
        authorization = url.basic() or authorization_of(check, module.client, token)
        private += (("Authorization", authorization),) if authorization else ()
    return Asked(
        url=replace(url, credentials=""),
        method=module.method or "GET",
        own=own,
        private=private,
        tls=_named(tls, host or url.host),
        host=host,
        body=_body(check, module),
        repeatable=not module.body_file,
    )


def extra_headers(check: Check, headers: Mapping[str, ExtraHeader]) -> tuple[Lines, Lines]:
    """What everybody may see, and what is secret. Raises Ended when a file cannot be read."""
    own = tuple((name, value) for name, extra in headers.items() for value in extra.values)
    private = tuple(
        (name, value)
        for name, extra in headers.items()
        for value in (
            *(revealed(check, secret) for secret in extra.secrets),
            *(content_of(check, path).strip() for path in extra.files),
        )
    )
    return own, private


def authorization_of(check: Check, client: HttpClient, token: Bearer | None) -> str:
    """The Authorization header of a client block; ``""`` where it has none. `token` is that of its
    `oauth2`. Raises Ended."""
    if token is not None:
        return token.header
    if client.basic_auth is not None:
        basic = client.basic_auth
        user = basic.username or content_of(check, basic.username_file).strip()
        whole = f"{user}:{revealed(check, basic.password)}"
        return f"Basic {b64encode(whole.encode()).decode()}"
    if client.authorization is not None:
        credentials = revealed(check, client.authorization.credentials)
        return f"{client.authorization.type} {credentials}" if credentials else ""
    return ""


def _body(check: Check, module: HttpModule) -> bytes | None:
    if module.body_file:
        return content_of(check, module.body_file).encode()
    return module.body.encode() if module.body else None


def _named(tls: TlsMaterial, name: str) -> TlsMaterial:
    """The name to verify: the one configured, else the Host header's or the target's."""
    return tls if tls.server_name else replace(tls, server_name=name)


def following(asked: Asked, status: int, *, to: Url, relative: bool, pinned: str) -> Asked:
    """The request after a redirect of `status`, as Go's client makes it: 301, 302 and 303 become a
    GET without a body; the Host header stays where the location was relative; the configured
    server name stays on the first address (`pinned`, its ``host:port``)."""
    method, body, own, private = asked.method, asked.body, asked.own, asked.private
    if status in (301, 302, 303):
        body = None
        own = tuple(line for line in own if line[0].lower() not in _OF_A_BODY)
        method = method if method in ("GET", "HEAD") else "GET"
    if not _same_or_below(to.host.lower(), asked.url.host.lower()):
        own = tuple(line for line in own if line[0].lower() not in _SENSITIVE)
        private = ()
    stays = (relative and to.place == asked.url.place) or to.place == pinned
    return replace(
        asked,
        url=replace(to, credentials=""),
        method=method,
        body=body,
        own=_referred(own, asked.url, to),
        private=private,
        host=asked.host if relative else "",
        tls=asked.tls if stays else replace(asked.tls, server_name=to.host),
    )


def _same_or_below(host: str, first_host: str) -> bool:
    return host == first_host or (
        host.endswith(f".{first_host}") and not is_address(host) and not is_address(first_host)
    )


def _referred(own: Lines, last: Url, to: Url) -> Lines:
    """With the page that led here, but from a private page to an open one."""
    kept = tuple(line for line in own if line[0].lower() != "referer")
    if last.scheme == "https" and to.scheme == "http":
        return kept
    return (*kept, ("Referer", last.text))


def on_the_wire(asked: Asked, module: HttpModule, *, address: str) -> Request:
    """The request for our transport, to `address` (``""``: the proxy finds it). Through a proxy the
    address stands in the URL, as in the original, and the name in the Host header."""
    url, tls = asked.url, asked.tls
    proxied = url.at(address) if address else url.text
    proxy = proxy_for(module.client.proxy, Url.parse(proxied))
    host = asked.host or (url.place if proxy and address else "")
    lines: Lines = (*asked.own, *asked.private)
    return Request(
        proxied if proxy else url.text,
        method=asked.method,
        headers=(("Host", host), *lines) if host else lines,
        body=asked.body,
        follow=False,
        verify=tls.verify,
        ca_pem=tls.ca_pem,
        cert_pem=tls.cert_pem,
        key_pem=tls.key_pem,
        server_name=tls.server_name if url.scheme == "https" else "",
        tls_min_version=tls.minimum,
        tls_max_version=tls.maximum,
        resolve_to="" if proxy else address,
        http_version=_version(module),
        body_limit=_limit(module),
        private=frozenset(name.lower() for name, _ in asked.private),
        proxy=proxy,
        proxy_headers=tuple(
            (name, value.text)  # a file is not possible here
            for name, values in module.client.proxy.connect_header.items()
            for value in values
            if proxy
        ),
    )


def _version(module: HttpModule) -> HttpVersion:
    if module.enable_http3:
        return "3"
    return "auto" if module.client.enable_http2 else "1.1"


def _limit(module: HttpModule) -> int:
    """Bytes that are read; a compressed body is limited when it is unpacked."""
    if module.compression not in ("", "identity") or not module.body_size_limit:
        return LARGEST_BODY
    return min(module.body_size_limit, LARGEST_BODY)
