"""Overrides that people make at run time: what may be asked, and whose turn it changes.

The past is not rewritten: what begins earlier begins now, what is over already is refused. An
override that would change nothing is refused too, since who asks for one counts on it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sentinel.oncall.person import Person
from sentinel.oncall.rotation import Override, Rotation
from sentinel.oncall.schedule import people_at, shifts

LONGEST = timedelta(days=366)
"""The longest span of one override."""
MOST = 500
"""Overrides of one rotation that are not over yet."""
AFTER_DECLARED = 1_000_000
"""Overrides made at run time count from here: after every declared one, for the last created wins."""


@dataclass(frozen=True, slots=True)
class Wish:
    """An override asked for: from `from_at` (None: now) until `to_at`, in UTC. `replace` and `with_` as
    in `Override`."""

    from_at: datetime | None
    to_at: datetime
    replace: str = ""
    with_: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class NoOverride:
    """Why not. `reason`: ``nobody_named``, ``same_person``, ``unknown_person``, ``backwards``, ``past``,
    ``too_long``, ``no_turn``, ``too_many``, ``unknown_rotation``, ``unknown_override``."""

    reason: str
    text: str


def wanted(
    wish: Wish,
    rotation: Rotation,
    *,
    id: str,
    by: str,
    people: Mapping[str, Person],
    present: Iterable[Override],
    now: datetime,
) -> Override | NoOverride:
    """The override that a wish comes to, or why there is none. `present` are those made at run time so
    far; its place among them is the last."""
    known = list(present)
    asked = Override(
        max(wish.from_at or now, now),
        wish.to_at,
        wish.replace,
        wish.with_,
        wish.reason,
        order=1 + max((each.order for each in known), default=AFTER_DECLARED),
        id=id,
        by=by,
    )
    if sum(each.to_at > now for each in known) >= MOST:
        return NoOverride("too_many", f"{rotation.id} has {MOST} overrides to come; end some")
    refused = _unnamed(wish, people) or _out_of_time(wish, asked, now)
    if refused is not None:
        return refused
    if wish.replace and not _has_a_turn(wish.replace, rotation, asked, people):
        text = f"{wish.replace} has no turn in {rotation.id} in this span; an override is ended by its id"
        return NoOverride("no_turn", text)
    return asked


def _unnamed(wish: Wish, people: Mapping[str, Person]) -> NoOverride | None:
    named = [person for person in (wish.replace, wish.with_) if person]
    if not named:
        return NoOverride("nobody_named", "say whom to replace and with whom, or add, or remove")
    if wish.replace == wish.with_:
        return NoOverride("same_person", f"{wish.with_} cannot stand in for {wish.replace}")
    for person in named:
        if person not in people:
            return NoOverride("unknown_person", f"there is no person {person}")
    return None


def _out_of_time(wish: Wish, asked: Override, now: datetime) -> NoOverride | None:
    if wish.from_at is not None and wish.to_at <= wish.from_at:
        return NoOverride("backwards", "an override ends after it begins")
    if wish.to_at <= now:
        return NoOverride("past", "this span is over; who was on call then is not changed")
    if asked.to_at - asked.from_at > LONGEST:
        return NoOverride("too_long", f"an override lasts at most {LONGEST.days} days")
    return None


def _has_a_turn(
    person: str, rotation: Rotation, asked: Override, people: Mapping[str, Person]
) -> bool:
    """Whether a layer gives the person a turn in the span: only that can be replaced, since overrides
    are not transitive."""
    layers = replace(rotation, overrides=())
    turns = shifts(layers, asked.from_at, asked.to_at, people=people)
    return any(person in shift.people for shift in turns)


def turns_changed(
    rotation: Rotation,
    before: Iterable[Override],
    after: Iterable[Override],
    *,
    people: Mapping[str, Person],
    now: datetime,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Who is on call at this instant by the overrides of `before`, and by those of `after`."""
    old = people_at(rotation, now, people=people, extra_overrides=before).people
    new = people_at(rotation, now, people=people, extra_overrides=after).people
    return old, new


def ended(overrides: Iterable[Override], id: str, at: datetime) -> tuple[Override, ...]:
    """The overrides once this one was ended: what it changed before `at` stays as it was."""
    found = []
    for each in overrides:
        if each.id != id or each.to_at <= at:
            found.append(each)
        elif each.from_at < at:
            found.append(replace(each, to_at=at))
    return tuple(found)
