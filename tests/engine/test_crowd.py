"""Many checks a second: those that end together are read together, and none is lost by it."""

from datetime import timedelta
from itertools import pairwise

import pytest

from sentinel.engine.crowd import CROWD, LONGEST, SHORTEST, TOGETHER, Crowd
from sentinel.engine.watcher import FLOOR
from sentinel.monitor.verdict import Verdict
from sentinel.timeline.codec import micros
from sentinel.words import Outcome, Seconds
from tests.engine.watching import NOON, bad, good, played, script, scripted, watching

MANY = 400


def probes():
    return [
        scripted(f"shop-{number}", every_s=Seconds(1.0), host=f"shop-{number}.example")
        for number in range(MANY)
    ]


def test_a_crowd_is_told_by_the_second_that_went_by():
    crowd = Crowd()
    told = [crowd.count(NOON + timedelta(milliseconds=each)) for each in range(1001)]
    assert told == [False] * 1000 + [True]
    assert crowd.count(NOON + timedelta(seconds=1.5))
    assert not crowd.count(NOON + timedelta(seconds=5))


def test_the_more_there_are_the_shorter_one_waits_for_others():
    def apart(checks: int) -> float:
        crowd = Crowd()
        for each in range(checks + 1):
            crowd.count(NOON + timedelta(seconds=each / checks))
        return crowd.apart.total_seconds()

    assert apart(CROWD - 1) == 0.0
    assert apart(CROWD) == LONGEST.total_seconds()
    assert apart(100) == pytest.approx(0.07, rel=0.01)
    assert apart(1000) == SHORTEST.total_seconds()


@played
async def test_checks_of_a_lively_second_start_together_and_soon():
    crowd = [scripted(f"shop-{number}", every_s=Seconds(5.0)) for number in range(500)]
    async with watching(crowd) as watch:
        await watch.advance(20)
        started = {script(probe).worlds[-1].now for probe in crowd}
        results = [result for probe in crowd for result in await watch.results(probe.id)]
    assert len(started) < 150
    late = [each.started_at - each.due_at for each in results[-500:]]
    assert -LONGEST / 2 <= min(late) < -FLOOR
    assert FLOOR < max(late) <= LONGEST / 2 + FLOOR


@played
async def test_every_check_of_a_crowd_is_counted_committed_and_checked_again():
    crowd = probes()
    async with watching(crowd) as watch:
        await watch.advance(30)
        begun = sum(len(script(probe).worlds) for probe in crowd)
        await watch.advance(TOGETHER.total_seconds() * 2)
        counted = watch.metrics.checks.of[Outcome.ok]
        await watch.advance(2)
        slots = [result.due_at for result in await watch.results("shop-7")]
    assert begun <= counted
    assert begun > 20 * MANY
    assert len(slots) == len(set(slots)) > 20
    steps = {later - earlier for earlier, later in pairwise(slots[-20:])}
    assert {timedelta(seconds=1)} == steps


@played
async def test_what_a_crowd_left_unread_is_committed_when_the_watcher_stops():
    crowd = probes()
    async with watching(crowd) as watch:
        await watch.advance(30)
        while not watch.watcher._unread:
            await watch.advance(0.001)
        waiting = [runner.probe.id for runner, _, _ in watch.watcher._unread]
        slot = watch.watcher._unread[0][1].due_at
        journal = watch.journal
    committed = [
        (result.probe, result.due_at) for change in journal.changes for result in change.results
    ]
    assert (waiting[0], micros(slot)) in committed


@played
async def test_a_check_that_may_page_is_read_at_once():
    crowd = [scripted(f"shop-{number}", every_s=Seconds(5.0)) for number in range(500)]
    async with watching(crowd) as watch:
        await watch.advance(20)
        runner, said = watch.watcher._runners["shop-7"], script(crowd[7])
        said.then(bad())
        while runner.state.state is not Verdict.pending:
            await watch.advance(0.01)
        begun = len(said.worlds)
        while len(said.worlds) == begun:
            await watch.advance(0.001)
        await watch.advance(0.001)
        assert Verdict.firing is runner.state.state


@played
async def test_a_check_that_begins_and_ends_before_its_slot_has_had_it(
    caplog: pytest.LogCaptureFixture,
):
    crowd = probes()
    async with watching(crowd) as watch:
        await watch.advance(10)
        said = script(crowd[7])
        for number in range(60):  # pending and recovering by turns: read at once
            said.then(good() if number % 2 else bad())
            await watch.advance(1)
        slots = [result.due_at for result in await watch.results("shop-7")]
        early = [r for r in await watch.results("shop-7") if r.started_at < r.due_at]
    assert early
    assert sorted(set(slots)) == slots
    assert "the clock went back" not in caplog.text


@played
async def test_a_probe_of_a_crowd_that_fails_is_believed_to():
    crowd = probes()
    async with watching(crowd) as watch:
        await watch.advance(10)
        script(crowd[7]).then(bad())
        await watch.advance(5)
        assert Verdict.firing is watch.watcher._runners["shop-7"].state.state


@played
async def test_a_probe_removed_while_its_check_is_unread_stays_gone():
    crowd = probes()
    async with watching(crowd) as watch:
        await watch.advance(10)
        while not watch.watcher._unread:
            await watch.advance(0.001)
        gone = watch.watcher._unread[0][0].probe.id
        watch.watcher.apply([probe for probe in crowd if probe.id != gone])
        await watch.advance(1)
        assert "" == watch.metrics.families.text_of(gone, "local")
