"""The shop as one web application: its routes, its feed writer and its nightly job."""

import asyncio
import hashlib
import json
import sqlite3
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.utils import formatdate
from ipaddress import ip_address

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from examples.shop import pages
from examples.shop.catalogue import PRODUCTS
from examples.shop.database import Database, create, opened
from examples.shop.faults import FaultRefused, read_faults
from examples.shop.feed import write_feed
from examples.shop.pictures import picture
from examples.shop.visit import Shop, page

MOST_FAULT_BYTES = 4096
FORGET_SESSIONS_AFTER_S = 24 * 3600.0
PING_TIMEOUT_S = 5.0
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often the shop works on its own. `heartbeat` is pinged around each run of the job."""

    feed_every_s: float = 60.0
    job_every_s: float = 60.0
    heartbeat: str | None = None


def application(shop: Shop, rhythm: Rhythm, ready: Callable[[], None]) -> Starlette:
    """The shop; `ready` is called once it answers."""

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        await asyncio.to_thread(create, shop.database)
        await asyncio.to_thread(_renew_feed, shop, 0)
        loops = [
            asyncio.create_task(_repeat(rhythm.feed_every_s, lambda turn: _renew_feed(shop, turn))),
            asyncio.create_task(_repeat(rhythm.job_every_s, lambda _: _nightly(shop, rhythm))),
        ]
        ready()
        yield
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)

    app = Starlette(routes=_routes(), lifespan=life)
    app.state.shop = shop
    return app


def _routes() -> list[Route]:
    post = ["POST"]
    both = ["GET", "POST"]
    return [
        Route("/", page(pages.home)),
        Route("/catalogue/", page(pages.catalogue)),
        Route("/catalogue/{page}/", page(pages.product)),
        Route("/search/", page(pages.search)),
        Route("/basket/", page(pages.basket)),
        Route("/basket/add/{product}/", page(pages.add_to_basket), methods=post),
        Route("/basket/clear/", page(pages.clear_basket), methods=post),
        Route("/checkout/", page(pages.checkout), methods=both),
        Route("/checkout/shipping-address/", page(pages.shipping_address), methods=both),
        Route("/checkout/shipping-method/", page(pages.shipping_method)),
        Route("/checkout/payment-method/", page(pages.payment_method)),
        Route("/checkout/payment-details/", page(pages.payment_details)),
        Route("/checkout/preview/", page(pages.preview), methods=both),
        Route("/checkout/thank-you/", page(pages.thank_you)),
        Route("/pictures/{sku}.png", _picture),
        Route("/feed/google.xml", _feed),
        Route("/healthz", _healthz),
        Route("/faults", _faults, methods=both),
    ]


async def _repeat(every_s: float, work: Callable[[int], None]) -> None:
    """Do it every so many seconds until cancelled; `work` is told the turn, from 1.

    A turn that fails is told on stderr and the next one is tried: one full disk must not end it.
    """
    turn = 0
    while True:
        await asyncio.sleep(every_s)
        turn += 1
        try:
            await asyncio.to_thread(work, turn)
        except (OSError, sqlite3.Error) as trouble:
            print(f"shop: a turn failed: {trouble}", file=sys.stderr, flush=True)


def _renew_feed(shop: Shop, turn: int) -> None:
    """Book a delivery to the warehouse and write the feed, unless the writer is broken."""
    faults = shop.faults.load()
    if faults.late_feed and shop.feed.exists():
        return
    with opened(shop.database) as connection:
        database = Database(connection)
        database.deliver(PRODUCTS[turn % len(PRODUCTS)].number, 2)
        products = database.products()
    now = datetime.now(UTC)
    write_feed(shop.feed, products, address=shop.address, now=now, shrunken=faults.shrunken_feed)


def _nightly(shop: Shop, rhythm: Rhythm) -> None:
    """The nightly job, run more often here: forget old baskets, and tell who watches it."""
    if shop.faults.load().stopped_job:
        return
    _ping(rhythm.heartbeat, "/start")
    with opened(shop.database) as connection:
        Database(connection).forget_sessions(time.time() - FORGET_SESSIONS_AFTER_S)
    _ping(rhythm.heartbeat, "")


def _ping(heartbeat: str | None, what: str) -> None:
    """Tell the watcher. A watcher that is away must not stop the job, so it is only printed."""
    if heartbeat is None:
        return
    try:
        _DIRECT.open(f"{heartbeat}{what}", timeout=PING_TIMEOUT_S).close()
    except OSError as away:
        print(f"shop: heartbeat not received: {away}", file=sys.stderr, flush=True)


async def _picture(request: Request) -> Response:
    sku = request.path_params["sku"]
    if sku not in {product.sku for product in PRODUCTS}:
        return PlainTextResponse("no such product", 404)
    return Response(picture(sku), media_type="image/png")


async def _feed(request: Request) -> Response:
    """The file as it is, with validators, so that a reader may ask whether it changed."""
    file = request.app.state.shop.feed
    content, written = file.read_bytes(), file.stat().st_mtime
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = {"ETag": tag, "Last-Modified": formatdate(written, usegmt=True)}
    if request.headers.get("If-None-Match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/xml", headers=headers)


async def _healthz(request: Request) -> Response:
    return await run_in_threadpool(_health, request.app.state.shop)


def _health(shop: Shop) -> Response:
    with opened(shop.database) as connection:
        Database(connection).wait(shop.faults.load().slow_database_s)
        return JSONResponse({"status": "ok"})


async def _faults(request: Request) -> Response:
    """Show the faults, or replace them all. Only who sits at this machine may."""
    shop: Shop = request.app.state.shop
    if request.client is None or not ip_address(request.client.host).is_loopback:
        return JSONResponse({"refused": "from loopback only"}, 403)
    if request.method == "GET":
        return JSONResponse(asdict(shop.faults.load()))
    if request.headers.get("Content-Type", "").partition(";")[0] != "application/json":
        return JSONResponse({"refused": "Content-Type: application/json"}, 415)
    try:
        wanted = read_faults(json.loads(await _small_body(request)))
    except ValueError as refused:
        return JSONResponse({"refused": str(refused)}, 400)
    await run_in_threadpool(_break, shop, wanted.wrong_price)
    shop.faults.save(wanted)
    return JSONResponse(asdict(wanted))


def _break(shop: Shop, wrong_price: bool) -> None:
    with opened(shop.database) as connection:
        Database(connection).reprice(wrong=wrong_price)


async def _small_body(request: Request) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_FAULT_BYTES:
            raise FaultRefused(f"at most {MOST_FAULT_BYTES} bytes")
    return body
