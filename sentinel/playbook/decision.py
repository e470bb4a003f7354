"""What a decision about a run comes to: facts, when to look again, and who must be told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sentinel.playbook.state import RunState
from sentinel.timeline.facts import Fact


@dataclass(frozen=True, slots=True)
class Decision:
    """`facts` in order, already applied to `run`.

    `wake_at`: look again then, with `advance`, even if nothing comes from outside; None:
    nothing is due by the clock. `escalate`: reasons, each of which calls for the next
    level of people now (``step_failed``, ``limit``, ``indeterminate``, ``stuck``,
    ``nobody_to_ask``). `refused`: a stable reason why what was asked was not done; the
    facts then only record it.
    """

    run: RunState
    facts: tuple[Fact, ...] = ()
    wake_at: datetime | None = None
    escalate: tuple[str, ...] = ()
    refused: str = ""


@dataclass(frozen=True, slots=True)
class StepResult:
    """What an attempt came to, as a performer reports it.

    `done`: it did it. `failed`: it did not, for certain; `retryable` marks transient
    reasons. `unsure`: it may have happened. `values` are what ``outputs`` expressions see;
    `outputs`, where given, are taken as they are instead.
    """

    kind: Literal["done", "failed", "unsure"]
    reason: str = ""
    text: str = ""
    retryable: bool = False
    retry_after_s: float | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] | None = None
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What looking an attempt up showed: it was ``done`` (with `values`), ``not_done``, or cannot
    be known."""

    kind: Literal["done", "not_done", "unknown"]
    values: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Gate:
    """What a claim is held against in its own transaction. `paused_by` names the maintenance that
    pauses write steps, `guard_lost` says that the run no longer holds its guard's place."""

    automation_on: bool = True
    paused_by: str = ""
    guard_lost: bool = False


@dataclass(frozen=True, slots=True)
class Claimed:
    """The step may be performed now: `inputs` rendered, until `deadline_at`, under `key`.

    `bound` are the values that texts for people are rendered with.
    """

    decision: Decision
    step: str
    attempt: int
    key: str
    inputs: Mapping[str, Any]
    bound: Mapping[str, Any]
    deadline_at: datetime


@dataclass(frozen=True, slots=True)
class ClaimRefused:
    """It may not. `reason`: ``not_claimable``, ``not_due`` (try at `again_at`), ``automation_off``,
    ``maintenance``, ``guard_lost``, ``approval_void``, ``inputs_void``, ``inputs_changed``. The
    decision's facts, if any, must still be appended."""

    decision: Decision
    reason: str
    again_at: datetime | None = None
