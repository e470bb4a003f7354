"""``sentinel lint``: every mistake of every file at once."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from sentinel.cli.output import Exit, print_json, say
from sentinel.library.document import Level, Problem
from sentinel.library.lint import lint as look

FORMATS = ("text", "json", "github")


@click.command()
@click.argument(
    "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), default="."
)
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="text", help="How problems are printed."
)
@click.pass_context
def lint(context: click.Context, folder: Path, form: str) -> None:
    """Read the workspace in FOLDER (default: here) and say everything that is wrong or unwise.

    Exits 3 when there is anything. Nothing is started, contacted or changed.
    """
    problems = look(folder, now=datetime.now(UTC))
    show(problems, form)
    say(_summary(problems))
    context.exit(Exit.findings if problems else Exit.ok)


def show(problems: Sequence[Problem], form: str) -> None:
    """Print problems on stdout in one of `FORMATS`."""
    match form:
        case "json":
            print_json([_row(each) for each in problems])
        case "github":
            for each in problems:
                click.echo(_annotation(each))
        case _:
            for each in problems:
                note = "" if each.level is Level.error else " (finding)"
                click.echo(f"{each}{note}")


def _row(problem: Problem) -> Mapping[str, Any]:
    return {
        "path": problem.place.path,
        "line": problem.place.line,
        "column": problem.place.column,
        "level": problem.level.value,
        "message": problem.message,
        "hint": problem.hint,
    }


def _annotation(problem: Problem) -> str:
    """GitHub's workflow command; its own characters are escaped as it asks."""
    level = "error" if problem.level is Level.error else "warning"
    text = f"{problem.message}, {problem.hint}" if problem.hint else problem.message
    place = problem.place
    file = _escaped(place.path).replace(":", "%3A").replace(",", "%2C")
    return f"::{level} file={file},line={place.line},col={place.column}::{_escaped(text)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _summary(problems: Sequence[Problem]) -> str:
    errors = sum(each.level is Level.error for each in problems)
    findings = len(problems) - errors
    if not problems:
        return "nothing wrong"
    parts = [_counted(errors, "error"), _counted(findings, "finding")]
    return " and ".join(part for part in parts if part)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}" if count else ""
