"""What an incident does about what it learns: the decisions, pure.

Each function takes a `Course` (the incident's state, the situation, one `now`) and writes
facts and work into it. `settle` comes last in every decision: it lets runs and paging go as
far as they can now, resolves what is well, and says when to look again.
"""

from datetime import datetime, timedelta

from sentinel.incident import paging, runs
from sentinel.incident.correlate import Group, Report, Way
from sentinel.incident.matching import match
from sentinel.incident.plan import SENTINEL, Course
from sentinel.incident.state import OPEN, Alert, Status
from sentinel.timeline import incident_facts as inc
from sentinel.timeline import site_facts as site
from sentinel.words import Severity

CLOSES_AFTER = timedelta(days=7)
HELD_FOR = timedelta(minutes=30)
"""How much longer a held alert must fire before it reopens what a person resolved."""
LOOK_AGAIN = timedelta(days=1)
"""An open incident without a timer is looked at this often, so that it always has a row (rule 15)."""

ALL_PURPOSES = frozenset({"page", "approval"})


def alert_fires(course: Course, report: Report, way: Way, *, incident: str, group: str) -> None:
    """An alert opens this incident, joins it, or returns to it."""
    if way is Way.opens:
        course.happened(
            inc.Triggered(incident, group, report.severity, report.severity.urgency, report.labels)
        )
        course.on_group(site.GroupOpened(incident))
    elif way is Way.returns:
        _reopen(course, SENTINEL, "returned")
    _join(course, report, new=way is not Way.joins)


def _join(course: Course, report: Report, *, new: bool) -> None:
    state = course.state
    labels = dict(state.labels)
    known = state.alerts.get(report.fingerprint)
    worse = state.status is Status.acknowledged and _is_worse(course, report)
    if known is not None and known.firing and not known.held:
        _changed(course, known, report)
    else:
        course.happened(_joined(report, worse=worse), summary=report.summary)
    rose = _raise_severity(course, report)
    if worse:
        course.happened(inc.HoldLapsed("worse"))
        paging.begin_round(course, "worse", first=state.holder)
    elif state.status is Status.mitigated:
        course.happened(inc.Fired(report.fingerprint))
        paging.begin_round(course, "worse", first=state.holder)
    if new or rose or labels != state.labels:
        match(course)


def _joined(report: Report, *, worse: bool) -> inc.AlertJoined:
    return inc.AlertJoined(
        fingerprint=report.fingerprint,
        started_at=report.started_at,
        severity=report.severity,
        labels=dict(report.labels),
        source=report.source,
        probe=report.probe,
        flapping=report.flapping,
        reason=report.reason,
        evidence=report.evidence,
        worse=worse,
        failing_since_at=report.failing_since_at,
    )


def _is_worse(course: Course, report: Report) -> bool:
    """Worse than anything acknowledged, or from somewhere not in it when it was (rule 11)."""
    origin = report.probe or report.labels.get("alertname", report.fingerprint)
    state = course.state
    return report.severity > state.held_severity or origin not in state.held_origins


def _changed(course: Course, known: Alert, report: Report) -> None:
    if (known.severity, known.reason) != (report.severity, report.reason):
        course.happened(
            inc.AlertChanged(report.fingerprint, report.severity, report.reason, report.evidence),
            summary=report.summary,
        )


def _raise_severity(course: Course, report: Report) -> bool:
    if report.severity <= course.state.severity:
        return False
    course.happened(inc.SeverityChanged(report.severity, SENTINEL))
    return True


def alert_ends(course: Course, fingerprint: str, reason: str, to_incident: str = "") -> None:
    """An alert of this incident stopped firing; unknown or ended ones change nothing."""
    known = course.state.alerts.get(fingerprint)
    if known is not None and known.firing:
        course.happened(inc.AlertEnded(fingerprint, reason, to_incident))


def move_alert(course: Course, report: Report, to: Course) -> None:
    """A low alert worsened: it leaves this incident for a high one, linked both ways (rule 10)."""
    alert_ends(course, report.fingerprint, "moved", to.state.incident)
    course.happened(inc.Linked(to.state.incident, "worsened_into"))
    to.happened(inc.Linked(course.state.incident, "worsened_from"))


def merge(course: Course, into: Course, by: str) -> None:
    """Resolve this incident into another; its firing alerts go on there."""
    course.happened(inc.Linked(into.state.incident, "merged_into", by))
    into.happened(inc.Linked(course.state.incident, "merged_from", by))
    for alert in course.state.firing():
        alert_ends(course, alert.fingerprint, "moved", into.state.incident)
        into.happened(
            inc.AlertJoined(
                fingerprint=alert.fingerprint,
                started_at=alert.started_at,
                severity=alert.severity,
                labels=dict(alert.labels),
                source=alert.source,
                probe=alert.probe,
                reason=alert.reason,
                evidence=alert.evidence,
            )
        )
        if alert.severity > into.state.severity:
            into.happened(inc.SeverityChanged(alert.severity, by))
    _resolve(course, by, "merged")
    if _is_own_group(course):
        course.on_group(site.GroupReleased(course.state.incident))


def resolve(course: Course, by: str) -> None:
    """A person says that it is over; alerts that still fire are held."""
    _resolve(course, by, "command")


def reopen(course: Course, by: str) -> None:
    """A person says that it is not over."""
    _reopen(course, by, "command")
    match(course)


def _reopen(course: Course, by: str, reason: str) -> None:
    state = course.state
    course.happened(inc.Reopened(by, reason, state.opening + 1))
    group = course.groups.get(state.group, Group())
    if not group.incident or group.reopen_until_at is not None or _is_own_group(course):
        course.on_group(site.GroupOpened(state.incident))


def _resolve(course: Course, by: str, reason: str) -> None:
    state = course.state
    held = tuple(alert.fingerprint for alert in state.firing()) if reason == "command" else ()
    runs.cancel_all(course, "resolved")
    paging.withdraw(course, "resolved", purposes=ALL_PURPOSES)
    course.happened(inc.Resolved(by, reason, held))
    reopen_for = timedelta(seconds=course.situation.policy.grouping.reopen_within_s)
    if _is_own_group(course):
        course.on_group(site.GroupResolved(state.incident, course.now + reopen_for))
    paging.tell_the_paged(course, f"resolved{state.opening}", but=by)


def acknowledge(course: Course, by: str, via: str, until_at: datetime | None = None) -> None:
    """Somebody has it: nothing unclaimed is sent any more, and the others paged are told."""
    escalation = paging.pinned_escalation(course)
    if until_at is None and escalation is not None:
        until_at = paging.lapse_at(course.situation.policy, escalation, course.now)
    paging.withdraw(course, "acknowledged")
    course.happened(inc.Acknowledged(by, via, until_at))
    paging.tell_the_paged(course, f"acknowledged-{by}", but=by)


def mitigate(course: Course, by: str) -> None:
    """Customers are no longer hurt: the escalation stops."""
    paging.withdraw(course, "mitigated")
    course.happened(inc.Mitigated(by))


def lapse(course: Course, reason: str, by: str = SENTINEL) -> None:
    """Nobody holds it any more: page from level 1."""
    first = course.state.holder if reason == "timeout" else ""
    course.happened(inc.HoldLapsed(reason, by))
    paging.begin_round(course, reason, first=first)


def escalate(course: Course, by: str) -> None:
    """Page the next level now, at a person's request."""
    if course.state.status is Status.acknowledged:
        course.happened(inc.HoldLapsed("escalated", by))
    paging.escalate(course)


def close(course: Course, by: str) -> None:
    """No more to come; the group is free for a new incident."""
    course.happened(inc.Closed(by))
    if _is_own_group(course):
        course.on_group(site.GroupReleased(course.state.incident))


def set_severity(course: Course, severity: Severity, by: str) -> None:
    """A person knows better; a rise looks for playbooks again."""
    rose = severity > course.state.severity
    course.happened(inc.SeverityChanged(severity, by))
    if rose:
        match(course)


def settle(course: Course) -> None:
    """Let everything happen that is due now and needs nobody from outside."""
    state = course.state
    runs.progress(course)
    if state.status in OPEN and state.alerts and not state.firing() and not state.kept_open:
        _resolve(course, SENTINEL, "all_ended")
    if state.status is Status.acknowledged and _due(state.hold_until_at, course.now):
        lapse(course, "timeout")
    paging.progress(course)
    if state.status is Status.resolved:
        _after_resolution(course)
    runs.progress(course)


def _after_resolution(course: Course) -> None:
    state = course.state
    if state.resolved_at is None:
        return
    if _held(course):
        if course.now >= state.resolved_at + HELD_FOR and not open_elsewhere(course):
            _reopen(course, SENTINEL, "held")
            match(course)
            paging.progress(course)
    elif course.now >= state.resolved_at + CLOSES_AFTER and not runs.under_way(state):
        close(course, SENTINEL)


def open_elsewhere(course: Course) -> str:
    """The other incident that is open for this one's group, of which there is one at most (rule 10)."""
    group = course.groups.get(course.state.group, Group())
    is_other = group.reopen_until_at is None and group.incident != course.state.incident
    return group.incident if is_other else ""


def _is_own_group(course: Course) -> bool:
    group = course.groups.get(course.state.group)
    return group is not None and group.incident == course.state.incident


def _held(course: Course) -> bool:
    return any(alert.held and alert.firing for alert in course.state.alerts.values())


def _due(at: datetime | None, now: datetime) -> bool:
    return at is not None and at <= now


def wake_at(course: Course) -> datetime | None:
    """When this incident must be looked at again; None: it is closed."""
    state = course.state
    if state.status is Status.closed:
        return None
    times = [runs.wake_at(course)]
    if state.status is Status.triggered:
        times += [state.paging.begin_at, state.paging.next_at]
    if state.status is Status.acknowledged:
        times.append(state.hold_until_at)
    if state.status in OPEN or runs.under_way(state):
        times.append(course.now + LOOK_AGAIN)
    elif state.resolved_at is not None and not _held(course):
        times.append(state.resolved_at + CLOSES_AFTER)
    if state.resolved_at is not None and _held(course):
        since = course.now if open_elsewhere(course) else state.resolved_at
        times.append(since + HELD_FOR)
    return min(at for at in times if at is not None)
