"""The console's pages of incidents: the list, one incident, kept evidence. Forms post commands; links
only look."""

from datetime import datetime

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sentinel.engine.folds import Overlay
from sentinel.engine.node import Node
from sentinel.incident import commands as cmd
from sentinel.incident.naming import title
from sentinel.incident.state import IncidentState, Status
from sentinel.localtime import instant
from sentinel.review.story import story
from sentinel.store.journal import IncidentRow
from sentinel.timeline.facts import Recorded
from sentinel.web.door import actor, visitor
from sentinel.web.render import page, refusal, said_of

PAGE = 100
STATUSES = tuple(map(str, Status))


async def to_incidents(request: Request) -> Response:
    """The list is the console's first page."""
    return RedirectResponse(request.url_for("incidents").path, 308)


def _before(request: Request) -> datetime | None:
    """Where the page before ended; what is no instant is the beginning."""
    try:
        return instant(request.query_params.get("before", ""), "UTC")
    except ValueError:
        return None


async def incidents(request: Request) -> Response:
    """The list, newest first; ``?status=`` filters, ``?before=`` goes on, the address can be shared."""
    who = await visitor(request)
    if isinstance(who, Response):
        return who
    node: Node = request.app.state.node
    wanted = [s for s in request.query_params.getlist("status") if s in STATUSES]
    before = _before(request)

    def look(overlay: Overlay) -> tuple[list[IncidentRow], dict[str, IncidentState]]:
        rows = list(overlay.view.incidents(status=wanted, limit=PAGE + 1, before=before))
        triggered = [row.incident for row in rows if row.status == Status.triggered]
        return rows, {name: overlay.incident(name) for name in triggered}

    rows, states = await node.decisions.look(look)
    return page(
        request,
        "incidents.html",
        rows=rows[:PAGE],
        states=states,
        statuses=STATUSES,
        wanted=wanted,
        before=before,
        older=rows[PAGE - 1].opened_at if len(rows) > PAGE else None,
    )


async def incident(request: Request) -> Response:
    """One incident: what is wrong, who has it, what happened, what one may do. With ``?all=1`` every
    fact is told, else what matters for understanding."""
    who = await visitor(request)
    if isinstance(who, Response):
        return who
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
        said=said_of(request),
    )


async def command(request: Request) -> Response:
    """A form of the incident page."""
    node: Node = request.app.state.node
    who = await actor(request)
    if isinstance(who, Response):
        return who
    name = request.path_params["incident"]
    form = {k: str(v) for k, v in (await request.form(max_fields=20, max_files=0)).items()}
    word, by = form.pop("command", ""), form.pop("by", "") or who.name
    try:
        wanted = cmd.parse(word, {k: v for k, v in form.items() if v})
    except ValueError as wrong:
        return refusal(request, 400, str(wrong))
    refused = await node.responder.command(name, wanted, by=by, via=who.via)
    said = f"refused: {refused.text}" if refused else f"{word}: done"
    url = request.url_for("incident", incident=name).include_query_params(said=said)
    return RedirectResponse(str(url), status_code=303)


async def evidence(request: Request) -> Response:
    """Kept bytes by their SHA-256, as plain text; never as something a browser would run."""
    who = await visitor(request)
    if isinstance(who, Response):
        return who
    node: Node = request.app.state.node
    digest = request.path_params["digest"]
    content = await node.decisions.look(lambda overlay: overlay.view.evidence(digest))
    if content is None:
        return page(request, "missing.html", status=404, what="evidence")
    return Response(content, headers={"content-type": "text/plain; charset=utf-8"})


ROUTES = [
    Route("/", incidents, methods=["GET", "HEAD"], name="incidents"),
    Route("/incidents/{incident}", incident, methods=["GET", "HEAD"], name="incident"),
    Route("/incidents/{incident}", command, methods=["POST"]),
    Route("/evidence/{digest}", evidence, methods=["GET", "HEAD"], name="evidence"),
    Route("/incidents", to_incidents, methods=["GET", "HEAD"]),
]
