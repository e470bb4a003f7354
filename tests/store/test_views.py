"""What is read of a span of results, rolled up or not."""

import random
from collections import Counter
from datetime import datetime
from functools import partial

import pytest

from sentinel.store import views
from sentinel.store.journal import Change
from sentinel.store.rollups import Rollup
from sentinel.words import Outcome
from tests.store.values import DAY, MINUTE, NOW, SECOND, opened, put, result

RNG = random.Random(11)
RESULTS = [
    result(
        "p",
        NOW + number * 13 * SECOND,
        location=RNG.choice(["eu", "us"]),
        outcome=RNG.choice(list(Outcome)),
        duration_s=RNG.uniform(0.01, 2),
    )
    for number in range(150)
]
Counts = Counter[tuple[str, Outcome]]


def expected(from_at: datetime, to_at: datetime) -> Counts:
    inside = [one for one in RESULTS if from_at <= one.due_at < to_at]
    return Counter((one.location, one.outcome) for one in inside)


def counted(found: list[Rollup]) -> Counts:
    counts: Counts = Counter()
    for one in found:
        for outcome, count in one.summary.outcomes.items():
            counts[one.location, outcome] += count
    return counts


@pytest.mark.parametrize("rolled_until", [0, 12, 40], ids=lambda minutes: f"rolled-{minutes}")
async def test_history_counts_every_check_of_the_span_once(where: str, rolled_until: int) -> None:
    spans = [
        (NOW, NOW + DAY),
        (NOW + 5 * MINUTE, NOW + 10 * MINUTE),
        (NOW + 61 * SECOND, NOW + 20 * MINUTE + SECOND),
        (NOW + 6 * MINUTE, NOW + 8 * MINUTE),
        (NOW + 31 * MINUTE, NOW + 32 * MINUTE),
        (NOW + MINUTE, NOW + MINUTE),
        (NOW - DAY, NOW + 17 * SECOND),
    ]
    async with opened(where) as journal:
        await put(journal, Change(results=RESULTS))
        await journal.roll_up(NOW + rolled_until * MINUTE)
        for from_at, to_at in spans:
            look = partial(views.history, probe="p", from_at=from_at, to_at=to_at)
            assert expected(from_at, to_at) == counted([*await journal.view(look)])


async def test_history_is_the_same_before_and_after_the_rollup(where: str) -> None:
    look = partial(views.history, probe="p", from_at=NOW + SECOND, to_at=NOW + 33 * MINUTE)
    async with opened(where) as journal:
        await put(journal, Change(results=RESULTS))
        before = await journal.view(look)
        await journal.roll_up(NOW + DAY)
        after = await journal.view(look)
    assert [(one.location, one.bucket_at) for one in before] == sorted(
        ((one.location, one.bucket_at) for one in before), key=lambda one: (one[1], one[0])
    )
    for one, other in zip(before, after, strict=True):
        assert other.summary.sum_s == pytest.approx(one.summary.sum_s)
        assert other.summary.outcomes == one.summary.outcomes
        assert other.summary.histogram == one.summary.histogram
