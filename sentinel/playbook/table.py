"""The tables of a step and of a run: which event leads from which state to which.

They are data. A pair that is not in them is illegal: whoever would cause it is refused and
the refusal is recorded (`StepIgnored`), so the log never holds a transition that nobody
meant. A step's `outcome` (what its attempt came to) and `conclusion` (what its run counts)
are kept apart: a failed step that may fail has the outcome *failed* and concludes
*succeeded*.

A step waits in one of two states: ``waiting`` for the clock or a probe, ``waiting_human``
for a person. ``indeterminate`` means that its effect may exist and nobody knows: it is
looked up, or repeated under its key, or a person is asked; it is never guessed.
"""

from collections.abc import Mapping
from enum import StrEnum


class StepStatus(StrEnum):
    """Where a step stands."""

    pending = "pending"
    ready = "ready"
    running = "running"
    retrying = "retrying"
    waiting = "waiting"
    waiting_human = "waiting_human"
    indeterminate = "indeterminate"
    succeeded = "succeeded"
    failed = "failed"
    timed_out = "timed_out"
    skipped = "skipped"
    omitted = "omitted"
    cancelled = "cancelled"
    rolled_back = "rolled_back"
    rollback_failed = "rollback_failed"


class StepEvent(StrEnum):
    """What can happen to a step."""

    ready = "ready"
    """Its needs are met and its condition holds."""
    condition_false = "condition_false"
    condition_error = "condition_error"
    """Its condition or its inputs could not be evaluated."""
    need_lost = "need_lost"
    """A need can no longer be met, or the run has stopped before it began."""
    waits = "waits"
    """A timer or a probe's health is awaited."""
    asks = "asks"
    """A person is asked, again, or about changed inputs."""
    answered = "answered"
    claimed = "claimed"
    limit = "limit"
    """Refused at the door: a limit, or an approval that no longer covers its inputs."""
    succeeded = "succeeded"
    output_schema = "output_schema"
    retried = "retried"
    failed = "failed"
    rejected = "rejected"
    """A person refused, or nobody answered in time."""
    deadline = "deadline"
    unsure = "unsure"
    person_skipped = "person_skipped"
    cancelled = "cancelled"
    undone = "undone"
    undo_failed = "undo_failed"


_S = StepStatus
_E = StepEvent

STEP_TABLE: Mapping[tuple[StepStatus, StepEvent], StepStatus] = {
    (_S.pending, _E.ready): _S.ready,
    (_S.pending, _E.waits): _S.waiting,
    (_S.pending, _E.asks): _S.waiting_human,
    (_S.pending, _E.condition_false): _S.skipped,
    (_S.pending, _E.condition_error): _S.failed,
    (_S.pending, _E.need_lost): _S.omitted,
    (_S.ready, _E.claimed): _S.running,
    (_S.ready, _E.limit): _S.failed,
    (_S.ready, _E.cancelled): _S.cancelled,
    (_S.running, _E.succeeded): _S.succeeded,
    (_S.running, _E.output_schema): _S.failed,
    (_S.running, _E.retried): _S.retrying,
    (_S.running, _E.failed): _S.failed,
    (_S.running, _E.deadline): _S.timed_out,
    (_S.running, _E.cancelled): _S.cancelled,
    (_S.running, _E.unsure): _S.indeterminate,
    (_S.retrying, _E.claimed): _S.running,
    (_S.retrying, _E.cancelled): _S.cancelled,
    (_S.retrying, _E.deadline): _S.timed_out,
    (_S.waiting, _E.succeeded): _S.succeeded,
    (_S.waiting, _E.deadline): _S.timed_out,
    (_S.waiting, _E.cancelled): _S.cancelled,
    (_S.waiting_human, _E.answered): _S.waiting_human,
    (_S.waiting_human, _E.asks): _S.waiting_human,
    (_S.waiting_human, _E.succeeded): _S.succeeded,
    (_S.waiting_human, _E.rejected): _S.failed,
    (_S.waiting_human, _E.ready): _S.ready,
    (_S.waiting_human, _E.person_skipped): _S.skipped,
    (_S.waiting_human, _E.cancelled): _S.cancelled,
    (_S.indeterminate, _E.succeeded): _S.succeeded,
    (_S.indeterminate, _E.ready): _S.ready,
    (_S.indeterminate, _E.asks): _S.waiting_human,
    (_S.succeeded, _E.undone): _S.rolled_back,
    (_S.succeeded, _E.undo_failed): _S.rollback_failed,
}


class RunStatus(StrEnum):
    """Where a run stands. ``waiting`` is how a running one is shown when only waits are left."""

    queued = "queued"
    running = "running"
    waiting = "waiting"
    cancelling = "cancelling"
    unwinding = "unwinding"
    finalizing = "finalizing"
    succeeded = "succeeded"
    failed = "failed"
    cancelled = "cancelled"
    timed_out = "timed_out"
    stuck = "stuck"
    refused = "refused"


class RunEvent(StrEnum):
    """What can happen to a run as a whole."""

    started = "started"
    refused = "refused"
    cancelling = "cancelling"
    unwinding = "unwinding"
    finalizing = "finalizing"
    succeeded = "succeeded"
    failed = "failed"
    cancelled = "cancelled"
    timed_out = "timed_out"
    stuck = "stuck"


_R = RunStatus
_V = RunEvent
_ENDS = (_V.succeeded, _V.failed, _V.cancelled, _V.timed_out, _V.stuck)

RUN_TABLE: Mapping[tuple[RunStatus, RunEvent], RunStatus] = {
    (_R.queued, _V.started): _R.running,
    (_R.queued, _V.refused): _R.refused,
    (_R.queued, _V.cancelled): _R.cancelled,
    (_R.running, _V.cancelling): _R.cancelling,
    (_R.running, _V.unwinding): _R.unwinding,
    (_R.running, _V.finalizing): _R.finalizing,
    (_R.cancelling, _V.unwinding): _R.unwinding,
    (_R.cancelling, _V.finalizing): _R.finalizing,
    (_R.unwinding, _V.finalizing): _R.finalizing,
    **{(_R.finalizing, end): _R(end) for end in _ENDS},
    # A second, forced cancel skips what is left, ``finally`` too.
    (_R.cancelling, _V.cancelled): _R.cancelled,
    (_R.cancelling, _V.timed_out): _R.timed_out,
    **{(_R.unwinding, end): _R(end) for end in (_V.failed, _V.timed_out, _V.stuck)},
}

RUN_ENDS = frozenset({*(RunStatus(end) for end in _ENDS), RunStatus.refused})
"""Nothing follows these."""


def step_after(status: StepStatus, event: StepEvent) -> StepStatus:
    """Where `event` leads a step. Raises ValueError for a pair that the table does not allow."""
    try:
        return STEP_TABLE[status, event]
    except KeyError:
        raise ValueError(f"a step that is {status} cannot take `{event}`") from None


def run_after(status: RunStatus, event: RunEvent) -> RunStatus:
    """Where `event` leads a run. Raises ValueError for a pair that the table does not allow."""
    try:
        return RUN_TABLE[status, event]
    except KeyError:
        raise ValueError(f"a run that is {status} cannot take `{event}`") from None
