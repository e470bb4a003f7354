"""The door of the console's pages: who comes in, and what others are told."""

from starlette.requests import Request
from starlette.responses import Response

from sentinel.engine.node import Node
from sentinel.web.auth import Caller, caller, foreign
from sentinel.web.render import refusal


async def visitor(request: Request) -> Caller | Response:
    """Who looks; or the answer to somebody we do not know."""
    node: Node = request.app.state.node
    who = caller(request, await node.site(), via="web")
    if who is None:
        return refusal(request, 401, "who are you? send a bearer token")
    return who


async def actor(request: Request) -> Caller | Response:
    """Who sent a form; or the answer to somebody who may not."""
    node: Node = request.app.state.node
    who = await visitor(request)
    if not isinstance(who, Response) and foreign(request, node.url):
        return refusal(request, 403, "this form was sent for another site")
    return who
