"""Who is on call, by the vectors of six other products' own test suites, and our own."""

from itertools import pairwise

import pytest

from sentinel.oncall.rotation import Rotation
from sentinel.oncall.schedule import on_call, shifts
from sentinel.oncall.turns import handoff, handoff_wall
from tests.oncall.builders import at, layer, override, rotation, window

CHICAGO, LORD_HOWE, NEW_YORK = "America/Chicago", "Australia/Lord_Howe", "America/New_York"
WEEKDAYS, MO_WE_FR = frozenset(range(5)), frozenset({0, 2, 4})


def people(declared: Rotation, when: str) -> tuple[str, ...]:
    return on_call(declared, at(when)).people


def check(declared: Rotation, expected: dict[str, str]) -> None:
    assert expected == {when: " ".join(people(declared, when)) for when in expected}


def test_a_daily_handoff_inside_a_gap_happens_at_its_end():
    declared = rotation(layer("A B C", "2020-03-06T02:30", "1d", timezone=CHICAGO))
    check(declared, {"2020-03-08T01:59:59-06:00": "B", "2020-03-08T03:00:00-05:00": "C"})


def test_a_repeated_hour_has_one_handoff():
    declared = rotation(layer("A B C", "2020-10-30T01:30", "1d", timezone=CHICAGO))
    expected = {
        "2020-11-01T01:29-05:00": "B",
        "2020-11-01T01:30-05:00": "C",
        "2020-11-01T01:10-06:00": "C",
        "2020-11-01T01:30-06:00": "C",
        "2020-11-02T01:29-06:00": "C",
        "2020-11-02T01:30-06:00": "A",
    }
    check(declared, expected)


def test_a_repeated_hour_has_one_handoff_when_active_days_are_counted():
    turns = layer("A B C", "2020-10-30T01:30", "1d", timezone=CHICAGO, active_days=True)
    check(rotation(turns), {"2020-11-01T01:30-05:00": "C", "2020-11-01T01:10-06:00": "C"})


@pytest.mark.parametrize(
    ("anchor", "every", "timezone", "expected"),
    [
        ("2020-03-06T02:30", "1h", CHICAGO,
         ["2020-03-08T01:30-06:00", "2020-03-08T03:00-05:00", "2020-03-08T03:30-05:00", "2020-03-08T04:30-05:00"]),
        ("2020-10-02T02:15", "1d", LORD_HOWE, ["2020-10-04T02:30+11:00", "2020-10-05T02:15+11:00"]),
        ("2020-10-01T01:30", "1mo", CHICAGO, ["2020-11-01T01:30-05:00", "2020-12-01T01:30-06:00"]),
        ("2017-03-10T08:00", "1w", CHICAGO, ["2017-03-10T08:00-06:00", "2017-03-17T08:00-05:00"]),
        ("2017-11-04T08:00", "1w", CHICAGO, ["2017-11-04T08:00-05:00", "2017-11-11T08:00-06:00"]),
        ("2024-04-24T00:00", "1d", "Africa/Cairo", ["2024-04-25T22:00Z", "2024-04-26T21:00Z"]),
    ],
)  # fmt: skip
def test_shifts_begin_at_the_handoffs_of_the_wall_clock(
    anchor: str, every: str, timezone: str, expected: list[str]
):
    declared = rotation(layer("A B C", anchor, every, timezone=timezone))
    first, last = at(expected[0]), at(expected[-1])
    found = [shift.start for shift in shifts(declared, first, last)]
    assert [at(each) for each in expected[:-1]] == found


def test_a_week_is_167_or_169_hours_when_the_clock_changes():
    for anchor, hours in (("2017-03-10T08:00", 167), ("2017-11-04T08:00", 169)):
        declared = layer("A B", anchor, "1w", timezone=CHICAGO)
        assert hours * 3600 == (handoff(declared, 1) - handoff(declared, 0)).total_seconds()


@pytest.mark.parametrize(
    ("anchor", "expected"),
    [
        (
            "2025-01-31T09:00",
            ["2025-01-31", "2025-02-28", "2025-03-31", "2025-04-30", "2025-05-31"],
        ),
        ("2024-02-29T09:00", ["2024-02-29", "2024-03-29", "2024-04-29", "2024-05-29"]),
        (
            "2024-11-30T09:00",
            ["2024-11-30", "2024-12-30", "2025-01-30", "2025-02-28", "2025-03-30"],
        ),
    ],
)
def test_month_ends_clamp_from_the_anchor(anchor: str, expected: list[str]):
    declared = layer("A B", anchor, "1mo")
    found = [handoff_wall(declared, number).date().isoformat() for number in range(len(expected))]
    assert expected == found


def test_a_leap_anchor_returns_to_its_day_in_leap_years_and_before_it():
    declared = layer("A B", "2024-02-29T00:00", "12mo")
    assert ["2020-02-29", "2023-02-28", "2024-02-29", "2025-02-28", "2028-02-29"] == [
        handoff_wall(declared, number).date().isoformat() for number in (-4, -1, 0, 1, 4)
    ]


def test_turns_reach_back_before_the_anchor():
    check(
        rotation(layer("A B C", "2026-01-05T09:00")),
        {"2026-01-05T08:59Z": "C", "2025-12-29T09:00Z": "C", "2025-12-29T08:59Z": "B", "2025-12-15T09:00Z": "A"},
    )  # fmt: skip


def test_a_turn_of_hours_that_is_over_as_it_begins_consumes_nobody():
    """02:00 and 03:00 both mean 03:00 on that night; others skip a person here."""
    declared = rotation(layer("A B C", "2020-03-08T00:00", "1h", timezone=CHICAGO))
    expected = {
        "2020-03-08T00:30-06:00": "A",
        "2020-03-08T01:30-06:00": "B",
        "2020-03-08T03:00-05:00": "C",
        "2020-03-08T04:00-05:00": "A",
        "2020-03-09T00:00-05:00": "C",
    }
    check(declared, expected)


def test_an_anchor_inside_a_gap_consumes_nobody_either():
    declared = rotation(layer("A B C", "2020-03-08T02:00", "1h", timezone=CHICAGO))
    expected = {
        "2020-03-08T01:59-06:00": "C",
        "2020-03-08T03:00-05:00": "A",
        "2020-03-08T04:00-05:00": "B",
    }
    check(declared, expected)


def test_the_order_before_the_anchor_knows_skipped_turns_too():
    declared = rotation(layer("A B C", "2020-03-08T05:00", "1h", timezone=CHICAGO))
    expected = {
        "2020-03-08T05:00-05:00": "A",
        "2020-03-08T04:00-05:00": "C",
        "2020-03-08T03:00-05:00": "B",
        "2020-03-08T01:30-06:00": "A",
        "2020-03-08T00:30-06:00": "C",
    }
    check(declared, expected)


def test_an_override_replaces_for_its_span_only():
    declared = rotation(
        layer("foobar", "2018-01-01T08:00", "1d", only=(window("08:00", "10:00"),)),
        overrides=(override("2018-01-01T08:30Z", "2018-01-01T08:45Z", replace="foobar", with_="binbaz"),),
    )  # fmt: skip
    expected = {"07:59": "", "08:00": "foobar", "08:30": "binbaz", "08:45": "foobar", "10:00": ""}
    check(declared, {f"2018-01-01T{when}Z": who for when, who in expected.items()})


def test_a_temporary_schedule_is_a_removal_and_an_addition():
    declared = rotation(
        layer("foobar", "2018-01-01T08:00", "1d", only=(window("08:00", "10:00"),)),
        overrides=(
            override("2018-01-01T08:15Z", "2018-01-01T08:45Z", replace="foobar"),
            override("2018-01-01T08:25Z", "2018-01-01T08:35Z", with_="baz", order=1),
        ),
    )
    expected = {"08:10": "foobar", "08:20": "", "08:30": "baz", "08:40": "", "08:45": "foobar"}
    check(declared, {f"2018-01-01T{when}Z": who for when, who in expected.items()})


def test_day_and_night_rotations_take_turns_of_their_own():
    declared = rotation(
        layer("Donna Aru Craig", "2018-09-13T08:00", "1d", timezone=CHICAGO, id="day", only=(window("08:00", "20:00"),)),
        layer("Caza Cook", "2018-09-12T20:00", "1d", timezone=CHICAGO, id="night", only=(window("20:00", "08:00"),)),
    )  # fmt: skip
    expected = {
        "2018-09-12T12:00-05:00": "Craig",
        "2018-09-13T10:00-05:00": "Donna",
        "2018-09-13T22:00-05:00": "Cook",
        "2018-09-14T03:00-05:00": "Cook",
        "2018-09-14T22:00-05:00": "Caza",
        "2018-09-15T12:00-05:00": "Craig",
    }
    check(declared, expected)


def hours(who: str, from_: str, to: str, rank: int):
    return layer(who, "2021-01-01T00:00", "1d", id=f"{who}{from_}", rank=rank, only=(window(from_, to),))  # fmt: skip


def test_a_higher_rank_wins_and_equal_rank_is_together():
    declared = rotation(
        hours("A", "10:00", "20:00", 1), hours("B", "12:00", "16:00", 1), hours("C", "15:00", "18:00", 2)
    )  # fmt: skip
    expected = {"11:00": "A", "13:00": "A B", "16:00": "C", "19:00": "A", "20:00": ""}
    check(declared, {f"2021-01-02T{when}Z": who for when, who in expected.items()})


def test_final_shifts_split_lower_ranks_around_higher_ones():
    declared = rotation(
        hours("A", "10:00", "15:00", 1), hours("B", "11:00", "13:00", 1), hours("A", "16:00", "19:00", 1),
        hours("A", "21:00", "22:00", 1), hours("B", "22:00", "00:00", 1),
        hours("C", "12:00", "14:00", 2), hours("D", "14:00", "15:00", 2), hours("D", "17:00", "18:00", 2),
        hours("D", "20:00", "23:00", 2),
        hours("E", "22:00", "23:00", 10), hours("A", "22:00", "22:30", 11),
    )  # fmt: skip
    expected = {
        "09:00": "", "10:30": "A", "11:30": "A B", "12:30": "C", "14:30": "D", "15:30": "",
        "17:30": "D", "18:30": "A", "19:30": "", "22:15": "A", "22:45": "E", "23:30": "B",
    }  # fmt: skip
    check(declared, {f"2021-01-02T{when}Z": who for when, who in expected.items()})


def test_turns_may_count_active_days_only():
    declared = rotation(
        layer("u1 u2", "2026-01-05T09:00", "1d", only=(window("09:00", "12:00", MO_WE_FR),), active_days=True)
    )  # fmt: skip
    days = ["u1", "", "u2", "", "u1", "", "", "u2", "", "u1", "", "u2"]
    check(declared, {f"2026-01-{5 + day:02}T10:00Z": who for day, who in enumerate(days)})
    before = {"2026-01-02T10:00Z": "u2", "2025-12-31T10:00Z": "u1", "2025-12-29T10:00Z": "u2"}
    check(declared, before)


def test_a_swap_in_the_middle_of_a_shift_splits_it():
    swap = override("2026-01-05T13:00Z", "2026-01-05T14:00Z", replace="user", with_="X")
    declared = rotation(
        layer("user", "2026-01-05T00:00", only=(window("12:00", "15:00"),)), overrides=(swap,)
    )
    found = shifts(declared, at("2026-01-05T12:00Z"), at("2026-01-05T15:00Z"))
    assert ["user", "X", "user"] == [shift.people[0] for shift in found]
    assert ["12:00", "13:00", "14:00"] == [f"{shift.start:%H:%M}" for shift in found]


def test_windows_and_handoffs_are_independent():
    declared = rotation(layer("A B", "2025-12-29T10:00", only=(window("09:00", "17:00"),)))
    expected = {f"2026-01-{day:02}T11:00Z": "B" for day in range(6, 12)}
    expected |= {f"2026-01-{day:02}T11:00Z": "A" for day in range(13, 19)}
    check(declared, expected | {"2026-01-07T03:00Z": "", "2026-01-07T20:00Z": ""})


def test_layers_begin_and_end_when_they_are_valid():
    declared = rotation(
        layer("P3", "2026-01-05T00:00", rank=0, id="p3"),
        layer("P2", "2026-01-05T00:00", rank=1, id="p2", valid=("2026-01-05T02:00", "")),
        layer("P1", "2026-01-05T00:00", rank=2, id="p1", valid=("2026-01-05T04:00", "2026-01-05T06:00")),
    )  # fmt: skip
    expected = {"01:00": "P3", "02:00": "P2", "03:00": "P2", "05:00": "P1", "06:00": "P2"}
    check(declared, {f"2026-01-05T{when}Z": who for when, who in expected.items()})


@pytest.mark.parametrize("day", ["2025-11-02", "2025-03-09"])
def test_overnight_windows_have_no_empty_or_doubled_shifts_when_clocks_change(day: str):
    declared = rotation(
        layer("A B", "2025-01-01T22:00", "1d", timezone=NEW_YORK, only=(window("22:00", "06:00"),))
    )
    begin = at(f"{day}T00:00Z")
    found = shifts(declared, begin, begin.replace(day=begin.day + 3))
    assert all(shift.start < shift.end for shift in found)
    assert all(one.end == two.start and one.people != two.people for one, two in pairwise(found))  # fmt: skip
    nights = [shift for shift in found if shift.people]
    assert {7, 8, 9} >= {(night.end - night.start).total_seconds() / 3600 for night in nights[1:-1]}


def test_a_window_names_its_first_day():
    friday_night = window("22:00", "06:00", frozenset({4}))
    declared = rotation(layer("A", "2026-01-05T00:00", only=(friday_night,)))
    expected = {
        "2026-01-09T05:59Z": "",
        "2026-01-09T22:00Z": "A",
        "2026-01-10T05:59Z": "A",
        "2026-01-10T06:00Z": "",
        "2026-01-10T22:00Z": "",
    }
    check(declared, expected)


def test_a_window_that_begins_when_it_ends_lasts_all_day():
    sunday = window("09:00", "09:00", frozenset({6}))
    declared = rotation(layer("A", "2026-01-05T00:00", only=(sunday,)))
    expected = {
        "2026-01-11T08:59Z": "",
        "2026-01-11T09:00Z": "A",
        "2026-01-12T08:59Z": "A",
        "2026-01-12T09:00Z": "",
    }
    check(declared, expected)  # fmt: skip


def test_a_person_removed_in_the_middle_of_a_turn_leaves_the_others_where_the_order_says():
    """Nothing is stored: without B, the second week from the anchor on is C's, at once."""
    begin = "2026-01-05T09:00"
    during = at("2026-01-14T12:00Z")
    assert ("B",) == on_call(rotation(layer("A B C", begin)), during).people
    assert ("C",) == on_call(rotation(layer("A C", begin)), during).people


def test_follow_the_sun_hands_over_by_local_clocks():
    declared = rotation(
        layer("kim", "2026-01-05T08:00", timezone="Australia/Sydney", id="sydney", only=(window("08:00", "16:00", WEEKDAYS),)),
        layer("ana", "2026-01-05T07:00", timezone="Europe/Lisbon", id="lisbon", rank=1, only=(window("07:00", "16:00", WEEKDAYS),)),
    )  # fmt: skip
    expected = {
        "2026-02-02T22:00Z": "kim",  # 09:00 in Sydney's summer
        "2026-02-03T06:59Z": "",
        "2026-02-03T07:00Z": "ana",
        "2026-07-01T22:00Z": "kim",  # 08:00 in Sydney's winter
        "2026-07-02T06:00Z": "ana",  # 07:00 in Lisbon's summer
        "2026-07-04T10:00Z": "",
    }
    check(declared, expected)
