"""Layers of people in turn: the values, as declared.

Who is on call at an instant is pure mathematics over these (``oncall.schedule``); nothing
about it is stored.
"""

from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum

from sentinel.words import Place


class TurnUnit(StrEnum):
    """What a turn's length counts: wall-clock hours, days, weeks, or calendar months."""

    hour = "hour"
    day = "day"
    week = "week"
    month = "month"


@dataclass(frozen=True, slots=True)
class Turn:
    """How long one person's turn is: ``1w``, ``12h``, ``1mo``. `active_days` counts only days on
    which the layer is active (``turns: active-days``)."""

    count: int = 1
    unit: TurnUnit = TurnUnit.week
    active_days: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """A restriction: on `days` (0 = Monday; the day names the window's first day) from `from_`
    to `to`, local. `to` ≤ `from_` ends on the next day."""

    days: frozenset[int]
    from_: time
    to: time


@dataclass(frozen=True, slots=True)
class Layer:
    """People in turn. `anchor` is the naive wall clock of handoff 0 in `timezone`; `valid_from` and
    `valid_to` are naive wall clocks too, half-open, None for no bound."""

    id: str
    people: tuple[str, ...]
    timezone: str
    anchor: datetime
    turn: Turn = Turn()
    rank: int = 0
    only: tuple[Window, ...] = ()
    valid_from: datetime | None = None
    valid_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Override:
    """A change for a span of UTC, half-open. `replace` and `with_` swap one person for another
    while they are on call; only `with_` adds, only `replace` removes. Not transitive; of two,
    the last created wins (`order` ascending). The `id` of one that a document declares is its place
    there, ``ROTATION/INDEX``; only one made at run time has `by`, who made it."""

    from_at: datetime
    to_at: datetime
    replace: str = ""
    with_: str = ""
    reason: str = ""
    order: int = 0
    id: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Rotation:
    """Layers, overrides, and who is paged in a gap (``person/x`` or ``escalation/x``)."""

    id: str
    timezone: str
    layers: tuple[Layer, ...]
    overrides: tuple[Override, ...] = ()
    on_gap: tuple[str, ...] = ()
    place: Place = Place("", 0, 0)
    digest: str = ""
