"""Waits: timers, health, and people."""

from datetime import timedelta

import pytest

from sentinel.playbook.decision import Claimed, ClaimRefused
from sentinel.playbook.playbook import StepRetry, WaitApproval, WaitChecklist, WaitHealthy, WaitSpan
from sentinel.timeline.run_facts import StepWaiting
from sentinel.words import Seconds
from tests.playbook.builders import NINE, Call, Play, done, failed, playbook, ref, step

TEN = Seconds(600)


def approval(**keys: object) -> object:
    return step("ok", WaitApproval("escalation/storefront", "Switch?"), timeout_s=TEN, **keys)


def switch(**keys: object) -> object:
    return step("switch", Call(ref("labels.vendor")), needs=("ok",), writes=True, **keys)


def asks(play: Play) -> list[StepWaiting]:
    return [fact.what for fact in play.facts if isinstance(fact.what, StepWaiting)]


def test_a_timer_ends_when_its_span_is_over_whatever_the_step_timeout() -> None:
    play = Play(playbook(step("a", WaitSpan(Seconds(300)), timeout_s=Seconds(60))))
    play.later(seconds=299)
    assert "waiting" == play.run.status
    play.later(seconds=1)
    assert "succeeded" == play.run.status


def test_health_counts_only_checks_since_the_wait_began() -> None:
    play = Play(playbook(step("a", WaitSpan(Seconds(60))), step("well", WaitHealthy("home", 3))))
    asked: list[object] = []
    play.health = lambda probe, since: asked.append((probe, since)) or 3
    play.later(seconds=60)
    assert [("home", NINE + timedelta(seconds=60))] == asked
    assert ("succeeded", True) == (play.run.status, play.run.verified)


def test_health_is_looked_at_every_few_seconds_until_its_deadline() -> None:
    play = Play(playbook(step("well", WaitHealthy("home", 3), timeout_s=Seconds(480))))
    assert NINE + timedelta(seconds=5) == play.wake_at
    play.later(seconds=478)
    assert NINE + timedelta(seconds=480) == play.wake_at
    play.later(seconds=2)
    assert ("timed_out", "not_healthy") == (play.statuses()["well"], play.run.reason)


def test_an_approval_lets_go_what_waits_for_it() -> None:
    play = Play(playbook(approval(), switch()))
    assert ("ana", "bo") == asks(play)[0].asked
    play.say("ok", "approved")
    assert isinstance(play.claim("switch"), Claimed)


def test_nobody_answers_so_it_is_refused() -> None:
    play = Play(playbook(approval(), switch()))
    play.later(minutes=10)
    assert ("failed", "not_answered") == (play.run.status, play.run.reason)
    assert "omitted" == play.conclusions()["switch"]


def test_a_refusal_ends_it_at_once() -> None:
    play = Play(playbook(approval(), switch()))
    play.say("ok", "refused", by="bo")
    assert ("failed", "refused") == (play.run.status, play.run.reason)


def test_people_are_reminded_once_at_half_time_those_on_call_by_then() -> None:
    play = Play(playbook(approval(), switch()))
    assert NINE + timedelta(minutes=5) == play.wake_at
    play.people = ("kim",)
    play.later(minutes=5)
    play.later(minutes=1)
    assert [(("ana", "bo"), False), (("kim",), True)] == [
        (ask.asked, ask.reminder) for ask in asks(play)
    ]
    assert NINE + timedelta(minutes=10) == asks(play)[1].deadline_at


def test_who_asked_for_the_run_neither_is_asked_nor_may_approve() -> None:
    play = Play(playbook(approval(), switch()), requested_by="ana")
    assert ("bo",) == asks(play)[0].asked
    assert "requester" == play.say("ok", "approved", by="ana").refused
    assert "" == play.say("ok", "approved", by="bo").refused


def test_who_was_not_asked_may_not_approve_but_who_is_asked_now_may() -> None:
    play = Play(playbook(approval(), switch()))
    assert "not_asked" == play.say("ok", "approved", by="eve").refused
    play.people = ("kim",)
    assert "" == play.say("ok", "approved", by="kim").refused


def test_an_approval_without_anybody_to_ask_is_told_at_once() -> None:
    play = Play(playbook(approval(), switch()), people=("ana",), requested_by="ana")
    assert ["nobody_to_ask"] == play.escalated
    assert "waiting_human" == play.statuses()["ok"]


def test_an_answer_to_something_else_than_was_shown_is_refused() -> None:
    play = Play(playbook(approval(), switch()))
    assert "inputs_changed" == play.say("ok", "approved", inputs_digest="0" * 64).refused
    assert "inputs_changed" == play.say("ok", "approved", inputs_digest="").refused


def test_inputs_that_change_while_it_waits_ask_again_and_void_the_old_link() -> None:
    plan = playbook(approval(), step("switch", Call(ref("incident.title")), needs=("ok",)))
    play = Play(plan)
    shown = play.run.step("ok").inputs_digest
    play.incident["title"] = "another title"
    play.later(seconds=1)
    assert [False, False] == [ask.reminder for ask in asks(play)]
    assert "inputs_changed" == play.say("ok", "approved", inputs_digest=shown).refused
    play.say("ok", "approved")
    assert isinstance(play.claim("switch"), Claimed)


def test_inputs_that_change_after_the_approval_are_refused_at_the_door() -> None:
    plan = playbook(approval(), step("switch", Call(ref("incident.title")), needs=("ok",)))
    play = Play(plan)
    play.say("ok", "approved")
    play.incident["title"] = "another title"
    refused = play.claim("switch")
    assert isinstance(refused, ClaimRefused)
    assert ("approval_void", "failed") == (refused.reason, play.statuses()["switch"])
    assert ["limit"] == play.escalated


def test_an_approval_is_asked_anew_once_what_it_allows_becomes_known() -> None:
    plan = playbook(
        step("measure", needs=(), outputs={"to": "json.to"}),
        step("ok", WaitApproval("team/payments"), needs=(), timeout_s=TEN),
        step("switch", Call(ref("steps.measure.outputs.to")), needs=("ok", "measure")),
    )
    play = Play(plan)
    assert {"switch": ""} == asks(play)[0].binds
    play.do("measure", done(to="otherpay"))
    assert 64 == len(asks(play)[1].binds["switch"])
    play.say("ok", "approved")
    assert {"with_": "otherpay"} == play.claimed("switch").inputs


def test_an_answer_after_the_end_is_late() -> None:
    play = Play(playbook(approval(), switch()))
    play.now += timedelta(minutes=10)
    assert "late" == play.say("ok", "approved").refused
    assert "failed" == play.run.status


def test_a_waiting_run_can_be_cancelled() -> None:
    play = Play(playbook(approval(), switch()))
    play.cancel()
    assert ("cancelled", "cancelled") == (play.run.status, play.conclusions()["ok"])


def test_a_checklist_is_done_when_every_item_is_ticked_by_whomever() -> None:
    play = Play(playbook(step("look", WaitChecklist(("a", "b")), timeout_s=TEN)))
    play.say("look", "ticked", item=1, by="bo")
    assert "already_ticked" == play.say("look", "ticked", item=1).refused
    assert "no_such_item" == play.say("look", "ticked", item=2).refused
    assert "wrong_answer" == play.say("look", "approved").refused
    assert "waiting" == play.run.status
    play.say("look", "ticked", item=0, by="ana")
    assert "succeeded" == play.run.status
    assert ["bo", "ana"] == [answer.by for answer in play.run.step("look").answers]


@pytest.mark.parametrize("word", ["done", "ticked", "yes", ""])
def test_an_approval_takes_no_other_word(word: str) -> None:
    play = Play(playbook(approval(), switch()))
    assert "wrong_answer" == play.say("ok", word).refused


def test_a_step_that_waits_for_nobody_takes_no_answer() -> None:
    play = Play(playbook(step("a"), approval()))
    assert "not_waiting" == play.say("a", "approved").refused


def test_time_alone_voids_no_approval_and_spoils_no_retry() -> None:
    plan = playbook(
        approval(),
        step(
            "switch",
            Call(ref("now")),
            needs=("ok",),
            writes=True,
            key=("incident.id",),
            retry=StepRetry(times=1),
        ),
    )
    play = Play(plan)
    play.later(minutes=1)
    assert 1 == len(asks(play))
    play.say("ok", "approved")
    play.later(minutes=1)
    play.do("switch", failed("connect", retryable=True))
    play.later(minutes=2)
    assert "2026-03-02T09:04:00Z" == play.claimed("switch").inputs["with_"]
