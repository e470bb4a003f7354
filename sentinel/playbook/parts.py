"""What follows at once, in each part of a run.

`settle` looks at the part the run is in and adds facts until nothing follows any more. It
is called by every door of the room, so that no decision leaves something undone that needed
nothing from outside.
"""

from datetime import datetime, timedelta

from sentinel.errors import ExpressionFailed
from sentinel.playbook.context import digest_inputs, effect_key
from sentinel.playbook.decision import Decision
from sentinel.playbook.draft import Draft, breaking, holds, open_steps, so_far, verified
from sentinel.playbook.needs import Readiness, last_readiness, readiness, wait_of
from sentinel.playbook.playbook import OnFailure, Step
from sentinel.playbook.state import UNDO, StepState
from sentinel.playbook.table import RunStatus, StepStatus
from sentinel.playbook.waits import begin_wait, look, wakes
from sentinel.timeline.run_facts import RunConcluded, StepIgnored, StepReady

GRACE = timedelta(seconds=30)
"""How long a running step may take to stop once its part of the run is over."""

UNWIND_LEAST = timedelta(seconds=60)


def settled(draft: Draft) -> Decision:
    """The decision after everything else that follows at once."""
    settle(draft)
    return draft.decision(wake_at=_wake_at(draft))


def refused(draft: Draft, reason: str) -> Decision:
    """What was asked is not done; the run is as it was."""
    return draft.decision(refused=reason, wake_at=_wake_at(draft))


def ignored(draft: Draft, name: str, what: str, reason: str) -> Decision:
    """The same, recorded: it came too late, or the table does not allow it."""
    draft.add(StepIgnored(run=draft.run.id, step=name, what=what, reason=reason))
    return refused(draft, reason)


def settle(draft: Draft) -> None:
    """Add what follows until nothing does. Every round moves a step or the run along its table,
    so the bound is never met but by a fault of ours; then the next wake goes on."""
    steps = len(draft.playbook.steps) + len(draft.playbook.lastly)
    for _ in range(8 * (steps + 4)):
        before = len(draft.facts)
        _once(draft)
        if len(draft.facts) == before:
            return


def _once(draft: Draft) -> None:
    match draft.run.phase:
        case RunStatus.running:
            _run_steps(draft)
        case RunStatus.cancelling:
            _stop_all(draft)
        case RunStatus.unwinding:
            _unwind(draft)
        case RunStatus.finalizing:
            _finalize(draft)
        case _:
            return


def _wake_at(draft: Draft) -> datetime | None:
    run = draft.run
    if run.ended or run.deadline_at is None:
        return None
    late = run.deadline_at + GRACE
    end = run.deadline_at if draft.now < run.deadline_at else late
    return max(min([end, *wakes(draft)]), draft.now)


def _run_steps(draft: Draft) -> None:
    if draft.run.deadline_at is not None and draft.now >= draft.run.deadline_at:
        draft.turn(RunStatus.cancelling, reason="deadline", deadline_at=draft.now + GRACE)
        return
    look(draft)
    failed = breaking(draft.run, draft.playbook)
    if failed is not None:
        _stop(draft, failed)
        return
    for step in draft.playbook.steps:
        if draft.run.step(step.id).status is not StepStatus.pending:
            continue
        ready = readiness(draft.playbook, draft.run, step)
        if ready is Readiness.lost:
            draft.finish(step.id, StepStatus.omitted, reason="need_lost")
        elif ready is Readiness.met:
            _begin_step(draft, step.id, step)
        if breaking(draft.run, draft.playbook) is not None:
            return
    if all_ended(draft):
        _turn_to_finally(draft, "done")


def _begin_step(draft: Draft, name: str, step: Step) -> None:
    """Its turn has come: its condition, then a wait that begins or an action that is ready."""
    bound = draft.bound()
    try:
        if not holds(step, bound):
            draft.finish(name, StepStatus.skipped, reason="condition_false")
            return
    except ExpressionFailed as error:
        draft.finish(name, StepStatus.failed, reason="condition_error", text=str(error))
        return
    wait = wait_of(step)
    if wait is not None:
        begin_wait(draft, name, step, wait)
        return
    try:
        inputs_digest = digest_inputs(step, draft.run, bound)
        key = effect_key(draft.run, step, name, bound)
    except ExpressionFailed as error:
        draft.finish(name, StepStatus.failed, reason="inputs_error", text=str(error))
        return
    end = draft.run.deadline_at or draft.now
    draft.add(StepReady(draft.run.id, name, 1, key, draft.now, end, inputs_digest))


def all_ended(draft: Draft) -> bool:
    """Whether every normal step has a conclusion."""
    return all(draft.run.step(step.id).ended for step in draft.playbook.steps)


def _stop(draft: Draft, failed: Step) -> None:
    """A step failed: nothing new begins, what runs ends, then unwinding or ``finally``."""
    for step in draft.playbook.steps:
        state = draft.run.step(step.id)
        if state.status is StepStatus.pending:
            draft.finish(step.id, StepStatus.omitted, reason="stopped")
        elif not state.ended and not _in_doubt(state):
            draft.finish(step.id, StepStatus.cancelled, reason="stopped")
    if open_steps(draft.run):
        return
    reason = draft.run.step(failed.id).reason or "failed"
    if failed.on_failure is OnFailure.rollback and undoable(draft):
        _turn_to_unwinding(draft, reason)
    else:
        _turn_to_finally(draft, reason)


def _in_doubt(state: StepState) -> bool:
    """Whether its effect may exist: it runs, or a person is asked what became of it."""
    return state.status is StepStatus.running or state.wait_kind == "indeterminate"


def _turn_to_finally(draft: Draft, reason: str) -> None:
    budget = timedelta(seconds=draft.playbook.lastly_timeout_s)
    draft.turn(RunStatus.finalizing, reason=reason, deadline_at=draft.now + budget)


def _stop_all(draft: Draft) -> None:
    """Cancelled, or out of time: everything ends; running steps have until the deadline."""
    look_late = draft.run.deadline_at is not None and draft.now >= draft.run.deadline_at
    out_of_time = draft.run.turned == "deadline"
    for step in draft.playbook.steps:
        state = draft.run.step(step.id)
        if state.status is StepStatus.pending:
            draft.finish(step.id, StepStatus.omitted, reason=draft.run.turned)
        elif not state.ended and (state.status is not StepStatus.running or look_late):
            end_now(draft, step.id, state, out_of_time=out_of_time)
    if open_steps(draft.run):
        return
    failed = breaking(draft.run, draft.playbook)
    undo = out_of_time and failed is not None and failed.on_failure is OnFailure.rollback
    if undo and undoable(draft):
        _turn_to_unwinding(draft, "deadline")
    else:
        _turn_to_finally(draft, draft.run.turned)


def end_now(draft: Draft, name: str, state: StepState, *, out_of_time: bool) -> None:
    """End an open step because its part of the run is over; what may have been done is never
    called undone."""
    reason = "deadline" if out_of_time else "cancelled"
    match state.status:
        case StepStatus.running if draft.declared(name).writes:
            conclusion = "failed" if out_of_time else "cancelled"
            draft.finish(name, StepStatus.indeterminate, reason=reason, conclusion=conclusion)
        case StepStatus.running | StepStatus.retrying | StepStatus.waiting if out_of_time:
            draft.finish(name, StepStatus.timed_out, reason=reason)
        case StepStatus.waiting_human if out_of_time:
            draft.finish(name, StepStatus.failed, reason="not_answered")
        case _:
            in_doubt = state.wait_kind == "indeterminate"
            draft.finish(name, StepStatus.cancelled, reason="indeterminate" if in_doubt else reason)


def undoable(draft: Draft) -> list[Step]:
    """What succeeded and has an undo, last finished first."""
    done = [
        step
        for step in draft.playbook.steps
        if step.rollback is not None and draft.run.step(step.id).status is StepStatus.succeeded
    ]
    return sorted(done, key=lambda step: draft.run.step(step.id).finished_order, reverse=True)


def _turn_to_unwinding(draft: Draft, reason: str) -> None:
    """Unwinding's budget is what its undos may take, one after another."""
    budget = UNWIND_LEAST
    for step in undoable(draft):
        if step.rollback is not None:
            tries = step.rollback.retry.times + 1
            each_s = step.rollback.timeout_s + step.rollback.retry.cap_s
            budget += timedelta(seconds=tries * each_s)
    draft.turn(RunStatus.unwinding, reason=reason, deadline_at=draft.now + budget)


def _unwind(draft: Draft) -> None:
    look(draft)
    left = undoable(draft)
    stuck = any(step.status is StepStatus.rollback_failed for step in draft.run.steps.values())
    if stuck or not left:
        _turn_to_finally(draft, draft.run.turned)
        return
    step = left[0]
    name = step.id + UNDO
    undo = draft.run.step(name)
    if undo.status is StepStatus.pending and step.rollback is not None:
        _begin_step(draft, name, step.rollback)
    elif undo.ended:
        _undone(draft, step, undo)
    else:
        _end_when_over(draft, name, undo)


def _undone(draft: Draft, step: Step, undo: StepState) -> None:
    if undo.conclusion in ("succeeded", "skipped"):
        draft.finish(step.id, StepStatus.rolled_back)
        return
    draft.finish(step.id, StepStatus.rollback_failed, reason=undo.reason or "failed")
    draft.tell("stuck")


def _end_when_over(draft: Draft, name: str, state: StepState) -> None:
    """End an open undo or step of ``finally`` when its part's budget is spent."""
    if draft.run.deadline_at is None or draft.now < draft.run.deadline_at:
        return
    if state.status is StepStatus.running and draft.now < draft.run.deadline_at + GRACE:
        return
    end_now(draft, name, state, out_of_time=True)


def _finalize(draft: Draft) -> None:
    look(draft)
    over = draft.run.deadline_at is not None and draft.now >= draft.run.deadline_at
    for step in draft.playbook.lastly:
        state = draft.run.step(step.id)
        if state.ended:
            continue
        if state.status is not StepStatus.pending:
            _end_when_over(draft, step.id, state)
        elif over or last_readiness(draft.run, step) is Readiness.lost:
            draft.finish(step.id, StepStatus.omitted, reason="deadline" if over else "need_lost")
        else:
            _begin_step(draft, step.id, step)
        return
    conclude(draft, *so_far(draft.run, draft.playbook))


def conclude(draft: Draft, conclusion: str, reason: str) -> None:
    """The run ends."""
    true = verified(draft.run, draft.playbook)
    draft.add(RunConcluded(draft.run.id, conclusion, reason, true))
