"""From the first request to the last answer: redirects as Go's client follows them.

At most ten, each to an address that is resolved and allowed anew, cookies kept for the probe.
Go connects to whichever of a redirect's addresses answers; here they are tried in turn.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from msgspec.structs import replace

from sentinel.blackbox.address import permitted, preferred, resolved
from sentinel.blackbox.asking import Asked, following, on_the_wire
from sentinel.blackbox.check import Check
from sentinel.blackbox.ended import Ended
from sentinel.blackbox.module import HttpModule
from sentinel.blackbox.reasons import Because
from sentinel.blackbox.urls import Url, joined
from sentinel.transport.curl import CookieJar
from sentinel.transport.reasons import Reason
from sentinel.transport.redirects import FOLLOWED, location_of
from sentinel.transport.wire import Exchange

MOST_REDIRECTS = 10
_MOST_ADDRESSES = 4
_CONNECTING = (Reason.connect_refused, Reason.connect_unreachable, Reason.connect_timeout)


@dataclass(slots=True)
class Trip:
    """All hops of one probe. `exchange` is the last one; `refused` says that it was a redirect which
    was not followed, and why is a note. `phases` are sums, but `transfer`, the last hop's."""

    exchange: Exchange = field(default_factory=lambda: Exchange(""))
    redirects: int = 0
    refused: bool = False
    phases: dict[str, float] = field(default_factory=dict)

    @property
    def answered(self) -> bool:
        """Whether a whole head came from the last hop; its body may have failed."""
        return answered(self.exchange)


def answered(exchange: Exchange) -> bool:
    """Whether a whole head came."""
    return exchange.status > 0 and exchange.head.endswith((b"\r\n\r\n", b"\n\n"))


async def travel(
    check: Check, module: HttpModule, asked: Asked, *, address: str, trip: Trip
) -> None:
    """Ask at `address` (``""``: through the proxy) and follow redirects; what came of it is in `trip`.
    Raises Ended when a redirect leads where nobody can be asked."""
    jar = CookieJar(for_redirects=True)
    pinned = joined(address, asked.url.port)
    addresses: Sequence[str] = (address,)
    for _ in range(MOST_REDIRECTS + 1):
        await _ask(check, module, asked, addresses, trip, jar)
        location = location_of(trip.exchange) if trip.answered else ""
        if not location or not _followable(asked, trip.exchange.status):
            return
        written = trip.exchange.header("location")
        check.notes.info("Received redirect", location=written)
        to = _parsed(check, location)
        trip.redirects += 1
        check.gauges.set("probe_http_redirects", trip.redirects)
        if trip.redirects > MOST_REDIRECTS or not module.client.follow_redirects:
            check.notes.info("Not following redirect")
            trip.refused = True
            return
        _refuse_others(check, to)
        relative = not urlsplit(written).scheme
        stays = relative and to.place == asked.url.place
        asked = following(asked, trip.exchange.status, to=to, relative=relative, pinned=pinned)
        if not stays and addresses != ("",):
            addresses = await _addresses(check, module, to.host, trip)


def _followable(asked: Asked, status: int) -> bool:
    return status in FOLLOWED and (status < 307 or asked.body is None or asked.repeatable)


def _parsed(check: Check, location: str) -> Url:
    """Where a redirect leads. One that is no URL does not count as one, in the original."""
    try:
        return Url.parse(location)
    except ValueError as wrong:
        check.notes.error("Error for HTTP request", err=f"failed to parse Location header: {wrong}")
        raise Ended(Reason.redirect_refused) from wrong


def _refuse_others(check: Check, to: Url) -> None:
    if to.scheme not in ("http", "https") or not to.host:
        check.notes.error(
            "Error for HTTP request", err=f'unsupported protocol scheme "{to.scheme}"'
        )
        raise Ended(Reason.redirect_refused)


async def _addresses(check: Check, module: HttpModule, host: str, trip: Trip) -> Sequence[str]:
    """Where a redirect's host is, those of the preferred family first. Raises Ended."""
    began = check.transport.now()
    found = await resolved(check, host)
    spent = check.transport.now() - began
    trip.phases["resolve"] = trip.phases.get("resolve", 0.0) + spent
    if isinstance(found, Reason):
        check.notes.error("Error for HTTP request", err=f"lookup {host}: {found}")
        raise Ended(found)
    ordered = preferred(found, module.ip)[:_MOST_ADDRESSES]
    allowed = tuple(address for address in ordered if permitted(check, address))
    if not allowed:
        raise Ended(Because.address_refused)
    return allowed


async def _ask(
    check: Check,
    module: HttpModule,
    asked: Asked,
    addresses: Sequence[str],
    trip: Trip,
    jar: CookieJar,
) -> None:
    """One hop, at the first of the addresses where somebody listens."""
    for address in addresses:
        request = on_the_wire(asked, module, address=address)
        check.notes.info(
            "Making HTTP request", url=asked.url.text, host=asked.host or asked.url.place
        )
        exchange = await check.transport.fetch(request, check.deadline, jar=jar)
        trip.exchange = _with_whole_lines(exchange)
        if trip.exchange.reason not in _CONNECTING:
            break
    _time(check, trip)


def _with_whole_lines(exchange: Exchange) -> Exchange:
    """Some servers end the lines of a head with a mere line feed, which every client takes."""
    head = exchange.head
    if head.count(b"\n") == head.count(b"\r\n"):
        return exchange
    return replace(exchange, head=head.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))


def _time(check: Check, trip: Trip) -> None:
    """Add the hop's phases, as far as it came: without a connection none counts, nor does the
    waiting for an answer that never began."""
    phases = trip.exchange.phases
    check.notes.info("Response timings for roundtrip", roundtrip=trip.redirects, **phases)
    counted: tuple[str, ...] = ()
    if phases.get("processing") or trip.answered:
        counted = ("connect", "tls", "processing") if trip.answered else ("connect", "tls")
    for name in counted:
        trip.phases[name] = trip.phases.get(name, 0.0) + phases.get(name, 0.0)
    trip.phases["transfer"] = phases.get("transfer", 0.0) if trip.answered else 0.0
