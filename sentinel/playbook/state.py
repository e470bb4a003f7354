"""Where the runs of an incident stand: a fold over the run facts of its stream.

`apply` takes one fact at a time, so a caller keeps the mapping and adds what is new. It
refuses (ValueError) a fact that the tables do not allow; whoever decides applies what it
decided before it appends, so the log never holds one.

A step's undo is a step of its own, called ``STEP.undo``; no document can declare that name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, assert_never

from sentinel.playbook.table import (
    RUN_ENDS,
    RunEvent,
    RunStatus,
    StepEvent,
    StepStatus,
    run_after,
    step_after,
)
from sentinel.timeline.facts import Fact, RunFact
from sentinel.timeline.run_facts import (
    RunConcluded,
    RunQueued,
    RunRefused,
    RunStarted,
    RunTurned,
    StepAnswered,
    StepFinished,
    StepIgnored,
    StepReady,
    StepRetrying,
    StepStarted,
    StepWaiting,
)
from sentinel.words import Labels, Outcome, Severity

UNDO = ".undo"

CONDITION_REASONS = frozenset({"condition_error", "inputs_error"})
LIMIT_REASONS = frozenset({"limit", "approval_void", "inputs_void"})
REJECTION_REASONS = frozenset({"refused", "not_answered"})
HUMAN_KINDS = frozenset({"approval", "checklist", "indeterminate"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person said of a step."""

    by: str
    answer: str
    item: int
    at: datetime


@dataclass(frozen=True, slots=True)
class StepState:
    """One step of one run. Everything is empty until it happened.

    `attempt` counts from 1; `lost` are the attempts that ended in a crash and do not use up
    a retry. `finished_order` counts the run's finished steps from 1, so that undoing goes
    backwards. `answers` are those given to the inputs of `inputs_digest`.
    """

    status: StepStatus = StepStatus.pending
    attempt: int = 0
    lost: int = 0
    key: str = ""
    due_at: datetime | None = None
    deadline_at: datetime | None = None
    inputs_digest: str = ""
    node: str = ""
    epoch: int = 0
    wait_kind: str = ""
    waiting_since_at: datetime | None = None
    asked: tuple[str, ...] = ()
    reminded: bool = False
    binds: Mapping[str, str] = field(default_factory=dict)
    answers: tuple[Answer, ...] = ()
    began_at: datetime | None = None
    """When it first became ready, or began to wait."""
    started_at: datetime | None = None
    """When its last attempt was claimed."""
    finished_at: datetime | None = None
    finished_order: int = 0
    outcome: Outcome | None = None
    conclusion: str = ""
    reason: str = ""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    evidence: str = ""

    @property
    def ended(self) -> bool:
        """Whether it has a conclusion; nothing but an undo changes it any more."""
        return self.conclusion != ""

    @property
    def claimable(self) -> bool:
        """Whether a performer may claim it once `due_at` has come."""
        return self.status in (StepStatus.ready, StepStatus.retrying) and not self.ended


@dataclass(frozen=True, slots=True)
class RunState:
    """One run of one playbook. Its documents' bodies are pinned by `digest` (rule 23)."""

    id: str
    playbook: str
    digest: str
    opening: int
    guard: str
    labels: Labels
    severity: Severity
    requested_by: str
    queued_at: datetime
    phase: RunStatus = RunStatus.queued
    """Like `status`, but never ``waiting``."""
    started_at: datetime | None = None
    deadline_at: datetime | None = None
    """The end of the present part: steps, cancelling, unwinding or finally."""
    steps: Mapping[str, StepState] = field(default_factory=dict)
    finished: int = 0
    turned: str = ""
    """Why it left its normal steps; the first reason, never hidden by a later one."""
    turned_to: tuple[RunStatus, ...] = ()
    ended_at: datetime | None = None
    reason: str = ""
    verified: bool = False

    @property
    def ended(self) -> bool:
        return self.phase in RUN_ENDS

    @property
    def status(self) -> RunStatus:
        """As people see it: ``waiting`` when nothing runs and something waits."""
        if self.phase is not RunStatus.running:
            return self.phase
        standing = {step.status for step in self.steps.values() if not step.ended}
        busy = standing & {StepStatus.ready, StepStatus.running, StepStatus.retrying}
        waits = standing & {
            StepStatus.waiting,
            StepStatus.waiting_human,
            StepStatus.indeterminate,
        }
        return RunStatus.waiting if waits and not busy else RunStatus.running

    def step(self, name: str) -> StepState:
        """The step's state; *pending* while nothing has happened to it."""
        return self.steps.get(name, PENDING)


PENDING = StepState()
Runs = Mapping[str, RunState]


def apply(runs: Runs, fact: RunFact, at: datetime) -> Runs:
    """The runs after one more fact, which occurred `at`.

    Raises ValueError when the fact's run is unknown or the tables do not allow it.
    """
    if isinstance(fact, RunQueued):
        if fact.run in runs:
            raise ValueError(f"run {fact.run} was queued before")
        return {**runs, fact.run: _queued(fact, at)}
    if fact.run not in runs:
        raise ValueError(f"run {fact.run} was never queued")
    return {**runs, fact.run: apply_one(runs[fact.run], fact, at)}


def queued_run(fact: Fact) -> RunState:
    """The run that a `RunQueued` begins. Raises ValueError for any other fact."""
    if not isinstance(fact.what, RunQueued):
        raise ValueError(f"a run begins with RunQueued, not {type(fact.what).__name__}")
    return _queued(fact.what, fact.occurred_at)


def apply_one(run: RunState, fact: RunFact, at: datetime) -> RunState:
    """The same for one run, whose fact it must be. Raises ValueError."""
    match fact:
        case RunQueued():
            raise ValueError(f"run {fact.run} was queued before")
        case RunRefused() | RunStarted() | RunTurned() | RunConcluded():
            return _turn(run, fact, at)
        case StepIgnored():
            return run
        case (
            StepReady()
            | StepStarted()
            | StepWaiting()
            | StepRetrying()
            | StepFinished()
            | StepAnswered()
        ):
            return _with_step(run, fact, at)
        case _:
            assert_never(fact)


StepFact = StepReady | StepStarted | StepWaiting | StepRetrying | StepFinished | StepAnswered


def event_of(fact: StepFact) -> StepEvent:
    """The table's event that a fact stands for."""
    match fact:
        case StepReady():
            return StepEvent.ready
        case StepStarted():
            return StepEvent.claimed
        case StepWaiting():
            return StepEvent.asks if fact.kind in HUMAN_KINDS else StepEvent.waits
        case StepRetrying():
            return StepEvent.retried
        case StepAnswered():
            return StepEvent.answered
        case StepFinished():
            return _ending(fact)
        case _:
            assert_never(fact)


_ENDINGS: Mapping[StepStatus, StepEvent] = {
    StepStatus.succeeded: StepEvent.succeeded,
    StepStatus.timed_out: StepEvent.deadline,
    StepStatus.omitted: StepEvent.need_lost,
    StepStatus.cancelled: StepEvent.cancelled,
    StepStatus.indeterminate: StepEvent.unsure,
    StepStatus.rolled_back: StepEvent.undone,
    StepStatus.rollback_failed: StepEvent.undo_failed,
}


def _ending(fact: StepFinished) -> StepEvent:
    state = StepStatus(fact.state)
    if state is StepStatus.skipped:
        by_person = fact.reason == "person_skipped"
        return StepEvent.person_skipped if by_person else StepEvent.condition_false
    if state is not StepStatus.failed:
        return _ENDINGS[state]
    if fact.reason in CONDITION_REASONS:
        return StepEvent.condition_error
    if fact.reason in LIMIT_REASONS:
        return StepEvent.limit
    if fact.reason in REJECTION_REASONS:
        return StepEvent.rejected
    return StepEvent.output_schema if fact.reason == "output_schema" else StepEvent.failed


def _queued(fact: RunQueued, at: datetime) -> RunState:
    return RunState(
        id=fact.run,
        playbook=fact.playbook,
        digest=fact.digest,
        opening=fact.opening,
        guard=fact.guard,
        labels=fact.labels,
        severity=fact.severity,
        requested_by=fact.requested_by,
        queued_at=at,
    )


def _turn(
    run: RunState, fact: RunRefused | RunStarted | RunTurned | RunConcluded, at: datetime
) -> RunState:
    match fact:
        case RunRefused():
            phase = run_after(run.phase, RunEvent.refused)
            return replace(run, phase=phase, reason=fact.reason, ended_at=at)
        case RunStarted():
            phase = run_after(run.phase, RunEvent.started)
            return replace(run, phase=phase, started_at=at, deadline_at=fact.deadline_at)
        case RunTurned():
            phase = run_after(run.phase, RunEvent(fact.to))
            return replace(
                run,
                phase=phase,
                deadline_at=fact.deadline_at,
                turned=run.turned or fact.reason,
                turned_to=(*run.turned_to, phase),
            )
        case RunConcluded():
            phase = run_after(run.phase, RunEvent(fact.conclusion))
            return replace(
                run, phase=phase, reason=fact.reason, verified=fact.verified, ended_at=at
            )
        case _:
            assert_never(fact)


def _with_step(run: RunState, fact: StepFact, at: datetime) -> RunState:
    if run.phase in RUN_ENDS or run.phase is RunStatus.queued:
        raise ValueError(f"run {run.id} is {run.phase}: nothing can happen to `{fact.step}`")
    before = run.step(fact.step)
    undoing = fact.step + UNDO in run.steps
    if before.ended and not (undoing and before.status is StepStatus.succeeded):
        raise ValueError(f"step `{fact.step}` has ended as {before.status}")
    status = step_after(before.status, event_of(fact))
    step = _step_after(replace(before, status=status), fact, at)
    ended = step.ended and not before.ended
    if ended:
        step = replace(step, finished_order=run.finished + 1, finished_at=at)
    return replace(
        run, steps={**run.steps, fact.step: step}, finished=run.finished + (1 if ended else 0)
    )


def _step_after(step: StepState, fact: StepFact, at: datetime) -> StepState:
    match fact:
        case StepReady():
            return replace(
                step,
                key=fact.key,
                due_at=fact.due_at,
                deadline_at=fact.deadline_at,
                inputs_digest=fact.inputs_digest,
                wait_kind="",
                asked=(),
                answers=(),
                outcome=None,
                reason="",
                began_at=step.began_at or at,
            )
        case StepStarted():
            return replace(
                step,
                attempt=fact.attempt,
                node=fact.node,
                epoch=fact.epoch,
                started_at=at,
                deadline_at=fact.deadline_at or step.deadline_at,
                inputs_digest=fact.inputs_digest or step.inputs_digest,
            )
        case StepWaiting():
            return _asked(step, fact, at)
        case StepRetrying():
            lost = step.lost + (1 if fact.reason == LOST else 0)
            return replace(step, due_at=fact.due_at, reason=fact.reason, lost=lost)
        case StepAnswered():
            answer = Answer(fact.by, fact.answer, fact.item, at)
            return replace(step, answers=(*step.answers, answer))
        case StepFinished():
            return replace(
                step,
                outcome=fact.outcome,
                conclusion=fact.conclusion,
                reason=fact.reason,
                outputs=fact.outputs,
                evidence=fact.evidence,
                lost=step.lost + (1 if fact.state == StepStatus.indeterminate else 0),
            )
        case _:
            assert_never(fact)


LOST = "node_lost"
"""Why an attempt without an outcome is repeated: its node went away."""


def _asked(step: StepState, fact: StepWaiting, at: datetime) -> StepState:
    changed = fact.inputs_digest != step.inputs_digest or fact.kind != step.wait_kind
    return replace(
        step,
        wait_kind=fact.kind,
        deadline_at=fact.deadline_at,
        asked=fact.asked,
        inputs_digest=fact.inputs_digest,
        binds=fact.binds,
        answers=() if changed else step.answers,
        reminded=step.reminded or fact.reminder,
        waiting_since_at=at if step.waiting_since_at is None or changed else step.waiting_since_at,
        began_at=step.began_at or at,
    )
