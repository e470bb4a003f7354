"""Playbooks in a line, and a hand that plays the outside world, for the tests of runs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from sentinel.expression import Expression, compile_expression
from sentinel.playbook.attempt import claim, claimable, outcome, recover
from sentinel.playbook.context import MATCH_NAMES, NAMES, Context
from sentinel.playbook.decision import Claimed, ClaimRefused, Decision, Found, Gate, StepResult
from sentinel.playbook.playbook import Playbook, Reference, Step
from sentinel.playbook.run import advance, answer, begin, cancel, queue
from sentinel.playbook.state import RunState, apply, queued_run
from sentinel.timeline.facts import Fact
from sentinel.words import Severity

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LABELS = {"service": "payments", "vendor": "acmepay", "client": "acme"}
OUTPUTS = {"json": "dyn", "stdout": "string"}


@dataclass(frozen=True, slots=True)
class Call:
    """An action that does nothing but be called, with one field."""

    KIND: ClassVar[str] = "call"
    OUTPUTS: ClassVar[Mapping[str, object]] = OUTPUTS
    WRITES: ClassVar[bool] = False
    with_: Any = ""


def cel(source: str) -> Expression:
    return compile_expression(source, NAMES)


def ref(source: str) -> Reference:
    return Reference(cel(source))


def step(id: str, does: Any = None, **keys: Any) -> Step:
    """A step; `when` and `key` as CEL, `outputs` as CEL by name."""
    if isinstance(keys.get("when"), str):
        keys["when"] = cel(keys["when"])
    keys["key"] = tuple(cel(part) for part in keys.get("key", ()))
    keys["outputs"] = {
        name: compile_expression(source, OUTPUTS, outside=frozenset(OUTPUTS))
        for name, source in keys.get("outputs", {}).items()
    }
    return Step(id, Call() if does is None else does, **keys)


def playbook(*steps: Step, **keys: Any) -> Playbook:
    when = compile_expression(keys.pop("when", "severity >= error"), MATCH_NAMES)
    keys.setdefault("id", "payment-vendor")
    keys.setdefault("digest", "d" * 64)
    return Playbook(when=when, steps=steps, **keys)


def done(**values: Any) -> StepResult:
    return StepResult("done", values={"json": values})


def failed(reason: str = "refused_by_vendor", **keys: Any) -> StepResult:
    return StepResult("failed", reason, **keys)


def unsure(reason: str = "timeout") -> StepResult:
    return StepResult("unsure", reason)


@dataclass
class Play:
    """One run and its world: a clock, people, probes. Every decision is also replayed from the
    facts alone, so no test can pass on state that the log does not hold."""

    playbook: Playbook
    now: datetime = NINE
    health: Callable[[str, datetime], int] = lambda probe, since: 0
    people: tuple[str, ...] = ("ana", "bo")
    incident: dict[str, Any] = field(default_factory=lambda: {"id": "abcd1234", "title": "t"})
    requested_by: str = ""
    gate: Gate = Gate()
    facts: list[Fact] = field(default_factory=list)
    escalated: list[str] = field(default_factory=list)
    wake_at: datetime | None = None
    epoch: int = 0
    run: RunState = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        queued = queue(
            "run1", self.playbook, opening=1, guard="guard/payment-vendor/-", labels=LABELS,
            severity=Severity.error, now=self.now, requested_by=self.requested_by,
        )  # fmt: skip
        self.facts.append(queued)
        self.run = queued_run(queued)
        self.take(begin(self.run, self.playbook, self.context))

    @property
    def context(self) -> Context:
        return Context(
            self.now, dict(self.incident), self.health, lambda _: self.people, self.people
        )

    def take(self, decision: Decision) -> Decision:
        self.facts.extend(decision.facts)
        self.escalated.extend(decision.escalate)
        self.run = decision.run
        self.wake_at = decision.wake_at
        assert self.run == replayed(self.facts)
        return decision

    def claim(self, name: str) -> Claimed | ClaimRefused:
        self.epoch += 1
        claimed = claim(
            self.run, self.playbook, name, self.context,
            gate=self.gate, node="n1", epoch=self.epoch,
        )  # fmt: skip
        self.take(claimed.decision)
        return claimed

    def claimed(self, name: str) -> Claimed:
        claimed = self.claim(name)
        assert isinstance(claimed, Claimed), claimed
        return claimed

    def report(self, name: str, result: StepResult, found: Found | None = None) -> Decision:
        state = self.run.step(name)
        return self.take(
            outcome(
                self.run, self.playbook, name, self.context,
                attempt=state.attempt, epoch=state.epoch, result=result, found=found,
            )
        )  # fmt: skip

    def do(self, name: str, result: StepResult | None = None) -> Decision:
        """Claim a step and report what came of it."""
        self.claimed(name)
        return self.report(name, result or done())

    def lose(self, name: str, found: Found | None = None) -> Decision:
        """The node of a running step went away."""
        return self.take(recover(self.run, self.playbook, name, self.context, found=found))

    def say(self, name: str, word: str, by: str = "ana", **keys: Any) -> Decision:
        keys.setdefault("inputs_digest", self.run.step(name).inputs_digest)
        return self.take(
            answer(self.run, self.playbook, name, self.context, by=by, answer=word, **keys)
        )

    def cancel(self, reason: str = "command", **keys: Any) -> Decision:
        return self.take(cancel(self.run, self.playbook, self.context, reason=reason, **keys))

    def later(self, **span: float) -> "Play":
        """Let time pass, and the run be looked at."""
        self.now += timedelta(**span)
        self.take(advance(self.run, self.playbook, self.context))
        return self

    def ready(self) -> list[str]:
        return [one.step for one in claimable(self.run)]

    def statuses(self) -> dict[str, str]:
        return {name: str(state.status) for name, state in self.run.steps.items()}

    def conclusions(self) -> dict[str, str]:
        return {name: state.conclusion for name, state in self.run.steps.items()}


def replayed(facts: Sequence[Fact]) -> RunState:
    """The run as the log alone tells it."""
    runs: Mapping[str, RunState] = {}
    for fact in facts:
        runs = apply(runs, fact.what, fact.occurred_at)  # type: ignore[arg-type]
    return runs["run1"]
