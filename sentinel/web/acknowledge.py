"""The page behind the link in a message: one screen, one thumb, no JavaScript, under 30 KB.

Opening it changes nothing. Its button acknowledges exactly the incidents of the delivery the
link was sent with; afterwards the same page offers what comes next. A link that has expired
or is not ours says so.
"""

import re
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sentinel.engine import links
from sentinel.engine.folds import Overlay
from sentinel.engine.node import Node
from sentinel.incident import commands as cmd
from sentinel.incident.naming import title
from sentinel.incident.runs import asked_of
from sentinel.incident.state import IncidentState, Status
from sentinel.timeline.site_facts import DeliveryJoined
from sentinel.web.auth import foreign
from sentinel.web.render import page, said_of

LOOKED_BACK = 3000
"""Facts of a person's stream looked through for a delivery: more than three days of a storm."""
SNOOZES = {"15m": 900.0, "1h": 3600.0, "4h": 14400.0}
ANSWERS = {
    "approval": (("approved", "Approve"), ("refused", "Refuse")),
    "indeterminate": (("done", "It did"), ("not_done", "It did not"), ("skip", "Skip it")),
}
"""The buttons for a step that waits for a person, by what it waits for."""
ANSWERED = frozenset({"ticked", *(word for each in ANSWERS.values() for word, _ in each)})
SHOWN = 5
"""Alerts of an incident named on the page."""
_ITEM = re.compile(r"[0-9]{1,4}")
AFTERWARDS = ("resolve", "escalate", "release", "mitigate")


@dataclass(frozen=True, slots=True)
class Behind:
    """What a link leads to."""

    link: links.Link
    incidents: tuple[IncidentState, ...]


async def _behind(request: Request) -> Behind | None:
    node: Node = request.app.state.node
    link = links.read(node.link_key, request.path_params["token"], node.present.policy.people)
    if link is None:
        return None

    def look(overlay: Overlay) -> Behind:
        stream = f"person/{link.person}"
        after = max(0, overlay.view.version(stream) - LOOKED_BACK)
        found = dict.fromkeys(
            record.what.incident
            for record in overlay.view.read(stream, after=after)
            if isinstance(record.what, DeliveryJoined) and record.what.delivery == link.delivery
        )
        return Behind(link, tuple(overlay.incident(incident) for incident in found))

    return await node.decisions.look(look)


async def show(request: Request) -> Response:
    """The page. GET and HEAD change nothing (rule 19)."""
    behind = await _behind(request)
    if behind is None or not behind.incidents:
        return page(request, "link_unknown.html", status=404)
    node: Node = request.app.state.node
    if behind.link.expires_at <= node.clock.now():
        return _expired(request, node, behind)
    person = node.present.policy.people[behind.link.person]
    return page(
        request,
        "acknowledge.html",
        person=person,
        behind=behind,
        rows=[_row(state) for state in behind.incidents],
        waiting=[state for state in behind.incidents if state.status is Status.triggered],
        asked=_asked(node, behind),
        snoozes=SNOOZES,
        said=said_of(request),
    )


def _expired(request: Request, node: Node, behind: Behind) -> Response:
    return page(
        request,
        "link_expired.html",
        status=410,
        person=node.present.policy.people[behind.link.person],
        incidents=behind.incidents,
        titles={state.incident: title(state) for state in behind.incidents},
    )


def _row(state: IncidentState) -> dict[str, object]:
    firing = state.firing()
    since = min((alert.started_at for alert in firing), default=state.opened_at)
    return {
        "state": state,
        "title": title(state),
        "severity": state.severity.name,
        "since": since,
        "alerts": firing[:SHOWN],
        "more": max(0, len(firing) - SHOWN),
    }


def _asked(node: Node, behind: Behind) -> list[dict[str, object]]:
    """What waits for this person's answer: approvals, checklists, interrupted steps."""
    found: list[dict[str, object]] = []
    for state in behind.incidents:
        for run, name in asked_of(state):
            step = run.steps[name]
            if behind.link.person not in step.asked:
                continue
            head, *items = node.present.question(run.digest, name).splitlines()
            ticked = {answer.item for answer in step.answers if answer.answer == "ticked"}
            left = [(i, text.removeprefix("- ")) for i, text in enumerate(items) if i not in ticked]
            found.append(
                {
                    "incident": state.incident,
                    "run": run.id,
                    "step": name,
                    "digest": step.inputs_digest,
                    "text": head,
                    "items": left,
                    "answers": ANSWERS.get(step.wait_kind, ()),
                }
            )
    return found


async def act(request: Request) -> Response:
    """The button: acknowledge the delivery's incidents, or what comes after for one of them."""
    node: Node = request.app.state.node
    behind = await _behind(request)
    if behind is None or not behind.incidents or foreign(request, node.url):
        return page(request, "link_unknown.html", status=404)
    if behind.link.expires_at <= node.clock.now():
        return _expired(request, node, behind)
    form = await request.form(max_fields=20, max_files=0)
    word = str(form.get("command", ""))
    chosen = str(form.get("incident", ""))
    incidents = [s.incident for s in behind.incidents if chosen in ("", s.incident)]
    command = _command(word, {name: str(value) for name, value in form.items()})
    if command is None or not incidents:
        return page(request, "link_unknown.html", status=400)
    refused = []
    for incident in incidents:
        answer = await node.responder.command(incident, command, by=behind.link.person, via="link")
        if answer is not None:
            refused.append(answer.reason)
    said = "refused" if refused else word
    return RedirectResponse(f"{request.url.path}?said={said}", status_code=303)


def _command(word: str, form: dict[str, str]) -> cmd.Command | None:
    match word:
        case "ack":
            return cmd.Acknowledge()
        case "snooze" if form.get("for", "") in SNOOZES:
            return cmd.Snooze(SNOOZES[form["for"]])
        case "note" if form.get("text", "").strip():
            return cmd.Note(form["text"].strip()[: cmd.MAX_TEXT])
        case "answer" if form.get("answer") in ANSWERED:
            return cmd.Answer(
                run=form.get("run", ""),
                step=form.get("step", ""),
                answer=form["answer"],
                item=int(form["item"]) if _ITEM.fullmatch(form.get("item", "")) else -1,
                inputs_digest=form.get("digest", ""),
            )
        case _ if word in AFTERWARDS:
            return cmd.parse(word, {})
        case _:
            return None
