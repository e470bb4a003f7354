"""Facts of ``incident/ID``: playbook runs and their steps.

The states named here are those of the step table in ``playbook.run``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sentinel.words import Labels, Outcome, Severity


@dataclass(frozen=True, slots=True)
class RunQueued:
    """A run waits for its guard. `requested_by` is the person who asked for it, or empty: it matched."""

    run: str
    playbook: str
    digest: str
    opening: int
    guard: str
    labels: Labels
    severity: Severity
    requested_by: str = ""


@dataclass(frozen=True, slots=True)
class RunRefused:
    """A limit forbade it; a person is told. `reason`: ``cooldown``, ``runs``, ``targets``, ``circuit``,
    ``at_once``, ``replaced`` (a newer run waits in its place), ``automation_off``."""

    run: str
    reason: str


@dataclass(frozen=True, slots=True)
class RunStarted:
    """Labels and severity are those of RunQueued for the whole run."""

    run: str
    deadline_at: datetime


@dataclass(frozen=True, slots=True)
class StepReady:
    """Nothing has been touched; it may be claimed from `due_at` until `deadline_at`, which is the
    end of its part of the run. `inputs_digest` is the SHA-256 of the rendered inputs
    (``playbook.context.digest_inputs``)."""

    run: str
    step: str
    attempt: int
    key: str
    due_at: datetime
    deadline_at: datetime
    inputs_digest: str = ""


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A node claimed it: it may have happened. The attempt ends at `deadline_at`; `inputs_digest` is
    the SHA-256 of the inputs that it really runs with."""

    run: str
    step: str
    attempt: int
    key: str
    node: str
    epoch: int
    deadline_at: datetime | None = None
    inputs_digest: str = ""


@dataclass(frozen=True, slots=True)
class StepWaiting:
    """A wait began: ``wait``, ``healthy``, ``approval``, ``checklist``, or ``indeterminate`` (a person
    is asked whether a lost attempt took effect). For people, `asked` are who may answer.

    Said again it is a `reminder`; with another `inputs_digest`, what was answered before is
    void. `binds` are the input digests of the steps that an approval allows, by step; an
    empty one could not be known yet.
    """

    run: str
    step: str
    kind: str
    deadline_at: datetime
    asked: tuple[str, ...] = ()
    inputs_digest: str = ""
    binds: Mapping[str, str] = field(default_factory=dict)
    reminder: bool = False


@dataclass(frozen=True, slots=True)
class StepRetrying:
    """Attempt `attempt` failed, or was lost and may be repeated under its key; the next may be
    claimed from `due_at`."""

    run: str
    step: str
    attempt: int
    due_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class StepFinished:
    """How the step ended, raw (`outcome`) and as its run counts it (`conclusion`): the states of the
    step table. An ``indeterminate`` one without a conclusion has not ended: somebody has to
    find out. Text: detail."""

    run: str
    step: str
    attempt: int
    state: str
    outcome: Outcome
    conclusion: str
    reason: str = ""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class StepAnswered:
    """A person answered an approval (``approved``, ``refused``), ticked an item (``ticked``), or said of
    an indeterminate step ``done``, ``not_done``, ``skip``. `inputs_digest` binds it."""

    run: str
    step: str
    by: str
    answer: str
    item: int = -1
    inputs_digest: str = ""


@dataclass(frozen=True, slots=True)
class StepIgnored:
    """An answer or outcome that came too late, or that the table does not allow; nothing changed."""

    run: str
    step: str
    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class RunTurned:
    """The run goes on to ``cancelling``, ``unwinding`` or ``finalizing``; `deadline_at` is that part's own.
    `reason` is ``done``, a failed step's reason, ``deadline`` or why it was cancelled."""

    run: str
    to: str
    reason: str
    deadline_at: datetime
    by: str = ""


@dataclass(frozen=True, slots=True)
class RunConcluded:
    """``succeeded``, ``failed``, ``cancelled``, ``timed_out`` or ``stuck``. `verified`: every ``healthy``
    wait of the run came true."""

    run: str
    conclusion: str
    reason: str = ""
    verified: bool = False
