"""The auditor: once a minute it holds rule 15 against the store, and pages when it does not hold.

Every incident that is not resolved has a work row; the rows that index the log are those the
log gives; and a fold kept in memory is the fold of the stream. What it finds wrong it mends
where the log says how, and reports as an alert of our own.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta

from sentinel.engine.deciding import Deciding, Decisions
from sentinel.engine.folds import Overlay
from sentinel.engine.inbox import alert_row
from sentinel.incident.correlate import Report
from sentinel.incident.state import OPEN, IncidentState, PageStatus, fold
from sentinel.store.journal import InboxRow, Work, WorkKind
from sentinel.words import Severity

AUDIT = "audit/open"
EVERY = timedelta(minutes=1)
OPEN_AT_MOST = 10_000

log = logging.getLogger("sentinel.audit")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that does not hold: which incident or row, and what is missing."""

    subject: str
    text: str


def faults_of(overlay: Overlay) -> list[Fault]:
    """What does not hold about open incidents now."""
    found: list[Fault] = []
    rows = overlay.view.incidents(status=[status.value for status in OPEN], limit=OPEN_AT_MOST)
    for row in rows:
        stream = f"incident/{row.incident}"
        rebuilt = fold(IncidentState(), overlay.view.read(stream))
        found += _faults_of_incident(overlay, rebuilt)
        if rebuilt != overlay.incident(row.incident):
            found.append(Fault(stream, "the state kept in memory is not the fold of the stream"))
    return found


def _faults_of_incident(overlay: Overlay, state: IncidentState) -> list[Fault]:
    found = []
    if overlay.view.work(f"wake/{state.incident}") is None:
        found.append(Fault(f"wake/{state.incident}", "an open incident has no wake-up"))
    for page in state.paging.pages.values():
        waits = page.status in (PageStatus.queued, PageStatus.started)
        if waits and overlay.view.work(f"delivery/{page.delivery}") is None:
            found.append(Fault(f"delivery/{page.delivery}", f"page {page.page} has no delivery"))
    return found


async def audit(decisions: Decisions) -> list[Fault]:
    """Look, mend missing wake-ups, report, and come again in a minute. The long look is a read, so
    that it keeps no decision waiting."""
    found = await decisions.look(faults_of)

    def body(deciding: Deciding) -> list[Fault]:
        now = deciding.now
        for fault in found:
            log.error(
                "the audit found a fault", extra={"subject": fault.subject, "fault": fault.text}
            )
            if fault.subject.startswith("wake/"):
                incident = fault.subject.removeprefix("wake/")
                deciding.work[fault.subject] = Work(fault.subject, WorkKind.wake, now, (incident,))
        if found:
            deciding.inbox.append(_alert(deciding, found))
        deciding.inbox += _expired(deciding)
        deciding.work[AUDIT] = Work(AUDIT, WorkKind.audit, now + EVERY)
        return found

    return await decisions.run([], body)


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


def _alert(deciding: Deciding, found: list[Fault]) -> InboxRow:
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
