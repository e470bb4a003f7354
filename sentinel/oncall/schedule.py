"""Who is on call: layers, ranks, people away and overrides folded into final shifts (rules 26, 27).

At any instant the active layers of the highest rank are on call together, in declared order.
Somebody away takes no turn: their layer then has nobody, so that a lower rank shows, or the
gap is somebody's by ``on_gap``; nobody is moved into a turn that they did not know of. Overrides
come last: each replaces a person who is on call, adds one or removes one; they are not
transitive, and of two for the same person the last created wins. An override asks nobody's
leave: who stands in or is added is on call even when away.

For ``rotation/x+1`` somebody whom an override replaces now is passed over for their stand-in.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sentinel.localtime import local_date, resolve, wall
from sentinel.oncall.person import Person
from sentinel.oncall.rotation import Layer, Override, Rotation
from sentinel.oncall.turns import handoff, is_active, position_at, turn_at, window_edges

LONGEST = timedelta(days=800)
"""The longest span of shifts computed at once."""
LOOK_AHEAD = timedelta(days=62)
"""How far `on_call` looks for the end of the present shift."""


NEARBY = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class OnCall:
    """Who is on call at an instant: people in order, the winning layer's id ("" in a gap), how long
    (None: beyond the look ahead), and the overrides that had a say."""

    people: tuple[str, ...]
    layer: str
    until: datetime | None
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shift:
    """A span, half-open and UTC, with the same people throughout; a gap has none."""

    start: datetime
    end: datetime
    people: tuple[str, ...]
    layer: str


@dataclass(frozen=True, slots=True)
class _Now:
    people: tuple[str, ...]
    layer: Layer | None
    overrides: tuple[str, ...]


def on_call(
    rotation: Rotation,
    at: datetime,
    *,
    people: Mapping[str, Person] | None = None,
    extra_overrides: Iterable[Override] = (),
) -> OnCall:
    """Who is on call at `at`. `people` tells who is away; `extra_overrides` are made at run time."""
    overrides = _ordered(rotation, extra_overrides)
    found = _now(rotation, at, people or {}, overrides)
    layer = found.layer.id if found.layer else ""
    until = _end_of(found.people, rotation, at, people or {}, overrides)
    return OnCall(found.people, layer, until, found.overrides)


def _end_of(
    present: tuple[str, ...],
    rotation: Rotation,
    at: datetime,
    people: Mapping[str, Person],
    overrides: tuple[Override, ...],
) -> datetime | None:
    """The first instant with other people, looked for nearby first: most shifts end within days."""
    begin = at
    for ahead in (NEARBY, LOOK_AHEAD):
        for edge in _edges(rotation, begin, at + ahead, people, overrides):
            if _now(rotation, edge, people, overrides).people != present:
                return edge
        begin = at + ahead
    return None


def people_at(
    rotation: Rotation,
    at: datetime,
    *,
    people: Mapping[str, Person],
    extra_overrides: Iterable[Override] = (),
) -> OnCall:
    """As `on_call` but without looking for the shift's end, which takes longer."""
    found = _now(rotation, at, people, _ordered(rotation, extra_overrides))
    return OnCall(found.people, found.layer.id if found.layer else "", None, found.overrides)


def shifts(
    rotation: Rotation,
    from_at: datetime,
    to_at: datetime,
    *,
    people: Mapping[str, Person] | None = None,
    extra_overrides: Iterable[Override] = (),
) -> tuple[Shift, ...]:
    """The final shifts between two instants, gaps included, touching and in order.

    Raises ValueError for a span longer than 800 days.
    """
    if to_at - from_at > LONGEST:
        raise ValueError(f"at most {LONGEST.days} days of shifts at once")
    overrides = _ordered(rotation, extra_overrides)
    edges = _edges(rotation, from_at, to_at, people or {}, overrides)
    found: list[Shift] = []
    for start, end in zip(edges, [*edges[1:], to_at], strict=True):
        now = _now(rotation, start, people or {}, overrides)
        layer = now.layer.id if now.layer else ""
        if found and found[-1].people == now.people and found[-1].layer == layer:
            found[-1] = Shift(found[-1].start, end, now.people, layer)
        elif start < end:
            found.append(Shift(start, end, now.people, layer))
    return tuple(found)


def next_in_turn(
    rotation: Rotation,
    at: datetime,
    *,
    places: int,
    already: frozenset[str],
    people: Mapping[str, Person],
    extra_overrides: Iterable[Override] = (),
) -> str:
    """``rotation/x+N``: from N places after whose turn it is in the winning layer, the first person
    who is neither on call, nor paged already, nor away; "" when there is none."""
    overrides = _ordered(rotation, extra_overrides)
    found = _now(rotation, at, people, overrides)
    if found.layer is None:
        return ""
    present = [each for each in overrides if each.from_at <= at < each.to_at and each.replace]
    order = found.layer.people
    first = position_at(found.layer, at) + places
    for step in range(len(order)):
        person = order[(first + step) % len(order)]
        swap = _last_for(person, present)
        if swap is None and _away(people, person, at):
            continue
        stands = swap.with_ if swap else person
        if stands and stands not in already and stands not in found.people:
            return stands
    return ""


def _ordered(rotation: Rotation, extra: Iterable[Override]) -> tuple[Override, ...]:
    return tuple(sorted((*rotation.overrides, *extra), key=lambda override: override.order))


def _now(
    rotation: Rotation,
    at: datetime,
    people: Mapping[str, Person],
    overrides: Iterable[Override],
) -> _Now:
    standing: dict[int, list[tuple[Layer, str]]] = {}
    for layer in rotation.layers:
        if layer.people and is_active(layer, at):
            person = layer.people[position_at(layer, at)]
            if not _away(people, person, at):
                standing.setdefault(layer.rank, []).append((layer, person))
    if not standing:
        base: tuple[str, ...] = ()
        winner: Layer | None = None
    else:
        top = standing[max(standing)]
        winner = top[0][0]
        base = tuple(dict.fromkeys(person for _, person in top))
    final, used = _overridden(base, [each for each in overrides if each.from_at <= at < each.to_at])
    return _Now(final, winner, used)


def _overridden(
    base: tuple[str, ...], overrides: list[Override]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The people after overrides, and which overrides had a say."""
    used: dict[str, None] = {}
    final: dict[str, None] = {}
    for person in base:
        last = _last_for(person, overrides)
        if last is None:
            final[person] = None
            continue
        used[last.id or last.reason] = None
        if last.with_:
            final[last.with_] = None
    for override in overrides:
        if not override.replace and override.with_:
            used[override.id or override.reason] = None
            final[override.with_] = None
    return tuple(final), tuple(used)


def _last_for(person: str, overrides: list[Override]) -> Override | None:
    return next((each for each in reversed(overrides) if each.replace == person), None)


def _away(people: Mapping[str, Person], person: str, at: datetime) -> bool:
    declared = people.get(person)
    if declared is None or not declared.away:
        return False
    today = local_date(at, declared.timezone)
    return any(away.from_on <= today <= away.to_on for away in declared.away)


def _edges(
    rotation: Rotation,
    from_at: datetime,
    to_at: datetime,
    people: Mapping[str, Person],
    overrides: Iterable[Override],
) -> list[datetime]:
    """Every instant at which who is on call may change, the start included, sorted."""
    found: set[datetime] = set()
    for layer in rotation.layers:
        if layer.people:
            found |= _layer_edges(layer, from_at, to_at)
        for person in layer.people:
            found |= _away_edges(people.get(person))
    for override in overrides:
        found |= {override.from_at, override.to_at}
    return [from_at, *sorted(edge for edge in found if from_at < edge < to_at)]


def _layer_edges(layer: Layer, from_at: datetime, to_at: datetime) -> set[datetime]:
    found: set[datetime] = set()
    for bound in (layer.valid_from, layer.valid_to):
        if bound is not None:
            found.add(resolve(bound, layer.timezone))
    if layer.turn.active_days:
        found |= _daily_edges(layer, from_at, to_at)
    else:
        number = turn_at(layer, from_at)
        at = handoff(layer, number)
        while at < to_at:
            found.add(at)
            number += 1
            at = handoff(layer, number)
    day = wall(from_at, layer.timezone).replace(
        hour=0, minute=0, second=0, microsecond=0, tzinfo=None
    )
    day -= timedelta(days=1)
    last = wall(to_at, layer.timezone).replace(tzinfo=None)
    while layer.only and day <= last:
        for window in layer.only:
            if day.weekday() in window.days:
                found |= set(window_edges(layer, window, day))
        day += timedelta(days=1)
    return found


def _daily_edges(layer: Layer, from_at: datetime, to_at: datetime) -> set[datetime]:
    """The anchor's time of day on every day: where a turn of active days may end."""
    day = wall(from_at, layer.timezone).replace(tzinfo=None)
    found = set()
    for _ in range((to_at - from_at).days + 3):
        found.add(resolve(datetime.combine(day, layer.anchor.time()), layer.timezone))
        day += timedelta(days=1)
    return found


def _away_edges(person: Person | None) -> set[datetime]:
    if person is None:
        return set()
    found = set()
    for away in person.away:
        for day in (away.from_on, away.to_on + timedelta(days=1)):
            midnight = datetime.combine(day, datetime.min.time())
            found.add(resolve(midnight, person.timezone))
    return found
