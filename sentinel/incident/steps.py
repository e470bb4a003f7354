"""A step is claimed, done, and comes to something: the two facts of law 2 for steps.

`claim_step` is decided in the transaction in which a node takes the work row. It looks at the
kill switch, maintenance, cancellation and the guard's place, and writes StepStarted (*it may
have happened*) before the world is touched. A row whose attempt is not the next one is gone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sentinel.errors import ExpressionFailed, Outdated
from sentinel.incident.plan import Course, Wanted
from sentinel.incident.runs import carry_out, context_of, playbook_of, step_key
from sentinel.playbook import attempt
from sentinel.playbook.context import bindings, render
from sentinel.playbook.decision import Claimed, ClaimRefused, Found, Gate, StepResult
from sentinel.playbook.needs import step_named, wait_of
from sentinel.playbook.playbook import ActionSpec, Playbook, Step
from sentinel.playbook.state import RunState
from sentinel.playbook.table import StepStatus

LOOK_AT_PAUSE = timedelta(seconds=30)
"""While automation is off or paused, a step that waits for it is looked at this often."""


@dataclass(frozen=True, slots=True)
class StepClaim:
    """What the performer is to do: an action with its inputs, under a key, until a deadline.

    `lost`: an earlier attempt may have done it already; look it up if the action can.
    """

    run: str
    step: str
    attempt: int
    epoch: int
    key: str
    does: ActionSpec
    inputs: Mapping[str, Any]
    bound: Mapping[str, Any]
    deadline_at: datetime
    lost: bool = False


def claim_step(
    course: Course, body: Mapping[str, Any], *, node: str, epoch: int
) -> StepClaim | None:
    """Claim a step in its own transaction; None when it is not to be done, now or ever."""
    state = course.state.runs[body["run"]]
    name, number = body["step"], body["attempt"]
    step = state.step(name)
    if step.status is StepStatus.running and step.attempt == number and not step.ended:
        return _lost(course, state, name, epoch=epoch)
    if step.attempt + 1 != number or state.ended:
        course.drop(step_key(course.state.incident, state.id, name, number))
        return None
    playbook = playbook_of(course, state)
    gate = Gate(
        automation_on=course.situation.automation_on,
        paused_by=course.situation.paused_by(state.labels),
        guard_lost=state.id not in course.guard(state.guard).running,
    )
    answer = attempt.claim(
        state, playbook, name, context_of(course), gate=gate, node=node, epoch=epoch
    )
    if isinstance(answer, ClaimRefused):
        carry_out(course, answer.decision)
        _come_again(course, body, answer)
        return None
    carry_out(course, answer.decision)
    return _claimed(state, playbook, answer, epoch)


def _come_again(course: Course, body: Mapping[str, Any], refused: ClaimRefused) -> None:
    """A step that may not be claimed just now is looked at later; one that never may is dropped."""
    state = course.state.runs[body["run"]]
    key = step_key(course.state.incident, state.id, body["step"], body["attempt"])
    later = refused.again_at
    if refused.reason in ("automation_off", "maintenance"):
        later = course.now + LOOK_AT_PAUSE
    if later is None:
        course.drop(key)
    else:
        course.want(Wanted(key, "step", later, (course.state.incident,), body))


def _claimed(state: RunState, playbook: Playbook, answer: Claimed, epoch: int) -> StepClaim:
    step = step_named(playbook, answer.step)
    if step is None or wait_of(step) is not None:
        raise Outdated(f"{answer.step} is no action of {playbook.id}")
    return StepClaim(
        run=state.id,
        step=answer.step,
        attempt=answer.attempt,
        epoch=epoch,
        key=answer.key,
        does=cast("ActionSpec", step.does),
        inputs=answer.inputs,
        bound=answer.bound,
        deadline_at=answer.deadline_at,
    )


def _lost(course: Course, state: RunState, name: str, *, epoch: int) -> StepClaim | None:
    """A started attempt whose lease is over: look it up if its action can, else decide without."""
    playbook = playbook_of(course, state)
    step = step_named(playbook, name)
    bound = bindings(state, context_of(course))
    inputs = _inputs(step, bound) if step is not None and hasattr(step.does, "look_up") else None
    if step is not None and inputs is not None:
        return StepClaim(
            run=state.id,
            step=name,
            attempt=state.step(name).attempt,
            epoch=epoch,
            key=state.step(name).key,
            does=cast("ActionSpec", step.does),
            inputs=inputs,
            bound=bound,
            deadline_at=course.now + timedelta(seconds=step.timeout_s),
            lost=True,
        )
    course.drop(step_key(course.state.incident, state.id, name, state.step(name).attempt))
    carry_out(course, attempt.recover(state, playbook, name, context_of(course)))
    return None


def _inputs(step: Step, bound: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What the lost attempt was given; None when it cannot be known any more."""
    try:
        return render(step, bound)
    except ExpressionFailed:
        return None


def step_came_to(
    course: Course, claim: StepClaim, result: StepResult | Found, *, found: Found | None = None
) -> None:
    """The outcome of an attempt, or what looking a lost one up showed. `found` is what looking up an
    unsure one showed."""
    state = course.state.runs[claim.run]
    playbook = playbook_of(course, state)
    context = context_of(course)
    if isinstance(result, Found):
        decision = attempt.recover(state, playbook, claim.step, context, found=result)
    else:
        decision = attempt.outcome(
            state,
            playbook,
            claim.step,
            context,
            attempt=claim.attempt,
            epoch=claim.epoch,
            result=result,
            found=found,
        )
    carry_out(course, decision)
