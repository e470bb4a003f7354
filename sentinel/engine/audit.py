"""The auditor: once a minute it holds rule 15 against the store, and pages when it does not hold.

Every incident that is not resolved has a work row; the rows that index the log are those the
log gives; and a fold kept in memory is the fold of the stream. What it finds wrong it mends
from the log, and reports as an alert of our own.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sentinel.engine.deciding import Deciding, Decisions
from sentinel.engine.folds import Overlay
from sentinel.engine.inbox import alert_row
from sentinel.incident.correlate import Report
from sentinel.incident.runs import step_key
from sentinel.incident.state import LIVE_PAGES, OPEN, IncidentState, Page, PageStatus, fold
from sentinel.playbook.state import RunState
from sentinel.playbook.table import StepStatus
from sentinel.store.journal import InboxRow, Work, WorkKind
from sentinel.words import Severity

AUDIT = "audit/open"
EVERY = timedelta(minutes=1)
OPEN_AT_MOST = 10_000
LEASE = timedelta(seconds=30)
"""How long somebody may still be at work on a claimed row that is gone."""

log = logging.getLogger("sentinel.audit")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that does not hold: which row or stream, of which incident, and what is wrong.
    `mend` is the row as the log gives it; None: the fold in memory is dropped instead."""

    subject: str
    incident: str
    text: str
    mend: Work | None = None


def faults_of(overlay: Overlay, now: datetime) -> list[Fault]:
    """What does not hold about open incidents now."""
    rows = overlay.view.incidents(status=[status.value for status in OPEN], limit=OPEN_AT_MOST)
    return [fault for row in rows for fault in _faults_of(overlay, row.incident, now)]


def _faults_of(overlay: Overlay, incident: str, now: datetime) -> list[Fault]:
    stream = f"incident/{incident}"
    rebuilt = fold(IncidentState(), overlay.view.read(stream))
    if rebuilt.status not in OPEN:
        return []
    found = [
        Fault(row.key, incident, text, row)
        for row, text in _rows_of(overlay, rebuilt, now)
        if overlay.view.work(row.key) is None
    ]
    if rebuilt != overlay.incident(incident):
        text = "the state kept in memory is not the fold of the stream"
        found.append(Fault(stream, incident, text))
    return found


def _rows_of(overlay: Overlay, state: IncidentState, now: datetime) -> Iterator[tuple[Work, str]]:
    """The rows an open incident must have by its log, each with what it means that it is gone."""
    wake = Work(f"wake/{state.incident}", WorkKind.wake, now, (state.incident,))
    yield wake, "an open incident has no wake-up"
    for page in state.paging.pages.values():
        if page.status in LIVE_PAGES:
            yield _delivery(overlay, page, now), f"page {page.page} has no delivery"
    for run in state.runs.values():
        for name, step in run.steps.items():
            if not run.ended and step.due_at is not None and (row := _step(state, run, name)):
                yield row, f"step {name} has nobody to do it"


def _delivery(overlay: Overlay, page: Page, now: datetime) -> Work:
    """A delivery's row, from its person's stream. One that was claimed is left to its sender."""
    known = overlay.person(page.person).deliveries.get(page.delivery)
    pages = known.pages if known is not None else ()
    claimed = page.status is PageStatus.started
    return Work(
        f"delivery/{page.delivery}",
        WorkKind.delivery,
        now + LEASE if claimed else (known.due_at if known is not None else now),
        tuple(dict.fromkeys(incident for incident, _ in pages)),
        {"person": page.person, "method": page.method, "pages": [list(each) for each in pages]},
        attempt=page.attempt,
        epoch=page.attempt,
    )


def _step(state: IncidentState, run: RunState, name: str) -> Work | None:
    """The row of a step that waits to be claimed, or is being done until its deadline."""
    step = run.step(name)
    running = step.status is StepStatus.running and not step.ended
    if not running and not step.claimable:
        return None
    number = step.attempt if running else step.attempt + 1
    due_at = step.deadline_at + LEASE if running and step.deadline_at else step.due_at
    body = {"run": run.id, "step": name, "attempt": number}
    key = step_key(state.incident, run.id, name, number)
    return Work(key, WorkKind.step, due_at, (state.incident,), body, epoch=step.epoch)


async def audit(decisions: Decisions) -> list[Fault]:
    """Look, mend, report, and come again in a minute. The long look is a read, so that it keeps no
    decision waiting; what it found is looked at again before it is touched."""
    now = decisions.clock.now()
    suspects = await decisions.look(lambda overlay: faults_of(overlay, now))
    incidents = sorted({fault.incident for fault in suspects})

    def body(deciding: Deciding) -> list[Fault]:
        found = [fault for each in incidents for fault in _faults_of(deciding.overlay, each, now)]
        for fault in found:
            log.error(
                "the audit found a fault", extra={"subject": fault.subject, "fault": fault.text}
            )
            if fault.mend is not None:
                deciding.work[fault.subject] = fault.mend
        if found:
            deciding.inbox.append(_alert(deciding, found))
        deciding.inbox += _expired(deciding)
        deciding.work[AUDIT] = Work(AUDIT, WorkKind.audit, deciding.now + EVERY)
        return found

    found = await decisions.run([f"incident/{each}" for each in incidents], body)
    for fault in found:
        if fault.mend is None:
            decisions.folds.forget(fault.subject)
    return found


def _expired(deciding: Deciding) -> list[InboxRow]:
    """Alerts that nobody re-sent end at their `ends_at` (rule 9)."""
    rows = []
    for alert in deciding.view.alerts():
        if alert.ends_at is not None and alert.ends_at <= deciding.now:
            report = Report(
                labels=alert.labels,
                severity=alert.severity,
                started_at=alert.started_at,
                source=alert.source,
                probe=alert.probe,
                reason=alert.reason,
                ended="expired",
            )
            row_id = f"expired/{alert.fingerprint}"
            rows.append(
                alert_row(report, id=row_id, received_at=deciding.now, ends_at=alert.ends_at)
            )
    return rows


def _alert(deciding: Deciding, found: Sequence[Fault]) -> InboxRow:
    summary = "; ".join(f"{fault.subject}: {fault.text}" for fault in found[:5])
    report = Report(
        labels={"alertname": "sentinel-audit", "service": "sentinel"},
        severity=Severity.critical,
        started_at=deciding.now,
        source="sentinel",
        reason="audit",
        summary=summary,
    )
    ends_at = deciding.now + 3 * EVERY
    return alert_row(report, id="audit", received_at=deciding.now, ends_at=ends_at)
