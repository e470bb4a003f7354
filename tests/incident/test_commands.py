"""What people may ask: every command in every status, and why not (rule 12)."""

import pytest

from sentinel.incident import commands as cmd
from sentinel.incident.commands import ALLOWED, NAMES, Command, Refusal, parse, refusal
from sentinel.incident.state import Alert, IncidentState, Status
from sentinel.words import Severity
from tests.engine.kernel import START

T, A, M, R, C = Status
OPEN = {T, A, M}
LAW = {
    "ack": OPEN,
    "release": {A},
    "mitigate": {T, A},
    "resolve": OPEN,
    "reopen": {R},
    "close": {R},
    "escalate": {T, A},
    "snooze": OPEN,
    "assign": {*OPEN, R},
    "severity": OPEN,
    "merge": OPEN,
    "answer": {*OPEN, R},
    "run": OPEN,
    "cancel": {*OPEN, R},
    "note": set(Status),
    "redact": set(Status),
}
ONE_OF_EACH: dict[str, Command] = {
    "ack": cmd.Acknowledge(),
    "release": cmd.Release(),
    "mitigate": cmd.Mitigate(),
    "resolve": cmd.Resolve(),
    "reopen": cmd.Reopen(),
    "close": cmd.Close(),
    "escalate": cmd.Escalate(),
    "snooze": cmd.Snooze(3600.0),
    "assign": cmd.Assign("ana"),
    "severity": cmd.SetSeverity(Severity.warning),
    "merge": cmd.Merge("other123"),
    "answer": cmd.Answer("run", "step", "approved"),
    "run": cmd.RunPlaybook("book"),
    "cancel": cmd.CancelRun("run"),
    "note": cmd.Note("seen"),
    "redact": cmd.Redact(1, "a name"),
}


def test_every_command_has_its_line_in_the_table() -> None:
    assert set(LAW) == set(NAMES) == set(ALLOWED) == set(ONE_OF_EACH)


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("word", LAW)
def test_a_command_is_refused_wherever_the_table_does_not_name_it(
    word: str, status: Status
) -> None:
    found = refusal(ONE_OF_EACH[word], IncidentState(incident="abcd1234", status=status))
    if status in LAW[word]:
        assert found is None
    else:
        assert found is not None
        assert "state" == found.reason
        assert status.value in found.text


@pytest.mark.parametrize("word", LAW)
def test_nothing_can_be_asked_of_an_incident_that_is_not_there(word: str) -> None:
    found = refusal(ONE_OF_EACH[word], IncidentState())
    assert Refusal("unknown_incident", "there is no such incident") == found


@pytest.mark.parametrize("for_s", [59.0, 4 * 86400 + 1.0])
def test_a_snooze_is_neither_a_moment_nor_for_ever(for_s: float) -> None:
    found = refusal(cmd.Snooze(for_s), IncidentState(incident="abcd1234"))
    assert found is not None
    assert "not_snoozable" == found.reason


def test_what_still_fires_is_not_closed_over() -> None:
    held = Alert("f", {}, Severity.error, START, "test", "home", held=True)
    state = IncidentState(incident="abcd1234", status=Status.resolved, alerts={"f": held})
    found = refusal(cmd.Close(), state)
    assert found is not None
    assert "still_firing" == found.reason


@pytest.mark.parametrize(
    ("word", "body", "wrong"),
    [
        ("acknowledge", {}, "there is no command `acknowledge`"),
        ("ack", {"to": "ana"}, "`ack` takes no fields"),
        ("snooze", {}, "`snooze` takes for_s"),
        ("severity", {"severity": "P1"}, "severity is one of info, warning, error, critical"),
        ("note", {"text": "x" * 10_001}, "`text` is text of at most 10000 characters"),
        ("note", {"text": 7}, "`text` is text of at most 10000 characters"),
        ("severity", {"severity": ["error"]}, "severity is one of info, warning, error, critical"),
        ("snooze", {"for_s": None}, "`for_s` is a number of seconds"),
        ("snooze", {"for_s": "nan"}, "`for_s` is a number of seconds"),
        ("snooze", {"for_s": 10**400}, "`for_s` is a number of seconds"),
        ("redact", {"version": [], "reason": ""}, "`version` is a whole number"),
        ("redact", {"version": 1e999, "reason": ""}, "`version` is a whole number"),
        ("redact", {"version": 2**60, "reason": ""}, "`version` is a whole number"),
        ("cancel", {"run": "r", "force": "false"}, "`force` is true or false"),
    ],
)
def test_a_command_that_is_none_is_said(word: str, body: dict[str, object], wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        parse(word, body)


@pytest.mark.parametrize(
    ("word", "body", "expected"),
    [
        ("ack", {}, cmd.Acknowledge()),
        ("snooze", {"for_s": "600"}, cmd.Snooze(600.0)),
        ("severity", {"severity": "critical"}, cmd.SetSeverity(Severity.critical)),
        ("redact", {"version": "7", "reason": "a name"}, cmd.Redact(7, "a name")),
        ("cancel", {"run": "r", "force": True}, cmd.CancelRun("r", force=True)),
    ],
)
def test_a_command_is_read_from_its_word_and_fields(
    word: str, body: dict[str, object], expected: Command
) -> None:
    assert expected == parse(word, body)
