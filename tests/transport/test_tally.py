"""A feed is counted exactly where it can be and sampled where it must be."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.monitor.churn import SAMPLE, Churn, Difference, difference, gone
from sentinel.transport.tally import Tally


def tallied(rows: list[tuple[str, str]], brand: str = "Acme") -> Tally:
    tally = Tally("id", "brand")
    for line, (name, price) in enumerate(rows, 1):
        tally.add(line, {"id": name, "price": price, "brand": brand}, [])
    return tally


def numbered(first: int, count: int, price: str = "5.00 EUR") -> list[tuple[str, str]]:
    return [(f"SKU{number}", price) for number in range(first, first + count)]


@given(st.lists(st.integers(0, 40).map(str), max_size=60), st.randoms())
@settings(deadline=None)
def test_duplicates_are_counted_exactly_in_any_order(names: list[str], dice: random.Random) -> None:
    dice.shuffle(names)
    count, shown = tallied([(name, "1 EUR") for name in names]).duplicates()
    assert count == len(names) - len(set(names))
    assert all(names.count(name) > 1 for name in shown)


def test_the_same_rows_in_another_order_are_the_same_content() -> None:
    rows = numbered(0, 50)
    assert tallied(rows).digest() == tallied(rows[::-1]).digest()
    assert tallied(rows).digest() != tallied(rows[1:]).digest()
    assert tallied(rows).digest() != tallied(numbered(0, 50, "6.00 EUR")).digest()


def test_a_row_twice_is_not_the_content_of_none() -> None:
    assert tallied(numbered(0, 1) * 2).digest() != tallied([]).digest()


def test_small_feeds_are_compared_exactly() -> None:
    before = tallied(numbered(0, 100)).churn()
    after = tallied([*numbered(10, 85), *numbered(95, 20, "7.50 EUR")]).churn()
    changes = difference(before, after)
    assert (changes.added_ratio, changes.removed_ratio) == (0.15, 0.10)
    assert changes.prices_changed_ratio == 5 / 90
    assert changes.price_change_median == 0.5
    assert changes.price_jumps == 0


def test_prices_in_cents_are_jumps() -> None:
    before = tallied(numbered(0, 100)).churn()
    after = tallied(numbered(0, 100, "500.00 EUR")).churn()
    assert difference(before, after).price_jumps == 100


def test_large_feeds_are_compared_on_a_sample_within_its_error() -> None:
    before = tallied(numbered(0, 20_000)).churn()
    after = tallied(numbered(4_000, 20_000)).churn()
    changes = difference(before, after)
    assert len(before.by_id()) == SAMPLE
    assert abs(changes.added_ratio - 0.2) < 0.05
    assert abs(changes.removed_ratio - 0.2) < 0.05


def test_a_feed_with_new_ids_throughout_is_all_added_and_all_removed() -> None:
    changes = difference(tallied(numbered(0, 300)).churn(), tallied(numbered(900, 300)).churn())
    assert (changes.added_ratio, changes.removed_ratio) == (1.0, 1.0)


def test_nothing_remembered_is_no_change() -> None:
    assert difference(Churn(), tallied(numbered(0, 10)).churn()) == Difference()


def test_a_group_that_vanished_is_named_if_it_was_one() -> None:
    before = {"Acme": 500, "Nordik": 40, "Tiny": 3}
    assert gone(before, {"Acme": 490}) == ["Nordik"]


def test_only_problems_make_a_row_invalid_and_few_are_shown() -> None:
    tally = Tally("id")
    for line in range(1, 41):
        tally.add(line, {"id": str(line)}, ["price_placeholder"] if line % 2 else ["price_zero"])
    assert (tally.items, tally.invalid, len(tally.samples)) == (40, 20, 20)
    assert tally.reasons == {"price_placeholder": 20, "price_zero": 20}
