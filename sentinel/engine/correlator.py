"""From the inbox to incidents: what a verdict or a report means, muted or not, and for whom.

Rows are taken in order, up to 500 at a time, and gathered by group key, so a storm costs one
transaction per group and 500 alerts (rule 14). A row is deleted in the transaction that
correlates it; killed before that, it is correlated again and nothing doubles, because an
alert is known by its fingerprint and start.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sentinel.engine.deciding import Deciding, Decisions
from sentinel.engine.failpoint import Stage, is_off
from sentinel.engine.folds import Overlay
from sentinel.engine.inbox import report_of
from sentinel.engine.muting import mute_of
from sentinel.engine.verdicts import Around, Unsettled, report_of_probe
from sentinel.errors import Outdated
from sentinel.incident import respond
from sentinel.incident.correlate import Group, Report, Way, group_key, route
from sentinel.incident.plan import streams_for
from sentinel.incident.policy import Policy
from sentinel.incident.state import OPEN, IncidentState
from sentinel.store.journal import InboxRow, PresentAlert, Work, WorkKind
from sentinel.words import Urgency

BATCH = 500
TOGETHER = 64
"""Groups whose decisions are under way at the same time."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One inbox row made into a report about one alert, with the group it goes to."""

    row: str
    report: Report
    ends_at: datetime | None
    group: str
    incident: str = ""
    """The incident the alert is in already, when it is in one."""


class Correlator:
    """Empties the inbox. `new_id` gives fresh incident ids."""

    def __init__(self, decisions: Decisions, new_id: Iterator[str]) -> None:
        self.decisions = decisions
        self.new_id = new_id

    async def take(self) -> int:
        """Correlate what waits, at most 500 rows; how many were taken."""
        if is_off(Stage.incident):
            return 0
        rows, sightings, unsettled = await self.decisions.look(self._read)
        leftover = {row.id for row in rows} - {sighting.row for sighting in sightings}
        if leftover or unsettled:
            await self.decisions.run([], lambda deciding: _put_aside(deciding, leftover, unsettled))
        await self._correlate_all(sightings)
        return len(rows)

    async def look_again(self, probe: str) -> None:
        """The wait of rule 5 is over: what do the probe's verdicts come to now?"""
        sightings, unsettled = await self.decisions.look(
            lambda overlay: self._of_probe(
                overlay, Around(overlay.view, self.decisions.present.policy), probe
            )
        )
        await self.decisions.run([], lambda deciding: _put_aside(deciding, set(), unsettled, probe))
        await self._correlate_all(sightings)

    def _read(self, overlay: Overlay) -> tuple[Sequence[InboxRow], list[Sighting], list[Unsettled]]:
        rows = overlay.view.inbox(BATCH)
        sightings: list[Sighting] = []
        unsettled: list[Unsettled] = []
        policy = self.decisions.present.policy
        around = Around(overlay.view, policy)
        for row in rows:
            if row.kind == "verdict":
                found, waits = self._of_probe(overlay, around, row.body["probe"], row.id)
                sightings += found
                unsettled += waits
            else:
                report, ends_at = report_of(row)
                sightings.append(_sighting(overlay, policy, row.id, report, ends_at))
        return rows, sightings, unsettled

    def _of_probe(
        self, overlay: Overlay, around: Around, probe: str, row: str = ""
    ) -> tuple[list[Sighting], list[Unsettled]]:
        """What a probe's verdicts at all locations come to: an alert, its end, nothing, or a wait."""
        found = report_of_probe(around, probe, self.decisions.clock.now())
        if isinstance(found, Unsettled):
            return [], [found]
        return [_sighting(overlay, around.policy, row, each, None) for each in found], []

    async def _correlate_all(self, sightings: Sequence[Sighting]) -> None:
        """Each group by itself, many under way together: a commit then serves many of them, and
        a group whose decision fails keeps no other waiting. Raises the first failure at the end."""
        groups = list(_by_group(sightings).items())
        for first in range(0, len(groups), TOGETHER):
            together = groups[first : first + TOGETHER]
            ends = await asyncio.gather(
                *(self._correlate(group, members) for group, members in together),
                return_exceptions=True,
            )
            for end in ends:
                if isinstance(end, BaseException):
                    raise end

    async def _correlate(self, group: str, sightings: Sequence[Sighting]) -> None:
        """One group's sightings in one transaction; planned again if the group moved on."""
        candidate = next(self.new_id)
        present = self.decisions.present

        def streams(state: IncidentState) -> list[str]:
            """What a decision about alerts may touch: anybody whom any playbook may page or ask."""
            references = present.references(state)
            return streams_for(present.policy, state, group=group, references=references)

        def plan(overlay: Overlay) -> list[str]:
            incident = overlay.group(group).incident
            names: set[str] = {f"incident/{candidate}"}
            for one in {incident, *(sighting.incident for sighting in sightings)} - {""}:
                state = overlay.incident(one)
                names |= set(streams(state))
                names.add(f"group/{state.group}")
            names |= set(streams(IncidentState())) - {"incident/"}
            return sorted(names)

        def body(deciding: Deciding) -> None:
            for sighting in sightings:
                _apply(deciding, sighting, candidate)
            deciding.settle()

        await self.decisions.planned(plan, body)


def _by_group(sightings: Sequence[Sighting]) -> Mapping[str, list[Sighting]]:
    groups: dict[str, list[Sighting]] = {}
    for sighting in sightings:
        groups.setdefault(sighting.group, []).append(sighting)
    return groups


def _sighting(
    overlay: Overlay, policy: Policy, row: str, report: Report, ends_at: datetime | None
) -> Sighting:
    present = overlay.view.alert(report.fingerprint)
    group = group_key(report.labels, report.severity, policy.grouping)
    if present is None or not present.incident:
        return Sighting(row, report, ends_at, group)
    state = overlay.incident(present.incident)
    worsened = not report.ended and report.severity.urgency is Urgency.high
    if state.urgency is Urgency.low and worsened and _same(present, report):
        return Sighting(row, report, ends_at, group, present.incident)
    if report.ended or _same(present, report):
        return Sighting(row, report, ends_at, state.group, present.incident)
    return Sighting(row, report, ends_at, group, present.incident)


def _same(present: PresentAlert, report: Report) -> bool:
    """The same occurrence: an alert is known by its fingerprint and start."""
    return present.started_at == report.started_at


def _put_aside(
    deciding: Deciding, leftover: set[str], unsettled: Sequence[Unsettled], probe: str = ""
) -> None:
    """Rows that say nothing new are gone; a verdict that must wait gets its standing row."""
    deciding.inbox_taken += sorted(leftover)
    if probe:
        deciding.work_done.add(f"agree/{probe}")
    for wait in unsettled:
        key = f"agree/{wait.probe}"
        deciding.work[key] = Work(key, WorkKind.agree, wait.until_at, body={"probe": wait.probe})


def _apply(deciding: Deciding, sighting: Sighting, candidate: str) -> None:
    if sighting.row:
        deciding.inbox_taken.append(sighting.row)
    report = sighting.report
    present = deciding.alerts.get(report.fingerprint) or deciding.view.alert(report.fingerprint)
    if report.ended and is_off(Stage.recovery):
        return
    if report.ended:
        _end(deciding, report, present)
    elif present is not None and present.incident and _same(present, report):
        _go_on(deciding, sighting, present, candidate)
    else:
        _begin(deciding, sighting, candidate)


def _end(deciding: Deciding, report: Report, present: PresentAlert | None) -> None:
    if present is None:
        return
    if report.ended == "expired" and (not present.ends_at or present.ends_at > deciding.now):
        return  # it was re-sent while its expiry waited in the inbox
    deciding.alerts.pop(report.fingerprint, None)
    deciding.alerts_gone.add(report.fingerprint)
    if present.incident:
        respond.alert_ends(deciding.course(present.incident), report.fingerprint, report.ended)


def _go_on(deciding: Deciding, sighting: Sighting, present: PresentAlert, candidate: str) -> None:
    """The same occurrence again: perhaps worse, perhaps only later."""
    report = sighting.report
    course = deciding.course(present.incident)
    deciding.alerts[report.fingerprint] = _present(report, sighting.ends_at, present.incident)
    if course.state.status not in OPEN:
        return  # held after a person resolved it: rule 12 lets time decide
    if course.state.urgency is Urgency.low and report.severity.urgency is Urgency.high:
        to = _open(deciding, sighting, candidate)
        respond.move_alert(course, report, deciding.course(to))
        deciding.alerts[report.fingerprint] = _present(report, sighting.ends_at, to)
    else:
        respond.alert_fires(course, report, Way.joins, incident="", group="")


def _begin(deciding: Deciding, sighting: Sighting, candidate: str) -> None:
    """A new occurrence: muted, or it opens, joins or returns to its group's incident."""
    report = sighting.report
    muted_by = mute_of(deciding, report.labels, report.probe)
    if muted_by:
        present = replace(_present(report, sighting.ends_at, ""), muted_by=muted_by)
        deciding.alerts[report.fingerprint] = present
        deciding.work["agree/mutes"] = Work(
            "agree/mutes", WorkKind.agree, deciding.now + timedelta(seconds=1), body={"mutes": True}
        )
        return
    incident = _open(deciding, sighting, candidate)
    deciding.alerts[report.fingerprint] = _present(report, sighting.ends_at, incident)


def _open(deciding: Deciding, sighting: Sighting, candidate: str) -> str:
    """Let a report open, join or return; which incident it is in now."""
    report = sighting.report
    key = group_key(report.labels, report.severity, deciding.policy.grouping)
    group: Group = deciding.group(key)
    way = route(group, deciding.now)
    incident = way.incident or candidate
    if way.way is Way.opens and f"group/{key}" not in deciding.streams:
        raise Outdated(f"group/{key}")
    course = deciding.course(incident)
    if way.way is Way.opens and course.state.incident:
        raise Outdated("a second incident for one candidate id")
    respond.alert_fires(course, report, way.way, incident=incident, group=key)
    return incident


def _present(report: Report, ends_at: datetime | None, incident: str) -> PresentAlert:
    return PresentAlert(
        fingerprint=report.fingerprint,
        source=report.source,
        labels=report.labels,
        severity=report.severity,
        started_at=report.started_at,
        ends_at=ends_at,
        incident=incident,
        probe=report.probe,
        reason=report.reason,
        summary=report.summary,
    )
