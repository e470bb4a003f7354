"""Tallies against the obvious sum."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sentinel.engine.tallies import Ring, Tally
from sentinel.monitor.objective import WINDOWS_S, Counted, Objective, Promise
from sentinel.words import Seconds

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MONTH = Objective("acme", "checkout", Promise.availability, 0.999, Seconds(30 * 86400.0))
counted = st.builds(
    Counted, st.integers(0, 60).map(float), st.integers(0, 60).map(float), st.integers(0, 3)
)


def total(found: list[Counted]) -> Counted:
    return Counted(
        sum(each.good_s for each in found),
        sum(each.bad_s for each in found),
        sum(each.bad for each in found),
    )


@given(
    st.integers(1, 7),
    st.integers(0, 40),
    st.lists(st.tuples(st.integers(1000, 1100), counted, st.booleans()), max_size=40),
    st.integers(0, 50),
)
def test_a_window_is_the_present_cell_and_those_it_is_long(
    width: int, span: int, story: list[tuple[int, Counted, bool]], window: int
):
    ring, seen = Ring(width, span), list[tuple[int, Counted]]()
    now = 1000
    ring.advance(now)
    for at, each, moves in story:
        now = max(now, at)
        if moves:
            ring.advance(now)
        ring.add(at, each)
        seen.append((at, each))
    cells = min(window // width, span // width)
    kept = [each for at, each in seen if at // width >= now // width - cells]
    assert total(kept) == ring.counted(window)


@given(st.lists(st.tuples(st.integers(0, 40 * 86400), counted), max_size=60))
def test_every_window_of_a_tally_is_the_sum_of_what_lies_in_it(story: list[tuple[int, Counted]]):
    now = EPOCH + timedelta(days=400)
    tally = Tally(MONTH)
    tally.advance(now)
    for ago, each in story:
        tally.add(now - timedelta(seconds=ago), each)
    for window in WINDOWS_S:
        cell = 60 if window <= 3600 else 300
        kept = [each for ago, each in story if ago <= window - window % cell + 0]
        assert total(kept) == tally.over(window)
    assert total([each for ago, each in story if ago <= 30 * 86400]) == tally.whole()


def test_what_left_the_window_does_not_come_back_when_the_ring_comes_round():
    ring = Ring(60, 300)
    ring.add(0, Counted(60.0, 0.0, 0))
    ring.advance(10 * 86400)
    assert Counted() == ring.counted(300)
    ring.add(0, Counted(60.0, 0.0, 0))
    assert Counted() == ring.counted(300)
