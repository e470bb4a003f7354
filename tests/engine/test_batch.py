"""What waits for a commit, how long, and how much of it."""

from datetime import timedelta

from sentinel.engine import batch as batches
from sentinel.engine.batch import FEW_STEADY, MOST_RESULTS, Batch
from sentinel.engine.runner import Runner
from sentinel.store.journal import InboxRow
from sentinel.timeline.codec import instant
from tests.monitor.builders import NOON, a_probe, a_result, after

MINUTE = timedelta(minutes=1)


class Dropped:
    count = 0

    def __call__(self, count: int) -> None:
        self.count += count


def a_batch() -> tuple[Batch, Dropped]:
    dropped = Dropped()
    return Batch("local", on_dropped=dropped), dropped


def runners(count: int) -> list[Runner]:
    made = [Runner(a_probe(id=f"p{i}")) for i in range(count)]
    for runner in made:
        runner.state = after("ooo")
    return made


def test_few_steady_states_are_written_with_their_results():
    batch, _ = a_batch()
    for runner in runners(FEW_STEADY):
        batch.add(runner, a_result(probe=runner.probe.id), steady=True)
    assert len(batch.take(NOON).rows) == FEW_STEADY
    assert not batch


def test_of_many_steady_states_each_is_written_once_in_five_minutes_and_all_others_at_once():
    batch, _ = a_batch()
    many = runners(FEW_STEADY + 50)

    def written(slot: int, minutes: float) -> int:
        for runner in many:
            result = a_result(slot=slot, probe=runner.probe.id)
            batch.add(runner, result, steady=runner is not many[0])
        return len(batch.take(NOON + minutes * MINUTE).rows)

    everyone = FEW_STEADY + 50
    asked = [(0, 0), (0, 4.9), (0, 5), (5, 5.1), (5, 9.9), (10, 10)]
    assert [1, 1, everyone, 1, 1, everyone] == [written(slot, at) for slot, at in asked]


def test_at_the_end_steady_states_wait_no_longer():
    batch, _ = a_batch()
    many = runners(FEW_STEADY + 50)
    for runner in many:
        batch.add(runner, a_result(probe=runner.probe.id), steady=True)
    assert not batch.take(NOON).rows
    assert not batch
    batch.hurry()
    assert len(batch.take(NOON).rows) == len(many)


def test_rows_of_a_probe_are_each_later_than_the_one_before():
    batch, _ = a_batch()
    (runner,) = runners(1)
    slots = []
    for _ in range(3):
        batch.touch(runner)
        slots.append(batch.take(NOON).rows["p0"].slot_at)
    assert sorted(set(slots)) == slots


def test_what_is_given_back_comes_before_what_came_since_and_yields_to_what_is_newer():
    batch, _ = a_batch()
    (runner,) = runners(1)
    batch.add(runner, a_result(slot=1, probe="p0"), steady=False)
    batch.tell("p0", InboxRow("old", "verdict", {}, NOON))
    taken = batch.take(NOON)
    batch.add(runner, a_result(slot=2, probe="p0"), steady=False)
    batch.tell("p0", InboxRow("new", "verdict", {}, NOON))
    batch.give_back(taken)
    again = batch.take(NOON).change()
    assert [1, 2] == [round((instant(r.due_at) - NOON) / MINUTE) for r in again.results]
    assert ["new"] == [row.id for row in again.inbox]
    assert len(again.probe_states) == 1


def test_while_nothing_is_taken_only_the_newest_results_stay():
    batch, dropped = a_batch()
    (runner,) = runners(1)
    for slot in range(MOST_RESULTS + 10):
        batch.add(runner, a_result(slot=slot, probe="p0"), steady=False)
    batch.give_back(batch.take(NOON))
    assert (MOST_RESULTS, 10) == (batch.results, dropped.count)
    assert instant(batch.take(NOON).results[0].due_at) == NOON + 10 * MINUTE


def test_evidence_that_waits_is_bounded():
    batch, _ = a_batch()
    piece = b"x" * (batches.MOST_EVIDENCE_BYTES // 4)
    for number in range(6):
        batch.keep(str(number), piece)
    batch.give_back(batch.take(NOON))
    assert ["2", "3", "4", "5"] == list(batch.take(NOON).evidence)


def test_a_removed_probe_has_one_last_row():
    batch, _ = a_batch()
    (runner,) = runners(1)
    batch.add(runner, a_result(probe="p0"), steady=True)
    batch.touch(runner)
    last = Runner(a_probe(id="p0")).row("local")
    batch.drop(last)
    assert [last] == list(batch.take(NOON).rows.values())
