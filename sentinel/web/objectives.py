"""``/api/v1/objectives``: what was promised, what was kept, and how fast the rest is spent."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sentinel.engine.node import Node
from sentinel.engine.standing import Figure
from sentinel.monitor.objective import Promise
from sentinel.web.api import Json, known
from sentinel.web.auth import Caller


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


ROUTES = [Route("/objectives", objectives, methods=["GET"])]
