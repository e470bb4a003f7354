"""Scripts of whole runs: what is given, when something happens, then."""

from datetime import timedelta

import pytest

from sentinel.playbook.playbook import OnFailure, WaitHealthy, WaitSpan
from sentinel.playbook.run import advance, cancel, refuse, remedied
from sentinel.playbook.state import queued_run
from sentinel.timeline.run_facts import StepFinished
from sentinel.words import Seconds
from tests.playbook.builders import NINE, Call, Play, done, failed, playbook, ref, step, unsure


def test_steps_without_needs_run_one_after_another() -> None:
    play = Play(playbook(step("a"), step("b"), step("c")))
    assert play.ready() == ["a"]
    play.do("a")
    assert play.ready() == ["b"]
    play.do("b")
    play.do("c")
    assert ("succeeded", "") == (play.run.status, play.run.reason)


def test_a_step_with_empty_needs_starts_at_once() -> None:
    play = Play(playbook(step("a"), step("b", needs=())))
    assert play.ready() == ["a", "b"]


def test_a_skipped_step_lets_the_next_in_line_go_but_omits_who_needs_it() -> None:
    play = Play(playbook(step("a", when="false"), step("b"), step("c", needs=("a",))))
    assert {"a": "skipped", "b": "ready", "c": "omitted"} == play.statuses()
    play.do("b")
    assert "succeeded" == play.run.status


def test_what_needs_an_omitted_step_is_omitted_too() -> None:
    play = Play(
        playbook(
            step("a", when="false"), step("b", needs=("a",)), step("c", needs=("b",)), step("d")
        )
    )
    assert {"skipped", "omitted"} == set(play.statuses().values())
    assert "succeeded" == play.run.status


def test_a_condition_sees_outputs_of_earlier_steps() -> None:
    play = Play(
        playbook(
            step("measure", outputs={"ratio": "json.ratio"}),
            step("switch", when="steps.measure.outputs.ratio < 0.9"),
        )
    )
    play.do("measure", done(ratio=0.95))
    assert "skipped" == play.conclusions()["switch"]


def test_a_condition_that_cannot_be_evaluated_is_a_failure() -> None:
    play = Play(playbook(step("a", when="incident.nothing_here == 1"), step("b")))
    assert ("failed", "condition_error") == (play.run.status, play.run.reason)
    assert {"a": "failed", "b": "omitted"} == play.conclusions()


def test_a_condition_that_is_no_bool_is_a_failure() -> None:
    play = Play(playbook(step("a", when='"yes"')))
    assert "condition_error" == play.run.reason


def test_a_failed_step_stops_what_has_not_begun_and_lets_the_rest_end() -> None:
    play = Play(playbook(step("a"), step("b", needs=()), step("c", needs=()), step("d")))
    play.claimed("b")
    play.do("a", failed())
    assert {"a": "failed", "b": "running", "c": "cancelled", "d": "omitted"} == play.statuses()
    assert not play.run.ended
    play.report("b", done())
    assert ("failed", "refused_by_vendor") == (play.run.status, play.run.reason)
    assert "succeeded" == play.conclusions()["b"]


def test_a_handled_failure_stays_a_failure_and_the_run_goes_on() -> None:
    play = Play(
        playbook(
            step("a", on_failure=OnFailure.handled),
            step("b", needs=("a",)),
            step("c", needs=()),
        )
    )
    play.do("a", failed())
    assert ["c"] == play.ready()
    play.do("c")
    assert {"a": "failed", "b": "omitted", "c": "succeeded"} == play.conclusions()
    assert "succeeded" == play.run.status


def test_continue_on_error_keeps_the_outcome_and_changes_the_conclusion() -> None:
    play = Play(playbook(step("a", continue_on_error=True), step("b", needs=("a",))))
    play.do("a", failed())
    assert ("failed", "succeeded") == (play.run.step("a").outcome, play.run.step("a").conclusion)
    assert ["b"] == play.ready()


def test_a_failure_that_escalates_calls_the_next_level_once() -> None:
    play = Play(playbook(step("a", on_failure=OnFailure.escalate), step("b")))
    play.do("a", failed())
    assert ["step_failed"] == play.escalated
    assert "failed" == play.run.status


def test_rollback_undoes_what_succeeded_last_finished_first() -> None:
    play = Play(
        playbook(
            step("one", needs=(), rollback=step("undo_one")),
            step("two", needs=(), rollback=step("undo_two")),
            step("never", when="false", rollback=step("undo_never")),
            step("verify", on_failure=OnFailure.rollback),
            lastly=(step("tell"),),
        )
    )
    play.do("two")
    play.do("one")
    play.do("verify", failed("still_down"))
    assert ("unwinding", ["one.undo"]) == (play.run.status, play.ready())
    play.do("one.undo")
    assert ["two.undo"] == play.ready()
    play.do("two.undo")
    assert ("finalizing", ["tell"]) == (play.run.status, play.ready())
    play.do("tell")
    assert ("failed", "still_down") == (play.run.status, play.run.reason)
    assert {"one": "rolled_back", "two": "rolled_back"} == {
        name: status for name, status in play.statuses().items() if name in ("one", "two")
    }


def test_an_undo_that_fails_leaves_the_run_stuck_and_calls_somebody() -> None:
    play = Play(
        playbook(
            step("one", rollback=step("undo_one")),
            step("two", rollback=step("undo_two")),
            step("verify", on_failure=OnFailure.rollback),
            lastly=(step("tell"),),
        )
    )
    for name in ("one", "two"):
        play.do(name)
    play.do("verify", failed())
    play.do("two.undo", failed("vendor_away"))
    assert ("rollback_failed", "succeeded") == (play.statuses()["two"], play.statuses()["one"])
    assert ["stuck"] == play.escalated
    play.do("tell")
    assert "stuck" == play.run.status


def test_finally_runs_after_success_and_sees_the_conclusion() -> None:
    play = Play(playbook(step("a"), lastly=(step("tell", when='run.conclusion == "succeeded"'),)))
    play.do("a")
    assert ["tell"] == play.ready()
    play.do("tell")
    assert "succeeded" == play.run.status


def test_every_step_of_finally_runs_though_one_fails_and_the_first_error_stays() -> None:
    play = Play(playbook(step("a"), lastly=(step("tidy"), step("tell"))))
    play.do("a", failed("first"))
    play.do("tidy", failed("second"))
    play.do("tell")
    assert ("failed", "first") == (play.run.status, play.run.reason)


def test_a_failure_of_finally_alone_is_not_hidden_either() -> None:
    play = Play(playbook(step("a"), lastly=(step("tidy"),)))
    play.do("a")
    play.do("tidy", failed())
    assert ("failed", "finally_failed") == (play.run.status, play.run.reason)


def test_finally_has_its_own_budget_after_the_runs_deadline() -> None:
    play = Play(playbook(step("a"), lastly=(step("tidy"), step("tell")), timeout_s=Seconds(600)))
    play.later(minutes=10)
    assert ("finalizing", ["tidy"]) == (play.run.status, play.ready())
    assert play.run.deadline_at == play.now + timedelta(minutes=5)
    play.later(minutes=5)
    assert ("timed_out", "deadline") == (play.run.status, play.run.reason)
    assert {"a": "cancelled", "tidy": "cancelled", "tell": "omitted"} == play.conclusions()


def test_at_the_deadline_a_running_write_gets_a_grace_and_is_then_in_doubt() -> None:
    play = Play(
        playbook(
            step("read", needs=()), step("write", needs=(), writes=True), timeout_s=Seconds(600)
        )
    )
    play.claimed("read")
    play.claimed("write")
    play.later(minutes=10)
    assert "cancelling" == play.run.status
    play.later(seconds=30)
    assert {"read": "timed_out", "write": "indeterminate"} == play.statuses()
    assert ("failed", "timed_out") == (play.conclusions()["write"], play.run.status)


def test_an_answer_within_the_grace_still_counts() -> None:
    play = Play(playbook(step("write", writes=True), timeout_s=Seconds(600)))
    play.claimed("write")
    play.later(minutes=10)
    play.report("write", done())
    assert ("succeeded", "timed_out") == (play.conclusions()["write"], play.run.status)


def test_a_run_out_of_time_whose_waiting_step_asks_for_rollback_is_rolled_back() -> None:
    play = Play(
        playbook(
            step("switch", rollback=step("restore")),
            step(
                "verify",
                WaitHealthy("home"),
                timeout_s=Seconds(3600),
                on_failure=OnFailure.rollback,
            ),
            timeout_s=Seconds(600),
        )
    )
    play.do("switch")
    play.later(minutes=10)
    assert ("unwinding", ["switch.undo"]) == (play.run.status, play.ready())
    play.do("switch.undo")
    assert ("timed_out", "rolled_back") == (play.run.status, play.statuses()["switch"])


def test_cancel_starts_nothing_more_but_finally() -> None:
    play = Play(playbook(step("a"), step("b"), lastly=(step("tell"),)))
    play.claimed("a")
    play.cancel(by="ana")
    assert ("cancelling", {"a": "running", "b": "omitted"}) == (play.run.status, play.statuses())
    play.report("a", failed("killed"))
    assert ["tell"] == play.ready()
    play.do("tell")
    assert ("cancelled", "command") == (play.run.status, play.run.reason)
    assert {"a": "cancelled", "b": "omitted", "tell": "succeeded"} == play.conclusions()


def test_a_cancelled_write_that_does_not_answer_is_in_doubt() -> None:
    play = Play(playbook(step("a", writes=True)))
    play.claimed("a")
    play.cancel()
    play.report("a", unsure("killed"))
    assert ("indeterminate", "cancelled") == (play.statuses()["a"], play.conclusions()["a"])
    assert "cancelled" == play.run.status


def test_a_second_cancel_needs_force_and_then_skips_finally() -> None:
    play = Play(playbook(step("a"), lastly=(step("tell"),)))
    play.cancel()
    assert ["tell"] == play.ready()
    assert "already_ending" == play.cancel().refused
    play.cancel(force=True)
    assert ("cancelled", "forced") == (play.run.status, play.run.reason)
    assert "cancelled" == play.conclusions()["tell"]
    assert "ended" == play.cancel(force=True).refused


def test_a_forced_end_in_the_middle_of_undoing_is_stuck() -> None:
    play = Play(
        playbook(step("a", rollback=step("undo")), step("b", on_failure=OnFailure.rollback))
    )
    play.do("a")
    play.do("b", failed())
    play.cancel(force=True)
    assert ("stuck", "forced") == (play.run.status, play.run.reason)
    assert ["stuck"] == play.escalated


def test_a_queued_run_is_cancelled_without_finally_because_nothing_began() -> None:
    play = Play(playbook(step("a"), lastly=(step("tell"),)))
    queued = queued_run(play.facts[0])
    ended = cancel(queued, play.playbook, play.context, reason="resolved")
    assert ("cancelled", "resolved") == (ended.run.status, ended.run.reason)


def test_a_refused_run_is_told_to_somebody_unless_a_newer_one_took_its_place() -> None:
    play = Play(playbook(step("a")))
    queued = queued_run(play.facts[0])
    refused = refuse(queued, play.playbook, play.context, reason="cooldown")
    assert ("refused", "cooldown", ("limit",)) == (
        refused.run.status,
        refused.run.reason,
        refused.escalate,
    )
    assert () == refuse(queued, play.playbook, play.context, reason="replaced").escalate


def test_a_recovery_that_resolves_the_incident_counts_for_the_healthy_wait() -> None:
    play = Play(
        playbook(
            step("restart", writes=True, key=("incident.id",)), step("well", WaitHealthy("home", 3))
        )
    )
    play.do("restart")
    play.health = lambda probe, since: 2
    play.cancel("resolved")
    assert ("succeeded", True) == (play.run.status, play.run.verified)
    assert remedied(play.run, play.playbook) is True


def test_a_resolved_incident_starts_no_step_that_was_still_to_come() -> None:
    play = Play(playbook(step("well", WaitHealthy("home", 3)), step("more", writes=True)))
    play.health = lambda probe, since: 2
    play.cancel("resolved")
    assert ("cancelled", "omitted") == (play.run.status, play.conclusions()["more"])


def test_a_remediation_is_judged_by_the_probe_and_not_by_its_exit() -> None:
    plan = playbook(
        step("restart", writes=True), step("well", WaitHealthy("home", 2), timeout_s=Seconds(60))
    )
    play = Play(plan)
    play.do("restart")
    play.later(minutes=1)
    assert ("failed", "not_healthy") == (play.run.status, play.run.reason)
    assert remedied(play.run, plan) is False


def test_a_run_that_changed_nothing_remedied_nothing() -> None:
    play = Play(playbook(step("look"), step("fix", when="false", writes=True)))
    play.do("look", failed())
    assert remedied(play.run, play.playbook) is None


def test_a_write_without_a_healthy_wait_cannot_be_known_to_have_helped() -> None:
    play = Play(playbook(step("restart", writes=True)))
    play.do("restart")
    assert remedied(play.run, play.playbook) is None


@pytest.mark.parametrize("moment", [0, 30, 59, 60, 61, 600, 3600])
def test_to_look_twice_at_the_same_instant_changes_nothing(moment: int) -> None:
    play = Play(
        playbook(
            step("a", WaitSpan(Seconds(60))), step("b", lastly := None), timeout_s=Seconds(600)
        )
    )
    assert lastly is None
    play.later(seconds=moment)
    again = advance(play.run, play.playbook, play.context)
    assert ((), play.run, play.wake_at) == (again.facts, again.run, again.wake_at)


def test_a_run_wakes_at_the_end_of_its_wait() -> None:
    play = Play(playbook(step("a", WaitSpan(Seconds(60)))))
    assert NINE + timedelta(seconds=60) == play.wake_at
    play.later(seconds=60)
    assert "succeeded" == play.run.status
    assert play.wake_at is None


def test_inputs_that_cannot_be_rendered_are_a_failure_before_anything_is_touched() -> None:
    play = Play(playbook(step("a", Call(ref("labels.nothing")))))
    assert ("failed", "inputs_error") == (play.run.status, play.run.reason)
    last = play.facts[-3].what
    assert isinstance(last, StepFinished)
    assert "labels.nothing" in play.facts[-3].text["detail"]


def test_a_parallel_failure_in_the_same_instant_lets_nothing_begin() -> None:
    play = Play(playbook(step("a", when="incident.gone", needs=()), step("b", needs=())))
    assert {"a": "failed", "b": "omitted"} == play.conclusions()


def test_a_running_step_of_finally_has_the_same_grace_at_the_end_of_its_budget() -> None:
    play = Play(playbook(step("a"), lastly=(step("tell"),)))
    play.do("a")
    play.claimed("tell")
    play.later(minutes=5)
    assert ("finalizing", "running") == (play.run.status, play.statuses()["tell"])
    play.later(seconds=30)
    assert ("failed", "finally_failed") == (play.run.status, play.run.reason)
