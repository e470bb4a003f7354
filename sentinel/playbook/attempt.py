"""The performer's doors: claim a step, report what came of it, recover a lost attempt.

*Ready* says that nothing has been touched; *started* that it may have happened. So a claim
is one transaction with a look at everything that may forbid it, and an outcome is taken
only from the attempt and epoch that hold the step: any other is recorded as *late* and
changes nothing.

What became of an attempt that nobody can vouch for (rule 22): an action that can look is
asked (`Found`); a step that may be repeated is, under its key; else it is *indeterminate*
and a person is asked. A step may be repeated when it is declared `repeatable` and, if it
writes, has a ``key:``. Such an attempt uses up no retry, but after `MAX_LOST` a person is
called all the same.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from sentinel.errors import ExpressionFailed
from sentinel.playbook.context import Context, digest_inputs, evaluate_outputs, render
from sentinel.playbook.decision import Claimed, ClaimRefused, Decision, Found, Gate, StepResult
from sentinel.playbook.draft import Draft
from sentinel.playbook.needs import dependents, wait_of
from sentinel.playbook.parts import ignored, refused, settle, settled
from sentinel.playbook.playbook import Playbook, Step, WaitApproval
from sentinel.playbook.state import (
    CONDITION_REASONS,
    LIMIT_REASONS,
    LOST,
    REJECTION_REASONS,
    UNDO,
    RunState,
    StepState,
)
from sentinel.playbook.table import RunStatus, StepStatus
from sentinel.playbook.waits import ask_indeterminate, ready_again
from sentinel.timeline.run_facts import StepRetrying, StepStarted

MAX_LOST = 5
"""How often a lost attempt is repeated before a person is called."""

TIMEOUT_REASONS = frozenset({"timeout", "deadline"})

OUR_REASONS = (
    CONDITION_REASONS
    | LIMIT_REASONS
    | REJECTION_REASONS
    | {"output_schema", "person_skipped", LOST}
)
"""Reasons that the table reads; an action that uses one gets it back as ``action_…``."""


@dataclass(frozen=True, slots=True)
class Claimable:
    """A step that a performer may claim from `due_at`. One row of work each, by run and step."""

    step: str
    attempt: int
    key: str
    due_at: datetime
    deadline_at: datetime


def claimable(run: RunState) -> tuple[Claimable, ...]:
    """The steps that may be claimed, now or later, in the order in which they became ready."""
    if run.ended:
        return ()
    return tuple(
        Claimable(name, state.attempt + 1, state.key, state.due_at, run.deadline_at)
        for name, state in run.steps.items()
        if state.claimable and state.due_at is not None and run.deadline_at is not None
    )


def claim(
    run: RunState,
    playbook: Playbook,
    name: str,
    context: Context,
    *,
    gate: Gate,
    node: str,
    epoch: int,
) -> Claimed | ClaimRefused:
    """Claim the step called `name` for one attempt. Look at the kill switch, maintenance and the
    guard (`gate`) in the same transaction. Undos are not paused by maintenance: half a change
    is worse."""
    draft = Draft(run, playbook, context)
    settle(draft)
    state = draft.run.step(name)
    if not state.claimable or draft.run.ended or state.due_at is None:
        return ClaimRefused(settled(draft), "not_claimable")
    step = draft.declared(name)
    shut = _shut(step, name, state, draft, gate)
    if shut:
        again_at = state.due_at if shut == "not_due" else None
        return ClaimRefused(settled(draft), shut, again_at)
    if gate.guard_lost and step.writes and draft.run.phase is RunStatus.running:
        return _refused_at_door(draft, name, "limit", "guard_lost")
    return _claimed(draft, name, step, node=node, epoch=epoch)


def _shut(step: Step, name: str, state: StepState, draft: Draft, gate: Gate) -> str:
    """Why it may not be claimed just now; ``""``: it may."""
    if state.due_at is not None and draft.now < state.due_at:
        return "not_due"
    if not gate.automation_on:
        return "automation_off"
    if gate.paused_by and step.writes and not name.endswith(UNDO):
        return "maintenance"
    return ""


def _claimed(
    draft: Draft, name: str, step: Step, *, node: str, epoch: int
) -> Claimed | ClaimRefused:
    state = draft.run.step(name)
    bound = draft.bound()
    try:
        inputs = render(step, bound)
        inputs_digest = digest_inputs(step, draft.run, bound)
    except ExpressionFailed:
        return _refused_at_door(draft, name, "inputs_void", "inputs_void")
    if _approval_void(draft, name, inputs_digest):
        return _refused_at_door(draft, name, "approval_void", "approval_void")
    if state.attempt and step.writes and inputs_digest != state.inputs_digest:
        return _refused_at_door(draft, name, "inputs_changed", "inputs_changed")
    end = draft.run.deadline_at or draft.now
    deadline_at = min(end, draft.now + timedelta(seconds=step.timeout_s))
    started = StepStarted(
        run=draft.run.id,
        step=name,
        attempt=state.attempt + 1,
        key=state.key,
        node=node,
        epoch=epoch,
        deadline_at=deadline_at,
        inputs_digest=inputs_digest,
    )
    draft.add(started)
    return Claimed(settled(draft), name, started.attempt, state.key, inputs, bound, deadline_at)


def _approval_void(draft: Draft, name: str, inputs_digest: str) -> bool:
    """Whether an approval that allowed this step was given for other inputs."""
    for step in draft.playbook.steps:
        if not isinstance(wait_of(step), WaitApproval):
            continue
        if name not in {later.id for later in dependents(draft.playbook, step.id)}:
            continue
        bound_to = draft.run.step(step.id).binds.get(name, "")
        if bound_to and bound_to != inputs_digest:
            return True
    return False


def _refused_at_door(draft: Draft, name: str, reason: str, said: str) -> ClaimRefused:
    """The step fails without being touched. Out of a retry it is started and ended in one breath,
    because the table knows no other way; its world is not called."""
    state = draft.run.step(name)
    if state.status is StepStatus.ready and reason in LIMIT_REASONS:
        draft.finish(name, StepStatus.failed, reason=reason)
    else:
        draft.add(StepStarted(draft.run.id, name, state.attempt + 1, state.key, "", 0))
        draft.finish(name, StepStatus.failed, reason=f"retry_{reason}")
    draft.tell("limit")
    return ClaimRefused(settled(draft), said)


def outcome(
    run: RunState,
    playbook: Playbook,
    name: str,
    context: Context,
    *,
    attempt: int,
    epoch: int,
    result: StepResult,
    found: Found | None = None,
) -> Decision:
    """What an attempt came to. `found` is what looking it up showed, where the result is *unsure*
    and the action can look. Refused as ``late`` (recorded) unless `attempt` and `epoch` hold
    the step."""
    draft = Draft(run, playbook, context)
    state = run.step(name)
    holds = state.status is StepStatus.running and not state.ended and not run.ended
    if not holds or (state.attempt, state.epoch) != (attempt, epoch):
        return ignored(draft, name, result.kind, "late")
    result = replace(result, reason=_reason(result.reason))
    match result.kind:
        case "done":
            _done(draft, name, result)
        case "failed":
            _failed(draft, name, result)
        case "unsure":
            _unsure(draft, name, result, found)
        case _:
            assert_never(result.kind)
    return settled(draft)


def recover(
    run: RunState,
    playbook: Playbook,
    name: str,
    context: Context,
    *,
    found: Found | None = None,
) -> Decision:
    """The step was started, has no outcome, and its lease is over: the node went away. Refused as
    ``not_running`` when that is not so."""
    draft = Draft(run, playbook, context)
    if run.ended or run.step(name).ended or run.step(name).status is not StepStatus.running:
        return refused(draft, "not_running")
    state = draft.run.step(name)
    known = found is not None and found.kind != "unknown"
    ending = draft.run.phase is RunStatus.cancelling
    again = may_repeat(draft.declared(name)) and state.lost < MAX_LOST
    if again and not known and not ending:
        draft.add(StepRetrying(draft.run.id, name, state.attempt, draft.now, LOST))
    else:
        gone = StepResult("unsure", LOST, "its node went away without a word")
        _unsure(draft, name, gone, found)
    return settled(draft)


def _done(draft: Draft, name: str, result: StepResult) -> None:
    step = draft.declared(name)
    try:
        outputs = (
            dict(result.outputs)
            if result.outputs is not None
            else evaluate_outputs(step, result.values)
        )
    except (ExpressionFailed, ValueError) as error:
        draft.finish(
            name,
            StepStatus.failed,
            reason="output_schema",
            text=str(error),
            evidence=result.evidence,
        )
        return
    draft.finish(
        name,
        StepStatus.succeeded,
        reason=result.reason,
        text=result.text,
        outputs=outputs,
        evidence=result.evidence,
    )


def _failed(draft: Draft, name: str, result: StepResult) -> None:
    """It did not do it, for certain: again later, or the end of the step."""
    reason = result.reason or "failed"
    if draft.run.phase is RunStatus.cancelling:
        out_of_time = draft.run.turned == "deadline"
        status = StepStatus.timed_out if out_of_time else StepStatus.cancelled
        draft.finish(name, status, reason=reason, text=result.text, evidence=result.evidence)
        return
    if result.retryable and _retried(draft, name, result, reason):
        return
    status = StepStatus.timed_out if reason in TIMEOUT_REASONS else StepStatus.failed
    draft.finish(name, status, reason=reason, text=result.text, evidence=result.evidence)


def _unsure(draft: Draft, name: str, result: StepResult, found: Found | None) -> None:
    """It may have happened: what was found, else again under the same key, else a person."""
    step = draft.declared(name)
    if found is not None and found.kind == "done":
        _done(draft, name, StepResult("done", "found_done", found.text, values=found.values))
        return
    if found is not None and found.kind == "not_done":
        _not_done(draft, name, found)
        return
    reason = result.reason or "unsure"
    ending = draft.run.phase is RunStatus.cancelling
    if not step.writes and step.repeatable:
        certain = StepResult(
            "failed", reason, result.text, retryable=True, evidence=result.evidence
        )
        _failed(draft, name, certain)
        return
    if not ending and may_repeat(step) and _retried(draft, name, result, reason):
        return
    _in_doubt(draft, name, reason, result)


def _in_doubt(draft: Draft, name: str, reason: str, result: StepResult) -> None:
    """Nobody knows. While the run goes on a person is asked; a part that is ending does not wait
    for one, but says so."""
    phase = draft.run.phase
    conclusion = "" if phase is RunStatus.running else "failed"
    if phase is RunStatus.cancelling and draft.run.turned != "deadline":
        conclusion = "cancelled"
    draft.finish(
        name,
        StepStatus.indeterminate,
        reason=reason,
        text=result.text,
        conclusion=conclusion,
        evidence=result.evidence,
    )
    if phase is RunStatus.running:
        ask_indeterminate(draft, name)
    elif phase is not RunStatus.cancelling:
        draft.tell("indeterminate")


def _not_done(draft: Draft, name: str, found: Found) -> None:
    if draft.run.phase is RunStatus.cancelling:
        draft.finish(name, StepStatus.cancelled, reason="found_not_done", text=found.text)
        return
    if draft.run.step(name).lost >= MAX_LOST:
        draft.finish(name, StepStatus.failed, reason="lost_too_often", text=found.text)
        draft.tell("step_failed")
        return
    draft.finish(name, StepStatus.indeterminate, reason="found_not_done", conclusion="")
    ready_again(draft, name)


def may_repeat(step: Step) -> bool:
    """Whether the same attempt may be made twice: reads may unless they say no; writes only under
    a declared key."""
    return step.repeatable and (not step.writes or bool(step.key))


def _retried(draft: Draft, name: str, result: StepResult, reason: str) -> bool:
    """Plan the next attempt, if there is one left and time for it."""
    step, state = draft.declared(name), draft.run.step(name)
    if not may_repeat(step) or state.attempt - state.lost > step.retry.times:
        return False
    wait_s = retry_wait_s(draft.run.id, name, step, state, result.retry_after_s)
    due_at = draft.now + timedelta(seconds=wait_s)
    if draft.run.deadline_at is not None and due_at >= draft.run.deadline_at:
        return False
    draft.add(StepRetrying(draft.run.id, name, state.attempt, due_at, reason), result.text)
    return True


def retry_wait_s(
    run_id: str, name: str, step: Step, state: StepState, retry_after_s: float | None = None
) -> float:
    """How long until the next attempt, from the end of this one: min(cap, base·factor^(n−1)) with
    full jitter drawn from (run, step, attempt), so a replay waits the same. A Retry-After is
    honoured up to the cap."""
    tries = max(1, state.attempt - state.lost)
    exponent = min(tries - 1, 64)
    most_s = min(step.retry.cap_s, step.retry.base_s * step.retry.factor**exponent)
    drawn_s = most_s * fraction(run_id, name, state.attempt)
    asked_s = min(step.retry.cap_s, max(0.0, retry_after_s or 0.0))
    return max(drawn_s, asked_s)


def fraction(*parts: object) -> float:
    """A number in [0, 1) that these parts always give."""
    drawn = hashlib.sha256("\0".join(str(part) for part in parts).encode()).digest()
    return int.from_bytes(drawn[:7], "big") / float(1 << 56)


def _reason(reason: str) -> str:
    return f"action_{reason}" if reason in OUR_REASONS else reason
