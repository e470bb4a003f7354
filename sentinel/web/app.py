"""The one port: console, API, metrics, health, pings, acknowledge page.

Every response carries a strict content security policy; pages need no JavaScript. Bodies are
bounded before they are read. No GET changes anything.
"""

import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from sentinel.engine.node import Node
from sentinel.errors import JournalUnavailable
from sentinel.web import (
    acknowledge,
    api,
    blackbox_node,
    duty,
    objectives,
    oncall,
    overrides,
    pages,
    pings,
    probes,
    silences,
    standing,
)
from sentinel.web.auth import caller, foreign
from sentinel.web.render import refusal

MAX_BODY = 512 * 1024
_MOST_DIGITS = 20
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}

NOT_SO = {404: "there is nothing at this address", 405: "this address is not asked in this way"}

API = [*api.ROUTES, *oncall.ROUTES, *silences.ROUTES, *overrides.ROUTES, *objectives.ROUTES]

log = logging.getLogger("sentinel.web")

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Guarded:
    """Adds the security headers, refuses bodies that are too large before they are read, and paths
    with a NUL, which nothing here is called and PostgreSQL has no text for."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if "\0" in scope["path"]:
            refused = refusal(Request(scope), 404, "nothing is called so")
            await refused(scope, receive, self._with_headers(send))
            return
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or len(length) > _MOST_DIGITS or int(length) > MAX_BODY:
            refused = refusal(Request(scope), 413, "the body is too large")
            await refused(scope, receive, self._with_headers(send))
            return
        seen = 0

        async def bounded() -> MutableMapping[str, Any]:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > MAX_BODY:
                return {"type": "http.disconnect"}
            return message

        await self._app(scope, bounded, self._with_headers(send))

    @staticmethod
    def _with_headers(send: Send) -> Send:
        async def with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                added = ((n.encode(), v.encode()) for n, v in HEADERS.items())
                message["headers"] = [
                    *message["headers"],
                    *((name, value) for name, value in added if name not in present),
                ]
            await send(message)

        return with_headers


def build(node: Node) -> Starlette:
    """The application over a running node."""
    static = StaticFiles(packages=[("sentinel.web", "static")])

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield

    app = Starlette(
        routes=[
            Route("/-/healthy", healthy, methods=["GET", "HEAD"]),
            Route("/-/ready", ready, methods=["GET", "HEAD"]),
            Route("/-/reload", reload, methods=["POST", "PUT"]),
            Route("/metrics", metrics, methods=["GET"]),
            Route("/probe", blackbox_node.probe, methods=["GET", "POST"]),
            Route("/ping/{secret}", pings.ping, methods=["GET", "HEAD", "POST"]),
            Route("/ping/{secret}/{what}", pings.ping, methods=["GET", "HEAD", "POST"]),
            Route("/a/{token}", acknowledge.show, methods=["GET", "HEAD"]),
            Route("/a/{token}", acknowledge.act, methods=["POST"]),
            Mount("/api/v1", routes=API),
            Mount("/static", static),
            *pages.ROUTES,
            *probes.ROUTES,
            *duty.ROUTES,
            *objectives.PAGES,
            *standing.ROUTES,
        ],
        middleware=[Middleware(Guarded)],
        exception_handlers={
            JournalUnavailable: _away,
            HTTPException: _not_so,
            Exception: _broken,
        },
        lifespan=lifespan,
    )
    app.state.node = node
    app.state.blackbox = blackbox_node.NodeProbes()
    return app


async def _away(request: Request, away: Exception) -> Response:
    """Nothing was recorded: whoever sent something sends it again (rule 33)."""
    text = "the journal is unavailable and nothing was recorded; send it again"
    if _for_eyes(request):
        return refusal(request, 503, text, headers={"retry-after": "5"})
    body = {"error": "journal_unavailable", "text": text}
    return JSONResponse(body, 503, {"retry-after": "5"})


async def _broken(request: Request, error: Exception) -> Response:
    log.exception(
        "a request ended in an error of ours", extra={"path": request.url.path}, exc_info=error
    )
    text = "an error of ours; it is in the log"
    if _for_eyes(request):
        return refusal(request, 500, text)
    return JSONResponse({"error": "internal", "text": text}, 500)


async def _not_so(request: Request, wrong: Exception) -> Response:
    """No such address, or not with this method."""
    assert isinstance(wrong, HTTPException)
    return refusal(request, wrong.status_code, NOT_SO.get(wrong.status_code, wrong.detail))


def _for_eyes(request: Request) -> bool:
    """Whether a person looks at the answer, in a browser."""
    return "text/html" in request.headers.get("accept", "")


async def healthy(request: Request) -> Response:
    """The process answers: always 200."""
    return PlainTextResponse("Healthy\n")


async def ready(request: Request) -> Response:
    """200 once documents are active and the journal answers, else 503 with the reason."""
    node: Node = request.app.state.node
    why_not = node.unready()
    return PlainTextResponse("Ready\n" if not why_not else f"{why_not}\n", 503 if why_not else 200)


async def reload(request: Request) -> Response:
    """Read the workspace again; a bad file keeps the old set and says so."""
    node: Node = request.app.state.node
    who = caller(request, await node.site(), via="api")
    if who is None or foreign(request, node.url):
        return JSONResponse({"error": "forbidden"}, 403)
    problems = await node.reload()
    rows = [str(problem) for problem in problems]
    return JSONResponse(
        {"reloaded": not node.reload_refused, "problems": rows}, 422 if node.reload_refused else 200
    )


async def metrics(request: Request) -> Response:
    """Prometheus' text format; from beyond loopback with a token, like everything."""
    node: Node = request.app.state.node
    if caller(request, await node.site(), via="api") is None:
        return PlainTextResponse("who are you?\n", 401)
    found = await node.exposition(
        request.headers.get("accept", ""), request.headers.get("accept-encoding", "")
    )
    headers = {"content-type": found.content_type}
    if found.encoding:
        headers["content-encoding"] = found.encoding
    return Response(found.body, headers=headers)
