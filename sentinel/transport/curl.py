"""HTTP, and raw connections: the one place of Sentinel that opens sockets to shops.

HTTP goes over libcurl, and what is plain over a lane of our own that says the same for less
(`transport.lane`); raw connections are our own sockets.

A `Transport` belongs to one running event loop. Its promises to every caller: nothing that a
server does raises (the `Exchange` says what happened, with a reason of a closed set), nothing
outlives its deadline, and nothing is read beyond the limits that the request states.

    async with Transport() as transport:
        exchange = await transport.fetch(Request("https://shop.example/"), transport.now() + 10)
"""

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal

import pycurl
from msgspec.structs import replace

from sentinel.transport import redirects
from sentinel.transport.answer import read
from sentinel.transport.connection import Connection, Peer, connected
from sentinel.transport.cookies import set_by
from sentinel.transport.flow import Flow
from sentinel.transport.ftp import FtpAnswered, FtpAsked, converse
from sentinel.transport.handle import Handle, Pool
from sentinel.transport.lane import Lane
from sentinel.transport.lookup import Lookup
from sentinel.transport.ping import Pinger
from sentinel.transport.poller import Poller
from sentinel.transport.reasons import Reason
from sentinel.transport.sockets import Sockets
from sentinel.transport.udp import UdpSockets
from sentinel.transport.wire import PHASES, Exchange, Hop, IpVersion, Request
from sentinel.words import shortened

LaneChoice = Literal["auto", "curl", "own"]
Sink = Callable[[bytes], Awaitable[None]]
"""Takes a good answer's body chunk by chunk (at most 16 KiB decoded at a time). While it works
the server is made to wait; what it raises ends the transfer and is raised by `fetch`."""

_OTHER: Mapping[IpVersion, IpVersion] = {"prefer_4": "6", "prefer_6": "4"}


class CookieJar:
    """The cookies of one visitor, for as long as the value lives; never on disk, never shared by
    itself. libcurl decides which cookie goes where (RFC 6265, public suffixes)."""

    def __init__(self, *, for_redirects: bool = False) -> None:
        """`for_redirects`: after an answer that is no redirect nobody will ask what it set, so that
        our own lane may ask too."""
        self.lines: list[bytes] = []
        self.for_redirects = for_redirects


@dataclass(slots=True)
class Visitor:
    """Somebody who goes from page to page: `base` is where relative URLs begin, `page` the page
    last seen (``""``: none yet), which becomes the Referer."""

    base: str
    jar: CookieJar = field(default_factory=CookieJar)
    page: str = ""


class Transport:
    """All sockets of a node. Start and close it on the loop that uses it."""

    def __init__(self, *, lane: LaneChoice = "auto") -> None:
        """`lane` is for tests and comparisons: ``curl`` leaves our own lane out, ``own`` takes it
        for all that it can (see `transport.lane`)."""
        self._choice = lane
        self._lane: Lane | None = None
        self._sockets: Sockets | None = None
        self._poller: Poller | None = None
        self._lookup: Lookup | None = None
        self._pinger: Pinger | None = None
        self._udp: UdpSockets | None = None
        self._pool = Pool()

    def start(self) -> None:
        """Begin on the running loop. Raises RuntimeError outside one."""
        if self._sockets is None:
            self._sockets = Sockets()
            self._lookup = Lookup()
            self._pinger = Pinger(self._sockets)
            self._udp = UdpSockets(self._sockets)
            self._poller = Poller(self._sockets)
            if self._choice != "curl":
                self._lane = Lane(self._sockets, self._lookup, always=self._choice == "own")

    async def close(self) -> None:
        """Give up what is under way (its callers see ``client_failed``) and free everything."""
        self._lane = None
        poller, self._poller = self._poller, None
        sockets, self._sockets = self._sockets, None
        lookup, self._lookup = self._lookup, None
        pinger, self._pinger = self._pinger, None
        udp, self._udp = self._udp, None
        if poller is None or sockets is None or lookup is None or pinger is None or udp is None:
            return
        poller.detach()
        pinger.close()
        udp.close()
        sockets.close()
        lookup.close()
        self._pool.close()
        await asyncio.to_thread(poller.close)

    async def __aenter__(self) -> "Transport":
        self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def hear(self) -> None:
        """What came for whom, told between two others' turns on the loop (`Sockets.hear`): who
        starts much at once schedules it in between. Nothing when not started."""
        if self._sockets is not None:
            self._sockets.hear()

    @property
    def under_way(self) -> int:
        """How many transfers and raw connections there are now."""
        transfers = len(self._poller) if self._poller is not None else 0
        return transfers + (self._sockets.kept if self._sockets is not None else 0)

    @property
    def sockets(self) -> Sockets:
        """The set that every socket of the node is in. Raises RuntimeError when not started."""
        if self._sockets is None:
            raise RuntimeError("the transport is not started")
        return self._sockets

    @property
    def lookup(self) -> Lookup:
        """Who looks names up. Raises RuntimeError when not started."""
        if self._lookup is None:
            raise RuntimeError("the transport is not started")
        return self._lookup

    @property
    def pinger(self) -> Pinger:
        """Who sends echo requests. Raises RuntimeError when not started."""
        if self._pinger is None:
            raise RuntimeError("the transport is not started")
        return self._pinger

    @property
    def udp(self) -> UdpSockets:
        """Who lends UDP sockets. Raises RuntimeError when not started."""
        if self._udp is None:
            raise RuntimeError("the transport is not started")
        return self._udp

    @staticmethod
    def now() -> float:
        """Seconds on the clock that deadlines are on: monotonic, the event loop's own."""
        return time.monotonic()

    async def fetch(
        self,
        request: Request,
        deadline: float,
        *,
        sink: Sink | None = None,
        jar: CookieJar | None = None,
    ) -> Exchange:
        """Ask, follow redirects, answer with what happened. Never raises for a sick server.

        With a `sink` the body of a 2xx answer goes there and not into the exchange, at flat
        memory. Cookies live in `jar`, else for this fetch only.
        """
        cookies = jar if jar is not None else CookieJar(for_redirects=True)
        lane = self._lane if sink is None and cookies.for_redirects else None
        hops: list[Hop] = []
        asked = request
        for _ in range(request.max_redirects + 1):
            exchange = await self._preferring(asked, deadline, sink, cookies, lane)
            if exchange.reason is not None or exchange.status not in redirects.FOLLOWED:
                return _joined(exchange, hops)
            url = redirects.location_of(exchange)
            if not url:
                return _joined(exchange, hops)
            if not request.follow:
                return _joined(replace(exchange, redirected=1), hops)
            following = redirects.following(asked, exchange.status, url)
            if isinstance(following, Reason):
                refused = replace(
                    exchange, reason=following, text=f"redirected to {shortened(url, 200)}"
                )
                return _joined(replace(refused, redirected=1), hops)
            hops.append(_hop(exchange, url))
            asked = following
        many = f"more than {request.max_redirects} redirects, the next one to {shortened(asked.url, 200)}"
        return _joined(replace(exchange, reason=Reason.too_many_redirects, text=many), hops)

    async def connect(
        self,
        host: str,
        port: int,
        deadline: float,
        *,
        tls: bool = False,
        verify: bool = True,
        ca_file: str = "",
        cert_file: str = "",
        key_file: str = "",
        server_name: str = "",
        alpn: tuple[str, ...] = (),
        minimum: str = "",
        ip: IpVersion = "any",
        source_ip: str = "",
        unix_path: str = "",
    ) -> Connection:
        """Open a raw connection, over TLS from the beginning with `tls` (else see
        `Connection.start_tls`). Look at its `exchange.reason` before using it; close it always.

        `host` is a name, or an address without brackets; with `unix_path` it only names the
        certificate. `source_ip` is an address of our own to connect from.
        """
        peer = Peer(host, port, ip, source_ip, unix_path)
        connection = await connected(self.sockets, self.lookup, peer, deadline)
        if tls and connection.exchange.reason is None:
            try:
                await connection.start_tls(
                    server_name=server_name or host,
                    deadline=deadline,
                    verify=verify,
                    ca_file=ca_file,
                    cert_file=cert_file,
                    key_file=key_file,
                    alpn=alpn,
                    minimum=minimum,
                )
            except BaseException:
                connection.close()
                raise
        return connection

    async def ftp(self, asked: FtpAsked, deadline: float) -> FtpAnswered:
        """One conversation with an FTP server. Never raises for what it does."""
        return await converse(self._running(), asked, deadline, self.now())

    def _running(self) -> Poller:
        if self._poller is None:
            raise RuntimeError("the transport is not started")
        return self._poller

    async def _preferring(
        self,
        request: Request,
        deadline: float,
        sink: Sink | None,
        jar: CookieJar,
        lane: Lane | None,
    ) -> Exchange:
        """One hop, by the preferred kind of address, else by the other one when the name has none."""
        exchange = await self._by_either(request, deadline, sink, jar, lane)
        other = _OTHER.get(request.ip)
        if other is None or exchange.reason is not Reason.dns_failed:
            return exchange
        second_request = dataclasses.replace(request, ip=other)
        second = await self._by_either(second_request, deadline, sink, jar, lane)
        resolve = exchange.duration_s + second.phases.get("resolve", 0.0)
        return replace(
            second,
            phases={**second.phases, "resolve": resolve},
            duration_s=exchange.duration_s + second.duration_s,
        )

    async def _by_either(
        self,
        request: Request,
        deadline: float,
        sink: Sink | None,
        jar: CookieJar,
        lane: Lane | None,
    ) -> Exchange:
        """One hop, by our own lane where it can, else by libcurl."""
        if lane is None or jar.lines:
            return await self._once(request, deadline, sink, jar)
        exchange = await lane.ask(request, deadline)
        if exchange is None:
            exchange = await self._once(request, deadline, sink, jar)
            lane.learn(request, exchange)
        elif exchange.status in redirects.FOLLOWED:
            jar.lines = set_by(exchange.head, request.url) or []
        return exchange

    async def _once(
        self, request: Request, deadline: float, sink: Sink | None, jar: CookieJar
    ) -> Exchange:
        """One hop."""
        left = deadline - self.now()
        if left <= 0:
            return Exchange(request.url, Reason.timeout, "no time was left to ask")
        poller = self._running()
        flow = Flow() if sink is not None else None
        try:
            handle = self._pool.take(request)
            handle.aim(request, timeout_s=left, reader=flow.take if flow else None)
            for line in jar.lines:
                handle.curl.setopt(pycurl.COOKIELIST, line)
        except (pycurl.error, ValueError) as error:
            return _invalid(request, error)
        whole = False
        try:
            if flow is not None and sink is not None:
                code, text = await _drained(poller, handle, flow, sink, deadline)
            else:
                code, text = await _ended(poller, handle)
            whole = True
        finally:
            poller.stop(handle.curl)
            if not whole:
                handle.close()
        exchange = read(handle, request, code, text)
        jar.lines = handle.take_cookies()
        self._pool.give(handle)
        return exchange


async def _ended(poller: Poller, handle: Handle) -> tuple[int, str]:
    """Run the transfer to its end; libcurl's code and message."""
    ended: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
    poller.start(handle.curl, _settle(ended))
    return await ended


async def _drained(
    poller: Poller, handle: Handle, flow: Flow, sink: Sink, deadline: float
) -> tuple[int, str]:
    """The same, its body given to `sink` meanwhile. A reader that has not taken everything at the
    deadline is cancelled: the transfer then counts as timed out."""
    ended: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
    poller.start(handle.curl, _settle(ended))
    clock = asyncio.timeout_at(deadline)
    try:
        async with clock:
            return await flow.drain(ended, sink, lambda: poller.resume(handle.curl))
    except TimeoutError:
        if not clock.expired():
            raise
        return pycurl.E_OPERATION_TIMEDOUT, "the body was not read to its end in time"


def _settle(ended: "asyncio.Future[tuple[int, str]]") -> Callable[[int, str], None]:
    def settle(code: int, text: str) -> None:
        if not ended.done():  # the waiter may have been cancelled
            ended.set_result((code, text))

    return settle


def _invalid(request: Request, error: Exception) -> Exchange:
    """The request cannot be put on the wire; the message never repeats a value."""
    text = str(error.args[-1] if error.args else error)
    return Exchange(request.url, Reason.invalid_request, text)


def _hop(exchange: Exchange, location: str) -> Hop:
    return Hop(
        exchange.url,
        exchange.status,
        location,
        exchange.address,
        exchange.phases,
        exchange.duration_s,
    )


def _joined(exchange: Exchange, hops: Sequence[Hop]) -> Exchange:
    """The last exchange with its redirects, phases summed as blackbox_exporter sums them."""
    if not hops:
        return exchange
    phases = dict.fromkeys(PHASES, 0.0)
    for part in (*(hop.phases for hop in hops), exchange.phases):
        for name, seconds in part.items():
            phases[name] += seconds
    phases["transfer"] = exchange.phases.get("transfer", 0.0)
    return replace(
        exchange,
        phases=phases,
        duration_s=exchange.duration_s + sum(hop.duration_s for hop in hops),
        redirects=tuple(hops),
        redirected=len(hops) + exchange.redirected,
    )
