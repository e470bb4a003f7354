"""``sentinel kinds``: what can be watched, done and paged with."""

from collections.abc import Iterator
from typing import NamedTuple

import click

from sentinel import kinds as installed
from sentinel.cli.output import print_json, print_table
from sentinel.errors import ExtraMissing
from sentinel.kinds import FAMILIES, Family
from sentinel.library.fields import first_sentence


class Known(NamedTuple):
    """A kind: its family, its name, and what it does, or what it needs to be installed."""

    family: Family
    kind: str
    does: str


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def kinds(as_json: bool) -> None:
    """List every kind that is installed: probers are the keys of probes, actions those of steps,
    notifiers send pages."""
    rows = list(_known())
    if as_json:
        print_json([each._asdict() for each in rows])
    else:
        print_table(("family", "kind", "does"), rows)


def _known() -> Iterator[Known]:
    for family in FAMILIES:
        for name in installed.names(family):
            try:
                does = first_sentence(installed.find(family, name))
            except ExtraMissing as missing:
                does = str(missing)
            yield Known(family, name, does)
