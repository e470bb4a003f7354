"""Guards: cooldown, counts, breadth, circuit, places; as scripts and against the obvious loop."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.expression import compile_expression
from sentinel.playbook.context import MATCH_NAMES
from sentinel.playbook.guard import (
    Admitted,
    GuardRefusal,
    GuardState,
    Queued,
    admit,
    apply_guard,
    close_circuit,
    guard_key,
    last_admitted,
    release,
)
from sentinel.playbook.playbook import Limits
from sentinel.timeline.facts import Fact
from sentinel.words import Seconds
from tests.playbook.builders import LABELS, NINE, playbook


class Door:
    """A guard with its clock, folded from its facts alone."""

    def __init__(self, **limits: Any) -> None:
        self.limits = Limits(**limits)
        self.now = NINE
        self.state = GuardState()
        self.others: dict[str, datetime] = {}
        self.automation_on = True

    def take(self, facts: tuple[Fact, ...]) -> None:
        for fact in facts:
            self.state = apply_guard(self.state, fact.what, fact.occurred_at)  # type: ignore[arg-type]

    def ask(self, run: str) -> Admitted | Queued | GuardRefusal:
        answer = admit(
            self.state, self.limits, run=run, incident=f"of-{run}", others=self.others,
            automation_on=self.automation_on, now=self.now,
        )  # fmt: skip
        self.take(answer.facts)
        return answer

    def reason(self, run: str) -> str:
        answer = self.ask(run)
        return answer.reason if isinstance(answer, GuardRefusal) else ""

    def back(self, run: str, remedied: bool | None = True) -> Any:
        released = release(self.state, self.limits, run=run, remedied=remedied, now=self.now)
        self.take(released.facts)
        return released

    def through(self, run: str, remedied: bool | None = True) -> Any:
        assert isinstance(self.ask(run), Admitted)
        return self.back(run, remedied)


def test_a_second_run_waits_and_a_third_takes_its_place() -> None:
    door = Door()
    assert isinstance(door.ask("a"), Admitted)
    assert isinstance(door.ask("b"), Queued)
    third = door.ask("c")
    assert isinstance(third, Queued)
    assert ("b", "of-b") == third.replaced
    assert ("c", "of-c") == door.back("a").next
    assert isinstance(door.ask("c"), Admitted)
    assert door.state.waiting is None


def test_to_ask_again_while_waiting_or_running_changes_nothing() -> None:
    door = Door()
    door.ask("a")
    door.ask("b")
    assert () == door.ask("a").facts == door.ask("b").facts


def test_a_playbook_that_skips_does_not_wait() -> None:
    door = Door(then="skip")
    door.ask("a")
    assert "at_once" == door.reason("b")


def test_a_cooldown_counts_from_the_end_of_the_last_run() -> None:
    door = Door(cooldown_s=Seconds(1800))
    door.ask("a")
    door.now += timedelta(hours=1)
    door.back("a")
    door.now += timedelta(seconds=1799)
    assert "cooldown" == door.reason("b")
    door.now += timedelta(seconds=1)
    assert "" == door.reason("b")


def test_a_run_that_waited_is_let_go_when_the_cooldown_forbids_it() -> None:
    door = Door(cooldown_s=Seconds(1800))
    door.ask("a")
    door.ask("b")
    door.back("a")
    assert "cooldown" == door.reason("b")
    assert door.state.waiting is None


def test_so_many_runs_in_a_window_and_no_more() -> None:
    door = Door(runs=2, runs_in_s=Seconds(3600))
    door.through("a")
    door.now += timedelta(minutes=30)
    door.through("b")
    assert "runs" == door.reason("c")
    door.now += timedelta(minutes=30)
    assert "" == door.reason("c")


def test_so_many_different_targets_and_no_more() -> None:
    door = Door(targets=2, runs_in_s=Seconds(3600))
    door.others = {"guard/p/x": NINE, "guard/p/y": NINE - timedelta(hours=2)}
    door.through("a")
    door.others = {"guard/p/x": NINE, "guard/p/z": NINE}
    assert "targets" == door.reason("b")


def test_two_failed_remediations_in_a_row_open_the_circuit_until_a_person_closes_it() -> None:
    door = Door(failures=2)
    door.through("a", remedied=False)
    door.through("b", remedied=None)
    assert door.through("c", remedied=False).opened
    assert "circuit" == door.reason("d")
    door.take(close_circuit(door.state, by="ana", now=door.now))
    door.through("e", remedied=False)
    assert "" == door.reason("f")


def test_a_remedy_that_worked_forgives_the_failure_before_it() -> None:
    door = Door(failures=2)
    for run, remedied in [("a", False), ("b", True), ("c", False)]:
        assert not door.through(run, remedied=remedied).opened


def test_the_kill_switch_stops_all_even_what_waits() -> None:
    door = Door()
    door.ask("a")
    door.ask("b")
    door.automation_on = False
    assert "automation_off" == door.reason("b")
    assert (None, {"a": "of-a"}) == (door.state.waiting, door.state.running)


def test_a_place_is_given_back_once() -> None:
    door = Door()
    door.through("a")
    assert () == door.back("a").facts
    assert NINE == last_admitted(door.state)


def key(*parts: str, **labels: str) -> str:
    limits = Limits(key=tuple(compile_expression(part, MATCH_NAMES) for part in parts))
    return guard_key(playbook(limits=limits), {"labels": {**LABELS, **labels}})


def test_a_guard_is_named_by_its_playbook_and_values() -> None:
    assert "guard/payment-vendor/acme/acmepay" == key("labels.client", "labels.vendor")
    assert "guard/payment-vendor/-" == key()


def test_no_value_can_pose_as_another_guard() -> None:
    assert "guard/payment-vendor/a%2Fb/c" == key(
        "labels.client", "labels.vendor", client="a/b", vendor="c"
    )
    long = key("labels.client", client="x" * 5_000)
    assert len(long) < 250
    assert long != key("labels.client", client="x" * 5_001)


def test_what_cannot_be_evaluated_shares_one_guard_instead_of_escaping_it() -> None:
    assert "guard/payment-vendor/!" == key("labels.nothing")
    assert "guard/payment-vendor/%21" == key("labels.client", client="!")


moves = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from(["ask", "good", "bad", "none", "wait"])),
    max_size=40,
)


@given(moves, st.integers(1, 2), st.integers(0, 3), st.sampled_from([0, 60, 600]))
def test_no_order_of_events_breaks_a_bound(
    events: list[tuple[str, str]], at_once: int, runs: int, cooldown_s: int
) -> None:
    door = Door(at_once=at_once, runs=runs, runs_in_s=Seconds(900), cooldown_s=Seconds(cooldown_s))
    admitted: list[datetime] = []
    released = failures = 0
    for number, (run, move) in enumerate(events):
        if move == "wait":
            door.now += timedelta(seconds=100)
        elif move == "ask":
            before, refused_as = door.state, door.ask(f"{run}{number}")
            if isinstance(refused_as, Admitted):
                admitted.append(door.now)
                assert not before.circuit_open
                assert not (released and cooldown_s) or door.now >= before.released_at + timedelta(
                    seconds=cooldown_s
                )
        elif door.state.running:
            remedied = {"good": True, "bad": False, "none": None}[move]
            door.back(next(iter(door.state.running)), remedied)
            released += 1
            if remedied is not None:
                failures = 0 if remedied else failures + 1
        assert len(door.state.running) <= at_once
        recent = [at for at in admitted if at > door.now - timedelta(seconds=900)]
        assert not runs or len(recent) <= runs
        assert door.state.failures == failures
        assert door.state.circuit_open == (failures >= 2) or door.state.circuit_open


@pytest.mark.parametrize("reason", ["runs", "targets", "circuit"])
def test_a_limit_is_a_refusal_even_while_another_run_holds_the_place(reason: str) -> None:
    limits = {"runs": {"runs": 1}, "targets": {"targets": 1}, "circuit": {}}[reason]
    door = Door(**limits, runs_in_s=Seconds(3600), failures=1)
    if reason == "circuit":
        door.through("x", remedied=False)
    else:
        door.ask("x")
        door.others = {"guard/p/x": NINE}
    assert reason == door.reason("y")
