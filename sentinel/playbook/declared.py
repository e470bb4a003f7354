"""A playbook's own ``tests:``, played through the same decisions as a live run.

Nothing is touched: each action comes to what the test gives it (*ok* unless given; a given
*failed* is certain and final, *unknown* leaves its effect in doubt), time jumps to the next
thing that is due. A probe that a ``healthy`` step waits for is well unless its outcome is
given otherwise. People answer only where an outcome is given for their step: *ok* approves
or ticks everything, *failed* refuses; without one nobody answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sentinel.errors import ExpressionFailed
from sentinel.playbook.attempt import claim, claimable, outcome
from sentinel.playbook.context import Context, match_bindings
from sentinel.playbook.decision import Claimed, Decision, Gate, StepResult
from sentinel.playbook.guard import guard_key
from sentinel.playbook.needs import step_named, wait_of
from sentinel.playbook.playbook import (
    Playbook,
    PlaybookTest,
    WaitApproval,
    WaitChecklist,
    WaitHealthy,
)
from sentinel.playbook.run import advance, answer, begin, queue
from sentinel.playbook.state import RunState, queued_run
from sentinel.playbook.table import StepStatus
from sentinel.timeline.facts import Fact
from sentinel.words import Outcome

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
MAX_TURNS = 20_000
SOMEBODY = "somebody"
UNMATCHED = "unmatched"


@dataclass(frozen=True, slots=True)
class Played:
    """How a declared test went. `conclusion` is the run's, or ``unmatched`` when the playbook's
    ``when`` does not hold for what is given; `called` are the steps that were performed or
    waited for, in order; `problems` are empty when all is as expected."""

    test: str
    conclusion: str
    called: tuple[str, ...]
    problems: tuple[str, ...]
    facts: tuple[Fact, ...] = ()


def play(playbook: Playbook, test: PlaybookTest) -> Played:
    """Play one declared test. Never raises for what the playbook does wrong."""
    facts: list[Fact] = []
    problems: list[str] = []
    try:
        matched = playbook.when.evaluate(
            match_bindings(
                _context(playbook, test, START), labels=test.labels, severity=test.severity
            )
        )
    except ExpressionFailed as error:
        matched = False
        problems.append(f"its `when` could not be evaluated: {error}")
    if matched is not True:
        return _judged(playbook, test, UNMATCHED, (), problems, facts)
    run = _to_the_end(playbook, test, facts)
    if not run.ended:
        problems.append(f"the run did not end within {MAX_TURNS} turns")
    return _judged(playbook, test, str(run.phase), _called(run), problems, facts)


def _judged(
    playbook: Playbook,
    test: PlaybookTest,
    conclusion: str,
    called: tuple[str, ...],
    problems: Sequence[str],
    facts: Sequence[Fact],
) -> Played:
    wrong = list(problems)
    if test.conclusion and test.conclusion != conclusion:
        wrong.append(f"expected the conclusion {test.conclusion}, it was {conclusion}")
    named = (*test.called, *test.not_called, *test.outputs, *test.outcomes)
    unknown = dict.fromkeys(name for name in named if step_named(playbook, name) is None)
    wrong.extend(f"there is no step `{name}`" for name in unknown)
    wrong.extend(
        f"expected `{name}` to be called, it was not"
        for name in test.called
        if name not in called and name not in unknown
    )
    wrong.extend(
        f"expected `{name}` not to be called, it was" for name in test.not_called if name in called
    )
    return Played(test.name, conclusion, called, tuple(wrong), tuple(facts))


def _called(run: RunState) -> tuple[str, ...]:
    begun = [
        (state.started_at or state.waiting_since_at, name)
        for name, state in run.steps.items()
        if state.attempt or state.waiting_since_at
    ]
    return tuple(name for _, name in begun)


def _context(playbook: Playbook, test: PlaybookTest, now: datetime) -> Context:
    incident = {
        "id": "test0000",
        "title": test.name,
        "status": "triggered",
        "severity": int(test.severity),
        "labels": dict(test.labels),
        "alerts": [{"labels": dict(test.labels), "severity": int(test.severity)}],
    }
    sick = {
        step.does.probe
        for step in (*playbook.steps, *playbook.lastly)
        if isinstance(step.does, WaitHealthy)
        and test.outcomes.get(step.id, Outcome.ok) is not Outcome.ok
    }

    def health(probe: str, _since: datetime) -> int:
        return 0 if probe in sick else 1_000

    def people_of(_reference: str) -> tuple[str, ...]:
        return (SOMEBODY,)

    return Context(now, incident, health, people_of, (SOMEBODY,))


def _to_the_end(playbook: Playbook, test: PlaybookTest, facts: list[Fact]) -> RunState:
    now = START
    context = _context(playbook, test, now)
    bound = match_bindings(context, labels=test.labels, severity=test.severity)
    queued = queue(
        "test",
        playbook,
        opening=1,
        guard=guard_key(playbook, bound),
        labels=test.labels,
        severity=test.severity,
        now=now,
    )
    facts.append(queued)
    decision = begin(queued_run(queued), playbook, context)
    for _ in range(MAX_TURNS):
        facts.extend(decision.facts)
        run = decision.run
        if run.ended:
            break
        context = _context(playbook, test, now)
        next_one = _perform(run, playbook, test, context) or _answer(run, playbook, test, context)
        if next_one is None:
            due = [step.due_at for step in claimable(run) if step.due_at > now]
            now = min([*due, *([decision.wake_at] if decision.wake_at else [])], default=now)
            next_one = advance(run, playbook, _context(playbook, test, now))
        decision = next_one
    return decision.run


def _perform(
    run: RunState, playbook: Playbook, test: PlaybookTest, context: Context
) -> Decision | None:
    """Perform the first step that may be claimed now."""
    for step in claimable(run):
        if step.due_at > context.now:
            continue
        claimed = claim(run, playbook, step.step, context, gate=Gate(), node="test", epoch=1)
        if not isinstance(claimed, Claimed):
            return claimed.decision
        done = outcome(
            claimed.decision.run,
            playbook,
            step.step,
            context,
            attempt=claimed.attempt,
            epoch=1,
            result=_result(test, step.step),
        )
        facts = (*claimed.decision.facts, *done.facts)
        return Decision(done.run, facts, done.wake_at, done.escalate)
    return None


def _result(test: PlaybookTest, name: str) -> StepResult:
    match test.outcomes.get(name, Outcome.ok):
        case Outcome.failed:
            return StepResult("failed", "given")
        case Outcome.unknown:
            return StepResult("unsure", "given")
        case _:
            return StepResult("done", outputs=test.outputs.get(name, {}))


def _answer(
    run: RunState, playbook: Playbook, test: PlaybookTest, context: Context
) -> Decision | None:
    """Let people answer the first step for which the test gives an outcome."""
    for name, state in run.steps.items():
        step = step_named(playbook, name)
        given = test.outcomes.get(name)
        if state.status is not StepStatus.waiting_human or state.ended or step is None:
            continue
        said = _said(given, wait_of(step), len(state.answers))
        if said is None or state.wait_kind == "indeterminate":
            continue
        word, item = said
        return answer(
            run,
            playbook,
            name,
            context,
            by=SOMEBODY,
            answer=word,
            item=item,
            inputs_digest=state.inputs_digest,
        )
    return None


def _said(given: Outcome | None, wait: Any, ticked: int) -> tuple[str, int] | None:
    if isinstance(wait, WaitChecklist) and given is Outcome.ok:
        return "ticked", ticked
    if isinstance(wait, WaitApproval) and given is Outcome.ok:
        return "approved", -1
    if isinstance(wait, WaitApproval) and given is Outcome.failed:
        return "refused", -1
    return None
