"""The node's own switches: silences, the kill switch, tokens, test pages, the store."""

import sys

import click

from sentinel.cli.arguments import reaching, span
from sentinel.cli.client import Client
from sentinel.cli.output import Exit, print_json, print_table, say


@click.group()
def silence() -> None:
    """Mute alerts by matchers for a while."""


@silence.command("add")
@click.argument("matchers", nargs=-1, required=True, metavar="LABEL=VALUE…")
@click.option("--for", "for_", default="1h", show_default=True)
@click.option("--reason", required=True)
@click.option("--by", default="")
@reaching
def add_silence(client: Client, matchers: tuple[str, ...], for_: str, reason: str, by: str) -> None:
    """Mute alerts that match all of LABEL=VALUE (VALUE may be ``~re2``)."""
    pairs = dict(each.split("=", 1) for each in matchers if "=" in each)
    if len(pairs) != len(matchers):
        raise click.BadParameter("a matcher is LABEL=VALUE, each label once")
    body = {"matchers": pairs, "for_s": span(for_).total_seconds(), "reason": reason, "by": by}
    answer = client.post("/api/v1/silences", body)
    say(f"silence {answer['silence']} until {answer['to_at']}")


@silence.command("list")
@click.option("--json", "as_json", is_flag=True)
@reaching
def list_silences(client: Client, as_json: bool) -> None:
    """Every silence, expired ones too."""
    found = client.get("/api/v1/silences")["silences"]
    if as_json:
        print_json(found)
        return
    rows = [
        [s["id"], s["from_at"], s["to_at"], s["by"], str(s["matchers"]), s["reason"]] for s in found
    ]
    print_table(["silence", "from", "to", "by", "matchers", "reason"], rows)


@silence.command("expire")
@click.argument("id")
@reaching
def expire_silence(client: Client, id: str) -> None:
    """End a silence now."""
    client.post(f"/api/v1/silences/{id}/expire")
    say(f"silence {id} has expired")


@click.group()
def automation() -> None:
    """The kill switch of all playbook steps."""


@automation.command("status")
@reaching
def automation_status(client: Client) -> None:
    """``on`` or ``off``."""
    click.echo("on" if client.get("/api/v1/automation")["on"] else "off")


def _switch(client: Client, reason: str, by: str, *, on: bool) -> None:
    client.post("/api/v1/automation", {"on": on, "reason": reason, "by": by})
    say(f"automation is {'on' if on else 'off'}")


@automation.command("on")
@click.option("--reason", default="")
@click.option("--by", default="")
@reaching
def automation_on(client: Client, reason: str, by: str) -> None:
    """Let steps start again."""
    _switch(client, reason, by, on=True)


@automation.command("off")
@click.option("--reason", required=True)
@click.option("--by", default="")
@reaching
def automation_off(client: Client, reason: str, by: str) -> None:
    """No step starts from now on; pages go out all the same."""
    _switch(client, reason, by, on=False)


@automation.command("allow")
@click.argument("playbook")
@reaching
def allow_playbook(client: Client, playbook: str) -> None:
    """Close a playbook's circuit, opened by failed remediations."""
    closed = client.post(f"/api/v1/playbooks/{playbook}/allow")["closed"]
    say(f"{playbook}: {closed} closed")


@click.group()
def token() -> None:
    """Bearer tokens for the API from beyond this machine."""


@token.command("create")
@click.argument("name")
@click.option("--user", required=True, help="who acts with it")
@reaching
def create_token(client: Client, name: str, user: str) -> None:
    """Make a token; it is printed once and only its hash is kept."""
    click.echo(client.post("/api/v1/tokens", {"name": name, "user": user})["token"])


@token.command("list")
@reaching
def list_tokens(client: Client) -> None:
    """Names and whose they are."""
    found = client.get("/api/v1/tokens")["tokens"]
    print_table(["token", "user"], [[name, user] for name, user in sorted(found.items())])


@token.command("revoke")
@click.argument("name")
@reaching
def revoke_token(client: Client, name: str) -> None:
    """End a token."""
    client.post(f"/api/v1/tokens/{name}/revoke")
    say(f"token {name} is revoked")


@click.command()
@click.argument("person")
@click.option("--test", is_flag=True, required=True, help="a marked test page, the only kind")
@reaching
def page(client: Client, person: str, test: bool) -> None:
    """Send a test page by every method of a person; exit 1 unless each was accepted."""
    sent = client.post(f"/api/v1/people/{person}/page")["sent"]
    print_table(
        ["method", "came to", "reason"], [[s["method"], s["came_to"], s["reason"]] for s in sent]
    )
    if not sent or any(each["came_to"] != "accepted" for each in sent):
        sys.exit(Exit.refused)
