"""Which step follows which.

Without ``needs`` a step waits until those declared before it concluded *succeeded* or
*skipped*; with ``needs`` each one named must have concluded *succeeded*, so a skipped need
omits the step. What can no longer be met is *lost*, and the step is omitted at once.

The steps of ``finally`` run one after another, whatever came of the one before; a ``needs``
there is held against every step of the run.
"""

from enum import StrEnum

from sentinel.playbook.playbook import (
    Playbook,
    Step,
    Wait,
    WaitApproval,
    WaitChecklist,
    WaitHealthy,
    WaitSpan,
)
from sentinel.playbook.state import UNDO, RunState

GOES_ON = frozenset({"succeeded", "skipped"})
SUCCEEDED = frozenset({"succeeded"})


class Readiness(StrEnum):
    """Whether a step may begin."""

    open = "open"
    met = "met"
    lost = "lost"


def step_named(playbook: Playbook, name: str) -> Step | None:
    """The step of that name among the steps, ``finally`` and undos (``STEP.undo``)."""
    wanted = name.removesuffix(UNDO)
    for step in (*playbook.steps, *playbook.lastly):
        if step.id == wanted:
            return step.rollback if name.endswith(UNDO) else step
    return None


def wait_of(step: Step) -> Wait | None:
    """What the step waits for; None: it acts."""
    if isinstance(step.does, WaitSpan | WaitHealthy | WaitApproval | WaitChecklist):
        return step.does
    return None


def readiness(playbook: Playbook, run: RunState, step: Step) -> Readiness:
    """Whether a normal step's needs are met, still open, or lost."""
    if step.needs is not None:
        return _held(run, step.needs, SUCCEEDED)
    before: list[str] = []
    for earlier in playbook.steps:
        if earlier.id == step.id:
            break
        before.append(earlier.id)
    return _held(run, tuple(before), GOES_ON)


def last_readiness(run: RunState, step: Step) -> Readiness:
    """The same for a step of ``finally`` whose turn has come: every other step has ended."""
    held = _held(run, step.needs or (), SUCCEEDED)
    return Readiness.lost if held is Readiness.open else held


def _held(run: RunState, needs: tuple[str, ...], wanted: frozenset[str]) -> Readiness:
    conclusions = [run.step(need).conclusion for need in needs]
    if any(conclusion and conclusion not in wanted for conclusion in conclusions):
        return Readiness.lost
    return Readiness.met if all(conclusions) else Readiness.open


def dependents(playbook: Playbook, name: str) -> tuple[Step, ...]:
    """The normal steps that can only begin after `name`, directly or through others, in
    declared order."""
    reached = {name}
    for _ in playbook.steps:
        grown = reached | {step.id for step in playbook.steps if _direct(playbook, step) & reached}
        if grown == reached:
            break
        reached = grown
    return tuple(step for step in playbook.steps if step.id in reached and step.id != name)


def _direct(playbook: Playbook, step: Step) -> frozenset[str]:
    if step.needs is not None:
        return frozenset(step.needs)
    ids = [other.id for other in playbook.steps]
    return frozenset(ids[: ids.index(step.id)])
