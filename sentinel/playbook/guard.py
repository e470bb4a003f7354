"""Bounds on what runs may do to the world: a fold over ``guard/PLAYBOOK/VALUES``.

One stream for each set of key values, so that what was done is remembered over restarts
and by every node. `admit` is asked in the transaction that would start the run; the order
of its reasons is the order in which a person would ask: is automation on, is the circuit
closed, is there a place, is it too soon, was it too often, are too many things touched.

At most `at_once` runs hold a place and at most one waits for one: a newer run that waits
replaces the older, which must then be refused (``replaced``). A limit that is hit is told
to a person; it never drops silently.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, assert_never

from sentinel.errors import ExpressionFailed
from sentinel.playbook.context import encoded, plain, shortened
from sentinel.playbook.playbook import Limits, Playbook
from sentinel.timeline.facts import Fact, GuardFact
from sentinel.timeline.site_facts import (
    CircuitClosed,
    CircuitOpened,
    GuardAdmitted,
    GuardQueued,
    GuardReleased,
)

KEPT_ADMISSIONS = 1000
"""How many past admissions the fold remembers; ``limits.runs`` may not be more."""


@dataclass(frozen=True, slots=True)
class GuardState:
    """Where a guard stands. `running` are the runs that hold a place and their incidents, oldest
    first; `admitted` when runs were let in, oldest first; `failures` failed remediations in a row."""

    running: Mapping[str, str] = field(default_factory=dict)
    waiting: tuple[str, str] | None = None
    """(run, incident)."""
    admitted: tuple[datetime, ...] = ()
    released_at: datetime | None = None
    failures: int = 0
    circuit_open: bool = False


@dataclass(frozen=True, slots=True)
class Admitted:
    """The run has a place. `facts` are for the guard's stream."""

    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Queued:
    """It waits for a place. `replaced` is the (run, incident) whose wait it took over, which must
    be refused as ``replaced``; None: nobody's. No facts when it waits already."""

    facts: tuple[Fact, ...]
    replaced: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class GuardRefusal:
    """A limit forbids it. `reason` as in `RunRefused`; `facts` take it out of the wait, if it
    waited."""

    reason: str
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class Released:
    """The place is free again. `next` is the (run, incident) that waits for it: wake that
    incident."""

    facts: tuple[Fact, ...]
    next: tuple[str, str] | None = None
    opened: bool = False
    """The circuit opened: a person must be told, and only a person closes it."""


def guard_key(playbook: Playbook, bound: Mapping[str, Any]) -> str:
    """The guard's stream, ``guard/PLAYBOOK/VALUES``, with ``-`` where the key is empty.

    A value that cannot be evaluated counts as one and the same unknown value (``!``): runs
    about who knows what share their bounds, they never escape them.
    """
    values: list[str] = []
    for part in playbook.limits.key:
        try:
            values.append(encoded(plain(part.evaluate(bound))))
        except ExpressionFailed:
            values.append("!")
    return f"guard/{playbook.id}/{shortened('/'.join(values)) if values else '-'}"


def apply_guard(guard: GuardState, fact: GuardFact, at: datetime) -> GuardState:
    """The guard after one more fact, which occurred `at`."""
    match fact:
        case GuardAdmitted():
            return replace(
                guard,
                running={**guard.running, fact.run: fact.incident},
                waiting=_unless(guard.waiting, fact.run),
                admitted=(*guard.admitted, at)[-KEPT_ADMISSIONS:],
            )
        case GuardQueued():
            return replace(guard, waiting=(fact.run, fact.incident))
        case GuardReleased():
            return _released(guard, fact, at)
        case CircuitOpened():
            return replace(guard, circuit_open=True)
        case CircuitClosed():
            return replace(guard, circuit_open=False, failures=0)
        case _:
            assert_never(fact)


def _unless(waiting: tuple[str, str] | None, run: str) -> tuple[str, str] | None:
    return None if waiting is not None and waiting[0] == run else waiting


def _released(guard: GuardState, fact: GuardReleased, at: datetime) -> GuardState:
    if fact.run not in guard.running:
        return replace(guard, waiting=_unless(guard.waiting, fact.run))
    failures = guard.failures
    if fact.remedied is not None:
        failures = 0 if fact.remedied else guard.failures + 1
    running = {run: incident for run, incident in guard.running.items() if run != fact.run}
    return replace(guard, running=running, released_at=at, failures=failures)


def admit(
    guard: GuardState,
    limits: Limits,
    *,
    run: str,
    incident: str,
    others: Mapping[str, datetime],
    automation_on: bool,
    now: datetime,
) -> Admitted | Queued | GuardRefusal:
    """May this run start? Asked when it is queued and again each time a place is free.

    `others` says when the playbook's *other* guards last admitted a run, by stream; for
    ``targets``. A run that holds a place already is admitted without a fact.
    """
    if run in guard.running:
        return Admitted(())
    reason = _forbidden(guard, limits, others=others, automation_on=automation_on, now=now)
    if not reason and len(guard.running) < limits.at_once:
        return Admitted((Fact(GuardAdmitted(run, incident), now),))
    waits = limits.then == "queue" and reason in ("", "cooldown") and bool(guard.running)
    if waits:
        return _wait(guard, run, incident, now)
    gone = (Fact(GuardReleased(run), now),) if _waits(guard, run) else ()
    return GuardRefusal(reason or "at_once", gone)


def _waits(guard: GuardState, run: str) -> bool:
    return guard.waiting is not None and guard.waiting[0] == run


def _wait(guard: GuardState, run: str, incident: str, now: datetime) -> Queued:
    if _waits(guard, run):
        return Queued(())
    return Queued((Fact(GuardQueued(run, incident), now),), guard.waiting)


def _forbidden(
    guard: GuardState,
    limits: Limits,
    *,
    others: Mapping[str, datetime],
    automation_on: bool,
    now: datetime,
) -> str:
    if not automation_on:
        return "automation_off"
    if guard.circuit_open:
        return "circuit"
    cooldown = timedelta(seconds=limits.cooldown_s)
    if guard.released_at is not None and now < guard.released_at + cooldown:
        return "cooldown"
    since = now - timedelta(seconds=limits.runs_in_s)
    if limits.runs and sum(at > since for at in guard.admitted) >= limits.runs:
        return "runs"
    if limits.targets and 1 + sum(at > since for at in others.values()) > limits.targets:
        return "targets"
    return ""


def release(
    guard: GuardState, limits: Limits, *, run: str, remedied: bool | None, now: datetime
) -> Released:
    """A run ended, or was refused while it waited: it gives back what it holds. As many failed
    remediations in a row as ``limits.failures`` open the circuit (0: never)."""
    if run not in guard.running and not _waits(guard, run):
        return Released((), guard.waiting)
    held = run in guard.running
    fact = GuardReleased(run, remedied if held else None)
    facts = [Fact(fact, now)]
    after = apply_guard(guard, fact, now)
    opened = bool(limits.failures) and after.failures >= limits.failures
    if held and opened and not guard.circuit_open:
        facts.append(Fact(CircuitOpened(run), now))
        return Released(tuple(facts), after.waiting, opened=True)
    return Released(tuple(facts), after.waiting)


def close_circuit(guard: GuardState, *, by: str, now: datetime) -> tuple[Fact, ...]:
    """A person allows it again; nothing when the circuit is closed."""
    return (Fact(CircuitClosed(by), now),) if guard.circuit_open else ()


def last_admitted(guard: GuardState) -> datetime | None:
    """When the guard last let a run in; what `admit` wants to know of the others."""
    return guard.admitted[-1] if guard.admitted else None
