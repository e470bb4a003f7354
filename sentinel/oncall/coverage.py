"""What will go wrong on call, before it does: gaps, levels that page nobody, people out of reach.

Rule 20 lets a page fall through such holes at once; here they are findings, with the span in
which they would happen. `diff` says which shifts a change of documents moves (rule 28).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

from sentinel.oncall.escalation import Escalation, Resolved, resolve_level
from sentinel.oncall.person import Person
from sentinel.oncall.rotation import Override, Rotation
from sentinel.oncall.schedule import Shift, shifts
from sentinel.words import Span, Urgency


class Hole(StrEnum):
    """What kind of hole a finding is about."""

    gap = "gap"
    """Nobody is on call, and ``on_gap`` names nobody."""
    empty_level = "empty_level"
    no_method = "no_method"


@dataclass(frozen=True, slots=True)
class Finding:
    """One hole. `about` is a reference (``rotation/x``, ``escalation/x``, ``person/x``); `level`
    counts from 1, 0 where there is none; `span` is the first time it happens, None for always;
    `sentence` is for people, in UTC."""

    hole: Hole
    about: str
    sentence: str
    level: int = 0
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A span in which somebody else is on call than before."""

    start: datetime
    end: datetime
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Roll:
    """Everything that is declared about who answers. `overrides` are those made at run time."""

    rotations: Mapping[str, Rotation]
    escalations: Mapping[str, Escalation]
    people: Mapping[str, Person]
    teams: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    overrides: Mapping[str, tuple[Override, ...]] = field(default_factory=dict)

    def shifts(self, rotation: str, from_at: datetime, to_at: datetime) -> tuple[Shift, ...]:
        """The final shifts of a rotation, by id."""
        return shifts(
            self.rotations[rotation],
            from_at,
            to_at,
            people=self.people,
            extra_overrides=self.overrides.get(rotation, ()),
        )


def gaps(found: Iterable[Shift]) -> tuple[Span, ...]:
    """When nobody is on call, touching spans joined."""
    spans: list[Span] = []
    for shift in found:
        if shift.people:
            continue
        if spans and spans[-1].to_at == shift.start:
            spans[-1] = Span(spans[-1].from_at, shift.end)
        else:
            spans.append(Span(shift.start, shift.end))
    return tuple(spans)


def covered_ratio(found: Iterable[Shift]) -> float:
    """The share of the time with somebody on call, 0 to 1; 0 of no time at all."""
    whole = covered = 0.0
    for shift in found:
        length = (shift.end - shift.start).total_seconds()
        whole += length
        covered += length if shift.people else 0.0
    return covered / whole if whole > 0 else 0.0


def findings(roll: Roll, from_at: datetime, to_at: datetime) -> tuple[Finding, ...]:
    """Every hole between two instants: rotations, then escalations, then people, each by id.

    Raises ValueError for a span longer than 800 days.
    """
    return (*_gaps(roll, from_at, to_at), *_levels(roll, from_at, to_at), *_unreachable(roll))


def _gaps(roll: Roll, from_at: datetime, to_at: datetime) -> Iterable[Finding]:
    for name in sorted(roll.rotations):
        if roll.rotations[name].on_gap:
            continue  # somebody is paged all the same
        spans = gaps(roll.shifts(name, from_at, to_at))
        if spans:
            seconds = sum((span.to_at - span.from_at).total_seconds() for span in spans)
            yield Finding(
                Hole.gap,
                f"rotation/{name}",
                f"nobody is on call for {seconds / 3600:g} h, first {_shown(spans[0])};"
                " close the gap, or say with `on_gap:` who is paged",
                span=spans[0],
            )


def _levels(roll: Roll, from_at: datetime, to_at: datetime) -> Iterable[Finding]:
    for name in sorted(roll.escalations):
        escalation = roll.escalations[name]
        edges = _edges(roll, escalation, from_at, to_at)
        empty: dict[int, tuple[Span, str]] = {}
        always = set(range(1, len(escalation.levels) + 1))
        for start, end in pairwise(edges):
            for number, resolved in _one_pass(roll, escalation, start):
                if resolved.people:
                    always.discard(number)
                    continue
                first, why = empty.get(number, (Span(start, end), resolved.reason))
                joined = Span(first.from_at, end) if first.to_at == start else first
                empty[number] = (joined, why)
        for number, (span, why) in sorted(empty.items()):
            when = "ever" if number in always else _shown(span)
            yield Finding(
                Hole.empty_level,
                f"escalation/{name}",
                f"level {number} pages nobody {when}: {_WHY[why]}",
                level=number,
                span=None if number in always else span,
            )


_WHY = {
    "gap": "nobody is on call then",
    "no_method": "no contact method reaches whom it names",
    "all_paged": "whoever is next in turn was paged before",
    "unknown": "what it names is not declared",
}


def _edges(
    roll: Roll, escalation: Escalation, from_at: datetime, to_at: datetime
) -> list[datetime]:
    """Every instant at which one of its levels may come to mean somebody else."""
    names = {
        reference.removeprefix("rotation/").partition("+")[0]
        for level in escalation.levels
        for reference in level.page
        if reference.startswith("rotation/")
    }
    starts = {
        shift.start
        for name in names & roll.rotations.keys()
        for shift in roll.shifts(name, from_at, to_at)
    }
    return sorted({from_at, to_at, *starts})


def _one_pass(roll: Roll, escalation: Escalation, at: datetime) -> Iterable[tuple[int, Resolved]]:
    """What each level means at an instant when nobody acknowledges."""
    paged: frozenset[str] = frozenset()
    for number, level in enumerate(escalation.levels, start=1):
        resolved = resolve_level(
            level,
            at=at,
            rotations=roll.rotations,
            people=roll.people,
            teams=roll.teams,
            urgency=Urgency.high,
            paged=paged,
            overrides=roll.overrides,
            escalations=roll.escalations,
        )
        paged |= frozenset(resolved.people)
        yield number, resolved


def _unreachable(roll: Roll) -> Iterable[Finding]:
    for name in sorted(roll.people):
        person = roll.people[name]
        without = [
            urgency
            for urgency in Urgency
            if not any(step.via in person.methods for step in person.steps(urgency))
        ]
        if without:
            which = " and ".join(urgency.value for urgency in without)
            yield Finding(
                Hole.no_method,
                f"person/{name}",
                f"nothing reaches {person.name or name} at {which} urgency: give them `methods:`",
            )


def diff(
    before: Roll, after: Roll, rotation: str, from_at: datetime, to_at: datetime
) -> tuple[Change, ...]:
    """Where the people on call differ between two states of the documents, in order; a rotation
    that is not there has nobody."""
    old = before.shifts(rotation, from_at, to_at) if rotation in before.rotations else ()
    new = after.shifts(rotation, from_at, to_at) if rotation in after.rotations else ()
    edges = sorted({from_at, to_at, *(shift.start for shift in (*old, *new))})
    found: list[Change] = []
    for start, end in pairwise(edges):
        was, is_now = _people(old, start), _people(new, start)
        if was == is_now:
            continue
        last = found[-1] if found else None
        if last and (last.end, last.before, last.after) == (start, was, is_now):
            found[-1] = Change(last.start, end, was, is_now)
        else:
            found.append(Change(start, end, was, is_now))
    return tuple(found)


def _people(found: tuple[Shift, ...], at: datetime) -> tuple[str, ...]:
    return next((shift.people for shift in found if shift.start <= at < shift.end), ())


def _shown(span: Span) -> str:
    return f"from {span.from_at:%Y-%m-%d %H:%M} to {span.to_at:%Y-%m-%d %H:%M} UTC"
