"""Every fact of an incident as one plain sentence, for somebody who is tired.

The sentence says who did what; the clock, the gaps and the layout are ``story``'s.
"""

from collections.abc import Mapping
from typing import Any

from sentinel.timeline import incident_facts as inc
from sentinel.timeline import paging_facts as pag
from sentinel.timeline import run_facts as run
from sentinel.timeline.facts import AnyFact, Recorded
from sentinel.timeline.site_facts import BlindPageSent
from sentinel.words import Severity

Names = Mapping[str, str]
REDACTED = "[redacted]"

CATEGORIES = ("status", "alert", "paging", "playbook", "note")


def category(what: AnyFact) -> str:
    """Which of `CATEGORIES` a fact is told under."""
    match what:
        case inc.AlertJoined() | inc.AlertChanged() | inc.AlertEnded() | inc.Fired():
            return "alert"
        case inc.NoteAdded() | inc.EvidenceKept() | inc.Redacted():
            return "note"
        case _ if type(what).__module__ == pag.__name__ or isinstance(what, BlindPageSent):
            return "paging"
        case _ if type(what).__module__ == run.__name__:
            return "playbook"
        case _:
            return "status"


def sentence(record: Recorded, names: Names) -> str:
    """The fact in words. Text that was redacted is said to have been."""
    what = record.what
    text = record.text
    said = _Said(names, text)
    match category(what):
        case "alert":
            return _alert(what, said)
        case "paging":
            return _paging(what, said)
        case "playbook":
            return _playbook(what, said)
        case _:
            return _status(what, said)


class _Said:
    """People's names and the fact's texts, for sentences."""

    def __init__(self, names: Names, text: Mapping[str, str] | None) -> None:
        self._names = names
        self._text = text

    def who(self, person: str) -> str:
        return self._names.get(person, "Sentinel" if person == "sentinel" else person)

    def all(self, people: Any) -> str:
        return ", ".join(self.who(person) for person in people) or "nobody"

    def text(self, name: str, before: str = ": ") -> str:
        """The text with what leads to it; "" when there is none."""
        if self._text is None:
            return f"{before}{REDACTED}"
        value = self._text.get(name, "").strip()
        return f"{before}{value}" if value else ""


def _alert(what: AnyFact, said: _Said) -> str:
    match what:
        case inc.AlertJoined():
            worse = ", worse than what was acknowledged" if what.worse else ""
            flaps = ", flapping" if what.flapping else ""
            reason = f": {what.reason}" if what.reason else ""
            origin = what.probe or what.labels.get("alertname", what.fingerprint)
            return f"{origin} fires ({what.severity.name}){reason}{worse}{flaps}{said.text('summary', ' — ')}"
        case inc.AlertChanged():
            return (
                f"An alert is now {what.severity.name}: {what.reason}{said.text('summary', ' — ')}"
            )
        case inc.AlertEnded(reason="moved"):
            return f"An alert worsened and moved to incident {what.to_incident}"
        case inc.AlertEnded():
            return f"An alert ended: {_words(what.reason)}"
        case inc.Fired():
            return "It fires anew after having been mitigated"
        case _:
            return _unknown(what)


def _status(what: AnyFact, said: _Said) -> str:
    match what:
        case inc.Triggered():
            labels = ", ".join(f"{name}={value}" for name, value in sorted(what.labels.items()))
            return f"Incident {what.incident} opened, {what.severity.name} ({labels})"
        case inc.SeverityChanged():
            return f"Severity is now {what.severity.name} ({said.who(what.by)})"
        case inc.Acknowledged():
            return f"{said.who(what.by)} acknowledged by {what.via}"
        case inc.HoldLapsed():
            return f"Nobody holds it any more: {_words(what.reason)}"
        case inc.Mitigated():
            return f"{said.who(what.by)} says that customers are no longer hurt"
        case inc.Resolved(reason="all_ended"):
            return "Resolved: every alert has ended"
        case inc.Resolved():
            held = f"; {len(what.held)} still firing and held" if what.held else ""
            return f"{said.who(what.by)} resolved it ({_words(what.reason)}){held}"
        case inc.Reopened():
            return (
                f"Reopened by {said.who(what.by)} ({_words(what.reason)}), opening {what.opening}"
            )
        case inc.Closed():
            return f"Closed by {said.who(what.by)}"
        case inc.NoteAdded():
            return f"{said.who(what.by)} notes{said.text('note')}"
        case inc.Assigned():
            return f"{said.who(what.by)} assigned it to {said.who(what.to)}"
        case inc.Snoozed():
            return f"{said.who(what.by)} snoozed it until {what.until_at:%Y-%m-%d %H:%M} UTC"
        case inc.Linked():
            return f"Linked to incident {what.other} ({_words(what.why)})"
        case inc.Redacted():
            return (
                f"{said.who(what.by)} redacted the text of line {what.version}{said.text('reason')}"
            )
        case inc.CommandRefused():
            return f"{said.who(what.by)} asked for `{what.command}`, refused: {_words(what.reason)}"
        case inc.EvidenceKept():
            return f"Evidence kept: {what.name} ({what.size_bytes} bytes)"
        case _:
            return _unknown(what)


def _paging(what: AnyFact, said: _Said) -> str:
    match what:
        case pag.PlaybookChosen() if what.decides:
            return f"Playbook {what.playbook} matches and decides who is paged"
        case pag.PlaybookChosen():
            overruled = f"; {what.overruled} decides who is paged" if what.overruled else ""
            return f"Playbook {what.playbook} matches{overruled}"
        case pag.MatchFailed():
            return f"Playbook {what.playbook} could not be matched: {_words(what.reason)}{said.text('error')}"
        case pag.PagingPlanned():
            return f"{what.escalation} will be paged from {what.begin_at:%H:%M:%S} UTC unless it is well"
        case pag.RoundBegan(reason="fallback"):
            return f"Round {what.round}: nobody answered, the site's fallback is paged"
        case pag.RoundBegan():
            return (
                f"Round {what.round} of escalation {what.escalation} begins ({_words(what.reason)})"
            )
        case pag.LevelReached():
            level = f"Level {what.level}" if what.level else "Fallback"
            return f"{level}: paging {said.all(what.people)}; next at {what.next_at:%H:%M:%S} UTC"
        case pag.LevelEmpty():
            return f"Level {what.level} has nobody to page: {_words(what.reason)}"
        case _:
            return _page(what, said)


_PURPOSE = {"page": "A page", "approval": "An approval request", "tell": "A message"}


def _page(what: AnyFact, said: _Said) -> str:
    match what:
        case pag.PageQueued():
            kind = _PURPOSE.get(what.purpose, "A page")
            return f"{kind} to {said.who(what.person)} by {what.method} is queued for {what.due_at:%H:%M:%S} UTC"
        case pag.PageAdvanced():
            return f"The next page to {_person(what.page, said)} leaves now: {_words(what.reason)}"
        case pag.PageStarted():
            again = f", attempt {what.attempt}" if what.attempt > 1 else ""
            return f"Sending to {_person(what.page, said)}, code {what.code}{again}"
        case pag.PageAccepted():
            return f"Accepted by the provider for {_person(what.page, said)}{said.text('receipt')}"
        case pag.PageFailed():
            return f"Not sent to {_person(what.page, said)}: {_words(what.reason)}{said.text('error', ' — ')}"
        case pag.PageUncertain():
            return f"Nobody knows whether {_person(what.page, said)} got it ({_words(what.reason)}); sent again"
        case pag.PageWithdrawn():
            return f"A page to {_person(what.page, said)} is withdrawn: {_words(what.reason)}"
        case BlindPageSent():
            return f"{said.who(what.person)} was paged by {what.method} while nothing could be recorded"
        case _:
            return _unknown(what)


def _person(page: str, said: _Said) -> str:
    """Whom a page's key names: ``incident:round:level:person:step``."""
    parts = page.split(":")
    return said.who(parts[3]) if len(parts) > 3 else page


def _playbook(what: AnyFact, said: _Said) -> str:
    match what:
        case run.RunQueued():
            return f"A run of playbook {what.playbook} is queued ({what.run})"
        case run.RunRefused():
            return f"Run {what.run} may not start: {_words(what.reason)}"
        case run.RunStarted():
            return f"Run {what.run} starts"
        case run.RunTurned():
            return f"Run {what.run} goes on {_words(what.to)}: {_words(what.reason)}"
        case run.RunConcluded():
            proof = ", verified: the probe is well again" if what.verified else ""
            reason = f" ({_words(what.reason)})" if what.reason else ""
            return f"Run {what.run} {_words(what.conclusion)}{reason}{proof}"
        case _:
            return _step(what, said)


def _step(what: AnyFact, said: _Said) -> str:
    match what:
        case run.StepReady():
            return f"Step {what.step} is ready"
        case run.StepStarted():
            again = f", attempt {what.attempt}" if what.attempt > 1 else ""
            return f"Step {what.step} starts on {what.node}{again}"
        case run.StepWaiting() if what.asked:
            again = "still " if what.reminder else ""
            return f"Step {what.step} {again}waits for {said.all(what.asked)}"
        case run.StepWaiting():
            return f"Step {what.step} waits ({what.kind})"
        case run.StepRetrying():
            return f"Step {what.step} failed ({_words(what.reason)}) and is tried again"
        case run.StepFinished():
            reason = f" ({_words(what.reason)})" if what.reason else ""
            outputs = ", ".join(f"{name} = {value}" for name, value in what.outputs.items())
            shown = f"; {outputs}"[:300] if outputs else ""
            return (
                f"Step {what.step} {_words(what.state)}{reason}{shown}{said.text('detail', ' — ')}"
            )
        case run.StepAnswered():
            item = f" item {what.item + 1}" if what.item >= 0 else ""
            return f"{said.who(what.by)} answered {what.step}: {_words(what.answer)}{item}"
        case run.StepIgnored():
            return (
                f"`{_words(what.what)}` for step {what.step} changed nothing: {_words(what.reason)}"
            )
        case _:
            return _unknown(what)


def _words(code: str) -> str:
    return code.replace("_", " ")


def _unknown(what: AnyFact) -> str:
    """A fact of a kind that has no sentence yet is named, never left out."""
    return type(what).__name__


def severity_word(severity: int) -> str:
    """``critical``, ``error``, ``warning`` or ``info``."""
    return Severity(severity).name
