"""The console's pages: incidents, one incident, probes. Forms post commands; links only look."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from sentinel.engine.folds import Overlay
from sentinel.engine.node import Node
from sentinel.engine.verdicts import states_of
from sentinel.incident import commands as cmd
from sentinel.incident.naming import title
from sentinel.incident.state import IncidentState
from sentinel.review.story import story
from sentinel.store.journal import IncidentRow
from sentinel.timeline.facts import Recorded
from sentinel.web.auth import Caller, caller, foreign
from sentinel.web.render import page

PAGE = 100
STATUSES = ("triggered", "acknowledged", "mitigated", "resolved", "closed")


async def _who(request: Request) -> Caller | None:
    node: Node = request.app.state.node
    return caller(request, await node.site(), via="web")


def _stranger() -> Response:
    return PlainTextResponse("who are you? send a bearer token\n", 401)


async def incidents(request: Request) -> Response:
    """The list, newest first; ``?status=`` filters, the address can be shared."""
    if await _who(request) is None:
        return _stranger()
    node: Node = request.app.state.node
    wanted = [s for s in request.query_params.getlist("status") if s in STATUSES]

    def look(overlay: Overlay) -> tuple[list[IncidentRow], dict[str, IncidentState]]:
        rows = list(overlay.view.incidents(status=wanted, limit=PAGE))
        states = {row.incident: overlay.incident(row.incident) for row in rows}
        return rows, states

    rows, states = await node.decisions.look(look)
    return page(
        request, "incidents.html", rows=rows, states=states, statuses=STATUSES, wanted=wanted
    )


async def incident(request: Request) -> Response:
    """One incident: what is wrong, who has it, what happened, what one may do. With ``?all=1`` every
    fact is told, else what matters for understanding."""
    if await _who(request) is None:
        return _stranger()
    node: Node = request.app.state.node
    name = request.path_params["incident"]
    timezone = request.query_params.get("timezone", "UTC")

    def look(overlay: Overlay) -> tuple[IncidentState, list[Recorded]]:
        return overlay.incident(name), list(overlay.view.read(f"incident/{name}"))

    state, records = await node.decisions.look(look)
    if not state.incident:
        return page(request, "missing.html", status=404, what=f"incident {name}")
    try:
        told = story(records, timezone=timezone, names=node.names())
    except ValueError:
        told, timezone = story(records, timezone="UTC", names=node.names()), "UTC"
    everything = request.query_params.get("all") == "1"
    return page(
        request,
        "incident.html",
        state=state,
        title=title(state),
        told=told,
        everything=everything,
        lines=told.everything if everything else told.lines,
        playbooks=sorted(b.id for b in node.present.policy.playbooks.values() if b.steps),
        timezone=timezone,
        people=sorted(node.present.policy.people.values(), key=lambda person: person.name),
        said=request.query_params.get("said", ""),
    )


async def command(request: Request) -> Response:
    """A form of the incident page."""
    node: Node = request.app.state.node
    who = await _who(request)
    if who is None:
        return _stranger()
    if foreign(request, node.url):
        return PlainTextResponse("this form was sent for another site\n", 403)
    name = request.path_params["incident"]
    form = {k: str(v) for k, v in (await request.form(max_fields=20, max_files=0)).items()}
    word, by = form.pop("command", ""), form.pop("by", "") or who.name
    try:
        wanted = cmd.parse(word, {k: v for k, v in form.items() if v})
    except ValueError as wrong:
        return PlainTextResponse(f"{wrong}\n", 400)
    refused = await node.responder.command(name, wanted, by=by, via=who.via)
    said = f"refused: {refused.text}" if refused else f"{word}: done"
    url = request.url_for("incident", incident=name).include_query_params(said=said)
    return RedirectResponse(str(url), status_code=303)


async def evidence(request: Request) -> Response:
    """Kept bytes by their SHA-256, as plain text; never as something a browser would run."""
    if await _who(request) is None:
        return _stranger()
    node: Node = request.app.state.node
    digest = request.path_params["digest"]
    content = await node.decisions.look(lambda overlay: overlay.view.evidence(digest))
    if content is None:
        return page(request, "missing.html", status=404, what="evidence")
    return Response(content, headers={"content-type": "text/plain; charset=utf-8"})


async def probes(request: Request) -> Response:
    """Every probe with its verdict; where nothing is declared yet, the YAML to write next."""
    if await _who(request) is None:
        return _stranger()
    node: Node = request.app.state.node
    declared = sorted(node.present.policy.probes.values(), key=lambda probe: probe.id)[:2000]
    states = await node.decisions.look(
        lambda overlay: {probe.id: states_of(overlay.view, probe.id) for probe in declared}
    )
    return page(request, "probes.html", probes=declared, states=states)


ROUTES = [
    Route("/", incidents, methods=["GET", "HEAD"], name="incidents"),
    Route("/incidents/{incident}", incident, methods=["GET", "HEAD"], name="incident"),
    Route("/incidents/{incident}", command, methods=["POST"]),
    Route("/evidence/{digest}", evidence, methods=["GET", "HEAD"], name="evidence"),
    Route("/probes", probes, methods=["GET", "HEAD"], name="probes"),
]
