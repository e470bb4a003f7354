"""`http` modules: a URL is asked for, redirects are followed, and the last answer is judged.

The rules are looked at in the original's order: status, headers, body, JSON; then the HTTP
version and whether TLS was used. ``probe_failed_due_to_regex`` is 1 when a header or body rule
failed, also when there was no body to look at. A body is read up to 64 MiB, or as far as
`body_size_limit` says when that is less.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from sentinel.blackbox import asking, certificates
from sentinel.blackbox.address import choose, permitted
from sentinel.blackbox.bodyrules import body_rules, cel_rules, header_rules
from sentinel.blackbox.check import Check
from sentinel.blackbox.ended import Ended
from sentinel.blackbox.hops import Trip, travel
from sentinel.blackbox.module import HttpModule
from sentinel.blackbox.oauth2 import bearer
from sentinel.blackbox.reasons import Because
from sentinel.blackbox.tlsfiles import material
from sentinel.blackbox.unpacking import unpack
from sentinel.blackbox.urls import Url, is_address
from sentinel.transport.reasons import Reason
from sentinel.transport.wire import LARGEST_BODY, Exchange

PROTOCOLS: Mapping[str, str] = {
    "1.0": "HTTP/1.0",
    "1.1": "HTTP/1.1",
    "2": "HTTP/2.0",
    "3": "HTTP/3.0",
}
"""The transport's HTTP versions as `valid_http_versions` writes them."""
_ZERO_AT_FIRST = (
    "probe_http_content_length",
    "probe_http_uncompressed_body_length",
    "probe_http_redirects",
    "probe_http_ssl",
    "probe_http_status_code",
    "probe_http_version",
    "probe_failed_due_to_regex",
)
_WITHOUT_RESOLVING = ("connect", "tls", "processing", "transfer")
_UNAUTHORIZED = 401
_TIMES = ("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y")


async def probe_http(check: Check, module: HttpModule) -> str:
    """The reason why the probe failed, ``""`` for success."""
    gauges = check.gauges
    for family in _ZERO_AT_FIRST:
        gauges.set(family, 0)
    if _demands_json(module):
        gauges.set("probe_failed_due_to_cel", 0)
    url = _aim(check)
    address = await _address(check, module, url)
    tls = material(check, module.client.tls)
    for phase in _WITHOUT_RESOLVING:
        gauges.set("probe_http_duration_seconds", 0, phase=phase)
    config = module.client.oauth2
    token = await bearer(check, config) if config else None
    asked = asking.first(check, module, url, tls=tls, token=token)
    trip = await _travelled(check, module, asked, address)
    if config and token and token.kept and trip.exchange.status == _UNAUTHORIZED:
        token = await bearer(check, config, refused=token)
        asked = asking.first(check, module, url, tls=tls, token=token)
        trip = await _travelled(check, module, asked, address)
    exchange = trip.exchange
    if not trip.answered:
        check.notes.error("Error for HTTP request", err=exchange.text or exchange.reason)
        certificates.show_refused(gauges, exchange)
        return exchange.reason or Reason.protocol_error
    reason = _judged(check, module, trip)
    return _judged_encryption(check, module, trip, asked=asked, reason=reason)


async def _travelled(check: Check, module: HttpModule, asked: asking.Asked, address: str) -> Trip:
    """All hops, their times added up even when they led nowhere. Raises Ended."""
    trip = Trip()
    try:
        await travel(check, module, asked, address=address, trip=trip)
    finally:
        for phase, seconds in trip.phases.items():
            check.gauges.add("probe_http_duration_seconds", seconds, phase=phase)
    return trip


def _aim(check: Check) -> Url:
    target = check.target
    if not target.startswith(("http://", "https://")):
        target = f"http://{target}"
    try:
        return Url.parse(target)
    except ValueError as wrong:
        check.notes.error("Could not parse target URL", err=wrong)
        raise Ended(Because.invalid_target) from wrong


async def _address(check: Check, module: HttpModule, url: Url) -> str:
    """Where to connect to; ``""`` when the proxy is to find out. Raises Ended."""
    proxy = module.client.proxy
    if (
        module.skip_resolve_phase_with_proxy
        and proxy.proxy_url
        and not proxy.proxy_from_environment
    ):
        if is_address(url.host) and not permitted(check, url.host):
            raise Ended(Because.address_refused)
        return ""
    began = check.transport.now()
    address, reason = await choose(check, url.host, module.ip)
    spent = check.transport.now() - began
    check.gauges.add("probe_http_duration_seconds", spent, phase="resolve")
    if reason:
        raise Ended(reason)
    return address


def _demands_json(module: HttpModule) -> bool:
    return bool(module.fail_if_body_json_matches_cel or module.fail_if_body_json_not_matches_cel)


# The answer


def _judged(check: Check, module: HttpModule, trip: Trip) -> str:
    exchange, gauges, notes = trip.exchange, check.gauges, check.notes
    notes.info("Received HTTP response", status_code=exchange.status)
    gauges.set("probe_http_status_code", exchange.status)
    gauges.set("probe_http_content_length", content_length(exchange, module.method))
    gauges.set("probe_http_version", float(exchange.http_version or 0))
    dated = exchange.header("last-modified")
    modified = _time_of(dated) if dated else None
    if modified is not None:
        gauges.set("probe_http_last_modified_timestamp_seconds", modified)
    reason = _status(check, module, exchange.status)
    if not reason:
        reason = header_rules(module, exchange.headers, notes)
        gauges.set("probe_failed_due_to_regex", int(bool(reason)))
    body, problem = _body(check, module, trip)
    if not reason and (
        module.fail_if_body_matches_regexp or module.fail_if_body_not_matches_regexp
    ):
        reason = _unread(check, problem) or body_rules(module, body, notes)
        gauges.set("probe_failed_due_to_regex", int(bool(reason)))
    if not reason and _demands_json(module):
        reason = _unread(check, problem) or cel_rules(module, body, notes)
        gauges.set("probe_failed_due_to_cel", int(bool(reason)))
    if problem and not trip.refused:
        notes.info("Failed to read HTTP response body", err=exchange.text or problem)
        reason = reason or problem
    protocol = PROTOCOLS.get(exchange.http_version, "")
    if module.valid_http_versions and protocol not in module.valid_http_versions:
        notes.error("Invalid HTTP version number", version=protocol)
        reason = reason or Because.unexpected_version
    return reason


def _status(check: Check, module: HttpModule, status: int) -> str:
    if module.valid_status_codes:
        if status in module.valid_status_codes:
            return ""
        valid = " ".join(map(str, module.valid_status_codes))
        check.notes.info(
            "Invalid HTTP response status code", status_code=status, valid_status_codes=f"[{valid}]"
        )
    elif 200 <= status < 300:
        return ""
    else:
        check.notes.info("Invalid HTTP response status code, wanted 2xx", status_code=status)
    return Because.unexpected_status


def _unread(check: Check, problem: str) -> str:
    if problem:
        check.notes.error("Error reading HTTP body", err=problem)
    return problem


def _body(check: Check, module: HttpModule, trip: Trip) -> tuple[bytes, str]:
    """The body as the rules see it, and why it is not whole. That of a redirect which was not
    followed is not read."""
    if trip.refused:
        return b"", Reason.redirect_refused
    exchange = trip.exchange
    body, counted, problem = exchange.body, len(exchange.body), str(exchange.reason or "")
    if module.compression in ("gzip", "br", "deflate"):
        limit = min(module.body_size_limit or LARGEST_BODY, LARGEST_BODY)
        unpacked = unpack(body, module.compression, limit=limit, whole=not problem)
        body, counted = unpacked.body, unpacked.counted
        if unpacked.problem and not problem:
            check.notes.info("Failed to decompress HTTP response body", err=unpacked.problem)
            problem = Reason.body_too_large if unpacked.too_large else Reason.decode_error
    check.gauges.set("probe_http_uncompressed_body_length", counted)
    return body, problem


def _judged_encryption(
    check: Check, module: HttpModule, trip: Trip, *, asked: asking.Asked, reason: str
) -> str:
    encrypted = trip.exchange.encrypted
    if encrypted:
        check.gauges.set("probe_http_ssl", 1)
        certificates.show(
            check.gauges, trip.exchange, authorities=asked.tls.authorities, cipher=True
        )
    if encrypted and module.fail_if_ssl:
        check.notes.error("Final request was over SSL")
        return reason or Because.encrypted
    if not encrypted and module.fail_if_not_ssl and not reason:
        check.notes.error("Final request was not over SSL")
        return Because.not_encrypted
    return reason


def content_length(exchange: Exchange, method: str) -> int:
    """The length that the head tells, as Go reads it: -1 when chunked or not told, 0 where there
    can be no body."""
    if exchange.status < 200 or exchange.status in (204, 304):
        return 0
    if "chunked" in exchange.header("transfer-encoding").lower():
        return -1
    told = exchange.content_length
    streams = exchange.http_version in ("2", "3")  # there the end of a body is part of the head
    return 0 if told < 0 and streams and not exchange.body and method != "HEAD" else told


@lru_cache(maxsize=4096)
def _time_of(text: str) -> float | None:
    """An HTTP date in any of its three forms (RFC 9110, 5.6.7), in seconds since 1970."""
    for form in _TIMES:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    return None
