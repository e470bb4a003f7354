"""What a check comes to: expectations over what was seen."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sentinel.expression import compile_expression
from sentinel.monitor.judge import judge
from sentinel.monitor.probe import CheckResult, Deadline, Expectation, Observation
from sentinel.words import Outcome, Seconds
from tests.monitor.builders import NOON, a_probe, an_observation

OUTSIDE = frozenset({"body", "json"})
NAMES: dict[str, Any] = {
    "status": "int",
    "body": "string",
    "json": "dyn",
    "timing": {"total_s": "double"},
    "certificate": {"days_left": "int"},
    "overdue": "bool",
}
PAGE = {
    "status": 200,
    "body": "Add to basket" + "." * 500,
    "json": {"ratio": 0.5, "name": "mug"},
    "timing": {"total_s": 0.2},
    "certificate": {"days_left": 80},
}


def expects(that: str, otherwise: Outcome = Outcome.failed, reason: str = "") -> Expectation:
    return Expectation(compile_expression(that, NAMES, outside=OUTSIDE), otherwise, reason)


def judged(
    *expectations: Expectation, seen: Observation | None = None, **values: Any
) -> CheckResult:
    observation = seen or an_observation(values={**PAGE, **values})
    return judge(
        a_probe(expect=expectations),
        observation,
        location="local",
        due_at=NOON,
        started_at=NOON + timedelta(milliseconds=3),
    )


def test_a_check_whose_every_expectation_holds_is_ok_and_keeps_what_was_there():
    result = judged(expects("status == 200"), expects('body.contains("basket")'))
    assert (Outcome.ok, NOON) == (result.outcome, result.due_at)
    assert {"status": 200} == result.judged[0].actual
    assert str(PAGE["body"])[:200] + "…" == result.judged[1].actual["body"]


def test_the_first_failing_expectation_gives_the_reason_and_says_what_was_there():
    result = judged(
        expects("status < 600"),
        expects("status == 200"),
        expects("timing.total_s < 0.1"),
        status=503,
    )
    assert Outcome.failed == result.outcome
    assert result.reason == "unexpected_status"
    assert result.text == "status == 200 does not hold: status = 503"
    assert [Outcome.ok, Outcome.failed, Outcome.failed] == [each.outcome for each in result.judged]


def test_a_failure_weighs_more_than_an_earlier_warning():
    slow = expects("timing.total_s < 0.1", Outcome.warn, "slow")
    assert (Outcome.warn, "slow") == (lambda r: (r.outcome, r.reason))(judged(slow))
    both = judged(slow, expects("status == 200"), status=500)
    assert (Outcome.failed, "unexpected_status") == (both.outcome, both.reason)


@pytest.mark.parametrize(
    ("that", "outcome", "reason"),
    [
        ("json.total > 3.0", Outcome.failed, "field_missing"),
        ("json.name > 3.0", Outcome.failed, "field_type"),
        ("json.name", Outcome.failed, "field_type"),
        ("1 / (status - 200) > 0", Outcome.unknown, "expression_error"),
    ],
)
def test_what_cannot_be_evaluated_is_the_targets_fault_or_ours(
    that: str, outcome: Outcome, reason: str
):
    result = judged(expects(that))
    assert (outcome, reason) == (result.outcome, result.reason)


def test_a_conversation_that_did_not_complete_is_not_held_against_expectations():
    refused = an_observation(reason="connect_refused", text="port 443", network=True)
    result = judged(expects("status == 200"), seen=refused)
    assert (Outcome.failed, "connect_refused", True) == (
        result.outcome,
        result.reason,
        result.network,
    )
    assert result.judged[0].reason == "not_evaluated"


def test_a_prober_that_could_not_look_says_unknown():
    lost = an_observation(reason="internal", outcome=Outcome.unknown, network=True)
    result = judged(expects("status == 200"), seen=lost)
    assert (Outcome.unknown, False) == (result.outcome, result.network)


def test_content_that_did_not_change_in_time_is_overdue():
    daily = Deadline("30 5 * * *", "Europe/Helsinki", Seconds(1200.0))
    probe = a_probe(deadline=daily, expect=(expects("overdue == false"),))

    def checked(changed_at: datetime, started_at: datetime) -> CheckResult:
        seen = an_observation(values=PAGE | {"overdue": False}, changed_at=changed_at)
        return judge(probe, seen, location="local", due_at=started_at, started_at=started_at)

    due = datetime(2026, 3, 2, 3, 30, tzinfo=UTC)
    yesterday = due - timedelta(hours=20)
    in_time = checked(yesterday, due + timedelta(minutes=19))
    late = checked(yesterday, due + timedelta(minutes=20))
    mended = checked(due + timedelta(minutes=30), due + timedelta(minutes=31))
    assert [Outcome.ok, Outcome.failed, Outcome.ok] == [r.outcome for r in (in_time, late, mended)]
    assert {"overdue": True} == late.judged[0].actual
