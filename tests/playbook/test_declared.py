"""A playbook's own tests, played."""

from sentinel.playbook.declared import play
from sentinel.playbook.playbook import (
    OnFailure,
    PlaybookTest,
    WaitApproval,
    WaitChecklist,
    WaitHealthy,
    WaitSpan,
)
from sentinel.words import Outcome, Seconds, Severity
from tests.playbook.builders import playbook, step

PLAN = playbook(
    step("vendor_page"),
    step("measure", outputs={"ratio": "json.ratio"}),
    step(
        "ok_to_switch",
        WaitApproval("escalation/storefront"),
        when="steps.measure.outputs.ratio < 0.9",
        timeout_s=Seconds(600),
    ),
    step("switch", needs=("ok_to_switch",), writes=True, rollback=step("undo")),
    step(
        "verify",
        WaitHealthy("acme-checkout", 3),
        needs=("switch",),
        timeout_s=Seconds(480),
        on_failure=OnFailure.rollback,
    ),
    lastly=(step("tell"),),
    when="severity >= error && has(labels.vendor)",
)


def given(**keys: object) -> PlaybookTest:
    keys.setdefault("outputs", {"measure": {"ratio": 0.61}})
    keys.setdefault("outcomes", {})
    keys.setdefault("conclusion", "")
    return PlaybookTest("t", {"vendor": "acmepay"}, Severity.error, **keys)  # type: ignore[arg-type]


def test_nobody_approves_and_nothing_is_switched() -> None:
    played = play(PLAN, given(conclusion="failed", not_called=("switch",)))
    assert () == played.problems
    assert ("vendor_page", "measure", "ok_to_switch", "tell") == played.called


def test_an_approved_switch_is_verified() -> None:
    played = play(
        PLAN,
        given(
            outcomes={"ok_to_switch": Outcome.ok},
            conclusion="succeeded",
            called=("switch", "verify"),
        ),
    )
    assert () == played.problems


def test_a_switch_that_does_not_help_is_undone() -> None:
    outcomes = {"ok_to_switch": Outcome.ok, "verify": Outcome.failed}
    played = play(PLAN, given(outcomes=outcomes, conclusion="failed"))
    assert ((), True) == (played.problems, "switch.undo" in played.called)


def test_a_refused_approval_ends_it() -> None:
    played = play(PLAN, given(outcomes={"ok_to_switch": Outcome.failed}, not_called=("switch",)))
    assert ((), "failed") == (played.problems, played.conclusion)


def test_a_step_left_in_doubt_waits_for_a_person_until_the_run_is_out_of_time() -> None:
    outcomes = {"ok_to_switch": Outcome.ok, "switch": Outcome.unknown}
    assert "timed_out" == play(PLAN, given(outcomes=outcomes)).conclusion


def test_a_good_ratio_skips_the_approval_and_omits_the_switch() -> None:
    played = play(
        PLAN,
        given(
            outputs={"measure": {"ratio": 0.99}},
            conclusion="succeeded",
            not_called=("switch", "verify"),
        ),
    )
    assert () == played.problems


def test_what_does_not_come_true_is_said() -> None:
    played = play(
        PLAN, given(conclusion="succeeded", called=("switch",), not_called=("measure", "mesure"))
    )
    assert (
        "expected the conclusion succeeded, it was failed",
        "there is no step `mesure`",
        "expected `switch` to be called, it was not",
        "expected `measure` not to be called, it was",
    ) == played.problems


def test_a_playbook_that_does_not_match_what_is_given_is_unmatched() -> None:
    test = PlaybookTest("t", {}, Severity.error, {}, {}, "unmatched")
    assert ((), ()) == (play(PLAN, test).problems, play(PLAN, test).called)


def test_a_when_that_fails_is_a_problem() -> None:
    plan = playbook(step("a"), when="labels.nothing == '1'")
    assert "could not be evaluated" in play(plan, given(outputs={})).problems[0]


def test_waits_pass_at_once_in_a_declared_test() -> None:
    plan = playbook(
        step("look", WaitChecklist(("one", "two")), timeout_s=Seconds(3000)),
        step("pause", WaitSpan(Seconds(3000))),
    )
    played = play(plan, given(outputs={}, outcomes={"look": Outcome.ok}, conclusion="succeeded"))
    assert ((), ("look", "pause")) == (played.problems, played.called)
