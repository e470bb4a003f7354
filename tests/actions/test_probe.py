"""One more check, whatever it comes to."""

from pathlib import Path

from sentinel.actions.probe import Probe
from sentinel.kinds import Done, Failed
from tests.actions.conftest import SEEN, run_with


def test_a_failing_probe_is_an_answer(tmp_path: Path) -> None:
    outcome, _ = run_with(tmp_path, lambda world, _: Probe("acme-checkout").act({}, world))
    assert outcome == Done(SEEN, "acme-checkout: failed slow")


def test_an_undeclared_probe_is_a_failure(tmp_path: Path) -> None:
    outcome, _ = run_with(tmp_path, lambda world, _: Probe("x").act({"id": "gone"}, world))
    assert isinstance(outcome, Failed)
    assert outcome.reason == "no_such_probe"
