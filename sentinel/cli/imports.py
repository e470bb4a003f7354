"""``sentinel import``: another program's configuration as documents of ours, on stdout."""

from collections.abc import Callable, Mapping
from pathlib import Path

import click

from sentinel.cli.output import Exit, say
from sentinel.library.catalog import check_alone
from sentinel.library.document import MAX_BYTES, Level
from sentinel.library.importing.blackbox import read_blackbox
from sentinel.library.importing.draft import Draft, ImportRefused
from sentinel.library.importing.gatus import read_gatus
from sentinel.library.importing.kuma import read_kuma
from sentinel.library.importing.written import written
from sentinel.library.reading import InstalledKinds, Lookup

_READERS: Mapping[str, Callable[[str, bytes, Lookup], Draft]] = {
    "blackbox": read_blackbox,
    "gatus": read_gatus,
    "uptime-kuma": read_kuma,
}
_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("import")
@click.argument("form", metavar="FORMAT", type=click.Choice(tuple(_READERS)))
@click.argument("file", type=_file)
@click.option(
    "--prometheus", type=_file, help="blackbox: the prometheus.yml whose jobs name the addresses."
)
@click.pass_context
def imports(context: click.Context, form: str, file: Path, prometheus: Path | None) -> None:
    """Print the probes of FILE as a file for `probes/`: FORMAT is blackbox (a blackbox.yml), gatus
    (its configuration) or uptime-kuma (its backup in JSON).

    What could not be carried over is said on stderr and stands as a comment beside its document; the
    exit is then 3. A secret is never printed: `env:NAME` stands in its place.
    """
    if prometheus is not None and form != "blackbox":
        raise click.UsageError("--prometheus goes with blackbox")
    try:
        draft = _read(form, file, prometheus)
    except ImportRefused as refused:
        for problem in refused.problems:
            say(str(problem))
        context.exit(Exit.refused)
    text = written(draft, f"From {file.name}, by `sentinel import {form}`.")
    click.echo(text, nl=False)
    for about, remarks in draft.remarks.items():
        for remark in remarks:
            say(f"{about}: {remark}" if about else remark)
    wrong = [each for each in check_alone(file.name, text.encode()) if each.level is Level.error]
    for problem in wrong:
        say(f"this cannot be used as it is: line {problem.place.line}: {problem.message}")
    say(f"{len(draft.probes)} probes and {len(draft.templates)} templates")
    context.exit(Exit.findings if wrong or draft.remarks else Exit.ok)


def _read(form: str, file: Path, prometheus: Path | None) -> Draft:
    """The documents of a file. Raises ImportRefused."""
    if prometheus is not None:
        further = prometheus.name, _content(prometheus)
        return read_blackbox(file.name, _content(file), InstalledKinds(), prometheus=further)
    return _READERS[form](file.name, _content(file), InstalledKinds())


def _content(path: Path) -> bytes:
    """The file's bytes, one more than may be at most."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)
