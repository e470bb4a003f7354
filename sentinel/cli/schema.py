"""``sentinel schema``: the JSON Schemas, for editors."""

import click

from sentinel.cli.output import print_json
from sentinel.library.schema import KINDS, printed_schema


@click.command()
@click.argument("kind", type=click.Choice((*KINDS, "file")), default="file")
def schema(kind: str) -> None:
    """Print the JSON Schema (draft-07) of one KIND of document, or of a whole `file` (default),
    which is what editors want: `# yaml-language-server: $schema=FILE`."""
    print_json(printed_schema(kind))
