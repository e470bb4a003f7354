"""The console's pages of what people put in place for a while: overrides and silences.

Each lists what is in force or to come, with a button that ends it. Nothing is made here:
``sentinel oncall override`` and ``sentinel silence add`` say so on the page.
"""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sentinel.engine.muting import silences as all_silences
from sentinel.engine.node import Node
from sentinel.oncall.overriding import NoOverride
from sentinel.timeline.facts import Fact
from sentinel.timeline.site_facts import SilenceExpired
from sentinel.web.door import actor, visitor
from sentinel.web.render import page, said_of


def _back(request: Request, name: str, said: str) -> Response:
    url = request.url_for(name).include_query_params(said=said)
    return RedirectResponse(str(url), status_code=303)


async def overrides(request: Request) -> Response:
    """What is in force or to come, declared ones too; those made at run time can be ended."""
    who = await visitor(request)
    if isinstance(who, Response):
        return who
    node: Node = request.app.state.node
    found = await node.rota.standing()
    return page(request, "overrides.html", overrides=found, said=said_of(request))


async def end_override(request: Request) -> Response:
    """The button of the overrides page."""
    who = await actor(request)
    if isinstance(who, Response):
        return who
    node: Node = request.app.state.node
    name = request.path_params["override"]
    came_to = await node.rota.end(name, by=who.name)
    said = f"refused: {came_to.text}" if isinstance(came_to, NoOverride) else f"{name}: ended"
    return _back(request, "overrides", said)


async def silences(request: Request) -> Response:
    """Every silence that is not over."""
    who = await visitor(request)
    if isinstance(who, Response):
        return who
    node: Node = request.app.state.node
    now = node.clock.now()
    found = [each for each in await node.decisions.run([], all_silences) if each.to_at > now]
    found.sort(key=lambda each: each.to_at)
    return page(request, "silences.html", silences=found, said=said_of(request))


async def end_silence(request: Request) -> Response:
    """The button of the silences page."""
    who = await actor(request)
    if isinstance(who, Response):
        return who
    node: Node = request.app.state.node
    name = request.path_params["silence"]
    stream = f"silence/{name}"
    if not await node.decisions.look(lambda overlay: overlay.view.version(stream)):
        return _back(request, "silences", f"refused: there is no silence {name}")
    await node.append(stream, Fact(SilenceExpired(who.name), node.clock.now()))
    return _back(request, "silences", f"{name}: ended")


ROUTES = [
    Route("/overrides", overrides, methods=["GET", "HEAD"], name="overrides"),
    Route("/overrides/{override}/end", end_override, methods=["POST"]),
    Route("/silences", silences, methods=["GET", "HEAD"], name="silences"),
    Route("/silences/{silence}/end", end_silence, methods=["POST"]),
]
