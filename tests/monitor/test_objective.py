"""Objectives: what is counted, what it leaves, and when it is worth an alert."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.monitor.objective import (
    WINDOWS_S,
    Burn,
    Counted,
    Objective,
    Promise,
    budget_left,
    burn_rate,
    burning,
    is_over,
    span_word,
    stands_for_s,
    wording,
)
from sentinel.words import Outcome, Seconds, Severity
from tests.monitor.builders import NOON

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
THREE_NINES = Objective("acme", "checkout", Promise.availability, 0.999, Seconds(30 * DAY))
QUICK = replace(THREE_NINES, promise=Promise.latency, share=0.95, under_s=Seconds(0.8))


def windows(
    bad_s: dict[float, float], *, known: float = 1.0, bad: int = 9
) -> dict[Seconds, Counted]:
    """Windows known for a share, with so many seconds bad in each; the others wholly good."""
    return {
        span: Counted(known * span - bad_s.get(span, 0.0), bad_s.get(span, 0.0), bad)
        for span in WINDOWS_S
    }


OUTAGE = {5 * MINUTE: 240.0, 30 * MINUTE: 240.0, HOUR: 240.0, 6 * HOUR: 240.0, 72 * HOUR: 240.0}
"""Four minutes down, until now."""
OVER = OUTAGE | {5 * MINUTE: 0.0}
"""The same, five minutes later."""


@pytest.mark.parametrize(
    ("outcome", "duration_s", "available", "quick"),
    [
        (Outcome.ok, 0.2, True, True),
        (Outcome.warn, 0.8, True, False),
        (Outcome.failed, 0.1, False, None),
        (Outcome.unknown, 0.1, None, None),
    ],
)
def test_a_failed_check_is_unavailable_and_only_good_ones_are_fast_or_slow(
    outcome: Outcome, duration_s: float, available: bool | None, quick: bool | None
):
    assert available is THREE_NINES.holds(outcome, duration_s)
    assert quick is QUICK.holds(outcome, duration_s)


@given(st.lists(st.integers(1, 200), max_size=50))
def test_however_often_checks_are_made_they_stand_for_the_time_that_passed(steps: list[int]):
    every = Seconds(60.0)
    before, at, stood = None, NOON, 0.0
    for step in steps:
        at = at + timedelta(seconds=step)
        stood += stands_for_s(at, before, every)
        before = at
    gaps = steps[1:]
    assert (60 if steps else 0) + sum(min(gap, 60) for gap in gaps) == stood


def test_a_second_result_of_a_slot_and_an_older_one_stand_for_nothing():
    assert 0.0 == stands_for_s(NOON, NOON, Seconds(60.0))
    assert 0.0 == stands_for_s(NOON, NOON + timedelta(seconds=9), Seconds(60.0))


def test_a_budget_of_99_9_percent_over_30_days_is_43_minutes():
    month_s = 30 * DAY
    spent = Counted(month_s - 21.6 * MINUTE, 21.6 * MINUTE, 22)
    assert pytest.approx(0.5) == budget_left(THREE_NINES, spent, series=1)
    assert pytest.approx(0.5) == burn_rate(THREE_NINES, spent)
    twice = Counted(month_s - 86.4 * MINUTE, 86.4 * MINUTE, 87)
    assert pytest.approx(-1.0) == budget_left(THREE_NINES, twice, series=1)


def test_a_service_watched_for_an_hour_has_not_spent_its_month():
    first_hour = Counted(55 * MINUTE, 5 * MINUTE, 5)
    assert pytest.approx(1 - 5 / 43.2) == budget_left(THREE_NINES, first_hour, series=1)
    assert pytest.approx(1 - 5 / 86.4) == budget_left(THREE_NINES, first_hour, series=2)


def test_nothing_known_is_nothing_spent_and_no_rate():
    assert 1.0 == budget_left(THREE_NINES, Counted(), series=0)
    assert burn_rate(THREE_NINES, Counted()) is None
    nothing = {span: Counted() for span in WINDOWS_S}
    assert burning(THREE_NINES, nothing, Burn.fast, series=0) is None


def test_two_percent_of_the_budget_in_an_hour_is_critical_while_it_goes_on():
    found = burning(THREE_NINES, windows(OUTAGE), Burn.fast, series=1)
    assert found is not None
    assert (Severity.critical, 14.4) == (found.pair.severity, found.pair.rate)
    assert pytest.approx((66.67, 800.0), abs=0.01) == (found.long_rate, found.short_rate)


def test_when_the_five_minutes_are_well_the_half_hour_keeps_it_an_error_and_then_it_is_over():
    found = burning(THREE_NINES, windows(OVER), Burn.fast, series=1)
    assert found is not None
    assert Severity.error is found.pair.severity
    later = windows(OVER | {30 * MINUTE: 0.0})
    assert burning(THREE_NINES, later, Burn.fast, series=1) is None
    assert is_over(THREE_NINES, later, Burn.fast, series=1)


def test_a_tenth_of_the_budget_in_three_days_is_a_warning_of_its_own():
    steady = {span: 0.0015 * span for span in WINDOWS_S}
    assert burning(THREE_NINES, windows(steady), Burn.fast, series=1) is None
    found = burning(THREE_NINES, windows(steady), Burn.slow, series=1)
    assert found is not None
    assert Severity.warning is found.pair.severity


def test_one_accident_is_no_burn():
    assert burning(THREE_NINES, windows(OUTAGE, bad=2), Burn.fast, series=1) is None
    assert burning(THREE_NINES, windows(OUTAGE, bad=3), Burn.fast, series=1) is not None


def test_a_window_known_by_less_than_half_says_nothing():
    little = {span: Counted(0.0, 0.4 * span, 50) for span in WINDOWS_S}
    assert burning(THREE_NINES, little, Burn.fast, series=1) is None
    assert burning(THREE_NINES, {s: Counted(0.0, 0.6 * s, 50) for s in WINDOWS_S}, Burn.fast,
                   series=1) is not None  # fmt: skip
    assert burning(THREE_NINES, {s: Counted(0.0, 0.6 * s, 50) for s in WINDOWS_S}, Burn.fast,
                   series=2) is None  # fmt: skip


def test_an_alert_stays_while_it_is_merely_not_known_and_ends_when_nothing_is_left():
    little = {span: Counted(0.0, 1.0, 50) for span in WINDOWS_S}
    nothing = {span: Counted() for span in WINDOWS_S}
    assert not is_over(THREE_NINES, little, Burn.fast, series=1)
    assert is_over(THREE_NINES, nothing, Burn.fast, series=1)
    assert not is_over(THREE_NINES, windows(OUTAGE), Burn.fast, series=1)


@given(
    st.fixed_dictionaries(
        {s: st.tuples(st.floats(0, s), st.floats(0, s), st.integers(0, 5)) for s in WINDOWS_S}
    ),
    st.sampled_from(Burn),
    st.integers(1, 3),
)
def test_nothing_that_burns_is_over(
    drawn: dict[Seconds, tuple[float, float, int]], burn: Burn, series: int
):
    seen = {span: Counted(*each) for span, each in drawn.items()}
    if burning(THREE_NINES, seen, burn, series=series) is not None:
        assert not is_over(THREE_NINES, seen, burn, series=series)


def test_an_alert_says_how_fast_over_what_and_what_is_left():
    found = burning(THREE_NINES, windows(OUTAGE), Burn.fast, series=1)
    assert found is not None
    assert (
        "checkout of acme burns its availability budget 66.7 times too fast over 1h"
        " and 800.0 times over 5m; 62% of 30d is left"
    ) == wording(THREE_NINES, found, left=0.62)
    assert ["90s", "5m", "6h", "3d", "30d"] == [
        span_word(s) for s in (90, 300, 6 * HOUR, 3 * DAY, 30 * DAY)
    ]


def test_its_two_alerts_are_told_apart_by_their_labels():
    assert {
        "alertname": "objective-burn",
        "client": "acme",
        "service": "checkout",
        "objective": "availability",
        "burn": "slow",
    } == THREE_NINES.labels(Burn.slow)
