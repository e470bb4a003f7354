"""``sentinel oncall override``: somebody else for a while, on the running node."""

from datetime import datetime
from typing import Any
from urllib.parse import quote

import click

from sentinel.cli.arguments import Moment, reaching
from sentinel.cli.client import Client
from sentinel.cli.output import print_json, print_table, say


@click.command()
@click.argument("rotation", required=False, default="")
@click.option("--from", "from_at", type=Moment(), help="From when (default: now).")
@click.option("--to", "to_at", type=Moment(), help="Until when.")
@click.option("--replace", default="", metavar="PERSON", help="Whose turns; needs --with.")
@click.option("--with", "with_", default="", metavar="PERSON", help="Who stands in.")
@click.option("--add", default="", metavar="PERSON", help="Put on call beside whoever is.")
@click.option("--remove", default="", metavar="PERSON", help="Take off call, with nobody instead.")
@click.option("--reason", default="", help="Why; those concerned read it.")
@click.option("--by", default="", help="Who asks (default: operator).")
@click.option("--list", "listing", is_flag=True, help="Show what is in force or to come.")
@click.option("--end", "ending", default="", metavar="ID", help="End this override now.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@reaching
def override(
    client: Client,
    rotation: str,
    from_at: datetime | None,
    to_at: datetime | None,
    replace: str,
    with_: str,
    add: str,
    remove: str,
    reason: str,
    by: str,
    listing: bool,
    ending: str,
    as_json: bool,
) -> None:
    """Change who is on call in ROTATION for a while. Whoever it concerns is told."""
    name = rotation.removeprefix("rotation/")
    if listing or ending:
        if listing and ending:
            raise click.UsageError("--list or --end, not both")
        if listing:
            _list(client, name, as_json=as_json)
        else:
            answer = client.post(f"/api/v1/overrides/{quote(ending, safe='')}/end", {"by": by})
            _said("ended", answer, as_json=as_json)
        return
    if not name or to_at is None:
        raise click.UsageError("an override has a ROTATION and a --to, and a --from unless now")
    body = {
        "rotation": name,
        "from_at": from_at.isoformat() if from_at is not None else "",
        "to_at": to_at.isoformat(),
        "reason": reason,
        "by": by,
        **_who(replace, with_, add, remove),
    }
    _said("from {from_at} until {to_at}", client.post("/api/v1/overrides", body), as_json=as_json)


def _who(replace: str, with_: str, add: str, remove: str) -> dict[str, str]:
    """The three forms as the API's two fields. Raises UsageError for any other."""
    match (bool(replace), bool(with_), bool(add), bool(remove)):
        case (True, True, False, False):
            return {"replace": replace, "with": with_}
        case (False, False, True, False):
            return {"replace": "", "with": add}
        case (False, False, False, True):
            return {"replace": remove, "with": ""}
        case _:
            raise click.UsageError("give --replace with --with, or --add, or --remove")


def _list(client: Client, rotation: str, *, as_json: bool) -> None:
    found = client.get("/api/v1/overrides")["overrides"]
    found = [each for each in found if rotation in ("", each["rotation"])]
    if as_json:
        print_json(found)
        return
    rows = [
        [
            "(declared)" if each["declared"] else each["id"],
            each["rotation"],
            each["from_at"],
            each["to_at"],
            _change(each),
            each["by"],
            each["reason"],
        ]
        for each in found
    ]
    print_table(["override", "rotation", "from", "to", "what", "by", "reason"], rows)


def _change(shown: dict[str, Any]) -> str:
    if shown["replace"] and shown["with"]:
        return f"{shown['with']} for {shown['replace']}"
    return f"+ {shown['with']}" if shown["with"] else f"- {shown['replace']}"


def _said(what: str, answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    now = ", ".join(answer["on_call"]) or "nobody"
    say(f"override {answer['override']} {what.format(**answer)}; on call now: {now}")
    say(f"told: {', '.join(answer['told']) or 'nobody'}")
