"""A decision in the making: each fact is applied as it is added, so the tables hold at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sentinel.errors import ExpressionFailed
from sentinel.playbook.context import Context, bindings
from sentinel.playbook.decision import Decision
from sentinel.playbook.needs import step_named
from sentinel.playbook.playbook import OnFailure, Playbook, Step, WaitHealthy
from sentinel.playbook.state import RunState, StepState, apply_one
from sentinel.playbook.table import RunStatus, StepStatus
from sentinel.timeline.facts import Fact, RunFact
from sentinel.timeline.run_facts import RunTurned, StepFinished
from sentinel.words import Outcome

MAX_TEXT = 2000
"""How much of a detail is kept in a fact, in characters."""

_OUTCOMES: Mapping[StepStatus, Outcome] = {
    StepStatus.succeeded: Outcome.ok,
    StepStatus.failed: Outcome.failed,
    StepStatus.timed_out: Outcome.failed,
    StepStatus.rolled_back: Outcome.ok,
    StepStatus.rollback_failed: Outcome.failed,
}
_CONCLUSIONS: Mapping[StepStatus, str] = {StepStatus.timed_out: "failed"}


@dataclass(slots=True)
class Draft:
    """Collects the facts of one decision about one run. Lives no longer than that decision."""

    run: RunState
    playbook: Playbook
    context: Context
    facts: list[Fact] = field(default_factory=list)
    escalate: list[str] = field(default_factory=list)

    @property
    def now(self) -> datetime:
        return self.context.now

    def add(self, what: RunFact, text: str = "") -> None:
        """Apply a fact and keep it. Raises ValueError when the tables do not allow it."""
        self.run = apply_one(self.run, what, self.now)
        texts = {"detail": text[:MAX_TEXT]} if text else {}
        self.facts.append(Fact(what, self.now, texts))

    def tell(self, reason: str) -> None:
        """Call for the next level of people, once per reason."""
        if reason not in self.escalate:
            self.escalate.append(reason)

    def declared(self, name: str) -> Step:
        """The step as declared. Raises ValueError when the pinned playbook has none of that name."""
        step = step_named(self.playbook, name)
        if step is None:
            raise ValueError(f"playbook `{self.playbook.id}` has no step `{name}`")
        return step

    def bound(self) -> dict[str, Any]:
        """What expressions see now."""
        return bindings(self.run, self.context, conclusion=so_far(self.run, self.playbook)[0])

    def finish(
        self,
        name: str,
        status: StepStatus,
        *,
        reason: str = "",
        text: str = "",
        conclusion: str | None = None,
        outputs: Mapping[str, Any] | None = None,
        evidence: str = "",
    ) -> None:
        """End a step. `continue_on_error` turns a failure's conclusion into *succeeded*."""
        step = self.declared(name)
        failed = status in (StepStatus.failed, StepStatus.timed_out)
        if conclusion is None:
            conclusion = _CONCLUSIONS.get(status, str(status))
            conclusion = "succeeded" if failed and step.continue_on_error else conclusion
        self.add(
            StepFinished(
                run=self.run.id,
                step=name,
                attempt=self.run.step(name).attempt,
                state=str(status),
                outcome=_OUTCOMES.get(status, Outcome.unknown),
                conclusion=conclusion,
                reason=reason,
                outputs=outputs or {},
                evidence=evidence,
            ),
            text,
        )
        if conclusion == "failed" and step.on_failure is OnFailure.escalate:
            self.tell("step_failed")

    def turn(self, to: RunStatus, *, reason: str, deadline_at: datetime, by: str = "") -> None:
        """Go on to another part of the run."""
        self.add(RunTurned(self.run.id, str(to), reason, deadline_at, by))

    def decision(self, *, refused: str = "", wake_at: datetime | None = None) -> Decision:
        return Decision(self.run, tuple(self.facts), wake_at, tuple(self.escalate), refused)


def open_steps(run: RunState) -> Mapping[str, StepState]:
    """Those that something has happened to and that have not ended."""
    return {name: step for name, step in run.steps.items() if not step.ended}


def breaking(run: RunState, playbook: Playbook) -> Step | None:
    """The first failed step that stops the run: not a ``handled`` one."""
    failed = [
        (run.step(step.id).finished_order, step)
        for step in playbook.steps
        if run.step(step.id).conclusion == "failed" and step.on_failure is not OnFailure.handled
    ]
    return min(failed, key=lambda pair: pair[0])[1] if failed else None


def so_far(run: RunState, playbook: Playbook) -> tuple[str, str]:
    """What the run comes to as it stands, and why: its conclusion once everything has ended.

    The first error is never hidden: not by an undo, not by ``finally``. A failure of
    ``finally`` alone makes the run *failed* with reason ``finally_failed``.
    """
    if any(step.status is StepStatus.rollback_failed for step in run.steps.values()):
        return "stuck", "rollback_failed"
    if run.turned == "deadline":
        return "timed_out", "deadline"
    if RunStatus.cancelling in run.turned_to:
        return "cancelled", run.turned
    failed = breaking(run, playbook)
    if failed:
        return "failed", run.step(failed.id).reason or "failed"
    if any(run.step(step.id).conclusion == "failed" for step in playbook.lastly):
        return "failed", "finally_failed"
    return "succeeded", ""


def verified(run: RunState, playbook: Playbook) -> bool:
    """Whether every ``healthy`` wait whose turn came true, and there was one."""
    waits = [run.step(step.id) for step in playbook.steps if isinstance(step.does, WaitHealthy)]
    begun = [wait for wait in waits if wait.began_at is not None]
    return bool(begun) and all(wait.status is StepStatus.succeeded for wait in begun)


def holds(step: Step, bound: Mapping[str, Any]) -> bool:
    """Whether the step's condition holds. Raises ExpressionFailed, also for what is no bool."""
    if step.when is None:
        return True
    value = step.when.evaluate(bound)
    if not isinstance(value, bool):
        raise ExpressionFailed(f"a condition is true or false, not {value!r:.80}", "field_type")
    return value
