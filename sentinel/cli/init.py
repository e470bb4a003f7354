"""``sentinel init``: a workspace of one's own, small, commented, and without a finding."""

import json
from collections.abc import Mapping
from pathlib import Path

import click

from sentinel.cli.output import Exit, say
from sentinel.library.schema import file_schema

SCHEMA_FILE = ".schema.json"

_SITE = """\
# yaml-language-server: $schema={schema}
# The installation as a whole. `sentinel lint` checks every file of this folder, `sentinel run` starts it.
site:
  url: "http://127.0.0.1:8800"                  # where the links in pages lead
  addresses:
    shop: "https://shop.example"                # the shop to watch; `sentinel run --address shop=URL` replaces it
  unmatched: escalation/everybody               # who is paged when no playbook matches
  fallback: {{page: [person/me], every: 15m}}     # who is paged in the end, until somebody acknowledges
"""
_PROBES = """\
# yaml-language-server: $schema={schema}
# What is watched. `sentinel probe shop-home` checks once and shows every phase.
probes:
  shop-home:
    every: 30s
    http: {{at: shop, path: [""]}}                # the address above; see `sentinel kinds`
    expect:                                     # conditions in CEL, each in single quotes
      - 'status == 200'
      - {{that: 'timing.total_s < 2.0', else: warn, reason: slow}}
    confirm: {{down: 2, up: 2}}                   # failed twice in a row: firing; good twice: recovered
    severity: critical                          # critical and error wake people, warning and info do not
    labels: {{area: storefront}}                  # playbooks choose by labels
"""
_PLAYBOOKS = """\
# yaml-language-server: $schema={schema}
# What is done when something fails. `sentinel playbook test` runs the examples at the end of each.
playbooks:
  shop-down:
    when: 'severity >= error && labels.area == "storefront"'
    page: {{escalation: escalation/everybody}}
    steps:
      - {{id: keep, evidence: {{probe: shop-home}}}}  # the page as it was, before it changes
      - {{id: verify, healthy: {{probe: shop-home, ok: 3}}, timeout: 30m, on_failure: handled}}
    tests:
      - name: it keeps what it saw
        given: {{labels: {{area: storefront}}, severity: critical}}
        expect: {{conclusion: succeeded, called: [keep]}}
"""
_ROTATIONS = """\
# yaml-language-server: $schema={schema}
# Who answers, and who is next. `sentinel oncall who everybody` says whose turn it is.
people:
  me:
    name: Me
    timezone: UTC
    methods:
      # An Apprise URL: mail, ntfy, Slack, Telegram, SMS and many more. Secrets stand in the environment,
      # `push: "env:MY_PUSH"`, never in this file. `sentinel page me --test` tries it.
      mail: "mailto://localhost:25?from=sentinel@localhost&to=me@localhost"
rotations:
  everybody:
    layers:
      - {{id: all, people: [me], turn: 1w, anchor: "2026-01-05 09:00"}}
escalations:
  everybody:
    levels: [{{page: [rotation/everybody], ack_within: 5m}}]
    repeat: 3                                   # then the site's fallback: a page is never dropped
"""
_FILES: Mapping[str, str] = {
    "sentinel.yaml": _SITE.format(schema=SCHEMA_FILE),
    "probes/shop.yaml": _PROBES.format(schema=f"../{SCHEMA_FILE}"),
    "playbooks/shop-down.yaml": _PLAYBOOKS.format(schema=f"../{SCHEMA_FILE}"),
    "rotations/everybody.yaml": _ROTATIONS.format(schema=f"../{SCHEMA_FILE}"),
    ".gitignore": ".sentinel/\n",
}


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.pass_context
def init(context: click.Context, folder: Path) -> None:
    """Write a small workspace into FOLDER, which is made when it is not there.

    Nothing is overwritten: where one of the files exists, nothing is written at all.
    """
    files = {**_FILES, SCHEMA_FILE: json.dumps(file_schema(), indent=1) + "\n"}
    there = [path for path in files if (folder / path).exists()]
    if there:
        say(f"{folder / there[0]} is there already; nothing was written")
        context.exit(Exit.refused)
    try:
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
    except OSError as error:
        say(f"{error.filename}: {error.strerror}")
        context.exit(Exit.refused)
    for path in files:
        click.echo(folder / path)
    say(f"now: cd {folder} && sentinel lint && sentinel run")
