"""Probes and check results in a line, for the tests of verdicts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from sentinel.monitor.probe import CheckResult, Confirm, Observation, Probe
from sentinel.monitor.verdict import VerdictState, fold
from sentinel.words import Outcome, Seconds

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LETTERS = {"o": Outcome.ok, "w": Outcome.warn, "f": Outcome.failed, "u": Outcome.unknown}


@dataclass(frozen=True, slots=True)
class Door:
    """A prober that exists only to have a host."""

    KIND: ClassVar[str] = "door"
    NAMES: ClassVar[Mapping[str, Any]] = {"status": "int", "body": "string", "json": "dyn"}
    at: str = "shop.acme.example"

    def host(self) -> str:
        return self.at


def a_probe(
    down: int = 2, down_of: int = 2, up: int = 2, *, host: str = "shop.acme.example", **keys: Any
) -> Probe:
    keys.setdefault("id", "acme-home")
    confirm = Confirm(down, down_of, up, keys.pop("recheck_s", Seconds(10.0)))
    return Probe(prober=Door(host), confirm=confirm, **keys)


def a_result(
    outcome: Outcome | str = Outcome.ok,
    *,
    slot: int = 0,
    probe: str = "acme-home",
    location: str = "local",
    reason: str | None = None,
    network: bool = False,
    **keys: Any,
) -> CheckResult:
    """The result of the check due `slot` minutes after noon."""
    outcome = LETTERS.get(outcome, outcome)  # type: ignore[call-overload, assignment]
    due_at = keys.pop("due_at", NOON + timedelta(minutes=slot))
    return CheckResult(
        probe=probe,
        location=location,
        due_at=due_at,
        started_at=keys.pop("started_at", due_at),
        duration_s=keys.pop("duration_s", 0.0),
        outcome=Outcome(outcome),
        reason=("" if outcome is Outcome.ok else "refused") if reason is None else reason,
        text=keys.pop("text", ""),
        network=network,
        judged=keys.pop("judged", ()),
        phases={},
        samples=(),
        **keys,
    )


def after(letters: str, probe: Probe | None = None, **keys: Any) -> VerdictState:
    """The verdict after results written as letters, a minute apart: ``"offo"``."""
    state = VerdictState()
    for slot, letter in enumerate(letters):
        result = a_result(LETTERS[letter], slot=slot, **keys)
        state, _ = fold(state, result, probe or a_probe())
    return state


def an_observation(**keys: Any) -> Observation:
    return Observation(**{"values": {}, "duration_s": 0.1, **keys})
