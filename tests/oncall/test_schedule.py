"""The schedule against an oracle that walks every minute, and what is always true of it."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.oncall.person import Away
from sentinel.oncall.rotation import Layer, Override, Rotation, Turn, TurnUnit, Window
from sentinel.oncall.schedule import LONGEST, next_in_turn, on_call, people_at, shifts
from sentinel.oncall.turns import handoff
from tests.oncall.builders import ALL_DAYS, at, layer, override, person, rotation, window

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
NIGHTS = (
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Europe/Helsinki", "2026-03-29"),
    ("Europe/Helsinki", "2026-10-25"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("Africa/Cairo", "2024-04-26"),
    ("Africa/Cairo", "2026-10-29"),
    ("America/Santiago", "2026-09-06"),
    ("Pacific/Apia", "2011-12-30"),
)


class Oracle:
    """A week of minutes in one zone: what each wall clock means, and from it who is on call."""

    def __init__(self, timezone: str, middle: datetime) -> None:
        self.meaning: dict[datetime, datetime] = {}
        there, last = ZoneInfo(timezone), None
        instant = middle - 6 * DAY
        for _ in range(12 * 24 * 60):
            shown = instant.astimezone(there).replace(tzinfo=None, fold=0)
            skipped = shown if last is None else last + MINUTE
            while skipped < shown:
                self.meaning.setdefault(skipped, instant)
                skipped += MINUTE
            self.meaning.setdefault(shown, instant)
            last, instant = shown, instant + MINUTE

    def turns(self, declared: Layer) -> list[tuple[datetime, datetime, str]]:
        """The turns as they come, walked one by one from the anchor to both sides."""
        step = declared.turn.count * timedelta(**{f"{declared.turn.unit.value}s": 1})
        hours = declared.turn.unit is TurnUnit.hour
        found = []
        for sign in (1, -1):
            clock, place = declared.anchor, 0 if sign > 0 else -1
            while clock in self.meaning and clock + sign * step in self.meaning:
                low, high = sorted((self.meaning[clock], self.meaning[clock + sign * step]))
                found.append((low, high, declared.people[place % len(declared.people)]))
                clock += sign * step
                place += 0 if hours and low == high else sign
        return found

    def opens(self, declared: Window) -> list[tuple[datetime, datetime]]:
        """The spans of a window, day by day."""
        found = []
        for day in sorted({clock.date() for clock in self.meaning}):
            begin = datetime.combine(day, declared.from_)
            end = datetime.combine(day, declared.to)
            end += DAY if declared.to <= declared.from_ else timedelta()
            if begin in self.meaning and end in self.meaning and day.weekday() in declared.days:
                found.append((self.meaning[begin], self.meaning[end]))
        return found


def times() -> st.SearchStrategy[str]:
    return st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 15, 30]))


WINDOWS = st.lists(
    st.builds(window, times(), times(), st.sampled_from([ALL_DAYS, frozenset({5, 6}), frozenset({0, 6})])),
    max_size=2,
).map(tuple)  # fmt: skip
TURNS = st.sampled_from([(1, TurnUnit.hour), (5, TurnUnit.hour), (12, TurnUnit.hour), (1, TurnUnit.day), (2, TurnUnit.day)])  # fmt: skip
LAYERS = st.tuples(st.sampled_from(NIGHTS), TURNS, WINDOWS, st.integers(-72 * 4, 72 * 4))


def declare(night: tuple[str, str], turn: tuple[int, TurnUnit], only: tuple[Window, ...], quarters: int) -> Layer:  # fmt: skip
    timezone, day = night
    anchor = datetime.fromisoformat(day) + quarters * timedelta(minutes=15)
    return Layer("l", ("A", "B", "C"), timezone, anchor, Turn(*turn), 0, only)


@pytest.mark.slow
@given(LAYERS)
@settings(max_examples=40, deadline=None)
def test_the_schedule_is_that_of_the_minute_by_minute_oracle(
    drawn: tuple[tuple[str, str], tuple[int, TurnUnit], tuple[Window, ...], int],
):
    declared = declare(*drawn)
    timezone, day = drawn[0]
    middle = datetime.fromisoformat(day).replace(tzinfo=UTC)
    oracle = Oracle(timezone, middle)
    turns = oracle.turns(declared)
    open_spans = [span for each in declared.only for span in oracle.opens(each)]
    found = shifts(rotation(declared), middle - DAY, middle + 2 * DAY)
    edges = {shift.start for shift in found} | {low for low, _, _ in turns}
    instants = {middle + hour * timedelta(hours=1) for hour in range(-24, 48)}
    instants |= {edge + step * MINUTE for edge in edges for step in (-1, 0, 1)}
    for now in sorted(each for each in instants if middle - DAY <= each < middle + 2 * DAY):
        is_open = not declared.only or any(low <= now < high for low, high in open_spans)
        expected = tuple(who for low, high, who in turns if low <= now < high and is_open)
        shift = next(shift for shift in found if shift.start <= now < shift.end)
        assert (now, expected) == (now, shift.people)
        assert expected == people_at(rotation(declared), now, people={}).people


@pytest.mark.slow
@given(LAYERS, LAYERS, st.integers(0, 3000))
@settings(max_examples=60, deadline=None)
def test_shifts_cover_their_span_without_gap_or_overlap(
    one: tuple[tuple[str, str], tuple[int, TurnUnit], tuple[Window, ...], int],
    two: tuple[tuple[str, str], tuple[int, TurnUnit], tuple[Window, ...], int],
    minutes: int,
):
    day = datetime.fromisoformat(one[0][1]).replace(tzinfo=UTC)
    begin, end = day - DAY + minutes * MINUTE, day + 4 * DAY
    declared = rotation(declare(*one), declare(*two))
    found = shifts(declared, begin, end)
    assert (begin, end) == (found[0].start, found[-1].end)
    for this, following in pairwise(found):
        assert this.start < this.end == following.start
        assert (this.people, this.layer) != (following.people, following.layer)
        just_before = this.end - timedelta(microseconds=1)
        assert this.people == people_at(declared, just_before, people={}).people
        assert following.people == people_at(declared, this.end, people={}).people


@pytest.mark.parametrize("night", NIGHTS)
@pytest.mark.parametrize("unit", [TurnUnit.hour, TurnUnit.day, TurnUnit.week, TurnUnit.month])
def test_person_seconds_are_conserved_over_every_change_of_clocks(night: tuple[str, str], unit: TurnUnit):  # fmt: skip
    timezone, day = night
    anchor = datetime.fromisoformat(day) - timedelta(days=20, hours=-2)
    declared = Layer("l", ("A", "B", "C"), timezone, anchor, Turn(1, unit))
    begin, end = handoff(declared, -1), handoff(declared, 2)
    end = max(end, begin + 40 * DAY)
    found = shifts(rotation(declared), begin, end)
    assert (end - begin).total_seconds() == sum(
        (each.end - each.start).total_seconds() for each in found
    )
    assert all(len(each.people) == 1 for each in found)
    order = [each.people[0] for each in found]
    assert all(follows in ("AB", "BC", "CA") for follows in map("".join, pairwise(order)))


WEEKLY = layer("A B C", "2026-01-05T00:00")
"""A has the week of 5 January 2026."""


def now_people(declared: Rotation, when: str, **people: object) -> tuple[str, ...]:
    return people_at(declared, at(when), people=people).people  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("expected", "overrides"),
    [
        (("B",), [("A", "B")]),
        ((), [("A", "")]),
        (("A", "B"), [("", "B")]),
        (("A",), [("", "A")]),
        (("A",), [("B", "C")]),
        (("C",), [("A", "B"), ("A", "C")]),
        (("B",), [("A", "B"), ("B", "C")]),
        (("B",), [("A", "C"), ("A", ""), ("A", "B")]),
        (("C",), [("A", ""), ("", "C")]),
        (("B", "C"), [("A", "B"), ("", "C")]),
    ],
)
def test_overrides_replace_add_and_remove_and_the_last_created_wins(
    expected: tuple[str, ...], overrides: Sequence[tuple[str, str]]
):
    made = tuple(
        override(
            "2026-01-06T00:00Z", "2026-01-07T00:00Z", replace=replace, with_=with_, order=order
        )
        for order, (replace, with_) in enumerate(overrides)
    )
    assert expected == now_people(rotation(WEEKLY, overrides=made), "2026-01-06T12:00Z")
    assert expected == now_people(rotation(WEEKLY, overrides=made[::-1]), "2026-01-06T12:00Z")
    for outside in ("2026-01-05T23:59:59Z", "2026-01-07T00:00Z"):
        assert ("A",) == now_people(rotation(WEEKLY, overrides=made), outside)


def test_two_overrides_over_one_window_each_hold_for_their_own_span():
    made = (
        override("2026-01-06T00:00Z", "2026-01-07T00:00Z", replace="A", with_="B", order=0),
        override("2026-01-06T08:00Z", "2026-01-06T10:00Z", replace="A", with_="C", order=1),
    )
    found = shifts(
        rotation(WEEKLY, overrides=made), at("2026-01-05T12:00Z"), at("2026-01-07T12:00Z")
    )
    assert [("A",), ("B",), ("C",), ("B",), ("A",)] == [each.people for each in found]


def test_an_override_made_at_run_time_counts_like_a_declared_one():
    swap = Override(at("2026-01-06T00:00Z"), at("2026-01-07T00:00Z"), "A", "C", id="o-1")
    found = on_call(rotation(WEEKLY), at("2026-01-06T12:00Z"), extra_overrides=[swap])
    assert (("C",), "main", ("o-1",)) == (found.people, found.layer, found.overrides)
    assert at("2026-01-07T00:00Z") == found.until


def test_somebody_away_takes_no_turn_and_a_lower_rank_shows():
    away = person(
        "A", timezone="Pacific/Auckland", away=(Away(date(2026, 1, 7), date(2026, 1, 8)),)
    )
    declared = rotation(layer("Z", "2026-01-05T00:00", id="below", rank=-1), WEEKLY)
    expected = {
        "2026-01-06T10:59Z": ("A",),  # 23:59 on the 6th in Auckland
        "2026-01-06T11:00Z": ("Z",),
        "2026-01-08T10:59Z": ("Z",),
        "2026-01-08T11:00Z": ("A",),
    }
    assert expected == {when: now_people(declared, when, A=away) for when in expected}
    found = shifts(declared, at("2026-01-06T00:00Z"), at("2026-01-09T00:00Z"), people={"A": away})
    assert ["main", "below", "main"] == [shift.layer for shift in found]


def test_one_of_two_on_call_together_may_be_away():
    away = person("A", away=(Away(date(2026, 1, 6), date(2026, 1, 6)),))
    declared = rotation(WEEKLY, layer("Z", "2026-01-05T00:00", id="too"))
    assert ("Z",) == now_people(declared, "2026-01-06T12:00Z", A=away)
    assert ("A", "Z") == now_people(declared, "2026-01-07T12:00Z", A=away)


def test_a_person_in_two_layers_is_on_call_once():
    declared = rotation(WEEKLY, layer("A", "2026-01-05T00:00", id="too"))
    assert ("A",) == now_people(declared, "2026-01-06T12:00Z")


def test_who_is_on_call_has_an_end_or_none_in_sight():
    assert at("2026-01-12T00:00Z") == on_call(rotation(WEEKLY), at("2026-01-05T00:00Z")).until
    alone = rotation(layer("A", "2026-01-05T00:00"))
    assert on_call(alone, at("2026-01-05T00:00Z")).until is None
    gap = rotation(layer("A", "2026-01-05T00:00", valid=("2026-02-01T00:00", "")))
    found = on_call(gap, at("2026-01-20T00:00Z"))
    assert ((), "", at("2026-02-01T00:00Z")) == (found.people, found.layer, found.until)


@pytest.mark.parametrize(
    ("expected", "places", "already"),
    [
        ("B", 1, ""),
        ("C", 2, ""),
        ("C", 1, "B"),
        ("B", 2, "C"),
        ("B", 4, ""),
        ("", 1, "B C"),
        ("B", 3, ""),
    ],
)
def test_the_next_in_turn_is_not_on_call_and_not_paged_yet(
    expected: str, places: int, already: str
):
    found = next_in_turn(
        rotation(WEEKLY),
        at("2026-01-06T00:00Z"),
        places=places,
        already=frozenset(already.split()),
        people={},
    )
    assert expected == found


def test_the_next_in_turn_is_of_the_winning_layer_and_not_away():
    away = person("B", away=(Away(date(2026, 1, 6), date(2026, 1, 6)),))
    declared = rotation(layer("Y Z", "2026-01-05T00:00", id="below", rank=-1), WEEKLY)
    found = next_in_turn(
        declared, at("2026-01-06T00:00Z"), places=1, already=frozenset(), people={"B": away}
    )
    assert found == "C"


@pytest.mark.parametrize(
    ("expected", "replace", "with_"),
    [("C", "A", "B"), ("B", "A", "X"), ("X", "B", "X"), ("C", "B", ""), ("C", "B", "A")],
)
def test_the_next_in_turn_knows_overrides(expected: str, replace: str, with_: str):
    swap = override("2026-01-06T00:00Z", "2026-01-07T00:00Z", replace=replace, with_=with_)
    found = next_in_turn(
        rotation(WEEKLY, overrides=(swap,)),
        at("2026-01-06T00:00Z"),
        places=1,
        already=frozenset(),
        people={},
    )
    assert expected == found


def test_nobody_is_next_in_a_gap():
    empty = rotation(layer("A B", "2026-01-05T00:00", valid=("2027-01-01T00:00", "")))
    assert not next_in_turn(
        empty, at("2026-01-06T00:00Z"), places=1, already=frozenset(), people={}
    )


def test_too_long_a_span_is_refused():
    with pytest.raises(ValueError, match="at most 800 days"):
        shifts(rotation(WEEKLY), at("2026-01-05T00:00Z"), at("2026-01-05T00:00Z") + LONGEST + DAY)


def test_no_time_has_no_shifts():
    assert shifts(rotation(WEEKLY), at("2026-01-05T00:00Z"), at("2026-01-05T00:00Z")) == ()
