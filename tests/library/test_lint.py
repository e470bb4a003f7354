"""Findings: what may be activated and still deserves a look."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

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
        "probes/a.yaml:10:122: `env:P` is taken literally here: `form` reads no secrets,"
        " they are read in `url` as {env:NAME}",
    ] == problems
    assert "hunter2" not in "".join(problems)


@pytest.mark.parametrize(
    ("written", "column", "said"),
    [
        (
            'http: {url: "https://a.example/", headers: {Authorization: "env:TOKEN"}}',
            64,
            "`env:TOKEN` is taken literally here: `headers` reads no secrets,"
            " write it under `secret_headers:`",
        ),
        (
            'http: {url: "https://a.example/", headers: {X: "Bearer {env:TOKEN}"}}',
            52,
            "`{env:TOKEN}` is taken literally here: `headers` reads no secrets,"
            " write it under `secret_headers:`",
        ),
        (
            'http: {url: "https://a.example/", headers: {X: "Bearer file:run/token"}}',
            52,
            "`file:run/token` is taken literally here: `headers` reads no secrets,"
            " write it under `secret_headers:`",
        ),
        (
            'http: {url: "https://a.example/", form: {word: "{file:run/word}"}}',
            52,
            "`{file:run/word}` is taken literally here: `form` reads no secrets,"
            " write it under `secret_form:`",
        ),
        (
            "http: {url: 'https://a.example/', method: POST, body: '{\"w\": \"{env:W}\"}'}",
            59,
            "`{env:W}` is taken literally here: `body` reads no secrets, they are read in"
            " `secret_headers`, `secret_form`, `bearer`, `proxy`, `url` as {env:NAME}",
        ),
        (
            'http: {url: "https://a.example/", method: POST, json: {a: [{b: "env:W"}]}}',
            68,
            "`env:W` is taken literally here: `json` reads no secrets, they are read in"
            " `secret_headers`, `secret_form`, `bearer`, `proxy`, `url` as {env:NAME}",
        ),
        (
            'http: {url: "https://ana:env:PASSWORD@a.example/"}',
            17,
            "`env:PASSWORD` is taken literally within a text, write {env:PASSWORD}",
        ),
        (
            'http: {url: "https://a.example/", bearer: "Token env:TOKEN"}',
            47,
            "`env:TOKEN` is taken literally within a text, write {env:TOKEN}",
        ),
        (
            'websocket: {url: "wss://a.example/?t={env:TOKEN}"}',
            22,
            "`{env:TOKEN}` is taken literally here: `url` reads no secrets, they are read in"
            " `secret_headers`",
        ),
        (
            "journey: {at: live, steps: [{id: a, http: {path: [a]}}]}",
            19,
            "`{env:TOKEN}` is taken literally here: `base` reads no secrets",
        ),
        (
            'tcp: {host: a.example, port: 1, lines: [{send: "AUTH {env:WORD}"}]}',
            52,
            "`{env:WORD}` is taken literally here: `send` reads no secrets,"
            " write it under `secret_send:`",
        ),
        (
            'command: {argv: [check, "-p", "env:WORD"]}',
            35,
            "`env:WORD` is taken literally here: `argv` reads no secrets, they are read in `env`",
        ),
    ],
)
def test_a_reference_that_nobody_reads_is_found(
    tmp_path: Path, written: str, column: int, said: str
) -> None:
    root = workspace(tmp_path, {"probes/a.yaml": f"probes:\n  a:\n    {written}\n"})
    site = root / "sentinel.yaml"
    site.write_text(
        site.read_text().replace(
            "addresses: {", "addresses: {live: 'https://ana:{env:TOKEN}@a.example/', "
        )
    )

    assert [f"probes/a.yaml:3:{column}: {said}"] == [str(each) for each in lint(root, now=NOW)]


@pytest.mark.parametrize(
    "written",
    [
        'http: {url: "https://ana:{env:W}@a.example/{file:t}", headers: {X: "env:prod", Y: "a env:B c"}}',
        'http: {url: "https://a.example/", secret_headers: {X: "Bearer {env:T}"}, query: {q: "env:prod"}}',
        'feed: {url: "file:///srv/feed.xml"}',
        'tcp: {host: a.example, port: 1, lines: [{secret_send: "AUTH {env:W}"}, {send: "{}"}]}',
    ],
)
def test_a_reference_that_is_read_and_what_only_looks_like_one_are_none(
    tmp_path: Path, written: str
) -> None:
    root = workspace(tmp_path, {"probes/a.yaml": f"probes:\n  a:\n    {written}\n"})

    assert () == lint(root, now=NOW)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("""http: {url: U}, expect: ['html.attr(§"a[", "x") == "y"']""", "attr: `a[` is not a CSS selector"),
        ("""http: {url: U}, expect: ['text(html, §"a[") == "y"']""", "text: `a[` is not a CSS selector"),
        ("""http: {url: U}, expect: ['html.count(§":no(x)") > 0']""", "count: `:no(x)` is not a CSS selector"),
        ("""http: {url: U}, expect: [{that: 'json.path(§"$[") == 1', else: warn}]""", "path: `$[` is not a JSONPath: "),
        ("""http: {url: U}, expect: ['json.paths(§"$[?search(@.a, \\"(\\")]") == []']""", "paths: `(` is not an RE2 pattern: "),
        ("""http: {url: U}, expect: ['body.matches(§"(")']""", "matches: '(' not a valid regex"),
        ("""journey: {base: U, steps: [{id: a, http: {path: [a]}, expect: ['html.text(§"a[") == ""']}]}""", "text: `a[` is not"),
        ("""journey: {base: U, steps: [{id: a, http: {path: [a]}, capture: {b: 'html.text(§"a[")'}}]}""", "text: `a[` is not"),
        ("""tcp: {host: a.example, port: 1, lines: [{expect: ok}, {expect: §"("}]}""", "`(` is not an RE2 pattern: missing ): ("),
        ("""websocket: {url: "wss://a.example", messages: [{expect: §"("}]}""", "`(` is not an RE2 pattern: missing ): ("),
    ],
)  # fmt: skip
def test_a_pattern_a_selector_and_a_query_that_are_none_are_found_where_they_stand(
    tmp_path: Path, written: str, said: str
) -> None:
    line = f"  a: {{{written}}}".replace("U", '"https://a.example"')
    column = line.index("§") + 1
    root = workspace(tmp_path, {"probes/a.yaml": f"probes:\n{line.replace('§', '')}\n"})
    (only,) = [str(each) for each in lint(root, now=NOW)]

    assert f"probes/a.yaml:2:{column}: {said}" in only


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
