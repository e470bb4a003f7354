"""Waiting: a condition, a deadline and a timer. No process waits; the run is looked at again.

``wait`` ends with its span. ``healthy`` ends when the last checks of its probe, begun since
the wait began, were good as often as asked; at its deadline it has failed. ``approval`` and
``checklist`` ask people, remind them at half time, and at the deadline stand refused.

An approval is bound to what it allows: the playbook's digest, its own text, and the
rendered inputs of every step that can only begin after it. While it waits, changed inputs
void what was answered and ask again; once it is given, a step whose inputs no longer are
those is refused at the door (``approval_void``). Who asked for the run never approves it.

A person is also asked (``indeterminate``) what became of an attempt whose effect nobody
knows: *done*, *not done* (it may be claimed again under the same key), or *skip*.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, assert_never

from sentinel.errors import ExpressionFailed
from sentinel.playbook.context import digest, digest_inputs
from sentinel.playbook.draft import Draft, open_steps
from sentinel.playbook.needs import dependents, wait_of
from sentinel.playbook.playbook import (
    Step,
    Wait,
    WaitApproval,
    WaitChecklist,
    WaitHealthy,
    WaitSpan,
)
from sentinel.playbook.state import StepState
from sentinel.playbook.table import StepStatus
from sentinel.timeline.run_facts import StepAnswered, StepReady, StepWaiting

HEALTH_EVERY = timedelta(seconds=5)
"""How often a ``healthy`` wait is looked at when nothing else wakes the run."""

WAITS = (StepStatus.waiting, StepStatus.waiting_human)


def begin_wait(draft: Draft, name: str, step: Step, wait: Wait) -> None:
    """The wait begins now: its deadline is its own, and never later than its part of the run."""
    end = draft.run.deadline_at or draft.now
    match wait:
        case WaitSpan():
            deadline_at = draft.now + timedelta(seconds=wait.for_s)
            draft.add(_waiting(draft, name, wait.KIND, deadline_at))
        case WaitHealthy():
            deadline_at = min(end, draft.now + timedelta(seconds=step.timeout_s))
            draft.add(_waiting(draft, name, wait.KIND, deadline_at))
        case WaitApproval() | WaitChecklist():
            deadline_at = min(end, draft.now + timedelta(seconds=step.timeout_s))
            _ask(draft, name, wait, deadline_at)
        case _:
            assert_never(wait)


def ask_indeterminate(draft: Draft, name: str) -> None:
    """Ask a person what became of the step's last attempt, until the end of its part of the run."""
    owner = draft.playbook.owner
    asked = (draft.context.people_of(owner) if owner else ()) or draft.context.responders
    state = draft.run.step(name)
    draft.add(
        StepWaiting(
            run=draft.run.id,
            step=name,
            kind="indeterminate",
            deadline_at=draft.run.deadline_at or draft.now,
            asked=asked,
            inputs_digest=state.inputs_digest,
        )
    )
    draft.tell("indeterminate")


def look(draft: Draft) -> None:
    """End, remind or ask anew every wait of which it is time."""
    for name, state in open_steps(draft.run).items():
        if state.status is StepStatus.waiting:
            _look_at_timer(draft, name, state)
        elif state.status is StepStatus.waiting_human:
            _look_at_people(draft, name, state)


def wakes(draft: Draft) -> list[datetime]:
    """When a wait needs looking at again."""
    times: list[datetime] = []
    for state in open_steps(draft.run).values():
        if state.status not in WAITS or state.deadline_at is None:
            continue
        times.append(state.deadline_at)
        if state.wait_kind == WaitHealthy.KIND:
            times.append(draft.now + HEALTH_EVERY)
        if state.status is StepStatus.waiting_human and not state.reminded:
            times.append(_half_time(state))
    return times


def _waiting(draft: Draft, name: str, kind: str, deadline_at: datetime) -> StepWaiting:
    return StepWaiting(run=draft.run.id, step=name, kind=kind, deadline_at=deadline_at)


def _look_at_timer(draft: Draft, name: str, state: StepState) -> None:
    wait = wait_of(draft.declared(name))
    over = state.deadline_at is not None and draft.now >= state.deadline_at
    if isinstance(wait, WaitHealthy):
        since = state.waiting_since_at or draft.now
        if draft.context.health(wait.probe, since) >= wait.ok:
            draft.finish(name, StepStatus.succeeded, reason="healthy")
        elif over:
            draft.finish(name, StepStatus.timed_out, reason="not_healthy")
    elif over:
        draft.finish(name, StepStatus.succeeded)


def _look_at_people(draft: Draft, name: str, state: StepState) -> None:
    if state.deadline_at is not None and draft.now >= state.deadline_at:
        draft.finish(name, StepStatus.failed, reason="not_answered")
        if state.wait_kind == "indeterminate":
            draft.tell("indeterminate")
        return
    wait = wait_of(draft.declared(name))
    deadline_at = state.deadline_at or draft.now
    if isinstance(wait, WaitApproval) and state.wait_kind == wait.KIND:
        binds = binds_of(draft, name)
        if bound_digest(draft, name, wait, binds) != state.inputs_digest:
            _ask(draft, name, wait, deadline_at)
            return
    if not state.reminded and draft.now >= _half_time(state):
        _remind(draft, name, state, wait, deadline_at)


def _half_time(state: StepState) -> datetime:
    since = state.waiting_since_at
    if since is None or state.deadline_at is None:
        raise ValueError("a wait for people has a beginning and a deadline")
    return since + (state.deadline_at - since) / 2


def _remind(
    draft: Draft, name: str, state: StepState, wait: Wait | None, deadline_at: datetime
) -> None:
    asked = state.asked
    if isinstance(wait, WaitApproval | WaitChecklist) and state.wait_kind == wait.KIND:
        asked = _people(draft, wait)
    draft.add(
        StepWaiting(
            run=draft.run.id,
            step=name,
            kind=state.wait_kind,
            deadline_at=deadline_at,
            asked=asked,
            inputs_digest=state.inputs_digest,
            binds=state.binds,
            reminder=True,
        )
    )


def _ask(
    draft: Draft, name: str, wait: WaitApproval | WaitChecklist, deadline_at: datetime
) -> None:
    asked = _people(draft, wait)
    binds = binds_of(draft, name) if isinstance(wait, WaitApproval) else {}
    draft.add(
        StepWaiting(
            run=draft.run.id,
            step=name,
            kind=wait.KIND,
            deadline_at=deadline_at,
            asked=asked,
            inputs_digest=bound_digest(draft, name, wait, binds),
            binds=binds,
        )
    )
    if not asked:
        draft.tell("nobody_to_ask")


def _people(draft: Draft, wait: WaitApproval | WaitChecklist) -> tuple[str, ...]:
    named = draft.context.people_of(wait.by) if wait.by else draft.context.responders
    if isinstance(wait, WaitChecklist):
        return named
    return tuple(person for person in named if person != draft.run.requested_by)


def binds_of(draft: Draft, name: str) -> dict[str, str]:
    """The input digests of the actions that an approval allows, as they are now; ``""`` where they
    cannot be known yet (they read the outputs of a step still to come)."""
    bound = draft.bound()
    binds: dict[str, str] = {}
    for step in dependents(draft.playbook, name):
        if wait_of(step) is None:
            binds[step.id] = _known_digest(draft, step, bound)
    return binds


def _known_digest(draft: Draft, step: Step, bound: Mapping[str, Any]) -> str:
    try:
        return digest_inputs(step, draft.run, bound)
    except ExpressionFailed:
        return ""


def bound_digest(
    draft: Draft, name: str, wait: WaitApproval | WaitChecklist, binds: Mapping[str, str]
) -> str:
    """What an answer is bound to."""
    shown = wait.text if isinstance(wait, WaitApproval) else list(wait.items)
    return digest([draft.run.digest, name, shown, dict(binds)])


def take_answer(
    draft: Draft, name: str, *, by: str, answer: str, item: int, inputs_digest: str
) -> str:
    """Record a person's answer and what follows from it for the step. Gives the reason why it is
    refused, or ``""``."""
    state = draft.run.step(name)
    if state.status is not StepStatus.waiting_human:
        return "late" if state.ended else "not_waiting"
    wait = wait_of(draft.declared(name))
    refused = _may_not(draft, state, wait, by=by, inputs_digest=inputs_digest)
    if refused:
        return refused
    said = StepAnswered(draft.run.id, name, by, answer, item, state.inputs_digest)
    if state.wait_kind == "indeterminate":
        return _settle(draft, name, said)
    if isinstance(wait, WaitChecklist):
        return _tick(draft, name, said, len(wait.items))
    return _decide(draft, name, said)


def _may_not(
    draft: Draft, state: StepState, wait: Wait | None, *, by: str, inputs_digest: str
) -> str:
    if state.wait_kind != WaitApproval.KIND or not isinstance(wait, WaitApproval):
        return ""
    if by == draft.run.requested_by:
        return "requester"
    if by not in state.asked and by not in draft.context.people_of(wait.by):
        return "not_asked"
    return "" if inputs_digest == state.inputs_digest else "inputs_changed"


def _decide(draft: Draft, name: str, said: StepAnswered) -> str:
    if said.answer not in ("approved", "refused"):
        return "wrong_answer"
    draft.add(said)
    if said.answer == "approved":
        draft.finish(name, StepStatus.succeeded, reason="approved")
    else:
        draft.finish(name, StepStatus.failed, reason="refused")
    return ""


def _tick(draft: Draft, name: str, said: StepAnswered, items: int) -> str:
    ticked = {answer.item for answer in draft.run.step(name).answers}
    if said.answer != "ticked":
        return "wrong_answer"
    if not 0 <= said.item < items:
        return "no_such_item"
    if said.item in ticked:
        return "already_ticked"
    draft.add(said)
    if len(ticked) + 1 == items:
        draft.finish(name, StepStatus.succeeded, reason="all_ticked")
    return ""


def _settle(draft: Draft, name: str, said: StepAnswered) -> str:
    match said.answer:
        case "done":
            draft.add(said)
            draft.finish(name, StepStatus.succeeded, reason="person_done")
        case "not_done":
            draft.add(said)
            ready_again(draft, name)
        case "skip":
            draft.add(said)
            draft.finish(name, StepStatus.skipped, reason="person_skipped")
        case _:
            return "wrong_answer"
    return ""


def ready_again(draft: Draft, name: str) -> None:
    """It was not done: it may be claimed again, at once, under the same key."""
    state = draft.run.step(name)
    draft.add(
        StepReady(
            run=draft.run.id,
            step=name,
            attempt=state.attempt + 1,
            key=state.key,
            due_at=draft.now,
            deadline_at=draft.run.deadline_at or draft.now,
            inputs_digest=state.inputs_digest,
        )
    )
