"""``/api/v1``: everything that exists, as JSON. Reads look at views; writes are commands.

Instants are RFC 3339 in UTC. Errors are ``{"error": reason, "text": sentence}``. Lists take
``?limit=`` (at most 1,000) and ``?before=`` (an instant) to page.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from enum import Enum
from functools import wraps
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sentinel.engine.failpoint import Stage, is_off
from sentinel.engine.folds import Overlay
from sentinel.engine.node import Node
from sentinel.incident import commands as cmd
from sentinel.incident.naming import title
from sentinel.incident.state import IncidentState, Status
from sentinel.localtime import instant, zone
from sentinel.review.export import export_json, export_markdown
from sentinel.review.postmortem import draft
from sentinel.review.story import story
from sentinel.store.journal import IncidentRow, View
from sentinel.timeline.chain import verify
from sentinel.timeline.facts import Fact
from sentinel.timeline.site_facts import (
    AutomationSwitched,
    TokenIssued,
    TokenRevoked,
)
from sentinel.web.auth import Caller, caller, digest_of, foreign, new_token

MOST = 1000
OFF_WITH = {"story": Stage.timeline, "postmortem": Stage.postmortem}
Endpoint = Callable[[Request, Node, Caller], Awaitable[Response]]


class Json(Response):
    """JSON of our values: dataclasses, enums, instants."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return json.dumps(content, default=_plain, ensure_ascii=False).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.asdict(value)
    if hasattr(value, "__dataclass_fields__"):
        return asdict(value)
    if isinstance(value, frozenset | set | tuple):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)


def refused(reason: str, text: str, status: int) -> Json:
    """An error body."""
    return Json({"error": reason, "text": text}, status)


class BadBody(ValueError):
    """What was sent is no JSON object; the text is for whoever sent it."""


def known(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    """Only for callers we know; anything but GET not from another site's page."""

    @wraps(endpoint)
    async def guarded(request: Request) -> Response:
        node: Node = request.app.state.node
        via = "cli" if request.client is None else "api"
        who = caller(request, await node.site(), via=via)
        if who is None:
            return refused("unauthorized", "send a bearer token", 401)
        if request.method not in ("GET", "HEAD") and foreign(request, node.url):
            return refused("forbidden", "a page of another site sent this", 403)
        try:
            return await endpoint(request, node, who)
        except BadBody as wrong:
            return refused("bad_request", str(wrong), 400)

    return guarded


async def body_of(request: Request) -> dict[str, Any]:
    """The JSON object sent; an empty body is {}. Raises BadBody, which `known` answers with 400."""
    raw = await request.body()
    try:
        return msgspec.json.decode(raw, type=dict[str, Any]) if raw else {}
    except (ValueError, RecursionError) as wrong:
        raise BadBody(f"the body is no JSON object: {str(wrong)[:200]}") from wrong


def _limits(request: Request) -> tuple[int, datetime | None]:
    limit = min(max(int(request.query_params.get("limit", "100")), 1), MOST)
    before = request.query_params.get("before")
    return limit, instant(before, "UTC") if before else None


def _summary(row: IncidentRow) -> dict[str, Any]:
    return {**asdict(row), "severity": row.severity.name}


@known
async def incidents(request: Request, node: Node, who: Caller) -> Response:
    """``GET /incidents?status=…``: newest first."""
    try:
        limit, before = _limits(request)
    except ValueError as wrong:
        return refused("bad_request", str(wrong), 400)
    wanted = request.query_params.getlist("status")
    if not set(wanted) <= set(Status):
        return refused("bad_request", f"status is one of {', '.join(Status)}", 400)
    rows = await node.decisions.look(
        lambda overlay: list(overlay.view.incidents(status=wanted, limit=limit, before=before))
    )
    return Json({"incidents": [_summary(row) for row in rows]})


async def _state(node: Node, incident: str) -> IncidentState:
    return await node.decisions.look(lambda overlay: overlay.incident(incident))


@known
async def incident(request: Request, node: Node, who: Caller) -> Response:
    """``GET /incidents/ID``: the folded state and every recorded fact."""
    name = request.path_params["incident"]

    def look(overlay: Overlay) -> tuple[IncidentState, list[Any]]:
        return overlay.incident(name), list(overlay.view.read(f"incident/{name}"))

    state, records = await node.decisions.look(look)
    if not state.incident:
        return refused("unknown_incident", f"there is no incident {name}", 404)
    facts = [
        {
            "version": record.version,
            "type": type(record.what).__name__,
            "occurred_at": record.occurred_at,
            "recorded_at": record.recorded_at,
            "data": record.what,
            "text": record.text,
            "hash": record.hash,
        }
        for record in records
    ]
    about = {
        "incident": state.incident,
        "title": title(state),
        "status": state.status,
        "severity": state.severity.name,
        "urgency": state.urgency,
        "labels": state.labels,
        "holder": state.holder,
        "opened_at": state.opened_at,
        "resolved_at": state.resolved_at,
        "opening": state.opening,
        "round": state.paging.round,
        "level": state.paging.level,
        "next_page_at": state.paging.next_at,
        "alerts": list(state.alerts.values()),
        "pages": list(state.paging.pages.values()),
        "runs": dict(state.runs),
    }
    return Json({**about, "facts": facts})


@known
async def incident_command(request: Request, node: Node, who: Caller) -> Response:
    """``POST /incidents/ID/COMMAND`` with the command's fields as a JSON object."""
    try:
        body = await body_of(request)
        by = str(body.pop("by", "") or who.name)
        command = cmd.parse(request.path_params["command"], body)
    except ValueError as wrong:
        return refused("bad_request", str(wrong), 400)
    name = request.path_params["incident"]
    answer = await node.responder.command(name, command, by=by, via=who.via)
    if answer is not None:
        status = 404 if answer.reason == "unknown_incident" else 409
        return refused(answer.reason, answer.text, status)
    state = await _state(node, name)
    answered = {"incident": name, "status": state.status, "holder": state.holder}
    if isinstance(command, cmd.RunPlaybook):
        asked = [run for run in state.runs.values() if run.requested_by == by]
        answered |= {"run": asked[-1].id, "run_status": asked[-1].status}
    return Json(answered)


@known
async def incident_document(request: Request, node: Node, who: Caller) -> Response:
    """``GET /incidents/ID/story|postmortem|export|verify``: text, Markdown, JSON, findings."""
    name, what = request.path_params["incident"], request.path_params["what"]
    records = await node.decisions.look(lambda overlay: list(overlay.view.read(f"incident/{name}")))
    if not records:
        return refused("unknown_incident", f"there is no incident {name}", 404)
    if what == "verify":
        sealed = await node.journal.view(lambda view: view.sealed(f"incident/{name}"))
        findings = [str(finding) for finding in verify(sealed)]
        return Json({"incident": name, "facts": len(records), "findings": findings})
    timezone = request.query_params.get("timezone", "UTC")
    try:
        zone(timezone)
    except ValueError as wrong:
        return refused("bad_request", str(wrong), 400)
    if what in OFF_WITH and is_off(OFF_WITH[what]):
        return refused("failpoint", f"{what} is switched off by a failpoint", 503)
    if what == "story":
        return PlainTextResponse(story(records, timezone=timezone, names=node.names()).as_text())
    if what == "postmortem":
        text = draft(records, timezone=timezone, names=node.names())
        return PlainTextResponse(text, media_type="text/markdown")
    if what != "export":
        return refused("not_found", "story, export, postmortem or verify", 404)
    if request.query_params.get("format") == "markdown":
        text = export_markdown(records, timezone=timezone, names=node.names())
        return PlainTextResponse(text, media_type="text/markdown")
    content = export_json(records, timezone=timezone, names=node.names())
    return Response(content, media_type="application/json")


def by_probe(view: View) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """The stored verdict states by probe and location: one query for all of them."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for stored in view.probe_states():
        found.setdefault(stored.probe, {})[stored.location] = stored.state
    return found


@known
async def probes(request: Request, node: Node, who: Caller) -> Response:
    """``GET /probes``: what is declared and how it stands at each location."""
    declared = sorted(node.present.policy.probes.values(), key=lambda probe: probe.id)
    states = await node.decisions.look(lambda overlay: by_probe(overlay.view))
    rows = [
        {
            "probe": probe.id,
            "kind": probe.kind,
            "client": probe.client,
            "service": probe.service,
            "vendor": probe.vendor,
            "declared_at": str(probe.place),
            "locations": states.get(probe.id, {}),
        }
        for probe in declared
    ]
    return Json({"probes": rows})


@known
async def check_probe(request: Request, node: Node, who: Caller) -> Response:
    """``POST /probes/ID/check``: one check now, outside its schedule."""
    name = request.path_params["probe"]
    if name not in node.present.policy.probes:
        return refused("unknown_probe", f"there is no probe {name}", 404)
    _, result = await node.watcher.check_now(name)
    return Json(result)


@known
async def automation(request: Request, node: Node, who: Caller) -> Response:
    """``GET /automation``, ``POST /automation {on, reason}``: the kill switch."""
    if request.method == "POST":
        body = await body_of(request)
        if not isinstance(body.get("on"), bool):
            return refused("bad_request", "`on` is true or false", 400)
        what = AutomationSwitched(body["on"], str(body.get("by") or who.name))
        await node.append(
            "site", Fact(what, node.clock.now(), {"reason": str(body.get("reason", ""))})
        )
    return Json({"on": (await node.site()).automation_on})


@known
async def allow_playbook(request: Request, node: Node, who: Caller) -> Response:
    """``POST /playbooks/ID/allow``: close its circuits after failed remediations."""
    name = request.path_params["playbook"]
    if name not in node.present.policy.playbooks:
        return refused("unknown_playbook", f"there is no playbook {name}", 404)
    return Json({"playbook": name, "closed": await node.allow(name, who.name)})


@known
async def tokens(request: Request, node: Node, who: Caller) -> Response:
    """``GET /tokens`` names, ``POST /tokens {name, user}``: the answer is the only time it is shown."""
    if request.method == "GET":
        site = await node.site()
        return Json({"tokens": {name: token.user for name, token in site.tokens.items()}})
    body = await body_of(request)
    name, user = str(body.get("name", "")), str(body.get("user", ""))
    if not name or not user:
        return refused("bad_request", "a token has a `name` and a `user`", 400)
    token = new_token()
    await node.append("site", Fact(TokenIssued(name, user, digest_of(token)), node.clock.now()))
    return Json({"name": name, "user": user, "token": token}, 201)


@known
async def revoke_token(request: Request, node: Node, who: Caller) -> Response:
    """``POST /tokens/NAME/revoke``."""
    what = TokenRevoked(request.path_params["name"], who.name)
    await node.append("site", Fact(what, node.clock.now()))
    return Json({"revoked": True})


@known
async def page_person(request: Request, node: Node, who: Caller) -> Response:
    """``POST /people/ID/page``: a test page by each of their methods, marked as one."""
    name = request.path_params["person"]
    if name not in node.present.policy.people:
        return refused("unknown_person", f"there is no person {name}", 404)
    return Json({"person": name, "sent": await node.page_test(name)})


ROUTES = [
    Route("/incidents", incidents, methods=["GET"]),
    Route("/incidents/{incident}", incident, methods=["GET"]),
    Route("/incidents/{incident}/{what:str}", incident_document, methods=["GET"]),
    Route("/incidents/{incident}/{command:str}", incident_command, methods=["POST"]),
    Route("/probes", probes, methods=["GET"]),
    Route("/probes/{probe}/check", check_probe, methods=["POST"]),
    Route("/automation", automation, methods=["GET", "POST"]),
    Route("/playbooks/{playbook}/allow", allow_playbook, methods=["POST"]),
    Route("/tokens", tokens, methods=["GET", "POST"]),
    Route("/tokens/{name}/revoke", revoke_token, methods=["POST"]),
    Route("/people/{person}/page", page_person, methods=["POST"]),
]
