"""What a teller of facts has learned so far: who people are, what pages and runs are about.

A fact names things by id; the sentence about it names them as people do. `Telling` learns
from each fact after it was told, so a story needs nothing but its own stream.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sentinel.playbook.state import UNDO
from sentinel.review.wording import listed, moment
from sentinel.timeline.facts import AnyFact
from sentinel.timeline.incident_facts import AlertJoined, Triggered
from sentinel.timeline.paging_facts import PageQueued, PageStarted
from sentinel.timeline.run_facts import RunQueued, StepWaiting

SENTINEL = "sentinel"
_WORD = re.compile(r"[^\W\d_]+(?: (?![=<>!&|?+])|[,;]|$)")
"""A word alone, and no operator after it."""


class Category(StrEnum):
    """What a line is about; screens colour and filter by it."""

    status = "status"
    alert = "alert"
    paging = "paging"
    playbook = "playbook"
    note = "note"


@dataclass(frozen=True, slots=True)
class Said:
    """One fact as a sentence. `detail` marks what is left out of the short story."""

    category: Category
    actor: str
    text: str
    detail: bool = False


@dataclass(slots=True)
class Telling:
    """Names of people by id, the zone of clocks, and what the stream has shown so far."""

    timezone: str
    names: Mapping[str, str]
    incident: str = ""
    alerts: dict[str, AlertJoined] = field(default_factory=dict)
    pages: dict[str, PageQueued] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    """A page's visible code, once it was sent."""
    playbooks: dict[str, str] = field(default_factory=dict)
    """A run's playbook."""
    waits: dict[tuple[str, str], StepWaiting] = field(default_factory=dict)

    def learn(self, what: AnyFact) -> None:
        """Remember what later sentences will need."""
        match what:
            case Triggered():
                self.incident = what.incident
            case AlertJoined():
                self.alerts[what.fingerprint] = what
            case PageQueued():
                self.pages[what.page] = what
            case PageStarted():
                self.codes[what.page] = what.code
            case RunQueued():
                self.playbooks[what.run] = what.playbook
            case StepWaiting():
                self.waits[what.run, what.step] = what
            case _:
                return

    def who(self, by: str) -> str:
        """A person by name, Sentinel itself, or the playbook that a run belongs to."""
        if by in ("", SENTINEL):
            return "Sentinel"
        family, _, rest = by.partition("/")
        if family == "run":
            return self.playbook(rest)
        if family == "person":
            by = rest
        return self.names.get(by) or by

    def everybody(self, people: tuple[str, ...]) -> str:
        """People by name, in order; ``nobody`` when there is none."""
        return listed([self.who(person) for person in people]) or "nobody"

    def when(self, at: datetime, now: datetime) -> str:
        """An instant as said at `now`, local."""
        return moment(at, now, self.timezone)

    def alert(self, fingerprint: str) -> str:
        """An alert by its probe or alertname."""
        known = self.alerts.get(fingerprint)
        return name_of(known) if known is not None else fingerprint

    def playbook(self, run: str) -> str:
        """``playbook shop-down``."""
        known = self.playbooks.get(run)
        return f"playbook {known}" if known else f"run {run}"

    def step(self, run: str, name: str) -> str:
        """``step switch``, or ``the undo of step switch``; with its playbook where several run."""
        of = f" of {self.playbook(run)}" if len(self.playbooks) > 1 else ""
        if name.endswith(UNDO):
            return f"the undo of step {name.removesuffix(UNDO)}{of}"
        return f"step {name}{of}"


def name_of(alert: AlertJoined) -> str:
    """What people call an alert: its probe, else its alertname, else its fingerprint."""
    return alert.probe or alert.labels.get("alertname", "") or alert.fingerprint


def capital(text: str) -> str:
    """The text with a capital letter at its beginning, where that is a word of a sentence: a
    condition (``status == 200``) and an id (``shop-home``) stay as they are written."""
    return text[:1].upper() + text[1:] if _WORD.match(text) else text
