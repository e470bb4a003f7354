"""Findings: what may be activated and still deserves a look."""

from datetime import UTC, datetime
from pathlib import Path

from sentinel.library.lint import lint
from tests.library.samples import Samples, workspace

NOW = datetime(2026, 2, 2, tzinfo=UTC)


def found(root: Path) -> list[str]:
    return [str(each) for each in lint(root, now=NOW, lookup=Samples())]


def test_a_good_workspace_has_no_findings(tmp_path: Path) -> None:
    assert [] == found(workspace(tmp_path, {}))


def test_a_gap_in_a_rotation_is_found(tmp_path: Path) -> None:
    text = """\
rotations:
  night:
    layers:
      - {id: a, people: [ana], anchor: "2026-01-05 09:00", only: [{days: Mon-Fri, from: "06:00", to: "24:00"}]}
"""
    assert [
        "rotations/a.yaml:2:3: nobody is on call for 312 h, first from"
        " 2026-02-02 00:00 to 2026-02-02 06:00 UTC; close the gap, or say with `on_gap:` who is paged"
    ] == found(workspace(tmp_path, {"rotations/a.yaml": text}))


def test_a_gap_in_which_somebody_is_paged_all_the_same_is_none(tmp_path: Path) -> None:
    text = """\
rotations:
  night:
    layers: [{id: a, people: [ana], anchor: "2026-01-05 09:00", only: [{from: "06:00", to: "12:00"}]}]
    on_gap: [person/bo]
"""
    assert [] == found(workspace(tmp_path, {"rotations/a.yaml": text}))


def test_a_level_that_pages_nobody_is_found(tmp_path: Path) -> None:
    text = """\
rotations:
  solo: {layers: [{id: a, people: [ana], anchor: "2026-01-05 09:00"}]}
escalations:
  solo:
    levels:
      - {page: [rotation/solo]}
      - {page: [rotation/solo+1]}
"""
    assert [
        "rotations/a.yaml:7:9: level 2 pages nobody ever: whoever is next in turn was paged before"
    ] == found(workspace(tmp_path, {"rotations/a.yaml": text}))


def test_a_person_whom_nothing_reaches_is_found(tmp_path: Path) -> None:
    assert [
        "rotations/a.yaml:1:10: nothing reaches Cy at high and low urgency: give them `methods:`"
    ] == found(workspace(tmp_path, {"rotations/a.yaml": "people: {cy: {name: Cy}}"}))


def test_literal_secrets_are_found_wherever_they_stand(tmp_path: Path) -> None:
    text = """\
probes:
  shop:
    page: {url: "https://user:hunter2@shop.acme.example/", query: {token: abc, page: "1"}}
    expect: ['json.password == "x"']
playbooks:
  p:
    when: 'true'
    page: {escalation: escalation/storefront}
    steps:
      - {id: a, call: {url: "https://{env:USER}:{env:PASSWORD}@pay.example/", form: {api_key: "${labels.key}", password: "env:P"}}}
"""
    problems = found(workspace(tmp_path, {"probes/a.yaml": text}))
    assert [
        "probes/a.yaml:3:17: the password of this URL stands here as it is,"
        " write env:NAME or file:PATH in its place",
        "probes/a.yaml:3:75: what `token` holds stands here as it is,"
        " write env:NAME or file:PATH in its place",
    ] == problems
    assert "hunter2" not in "".join(problems)


def test_a_step_that_never_runs_and_what_waits_for_it_are_found(tmp_path: Path) -> None:
    text = """\
playbooks:
  p:
    when: 'true'
    steps:
      - {id: a, when: 'false', note: {text: a}}
      - {id: b, needs: [a], note: {text: b}}
  idle: {when: 'true'}
"""
    assert [
        "playbooks/a.yaml:5:23: step `a` never runs, remove it, or write when it should",
        "playbooks/a.yaml:6:24: step `b` is never reached, because `a` never runs, need another step",
        "playbooks/a.yaml:7:3: this playbook does nothing, give it `steps:` or `page:`",
    ] == found(workspace(tmp_path, {"playbooks/a.yaml": text}))


def test_errors_and_findings_come_together(tmp_path: Path) -> None:
    text = "probes: {a: {page: {at: shop, query: {token: abc}}, evry: 1m}}"
    assert [
        "what `token` holds stands here as it is, write env:NAME or file:PATH in its place",
        "unknown key `evry`, did you mean `every`?",
    ] == [line.split(": ", 1)[1] for line in found(workspace(tmp_path, {"probes/a.yaml": text}))]
