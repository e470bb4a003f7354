"""The tests inside playbooks, played by command."""

from pathlib import Path

from click.testing import CliRunner

from sentinel.cli.playbook import playbook

ROOT = Path(__file__).parents[2]


def test_every_test_of_the_shipped_playbooks_passes() -> None:
    answer = CliRunner().invoke(playbook, ["test", str(ROOT)])
    assert answer.exit_code == 0, answer.output
    assert "0 failed" in answer.output


def test_a_test_that_fails_is_named(tmp_path: Path) -> None:
    (tmp_path / "sentinel.yaml").write_text(
        """
site: {unmatched: escalation/me, fallback: {page: [person/me]}}
people: {me: {name: Me, methods: {mail: "env:MAIL"}}}
escalations: {me: {levels: [{page: [person/me]}]}}
playbooks:
  look:
    when: 'severity >= error'
    steps: [{id: say, note: {text: "hello"}}]
    tests:
      - {name: it says nothing, given: {severity: error}, expect: {conclusion: failed, not_called: [say]}}
"""
    )
    answer = CliRunner().invoke(playbook, ["test", str(tmp_path)])
    assert answer.exit_code == 1
    assert "look: it says nothing" in answer.output
