"""Inbox rows and what they carry: alerts reported, verdicts changed. Instants are integer
microseconds UTC, as in facts."""

from datetime import UTC, datetime, timedelta

from sentinel.incident.correlate import Report
from sentinel.store.journal import InboxRow
from sentinel.words import Severity

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(at: datetime) -> int:
    """Microseconds since 1970, exact."""
    return (at - EPOCH) // timedelta(microseconds=1)


def instant(us: int) -> datetime:
    """The aware UTC instant of `micros`."""
    return EPOCH + timedelta(microseconds=us)


def alert_row(
    report: Report, *, id: str, received_at: datetime, ends_at: datetime | None
) -> InboxRow:
    """An alert as a source reported it. `ends_at` None: it fires until its source says otherwise."""
    body = {
        "source": report.source,
        "labels": dict(report.labels),
        "severity": int(report.severity),
        "started_us": micros(report.started_at),
        "ends_us": None if ends_at is None else micros(ends_at),
        "summary": report.summary,
        "reason": report.reason,
        "probe": report.probe,
        "ended": report.ended,
    }
    return InboxRow(id, "alert", body, received_at)


def report_of(row: InboxRow) -> tuple[Report, datetime | None]:
    """The report in an alert row, and when the alert ends unless re-sent."""
    body = row.body
    ends_us = body.get("ends_us")
    report = Report(
        labels={name: value for name, value in body["labels"].items() if value},
        severity=Severity(body["severity"]),
        started_at=instant(body["started_us"]),
        source=body["source"],
        probe=body.get("probe", ""),
        reason=body.get("reason", ""),
        summary=body.get("summary", ""),
        ended=body.get("ended", ""),
    )
    return report, None if ends_us is None else instant(ends_us)
