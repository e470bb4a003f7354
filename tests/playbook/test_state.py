"""The fold refuses what the tables do not allow, whoever wrote it."""

from datetime import timedelta

import pytest

from sentinel.playbook.playbook import WaitSpan
from sentinel.playbook.state import apply
from sentinel.playbook.table import StepStatus
from sentinel.timeline.run_facts import (
    RunConcluded,
    RunQueued,
    RunStarted,
    StepAnswered,
    StepFinished,
    StepIgnored,
    StepReady,
    StepRetrying,
    StepStarted,
    StepWaiting,
)
from sentinel.words import Outcome, Seconds, Severity
from tests.playbook.builders import NINE, Play, done, playbook, step

END = NINE + timedelta(hours=1)


def finished(name: str, state: StepStatus, reason: str = "") -> StepFinished:
    return StepFinished("run1", name, 1, str(state), Outcome.unknown, str(state), reason)


FACTS = [
    StepReady("run1", "a", 1, "k", NINE, END),
    StepStarted("run1", "a", 1, "k", "n1", 1),
    StepWaiting("run1", "a", "wait", END),
    StepWaiting("run1", "a", "approval", END),
    StepRetrying("run1", "a", 1, NINE, "connect"),
    StepAnswered("run1", "a", "ana", "approved"),
    *(finished("a", status) for status in list(StepStatus)[7:]),
]


def test_a_step_that_ended_takes_no_further_fact() -> None:
    play = Play(playbook(step("a"), step("b")))
    play.do("a")
    for fact in FACTS:
        with pytest.raises(ValueError, match="`a` has ended as succeeded"):
            apply({"run1": play.run}, fact, NINE)


def test_a_late_answer_is_recorded_and_changes_nothing() -> None:
    play = Play(playbook(step("a"), step("b")))
    play.do("a")
    late = StepIgnored("run1", "a", "done", "late")
    assert {"run1": play.run} == apply({"run1": play.run}, late, NINE)


def test_a_finished_run_takes_no_further_step() -> None:
    play = Play(playbook(step("a")))
    play.do("a", done())
    assert play.run.ended
    for fact in FACTS:
        with pytest.raises(ValueError, match="run run1 is succeeded"):
            apply({"run1": play.run}, fact, NINE)


def test_a_run_begins_once_and_only_by_being_queued() -> None:
    queued = RunQueued("run1", "p", "d", 1, "guard/p/-", {}, Severity.error)
    runs = apply({}, queued, NINE)
    with pytest.raises(ValueError, match="queued before"):
        apply(runs, queued, NINE)
    with pytest.raises(ValueError, match="never queued"):
        apply(runs, RunStarted("run2", END), NINE)
    with pytest.raises(ValueError, match="queued cannot take `succeeded`"):
        apply(runs, RunConcluded("run1", "succeeded"), NINE)


def test_a_condition_error_can_only_end_what_has_not_begun() -> None:
    play = Play(playbook(step("a")))
    with pytest.raises(ValueError, match="ready cannot take `condition_error`"):
        apply({"run1": play.run}, finished("a", StepStatus.failed, "condition_error"), NINE)


def test_a_run_is_shown_waiting_only_while_nothing_else_goes_on() -> None:
    play = Play(playbook(step("a", needs=()), step("w", WaitSpan(Seconds(60)), needs=())))
    assert play.run.status == "running"
    play.do("a")
    assert play.run.status == "waiting"
