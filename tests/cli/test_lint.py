"""``sentinel lint``."""

import json
from pathlib import Path

from tests.cli.running import run, run_alone

SITE = """\
site: {addresses: {shop: "https://shop.example"}, unmatched: escalation/a, fallback: {page: [person/ana]}}
people: {ana: {methods: {mail: "mailto://mail.example?to=ana@shop.example"}}}
escalations: {a: {levels: [{page: [person/ana]}]}}
"""
BAD = "probes:\n  shop:\n    http: {at: shop}\n    evry: 30s\n    expect: ['statuz == 200']\n"


def workspace(root: Path, probes: str) -> Path:
    (root / "probes").mkdir(parents=True)
    (root / "sentinel.yaml").write_text(SITE)
    (root / "probes" / "shop.yaml").write_text(probes)
    return root


def test_nothing_wrong_is_exit_0_and_no_data(tmp_path: Path) -> None:
    done = run("lint", str(workspace(tmp_path, "probes: {shop: {http: {at: shop}}}")))
    assert (0, "", "nothing wrong\n") == (done.exit_code, done.stdout, done.stderr)


def test_problems_are_on_stdout_and_exit_3(tmp_path: Path) -> None:
    done = run("lint", str(workspace(tmp_path, BAD)))
    assert (
        3,
        "probes/shop.yaml:4:5: unknown key `evry`, did you mean `every`?\n"
        "probes/shop.yaml:5:15: `statuz` is not a name here; did you mean `status`?\n",
        "2 errors\n",
    ) == (done.exit_code, done.stdout, done.stderr)


def test_check_is_another_name_for_it(tmp_path: Path) -> None:
    assert 3 == run("check", str(workspace(tmp_path, BAD))).exit_code


def test_a_finding_is_marked_and_exits_3_too(tmp_path: Path) -> None:
    text = "probes: {shop: {http: {at: shop, headers: {X-Token: abc}}}}"
    done = run("lint", str(workspace(tmp_path, text)))
    assert (3, "1 finding\n") == (done.exit_code, done.stderr)
    assert done.stdout.endswith(" (finding)\n")


def test_json_is_a_list_of_problems(tmp_path: Path) -> None:
    done = run("lint", str(workspace(tmp_path, BAD)), "--format", "json")
    assert {
        "path": "probes/shop.yaml",
        "line": 4,
        "column": 5,
        "level": "error",
        "message": "unknown key `evry`",
        "hint": "did you mean `every`?",
    } == json.loads(done.stdout)[0]


def test_github_annotations_are_escaped(tmp_path: Path) -> None:
    text = 'probes: {shop: {http: {at: shop}, labels: {"a%b": 1}}}'
    done = run("lint", str(workspace(tmp_path, text)), "--format", "github")
    assert (
        '::error file=probes/shop.yaml,line=1,col=51::`1` must be text, put it in quotes: "1"\n'
    ) == done.stdout


def test_a_folder_that_is_not_there_is_a_mistake_in_usage(tmp_path: Path) -> None:
    assert 2 == run("lint", str(tmp_path / "nowhere")).exit_code


def test_here_is_the_default(tmp_path: Path) -> None:
    done = run_alone("lint", cwd=workspace(tmp_path, BAD))
    assert 3 == done.returncode
    assert "unknown key `evry`" in done.stdout
