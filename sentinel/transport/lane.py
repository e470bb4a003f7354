"""The second lane beside libcurl: plain HTTP/1.1 on sockets of our own, at a third of the CPU.

It gives the exchange that libcurl would give, or none, and then libcurl is asked:

* for a request with anything that `transport.plan` does not know;
* over TLS, until libcurl has found that a server speaks HTTP/1.1 there. Both are offered
  HTTP/2 alike; a server that takes it from our lane is handed over at once;
* over TLS, while our lane has not yet had a whole answer from there: what one library refuses
  the other may take (an odd certificate, an old cipher), and libcurl's word counts. Where our
  lane has once been through, its own word counts, so that a certificate that is bad on one
  server of several is not looked at twice until it is good;
* without `utls` (a binding to BoringSSL, which needs half of OpenSSL's time for a handshake), for
  all of TLS: the standard library's own is no faster than libcurl's;
* for a redirect that sets a cookie which is not simple (`transport.cookies`), and which the next
  hop must have: that hop is asked a second time, once and for all.
"""

import time
from collections import OrderedDict
from enum import Enum, auto
from typing import Any

from sentinel.transport.cookies import set_by
from sentinel.transport.dial import dial
from sentinel.transport.lookup import Lookup, Unfound, written_out
from sentinel.transport.plan import LONGEST_REMEMBERED, Plan, planned
from sentinel.transport.redirects import FOLLOWED
from sentinel.transport.secure import Tls, Unusable
from sentinel.transport.sockets import Sockets
from sentinel.transport.talk import Talk, Turned
from sentinel.transport.wire import Exchange, Request

try:
    import utls as _library
except ModuleNotFoundError:
    _library: Any = None  # type: ignore[no-redef]

MOST_KNOWN = 32_768
"""Origins, and URLs, that something is known of; those not asked for longest are forgotten."""


class Known(Enum):
    """What is known of an origin over TLS, or of a URL."""

    speaks_http1 = auto()
    """libcurl has heard HTTP/1.1 there."""
    proven = auto()
    """So has our lane."""
    elsewhere = auto()
    """Ours did not get through where libcurl did, or must not be used."""


class Lane:
    """Asks. Belongs to the loop of its sockets."""

    def __init__(self, sockets: Sockets, lookup: Lookup, *, always: bool = False) -> None:
        """`always`: over TLS too it is used from the first request on, and its own word counts
        (for tests, which compare the two lanes)."""
        self._sockets = sockets
        self._lookup = lookup
        self._always = always
        self._known: OrderedDict[object, Known] = OrderedDict()

    async def ask(self, request: Request, deadline: float) -> Exchange | None:
        """One hop; None: libcurl must be asked, and `learn` told what it heard."""
        plan = planned(request)
        if plan is None or not self._may(plan, request):
            return None
        talk = await self._talk(plan, request, deadline)
        if not isinstance(talk, Talk):
            return talk
        if talk.turned is not None and not self._stands(plan, talk):
            return None
        exchange = talk.exchange()
        if exchange.status in FOLLOWED and set_by(exchange.head, request.url) is None:
            if len(request.url) <= LONGEST_REMEMBERED:
                self._know(request.url, Known.elsewhere)
            return None
        if plan.terms is not None and exchange.reason is None:
            self._know(plan.origin, Known.proven)
        return exchange

    def learn(self, request: Request, exchange: Exchange) -> None:
        """What libcurl heard after our lane could not be used."""
        plan = planned(request)
        if plan is None or plan.terms is None:
            return
        if exchange.reason is not None or exchange.http_version not in ("1.0", "1.1"):
            self._known.pop(
                plan.origin, None
            )  # a refusal that both agree about says nothing of ours
        elif plan.origin not in self._known:
            self._know(plan.origin, Known.speaks_http1)

    def _may(self, plan: Plan, request: Request) -> bool:
        if self._known.get(request.url) is Known.elsewhere:
            return False
        if plan.terms is None:
            return True
        if _library is None:
            return False
        known = self._known.get(plan.origin)
        return self._always or known in (Known.speaks_http1, Known.proven)

    def _stands(self, plan: Plan, talk: Talk) -> bool:
        """Whether our lane's word counts although it did not get through."""
        match talk.turned:
            case Turned.http2:
                self._known.pop(plan.origin, None)
                return False
            case _ if self._always or self._known.get(plan.origin) is Known.proven:
                return True
            case _:
                self._know(plan.origin, Known.elsewhere)
                return False

    async def _talk(self, plan: Plan, request: Request, deadline: float) -> Talk | Exchange | None:
        """A conversation that has ended, or what there is without one."""
        began_at = time.monotonic()
        if deadline <= began_at:
            return None
        found = written_out(plan.host, plan.port, request.ip)
        if not found:
            looked_up = await self._lookup.find(plan.host, plan.port, deadline, ip=request.ip)
            if isinstance(looked_up, Unfound):
                return _unfound(request, looked_up, time.monotonic() - began_at)
            found = looked_up
        resolved_at = time.monotonic()
        tls = None
        if plan.terms is not None:
            try:
                tls = Tls(plan.terms, plan.name, library=_library)
            except Unusable:
                return None
        talk = Talk(
            self._sockets,
            plan,
            request,
            tls=tls,
            deadline=deadline,
            began_at=began_at,
            resolved_at=resolved_at,
        )
        if len(found) == 1:
            talk.begin(found[0])
        else:
            talk.go_on(await dial(self._sockets, found, deadline))
        await talk.end()
        return talk

    def _know(self, what: object, known: Known) -> None:
        self._known[what] = known
        self._known.move_to_end(what)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)


def _unfound(request: Request, unfound: Unfound, spent_s: float) -> Exchange:
    return Exchange(
        request.url,
        unfound.reason,
        unfound.text,
        phases={"resolve": spent_s},
        duration_s=spent_s,
    )
