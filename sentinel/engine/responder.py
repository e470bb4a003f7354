"""The loop that decides: inbox, timers, people's commands; and the auditor that checks it.

Commands are decided at once, by their own transaction, before anything that waits (rule 14).
Everything else is rows: the inbox in order, then due wake-ups. The loop sleeps until the
next row is due or a commit wakes it, at most ten seconds.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

from sentinel.engine.alarm import Alarm
from sentinel.engine.audit import AUDIT, audit
from sentinel.engine.correlator import Correlator
from sentinel.engine.deciding import Deciding, Decisions
from sentinel.engine.failpoint import Stage, is_off
from sentinel.engine.folds import Overlay
from sentinel.engine.muting import end_mutes
from sentinel.errors import Failure
from sentinel.incident import commands as cmd
from sentinel.incident import respond, runs
from sentinel.incident.plan import Course, streams_for
from sentinel.incident.state import OPEN, IncidentState, Status
from sentinel.store.journal import Work, WorkKind
from sentinel.timeline import incident_facts as inc

LONGEST_SLEEP = timedelta(seconds=10)
AFTER_FAILURE = timedelta(seconds=1)
DUE_AT_ONCE = 200
"""Due rows looked at in one turn of the loop."""

log = logging.getLogger("sentinel.responder")


class Responder:
    """Decides for every incident. One a node; `start` is `run` in a task."""

    def __init__(
        self,
        decisions: Decisions,
        new_id: Iterator[str],
        *,
        on_failure: Callable[[Failure], None] = lambda failure: None,
        on_success: Callable[[], None] = lambda: None,
    ) -> None:
        self.decisions = decisions
        self.correlator = Correlator(decisions, new_id)
        self._on_failure = on_failure
        self._on_success = on_success
        self._alarm = Alarm(decisions.clock)

    def wake(self) -> None:
        """There may be something to decide."""
        self._alarm.ring()

    async def run(self) -> None:
        """Decide until cancelled. A journal that refuses is reported and tried again."""
        while True:
            try:
                await self.turn()
                self._on_success()
                await self._rest()
            except Failure as failure:
                log.warning(
                    "a decision failed", extra={"reason": failure.reason, "error": str(failure)}
                )
                self._on_failure(failure)
                await self._pause(AFTER_FAILURE)

    async def turn(self) -> int:
        """Decide everything that waits now; how many rows were taken."""
        taken = 0
        while count := await self.correlator.take():
            taken += count
        return taken + await self._due_rows()

    async def _due_rows(self) -> int:
        now = self.decisions.clock.now()
        kinds = (WorkKind.wake, WorkKind.agree, WorkKind.audit)
        rows = await self.decisions.look(lambda overlay: overlay.view.due(now, kinds, DUE_AT_ONCE))
        for row in rows:
            await self._do(row)
        return len(rows)

    async def _do(self, row: Work) -> None:
        match row.kind:
            case WorkKind.wake:
                await self.incident(row.incidents[0])
            case WorkKind.agree if "probe" in row.body:
                await self.correlator.look_again(row.body["probe"])
            case WorkKind.agree:
                await end_mutes(self.decisions)
            case WorkKind.audit:
                await audit(self.decisions)
            case _:
                log.error("a row of an unexpected kind was due", extra={"key": row.key})

    async def _rest(self) -> None:
        """Until the next row is due, a commit wakes us, or ten seconds have passed."""
        kinds = (WorkKind.wake, WorkKind.agree, WorkKind.audit)
        due = await self.decisions.look(lambda overlay: overlay.view.next_due(kinds))
        longest = self.decisions.clock.now() + LONGEST_SLEEP
        await self._alarm.rest_until(min(due, longest) if due else longest)

    async def _pause(self, span: timedelta) -> None:
        await self._alarm.rest_until(self.decisions.clock.now() + span)

    async def incident(self, incident: str) -> None:
        """Let one incident go as far as it can now."""

        def body(deciding: Deciding) -> None:
            if not deciding.course(incident).state.incident:
                deciding.work_done.add(f"wake/{incident}")
            deciding.settle()

        await self.decisions.planned(lambda overlay: self._streams(overlay, incident), body)

    async def command(
        self, incident: str, command: cmd.Command, *, by: str, via: str
    ) -> cmd.Refusal | None:
        """Do what a person asks, or say why not. `by` is who, `via` ``link``, ``api``, ``cli``, ``web``."""

        def plan(overlay: Overlay) -> Sequence[str]:
            names = list(self._streams(overlay, incident))
            if isinstance(command, cmd.Merge):
                names += self._streams(overlay, command.into)
            return names

        def body(deciding: Deciding) -> cmd.Refusal | None:
            course = deciding.course(incident)
            if not course.state.incident:
                return cmd.Refusal("unknown_incident", f"there is no incident {incident}")
            refused = _switched_off(command) or cmd.refusal(command, course.state)
            if refused is None:
                refused = _obey(deciding, course, command, by, via)
            if refused is not None:
                course.happened(inc.CommandRefused(cmd.name_of(command), by, refused.reason))
            deciding.settle()
            return refused

        return await self.decisions.planned(plan, body)

    def _streams(self, overlay: Overlay, incident: str) -> list[str]:
        present = self.decisions.present
        state = overlay.incident(incident)
        if not state.incident:
            return [f"incident/{incident}"]
        return streams_for(
            present.policy,
            state,
            group=state.group,
            guards=runs.guards_of(state),
            references=present.references(state),
        )


def _switched_off(command: cmd.Command) -> cmd.Refusal | None:
    if isinstance(command, cmd.Acknowledge) and is_off(Stage.acknowledge):
        return cmd.Refusal("failpoint", "acknowledging is switched off by a failpoint")
    return None


def _obey(
    deciding: Deciding, course: Course, command: cmd.Command, by: str, via: str
) -> cmd.Refusal | None:
    """Carry out an allowed command; it may still be refused for its own reasons."""
    match command:
        case cmd.Acknowledge():
            respond.acknowledge(course, by, via)
        case cmd.Snooze():
            _snooze(course, command, by, via)
        case cmd.Release():
            respond.lapse(course, "released", by)
        case cmd.Mitigate():
            respond.mitigate(course, by)
        case cmd.Resolve():
            respond.resolve(course, by)
        case cmd.Reopen():
            return _reopen(course, by)
        case cmd.Close():
            respond.close(course, by)
        case cmd.Escalate():
            respond.escalate(course, by)
        case cmd.Assign():
            course.happened(inc.Assigned(command.to, by))
        case cmd.Note():
            course.happened(inc.NoteAdded(by), note=command.text)
        case cmd.SetSeverity():
            respond.set_severity(course, command.severity, by)
        case cmd.Merge():
            return _merge(deciding, course, command.into, by)
        case cmd.Answer():
            return runs.answer(course, command, by)
        case cmd.RunPlaybook():
            return runs.ask_for(course, command.playbook, by)
        case cmd.CancelRun():
            return runs.cancel(course, command.run, by, force=command.force)
        case cmd.Redact():
            deciding.redact(course.state.stream(), command.version)
            course.happened(inc.Redacted(command.version, by), reason=command.reason)
    return None


def _reopen(course: Course, by: str) -> cmd.Refusal | None:
    if other := respond.open_elsewhere(course):
        return cmd.Refusal("open_elsewhere", f"{other} is open for the same, go on there")
    respond.reopen(course, by)
    return None


def _snooze(course: Course, command: cmd.Snooze, by: str, via: str) -> None:
    until_at = cmd.snoozed_until(course.now, command)
    if course.state.status is Status.triggered:
        respond.acknowledge(course, by, via, until_at)
    course.happened(inc.Snoozed(by, until_at))


def _merge(deciding: Deciding, course: Course, into: str, by: str) -> cmd.Refusal | None:
    target: IncidentState = deciding.course(into).state
    if into == course.state.incident or not target.incident or target.status not in OPEN:
        return cmd.Refusal("bad_merge", f"{into} is not an open incident to merge into")
    firing = [alert.fingerprint for alert in course.state.firing()]
    respond.merge(course, deciding.course(into), by)
    deciding.move_alerts(firing, into)
    return None


def ensure_standing_rows(deciding: Deciding) -> None:
    """The auditor's row, made once and kept for ever."""
    if deciding.view.work(AUDIT) is None:
        deciding.work[AUDIT] = Work(AUDIT, WorkKind.audit, deciding.now)
