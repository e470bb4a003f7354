"""An incident is the fold of its one stream; this is the fold.

`apply` takes facts in order and keeps exactly what decisions need. An `IncidentState` is an
accumulator: only `apply` changes it, `copy` gives a decision its own to think ahead with.
Runs are folded by ``playbook.state``, with the same facts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from sentinel.playbook.state import RunState
from sentinel.playbook.state import apply as apply_run
from sentinel.timeline import facts as f
from sentinel.timeline import incident_facts as inc
from sentinel.timeline import paging_facts as pag
from sentinel.words import Labels, Severity, Urgency


class Status(StrEnum):
    """Where an incident stands: rule 12."""

    triggered = "triggered"
    acknowledged = "acknowledged"
    mitigated = "mitigated"
    resolved = "resolved"
    closed = "closed"


OPEN = frozenset({Status.triggered, Status.acknowledged, Status.mitigated})
"""Not resolved."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert inside the incident. `held`: it still fired when a person resolved the incident."""

    fingerprint: str
    labels: Labels
    severity: Severity
    started_at: datetime
    source: str
    probe: str
    firing: bool = True
    held: bool = False
    flapping: bool = False
    reason: str = ""
    evidence: str = ""

    @property
    def origin(self) -> str:
        """What it comes from, for rule 11: its probe, else its alertname."""
        return self.probe or self.labels.get("alertname", self.fingerprint)


class PageStatus(StrEnum):
    """How far a page came. `accepted` is the provider's word, not a delivery."""

    queued = "queued"
    started = "started"
    accepted = "accepted"
    failed = "failed"
    withdrawn = "withdrawn"


LIVE_PAGES = frozenset({PageStatus.queued, PageStatus.started})
"""Not concluded: it may still have to be sent."""


@dataclass(frozen=True, slots=True)
class Page:
    """One request for attention, to one person by one step of their rule."""

    page: str
    person: str
    round: int
    level: int
    step: int
    method: str
    due_at: datetime
    delivery: str
    urgency: Urgency
    purpose: str
    status: PageStatus = PageStatus.queued
    attempt: int = 0


@dataclass(slots=True)
class Paging:
    """Who is to be woken, and how far that got. `passes` counts passes since paging last began
    for a new reason; `next_at` is when the next level, repeat or fallback is due."""

    escalation: str = ""
    digest: str = ""
    begin_at: datetime | None = None
    opening: int = 0
    """The opening for which paging was last planned."""
    round: int = 0
    began_in: int = 0
    """The opening in which this round began."""
    passes: int = 0
    level: int = 0
    next_at: datetime | None = None
    fallback: bool = False
    paged: set[str] = field(default_factory=set)
    pages: dict[str, Page] = field(default_factory=dict)


@dataclass(slots=True)
class IncidentState:
    """What the facts so far come to. Empty (no `incident`) until Triggered."""

    incident: str = ""
    group: str = ""
    status: Status = Status.triggered
    opening: int = 0
    opened_at: datetime | None = None
    severity: Severity = Severity.info
    urgency: Urgency = Urgency.low
    labels: Labels = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)
    holder: str = ""
    hold_until_at: datetime | None = None
    held_severity: Severity = Severity.info
    held_origins: frozenset[str] = frozenset()
    assigned: str = ""
    resolved_at: datetime | None = None
    resolved_by: str = ""
    closed_at: datetime | None = None
    kept_open: bool = False
    """A person reopened it though no alert fires: no alert's end resolves it until one joins."""
    merged_into: str = ""
    chosen: dict[str, int] = field(default_factory=dict)
    """Playbook to the last opening in which it was chosen: each runs once per opening."""
    decider: str = ""
    paging: Paging = field(default_factory=Paging)
    runs: Mapping[str, RunState] = field(default_factory=dict)
    version: int = 0

    def firing(self) -> list[Alert]:
        """The alerts that fire now, oldest first."""
        return [alert for alert in self.alerts.values() if alert.firing]

    def stream(self) -> str:
        return f"incident/{self.incident}"


def copy(state: IncidentState) -> IncidentState:
    """Another one, which may be changed without touching this."""
    paging = replace(state.paging, paged=set(state.paging.paged), pages=dict(state.paging.pages))
    return replace(state, alerts=dict(state.alerts), chosen=dict(state.chosen), paging=paging)


def fold(state: IncidentState, records: Iterable[f.Recorded]) -> IncidentState:
    """A new state with these records, which follow `state`, applied in order."""
    after = copy(state)
    for record in records:
        apply(after, record.what, record.occurred_at)
        after.version = record.version
    return after


def common_labels(alerts: Iterable[Alert]) -> dict[str, str]:
    """The labels equal in all alerts (``incident.labels``); none without alerts."""
    each = iter(alerts)
    first = next(each, None)
    if first is None:
        return {}
    same = dict(first.labels)
    for alert in each:
        same = {name: value for name, value in same.items() if alert.labels.get(name) == value}
    return same


def apply(state: IncidentState, what: f.AnyFact, at: datetime) -> None:
    """Let one fact have happened."""
    match what:
        case (
            inc.Triggered()
            | inc.AlertJoined()
            | inc.AlertChanged()
            | inc.AlertEnded()
            | inc.SeverityChanged()
        ):
            _apply_alert(state, what, at)
        case (
            inc.Acknowledged()
            | inc.HoldLapsed()
            | inc.Mitigated()
            | inc.Fired()
            | inc.Resolved()
            | inc.Reopened()
            | inc.Closed()
        ):
            _apply_status(state, what, at)
        case inc.Assigned():
            state.assigned = what.to
        case inc.Snoozed():
            state.hold_until_at = what.until_at
        case inc.Linked(why="merged_into"):
            state.merged_into = what.other
        case _ if type(what) in PAGING:
            _apply_paging(state, what, at)
        case _ if type(what) in RUNS:
            state.runs = apply_run(state.runs, what, at)  # type: ignore[arg-type]
        case _:
            pass  # notes, links, refusals and evidence tell the story and change no decision


PAGING = frozenset(f.PagingFact.__args__)
RUNS = frozenset(f.RunFact.__args__)


def _apply_alert(state: IncidentState, what: f.AnyFact, at: datetime) -> None:
    match what:
        case inc.Triggered():
            state.incident, state.group, state.opening = what.incident, what.group, 1
            state.opened_at, state.severity, state.urgency = at, what.severity, what.urgency
            state.labels, state.status = dict(what.labels), Status.triggered
        case inc.AlertJoined():
            state.alerts[what.fingerprint] = Alert(
                fingerprint=what.fingerprint,
                labels=what.labels,
                severity=what.severity,
                started_at=what.started_at,
                source=what.source,
                probe=what.probe,
                flapping=what.flapping,
                reason=what.reason,
                evidence=what.evidence,
            )
            state.labels = _narrowed(state, what.labels)
            state.kept_open = False
        case inc.AlertChanged():
            present = state.alerts[what.fingerprint]
            state.alerts[what.fingerprint] = replace(
                present,
                severity=what.severity,
                reason=what.reason or present.reason,
                evidence=what.evidence or present.evidence,
            )
        case inc.AlertEnded():
            present = state.alerts[what.fingerprint]
            state.alerts[what.fingerprint] = replace(present, firing=False, held=False)
        case inc.SeverityChanged():
            state.severity, state.urgency = what.severity, what.severity.urgency


def _narrowed(state: IncidentState, joined: Labels) -> Labels:
    """The common labels with one more alert: O(labels), not O(alerts), so a storm stays linear."""
    if len(state.alerts) == 1:
        return dict(joined)
    return {name: value for name, value in state.labels.items() if joined.get(name) == value}


def _apply_status(state: IncidentState, what: f.AnyFact, at: datetime) -> None:
    match what:
        case inc.Acknowledged():
            state.holder, state.hold_until_at = what.by, what.until_at
            state.held_severity = state.severity
            state.held_origins = frozenset(alert.origin for alert in state.alerts.values())
            if state.status is Status.triggered:
                state.status = Status.acknowledged
            state.paging.next_at = None
        case inc.HoldLapsed():
            state.status, state.hold_until_at = Status.triggered, None
        case inc.Mitigated():
            state.status, state.paging.next_at = Status.mitigated, None
        case inc.Fired():
            state.status = Status.triggered
        case inc.Resolved():
            state.status, state.resolved_at, state.resolved_by = Status.resolved, at, what.by
            state.paging.next_at = state.paging.begin_at = state.hold_until_at = None
            for fingerprint in what.held:
                state.alerts[fingerprint] = replace(state.alerts[fingerprint], held=True)
        case inc.Reopened():
            state.status, state.opening = Status.triggered, what.opening
            state.resolved_at, state.holder, state.resolved_by = None, "", ""
            state.decider = ""
            state.kept_open = what.reason == "command" and not state.firing()
        case inc.Closed():
            state.status, state.closed_at = Status.closed, at


def _apply_paging(state: IncidentState, what: f.AnyFact, at: datetime) -> None:
    paging = state.paging
    match what:
        case pag.PlaybookChosen():
            state.chosen[what.playbook] = what.opening
            if what.decides:
                state.decider = what.playbook
        case pag.PagingPlanned():
            paging.escalation, paging.digest = what.escalation, what.digest
            paging.begin_at, paging.opening = what.begin_at, state.opening
        case pag.RoundBegan():
            again = what.reason in ("repeat", "fallback")
            paging.passes = paging.passes + 1 if again else 1
            paging.round, paging.level, paging.begin_at = what.round, 0, None
            paging.began_in = state.opening
            paging.fallback = what.reason == "fallback"
            paging.paged = set()
        case pag.LevelReached():
            paging.level, paging.next_at = what.level, what.next_at
            paging.paged |= set(what.people)
        case pag.LevelEmpty():
            paging.level = what.level
        case _:
            _apply_page(paging, what)


def _apply_page(paging: Paging, what: f.AnyFact) -> None:
    match what:
        case pag.PageQueued():
            paging.pages[what.page] = Page(
                page=what.page,
                person=what.person,
                round=what.round,
                level=what.level,
                step=what.step,
                method=what.method,
                due_at=what.due_at,
                delivery=what.delivery,
                urgency=what.urgency,
                purpose=what.purpose,
            )
        case pag.PageAdvanced():
            _change(paging, what.page, due_at=what.due_at, delivery=what.delivery)
        case pag.PageStarted():
            _change(paging, what.page, status=PageStatus.started, attempt=what.attempt)
        case pag.PageAccepted():
            _change(paging, what.page, status=PageStatus.accepted)
        case pag.PageFailed():
            _change(paging, what.page, status=PageStatus.failed)
        case pag.PageWithdrawn():
            _change(paging, what.page, status=PageStatus.withdrawn)


def _change(paging: Paging, page: str, **changes: object) -> None:
    paging.pages[page] = replace(paging.pages[page], **changes)  # type: ignore[arg-type]
