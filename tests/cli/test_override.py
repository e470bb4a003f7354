"""``sentinel oncall override`` against a running node, by its unix socket as people use it."""

import json
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import Result

from tests.cli.running import run
from tests.engine.test_process import Running

WORKSPACE = """
site: {unmatched: escalation/all, fallback: {page: [person/ana]}}
people:
  ana: {name: Ana, methods: {mail: "json://127.0.0.1:1/"}}
  bo: {name: Bo, methods: {mail: "json://127.0.0.1:1/"}}
rotations:
  day: {timezone: Europe/Helsinki, layers: [{id: all, people: [ana], anchor: "2026-01-05 09:00"}]}
escalations:
  all: {levels: [{page: [rotation/day]}]}
"""
Ask = Callable[..., Result]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("rota")
    (folder / "sentinel.yaml").write_text(WORKSPACE)
    running = Running(folder)
    try:
        running.start()
        yield running
    finally:
        if running.process is not None and running.process.poll() is None:
            running.end(signal.SIGKILL)


@pytest.fixture
def ask(node: Running) -> Ask:
    data = str(node.folder / ".sentinel")
    return lambda *words: run("oncall", "override", *words, "--data", data)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "on_call", "what"),
    [
        (["--replace", "ana", "--with", "bo"], ["bo"], "bo for ana"),
        (["--add", "bo"], ["ana", "bo"], "+ bo"),
        (["--remove", "ana"], [], "- ana"),
    ],
)
def test_each_form_is_in_force_at_once_listed_and_ended(
    ask: Ask, node: Running, words: list[str], on_call: list[str], what: str
) -> None:
    done = ask("day", "--to", "2999-01-01 09:00", *words, "--json")
    assert (1, "") == (done.exit_code, done.stdout), "nobody stands in for a thousand years"
    done = ask("day", "--to", _soon(), *words, "--reason", "fever", "--by", "bo", "--json")
    assert 0 == done.exit_code, done.output
    made = json.loads(done.stdout)
    assert on_call == made["on_call"]
    (line,) = ask("--list").stdout.splitlines()
    columns = line.split("\t")
    assert [made["override"], "day", what, "bo", "fever"] == columns[:2] + columns[4:]
    words = ["day", "--dir", str(node.folder), "--json"]
    assert on_call == _on_call(*words)
    assert on_call == _on_call(*words, "--live")
    assert ["ana"] == _on_call(*words, "--documents"), "no file knows an override of the node"
    ended = ask("--end", made["override"])
    assert 0 == ended.exit_code
    assert "on call now: ana" in ended.stderr
    assert "" == ask("--list", "day").stdout
    assert 1 == ask("--end", made["override"]).exit_code


@pytest.mark.slow
def test_shifts_and_calendar_show_what_will_really_happen(ask: Ask, node: Running) -> None:
    begin = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    end = begin + timedelta(hours=8)
    span = ["--from", begin.isoformat(), "--to", end.isoformat()]
    made = json.loads(
        ask("day", *span, "--replace", "ana", "--with", "bo", "--by", "bo", "--json").stdout
    )
    about = [
        *("--from", (begin - timedelta(hours=1)).isoformat()),
        *("--to", (end + timedelta(hours=1)).isoformat()),
        *("--dir", str(node.folder)),
    ]
    found = run("oncall", "shifts", "day", *about, "--json")
    assert 0 == found.exit_code, found.output
    shifts = json.loads(found.stdout)
    assert [["ana"], ["bo"], ["ana"]] == [each["people"] for each in shifts]
    assert (begin, end) == tuple(datetime.fromisoformat(shifts[1][at]) for at in ("start", "end"))
    assert "as the running node has it" in found.stderr

    calendar = run("oncall", "calendar", "day", *about).stdout
    assert ["Ana on call: day", "Bo on call: day", "Ana on call: day"] == [
        line.removeprefix("SUMMARY:") for line in calendar.splitlines() if "SUMMARY" in line
    ]
    by_files = run("oncall", "shifts", "day", *about, "--documents", "--json")
    assert ([["ana"]], "") == ([s["people"] for s in json.loads(by_files.stdout)], by_files.stderr)
    assert 0 == ask("--end", made["override"]).exit_code
    assert 1 == len(json.loads(run("oncall", "shifts", "day", *about, "--json").stdout))


def _on_call(*words: str) -> list[str]:
    found: list[str] = json.loads(run("oncall", "who", *words).stdout)["on_call"]
    return found


def _soon() -> str:
    """Some hours from any present moment, with an offset."""
    return (datetime.now(UTC) + timedelta(hours=3)).isoformat(timespec="minutes")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["day", "--replace", "ana", "--with", "bo"], "and a --to"),
        (["day", "--to", "2026-01-01"], "give --replace with --with, or --add, or --remove"),
        (["day", "--to", "2026-01-01", "--replace", "ana"], "give --replace with --with"),
        (["day", "--to", "2026-01-01", "--add", "a", "--remove", "b"], "give --replace with"),
        (["day", "--to", "noon", "--add", "bo"], "`noon` is not a time"),
        (["--list", "--end", "x"], "not both"),
    ],
)
def test_a_mistake_in_usage_is_exit_2_and_asks_no_node(words: list[str], said: str) -> None:
    done = run("oncall", "override", *words)
    assert (2, "") == (done.exit_code, done.stdout)
    assert said in " ".join(done.stderr.split())
