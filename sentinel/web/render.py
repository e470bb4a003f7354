"""Templates: server-rendered, escaped, no JavaScript needed."""

from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from sentinel.localtime import wall
from sentinel.words import Severity

_templates = Environment(
    loader=PackageLoader("sentinel.web"),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _local(at: datetime | None, timezone: str = "UTC") -> str:
    return wall(at, timezone).strftime("%Y-%m-%d %H:%M:%S %Z") if at else "—"


def _severity(value: int) -> str:
    return Severity(value).name


_templates.filters["local"] = _local
_templates.filters["severity"] = _severity


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a page. `node` and `now` are always there."""
    node = request.app.state.node
    html = _templates.get_template(template).render(node=node, now=node.clock.now(), **values)
    return HTMLResponse(html, status_code=status)
