"""A connection through an HTTP proxy (CONNECT, RFC 9110, 9.3.6), for what is not HTTP itself."""

import re

from sentinel.blackbox.check import Check
from sentinel.blackbox.ended import Ended
from sentinel.blackbox.module import ProxyConfig
from sentinel.blackbox.proxying import proxy_for
from sentinel.blackbox.reasons import Because
from sentinel.blackbox.tlsfiles import revealed
from sentinel.blackbox.urls import Url, joined
from sentinel.transport.connection import Connection
from sentinel.transport.reasons import Reason

_MOST_HEAD = 64 * 1024
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")
_LINE_END = re.compile(r"[\r\n\x00]")


async def connected(check: Check, config: ProxyConfig, url: Url, address: str) -> Connection:
    """A connection to `address` and the port of `url`, through the proxy where there is one. Its
    `exchange.reason` says when nobody could be reached; close it. Raises Ended when the proxy
    refuses, or is of a kind that is not spoken here."""
    proxy = proxy_for(config, Url("http" if url.scheme == "ws" else "https", address, url.port, ""))
    if not proxy:
        return await check.transport.connect(address, url.connect_port, check.deadline)
    via = Url.parse(proxy)
    if via.scheme != "http":
        check.notes.error("Error dialing", err=f"no tunnel through a proxy of kind {via.scheme}")
        raise Ended(Because.unsupported)
    connection = await check.transport.connect(via.host, via.connect_port, check.deadline)
    if connection.exchange.reason is not None:
        return connection
    try:
        asked = _asked(check, config, via, joined(address, str(url.connect_port)))
        status = await _answer(check, connection, asked)
        if not 200 <= status < 300:
            check.notes.error("Error dialing", err=f"the proxy answered {status}")
            raise Ended(Reason.proxy_refused)
    except BaseException:
        connection.close()
        raise
    return connection


def _asked(check: Check, config: ProxyConfig, via: Url, place: str) -> bytes:
    lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}"]
    if via.credentials:
        lines.append(f"Proxy-Authorization: {via.basic()}")
    for name, values in config.connect_header.items():
        lines += [f"{name}: {revealed(check, value)}" for value in values]
    if any(_LINE_END.search(line) for line in lines):
        check.notes.error("Error dialing", err="a header for the proxy holds a line end")
        raise Ended(Reason.invalid_request)
    return "\r\n".join((*lines, "", "")).encode()


async def _answer(check: Check, connection: Connection, asked: bytes) -> int:
    """The status; what is said after the head would be the target's, which does not speak first."""
    lost = await connection.send(asked, check.deadline)
    came = b""
    while lost is None and b"\r\n\r\n" not in came:  # bounded by `_MOST_HEAD` and the deadline
        chunk = await connection.receive(check.deadline)
        if isinstance(chunk, Reason):
            lost = chunk
        elif not chunk:
            lost = Reason.empty_reply
        else:
            came += chunk
            lost = Reason.headers_too_large if len(came) > _MOST_HEAD else None
    status = _STATUS.match(came)
    if lost is not None or status is None:
        check.notes.error("Error dialing", err=f"the proxy: {lost or 'no HTTP'}")
        raise Ended(lost or Reason.protocol_error)
    return int(status[1])
