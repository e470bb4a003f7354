"""``/api/v1/silences``: people mute alerts by matchers, for a while."""

import secrets
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sentinel.engine.muting import silences as all_silences
from sentinel.engine.node import Node
from sentinel.incident import commands as cmd
from sentinel.labels import check as check_matchers
from sentinel.timeline.facts import Fact
from sentinel.timeline.site_facts import SilenceAdded, SilenceExpired
from sentinel.web.api import Json, body_of, known, refused
from sentinel.web.auth import Caller


@known
async def silences(request: Request, node: Node, who: Caller) -> Response:
    """``GET /silences``, ``POST /silences {matchers, for_s | to_at, reason}``."""
    if request.method == "GET":
        found = await node.decisions.run([], all_silences)
        return Json({"silences": found})
    try:
        body = await body_of(request)
        matchers = {
            name: tuple(map(str, value)) if isinstance(value, list) else str(value)
            for name, value in dict(body["matchers"]).items()
        }
        check_matchers(matchers)
        if not any(matchers.values()):
            raise ValueError("a silence needs at least one matcher that says something")
        now = node.clock.now()
        span = timedelta(seconds=min(max(float(body["for_s"]), 60.0), 30 * 86400.0))
    except (KeyError, TypeError, ValueError, OverflowError) as wrong:
        return refused("bad_request", f"{wrong}", 400)
    name = secrets.token_hex(4)
    fact = Fact(
        SilenceAdded(name, matchers, now, now + span, str(body.get("by") or who.name)),
        now,
        {"reason": str(body.get("reason", ""))[: cmd.MAX_TEXT]},
    )
    await node.append(f"silence/{name}", fact)
    return Json({"silence": name, "to_at": now + span}, 201)


@known
async def expire_silence(request: Request, node: Node, who: Caller) -> Response:
    """``POST /silences/ID/expire``."""
    stream = f"silence/{request.path_params['silence']}"
    if not await node.decisions.look(lambda overlay: overlay.view.version(stream)):
        return refused("unknown_silence", "there is no such silence", 404)
    await node.append(stream, Fact(SilenceExpired(who.name), node.clock.now()))
    return Json({"expired": True})


ROUTES = [
    Route("/silences", silences, methods=["GET", "POST"]),
    Route("/silences/{silence}/expire", expire_silence, methods=["POST"]),
]
