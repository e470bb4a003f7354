"""Through which proxy a URL is asked: `proxy_url`, `no_proxy`, or the environment's, as in Go.

Where a `no_proxy` list is looked at, this machine itself (``localhost``, loopback addresses) is
always asked directly.
"""

import os
from ipaddress import ip_address, ip_network

from sentinel.blackbox.module import ProxyConfig
from sentinel.blackbox.urls import Url, is_address

_MOST_ENTRIES = 1000


def proxy_for(config: ProxyConfig, url: Url) -> str:
    """The proxy's URL, ``""`` to ask directly. `url` is what is asked, as it goes on the wire."""
    if config.proxy_from_environment:
        proxy, direct = _of_environment(url.scheme), _environment("NO_PROXY")
        return "" if not proxy or _spared(direct, url) else proxy
    if config.proxy_url and config.no_proxy:
        return "" if _spared(config.no_proxy, url) else config.proxy_url
    return config.proxy_url


def _of_environment(scheme: str) -> str:
    if scheme == "http" and os.environ.get("REQUEST_METHOD"):
        return ""  # a CGI server's HTTP_PROXY comes from its client's `Proxy:` header
    proxy = _environment("HTTPS_PROXY" if scheme == "https" else "HTTP_PROXY")
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


def _environment(name: str) -> str:
    return os.environ.get(name) or os.environ.get(name.lower()) or ""


def _spared(listed: str, url: Url) -> bool:
    host = url.host.lower().rstrip(".")
    if host == "localhost" or (is_address(host) and ip_address(host).is_loopback):
        return True
    entries = (entry.strip().lower() for entry in listed.split(",")[:_MOST_ENTRIES])
    return any(_fits(entry, host, str(url.connect_port)) for entry in entries if entry)


def _fits(entry: str, host: str, port: str) -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        return is_address(host) and _within(host, entry)
    if not is_address(entry.strip("[]")) and ":" in entry:
        entry, _, wanted = entry.rpartition(":")
        if wanted != port:
            return False
    entry = entry.strip("[]")
    if is_address(entry):
        return is_address(host) and ip_address(entry) == ip_address(host)
    if entry.startswith("*."):
        entry = entry[1:]
    return (
        host.endswith(entry)
        if entry.startswith(".")
        else host == entry or host.endswith(f".{entry}")
    )


def _within(host: str, network: str) -> bool:
    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:
        return False
