"""Results and their rollups, on every journal."""

import random
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

from msgspec.structs import replace

from sentinel.monitor.probe import CheckResult
from sentinel.store import retention, rollups
from sentinel.store.journal import Change, Journal, Keep, View
from sentinel.store.rollups import Gathering, Rollup, Summary
from sentinel.store.samples import PARTS
from sentinel.store.sql import Sql
from sentinel.words import Outcome
from tests.store.values import (
    DAY,
    MINUTE,
    NOW,
    SECOND,
    opened,
    put,
    result,
    results_of,
    rich_result,
)

T = TypeVar("T")


async def test_a_result_reads_back_with_every_field(where: str) -> None:
    rich, plain = rich_result(), result("acme-cart")
    async with opened(where) as journal:
        await put(journal, Change(results=[rich, plain]))
        (found,) = await journal.view(lambda view: view.results("acme-home", NOW, NOW + SECOND))
        (other,) = await journal.view(lambda view: view.results("acme-cart", NOW, NOW + SECOND))
    huge = replace(rich.judged[1], actual={"huge": str(2**70), "at": NOW, "raw": b"\xff"})
    assert found == replace(rich, judged=(rich.judged[0], huge))
    assert other == plain


async def test_two_results_of_one_slot_are_one_and_the_first_stays(where: str) -> None:
    first, twin = result(), result(outcome=Outcome.failed)
    elsewhere = result(location="eu")
    async with opened(where) as one, opened(where) as other:
        await put(one, Change(results=[first, twin]))
        await put(other, Change(results=[twin, elsewhere]))
        found = await one.view(lambda view: view.results("acme-home", NOW, NOW + SECOND))
    assert sorted(found, key=lambda one: one.location) == [elsewhere, first]


async def test_checks_of_many_series_are_read_together_each_slot_once(where: str) -> None:
    late = NOW + 25 * SECOND
    mine = [
        result("a", late, outcome=Outcome.failed, duration_s=0.5, network=True),
        result("a", late, duration_s=9.0),
        result("b", NOW, location="eu", outcome=Outcome.warn),
    ]
    others = [result("a", location="eu"), result("c", NOW), result("a", NOW + 30 * SECOND)]
    asked = {("a", "local"), ("b", "eu")}
    async with opened(where) as journal:
        assert [] == await journal.view(lambda view: view.checked(asked, NOW, NOW + DAY))
        await put(journal, Change(results=[*mine, *others]))
        found = await journal.view(lambda view: view.checked(asked, NOW, NOW + 30 * SECOND))
        assert [] == await journal.view(lambda view: view.checked(set(), NOW, NOW + DAY))
    assert [
        ("b", "eu", NOW, Outcome.warn, 0.125, False),
        ("a", "local", late, Outcome.failed, 0.5, True),
    ] == found


async def test_results_of_one_commit_share_few_rows(where: str) -> None:
    many = [result(f"p{number}") for number in range(1_000)]
    async with opened(where) as journal:
        await put(journal, Change(results=many))
        rows = await cast(Any, journal).inspect(
            lambda sql: sql.rows("SELECT count(*) FROM results")[0][0]
        )
        for one in many[::100]:
            read = await journal.view(
                lambda view, id=one.probe: view.results(id, NOW, NOW + SECOND)  # type: ignore[misc]
            )
            assert [one] == read
    assert rows <= PARTS


async def test_results_come_newest_first_within_the_span_and_the_limit(where: str) -> None:
    every_minute = results_of("p", 90, every=MINUTE)

    def look(view: View) -> list[list[datetime]]:
        asked = [
            view.results("p", NOW, NOW + DAY),
            view.results("p", NOW + MINUTE, NOW + 3 * MINUTE),
            view.results("p", NOW - DAY, NOW + DAY, limit=2),
            view.results("none", NOW, NOW + DAY),
        ]
        return [[one.due_at for one in found] for found in asked]

    due = [one.due_at for one in reversed(every_minute)]
    async with opened(where) as journal:
        assert await journal.view(look) == [[], [], [], []]
        await put(journal, Change(results=every_minute))
        assert await journal.view(look) == [due, due[-3:-1], due[:2], []]


def summarize(results: Iterable[CheckResult]) -> Summary:
    gathering = Gathering()
    for one in results:
        gathering.add(one)
    return gathering.summary()


async def test_rollups_agree_with_the_results_they_stand_for(where: str) -> None:
    rng = random.Random(7)
    outcomes = list(Outcome)
    results = [
        result(
            "p",
            NOW + number * 7 * SECOND,
            location=rng.choice(["eu", "us"]),
            outcome=rng.choice(outcomes),
            duration_s=rng.lognormvariate(-2, 1),
        )
        for number in range(100)
    ]
    async with opened(where) as journal:
        await put(journal, Change(results=results))
        assert await journal.roll_up(NOW + 30 * MINUTE) == 3
        found = await journal.view(lambda view: view.rollups("p", NOW, NOW + DAY))
        assert await journal.view(lambda view: view.unrolled()) == []
        assert await journal.view(lambda view: len(view.results("p", NOW, NOW + DAY))) == 100

    def expected(location: str, bucket_at: datetime) -> Rollup:
        inside = [
            one
            for one in results
            if one.location == location and timedelta(0) <= one.due_at - bucket_at < 5 * MINUTE
        ]
        return Rollup("p", location, bucket_at, summarize(inside))

    buckets = [NOW, NOW + 5 * MINUTE, NOW + 10 * MINUTE]
    assert found == [expected(location, at) for at in buckets for location in ("eu", "us")]


async def test_only_what_is_over_is_rolled_up_and_a_late_result_is_added(where: str) -> None:
    def look(view: View) -> tuple[list[int], list[datetime]]:
        rolled = [sum(one.summary.outcomes.values()) for one in view.rollups("p", NOW, NOW + DAY)]
        return rolled, list(view.unrolled())

    async with opened(where) as journal:
        await put(journal, Change(results=[result("p"), result("p", NOW + 5 * MINUTE)]))
        assert await journal.roll_up(NOW + 5 * MINUTE) == 0
        assert await journal.roll_up(NOW + 6 * MINUTE) == 1
        assert await journal.view(look) == ([1], [NOW + 5 * MINUTE])
        await put(journal, Change(results=[result("p", NOW + SECOND)]))
        assert await journal.view(look) == ([1], [NOW, NOW + 5 * MINUTE])
        assert await journal.roll_up(NOW + 11 * MINUTE) == 2
        assert await journal.view(look) == ([2, 1], [])


class Interrupted:
    """A journal in which something happens after the first look at results."""

    def __init__(self, journal: Journal, happens: Change) -> None:
        self._journal: Any = journal
        self._happens: Change | None = happens

    async def operate(self, change: Callable[[Sql], T]) -> T:
        return cast(T, await self._journal.operate(change))

    async def inspect(self, look: Callable[[Sql], T]) -> T:
        seen = cast(T, await self._journal.inspect(look))
        if self._happens is not None and not isinstance(seen, list):
            happens, self._happens = self._happens, None
            await put(self._journal, happens)
        return seen


async def test_a_result_that_comes_while_its_bucket_is_rolled_up_is_not_forgotten(
    where: str,
) -> None:
    async with opened(where) as journal:
        await put(journal, Change(results=[result("p", NOW + SECOND)]))
        late = Change(results=[result("p", NOW)])
        await retention.roll_up(Interrupted(journal, late), NOW + DAY)
        assert await journal.view(lambda view: view.unrolled()) == [NOW]
        await journal.roll_up(NOW + DAY)
        (rollup,) = await journal.view(lambda view: view.rollups("p", NOW, NOW + DAY))
    assert rollup.summary.outcomes == {Outcome.ok: 2}


async def test_nothing_is_pruned_that_is_not_rolled_up(where: str) -> None:
    async with opened(where) as journal:
        await put(journal, Change(results=results_of("p", 3)))
        over_but_not_settled = NOW + 5 * MINUTE + SECOND
        assert await journal.prune(over_but_not_settled, Keep(results_for=timedelta(0))) == 0
        assert len(await journal.view(lambda view: view.results("p", NOW, NOW + DAY))) == 3


async def test_pruned_results_live_on_in_rollups_and_late_ones_are_dropped(where: str) -> None:
    keep = Keep(results_for=DAY, rollups_for=3 * DAY)

    def look(view: View) -> list[int]:
        spans = (NOW - DAY, NOW + 9 * DAY)
        return [len(view.results("p", *spans)), len(view.rollups("p", *spans))]

    async with opened(where) as journal:
        await put(journal, Change(results=results_of("p", 31)))
        assert await journal.view(look) == [31, 0]
        assert await journal.prune(NOW + DAY + MINUTE, keep) == 0
        assert await journal.view(look) == [31, 2]
        assert await journal.prune(NOW + DAY + 6 * MINUTE, keep) == 30
        await put(journal, Change(results=[result("p", NOW + SECOND)]))
        assert await journal.view(look) == [1, 2]
        assert await journal.prune(NOW + 4 * DAY, keep) == 3
        assert await journal.view(look) == [0, 0]


def test_a_duration_lies_in_its_bucket_of_four_percent() -> None:
    rng = random.Random(1)
    for duration_s in (1.0, 1.04, *(rng.lognormvariate(-1, 1.5) for _ in range(5000))):
        number = rollups.bucket_of(duration_s)
        assert rollups.GAMMA ** (number - 1) < duration_s <= rollups.GAMMA**number * (1 + 1e-12)


def test_only_good_results_are_timed() -> None:
    mixed = [
        result(duration_s=duration, outcome=outcome)
        for duration, outcome in zip((1.0, 2.0, 30.0, 40.0), Outcome, strict=True)
    ]
    summary = summarize(mixed)
    assert (summary.timed, summary.sum_s, summary.min_s, summary.max_s) == (2, 3.0, 1.0, 2.0)
    assert summary.outcomes == dict.fromkeys(Outcome, 1)


def test_nothing_packs_to_itself() -> None:
    empty = summarize([])
    assert rollups.unpack(rollups.pack(empty)) == empty


def test_a_duration_of_zero_has_a_bucket() -> None:
    assert [1] == list(summarize([result(duration_s=0.0)]).histogram.values())
