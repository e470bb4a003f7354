"""What is normal, learnt from good checks; and whether content came in time."""

from datetime import UTC, date, datetime, timedelta
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.monitor.baseline import (
    Baseline,
    change_ratio,
    changed_at,
    deadline_state,
    learn,
    weekday_ratio,
)
from sentinel.monitor.probe import Deadline
from sentinel.words import Seconds
from tests.monitor.builders import NOON

DAY = timedelta(days=1)


def taught(values: list[float]) -> Baseline:
    """A value a day, the last one yesterday."""
    baseline = Baseline()
    for back, value in zip(range(len(values), 0, -1), values, strict=True):
        baseline = learn(baseline, value=value, digest=str(value), now=NOON - back * DAY)
    return baseline


def test_change_is_against_the_last_good_value():
    assert change_ratio(taught([100.0, 200.0]), 150.0) == pytest.approx(-0.25)
    assert not change_ratio(Baseline(), 150.0)
    assert not change_ratio(taught([0.0]), 0.0)
    assert change_ratio(taught([0.0]), 7.0) == pytest.approx(7.0)


@given(st.lists(st.integers(1, 10_000).map(float), max_size=60), st.integers(1, 10_000))
def test_a_weekday_is_compared_with_the_median_of_its_kind(values: list[float], now: int):
    kept = values[-35:]
    same = [v for back, v in zip(range(len(kept), 0, -1), kept, strict=True) if back % 7 == 0]
    expected = now / median(same) - 1 if len(same) >= 3 else 0.0
    assert weekday_ratio(taught(values), float(now), now=NOON) == pytest.approx(expected)


def test_a_day_counts_once_with_its_last_good_value():
    first = learn(Baseline(), value=1.0, digest="a", now=NOON)
    second = learn(first, value=2.0, digest="b", now=NOON + timedelta(hours=1))
    assert ((date(2026, 3, 2), 2.0),) == second.days


def test_a_day_is_not_compared_with_itself():
    weekly = Baseline(days=tuple(((NOON - 7 * week * DAY).date(), 100.0) for week in (3, 2, 1)))
    today = learn(weekly, value=10.0, digest="a", now=NOON - timedelta(hours=1))
    also = learn(today, value=10.0, digest="b", now=NOON)
    two_weeks = Baseline(days=also.days[1:])
    assert weekday_ratio(also, 50.0, now=NOON) == pytest.approx(-0.5)
    assert not weekday_ratio(two_weeks, 50.0, now=NOON)


def test_the_day_is_the_local_one():
    late = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)
    learnt = learn(Baseline(), value=1.0, digest="a", now=late, timezone="Europe/Helsinki")
    assert date(2026, 3, 3) == learnt.days[0][0]


@given(st.lists(st.floats(0, 1e9), max_size=60))
def test_what_is_kept_is_small_and_comes_back_the_same(values: list[float]):
    kept = taught(values).to_bytes()
    assert len(kept) < 4096
    assert taught(values) == Baseline.from_bytes(kept)


@pytest.mark.parametrize("kept", [b"[]", b"not json", b"\xff", b'{"days": [["x", 1]]}'])
def test_other_bytes_are_refused(kept: bytes):
    with pytest.raises(ValueError, match="no baseline"):
        Baseline.from_bytes(kept)


def test_content_changes_when_its_digest_does_and_not_with_a_fresh_timestamp():
    known = learn(Baseline(), value=1.0, digest="a", now=NOON)
    assert known.changed_at == changed_at(known, digest="a", now=NOON + DAY)
    assert NOON + DAY == changed_at(known, digest="b", now=NOON + DAY)
    assert NOON == changed_at(Baseline(), digest="a", now=NOON)


WORKDAYS = Deadline("30 5 * * 1-6", "Europe/Helsinki", Seconds(1200.0), frozenset({"2026-03-03"}))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "changed", "expected", "late_s"),
    [
        ("2026-03-02 03:29", "2026-02-28 04:00", False, 0.0),
        ("2026-03-02 03:49", "2026-02-28 04:00", False, 0.0),
        ("2026-03-02 03:50", "2026-02-28 04:00", True, 0.0),
        ("2026-03-02 05:20", "2026-03-02 03:29", True, 5400.0),
        ("2026-03-02 05:20", "2026-03-02 03:30", False, 0.0),
        ("2026-03-01 12:00", "2026-02-28 04:00", False, 0.0),
        ("2026-03-03 12:00", "2026-03-02 04:00", False, 0.0),
        ("2026-03-04 12:00", "2026-03-02 04:00", True, 29400.0),
        ("2026-07-06 02:50", "2026-07-04 04:00", True, 0.0),
    ],
    ids=[
        "before the due time",
        "within the grace",
        "when the grace is over",
        "changed too early",
        "changed at the due time",
        "Sunday asks for nothing",
        "a holiday asks for nothing",
        "the day after the holiday",
        "summer time",
    ],
)
def test_content_must_change_after_the_due_time_and_before_its_grace_is_over(
    now: str, changed: str, expected: bool, late_s: float
):
    state = deadline_state(WORKDAYS, now=at(now), changed_at=at(changed))
    assert (expected, late_s) == (state.overdue, state.late_s)


def test_it_says_which_due_time_counts_next():
    state = deadline_state(WORKDAYS, now=at("2026-03-02 05:00"), changed_at=at("2026-03-02 04:00"))
    assert (at("2026-03-02 03:30"), at("2026-03-04 03:30")) == (state.due_at, state.next_due_at)


def test_a_deadline_whose_every_due_time_is_skipped_for_more_than_a_year_is_never_overdue():
    days = frozenset((NOON + day * DAY).date().isoformat() for day in range(-450, 450))
    never = Deadline("0 0 * * *", "UTC", Seconds(0.0), days)
    state = deadline_state(never, now=NOON, changed_at=NOON - 400 * DAY)
    assert not state.overdue
    assert state.due_at is state.next_due_at is None
