"""The payment vendor AcmePay: its API and its status page, beside either shop.

``python -m examples.shop.vendor --port 8802``. The status page answers in the shape of Atlassian
Statuspage v2. Charges are kept in memory, the newest ones, and are repeated safely under their
``Idempotency-Key``.
"""

import argparse
import asyncio
import json
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from ipaddress import ip_address
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from examples.shop import statuspage
from examples.shop.serving import address_of, end_with_parent, listening, say, serve

DEGRADED_ANSWER_S = 1.5
DEGRADED_FAILS_ONE_OF = 3
MOST_CHARGES = 10_000
MOST_SHOWN = 100
MOST_BODY_BYTES = 16_384


class State(StrEnum):
    operational = "operational"
    degraded = "degraded"
    down = "down"


class Refused(Exception):
    """The vendor's answer to a request that it does not take."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Vendor:
    """What the vendor remembers: its charges, by key and by id, and how it is."""

    def __init__(self) -> None:
        self.state = State.operational
        self.silent = False
        self.changed_at = datetime.now(UTC)
        self.charges: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self.asked = 0

    def become(self, state: State, *, silent: bool) -> None:
        self.state, self.silent, self.changed_at = state, silent, datetime.now(UTC)

    async def answer_as_it_is(self) -> None:
        """Take the time, or fail, as the vendor's state has it. Raises Refused."""
        if self.state is State.down:
            raise Refused(503, "service unavailable")
        if self.state is State.degraded:
            await asyncio.sleep(DEGRADED_ANSWER_S)

    def charge(self, key: str, wanted: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """The charge and 201, or the one made before under this key and 200. Raises Refused."""
        _check_charge(wanted)
        made = self.charges.get(key)
        if made is not None:
            if any(made[name] != wanted[name] for name in ("amount", "currency", "reference")):
                raise Refused(422, "this key was used with another body")
            return made, 200
        self.asked += 1
        if self.state is State.degraded and self.asked % DEGRADED_FAILS_ONE_OF == 0:
            raise Refused(503, "try again")
        made = {
            "id": f"ch_{secrets.token_hex(8)}",
            "status": "captured",
            "amount": wanted["amount"],
            "currency": wanted["currency"],
            "reference": wanted["reference"],
            "test": wanted.get("test", False),
        }
        self.charges[key] = made
        while len(self.charges) > MOST_CHARGES:
            self.charges.popitem(last=False)
        return made, 201

    def find(self, charge: str) -> dict[str, Any]:
        for made in self.charges.values():
            if made["id"] == charge:
                return made
        raise Refused(404, "no such charge")


def _check_charge(wanted: dict[str, Any]) -> None:
    for name in ("amount", "currency", "reference"):
        if not isinstance(wanted.get(name), str) or not 0 < len(wanted[name]) <= 64:
            raise Refused(400, f"{name}: a text is needed")
    try:
        amount = Decimal(wanted["amount"])
    except InvalidOperation as wrong:
        raise Refused(400, "amount: a number as text") from wrong
    if not amount.is_finite() or amount <= 0:
        raise Refused(400, "amount: more than nothing")


Answer = Callable[[Request], Awaitable[Response]]


def _api(answer: Answer) -> Answer:
    """An endpoint that answers refusals as JSON."""

    async def endpoint(request: Request) -> Response:
        try:
            return await answer(request)
        except Refused as refused:
            return JSONResponse({"error": str(refused)}, refused.status)

    return endpoint


async def _object(request: Request) -> dict[str, Any]:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BODY_BYTES:
            raise Refused(413, "the body is too long")
    try:
        wanted = json.loads(body)
    except ValueError as wrong:
        raise Refused(400, "the body is not JSON") from wrong
    if not isinstance(wanted, dict):
        raise Refused(400, "the body is not an object")
    return wanted


def application(vendor: Vendor, address: str, ready: Callable[[], None]) -> Starlette:
    """The vendor's API, status page and switch; `ready` is called once it answers."""

    async def ping(request: Request) -> Response:
        await vendor.answer_as_it_is()
        return JSONResponse({"status": "ok"})

    async def charge(request: Request) -> Response:
        key = request.headers.get("Idempotency-Key", "")
        if not 0 < len(key) <= 255:
            raise Refused(400, "Idempotency-Key is needed")
        wanted = await _object(request)
        await vendor.answer_as_it_is()
        made, status = vendor.charge(key, wanted)
        return JSONResponse(made, status)

    async def show(request: Request) -> Response:
        await vendor.answer_as_it_is()
        return JSONResponse(vendor.find(request.path_params["charge"]))

    async def newest(request: Request) -> Response:
        await vendor.answer_as_it_is()
        return JSONResponse({"charges": list(vendor.charges.values())[-MOST_SHOWN:]})

    async def status(request: Request) -> Response:
        state = State.operational if vendor.silent else vendor.state
        page = statuspage.page(request.path_params["part"], state, vendor.changed_at, address)
        if page is None:
            raise Refused(404, "no such page")
        return JSONResponse(page)

    async def faults(request: Request) -> Response:
        if request.client is None or not ip_address(request.client.host).is_loopback:
            raise Refused(403, "from loopback only")
        if request.method == "POST":
            if request.headers.get("Content-Type", "").partition(";")[0] != "application/json":
                raise Refused(415, "Content-Type: application/json")
            _set_faults(vendor, await _object(request))
        return JSONResponse({"state": vendor.state, "silent": vendor.silent})

    routes = [
        Route("/payments/v1/ping", _api(ping)),
        Route("/payments/v1/charge", _api(charge), methods=["POST"]),
        Route("/payments/v1/charges", _api(newest)),
        Route("/payments/v1/charges/{charge}", _api(show)),
        Route("/status/api/v2/{part:path}.json", _api(status)),
        Route("/faults", _api(faults), methods=["GET", "POST"]),
    ]

    @asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        ready()
        yield

    return Starlette(routes=routes, lifespan=life)


def _set_faults(vendor: Vendor, wanted: dict[str, Any]) -> None:
    if unknown := sorted(set(wanted) - {"state", "silent"}):
        raise Refused(400, f"unknown: {', '.join(unknown)}; there are silent, state")
    silent = wanted.get("silent", False)
    state = wanted.get("state", State.operational)
    if not isinstance(silent, bool) or state not in list(State):
        raise Refused(400, f"state: one of {', '.join(State)}; silent: true or false")
    vendor.become(State(state), silent=silent)


def main() -> None:
    asked = argparse.ArgumentParser(prog="python -m examples.shop.vendor", description=__doc__)
    asked.add_argument("--port", type=int, default=8802, help="0: any free port")
    asked.add_argument("--until-stdin-closes", action="store_true", help="end with the parent")
    wanted = asked.parse_args()
    end_with_parent(watch=wanted.until_stdin_closes)
    listener = listening(wanted.port)
    address = address_of(listener)
    app = application(Vendor(), address, lambda: say(ready="vendor", address=address))
    serve(app, listener)


if __name__ == "__main__":
    main()
