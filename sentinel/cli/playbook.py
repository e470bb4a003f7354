"""``sentinel playbook test|list|run``: the playbooks of a workspace, the tests inside them, and a run
at a person's request on the running node."""

import sys
from pathlib import Path
from urllib.parse import quote

import click

from sentinel.cli.arguments import reaching
from sentinel.cli.client import Client
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


@playbook.command("run")
@click.argument("name", metavar="PLAYBOOK")
@click.option("--incident", required=True, metavar="ID", help="The open incident it is for.")
@click.option("--by", default="", help="Who asks (default: operator); they cannot approve it.")
@click.option("--json", "as_json", is_flag=True)
@reaching
def run_playbook(client: Client, name: str, incident: str, by: str, as_json: bool) -> None:
    """Run PLAYBOOK now for an incident, whether it matches or not. Its limits hold."""
    body = {"playbook": name, **({"by": by} if by else {})}
    answer = client.post(f"/api/v1/incidents/{quote(incident, safe='')}/run", body)
    if as_json:
        print_json(answer)
        return
    say(f"{incident}: run {answer['run']} of {name} is {answer['run_status']}")
