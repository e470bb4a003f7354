"""When what waits is committed."""

import asyncio
from datetime import timedelta

from sentinel.engine.batch import FEW_STEADY, verdict_row
from sentinel.engine.committer import Committer
from sentinel.engine.runner import Runner
from sentinel.metrics.registry import Metrics
from sentinel.testing import ManualClock
from tests.engine.watching import Journal, a_journal, played
from tests.monitor.builders import NOON, a_probe, a_result, after


def a_committer(clock: ManualClock) -> tuple[Committer, Journal, list[bool]]:
    journal, took = a_journal(), []
    committer = Committer(
        location="local",
        journal=journal,
        clock=clock,
        metrics=Metrics(),
        on_journal=took.append,
        on_fault=lambda fault: None,
    )
    return committer, journal, took


def a_runner(id: str = "p") -> Runner:
    runner = Runner(a_probe(id=id))
    runner.state = after("ooo")
    return runner


@played
async def test_what_turns_while_a_commit_is_under_way_is_committed_right_after_it():
    clock = ManualClock(NOON)
    committer, journal, _ = a_committer(clock)
    journal.gate = asyncio.Event()
    committer.start()
    for slot in (1, 2, 3):
        result = a_result("f", slot=slot, probe="p")
        committer.add(a_runner(), result, steady=False)
        committer.tell("p", verdict_row(result, NOON))
        await clock.settle()
    journal.gate.set()
    await clock.settle()
    assert [1, 2] == [len(change.results) for change in journal.changes]
    await committer.close()


@played
async def test_what_does_not_turn_waits_for_its_second_also_after_a_commit():
    clock = ManualClock(NOON)
    committer, journal, _ = a_committer(clock)
    committer.start()
    for slot in range(10):
        committer.add(a_runner(), a_result(slot=slot, probe="p"), steady=False)
        await clock.advance(timedelta(milliseconds=300))
    assert [4, 4] == [len(change.results) for change in journal.changes]
    await committer.close()
    assert [4, 4, 2] == [len(change.results) for change in journal.changes]


@played
async def test_the_last_commit_leaves_no_state_behind():
    clock = ManualClock(NOON)
    committer, journal, _ = a_committer(clock)
    committer.start()
    for number in range(FEW_STEADY + 1):
        committer.add(a_runner(f"p{number}"), a_result(probe=f"p{number}"), steady=True)
    await committer.close()
    assert [FEW_STEADY + 1] == [len(change.probe_states) for change in journal.changes]


@played
async def test_a_refused_commit_is_tried_again_every_second_and_said_each_time():
    clock = ManualClock(NOON)
    committer, journal, took = a_committer(clock)
    journal.refuses = True
    committer.start()
    result = a_result("f", probe="p")
    committer.add(a_runner(), result, steady=False)
    committer.tell("p", verdict_row(result, NOON))
    await clock.advance(timedelta(seconds=3.5))
    assert [False] * 4 == took
    journal.refuses = False
    await clock.advance(timedelta(seconds=0.6))
    assert ([False] * 4 + [True], 1) == (took, len(journal.changes))
    await committer.close()
