"""``sentinel incidents`` and ``sentinel incident VERB ID``."""

import sys
from typing import Any

import click

from sentinel.cli.arguments import reaching, span
from sentinel.cli.client import Client
from sentinel.cli.output import Exit, print_json, print_table, say


@click.command()
@click.option("--status", multiple=True, help="only these: triggered, acknowledged, …")
@click.option("--json", "as_json", is_flag=True)
@reaching
def incidents(client: Client, status: tuple[str, ...], as_json: bool) -> None:
    """List incidents, newest first."""
    query = "&".join(f"status={each}" for each in status)
    found = client.get(f"/api/v1/incidents?{query}")["incidents"]
    if as_json:
        print_json(found)
        return
    rows = [
        [
            row["incident"],
            row["status"],
            row["severity"],
            row["opened_at"],
            row["holder"],
            row["title"],
        ]
        for row in found
    ]
    print_table(["incident", "status", "severity", "opened", "holder", "what"], rows)


@click.group()
def incident() -> None:
    """Look at one incident, or act on it."""


@incident.command()
@click.argument("id")
@click.option("--json", "as_json", is_flag=True)
@click.option("--timezone", default="UTC", show_default=True)
@reaching
def show(client: Client, id: str, as_json: bool, timezone: str) -> None:
    """What happened, line by line."""
    if as_json:
        print_json(client.get(f"/api/v1/incidents/{id}"))
    else:
        click.echo(client.text("GET", f"/api/v1/incidents/{id}/story?timezone={timezone}", None))


@incident.command()
@click.argument("id")
@click.option("--format", "form", type=click.Choice(["json", "markdown"]), default="json")
@reaching
def export(client: Client, id: str, form: str) -> None:
    """The whole incident, for archives and other tools."""
    click.echo(client.text("GET", f"/api/v1/incidents/{id}/export?format={form}", None))


@incident.command()
@click.argument("id")
@click.option("--timezone", default="UTC", show_default=True)
@reaching
def postmortem(client: Client, id: str, timezone: str) -> None:
    """A draft to fill in, with everything that is known."""
    click.echo(client.text("GET", f"/api/v1/incidents/{id}/postmortem?timezone={timezone}", None))


@incident.command()
@click.argument("id")
@click.option("--json", "as_json", is_flag=True)
@reaching
def verify(client: Client, id: str, as_json: bool) -> None:
    """Prove that no fact was changed or lost: hashes and versions."""
    found = client.get(f"/api/v1/incidents/{id}/verify")
    if as_json:
        print_json(found)
    else:
        click.echo(f"{found['facts']} facts, {len(found['findings'])} findings")
        for finding in found["findings"]:
            click.echo(finding)
    if found["findings"]:
        sys.exit(Exit.findings)


def _act(client: Client, id: str, word: str, by: str, body: dict[str, Any]) -> None:
    answer = client.post(f"/api/v1/incidents/{id}/{word}", {**body, **({"by": by} if by else {})})
    say(f"{id}: {answer['status']}" + (f", {answer['holder']} has it" if answer["holder"] else ""))


def _plain(word: str, about: str) -> click.Command:
    """A command without fields of its own."""

    @click.command(word, help=about)
    @click.argument("id")
    @click.option("--by", default="", help="who; default: operator")
    @reaching
    def act(client: Client, id: str, by: str) -> None:
        _act(client, id, word, by, {})

    return act


for _word, _about in {
    "ack": "I have it.",
    "release": "I do not have it any more; page again.",
    "mitigate": "Customers are no longer hurt.",
    "resolve": "It is over.",
    "reopen": "It is not over.",
    "close": "No more to come.",
    "escalate": "Page the next level now.",
}.items():
    incident.add_command(_plain(_word, _about))


@incident.command()
@click.argument("id")
@click.argument("text")
@click.option("--by", default="")
@reaching
def note(client: Client, id: str, text: str, by: str) -> None:
    """Write on the timeline."""
    _act(client, id, "note", by, {"text": text})


@incident.command()
@click.argument("id")
@click.option("--for", "for_", default="1h", show_default=True)
@click.option("--by", default="")
@reaching
def snooze(client: Client, id: str, for_: str, by: str) -> None:
    """Do not page again before this span is over."""
    _act(client, id, "snooze", by, {"for_s": span(for_).total_seconds()})


@incident.command()
@click.argument("id")
@click.argument("person")
@click.option("--by", default="")
@reaching
def assign(client: Client, id: str, person: str, by: str) -> None:
    """Say whose it is."""
    _act(client, id, "assign", by, {"to": person})


@incident.command()
@click.argument("id")
@click.argument("into")
@click.option("--by", default="")
@reaching
def merge(client: Client, id: str, into: str, by: str) -> None:
    """Resolve this incident into another."""
    _act(client, id, "merge", by, {"into": into})


@incident.command()
@click.argument("id")
@click.argument("run")
@click.argument("step")
@click.argument("answer")
@click.option("--item", default=-1)
@click.option("--by", required=True, help="who answers")
@reaching
def answer(client: Client, id: str, run: str, step: str, answer: str, item: int, by: str) -> None:
    """Answer an approval, a checklist item, or what became of a step."""
    state = client.get(f"/api/v1/incidents/{id}")["runs"].get(run, {})
    digest = state.get("steps", {}).get(step, {}).get("inputs_digest", "")
    body = {"run": run, "step": step, "answer": answer, "item": item, "inputs_digest": digest}
    _act(client, id, "answer", by, body)
