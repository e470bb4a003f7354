"""Whose turn a layer says it is: pure mathematics over wall clocks (rule 26).

Handoff *i* is the wall clock of the layer's anchor plus *i* turns, in the layer's time zone,
resolved to its first occurrence, or to the first instant after a gap. It extends both ways
from the anchor. Turns are half-open. Month ends clamp from the anchor: 31 January, 28
February, 31 March. A turn of hours that a gap makes zero-length consumes nobody, so the
order of people is the order in which anybody is really on call.
"""

import calendar
from bisect import bisect_right
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from sentinel.localtime import resolve, wall
from sentinel.oncall.rotation import Layer, Turn, TurnUnit, Window

_SPANS = {
    TurnUnit.hour: timedelta(hours=1),
    TurnUnit.day: timedelta(days=1),
    TurnUnit.week: timedelta(weeks=1),
}


_FIRST_YEAR = 1900
"""Before it places kept the sun's time, and nobody's turn is that old."""


def handoff_wall(layer: Layer, number: int) -> datetime:
    """The naive wall clock of handoff `number`, which may be negative."""
    turn = layer.turn
    if turn.unit is TurnUnit.month:
        return _add_months(layer.anchor, number * turn.count)
    return layer.anchor + number * turn.count * _SPANS[turn.unit]


def handoff(layer: Layer, number: int) -> datetime:
    """The instant of handoff `number`, aware UTC."""
    return resolve(handoff_wall(layer, number), layer.timezone)


def _add_months(start: datetime, months: int) -> datetime:
    count = start.year * 12 + start.month - 1 + months
    year, month = divmod(count, 12)
    day = min(start.day, calendar.monthrange(year, month + 1)[1])
    return start.replace(year=year, month=month + 1, day=day)


def turn_at(layer: Layer, at: datetime) -> int:
    """The number i with handoff i ≤ at < handoff i+1; of several, the last."""
    number = _estimate(layer, at)
    for _ in range(100):
        if handoff(layer, number) > at:
            number -= 1
        elif handoff(layer, number + 1) <= at:
            number += 1
        else:
            return number
    raise AssertionError("the estimate of a turn is never off by a hundred")


def _estimate(layer: Layer, at: datetime) -> int:
    local = wall(at, layer.timezone).replace(tzinfo=None)
    turn = layer.turn
    if turn.unit is TurnUnit.month:
        months = (local.year - layer.anchor.year) * 12 + local.month - layer.anchor.month
        return months // turn.count
    return (local - layer.anchor) // (turn.count * _SPANS[turn.unit])


def position_at(layer: Layer, at: datetime) -> int:
    """The index in `layer.people` of whose turn it is."""
    if layer.turn.active_days:
        number = _active_turn(layer, at)
    else:
        number = turn_at(layer, at)
        if layer.turn.unit is TurnUnit.hour:
            number -= _skipped(layer, number)
    return number % len(layer.people)


def is_active(layer: Layer, at: datetime) -> bool:
    """Whether the layer has anybody at all at this instant: valid, and within a window if it has any."""
    if layer.valid_from is not None and at < resolve(layer.valid_from, layer.timezone):
        return False
    if layer.valid_to is not None and at >= resolve(layer.valid_to, layer.timezone):
        return False
    return not layer.only or any(_in_window(layer, window, at) for window in layer.only)


def _in_window(layer: Layer, window: Window, at: datetime) -> bool:
    today = wall(at, layer.timezone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    for day in (today, today - timedelta(days=1)):
        if day.weekday() in window.days:
            start, end = window_edges(layer, window, day)
            if start <= at < end:
                return True
    return False


def window_edges(layer: Layer, window: Window, day: datetime) -> tuple[datetime, datetime]:
    """The instants at which the window that begins on a local day opens and closes."""
    start = datetime.combine(day, window.from_)
    end = datetime.combine(day, window.to)
    if end <= start:
        end += timedelta(days=1)
    return resolve(start, layer.timezone), resolve(end, layer.timezone)


def active_weekdays(layer: Layer) -> frozenset[int]:
    """The weekdays on which a window opens; every day without windows. 0 is Monday."""
    if not layer.only:
        return frozenset(range(7))
    return frozenset(day for window in layer.only for day in window.days)


def _active_turn(layer: Layer, at: datetime) -> int:
    """The turn when only active days count; a day begins at the anchor's time of day."""
    day = turn_at(replace(layer, turn=Turn(1, TurnUnit.day)), at)
    active = active_weekdays(layer)
    first = layer.anchor.weekday()
    weeks, rest = divmod(day + 1, 7)
    counted = weeks * len(active)
    counted += sum((first + offset) % 7 in active for offset in range(rest))
    return (counted - 1) // layer.turn.count


def _skipped(layer: Layer, number: int) -> int:
    """How many turns between handoff 0 and `number` are zero-length; negative before the anchor.

    Every handoff whose wall clock lies in a gap, its end included, happens at the gap's end:
    of k such handoffs, the turns of all but the last are over as they begin.
    """
    low, high = sorted((0, number))
    step = layer.turn.count * _SPANS[TurnUnit.hour]
    skipped = 0
    for year in range(handoff_wall(layer, low).year, handoff_wall(layer, high).year + 1):
        for before, after in gaps(layer.timezone, year):
            first = max(low, -((layer.anchor - before) // step))
            last = min(high, (after - layer.anchor) // step)
            skipped += max(0, last - first)
    return skipped if number >= 0 else -skipped


@lru_cache(maxsize=4096)
def gaps(timezone: str, year: int) -> tuple[tuple[datetime, datetime], ...]:
    """The wall clocks that a year's clock changes skip: (first that does not exist, first that does)."""
    found: list[tuple[datetime, datetime]] = []
    if year < _FIRST_YEAR:
        return ()
    start = datetime(year, 1, 1, tzinfo=UTC) - timedelta(days=1)
    for day in range(368):
        at = start + timedelta(days=day)
        if _offset(at, timezone) < _offset(at + timedelta(days=1), timezone):
            change = _change_between(at, at + timedelta(days=1), timezone)
            before = (change + _offset(at, timezone)).replace(tzinfo=None)
            after = (change + _offset(change, timezone)).replace(tzinfo=None)
            if before.year == year:
                found.append((before, after))
    return tuple(found)


def _offset(at: datetime, timezone: str) -> timedelta:
    return wall(at, timezone).utcoffset() or timedelta()


def _change_between(low: datetime, high: datetime, timezone: str) -> datetime:
    """The first second in (low, high] with the offset of `high`."""
    seconds = range(int((high - low).total_seconds()))
    before = _offset(low, timezone)
    index = bisect_right(
        seconds, 0, key=lambda second: _offset(low + timedelta(seconds=second), timezone) != before
    )
    return low + timedelta(seconds=index)
