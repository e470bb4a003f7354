"""One page view: who comes, with which form, and what the faults make of it.

`page` turns a plain function of a `Visit` into an endpoint. The function runs in a worker
thread with a database connection of its own, so a slow database does not stop the others.
"""

import hmac
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from examples.shop.catalogue import BRAND, CURRENCY
from examples.shop.database import Database, opened
from examples.shop.faults import FaultFile, Faults

SESSION = "sessionid"
TOKEN = "csrftoken"
TOKEN_FIELD = "csrfmiddlewaretoken"
MOST_FORM_FIELDS = 40
MOST_FORM_BYTES = 65_536
MOST_COOKIE = 64
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True
)
_TEMPLATES.globals.update(shop=BRAND, currency=CURRENCY)
_TEMPLATES.filters["money"] = lambda amount: f"€{amount:.2f}"


@dataclass(frozen=True, slots=True)
class Shop:
    """What all page views share. `vendor` is the payment vendor's address, or None: no payment."""

    database: Path
    feed: Path
    faults: FaultFile
    address: str
    vendor: str | None


@dataclass(frozen=True, slots=True)
class Visit:
    """A request by a customer, with the cookies they have or are about to get."""

    shop: Shop
    database: Database
    faults: Faults
    session: str
    token: str
    query: Mapping[str, str]
    piece: Mapping[str, str]
    form: Mapping[str, str]

    def show(self, template: str, *, status: int = 200, **words: object) -> Response:
        text = _TEMPLATES.get_template(template).render(token=self.token, visit=self, **words)
        return HTMLResponse(text, status)


Page = Callable[[Visit], Response]
Endpoint = Callable[[Request], Awaitable[Response]]


def go(where: str) -> Response:
    """Send the browser on, after a form as after a page."""
    return RedirectResponse(where, 302)


def page(view: Page) -> Endpoint:
    """The endpoint that shows a page to a customer."""

    async def endpoint(request: Request) -> Response:
        if int(request.headers.get("Content-Length", "0")) > MOST_FORM_BYTES:
            return HTMLResponse("<h1>413 Content Too Large</h1>", 413)
        form = await _form(request)
        session, token = _cookie(request, SESSION), _cookie(request, TOKEN)
        if request.method == "POST" and not _same(form.get(TOKEN_FIELD, ""), request):
            return HTMLResponse("<h1>403 Forbidden</h1><p>CSRF verification failed.</p>", 403)
        answer = await run_in_threadpool(_view, view, request, form, session, token)
        answer.set_cookie(SESSION, session, httponly=True, samesite="lax")
        answer.set_cookie(TOKEN, token, httponly=True, samesite="lax")
        return answer

    return endpoint


def _view(
    view: Page, request: Request, form: Mapping[str, str], session: str, token: str
) -> Response:
    shop: Shop = request.app.state.shop
    faults = shop.faults.load()
    if random.random() < faults.errors:
        return HTMLResponse("<h1>Server Error (500)</h1>", 500)
    with opened(shop.database) as connection:
        database = Database(connection)
        if faults.slow_database_s:
            database.wait(faults.slow_database_s)
        database.begin_session(session, time.time())
        visit = Visit(
            shop, database, faults, session, token, request.query_params, request.path_params, form
        )
        return view(visit)


def _cookie(request: Request, name: str) -> str:
    """What the browser brought, or a new one when it brought none that we made."""
    brought = request.cookies.get(name, "")
    return brought if 0 < len(brought) <= MOST_COOKIE else secrets.token_urlsafe(24)


async def _form(request: Request) -> dict[str, str]:
    if request.method != "POST" or "Content-Length" not in request.headers:
        return {}
    async with request.form(max_files=0, max_fields=MOST_FORM_FIELDS) as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}


def _same(token: str, request: Request) -> bool:
    return bool(token) and hmac.compare_digest(
        token.encode(), request.cookies.get(TOKEN, "").encode()
    )
