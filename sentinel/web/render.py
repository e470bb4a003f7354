"""Templates: server-rendered, escaped, no JavaScript needed."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from sentinel.localtime import wall
from sentinel.review.wording import spell
from sentinel.words import Severity

MOST_SAID = 300
"""Characters of ``?said=``, which anybody can write into an address."""

_templates = Environment(
    loader=PackageLoader("sentinel.web"),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


def _local(at: datetime | None, timezone: str = "UTC") -> str:
    return wall(at, timezone).strftime("%Y-%m-%d %H:%M:%S %Z") if at else "—"


def _when(at: datetime | None, timezone: str = "UTC") -> Markup | str:
    """An instant as a ``<time>`` element: local time with its zone, the instant for machines."""
    if at is None:
        return "—"
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), _local(at, timezone))


def _span(until: datetime, since: datetime) -> str:
    return spell((until - since).total_seconds())


def _percent(share: float | None) -> str:
    return "not known yet" if share is None else f"{share * 100:.6g} %"


def _severity(value: int) -> str:
    return Severity(value).name


_templates.filters |= {
    "local": _local,
    "when": _when,
    "span_since": _span,
    "spell": spell,
    "percent": _percent,
    "severity": _severity,
}


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a page. `node`, `now` and `path` are always there."""
    node = request.app.state.node
    html = _templates.get_template(template).render(
        node=node, now=node.clock.now(), path=request.url.path, **values
    )
    return HTMLResponse(html, status_code=status)


def macro(template: str, name: str) -> Callable[..., Markup]:
    """A macro of a template, for rows that are kept once they are drawn."""
    found: Callable[..., Markup] = getattr(_templates.get_template(template).module, name)
    return found


def said_of(request: Request) -> str:
    """What the last form came to, carried in the address."""
    return request.query_params.get("said", "")[:MOST_SAID]


def refusal(
    request: Request, status: int, text: str, *, headers: Mapping[str, str] | None = None
) -> Response:
    """Why not: a page for a browser, a line of text for everybody else. It asks neither the store
    nor the documents, so that it can be drawn when those are what failed."""
    if "text/html" not in request.headers.get("accept", ""):
        return PlainTextResponse(f"{text}\n", status, headers)
    html = _templates.get_template("refused.html").render(status=status, text=text)
    return HTMLResponse(html, status, headers)
