"""``/api/v1/overrides``: who stands in for whom, changed at run time.

``GET`` lists what is in force or to come, declared overrides too; ``POST {rotation, from_at,
to_at, replace, with, reason}`` makes one; ``POST …/ID/end`` and ``DELETE …/ID`` end one. An
instant without an offset is a wall clock of the rotation; without `from_at` it begins now.
"""

from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sentinel.engine.node import Node
from sentinel.engine.rota import Overridden, Standing
from sentinel.incident.commands import MAX_TEXT
from sentinel.localtime import instant
from sentinel.oncall.overriding import NoOverride, Wish
from sentinel.web.api import Json, body_of, known, refused
from sentinel.web.auth import Caller

STATUS_OF = {"unknown_rotation": 404, "unknown_override": 404}
"""Of a refusal by its reason; every other one is 409."""


def shown(standing: Standing, now: datetime) -> dict[str, Any]:
    """An override as JSON. Declared ones are ended in their document."""
    override = standing.override
    return {
        "id": override.id,
        "rotation": standing.rotation,
        "from_at": override.from_at,
        "to_at": override.to_at,
        "replace": override.replace,
        "with": override.with_,
        "reason": override.reason,
        "by": override.by,
        "declared": standing.declared,
        "in_force": override.from_at <= now < override.to_at,
    }


@known
async def overrides(request: Request, node: Node, who: Caller) -> Response:
    """``GET``: the list, of one rotation with ``?rotation=``. ``POST``: one more."""
    if request.method == "GET":
        wanted = request.query_params.get("rotation", "")
        found = [each for each in await node.rota.standing() if wanted in ("", each.rotation)]
        return Json({"overrides": [shown(each, node.clock.now()) for each in found]})
    try:
        body = await body_of(request)
        rotation = _text(body, "rotation").removeprefix("rotation/")
        wish = _wish(body, timezone=timezone_of(node, rotation))
        by = _text(body, "by") or who.name
    except (TypeError, ValueError, OverflowError) as wrong:
        return refused("bad_request", f"{wrong}", 400)
    return _answer(await node.rota.override(rotation, wish, by=by), status=201)


@known
async def end(request: Request, node: Node, who: Caller) -> Response:
    """``POST /overrides/ID/end`` and ``DELETE /overrides/ID``."""
    try:
        by = _text(await body_of(request), "by") or who.name
    except ValueError as wrong:
        return refused("bad_request", f"{wrong}", 400)
    return _answer(await node.rota.end(request.path_params["override"], by=by), status=200)


def timezone_of(node: Node, rotation: str) -> str:
    """The clock on which an instant without an offset is meant."""
    declared = node.present.policy.rotations.get(rotation)
    return declared.timezone if declared is not None else "UTC"


def _wish(body: dict[str, Any], *, timezone: str) -> Wish:
    begin, end = _text(body, "from_at"), _text(body, "to_at")
    return Wish(
        from_at=instant(begin, timezone) if begin else None,
        to_at=instant(end, timezone),
        replace=_text(body, "replace").removeprefix("person/"),
        with_=_text(body, "with").removeprefix("person/"),
        reason=_text(body, "reason"),
    )


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name) or ""
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise ValueError(f"`{name}` is text of at most {MAX_TEXT} characters")
    return value


def _answer(came_to: Overridden | NoOverride, *, status: int) -> Json:
    if isinstance(came_to, NoOverride):
        return refused(came_to.reason, came_to.text, STATUS_OF.get(came_to.reason, 409))
    return Json(
        {
            "override": came_to.override.id,
            "from_at": came_to.override.from_at,
            "to_at": came_to.override.to_at,
            "on_call": came_to.on_call,
            "told": came_to.told,
        },
        status,
    )


ROUTES = [
    Route("/overrides", overrides, methods=["GET", "POST"]),
    Route("/overrides/{override}", end, methods=["DELETE"]),
    Route("/overrides/{override}/end", end, methods=["POST"]),
]
