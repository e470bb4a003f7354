"""``sentinel store backup|restore|verify``: the store as a whole, without a running node."""

import sys
from collections.abc import Callable
from pathlib import Path

import click

from sentinel.cli.output import Exit, print_json, say
from sentinel.errors import Failure
from sentinel.store import backup as copies
from sentinel.store import proof

WHERE = click.option(
    "--store",
    "where",
    default=".sentinel/sentinel.db",
    show_default=True,
    help="a SQLite file, or postgresql://…",
)


@click.group()
def store() -> None:
    """Back up, restore and prove the store."""


@store.command()
@click.argument("path", type=click.Path(path_type=Path))
@WHERE
def backup(path: Path, where: str) -> None:
    """Copy the store into one SQLite file at PATH, also while a node runs."""
    _carefully(lambda: copies.backup(where, path))
    say(f"{where} is backed up in {path}")


@store.command()
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@WHERE
def restore(path: Path, where: str) -> None:
    """Put a backup at PATH into an empty store: SQLite or PostgreSQL, whichever it came from."""
    _carefully(lambda: copies.restore(path, where))
    say(f"{path} is restored into {where}")


@store.command()
@WHERE
@click.option("--json", "as_json", is_flag=True)
def verify(where: str, as_json: bool) -> None:
    """Prove every stream's hashes and order, and that nothing they need is missing."""
    found: list[proof.Finding] = []
    _carefully(lambda: found.extend(proof.verify(where)))
    if as_json:
        print_json([{"where": each.where, "what": each.what} for each in found])
    for each in found if not as_json else ():
        click.echo(str(each))
    say("nothing wrong" if not found else f"{len(found)} findings")
    if found:
        sys.exit(Exit.findings)


def _carefully(act: Callable[[], object]) -> None:
    """Do it, or say why not and end with 1."""
    try:
        act()
    except (Failure, OSError, ValueError) as failure:
        click.echo(f"sentinel: {failure}", err=True)
        sys.exit(Exit.refused)
