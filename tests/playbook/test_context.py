"""What a run sees, and what its inputs and keys come to."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sentinel.errors import ExpressionFailed
from sentinel.playbook.context import bindings, digest, joined, match_bindings, plain, render
from sentinel.words import Secret, Severity
from tests.playbook.builders import LABELS, NINE, Call, Play, cel, done, playbook, ref, step


def seen(play: Play) -> dict[str, Any]:
    return bindings(play.run, play.context)


def test_references_are_replaced_at_any_depth_and_texts_are_left_alone() -> None:
    play = Play(playbook(step("a")))
    does = Call({"to": [ref("labels.vendor"), "{{ labels.vendor }}"], "n": ref("severity + 1")})
    inputs = render(step("x", does), seen(play))
    assert {"with_": {"to": ["acmepay", "{{ labels.vendor }}"], "n": 4}} == inputs


def test_a_value_from_outside_is_never_read_as_a_template_again() -> None:
    play = Play(playbook(step("a")), incident={"title": '${labels.vendor} {{ 7*7 }} "; rm -rf /'})
    assert (
        '${labels.vendor} {{ 7*7 }} "; rm -rf /'
        == render(step("x", Call(ref("incident.title"))), seen(play))["with_"]
    )


def test_secrets_stay_sealed_in_inputs_and_in_their_digest() -> None:
    play = Play(playbook(step("a")))
    inputs = render(step("x", Call(Secret("env:PSP_TOKEN"))), seen(play))
    assert "***" in repr(inputs)
    assert digest(inputs) != digest(render(step("x", Call(Secret("env:OTHER"))), seen(play)))


def test_a_step_sees_only_what_ended() -> None:
    play = Play(playbook(step("a", outputs={"ratio": "json.ratio"}), step("b")))
    play.do("a", done(ratio=0.6))
    assert {
        "a": {"outputs": {"ratio": 0.6}, "outcome": "ok", "conclusion": "succeeded", "reason": ""}
    } == seen(play)["steps"]


def test_severities_compare_as_numbers() -> None:
    bound = match_bindings(
        Play(playbook(step("a"))).context, labels=LABELS, severity=Severity.error
    )
    assert cel("severity >= error && severity < critical").evaluate(bound) is True


def test_now_is_an_instant_that_expressions_can_use() -> None:
    play = Play(playbook(step("a")))
    assert NINE.hour == cel("now.getHours()").evaluate(seen(play))


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (datetime(2026, 3, 2, 9, 0, tzinfo=UTC), "2026-03-02T09:00:00Z"),
        (timedelta(minutes=2), 120.0),
        ({"a": (1, None)}, {"a": [1, None]}),
    ],
)
def test_values_become_what_json_has(value: Any, wanted: Any) -> None:
    assert wanted == plain(value)


@pytest.mark.parametrize("value", [float("inf"), b"bytes", object()])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(ExpressionFailed):
        plain(value)


def test_names_joined_from_different_values_differ() -> None:
    assert joined("a/b", "c") != joined("a", "b/c")
    assert joined("x" * 400 + "a") != joined("x" * 400 + "b")
    assert len(joined("x" * 400)) <= 160
