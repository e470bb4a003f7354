"""What to do when something is wrong, as declared.

A step is an action (a kind of its own) or a wait (``playbook.waits``). Values that come
from outside reach an action only as whole scalars: a `Reference` is one expression that is
the value, never part of a text, and never a template.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from sentinel.expression import Expression
from sentinel.words import Labels, Outcome, Place, Seconds, Severity


class ActionSpec(Protocol):
    """What this room needs to know of an action; ``kinds.Action`` adds the coroutine.

    Fields may hold a `Reference` in the place of any scalar, at any depth.
    """

    KIND: ClassVar[str]
    OUTPUTS: ClassVar[Mapping[str, object]]
    """The names that ``outputs`` expressions may use, as in ``expression.Declaration``."""
    WRITES: ClassVar[bool]
    """Whether it changes the world unless the step says otherwise with ``writes:``."""


@dataclass(frozen=True, slots=True)
class Reference:
    """``${…}``: one expression that is the whole scalar."""

    expression: Expression


class OnFailure(StrEnum):
    """What a failed step means for its run."""

    abort = "abort"
    rollback = "rollback"
    escalate = "escalate"
    handled = "handled"


@dataclass(frozen=True, slots=True)
class StepRetry:
    """Attempt n fails → wait min(cap, base·factor^(n−1)), full jitter drawn from the run's id, so a
    replay waits the same. The wait starts when the attempt ended."""

    times: int = 0
    base_s: Seconds = Seconds(1.0)
    factor: float = 2.0
    cap_s: Seconds = Seconds(60.0)


@dataclass(frozen=True, slots=True)
class WaitSpan:
    """``wait: {for: 5m}``: a timer."""

    for_s: Seconds
    KIND: ClassVar[str] = "wait"


@dataclass(frozen=True, slots=True)
class WaitHealthy:
    """``healthy: {probe: ID, ok: 3}``: the probe was good `ok` times in a row, since the step began."""

    probe: str
    ok: int = 2
    KIND: ClassVar[str] = "healthy"


@dataclass(frozen=True, slots=True)
class WaitApproval:
    """``approval: {by: REF, timeout: 10m}``: a person says yes. On timeout: refused."""

    by: str
    """``person/x``, ``rotation/x``, ``escalation/x`` or ``team/x``."""
    text: str = ""
    KIND: ClassVar[str] = "approval"


@dataclass(frozen=True, slots=True)
class WaitChecklist:
    """``checklist: {items: […], by: REF}``: a person ticks every item."""

    items: tuple[str, ...]
    by: str = ""
    KIND: ClassVar[str] = "checklist"


Wait = WaitSpan | WaitHealthy | WaitApproval | WaitChecklist


@dataclass(frozen=True, slots=True)
class Step:
    """One step. Without `needs` (None) it waits until those before it concluded succeeded or
    skipped; an empty `needs` starts at once."""

    id: str
    does: ActionSpec | Wait
    when: Expression | None = None
    needs: tuple[str, ...] | None = None
    timeout_s: Seconds = Seconds(60.0)
    retry: StepRetry = StepRetry()
    writes: bool = False
    key: tuple[Expression, ...] = ()
    """Values that name the effect: with it a write may be repeated under the same key."""
    repeatable: bool = True
    """False: a write that must never run twice; after a crash a person is asked."""
    outputs: Mapping[str, Expression] = field(default_factory=dict)
    on_failure: OnFailure = OnFailure.abort
    continue_on_error: bool = False
    rollback: "Step | None" = None
    place: Place = Place("", 0, 0)


@dataclass(frozen=True, slots=True)
class PagePolicy:
    """Who is paged for incidents this playbook decides, and after how long unless well by then."""

    escalation: str
    after_s: Seconds = Seconds(0.0)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on runs per key, kept as facts in ``guard/PLAYBOOK/VALUES``. A limit hit escalates."""

    key: tuple[Expression, ...] = ()
    at_once: int = 1
    then: str = "queue"
    """``queue`` or ``skip``: what a run does that finds `at_once` running."""
    cooldown_s: Seconds = Seconds(0.0)
    runs: int = 0
    """At most this many in `runs_in_s`; 0: no bound."""
    runs_in_s: Seconds = Seconds(86400.0)
    targets: int = 0
    """At most this many different guard keys in `runs_in_s`; 0: no bound."""
    failures: int = 2
    """Failed remediations in a row that open the circuit."""


@dataclass(frozen=True, slots=True)
class PlaybookTest:
    """A declared example: ``given`` labels, severity and outputs; ``expect`` conclusion, called, not_called."""

    name: str
    labels: Labels
    severity: Severity
    outputs: Mapping[str, Mapping[str, Any]]
    outcomes: Mapping[str, Outcome]
    conclusion: str
    called: tuple[str, ...] = ()
    not_called: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Playbook:
    """A reaction, as declared. `digest` is the SHA-256 of its canonical body, which runs pin."""

    id: str
    when: Expression
    owner: str = ""
    order: int = 100
    page: PagePolicy | None = None
    limits: Limits = Limits()
    timeout_s: Seconds = Seconds(3600.0)
    steps: tuple[Step, ...] = ()
    lastly: tuple[Step, ...] = ()
    """``finally:`` in YAML; always runs, on its own budget."""
    lastly_timeout_s: Seconds = Seconds(300.0)
    tests: Sequence[PlaybookTest] = ()
    place: Place = Place("", 0, 0)
    digest: str = ""
