"""What a decision may read, which streams it locks, and how it writes down what it decides.

`Situation` is everything from outside the incident's own stream, as values. `Course` is the
pen: each fact goes into its stream and at once into the state, so that the next thought
already knows it. `streams_for` names what must be locked; the engine locks it in name order.
"""

from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from sentinel.errors import Outdated
from sentinel.incident import deliveries
from sentinel.incident.correlate import Group, fold_group
from sentinel.incident.deliveries import Receiving
from sentinel.incident.policy import Policy
from sentinel.incident.state import IncidentState, apply
from sentinel.oncall.escalation import Escalation
from sentinel.oncall.rotation import Override, Rotation
from sentinel.playbook.guard import GuardState, apply_guard
from sentinel.playbook.playbook import Playbook
from sentinel.timeline.facts import AnyFact, Fact, GuardFact

SENTINEL = "sentinel"
"""Who did it when nobody asked."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Work the core asks of the world: a row by key, or its end. `kind`: ``step``, ``delivery``."""

    key: str
    kind: str
    due_at: datetime
    incidents: tuple[str, ...]
    body: Mapping[str, Any] = field(default_factory=dict)


Health = Callable[[str, datetime], int]
"""(probe, since) -> how many checks in a row were good since that instant."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What a decision reads from outside. `pinned` are documents by digest, for runs and rounds
    that began under earlier ones. `titles` gives `incident.title` nothing but what is in facts."""

    now: datetime
    policy: Policy
    pinned: Mapping[str, Playbook | Escalation | Rotation] = field(default_factory=dict)
    overrides: Mapping[str, tuple[Override, ...]] = field(default_factory=dict)
    automation_on: bool = True
    groups: Mapping[str, Group] = field(default_factory=dict)
    people: Mapping[str, Receiving] = field(default_factory=dict)
    guards: Mapping[str, GuardState] = field(default_factory=dict)
    health: Health = lambda probe, since: 0
    others: Callable[[str, str], Mapping[str, datetime]] = lambda guard, playbook: {}
    """(guard, playbook) -> when the playbook's other guards last admitted a run."""
    paused_by: Callable[[Mapping[str, str]], str] = lambda labels: ""
    """Which maintenance pauses write steps on these labels; "" when none."""


class Course:
    """One decision under way: facts by stream in order, work wanted and done, all from one `now`."""

    def __init__(self, state: IncidentState, situation: Situation) -> None:
        self.state = state
        self.situation = situation
        self.now = situation.now
        self.facts: dict[str, list[Fact]] = {}
        self.wanted: dict[str, Wanted] = {}
        self.done: set[str] = set()
        self.people: MutableMapping[str, Receiving] = ChainMap(
            {},
            cast("MutableMapping[str, Receiving]", situation.people),  # only ever read
        )
        self.guards = dict(situation.guards)
        self.groups = dict(situation.groups)
        self.wakes: set[str] = set()
        """Other incidents that must be looked at at once."""

    def guard(self, name: str) -> GuardState:
        """A guard's state. Raises Outdated when its stream is not locked."""
        if name not in self.guards:
            raise Outdated(f"{name} is not locked", streams=(name,))
        return self.guards[name]

    def beside(self, state: IncidentState) -> "Course":
        """The same decision, about another incident: one transaction, one set of facts."""
        other = Course(state, self.situation)
        other.facts, other.wanted, other.done = self.facts, self.wanted, self.done
        other.people, other.guards, other.groups = self.people, self.guards, self.groups
        other.wakes = self.wakes
        return other

    def happened(self, what: AnyFact, **text: str) -> None:
        """It happened to the incident."""
        apply(self.state, what, self.now)
        self._append(self.state.stream(), what, text)

    def on_group(self, what: AnyFact) -> None:
        """It happened to the incident's group."""
        key = self.state.group
        self.groups[key] = fold_group(self.groups.get(key, Group()), what)
        self._append(f"group/{key}", what, {})

    def on_person(self, person: str, what: AnyFact) -> None:
        """It happened to what a person receives."""
        known = self.people.get(person, Receiving())
        self.people[person] = deliveries.fold_person(known, what, self.now)
        self._append(f"person/{person}", what, {})

    def on_guard(self, guard: str, what: AnyFact) -> None:
        """It happened to a guard."""
        self.guards[guard] = apply_guard(self.guard(guard), cast("GuardFact", what), self.now)
        self._append(guard, what, {})

    def take(self, facts: Iterable[Fact]) -> None:
        """Facts of the incident that another room decided."""
        for fact in facts:
            apply(self.state, fact.what, fact.occurred_at)
            self.facts.setdefault(self.state.stream(), []).append(fact)

    def want(self, wanted: Wanted) -> None:
        self.done.discard(wanted.key)
        self.wanted[wanted.key] = wanted

    def drop(self, key: str) -> None:
        self.wanted.pop(key, None)
        self.done.add(key)

    def _append(self, stream: str, what: AnyFact, text: Mapping[str, str]) -> None:
        kept = {name: value for name, value in text.items() if value}
        self.facts.setdefault(stream, []).append(Fact(what, self.now, kept))


def people_who_may_be_paged(policy: Policy, references: Iterable[str]) -> set[str]:
    """Everybody that references may ever mean, whoever is on call: what a decision locks."""
    found: set[str] = set()
    waiting = list(references)
    seen: set[str] = set()
    while waiting:
        reference = waiting.pop()
        if reference in seen:
            continue
        seen.add(reference)
        family, _, name = reference.partition("/")
        match family:
            case "person":
                found.add(name)
            case "team":
                found |= set(policy.teams.get(name, ()))
            case "rotation":
                found |= _members(policy, name.partition("+")[0], waiting)
            case "escalation":
                if escalation := policy.escalations.get(name):
                    waiting += [each for level in escalation.levels for each in level.page]
                    found |= _chats(escalation)
            case _:
                continue
    return found


def _chats(escalation: Escalation) -> set[str]:
    """The addresses that an escalation's levels tell, as `paging` names them."""
    return {
        f"chat/{escalation.id}/{number}/{place}"
        for number, level in enumerate(escalation.levels, start=1)
        for place in range(len(level.tell))
    }


def _members(policy: Policy, name: str, waiting: list[str]) -> set[str]:
    rotation = policy.rotations.get(name)
    if rotation is None:
        return set()
    waiting += rotation.on_gap
    members = {person for layer in rotation.layers for person in layer.people}
    return members | {each.with_ for each in rotation.overrides if each.with_}


def streams_for(
    policy: Policy,
    state: IncidentState,
    *,
    group: str,
    guards: Iterable[str] = (),
    references: Iterable[str] = (),
) -> list[str]:
    """What to lock for a decision about this incident, sorted. `references` are the escalations,
    rotations, teams and people that it may page."""
    people = people_who_may_be_paged(policy, references)
    people |= {page.person for page in state.paging.pages.values()}
    return sorted(
        {state.stream(), f"group/{group}", *guards, *(f"person/{person}" for person in people)}
    )
