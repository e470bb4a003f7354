"""How a request becomes libcurl's options: what is set once for a shape of requests, and where
libcurl is sent for one of them.

Nothing of the machine is used but its authorities: no proxy, cookie or credential. Values that
could become another header or another request on the wire are refused beforehand.
"""

import re
import ssl
from collections.abc import Sequence
from functools import cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import pycurl

from sentinel.transport.wire import Request, encoded
from sentinel.words import shortened

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_LINE_END = re.compile(r"[\r\n\x00]")
_SUPPRESS_CONNECT_HEADERS = 265  # CURLOPT_SUPPRESS_CONNECT_HEADERS, which pycurl has no name for
_OF_PROXY = {pycurl.CAINFO: pycurl.PROXY_CAINFO, pycurl.CAPATH: pycurl.PROXY_CAPATH}
_IP = {
    "any": pycurl.IPRESOLVE_WHATEVER,
    "4": pycurl.IPRESOLVE_V4,
    "6": pycurl.IPRESOLVE_V6,
    "prefer_4": pycurl.IPRESOLVE_V4,  # the other one is asked when there is no such address
    "prefer_6": pycurl.IPRESOLVE_V6,
}
_VERSIONS = {
    "auto": pycurl.CURL_HTTP_VERSION_2TLS,
    "1.0": pycurl.CURL_HTTP_VERSION_1_0,
    "1.1": pycurl.CURL_HTTP_VERSION_1_1,
    "2": pycurl.CURL_HTTP_VERSION_2TLS,
    "2-only": pycurl.CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE,
    "3": pycurl.CURL_HTTP_VERSION_3ONLY,
}
_TLS_MIN = {
    "": pycurl.SSLVERSION_DEFAULT,
    "1.0": pycurl.SSLVERSION_TLSv1_0,
    "1.1": pycurl.SSLVERSION_TLSv1_1,
    "1.2": pycurl.SSLVERSION_TLSv1_2,
    "1.3": pycurl.SSLVERSION_TLSv1_3,
}
_TLS_MAX = {
    "": 0,
    "1.0": pycurl.SSLVERSION_MAX_TLSv1_0,
    "1.1": pycurl.SSLVERSION_MAX_TLSv1_1,
    "1.2": pycurl.SSLVERSION_MAX_TLSv1_2,
    "1.3": pycurl.SSLVERSION_MAX_TLSv1_3,
}
_OLD = frozenset({"1.0", "1.1"})
PROXIES = frozenset({"http", "https", "socks4", "socks4a", "socks5", "socks5h"})
"""Schemes of a proxy's URL."""


def check(request: Request) -> None:
    """Refuse what could become another header or another request on the wire. Raises ValueError."""
    if not _TOKEN.fullmatch(request.method):
        raise ValueError(f"`{shortened(request.method, 40)}` is not a method")
    said = (*request.headers, *request.proxy_headers, ("User-Agent", request.user_agent))
    for name, value in said:
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"`{shortened(name, 40)}` is not a header name")
        if _LINE_END.search(value):
            raise ValueError(f"the value of header `{name}` holds a line end")
    for address in (request.resolve_to, request.source_ip):
        if address:
            ip_address(address)
    if request.proxy and urlsplit(request.proxy).scheme.lower() not in PROXIES:
        raise ValueError("the proxy's URL does not begin with http, https or socks")


def secure(request: Request) -> bool:
    """Whether it is asked over TLS."""
    return request.url[:6].lower() == "https:"


def named_otherwise(request: Request) -> str:
    """The host and port of the URL, where the server is to be called by another name in the
    handshake; else ``""``."""
    if not request.server_name or not secure(request):
        return ""
    return urlsplit(request.url).netloc.rpartition("@")[2]


def spoken(request: Request) -> str:
    """The URL for libcurl, which takes from it whom to ask for in the handshake."""
    url = encoded(request.url)
    if not named_otherwise(request):
        return url
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    port = f":{parts.port}" if parts.port else ""
    return parts._replace(netloc=f"{user}{at}{_bracketed(request.server_name)}{port}").geturl()


def elsewhere(request: Request) -> list[str]:
    """Where the request's own origin is found, when that is not where its URL leads."""
    if request.connect_to:
        return [f"::{request.connect_to}"]
    if request.resolve_to:
        return [f"::{_bracketed(request.resolve_to)}:"]
    if named_otherwise(request):
        return [f"::{_bracketed(urlsplit(request.url).hostname or '')}:"]
    return []


def preset(curl: Any, request: Request) -> None:
    """Set all that requests of one shape share. Raises pycurl.error and ValueError."""
    _preset_plain(curl, request)
    if request.proxy:
        _preset_proxy(curl, request)
    if secure(request):
        _preset_tls(curl, request)


def _preset_plain(curl: Any, request: Request) -> None:
    curl.setopt(pycurl.NOSIGNAL, 1)
    curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    curl.setopt(pycurl.FOLLOWLOCATION, 0)
    curl.setopt(pycurl.PROXY, "")
    curl.setopt(pycurl.NETRC, pycurl.NETRC_IGNORED)
    curl.setopt(pycurl.FRESH_CONNECT, 1)
    curl.setopt(pycurl.FORBID_REUSE, 1)
    curl.setopt(pycurl.DNS_CACHE_TIMEOUT, 0)
    curl.setopt(pycurl.COOKIEFILE, "")
    curl.setopt(pycurl.IPRESOLVE, _family(request))
    curl.setopt(pycurl.HTTP_VERSION, _version(request))
    if request.source_ip:
        curl.setopt(pycurl.INTERFACE, f"host!{request.source_ip}")
    if request.unix_socket:
        curl.setopt(pycurl.UNIX_SOCKET_PATH, request.unix_socket)
    curl.setopt(pycurl.USERAGENT, request.user_agent)
    if request.compression:
        curl.setopt(pycurl.ENCODING, request.compression)
    if request.method == "HEAD":
        curl.setopt(pycurl.NOBODY, 1)
    elif request.body is not None:
        curl.setopt(pycurl.POST, 1)
        curl.setopt(pycurl.CUSTOMREQUEST, request.method)
    elif request.method != "GET":
        curl.setopt(pycurl.CUSTOMREQUEST, request.method)
    lines = _header_list(request)
    if lines:
        curl.setopt(pycurl.HTTPHEADER, lines)


def _header_list(request: Request) -> list[str]:
    """Header lines as libcurl takes them: ``Name;`` is an empty value, ``Name:`` none at all."""
    lines = _lines(request.headers)
    if request.body is not None:
        named = {name.lower() for name, _ in request.headers}
        lines += [f"{n}:" for n in ("Expect", "Content-Type") if n.lower() not in named]
    host = named_otherwise(request)
    if host and not any(name.lower() == "host" for name, _ in request.headers):
        lines.append(f"Host: {host}")
    return lines


def _lines(headers: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{name}: {value}" if value else f"{name};" for name, value in headers]


def _preset_proxy(curl: Any, request: Request) -> None:
    """The proxy's own certificate is verified as the server's is, against the same authorities."""
    curl.setopt(pycurl.PROXY, request.proxy)
    curl.setopt(pycurl.NOPROXY, request.no_proxy)
    curl.setopt(_SUPPRESS_CONNECT_HEADERS, 1)
    if request.proxy_headers:
        curl.setopt(pycurl.PROXYHEADER, _lines(request.proxy_headers))
    curl.setopt(pycurl.PROXY_SSL_VERIFYPEER, 1 if request.verify else 0)
    curl.setopt(pycurl.PROXY_SSL_VERIFYHOST, 2 if request.verify else 0)
    if request.ca_pem:
        curl.setopt(pycurl.PROXY_CAINFO_BLOB, request.ca_pem.encode())
    elif request.ca_file:
        curl.setopt(pycurl.PROXY_CAINFO, request.ca_file)
    else:
        for option, path in trusted():
            curl.setopt(_OF_PROXY[option], path)


def _preset_tls(curl: Any, request: Request) -> None:
    curl.setopt(pycurl.SSL_SESSIONID_CACHE, 0)
    curl.setopt(pycurl.OPT_CERTINFO, 1)
    curl.setopt(pycurl.SSL_VERIFYPEER, 1 if request.verify else 0)
    curl.setopt(pycurl.SSL_VERIFYHOST, 2 if request.verify else 0)
    limits = _TLS_MIN[request.tls_min_version] | _TLS_MAX[request.tls_max_version]
    if limits:
        curl.setopt(pycurl.SSLVERSION, limits)
    if request.tls_min_version in _OLD:
        curl.setopt(pycurl.SSL_CIPHER_LIST, "DEFAULT@SECLEVEL=0")  # OpenSSL refuses them otherwise
    if request.ca_pem:
        curl.setopt(pycurl.CAINFO_BLOB, request.ca_pem.encode())
    elif request.ca_file:
        curl.setopt(pycurl.CAINFO, request.ca_file)
    else:
        for option, path in trusted():
            curl.setopt(option, path)
    _preset_client(curl, request)


def _preset_client(curl: Any, request: Request) -> None:
    """The client's certificate and key, each as text or as a file; one file may hold both."""
    if request.cert_pem:
        curl.setopt(pycurl.SSLCERT_BLOB, request.cert_pem.encode())
    elif request.cert_file:
        curl.setopt(pycurl.SSLCERT, request.cert_file)
    else:
        return
    if request.key_pem:
        curl.setopt(pycurl.SSLKEY_BLOB, request.key_pem.encode())
    elif request.key_file or not request.cert_pem:
        curl.setopt(pycurl.SSLKEY, request.key_file or request.cert_file)
    else:
        curl.setopt(pycurl.SSLKEY_BLOB, request.cert_pem.encode())


def _family(request: Request) -> int:
    """Which addresses a name may have; the ones that our own end of the connection can talk to."""
    if request.resolve_to:
        return int(pycurl.IPRESOLVE_WHATEVER)
    if request.ip == "any" and request.source_ip:
        return int(_IP[str(ip_address(request.source_ip).version)])
    return int(_IP[request.ip])


def _version(request: Request) -> int:
    """Over plain text nothing can be offered: who wants 2 speaks it at once (RFC 9113, 3.3)."""
    if request.http_version == "2" and not secure(request):
        return int(pycurl.CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE)
    return int(_VERSIONS[request.http_version])


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


@cache
def trusted() -> tuple[tuple[int, str], ...]:
    """Where this machine keeps the authorities it trusts (``SSL_CERT_FILE`` and ``SSL_CERT_DIR``
    win): the library brings none of its own."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        return ((pycurl.CAINFO, paths.cafile),)
    return ((pycurl.CAPATH, paths.capath),) if paths.capath else ()
