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

from sentinel.playbook.context import Context
from sentinel.playbook.decision import Decision
from sentinel.playbook.draft import Draft, open_steps, so_far
from sentinel.playbook.parts import (
    GRACE,
    all_ended,
    conclude,
    end_now,
    ignored,
    refused,
    settle,
    settled,
    undoable,
)
from sentinel.playbook.playbook import Playbook, WaitHealthy
from sentinel.playbook.state import RunState
from sentinel.playbook.table import RunStatus, StepStatus
from sentinel.playbook.waits import take_answer
from sentinel.timeline.facts import Fact
from sentinel.timeline.run_facts import RunConcluded, RunQueued, RunRefused, RunStarted
from sentinel.words import Labels, Severity


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
    why = take_answer(draft, name, by=by, answer=answer, item=item, inputs_digest=inputs_digest)
    if why:
        return ignored(draft, name, answer, why)
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
        return refused(draft, "ended")
    if run.phase is RunStatus.queued:
        draft.add(RunConcluded(run.id, str(RunStatus.cancelled), reason))
        return draft.decision()
    if run.phase is not RunStatus.running:
        if not force:
            return refused(draft, "already_ending")
        _force(draft)
        return draft.decision()
    if reason == "resolved":
        _credit_recovery(draft)
    if not all_ended(draft):
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
        end_now(draft, name, state, out_of_time=False)
    conclusion, _ = so_far(draft.run, draft.playbook)
    if draft.run.phase is RunStatus.unwinding and undoable(draft):
        conclusion = "stuck"
        draft.tell("stuck")
    conclude(draft, conclusion, "forced")
