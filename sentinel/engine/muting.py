"""Whether an alert is muted now, and what happens when a mute ends (rule 8)."""

from datetime import timedelta

from sentinel.engine.deciding import Deciding, Decisions
from sentinel.engine.inbox import alert_row
from sentinel.engine.verdicts import states_of
from sentinel.incident.correlate import Report
from sentinel.monitor.silence import Parent, Silence, muted_by, parent_of
from sentinel.store.journal import PresentAlert, Work, WorkKind
from sentinel.words import Labels

LOOK_AGAIN = timedelta(seconds=5)
"""While an alert is muted, whether it still is, is looked at this often."""


def silences(deciding: Deciding) -> list[Silence]:
    """Every silence that has been made, expired ones included."""
    found = [deciding.overlay.silence(name) for name in deciding.view.streams("silence/")]
    return [silence for silence in found if silence is not None]


def mute_of(deciding: Deciding, labels: Labels, probe: str) -> str:
    """What mutes an alert now; "" when nothing does."""
    return muted_by(
        labels,
        deciding.now,
        silences(deciding),
        deciding.policy.maintenance.values(),
        _parents(deciding, probe),
    )


def _parents(deciding: Deciding, probe: str) -> list[Parent]:
    declared = deciding.policy.probes.get(probe)
    if declared is None:
        return []
    return [
        parent_of(parent, states_of(deciding.view, parent).values(), declared.every_s)
        for parent in declared.depends_on
    ]


async def end_mutes(decisions: Decisions) -> None:
    """Let alerts whose mute has ended be new at this moment; look again while any is muted."""

    def body(deciding: Deciding) -> None:
        muted = [alert for alert in deciding.view.alerts() if alert.muted_by]
        still = 0
        for alert in muted:
            if mute_of(deciding, alert.labels, alert.probe):
                still += 1
            else:
                _renew(deciding, alert)
        if still:
            at = deciding.now + LOOK_AGAIN
            deciding.work["agree/mutes"] = Work(
                "agree/mutes", WorkKind.agree, at, body={"mutes": True}
            )
        else:
            deciding.work_done.add("agree/mutes")

    await decisions.run([], body)


def _renew(deciding: Deciding, alert: PresentAlert) -> None:
    report = Report(
        labels=alert.labels,
        severity=alert.severity,
        started_at=deciding.now,
        source=alert.source,
        probe=alert.probe,
        reason=alert.reason,
        summary=alert.summary,
    )
    row_id = f"unmuted/{alert.fingerprint}"
    deciding.inbox.append(
        alert_row(report, id=row_id, received_at=deciding.now, ends_at=alert.ends_at)
    )
    deciding.alerts_gone.add(alert.fingerprint)
