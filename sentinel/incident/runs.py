"""Playbook runs inside an incident: the ``playbook`` room decides, this module carries it out.

A run lives in its incident's stream; its guard is a stream of its own that is locked with
it. What a run wants of the world becomes work rows; whom it asks becomes pages; what it
cannot settle calls for people.
"""

from datetime import datetime, timedelta

from sentinel.errors import Outdated
from sentinel.incident import commands as cmd
from sentinel.incident import paging
from sentinel.incident.deliveries import crockford
from sentinel.incident.naming import incident_bindings
from sentinel.incident.plan import SENTINEL, Course, Wanted
from sentinel.incident.state import IncidentState, PageStatus, Status
from sentinel.oncall.escalation import Roster, people_of
from sentinel.playbook import attempt, run
from sentinel.playbook.context import Context, match_bindings
from sentinel.playbook.decision import Decision
from sentinel.playbook.guard import Admitted, GuardRefusal, Queued, admit, guard_key, release
from sentinel.playbook.needs import step_named
from sentinel.playbook.playbook import Playbook, WaitHealthy
from sentinel.playbook.state import RunState
from sentinel.playbook.table import StepStatus
from sentinel.timeline.run_facts import StepWaiting

LOOK_AT_HEALTH = timedelta(seconds=2)
"""While a step waits for a probe to be well, its results are looked at this often."""

FORBIDDEN = {
    "automation_off": "automation is off",
    "circuit": "its circuit is open after failed remediations; `sentinel automation allow` closes it",
    "cooldown": "it ran too short a time ago",
    "runs": "it ran as often as it may",
    "targets": "it touched as many things as it may",
    "at_once": "as many runs as may are under way",
}
"""What a guard's refusal means, for who asked for the run."""


def playbook_of(course: Course, state: RunState) -> Playbook:
    """The playbook as the run pinned it (rule 23)."""
    pinned = course.situation.pinned[state.digest]
    if not isinstance(pinned, Playbook):
        raise Outdated(f"{state.digest} is no playbook")
    return pinned


def context_of(course: Course) -> Context:
    """What runs may know of the incident and the world now."""
    situation = course.situation
    policy = situation.policy
    roster = Roster(course.now, policy.rotations, policy.people, policy.teams, situation.overrides)

    def people(reference: str) -> tuple[str, ...]:
        family, _, name = reference.partition("/")
        if family == "escalation" and name in policy.escalations:
            return people_of(policy.escalations[name].levels[0].page, roster)
        return people_of([reference], roster)

    holder = (course.state.holder,) if course.state.holder in policy.people else ()
    escalation = course.state.paging.escalation or policy.unmatched
    return Context(
        now=course.now,
        incident=incident_bindings(course.state),
        health=situation.health,
        people_of=people,
        responders=holder or people(f"escalation/{escalation}"),
    )


def begin(course: Course, playbook: Playbook) -> None:
    """Queue a run of a chosen playbook, and start it if its guard lets it."""
    if not playbook.steps and not playbook.lastly:
        return
    state = course.state
    run_id = crockford(f"run {state.incident} {state.opening} {playbook.id}", 8)
    _queue(course, playbook, run_id)


def ask_for(course: Course, name: str, by: str) -> cmd.Refusal | None:
    """A person wants this playbook run now. It may run again and need not match; its limits hold, and
    when they forbid it nothing is queued: who asked is told at once."""
    state = course.state
    playbook = course.situation.policy.playbooks.get(name)
    if playbook is None:
        return cmd.Refusal("unknown_playbook", f"there is no playbook {name}")
    if not playbook.steps and not playbook.lastly:
        return cmd.Refusal("no_steps", f"{name} has no steps: it only says who is paged")
    asked = sum(bool(each.requested_by) for each in state.runs.values())
    run_id = crockford(f"run {state.incident} {state.opening} {name} asked {asked}", 8)
    answer = _ask_guard(course, playbook, run_id, _guard_of(course, playbook))
    if isinstance(answer, GuardRefusal):
        return cmd.Refusal(answer.reason, f"{name} does not run: {FORBIDDEN[answer.reason]}")
    _queue(course, playbook, run_id, requested_by=by)
    return None


def _guard_of(course: Course, playbook: Playbook) -> str:
    """The guard of a run that would be queued now."""
    state = course.state
    labels = dict(state.labels)
    bound = match_bindings(context_of(course), labels=labels, severity=state.severity)
    return guard_key(playbook, bound)


def _queue(course: Course, playbook: Playbook, run_id: str, *, requested_by: str = "") -> None:
    state = course.state
    queued = run.queue(
        run_id,
        playbook,
        opening=state.opening,
        guard=_guard_of(course, playbook),
        labels=dict(state.labels),
        severity=state.severity,
        now=course.now,
        requested_by=requested_by,
    )
    course.take([queued])
    _admit(course, playbook, run_id)


def _admit(course: Course, playbook: Playbook, run_id: str) -> None:
    state = course.state.runs[run_id]
    answer = _ask_guard(course, playbook, run_id, state.guard)
    for fact in answer.facts:
        course.on_guard(state.guard, fact.what)
    match answer:
        case Admitted():
            carry_out(course, run.begin(state, playbook, context_of(course)))
        case GuardRefusal(reason=reason):
            carry_out(course, run.refuse(state, playbook, context_of(course), reason=reason))
        case Queued():
            if answer.replaced is not None:
                _refuse_replaced(course, *answer.replaced)


def _ask_guard(
    course: Course, playbook: Playbook, run_id: str, guard: str
) -> Admitted | Queued | GuardRefusal:
    return admit(
        course.guard(guard),
        playbook.limits,
        run=run_id,
        incident=course.state.incident,
        others=course.situation.others(guard, playbook.id),
        automation_on=course.situation.automation_on,
        now=course.now,
    )


def _refuse_replaced(course: Course, replaced: str, incident: str) -> None:
    """A newer run that waits replaces an older one: refused here, or woken to find it out."""
    older = course.state.runs.get(replaced)
    if older is None:
        course.wakes.add(incident)
        return
    playbook = playbook_of(course, older)
    carry_out(course, run.refuse(older, playbook, context_of(course), reason="replaced"))


def progress(course: Course) -> None:
    """Let every run go as far as it can now."""
    for state in list(course.state.runs.values()):
        if not state.ended:
            _advance(course, state)
    _withdraw_answered(course)


def _advance(course: Course, state: RunState) -> None:
    playbook = playbook_of(course, state)
    if state.started_at is None:
        _try_again(course, playbook, state)
        return
    carry_out(course, run.advance(state, playbook, context_of(course)))


def _try_again(course: Course, playbook: Playbook, state: RunState) -> None:
    """A queued run: let in, replaced by a newer one, or still waiting for its place."""
    guard = course.guard(state.guard)
    waiting = guard.waiting
    if waiting is not None and waiting[0] != state.id and state.id not in guard.running:
        carry_out(course, run.refuse(state, playbook, context_of(course), reason="replaced"))
    else:
        _admit(course, playbook, state.id)


def _holds(course: Course, state: RunState) -> bool:
    """Whether the run holds its guard's place, or waits for it."""
    guard = course.guard(state.guard)
    return state.id in guard.running or (guard.waiting or ("",))[0] == state.id


def carry_out(course: Course, decision: Decision) -> None:
    """Facts, work rows, approval pages, calls for people, and the guard's release."""
    course.take(decision.facts)
    state = course.state.runs[decision.run.id]
    for fact in decision.facts:
        if isinstance(fact.what, StepWaiting):
            _ask(course, fact.what)
    for ready in attempt.claimable(state):
        _want_step(course, state.id, ready)
    for reason in decision.escalate:
        _call_people(course, state.id, reason)
    if state.ended and decision.facts and _holds(course, state):
        _release(course, state)


def step_key(incident: str, run_id: str, step: str, number: int) -> str:
    """The work row of one attempt."""
    return f"step/{incident}/{run_id}/{step}/{number}"


def _want_step(course: Course, run_id: str, ready: attempt.Claimable) -> None:
    incident = course.state.incident
    key = step_key(incident, run_id, ready.step, ready.attempt)
    body = {"run": run_id, "step": ready.step, "attempt": ready.attempt}
    course.want(Wanted(key, "step", ready.due_at, (incident,), body))


def _ask(course: Course, waiting: StepWaiting) -> None:
    mark = f"{waiting.run}.{waiting.step}.{waiting.inputs_digest[:8]}"
    mark += ".again" if waiting.reminder else ""
    for person in waiting.asked:
        paging.queue_rule(course, person, level=0, purpose="approval", mark=mark)


def _withdraw_answered(course: Course) -> None:
    """Withdraw requests whose step no longer waits for anybody."""
    waiting = {
        f"{state.id}.{name}."
        for state in course.state.runs.values()
        for name, step in state.steps.items()
        if step.status is StepStatus.waiting_human
    }
    for page in list(course.state.paging.pages.values()):
        if page.purpose == "approval" and page.status is PageStatus.queued:
            mark = page.page.rpartition(":")[2]
            if not any(mark.startswith(each) for each in waiting):
                paging.withdraw_page(course, page, "answered")


def _call_people(course: Course, run_id: str, reason: str) -> None:
    """What a run cannot settle goes to people: the next level, or whoever holds the incident. Of an
    indeterminate step people are asked already, by a page of its own (rule 20)."""
    if reason == "indeterminate":
        return
    state = course.state
    if state.status is Status.triggered:
        paging.escalate(course)
    else:
        for person in context_of(course).responders:
            paging.queue_rule(course, person, level=0, mark=f"{run_id}.{reason}")


def _release(course: Course, state: RunState) -> None:
    playbook = playbook_of(course, state)
    remedied = run.remedied(state, playbook)
    released = release(
        course.guard(state.guard), playbook.limits, run=state.id, remedied=remedied, now=course.now
    )
    for fact in released.facts:
        course.on_guard(state.guard, fact.what)
    if released.next is not None:
        _, incident = released.next
        course.wakes.add(incident)
    if released.opened:
        _call_people(course, state.id, "circuit")  # only a person closes it again


def answer(course: Course, given: cmd.Answer, by: str) -> cmd.Refusal | None:
    """A person's answer to an approval, a checklist or an indeterminate step."""
    state = course.state.runs.get(given.run)
    if state is None or given.step not in state.steps:
        return cmd.Refusal("no_such_step", f"no run {given.run} has a step {given.step}")
    decision = run.answer(
        state,
        playbook_of(course, state),
        given.step,
        context_of(course),
        by=by,
        answer=given.answer,
        item=given.item,
        inputs_digest=given.inputs_digest,
    )
    carry_out(course, decision)
    if decision.refused:
        return cmd.Refusal(decision.refused, f"the answer is not taken: {decision.refused}")
    return None


def cancel(course: Course, run_id: str, by: str, *, force: bool) -> cmd.Refusal | None:
    """Stop one run at a person's request."""
    state = course.state.runs.get(run_id)
    if state is None or state.ended:
        return cmd.Refusal("no_such_step", f"no run {run_id} is under way")
    _cancel(course, state, reason="command", by=by, force=force)
    return None


def cancel_all(course: Course, reason: str) -> None:
    """Stop every run under way; each one's ``finally`` still runs (rule 12)."""
    for state in list(course.state.runs.values()):
        if not state.ended:
            _cancel(course, state, reason=reason, by=SENTINEL, force=False)


def _cancel(course: Course, state: RunState, *, reason: str, by: str, force: bool) -> None:
    playbook = playbook_of(course, state)
    decision = run.cancel(state, playbook, context_of(course), reason=reason, by=by, force=force)
    carry_out(course, decision)


def under_way(state: IncidentState) -> bool:
    """Whether any run has not ended."""
    return any(not each.ended for each in state.runs.values())


def guards_of(state: IncidentState) -> set[str]:
    """The guards of runs under way."""
    return {each.guard for each in state.runs.values() if not each.ended}


def wake_at(course: Course) -> datetime | None:
    """When a run must be looked at again by the clock."""
    times = []
    for state in course.state.runs.values():
        if state.ended or state.started_at is None:
            continue
        playbook = playbook_of(course, state)
        if (due := run.advance(state, playbook, context_of(course)).wake_at) is not None:
            times.append(due)
        if _waits_for_health(state, playbook):
            times.append(course.now + LOOK_AT_HEALTH)
    return min(times, default=None)


def _waits_for_health(state: RunState, playbook: Playbook) -> bool:
    for name, step in state.steps.items():
        declared = step_named(playbook, name)
        waits_for = declared.does if declared is not None else None
        if step.status is StepStatus.waiting and isinstance(waits_for, WaitHealthy):
            return True
    return False


def asked_of(state: IncidentState) -> list[tuple[RunState, str]]:
    """The steps that wait for people: (run, step)."""
    return [
        (each, name)
        for each in state.runs.values()
        for name, step in each.steps.items()
        if step.status is StepStatus.waiting_human and not each.ended
    ]
