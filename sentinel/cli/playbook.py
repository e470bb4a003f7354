"""``sentinel playbook test|list``: the playbooks of a workspace and the tests inside them."""

import sys
from pathlib import Path

import click

from sentinel.cli.output import Exit, print_json, print_table, say
from sentinel.engine.node import read_workspace
from sentinel.errors import DocumentsRefused
from sentinel.incident.policy import Policy
from sentinel.playbook.declared import play

FOLDER = click.argument(
    "folder", default=".", type=click.Path(path_type=Path, exists=True, file_okay=False)
)


def _policy(folder: Path) -> Policy:
    try:
        return read_workspace(folder).policy
    except DocumentsRefused as refused:
        click.echo(str(refused), err=True)
        sys.exit(Exit.findings)


@click.group()
def playbook() -> None:
    """What is done when something is wrong."""


@playbook.command("list")
@FOLDER
@click.option("--json", "as_json", is_flag=True)
def list_playbooks(folder: Path, as_json: bool) -> None:
    """Every playbook in the order in which they decide the paging."""
    found = sorted(_policy(folder).playbooks.values(), key=lambda each: (each.order, each.id))
    if as_json:
        print_json(
            [
                {
                    "playbook": each.id,
                    "order": each.order,
                    "when": each.when.source,
                    "pages": each.page.escalation if each.page else "",
                    "steps": [step.id for step in each.steps],
                    "declared_at": str(each.place),
                }
                for each in found
            ]
        )
        return
    rows = [
        [each.id, str(each.order), each.page.escalation if each.page else "—", each.when.source]
        for each in found
    ]
    print_table(["playbook", "order", "pages", "when"], rows)


@playbook.command("test")
@FOLDER
@click.option("--json", "as_json", is_flag=True)
def test_playbooks(folder: Path, as_json: bool) -> None:
    """Play every declared test through the same decisions as a live run; nothing is touched."""
    rows = []
    for each in _policy(folder).playbooks.values():
        for declared in each.tests:
            played = play(each, declared)
            rows.append(
                {
                    "playbook": each.id,
                    "test": declared.name,
                    "conclusion": played.conclusion,
                    "problems": list(played.problems),
                }
            )
    if as_json:
        print_json(rows)
    for row in rows if not as_json else ():
        mark = "failed" if row["problems"] else "ok"
        click.echo(f"{mark}\t{row['playbook']}: {row['test']}")
        for problem in row["problems"]:
            click.echo(f"\t{problem}")
    failed = sum(bool(row["problems"]) for row in rows)
    say(f"{len(rows)} tests, {failed} failed")
    if failed:
        sys.exit(Exit.refused)
