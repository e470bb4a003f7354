"""Attempts: claims, outcomes, retries, and what becomes of an attempt nobody can vouch for."""

from datetime import timedelta

import pytest

from sentinel.playbook.attempt import MAX_LOST, outcome
from sentinel.playbook.decision import Claimed, ClaimRefused, Found, Gate, StepResult
from sentinel.playbook.playbook import OnFailure, StepRetry
from sentinel.timeline.run_facts import StepIgnored, StepRetrying, StepStarted
from sentinel.words import Seconds
from tests.playbook.builders import NINE, Call, Play, done, failed, playbook, ref, step, unsure

NOT_DONE, IS_DONE = Found("not_done"), Found("done", {"json": {"ratio": 0.4}})
KEYED = {"writes": True, "key": ("incident.id", "labels.vendor")}


def refusal(claimed: Claimed | ClaimRefused) -> str:
    assert isinstance(claimed, ClaimRefused)
    return claimed.reason


def test_a_claim_renders_inputs_and_bounds_the_attempt() -> None:
    play = Play(playbook(step("a", Call({"vendor": ref("labels.vendor")}), timeout_s=Seconds(30))))
    claimed = play.claimed("a")
    assert {"with_": {"vendor": "acmepay"}} == claimed.inputs
    assert (1, NINE + timedelta(seconds=30)) == (claimed.attempt, claimed.deadline_at)


def test_an_attempt_never_outlives_its_part_of_the_run() -> None:
    play = Play(playbook(step("a", timeout_s=Seconds(600)), timeout_s=Seconds(700)))
    play.later(seconds=400)
    assert NINE + timedelta(seconds=700) == play.claimed("a").deadline_at


def test_a_running_step_is_not_claimed_twice() -> None:
    play = Play(playbook(step("a")))
    play.claimed("a")
    assert "not_claimable" == refusal(play.claim("a"))


def test_the_kill_switch_stops_every_claim_and_the_step_stays_ready() -> None:
    play = Play(playbook(step("a")), gate=Gate(automation_on=False))
    assert "automation_off" == refusal(play.claim("a"))
    play.gate = Gate()
    assert isinstance(play.claim("a"), Claimed)


def test_maintenance_pauses_writes_only_and_never_an_undo() -> None:
    play = Play(
        playbook(
            step("read"),
            step("write", writes=True, rollback=step("restore", writes=True)),
            step("check", on_failure=OnFailure.rollback),
        )
    )
    play.gate = Gate(paused_by="acme-deploy")
    play.do("read")
    assert "maintenance" == refusal(play.claim("write"))
    play.gate = Gate()
    play.do("write")
    play.do("check", failed())
    play.gate = Gate(paused_by="acme-deploy")
    play.do("write.undo")
    assert "rolled_back" == play.statuses()["write"]


def test_a_write_without_its_guards_place_fails_at_the_door_and_is_told() -> None:
    play = Play(playbook(step("a", writes=True)))
    play.gate = Gate(guard_lost=True)
    assert "guard_lost" == refusal(play.claim("a"))
    assert ("failed", "limit", ["limit"]) == (
        play.run.status,
        play.run.step("a").reason,
        play.escalated,
    )


def test_a_claim_after_the_runs_deadline_finds_nothing_to_do() -> None:
    play = Play(playbook(step("a"), timeout_s=Seconds(60)))
    play.now += timedelta(seconds=60)
    assert "not_claimable" == refusal(play.claim("a"))
    assert "timed_out" == play.run.status


def test_a_late_or_foreign_outcome_is_recorded_and_changes_nothing() -> None:
    play = Play(playbook(step("a"), step("b")))
    play.do("a")
    play.claimed("b")
    for name, attempt, epoch in [("a", 1, 1), ("b", 2, 2), ("b", 1, 1)]:
        late = outcome(
            play.run, play.playbook, name, play.context,
            attempt=attempt, epoch=epoch, result=failed(),
        )  # fmt: skip
        assert ("late", play.run) == (late.refused, late.run)
        assert [StepIgnored("run1", name, "failed", "late")] == [f.what for f in late.facts]


def test_outputs_are_evaluated_and_kept() -> None:
    play = Play(playbook(step("a", outputs={"ratio": "json.ratio", "twice": "json.ratio * 2.0"})))
    play.do("a", done(ratio=0.5))
    assert {"ratio": 0.5, "twice": 1.0} == play.run.step("a").outputs


@pytest.mark.parametrize("values", [{}, {"ratio": "x" * 70_000}, {"ratio": float("nan")}])
def test_outputs_missing_too_large_or_no_json_turn_success_into_failure(values: dict) -> None:
    play = Play(playbook(step("a", outputs={"ratio": "json.ratio"})))
    play.do("a", done(**values))
    assert ("failed", "output_schema") == (play.run.status, play.run.reason)


def test_a_transient_failure_is_tried_again_as_often_as_declared() -> None:
    play = Play(playbook(step("a", retry=StepRetry(times=2))))
    for _ in range(2):
        play.do("a", failed("connect", retryable=True))
        assert "retrying" == play.statuses()["a"]
        play.now = play.run.step("a").due_at
    play.do("a", failed("connect", retryable=True))
    assert ("failed", 3) == (play.statuses()["a"], play.run.step("a").attempt)


def test_a_retry_waits_and_is_not_claimed_before() -> None:
    play = Play(playbook(step("a", retry=StepRetry(times=1, base_s=Seconds(60)))))
    play.do("a", failed("connect", retryable=True))
    assert NINE < play.run.step("a").due_at <= NINE + timedelta(seconds=60)
    assert "not_due" == refusal(play.claim("a"))


def test_the_jitter_is_the_same_in_every_replay() -> None:
    def due() -> list[object]:
        play = Play(playbook(step("a", retry=StepRetry(times=3, base_s=Seconds(8)))))
        found = []
        for _ in range(3):
            play.do("a", failed("connect", retryable=True))
            play.now = play.run.step("a").due_at
            found.append(play.now)
        return found

    assert due() == due()
    assert 3 == len(set(due()))


def test_retry_after_is_honoured_up_to_the_cap() -> None:
    play = Play(playbook(step("a", retry=StepRetry(times=1, cap_s=Seconds(20)))))
    play.do("a", failed("http_429", retryable=True, retry_after_s=900.0))
    assert NINE + timedelta(seconds=20) == play.run.step("a").due_at


def test_what_is_certain_and_final_is_not_tried_again() -> None:
    play = Play(playbook(step("a", retry=StepRetry(times=5))))
    play.do("a", failed("http_404"))
    assert "failed" == play.statuses()["a"]


def test_there_is_no_retry_that_could_only_begin_after_the_deadline() -> None:
    play = Play(
        playbook(step("a", retry=StepRetry(times=1, cap_s=Seconds(60))), timeout_s=Seconds(60))
    )
    play.do("a", failed("http_503", retryable=True, retry_after_s=60.0))
    assert ("failed", "http_503") == (play.statuses()["a"], play.run.step("a").reason)


def test_a_write_without_a_key_is_never_tried_again() -> None:
    play = Play(playbook(step("a", writes=True, retry=StepRetry(times=5))))
    play.do("a", failed("connect", retryable=True))
    assert "failed" == play.statuses()["a"]


def test_every_attempt_of_a_keyed_write_has_the_same_key() -> None:
    play = Play(playbook(step("a", retry=StepRetry(times=1), **KEYED)))
    first = play.claimed("a").key
    play.report("a", unsure())
    play.now = play.run.step("a").due_at
    assert first == play.claimed("a").key == "payment-vendor/a/abcd1234/acmepay"


def test_the_key_cannot_be_imitated_by_a_value() -> None:
    play = Play(playbook(step("a", **KEYED)), incident={"id": "x/acmepay"})
    assert "payment-vendor/a/x%2Facmepay/acmepay" == play.run.step("a").key


def test_a_retried_write_never_carries_other_inputs_under_its_key() -> None:
    plan = playbook(step("a", Call(ref("incident.title")), retry=StepRetry(times=1), **KEYED))
    play = Play(plan)
    play.do("a", failed("connect", retryable=True))
    play.incident["title"] = "something else"
    play.now = play.run.step("a").due_at
    assert "inputs_changed" == refusal(play.claim("a"))
    assert ("failed", "retry_inputs_changed") == (
        play.statuses()["a"],
        play.run.step("a").reason,
    )


def test_the_started_fact_says_what_really_ran() -> None:
    play = Play(playbook(step("a", Call(ref("incident.title")))))
    before = play.run.step("a").inputs_digest
    play.incident["title"] = "something else"
    play.claimed("a")
    started = play.facts[-1].what
    assert isinstance(started, StepStarted)
    assert before != started.inputs_digest == play.run.step("a").inputs_digest


def test_a_read_in_doubt_counts_as_failed_and_may_be_tried_again() -> None:
    play = Play(playbook(step("a", retry=StepRetry(times=1))))
    play.do("a", unsure())
    assert "retrying" == play.statuses()["a"]
    play.now = play.run.step("a").due_at
    play.do("a", unsure())
    assert "timed_out" == play.statuses()["a"]


def test_a_write_in_doubt_asks_a_person() -> None:
    play = Play(playbook(step("a", writes=True), step("b"), owner="team/payments"))
    play.do("a", unsure())
    state = play.run.step("a")
    assert ("waiting_human", "indeterminate", ("ana", "bo")) == (
        state.status,
        state.wait_kind,
        state.asked,
    )
    assert ["indeterminate"] == play.escalated
    assert "waiting" == play.run.status


@pytest.mark.parametrize(
    ("word", "status"), [("done", "succeeded"), ("not_done", "ready"), ("skip", "skipped")]
)
def test_a_person_settles_what_is_in_doubt(word: str, status: str) -> None:
    play = Play(playbook(step("a", writes=True), step("b")))
    play.do("a", unsure())
    key = play.run.step("a").key
    play.say("a", word)
    assert (status, key) == (play.statuses()["a"], play.run.step("a").key)


def test_nobody_settles_it_before_the_deadline_so_it_failed() -> None:
    play = Play(playbook(step("a", writes=True), timeout_s=Seconds(600)))
    play.do("a", unsure())
    play.later(minutes=10)
    assert ("failed", "not_answered") == (play.statuses()["a"], play.run.step("a").reason)
    assert "timed_out" == play.run.status


def test_looking_it_up_settles_an_unsure_write() -> None:
    plan = playbook(step("a", writes=True, outputs={"ratio": "json.ratio"}))
    play = Play(plan)
    play.claimed("a")
    play.report("a", unsure(), found=IS_DONE)
    assert ({"ratio": 0.4}, "succeeded") == (play.run.step("a").outputs, play.run.status)
    again = Play(plan)
    again.claimed("a")
    again.report("a", unsure(), found=NOT_DONE)
    assert ("ready", 1, ["a"]) == (
        again.statuses()["a"],
        again.run.step("a").attempt,
        again.ready(),
    )


def test_a_lost_read_is_repeated_without_using_up_a_retry() -> None:
    play = Play(playbook(step("a")))
    play.claimed("a")
    play.lose("a")
    fact = play.facts[-1].what
    assert isinstance(fact, StepRetrying)
    assert ("node_lost", NINE) == (fact.reason, fact.due_at)
    play.do("a")
    assert "succeeded" == play.run.status


def test_a_lost_keyed_write_is_repeated_under_the_same_key() -> None:
    play = Play(playbook(step("a", **KEYED)))
    key = play.claimed("a").key
    play.lose("a")
    assert key == play.claimed("a").key


@pytest.mark.parametrize("keys", [{"writes": True}, {**KEYED, "repeatable": False}])
def test_a_lost_write_that_may_not_be_repeated_asks_a_person(keys: dict) -> None:
    play = Play(playbook(step("a", **keys)))
    play.claimed("a")
    play.lose("a")
    assert ("waiting_human", "node_lost") == (play.statuses()["a"], play.run.step("a").reason)


def test_a_lost_write_is_looked_up_first() -> None:
    for found, status in [(IS_DONE, "succeeded"), (NOT_DONE, "ready")]:
        play = Play(playbook(step("a", writes=True)))
        play.claimed("a")
        play.lose("a", found)
        assert status == play.statuses()["a"]


def test_a_step_that_loses_its_node_again_and_again_ends_with_a_person() -> None:
    play = Play(playbook(step("a", **KEYED)))
    for _ in range(MAX_LOST):
        play.claimed("a")
        play.lose("a")
    play.claimed("a")
    play.lose("a")
    assert "waiting_human" == play.statuses()["a"]


def test_a_step_with_an_outcome_is_not_recovered() -> None:
    play = Play(playbook(step("a"), step("b")))
    play.do("a")
    assert "not_running" == play.lose("a").refused


def test_an_actions_own_reason_cannot_pose_as_one_of_ours() -> None:
    play = Play(playbook(step("a")))
    play.do("a", StepResult("failed", "condition_error"))
    assert "action_condition_error" == play.run.step("a").reason


def test_an_undo_in_doubt_leaves_the_run_stuck() -> None:
    play = Play(
        playbook(
            step("a", rollback=step("restore", writes=True)),
            step("b", on_failure=OnFailure.rollback),
        )
    )
    play.do("a")
    play.do("b", failed())
    play.do("a.undo", unsure())
    assert ("stuck", "rollback_failed") == (play.run.status, play.statuses()["a"])
    assert ["indeterminate", "stuck"] == play.escalated
