"""What was promised, what was kept, and how fast the rest is spent: ``/api/v1/objectives`` as JSON,
``/objectives`` as a page."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sentinel.engine.node import Node
from sentinel.engine.standing import Figure
from sentinel.monitor.objective import Promise
from sentinel.web.api import Json, known
from sentinel.web.auth import Caller
from sentinel.web.door import visitor
from sentinel.web.render import page


@known
async def objectives(request: Request, node: Node, who: Caller) -> Response:
    """``GET /objectives``: each as it stood when it was last judged, within the last minute while
    the journal answers. Shares are of 1; ``ratio``, ``budget_left`` and burn rates are null while
    they are not known."""
    return Json({"objectives": [_row(figure) for figure in node.objectives.figures]})


def _row(figure: Figure) -> dict[str, Any]:
    objective = figure.objective
    under = {"under_s": objective.under_s} if objective.promise is Promise.latency else {}
    return {
        "client": objective.client,
        "service": objective.service,
        "objective": objective.promise.value,
        "share": objective.share,
        "window_s": objective.window_s,
        **under,
        "at": figure.at,
        "ratio": figure.ratio,
        "budget_left": figure.budget_left,
        "burn_rates": figure.burn_rates,
        "firing": [burn.value for burn in figure.firing],
    }


async def shown(request: Request) -> Response:
    """The page: what burns first, then by client and service."""
    who = await visitor(request)
    if isinstance(who, Response):
        return who
    node: Node = request.app.state.node
    figures = sorted(
        node.objectives.figures, key=lambda figure: (not figure.firing, figure.objective.name)
    )
    return page(request, "objectives.html", figures=figures)


ROUTES = [Route("/objectives", objectives, methods=["GET"])]
PAGES = [Route("/objectives", shown, methods=["GET", "HEAD"], name="objectives")]
