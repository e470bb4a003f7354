"""``/api/v1/oncall``: who answers, by the documents in force and the overrides made at run time.

An instant without an offset is a wall clock of the rotation. What is answered about the past is what
the documents in force now make of it, with the overrides of then.
"""

import asyncio
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sentinel.engine.node import Node
from sentinel.localtime import instant
from sentinel.oncall.rotation import Override, Rotation
from sentinel.oncall.schedule import LONGEST, Shift, on_call, shifts
from sentinel.web.api import Json, known, refused
from sentinel.web.auth import Caller

AHEAD = timedelta(days=28)
"""How far shifts are listed without ``?to=``."""


@known
async def oncall(request: Request, node: Node, who: Caller) -> Response:
    """``GET /oncall/ROTATION?at=…``: who is on call."""
    rotation = _rotation(request, node)
    if rotation is None:
        return _unknown(request)
    try:
        when = _instant(request, "at", rotation) or node.clock.now()
    except ValueError as wrong:
        return refused("bad_request", str(wrong), 400)
    extra = await _overrides(node, rotation)
    found = on_call(rotation, when, people=node.present.policy.people, extra_overrides=extra)
    return Json(
        {
            "rotation": rotation.id,
            "at": when,
            "on_call": found.people,
            "layer": found.layer,
            "until": found.until,
        }
    )


@known
async def final_shifts(request: Request, node: Node, who: Caller) -> Response:
    """``GET /oncall/ROTATION/shifts?from=…&to=…``: the final shifts, gaps included, touching and in
    order. From now and for four weeks unless said; at most `LONGEST`."""
    rotation = _rotation(request, node)
    if rotation is None:
        return _unknown(request)
    try:
        begin = _instant(request, "from", rotation) or node.clock.now()
        end = _instant(request, "to", rotation) or begin + AHEAD
    except ValueError as wrong:
        return refused("bad_request", str(wrong), 400)
    if not timedelta(0) < end - begin <= LONGEST:
        text = f"`to` is after `from`, by at most {LONGEST.days} days"
        return refused("bad_request", text, 400)
    extra = await _overrides(node, rotation)
    people = node.present.policy.people
    found = await asyncio.to_thread(  # 800 days of handoffs take longer than a check may wait
        shifts, rotation, begin, end, people=people, extra_overrides=extra
    )
    return Json({"rotation": rotation.id, "shifts": [_shown(shift) for shift in found]})


def _rotation(request: Request, node: Node) -> Rotation | None:
    return node.present.policy.rotations.get(request.path_params["rotation"])


def _unknown(request: Request) -> Json:
    name = request.path_params["rotation"]
    return refused("unknown_rotation", f"there is no rotation {name}", 404)


def _instant(request: Request, name: str, rotation: Rotation) -> datetime | None:
    """A parameter that may be left out. Raises ValueError."""
    given = request.query_params.get(name, "")
    return instant(given, rotation.timezone) if given else None


async def _overrides(node: Node, rotation: Rotation) -> tuple[Override, ...]:
    return await node.decisions.look(lambda overlay: overlay.overrides(rotation.id))


def _shown(shift: Shift) -> dict[str, object]:
    return {
        "start": shift.start,
        "end": shift.end,
        "people": shift.people,
        "layer": shift.layer,
    }


ROUTES = [
    Route("/oncall/{rotation}", oncall, methods=["GET"]),
    Route("/oncall/{rotation}/shifts", final_shifts, methods=["GET"]),
]
