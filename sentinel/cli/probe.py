"""``sentinel probe ID`` and ``sentinel probes``: one check now, and what is declared."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from sentinel.cli.arguments import addresses_of, reaching
from sentinel.cli.client import Client
from sentinel.cli.listed import discovered
from sentinel.cli.output import Exit, print_json, print_table
from sentinel.engine.checking import Checker, Memory, needed_roots
from sentinel.engine.node import read_workspace
from sentinel.engine.redaction import Redactor, clean_result, secret_values
from sentinel.engine.secrets import LiveSecrets
from sentinel.engine.wallclock import WallClock
from sentinel.errors import DocumentsRefused
from sentinel.monitor.probe import CheckResult, Probe
from sentinel.transport.curl import Transport
from sentinel.words import Outcome

MARKS = {Outcome.ok: "[green]ok[/]", Outcome.warn: "[yellow]warn[/]", Outcome.failed: "[red]failed[/]",
         Outcome.unknown: "[magenta]unknown[/]"}  # fmt: skip


async def check_once(folder: Path, probe: Probe) -> CheckResult:
    """One check of a probe now, without a running node; it looks back at nothing."""
    secrets = LiveSecrets(folder)
    async with Transport() as transport:
        checker = Checker(location="local", clock=WallClock(), transport=transport, secrets=secrets)
        _, result = await checker.check(
            probe, due_at=datetime.now(UTC), memory=Memory(), needed=needed_roots(probe)
        )
    return clean_result(result, Redactor(secret_values([probe], secrets)))


@click.command()
@click.argument("id")
@click.argument(
    "folder", default=".", type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.option("--address", "replaced", multiple=True, metavar="NAME=URL")
@click.option("--json", "as_json", is_flag=True)
def probe(id: str, folder: Path, replaced: tuple[str, ...], as_json: bool) -> None:
    """Check a probe now and show its phases, each expectation and its actual values.

    For a probe of a discovered list, the list is read first.
    """
    try:
        catalog = read_workspace(folder, addresses_of(replaced))
    except DocumentsRefused as refused:
        click.echo(str(refused), err=True)
        sys.exit(Exit.findings)
    found = catalog.policy.probes.get(id) or asyncio.run(discovered(folder, catalog, id))
    result = asyncio.run(check_once(folder, found))
    if as_json:
        print_json(as_data(found, result))
    else:
        _show(found, result)
    sys.exit(Exit.ok if result.outcome in (Outcome.ok, Outcome.warn) else Exit.refused)


def as_data(probe: Probe, result: CheckResult) -> dict[str, Any]:
    """A check as JSON: phases in seconds, each expectation with its outcome and actual values."""
    return {
        "probe": probe.id,
        "kind": probe.kind,
        "declared_at": str(probe.place),
        "outcome": result.outcome.value,
        "reason": result.reason,
        "text": result.text,
        "duration_s": result.duration_s,
        "address": result.address,
        "phases": dict(result.phases),
        "expectations": [
            {
                "that": j.source,
                "outcome": j.outcome.value,
                "reason": j.reason,
                "actual": dict(j.actual),
            }
            for j in result.judged
        ],
        "attempts": len(result.attempts) or 1,
    }


def _show(probe: Probe, result: CheckResult) -> None:
    console = Console()
    console.print(
        f"{MARKS[result.outcome]} [bold]{probe.id}[/] ({probe.kind}) in {result.duration_s:.3f} s"
        + (f" at {result.address}" if result.address else "")
    )
    if result.reason:
        console.print(f"  reason: [bold]{result.reason}[/]  {result.text}", highlight=False)
    if result.phases:
        widest = max(result.phases.values()) or 1.0
        for name, seconds in result.phases.items():
            bar = "█" * max(1, round(24 * seconds / widest)) if seconds else ""
            console.print(f"  {name:<11}{seconds * 1000:9.1f} ms {bar}", highlight=False)
    table = Table(box=None, pad_edge=False)
    for heading in ("", "expectation", "actual"):
        table.add_column(heading, overflow="fold")
    for judged in result.judged:
        actual = ", ".join(f"{name} = {value!r}" for name, value in judged.actual.items())
        table.add_row(MARKS[judged.outcome], judged.source, actual[:300])
    if result.judged:
        console.print(table)
    console.print(f"  declared at {probe.place}", style="dim", highlight=False)


@click.command()
@click.option("--json", "as_json", is_flag=True)
@reaching
def probes(client: Client, as_json: bool) -> None:
    """Every probe of the running node and how it stands."""
    found = client.get("/api/v1/probes")["probes"]
    if as_json:
        print_json(found)
        return
    rows = []
    for row in found:
        for location, state in row["locations"].items() or [("", {})]:
            rows.append([row["probe"], row["kind"], location, state.get("state", "—"),
                         state.get("reason", ""), row["declared_at"]])  # fmt: skip
    print_table(["probe", "kind", "location", "verdict", "reason", "declared at"], rows)
