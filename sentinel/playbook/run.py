"""What a run does next: pure decisions over its state.

A run goes through parts, each with its own clock, written down as an absolute deadline so
that a restart extends nothing::

    queued → running ─────────────────────→ finalizing → succeeded, failed, …
                │  a step failed, rollback ─→ unwinding ─┘
                └─ cancel, deadline ─→ cancelling ┘

*running*: normal steps begin as their needs are met. When one fails (and is not `handled`)
nothing new begins: what has not begun is omitted, what waits is cancelled, what runs ends.
*unwinding*: what succeeded and has an undo is undone, backwards; an undo that fails stops
the unwinding and the run ends *stuck*, with a person called. *cancelling*: running steps
have `GRACE` to stop; a write that does not is *indeterminate*. *finalizing*: ``finally``,
always, on its own budget, never hiding the first error. Only a second, forced cancel skips
it, and the run says so.

`advance` does everything that can happen now without the outside and may be called at any
time: on the state it led to, at the same instant, it does nothing more. Everything else
here, in ``playbook.attempt`` and in `answer`, ends by doing the same.
"""

from datetime import datetime, timedelta

from sentinel.errors import ExpressionFailed
from sentinel.playbook.context import Context, digest, effect_key, render
from sentinel.playbook.decision import Decision
from sentinel.playbook.draft import Draft, breaking, holds, open_steps, so_far, verified
from sentinel.playbook.needs import Readiness, last_readiness, readiness, wait_of
from sentinel.playbook.playbook import OnFailure, Playbook, Step, WaitHealthy
from sentinel.playbook.state import UNDO, RunState, StepState
from sentinel.playbook.table import RunStatus, StepStatus
from sentinel.playbook.waits import begin_wait, look, take_answer, wakes
from sentinel.timeline.facts import Fact
from sentinel.timeline.run_facts import (
    RunConcluded,
    RunQueued,
    RunRefused,
    RunStarted,
    StepReady,
)
from sentinel.words import Labels, Severity

GRACE = timedelta(seconds=30)
"""How long a running step may take to stop once its part of the run is over."""

UNWIND_LEAST = timedelta(seconds=60)


def queue(
    run_id: str,
    playbook: Playbook,
    *,
    opening: int,
    guard: str,
    labels: Labels,
    severity: Severity,
    now: datetime,
    requested_by: str = "",
) -> Fact:
    """The fact with which a run begins to exist. `guard` is its guard's stream; `requested_by`
    the person who asked for it, empty when the playbook matched."""
    return Fact(
        RunQueued(
            run=run_id,
            playbook=playbook.id,
            digest=playbook.digest,
            opening=opening,
            guard=guard,
            labels=dict(labels),
            severity=severity,
            requested_by=requested_by,
        ),
        now,
    )


def begin(run: RunState, playbook: Playbook, context: Context) -> Decision:
    """The guard admitted a queued run: it starts, with everything that can happen at once."""
    draft = Draft(run, playbook, context)
    deadline_at = context.now + timedelta(seconds=playbook.timeout_s)
    draft.add(RunStarted(run.id, deadline_at))
    return settled(draft)


def refuse(run: RunState, playbook: Playbook, context: Context, *, reason: str) -> Decision:
    """The guard forbade a queued run. A person is told: a limit never drops silently."""
    draft = Draft(run, playbook, context)
    draft.add(RunRefused(run.id, reason))
    if reason != "replaced":
        draft.tell("limit")
    return draft.decision()


def advance(run: RunState, playbook: Playbook, context: Context) -> Decision:
    """Everything that can happen now without the outside. Idempotent."""
    return settled(Draft(run, playbook, context))


def answer(
    run: RunState,
    playbook: Playbook,
    name: str,
    context: Context,
    *,
    by: str,
    answer: str,
    item: int = -1,
    inputs_digest: str = "",
) -> Decision:
    """A person answers the step called `name`: ``approved`` or ``refused``; ``ticked`` with the
    `item`, from 0; or ``done``, ``not_done``, ``skip`` of an indeterminate one.

    An approval needs the `inputs_digest` that the person was shown. Refused (and recorded)
    as ``late``, ``not_waiting``, ``requester``, ``not_asked``, ``inputs_changed``,
    ``wrong_answer``, ``no_such_item``, ``already_ticked``.
    """
    draft = Draft(run, playbook, context)
    settle(draft)
    refused = take_answer(draft, name, by=by, answer=answer, item=item, inputs_digest=inputs_digest)
    if refused:
        return draft.ignore(name, answer, refused)
    return settled(draft)


def cancel(
    run: RunState,
    playbook: Playbook,
    context: Context,
    *,
    reason: str,
    by: str = "sentinel",
    force: bool = False,
) -> Decision:
    """Stop a run; ``finally`` still runs. `reason` is stable: ``command``, ``resolved``, ….

    When the incident is ``resolved``, a ``healthy`` wait whose probe has been good since it
    began has come true, even if fewer checks than asked were seen. A run that is already
    ending is stopped only by `force`, which skips what is left, ``finally`` too. Refused as
    ``ended`` or ``already_ending``.
    """
    draft = Draft(run, playbook, context)
    if run.ended:
        return draft.decision(refused="ended")
    if run.phase is RunStatus.queued:
        draft.add(RunConcluded(run.id, str(RunStatus.cancelled), reason))
        return draft.decision()
    if run.phase is not RunStatus.running:
        if not force:
            return draft.decision(refused="already_ending")
        _force(draft)
        return draft.decision()
    if reason == "resolved":
        _credit_recovery(draft)
    if not _all_ended(draft):
        draft.turn(RunStatus.cancelling, reason=reason, deadline_at=draft.now + GRACE, by=by)
    return settled(draft)


def remedied(run: RunState, playbook: Playbook) -> bool | None:
    """Whether an ended run put things right; None: it changed nothing, or it cannot be known.

    Only a ``healthy`` wait that came true says yes: exit 0 says that a program ended
    (rule 25). Two in a row that did not open the circuit.
    """
    wrote = any(step.writes and run.step(step.id).started_at is not None for step in playbook.steps)
    if not wrote:
        return None
    if run.verified:
        return True
    if run.phase is RunStatus.cancelled:
        return None
    checked = any(isinstance(step.does, WaitHealthy) for step in playbook.steps)
    return False if checked or run.phase is not RunStatus.succeeded else None


def settled(draft: Draft) -> Decision:
    """The decision after everything else that follows at once."""
    settle(draft)
    return draft.decision(wake_at=_wake_at(draft))


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
    if _all_ended(draft):
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
        inputs_digest = digest(render(step, bound))
        key = effect_key(draft.run, step, name, bound)
    except ExpressionFailed as error:
        draft.finish(name, StepStatus.failed, reason="inputs_error", text=str(error))
        return
    end = draft.run.deadline_at or draft.now
    draft.add(StepReady(draft.run.id, name, 1, key, draft.now, end, inputs_digest))


def _all_ended(draft: Draft) -> bool:
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
    if failed.on_failure is OnFailure.rollback and _undoable(draft):
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
            _end_now(draft, step.id, state, out_of_time=out_of_time)
    if open_steps(draft.run):
        return
    failed = breaking(draft.run, draft.playbook)
    undo = out_of_time and failed is not None and failed.on_failure is OnFailure.rollback
    if undo and _undoable(draft):
        _turn_to_unwinding(draft, "deadline")
    else:
        _turn_to_finally(draft, draft.run.turned)


def _end_now(draft: Draft, name: str, state: StepState, *, out_of_time: bool) -> None:
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


def _undoable(draft: Draft) -> list[Step]:
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
    for step in _undoable(draft):
        if step.rollback is not None:
            tries = step.rollback.retry.times + 1
            each_s = step.rollback.timeout_s + step.rollback.retry.cap_s
            budget += timedelta(seconds=tries * each_s)
    draft.turn(RunStatus.unwinding, reason=reason, deadline_at=draft.now + budget)


def _unwind(draft: Draft) -> None:
    look(draft)
    undoable = _undoable(draft)
    stuck = any(step.status is StepStatus.rollback_failed for step in draft.run.steps.values())
    if stuck or not undoable:
        _turn_to_finally(draft, draft.run.turned)
        return
    step = undoable[0]
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
    _end_now(draft, name, state, out_of_time=True)


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
    _conclude(draft, *so_far(draft.run, draft.playbook))


def _conclude(draft: Draft, conclusion: str, reason: str) -> None:
    true = verified(draft.run, draft.playbook)
    draft.add(RunConcluded(draft.run.id, conclusion, reason, true))


def _credit_recovery(draft: Draft) -> None:
    for name, state in open_steps(draft.run).items():
        wait = draft.declared(name).does
        if state.status is not StepStatus.waiting or not isinstance(wait, WaitHealthy):
            continue
        since = state.waiting_since_at or draft.now
        if draft.context.health(wait.probe, since) >= 1:
            draft.finish(name, StepStatus.succeeded, reason="recovered")


def _force(draft: Draft) -> None:
    """Everything ends now; what was not undone leaves the run *stuck*."""
    for name, state in open_steps(draft.run).items():
        _end_now(draft, name, state, out_of_time=False)
    conclusion, _ = so_far(draft.run, draft.playbook)
    if draft.run.phase is RunStatus.unwinding and _undoable(draft):
        conclusion = "stuck"
        draft.tell("stuck")
    _conclude(draft, conclusion, "forced")
