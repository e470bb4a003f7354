"""``sentinel incident`` against a running node, by its unix socket as people use it."""

import json
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result

from tests.children import wait_for
from tests.cli.running import run
from tests.engine.test_process import WORKSPACE, Running

BOOK = """
playbooks:
  look: {when: 'severity < info', steps: [{id: say, note: {text: "looked at"}}]}
"""
Ask = Callable[..., Result]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("shop")
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = free.getsockname()[1]
    (folder / "sentinel.yaml").write_text(WORKSPACE.format(mail=nobody, shop=nobody) + BOOK)
    running = Running(folder)
    try:
        running.start()
        wait_for(running.incidents, 30)
        yield running
    finally:
        if running.process is not None and running.process.poll() is None:
            running.end(signal.SIGKILL)


@pytest.fixture
def ask(node: Running) -> Ask:
    return lambda *words: run(*words, "--data", str(node.folder / ".sentinel"))


@pytest.fixture
def incident(node: Running) -> str:
    return str(node.incidents()[0]["incident"])


@pytest.mark.slow
def test_the_list_is_a_line_an_incident_and_as_json_an_object(ask: Ask, incident: str) -> None:
    (line,) = ask("incidents").stdout.splitlines()
    assert incident == line.split("\t")[0]
    assert incident == json.loads(ask("incidents", "--json").stdout)[0]["incident"]
    assert "" == ask("incidents", "--status", "closed").stdout


@pytest.mark.slow
def test_a_person_acts_and_the_story_tells_it(ask: Ask, incident: str) -> None:
    done = ask("incident", "ack", incident, "--by", "me")
    assert 0 == done.exit_code, done.output
    assert f"{incident}: acknowledged, me has it\n" == done.stderr
    assert 0 == ask("incident", "note", incident, "the disk was full", "--by", "me").exit_code
    story = ask("incident", "show", incident, "--timezone", "Europe/Lisbon").stdout
    assert "the disk was full" in story
    assert "postmortem" in ask("incident", "postmortem", incident).stdout.lower()
    assert "the disk was full" in ask("incident", "export", incident, "--format", "markdown").stdout
    exported = json.loads(ask("incident", "export", incident).stdout)
    assert incident in json.dumps(exported)
    proof = ask("incident", "verify", incident)
    assert (0, True) == (proof.exit_code, "0 findings" in proof.stdout)


@pytest.mark.slow
def test_a_playbook_is_run_by_hand(ask: Ask, incident: str) -> None:
    done = ask("playbook", "run", "look", "--incident", incident, "--by", "me", "--json")
    assert 0 == done.exit_code, done.output
    assert incident == json.loads(done.stdout)["incident"]
    wait_for(lambda: "looked at" in ask("incident", "show", incident).stdout, 10)
    missing = ask("playbook", "run", "lock", "--incident", incident)
    assert (1, True) == (missing.exit_code, "there is no playbook lock" in missing.stderr)


@pytest.mark.slow
def test_what_may_not_be_done_is_exit_1_and_says_why(ask: Ask, incident: str) -> None:
    refused = ask("incident", "close", incident)
    assert (1, "") == (refused.exit_code, refused.stdout)
    assert "refused" in refused.stderr
    assert 1 == ask("incident", "show", "nosuch00").exit_code


def test_a_node_that_is_not_there_is_exit_4(tmp_path: Path) -> None:
    away = run("incidents", "--data", str(tmp_path))
    assert (4, "") == (away.exit_code, away.stdout)
    assert "is `sentinel run` running?" in away.stderr
