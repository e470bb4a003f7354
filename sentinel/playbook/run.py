"""What a run does next: pure decisions over its state.

SIGNATURES FIRST (bodies follow):

run.py
  queue(run_id, playbook, *, opening, guard, labels, severity, now, requested_by="") -> Fact
  begin(run, playbook, context) -> Decision            after the guard admitted it
  refuse(run, reason, *, now, text="") -> Decision     RunRefused
  advance(run, playbook, context) -> Decision          everything that can happen now; idempotent
  cancel(run, playbook, context, *, reason, by="sentinel", force=False) -> Decision
  remedied(run, playbook) -> bool | None               for guard.release, once run.ended
attempt.py (the performer's doors)
  claimable(run) -> tuple[Claimable(step, attempt, key, due_at, deadline_at), ...]
  claim(run, playbook, name, context, *, gate, node, epoch) -> Claimed | ClaimRefused
  outcome(run, playbook, name, context, *, attempt, epoch, result, found=None) -> Decision
  recover(run, playbook, name, context, *, found=None) -> Decision   lease over, no outcome
  step_named(playbook, name) -> Step | None            also ``x.undo`` and finally's
waits.py
  answer(run, playbook, name, context, *, by, answer, item=-1, inputs_digest="") -> Decision
guard.py
  guard_key(playbook, bound) -> str                    ``guard/PLAYBOOK/VALUES``
  apply_guard(guard: GuardState, fact: GuardFact, at) -> GuardState
  admit(guard, limits, *, run, incident, others, automation_on, now) -> Admitted | Queued | GuardRefusal
  release(guard, limits, *, run, remedied, now) -> Released(facts, next: (run, incident) | None)

Every Decision that holds a StepWaiting fact with `asked` wants an approval page to each of
them (a second StepWaiting of the same step is a reminder, or asks about changed inputs).
After `outcome`, `recover`, `answer`, `cancel` no further `advance` is needed: they call it.
"""
