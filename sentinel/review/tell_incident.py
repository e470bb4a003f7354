"""Sentences about an incident's alerts, its state, and what people said."""

from datetime import datetime
from typing import assert_never

from sentinel.review.telling import SENTINEL, Category, Said, Telling, capital, name_of
from sentinel.review.wording import listed, one_line, plain, quoted, sentence, spell
from sentinel.timeline.incident_facts import (
    Acknowledged,
    AlertChanged,
    AlertEnded,
    AlertJoined,
    Assigned,
    Closed,
    CommandRefused,
    EvidenceKept,
    Fired,
    HoldLapsed,
    Linked,
    Mitigated,
    NoteAdded,
    Redacted,
    Reopened,
    Resolved,
    SeverityChanged,
    Snoozed,
    Triggered,
)

AlertFact = Triggered | AlertJoined | AlertChanged | AlertEnded | SeverityChanged
StatusFact = Acknowledged | HoldLapsed | Mitigated | Fired | Resolved | Reopened | Closed
PersonalFact = NoteAdded | Assigned | Snoozed | Linked | Redacted | CommandRefused | EvidenceKept

VIA = {
    "link": "through the link in the page",
    "web": "in the console",
    "api": "over the API",
    "cli": "on the command line",
}
LAPSED = {
    "timeout": "The acknowledgement ran out; somebody is paged again.",
    "worse": "Something worse or new joined: it counts as unacknowledged, somebody is paged again.",
}
ENDED = {
    "recovered": "recovered",
    "expired": "was not sent again and counts as ended",
    "probe_removed": "ended, because its probe is no longer declared",
    "muted": "was muted",
}
REFUSED = {
    "state": "not possible as the incident stood",
    "open_elsewhere": "another incident is open for the same",
    "not_snoozable": "a snooze lasts from 1 minute to 4 days",
    "nobody_left": "there is nobody left to page",
    "no_such_step": "no such step is under way",
}
WORST_LATE_S = 2.0
"""An alert that began earlier than this before its line says when it began."""


def tell_alert(fact: AlertFact, text: str | None, at: datetime, telling: Telling) -> Said:
    """What fires, and how bad it is. `text` is what the sender wrote; None: removed."""
    match fact:
        case Triggered():
            where = " ".join(
                value for name in ("client", "service") if (value := fact.labels.get(name))
            )
            about = f" for {where}" if where else ""
            said = f"Incident {fact.incident} opened{about}: {fact.severity.name}."
            return Said(Category.status, SENTINEL, said)
        case AlertJoined():
            return Said(Category.alert, SENTINEL, _joined(fact, text, at, telling))
        case AlertChanged():
            why = f" ({plain(fact.reason)})" if fact.reason else ""
            said = f"{telling.alert(fact.fingerprint)} is now {fact.severity.name}{why}."
            return Said(Category.alert, SENTINEL, said + _summary(text))
        case AlertEnded():
            name = telling.alert(fact.fingerprint)
            if fact.reason == "moved":
                said = f"{name} moved to incident {fact.to_incident}."
            else:
                said = f"{name} {ENDED.get(fact.reason, f'ended ({plain(fact.reason)})')}."
            return Said(Category.alert, SENTINEL, said)
        case SeverityChanged():
            if fact.by in ("", SENTINEL):
                said = f"The incident is now {fact.severity.name}."
            else:
                said = f"{telling.who(fact.by)} set the severity to {fact.severity.name}."
            return Said(Category.status, fact.by, said)
        case _:
            assert_never(fact)


def _joined(fact: AlertJoined, text: str | None, at: datetime, telling: Telling) -> str:
    since = fact.failing_since_at or fact.started_at
    began = ""
    if (at - since).total_seconds() > WORST_LATE_S:
        began = f", failing since {telling.when(since, at)}"
    why = f": {plain(fact.reason)}" if fact.reason else ""
    said = f"{name_of(fact)} fires ({fact.severity.name}){began}{why}."
    said += _summary(text)
    if fact.source not in ("probe", ""):
        said += f" Told by: {fact.source}."
    if fact.flapping:
        said += " It keeps changing (flapping)."
    if fact.worse:
        said += " This is worse than, or new to, what was acknowledged."
    return said


def _summary(text: str | None) -> str:
    if text is None:
        return " [removed]"
    return f" {sentence(capital(one_line(text)))}" if text.strip() else ""


def tell_status(fact: StatusFact, at: datetime, telling: Telling) -> Said:
    """How the incident stands, and who says so."""
    match fact:
        case Acknowledged():
            way = VIA.get(fact.via, f"by {fact.via}" if fact.via else "")
            until = f", until {telling.when(fact.until_at, at)}" if fact.until_at else ""
            said = f"{telling.who(fact.by)} has it: acknowledged {way}".rstrip() + f"{until}."
            return Said(Category.status, fact.by, said)
        case HoldLapsed():
            return Said(Category.status, fact.by, _lapsed(fact, telling))
        case Mitigated():
            said = f"{telling.who(fact.by)}: customers are no longer hurt (mitigated)."
            return Said(Category.status, fact.by, said)
        case Fired():
            said = f"It fires anew: {telling.alert(fact.fingerprint)}. No longer mitigated."
            return Said(Category.status, SENTINEL, said)
        case Resolved():
            return Said(Category.status, fact.by, _resolved(fact, telling))
        case Reopened():
            return Said(Category.status, fact.by, _reopened(fact, telling))
        case Closed():
            late = "Closed: nothing more happened." if fact.by == SENTINEL else ""
            return Said(Category.status, fact.by, late or f"{telling.who(fact.by)} closed it.")
        case _:
            assert_never(fact)


def _lapsed(fact: HoldLapsed, telling: Telling) -> str:
    if fact.reason in LAPSED:
        return LAPSED[fact.reason]
    if fact.reason == "released":
        return f"{telling.who(fact.by)} gave it back; somebody is paged again."
    if fact.reason == "escalated":
        return f"{telling.who(fact.by)} called for the next level."
    return f"The acknowledgement no longer holds: {plain(fact.reason)}."


def _resolved(fact: Resolved, telling: Telling) -> str:
    match fact.reason:
        case "all_ended":
            return "Resolved: every alert has ended."
        case "merged":
            said = f"{telling.who(fact.by)} merged it into another incident: resolved here."
        case _:
            said = f"{telling.who(fact.by)} resolved it."
    if fact.held:
        still = listed([telling.alert(each) for each in fact.held])
        fires = "fires" if len(fact.held) == 1 else "fire"
        said += f" {still} still {fires} and may reopen it."
    return said


def _reopened(fact: Reopened, telling: Telling) -> str:
    match fact.reason:
        case "returned":
            why = "Reopened: it came back."
        case "held":
            why = "Reopened: what was resolved by hand still fires."
        case _:
            why = f"{telling.who(fact.by)} reopened it."
    return f"{why} This is opening {fact.opening}."


def tell_personal(fact: PersonalFact, text: str | None, at: datetime, telling: Telling) -> Said:
    """What people did and said beside the incident's state."""
    match fact:
        case NoteAdded():
            who = telling.who(fact.by)
            return Said(Category.note, fact.by, f"{capital(who)}: {quoted(text)}")
        case Assigned():
            said = f"{telling.who(fact.by)} assigned it to {telling.who(fact.to)}."
            return Said(Category.status, fact.by, said)
        case Snoozed():
            until = telling.when(fact.until_at, at)
            span = spell((fact.until_at - at).total_seconds())
            said = f"{telling.who(fact.by)} asked for quiet until {until} ({span})."
            return Said(Category.status, fact.by, said)
        case Linked():
            return Said(Category.status, fact.by, _linked(fact))
        case Redacted():
            why = f": {quoted(text)}" if text else ""
            said = f"{telling.who(fact.by)} removed the text of entry {fact.version}{why}."
            return Said(Category.note, fact.by, said)
        case CommandRefused():
            why = REFUSED.get(fact.reason, plain(fact.reason))
            said = f"{telling.who(fact.by)} asked for “{fact.command}”; refused: {why}."
            return Said(Category.status, fact.by, said)
        case EvidenceKept():
            size = (
                f"{fact.size_bytes / 1024:.1f} KiB"
                if fact.size_bytes >= 1024
                else (f"{fact.size_bytes} bytes")
            )
            said = f"Evidence kept: {one_line(fact.name)} ({size}, SHA-256 {fact.digest[:12]}…)."
            return Said(Category.note, fact.by, said)
        case _:
            assert_never(fact)


def _linked(fact: Linked) -> str:
    match fact.why:
        case "merged_into":
            return f"Merged into incident {fact.other}; go on there."
        case "merged_from":
            return f"Incident {fact.other} was merged into this one."
        case "worsened_into":
            return f"An alert got worse and left for incident {fact.other}."
        case "worsened_from":
            return f"An alert came from incident {fact.other}, where it got worse."
        case _:
            return f"Linked with incident {fact.other}: {plain(fact.why)}."
