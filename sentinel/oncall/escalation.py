"""Who is paged first, and who next: the values, and how a level names people.

References inside a level: ``person/x``, ``rotation/x`` (everybody on call there now),
``rotation/x+1`` (the next person in turn of the winning layer not yet paged in this
round), ``team/x``. `resolve_level` says whom a level means now, and why it is empty when
it is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sentinel.oncall.person import Person
from sentinel.oncall.rotation import Override, Rotation
from sentinel.oncall.schedule import next_in_turn, people_at
from sentinel.words import Place, Seconds, Secret, Urgency


@dataclass(frozen=True, slots=True)
class Level:
    """`page` are references to people, `tell` plain Apprise addresses that are informed and never
    counted as having been paged."""

    page: tuple[str, ...]
    ack_within_s: Seconds = Seconds(300.0)
    tell: tuple[Secret, ...] = ()


@dataclass(frozen=True, slots=True)
class Escalation:
    """Levels in order; `repeat` passes in all, then the site's fallback until somebody acknowledges."""

    id: str
    levels: tuple[Level, ...]
    repeat: int = 1
    page_again_after_ack_s: Seconds = Seconds(0.0)
    """0: an acknowledgement holds until the incident changes."""
    place: Place = Place("", 0, 0)
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Fallback:
    """Paged every `every_s` once an escalation's passes are spent."""

    page: tuple[str, ...]
    every_s: Seconds = Seconds(900.0)


@dataclass(frozen=True, slots=True)
class Resolved:
    """Whom a level means now, in order; `reason` says why it is nobody: ``gap``, ``no_method``,
    ``all_paged``, ``unknown``. `because` is JSON-able: who was on call, by which layer and overrides."""

    people: tuple[str, ...]
    reason: str = ""
    because: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Roster:
    """What references are resolved against, at one instant. `paged` are those paged in this round."""

    at: datetime
    rotations: Mapping[str, Rotation]
    people: Mapping[str, Person]
    teams: Mapping[str, tuple[str, ...]]
    overrides: Mapping[str, tuple[Override, ...]]
    """Made at run time, by rotation."""
    paged: frozenset[str] = frozenset()
    escalations: Mapping[str, Escalation] = field(default_factory=dict)


def resolve_level(
    level: Level,
    *,
    at: datetime,
    rotations: Mapping[str, Rotation],
    people: Mapping[str, Person],
    teams: Mapping[str, tuple[str, ...]],
    urgency: Urgency,
    paged: frozenset[str] = frozenset(),
    overrides: Mapping[str, tuple[Override, ...]] | None = None,
    escalations: Mapping[str, Escalation] | None = None,
) -> Resolved:
    """Whom to page at a level, in declared order, each once.

    A gap pages the rotation's ``on_gap``; somebody whom no working method reaches is left out
    (`because` names them under ``no_method``); an empty level says why (rule 20). `because` has
    an entry a rotation: ``{"people", "layer", "overrides"}`` and, in a gap, ``on_gap``.
    """
    roster = Roster(at, rotations, people, teams, overrides or {}, paged, escalations or {})
    because: dict[str, Any] = {}
    found: dict[str, None] = {}
    reason = "unknown"
    for reference in level.page:
        named, why = _named(reference, roster, because)
        reason = why or reason
        found |= dict.fromkeys(named)
    reachable = tuple(person for person in found if _reachable(people, person, urgency))
    if len(reachable) < len(found):
        because["no_method"] = [person for person in found if person not in reachable]
    if found and not reachable:
        reason = "no_method"
    return Resolved(reachable, "" if reachable else reason, because)


def people_of(references: Iterable[str], roster: Roster) -> tuple[str, ...]:
    """Everybody that references mean at this instant, in order, each once; an escalation means its
    first level."""
    because: dict[str, Any] = {}
    found: dict[str, None] = {}
    for reference in references:
        found |= dict.fromkeys(_named(reference, roster, because)[0])
    return tuple(found)


def _named(
    reference: str, roster: Roster, because: dict[str, Any], *, in_gap: bool = False
) -> tuple[tuple[str, ...], str]:
    """The people of one reference, and why there are none."""
    family, _, name = reference.partition("/")
    match family:
        case "person":
            return ((name,), "") if name in roster.people else ((), "unknown")
        case "team":
            members = roster.teams.get(name, ())
            return members, "" if members else "unknown"
        case "rotation":
            return _of_rotation(name, roster, because, in_gap=in_gap)
        case "escalation" if name in roster.escalations:
            return _of_gap(roster.escalations[name].levels[0].page, roster, because), "gap"
        case _:
            return (), "unknown"


def _of_rotation(
    reference: str, roster: Roster, because: dict[str, Any], *, in_gap: bool
) -> tuple[tuple[str, ...], str]:
    name, _, places = reference.partition("+")
    rotation = roster.rotations.get(name)
    if rotation is None:
        return (), "unknown"
    extra = roster.overrides.get(name, ())
    found = people_at(rotation, roster.at, people=roster.people, extra_overrides=extra)
    told: dict[str, Any] = {
        "people": list(found.people),
        "layer": found.layer,
        "overrides": list(found.overrides),
    }
    because[f"rotation/{reference}"] = told
    if places:
        person = next_in_turn(
            rotation,
            roster.at,
            places=int(places),
            already=roster.paged,
            people=roster.people,
            extra_overrides=extra,
        )
        told["people"] = [person] if person else []
        return ((person,), "") if person else ((), "all_paged" if found.layer else "gap")
    if found.people:
        return found.people, ""
    if in_gap:
        return (), "gap"  # one gap may lead to another rotation, never in a circle
    stand_ins = _of_gap(rotation.on_gap, roster, because)
    told["on_gap"] = list(stand_ins)
    return stand_ins, "gap"


def _of_gap(references: Iterable[str], roster: Roster, because: dict[str, Any]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for reference in references:
        found |= dict.fromkeys(_named(reference, roster, because, in_gap=True)[0])
    return tuple(found)


def _reachable(people: Mapping[str, Person], person: str, urgency: Urgency) -> bool:
    declared = people.get(person)
    return declared is not None and any(
        step.via in declared.methods for step in declared.steps(urgency)
    )
