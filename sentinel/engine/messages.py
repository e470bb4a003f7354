"""The words of a delivery: what is wrong, since when, and the link, readable half asleep.

Short first: the code, the severity, what and where. Nothing here is a template that a
sender's text could reach into.
"""

from collections.abc import Sequence

from sentinel.incident.naming import title
from sentinel.incident.sending import Claim
from sentinel.incident.state import IncidentState, Status
from sentinel.kinds import Message
from sentinel.localtime import wall
from sentinel.words import Severity, Urgency

LISTED = 500
"""A bundle names this many incidents one by one; the page behind the link lists all."""


def compose(
    claim: Claim, states: Sequence[IncidentState], *, link: str, timezone: str, asked: str = ""
) -> Message:
    """The message of a delivery about these incidents, for somebody in this time zone. `asked` is
    the text of an approval request. The body follows the short text and does not repeat it."""
    if claim.purpose == "tell":
        return _told(claim, states, link)
    if claim.purpose == "approval":
        return _asking(claim, states[0], link, asked)
    worst = max(states, key=lambda state: state.severity)
    head = _head(worst)
    if len(states) > 1:
        head = f"{len(states)} incidents, worst: {head}"
    listed = len(states) > 1
    lines = [line for each in states[:LISTED] for line in _about(each, timezone, listed=listed)]
    if len(states) > LISTED:
        lines.append(f"… and {len(states) - LISTED} more")
    if asked:
        lines += ["", "And somebody waits for your answer:", asked]
    lines += ["", f"Acknowledge: {link}"]
    return Message(
        title=f"[{claim.code}] {head}"[:200],
        body="\n".join(lines),
        short=_short(claim.code, head, link),
        code=claim.code,
        link=link,
        urgency=worst.urgency,
    )


def _head(state: IncidentState) -> str:
    return f"{Severity(state.severity).name.upper()} {title(state)}"


def _about(state: IncidentState, timezone: str, *, listed: bool) -> list[str]:
    """An incident and its first alerts; one that is not `listed` with others is named by the head."""
    lines = [
        f"{_head(state)} — incident {state.incident}" if listed else f"Incident {state.incident}"
    ]
    for alert in state.firing()[:5]:
        since = wall(alert.started_at, timezone).strftime("%H:%M:%S %Z")
        lines.append(f"  {alert.origin}: {alert.reason or 'firing'}, since {since}")
    return lines


def _told(claim: Claim, states: Sequence[IncidentState], link: str) -> Message:
    state = states[0]
    if state.status is Status.resolved:
        news = f"Resolved: {title(state)}"
    elif state.status is Status.triggered:
        news = f"{_head(state)}, people are being paged"
    else:
        news = f"{state.holder or 'Somebody'} has it: {title(state)}"
    body = f"{news}\nIncident {state.incident}\n{link}"
    return Message(f"[{claim.code}] {news}"[:200], body, news[:160], claim.code, link, Urgency.low)


def _asking(claim: Claim, state: IncidentState, link: str, asked: str) -> Message:
    head = f"Approval wanted: {title(state)}"
    body = f"{asked}\n\nIncident {state.incident}\nLook and answer: {link}"
    short = _short(claim.code, head, link)
    return Message(f"[{claim.code}] {head}"[:200], body, short, claim.code, link, state.urgency)


def _short(code: str, head: str, link: str) -> str:
    """At most 160 characters with the code first and the link whole at the end."""
    room = 160 - len(code) - len(link) - 2
    return f"{code} {head[: max(room, 0)]} {link}"
