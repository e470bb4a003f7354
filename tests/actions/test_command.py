"""A program gets exactly its arguments, and what it did is told, or said to be unknown."""

from pathlib import Path
from typing import Any

import pytest

from sentinel.actions.command import Command
from sentinel.kinds import Done, Failed, Outcomes, Unsure
from sentinel.playbook.playbook import Reference
from sentinel.words import Secret
from tests.actions.conftest import Kept, run_with

OUTSIDE: Any = Reference(expression=None)  # type: ignore[arg-type]


def acted(
    folder: Path, command: Command, inputs: dict[str, Any] | None = None, timeout_s: float = 5.0
) -> tuple[Outcomes, Kept]:
    return run_with(folder, lambda world, _: command.act(inputs or {}, world), timeout_s=timeout_s)


def test_output_goes_to_later_steps(tmp_path: Path) -> None:
    outcome, kept = acted(tmp_path, Command(("echo", '{"ratio": 0.6}')))
    assert isinstance(outcome, Done)
    assert outcome.values["json"] == {"ratio": 0.6}
    assert outcome.values["exit_code"] == 0
    assert b'{"ratio": 0.6}' in kept.evidence[0][1]


def test_no_shell_reads_a_value_from_outside(tmp_path: Path) -> None:
    command = Command(("printf", "%s", OUTSIDE))
    outcome, _ = acted(tmp_path, command, {"argv": ("printf", "%s", "$(id); `id` && x | y")})
    assert isinstance(outcome, Done)
    assert outcome.values["stdout"] == "$(id); `id` && x | y"


@pytest.mark.parametrize(
    ("written", "rendered"),
    [
        (("rm", OUTSIDE), ("rm", "-rf")),
        (("rm", OUTSIDE, "--", "x"), ("rm", "--force", "--", "x")),
        (("rm", OUTSIDE, OUTSIDE), ("rm", "--", "-rf")),
        (("echo", OUTSIDE), ("echo", -1)),
        (("echo", OUTSIDE), ("echo", None)),
        (("echo", OUTSIDE), ("echo", ["a"])),
        (("echo", OUTSIDE), ("echo", "a\0b")),
        (("echo", OUTSIDE), ("echo", "x" * 40_000)),
    ],
)
def test_a_value_that_could_be_an_option_is_refused(
    tmp_path: Path, written: tuple[Any, ...], rendered: tuple[Any, ...]
) -> None:
    outcome, kept = acted(tmp_path, Command(written), {"argv": rendered})
    assert isinstance(outcome, Failed)
    assert outcome.reason == "invalid_input"
    assert kept.evidence == []


def test_after_two_dashes_any_value_is_a_value(tmp_path: Path) -> None:
    command = Command(("printf", "--", "%s", OUTSIDE))
    outcome, _ = acted(tmp_path, command, {"argv": ("printf", "--", "%s", "-rf")})
    assert isinstance(outcome, Done)
    assert outcome.values["stdout"] == "-rf"


def test_an_exit_code_is_a_failure_with_its_last_words(tmp_path: Path) -> None:
    outcome, _ = acted(tmp_path, Command(("sh", "-c", "echo first >&2; echo no route >&2; exit 3")))
    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.text) == ("exit_code", "exit code 3: no route")
    assert not outcome.retryable


def test_a_temporary_failure_may_be_retried(tmp_path: Path) -> None:
    outcome, _ = acted(tmp_path, Command(("sh", "-c", "exit 75")))
    assert isinstance(outcome, Failed)
    assert outcome.retryable


def test_a_program_that_is_not_there_was_not_started(tmp_path: Path) -> None:
    outcome, _ = acted(tmp_path, Command(("no-such-program-here",)))
    assert isinstance(outcome, Failed)
    assert outcome.reason == "no_such_program"


def test_what_did_not_end_in_time_is_unsure(tmp_path: Path) -> None:
    outcome, _ = acted(tmp_path, Command(("sleep", "60")), timeout_s=0.2)
    assert isinstance(outcome, Unsure)


def test_the_environment_is_small_and_holds_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANA_PUSH", "hunter2")
    command = Command(("env",), env={"PSP_TOKEN": Secret("env:TOKEN")})
    outcome, _ = acted(tmp_path, command)
    assert isinstance(outcome, Done)
    seen = dict(line.split("=", 1) for line in outcome.values["stdout"].splitlines())
    assert seen["SENTINEL_KEY"] == "run-1/switch/1"
    assert seen["PSP_TOKEN"] == "t0psecret"
    assert "ANA_PUSH" not in seen


def test_the_program_itself_never_comes_from_outside() -> None:
    with pytest.raises(ValueError, match="written out"):
        Command((OUTSIDE, "x"))
