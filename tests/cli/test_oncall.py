"""``sentinel oncall`` on a folder, without a node."""

import json
from pathlib import Path

import pytest
from icalendar import Calendar

from tests.cli.running import run

FILE = """\
site: {unmatched: escalation/a, fallback: {page: [person/ana]}}
people:
  ana: {name: Ana Silva, methods: {mail: "env:ANA"}}
  bo: {methods: {mail: "env:BO"}}
rotations:
  day:
    timezone: Europe/Helsinki
    layers: [{id: all, people: [ana, bo], turn: 1w, anchor: "2026-01-05 09:00", only: [{days: Mon-Fri, from: "09:00", to: "17:00"}]}]
  whole:
    layers: [{id: all, people: [ana, bo], turn: 1d, anchor: "2026-01-05 09:00"}]
escalations: {a: {levels: [{page: [rotation/whole]}]}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> str:
    (tmp_path / "sentinel.yaml").write_text(FILE)
    return str(tmp_path)


def test_who_is_on_call_as_json(folder: str) -> None:
    done = run("oncall", "who", "day", "--at", "2026-02-03T08:00Z", "--dir", folder, "--json")
    assert 0 == done.exit_code, done.output
    assert {
        "rotation": "day",
        "at": "2026-02-03T08:00:00Z",
        "on_call": ["ana"],
        "layer": "all",
        "until": "2026-02-03T15:00:00Z",
    } == json.loads(done.stdout)


def test_a_time_without_an_offset_is_on_the_rotations_clock(folder: str) -> None:
    done = run("oncall", "who", "day", "--at", "2026-02-03 10:00", "--dir", folder, "--json")
    assert "2026-02-03T08:00:00Z" == json.loads(done.stdout)["at"]


def test_in_a_gap_nobody_is_printed_and_it_is_said(folder: str) -> None:
    done = run("oncall", "who", "day", "--at", "2026-02-03T20:00Z", "--dir", folder)
    assert (0, "") == (done.exit_code, done.stdout)
    assert "nobody is on call until 2026-02-04T07:00:00Z\n" == done.stderr


def test_for_people_the_name_is_there_too(folder: str) -> None:
    done = run("oncall", "who", "rotation/whole", "--at", "2026-01-05T10:00Z", "--dir", folder)
    assert "ana\tAna Silva\tuntil 2026-01-06T09:00:00Z\n" == done.stdout


def test_shifts_are_in_utc_and_gaps_are_among_them(folder: str) -> None:
    words = ["--from", "2026-02-03T06:00Z", "--to", "2026-02-04T06:00Z", "--dir", folder, "--json"]
    done = run("oncall", "shifts", "day", *words)
    assert [
        {"start": "2026-02-03T06:00:00Z", "end": "2026-02-03T07:00:00Z", "people": []},
        {"start": "2026-02-03T07:00:00Z", "end": "2026-02-03T15:00:00Z", "people": ["ana"]},
        {"start": "2026-02-03T15:00:00Z", "end": "2026-02-04T06:00:00Z", "people": []},
    ] == json.loads(done.stdout)


@pytest.mark.parametrize("command", ["who", "shifts", "calendar"])
def test_where_no_node_answers_the_documents_do_and_that_is_said(folder: str, command: str) -> None:
    (Path(folder) / ".sentinel").mkdir()
    done = run("oncall", command, "whole", "--dir", folder)
    assert (0, True) == (done.exit_code, bool(done.stdout))
    assert "no node answers here: by the documents, without overrides made on it\n" == done.stderr
    assert "" == run("oncall", command, "whole", "--dir", folder, "--documents").stderr


@pytest.mark.parametrize("where", [["--live"], ["--url", "http://127.0.0.1:1"]])
def test_a_node_that_is_asked_for_and_does_not_answer_is_exit_4(
    folder: str, where: list[str]
) -> None:
    done = run("oncall", "shifts", "whole", "--dir", folder, *where)
    assert (4, "") == (done.exit_code, done.stdout)
    assert "no node answers at" in done.stderr


def test_coverage_is_a_ratio_and_a_gap_is_exit_3(folder: str) -> None:
    words = ["--from", "2026-02-02T00:00Z", "--to", "2026-02-09T00:00Z", "--dir", folder, "--json"]
    done = run("oncall", "coverage", *words)
    day, whole = json.loads(done.stdout)
    assert 3 == done.exit_code
    assert ("day", pytest.approx(40 / 168, abs=1e-5), 6) == (
        day["rotation"],
        day["ratio"],
        len(day["gaps"]),
    )
    assert ("whole", 1.0, []) == (whole["rotation"], whole["ratio"], whole["gaps"])
    assert 0 == run("oncall", "coverage", "whole", *words).exit_code


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["who", "wole"], "did you mean `whole`?"),
        (["who", "day", "--at", "noon"], "`noon` is not a time"),
        (["shifts", "day", "--from", "2026-02-03", "--to", "2026-02-02"], "--to is after --from"),
        (["shifts", "day", "--from", "2026-02-03", "--to", "2036-02-02"], "at most 800 days"),
    ],
)
def test_a_mistake_in_usage_is_exit_2_and_says_what_is_right(
    folder: str, words: list[str], said: str
) -> None:
    done = run("oncall", *words, "--dir", folder)
    assert (2, "") == (done.exit_code, done.stdout)
    assert said in " ".join(done.stderr.split())


def test_a_workspace_with_errors_answers_with_them(tmp_path: Path) -> None:
    (tmp_path / "sentinel.yaml").write_text(
        FILE.replace("people: [ana, bo], turn: 1d", "people: [ann]")
    )
    done = run("oncall", "who", "day", "--dir", str(tmp_path))
    assert 3 == done.exit_code
    assert "`ann` is not one of the people, did you mean `ana`?" in done.stdout


def test_diff_shows_who_would_be_on_call_instead(folder: str, tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.mkdir()
    (new / "sentinel.yaml").write_text(
        FILE.replace("people: [ana, bo], turn: 1d", "people: [bo, ana], turn: 1d")
    )
    words = [
        "--from",
        "2026-02-03T09:00Z",
        "--to",
        "2026-02-04T09:00Z",
        "--dir",
        str(new),
        "--json",
    ]
    done = run("oncall", "diff", folder, *words)
    assert [
        {
            "rotation": "whole",
            "start": "2026-02-03T09:00:00Z",
            "end": "2026-02-04T09:00:00Z",
            "before": ["bo"],
            "after": ["ana"],
        }
    ] == json.loads(done.stdout)


def test_the_calendar_is_a_file_that_calendar_programs_read(folder: str) -> None:
    words = ["--from", "2026-02-03T00:00Z", "--to", "2026-02-05T00:00Z", "--dir", folder]
    done = run("oncall", "calendar", "whole", *words)
    assert 0 == done.exit_code, done.output
    entries = Calendar.from_ical(done.stdout_bytes).walk("VEVENT")
    shown = json.loads(run("oncall", "calendar", "whole", *words, "--format", "json").stdout)
    assert [each["people"] for each in shown] == [["ana"], ["bo"], ["ana"]]
    assert ["Ana Silva on call: whole", "bo on call: whole", "Ana Silva on call: whole"] == [
        str(each["SUMMARY"]) for each in entries
    ]
    mine = run("oncall", "calendar", "whole", *words, "--person", "bo", "--format", "text")
    assert "2026-02-03T09:00:00Z\t2026-02-04T09:00:00Z\tbo\n" == mine.stdout
    assert 2 == run("oncall", "calendar", "whole", *words, "--person", "ann").exit_code
