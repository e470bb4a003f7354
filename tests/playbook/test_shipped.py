"""The playbooks that Sentinel ships do what their own tests say."""

from pathlib import Path

from sentinel.library.catalog import load
from sentinel.playbook.declared import play
from sentinel.playbook.playbook import Playbook

ROOT = Path(__file__).parents[2]


def shipped() -> list[Playbook]:
    loaded = load(ROOT)
    assert loaded.catalog is not None, "\n".join(str(problem) for problem in loaded.problems)
    return list(loaded.catalog.policy.playbooks.values())


def test_every_shipped_playbook_is_shown_by_examples_that_come_true() -> None:
    for playbook in shipped():
        assert playbook.tests, f"{playbook.id} has no tests"
        for test in playbook.tests:
            played = play(playbook, test)
            assert () == played.problems, f"{playbook.id}: {test.name}"
