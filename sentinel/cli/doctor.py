"""``sentinel doctor``: what is wrong with this installation, on one screen."""

from datetime import UTC, datetime
from pathlib import Path

import click

from sentinel.cli import doctor_machine, doctor_workspace
from sentinel.cli.doctor_check import Check, Standing
from sentinel.cli.output import Exit, print_json, say

MARKS = {Standing.ok: "ok     ", Standing.finding: "finding", Standing.wrong: "WRONG  "}


@click.command()
@click.argument(
    "folder", default=".", type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.option("--data", type=click.Path(path_type=Path), help="default: FOLDER/.sentinel")
@click.option("--store", default="", help="postgresql://… instead of the embedded file")
@click.option("--listen", default="127.0.0.1:8800", show_default=True, help="HOST:PORT")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def doctor(
    context: click.Context, folder: Path, data: Path | None, store: str, listen: str, as_json: bool
) -> None:
    """Look at the documents of FOLDER and at this machine, as the user who runs the node.

    Exits 1 when something does not work, 3 when something will hurt one day. No page is sent.
    """
    data = data or folder / ".sentinel"
    found = [
        *doctor_workspace.look(folder, now=datetime.now(UTC)),
        *doctor_machine.look(data, store or str(data / "sentinel.db"), listen),
    ]
    if as_json:
        print_json([_row(each) for each in found])
    else:
        _show(found)
    standings = {each.standing for each in found}
    if Standing.wrong in standings:
        context.exit(Exit.refused)
    context.exit(Exit.findings if Standing.finding in standings else Exit.ok)


def _row(check: Check) -> dict[str, str]:
    return {
        "check": check.name,
        "standing": check.standing.value,
        "text": check.text,
        "mend": check.mend,
    }


def _show(found: list[Check]) -> None:
    """A line a check, and under it what would mend it."""
    for each in found:
        click.echo(f"{MARKS[each.standing]}  {each.name:<11}  {each.text}")
        if each.mend:
            click.echo(f"{'':22}→ {each.mend}")
    sick = sum(each.standing is not Standing.ok for each in found)
    say("nothing wrong" if not sick else f"{sick} of {len(found)} checks want a look")
