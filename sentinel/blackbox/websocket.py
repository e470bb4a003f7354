"""`websocket` modules: an upgrade, and a dialogue of messages.

The upgrade is asked for over one connection, through a proxy where the client block names one. A
redirect is an answer like any other that is no upgrade; `follow_redirects` and `enable_http2`
change nothing, nor does `starttls` of an entry.
"""

from sentinel.blackbox.address import choose
from sentinel.blackbox.asking import Lines, authorization_of, extra_headers
from sentinel.blackbox.check import Check
from sentinel.blackbox.dialogue import label
from sentinel.blackbox.ended import Ended
from sentinel.blackbox.matching import expanded, found, readable
from sentinel.blackbox.module import Exchanged, WebsocketModule
from sentinel.blackbox.oauth2 import bearer
from sentinel.blackbox.reasons import Because
from sentinel.blackbox.securing import secured
from sentinel.blackbox.tlsfiles import material
from sentinel.blackbox.tunnel import connected
from sentinel.blackbox.urls import Url
from sentinel.transport.connection import Connection
from sentinel.transport.reasons import Reason
from sentinel.transport.websocket import Closed, WebSocket, upgrade

_PHASES = ("resolve", "connect", "processing", "transfer")


async def probe_websocket(check: Check, module: WebsocketModule) -> str:
    """The target is a URL, ``ws`` or ``wss`` (``http`` and ``https`` mean the same)."""
    gauges = check.gauges
    gauges.set("probe_websocket_status_code", 0)
    gauges.set("probe_websocket_connection_upgraded", 0)
    for phase in _PHASES:
        gauges.set("probe_websocket_duration_seconds", 0, phase=phase)
    if module.query_response:
        gauges.set("probe_websocket_failed_due_to_regex", 0)
    url = _aim(check)
    began = check.transport.now()
    address, reason = await choose(check, url.host, module.ip)
    if reason:
        return reason
    resolved = check.transport.now()
    gauges.set("probe_websocket_duration_seconds", resolved - began, phase="resolve")
    connection = await connected(check, module.client.proxy, url, address)
    try:
        return await _upgraded(check, module, url, connection)
    finally:
        connection.close()


def _aim(check: Check) -> Url:
    try:
        url = Url.parse(check.target)
    except ValueError as wrong:
        check.notes.error("Could not parse target URL", err=wrong)
        raise Ended(Because.invalid_target) from wrong
    if url.scheme not in ("ws", "wss", "http", "https") or not url.host:
        check.notes.error("Error dialing websocket", err="malformed ws or wss URL")
        raise Ended(Because.invalid_target)
    scheme = "wss" if url.scheme in ("wss", "https") else "ws"
    return Url(scheme, url.host, url.port, url.rest, url.credentials)


async def _upgraded(check: Check, module: WebsocketModule, url: Url, connection: Connection) -> str:
    gauges, notes = check.gauges, check.notes
    began = check.transport.now()
    reason: str = connection.exchange.reason or ""
    connect = connection.exchange.phases.get("connect", 0.0)
    if not reason and url.scheme == "wss":
        tls = material(check, module.client.tls)
        reason = await secured(check, connection, tls, name=url.host, shown=False)
        connect += check.transport.now() - began
    gauges.set("probe_websocket_duration_seconds", connect, phase="connect")
    if reason:
        notes.error("Error dialing websocket", err=connection.exchange.text or reason)
        return reason
    headers = await _headers(check, module, url)
    socket = await upgrade(connection, url.text, check.deadline, headers=headers)
    exchange = socket.exchange
    processing = exchange.phases.get("processing", 0.0)
    gauges.set("probe_websocket_duration_seconds", processing, phase="processing")
    gauges.set("probe_websocket_status_code", exchange.status)
    if not socket.upgraded:
        notes.error("Error dialing websocket", err=exchange.text or "bad handshake")
        return exchange.reason or Because.not_upgraded
    gauges.set("probe_websocket_connection_upgraded", 1)
    talked = check.transport.now()
    reason = await _talk(check, module, socket)
    spent = check.transport.now() - talked
    gauges.set("probe_websocket_duration_seconds", spent, phase="transfer")
    return reason


async def _headers(check: Check, module: WebsocketModule, url: Url) -> Lines:
    own, private = extra_headers(check, {**module.client.http_headers, **module.headers})
    lines = (*own, *private)
    if any(name.lower() == "authorization" for name, _ in lines):
        return lines
    config = module.client.oauth2
    token = await bearer(check, config) if config else None
    authorization = url.basic() or authorization_of(check, module.client, token)
    return (*lines, ("Authorization", authorization)) if authorization else lines


async def _talk(check: Check, module: WebsocketModule, socket: WebSocket) -> str:
    for number, entry in enumerate(module.query_response):
        check.notes.debug("Processing query response entry", entry_number=number)
        reason = await _turn(check, entry, socket)
        if reason:
            check.gauges.set("probe_websocket_failed_due_to_regex", 1)
            return reason
    return ""


async def _turn(check: Check, entry: Exchanged, socket: WebSocket) -> str:
    """One message is expected, and must fit; then one is sent."""
    send = entry.send
    if entry.expect or entry.expect_bytes:
        message = await socket.receive(check.deadline)
        if isinstance(message, Reason | Closed):
            check.notes.error("Error reading message", err=message)
            return message if isinstance(message, Reason) else Because.unexpected_line
        content = message.encode() if isinstance(message, str) else message
        if entry.expect_bytes and content != entry.expect_bytes.encode():
            check.notes.error("Bytes did not match", expected=entry.expect_bytes, bytes=content)
            return Because.unexpected_bytes
        if entry.expect:
            match = found(entry.expect, readable(content))
            if not match:
                check.notes.error("Regexp did not match", regexp=entry.expect, line=content)
                return Because.unexpected_line
            check.notes.debug("regexp matched", regexp=entry.expect, line=content)
            send = expanded(send, match)
            label(check, entry, match)
    if send:
        lost = await socket.send(send, check.deadline)
        if lost is not None:
            check.notes.error("Error sending message", err=lost)
            return lost
        check.notes.debug("message sent", message=send)
    return ""
