"""``sentinel oncall``: who is on call, and when.

``who``, ``shifts`` and ``calendar`` say what will really happen: where a node runs, by its documents
and the overrides made on it; else by the documents, so that they need no node. ``coverage`` and
``diff`` are about the documents alone, and ``override`` changes the running node.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from sentinel.cli.arguments import Moment
from sentinel.cli.output import Exit, instant, print_json, print_table, say
from sentinel.cli.override import override
from sentinel.cli.rota import Rota, find, looking, read, workspace
from sentinel.library.catalog import Catalog
from sentinel.localtime import resolve
from sentinel.oncall.coverage import Change, Roll, covered_ratio, gaps
from sentinel.oncall.coverage import diff as changes
from sentinel.oncall.icalendar import icalendar
from sentinel.oncall.rotation import Rotation
from sentinel.oncall.schedule import LONGEST, Shift

COVERED_FOR = timedelta(days=28)

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def oncall() -> None:
    """Who is on call, and when. Times without an offset are on the rotation's own clock."""


oncall.add_command(override)


@oncall.command()
@click.argument("rotation")
@click.option("--at", type=Moment(), help="When (default: now).")
@_json
@looking
def who(rota: Rota, rotation: str, at: datetime | None, as_json: bool) -> None:
    """Say who is on call in ROTATION."""
    asked = find(rota.catalog, rotation)
    moment = _instant(at, asked.timezone) if at is not None else datetime.now(UTC)
    found = rota.who(asked, moment)
    if as_json:
        print_json(
            {
                "rotation": rotation,
                "at": moment,
                "on_call": list(found.people),
                "layer": found.layer,
                "until": found.until,
            }
        )
        return
    until = f"until {instant(found.until)}" if found.until else ""
    people = rota.catalog.policy.people
    rows = [(each, people[each].name if each in people else "", until) for each in found.people]
    print_table(("person", "name", "until"), rows)
    if not rows:
        say(f"nobody is on call {until}".rstrip())


@oncall.command("shifts")
@click.argument("rotation")
@click.option("--from", "from_at", type=Moment(), help="From when (default: now).")
@click.option("--to", "to_at", type=Moment(), help="Until when (default: four weeks later).")
@_json
@looking
def list_shifts(
    rota: Rota, rotation: str, from_at: datetime | None, to_at: datetime | None, as_json: bool
) -> None:
    """List the final shifts of ROTATION, gaps included."""
    found = _between(rota, find(rota.catalog, rotation), from_at, to_at)
    if as_json:
        print_json([_shown(shift) for shift in found])
        return
    _print_shifts(found)


@oncall.command()
@click.argument("rotation")
@click.option("--from", "from_at", type=Moment(), help="From when (default: now).")
@click.option("--to", "to_at", type=Moment(), help="Until when (default: four weeks later).")
@click.option("--person", default="", help="Only this person's shifts.")
@click.option(
    "--format", "form", type=click.Choice(["ics", "text", "json"]), default="ics", show_default=True
)
@looking
def calendar(
    rota: Rota,
    rotation: str,
    from_at: datetime | None,
    to_at: datetime | None,
    person: str,
    form: str,
) -> None:
    """Print the final shifts of ROTATION as an iCalendar file, for any calendar program."""
    asked = find(rota.catalog, rotation)
    people = rota.catalog.policy.people
    if person and person not in people:
        raise click.UsageError(f"there is no person `{person}`")
    every = _between(rota, asked, from_at, to_at)
    found = [shift for shift in every if not person or person in shift.people]
    match form:
        case "json":
            print_json([_shown(shift) for shift in found])
        case "text":
            _print_shifts(found)
        case _:
            names = {each.id: each.name for each in people.values()}
            text = icalendar(asked.id, found, names=names, stamped_at=datetime.now(UTC))
            click.echo(text.encode(), nl=False)


@oncall.command()
@click.argument("rotation", required=False)
@click.option("--from", "from_at", type=Moment(), help="From when (default: now).")
@click.option("--to", "to_at", type=Moment(), help="Until when (default: four weeks later).")
@workspace
@_json
@click.pass_context
def coverage(
    context: click.Context,
    rotation: str | None,
    from_at: datetime | None,
    to_at: datetime | None,
    folder: Path,
    as_json: bool,
) -> None:
    """Say how much of the time somebody is on call, in ROTATION or in all, and list the gaps.

    Exits 3 when there is a gap.
    """
    rota = Rota(read(folder))
    names = [rotation] if rotation else sorted(rota.catalog.policy.rotations)
    found = {n: _between(rota, find(rota.catalog, n), from_at, to_at) for n in names}
    if as_json:
        print_json([_coverage(name, found[name]) for name in names])
    else:
        print_table(
            ("rotation", "covered", "gap from", "to"),
            [row for name in names for row in _gap_rows(name, found[name])],
        )
    context.exit(Exit.findings if any(map(gaps, found.values())) else Exit.ok)


@oncall.command()
@click.argument("before", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--from", "from_at", type=Moment(), help="From when (default: now).")
@click.option("--to", "to_at", type=Moment(), help="Until when (default: four weeks later).")
@workspace
@_json
def diff(
    before: Path, from_at: datetime | None, to_at: datetime | None, folder: Path, as_json: bool
) -> None:
    """Show who would be on call instead, were the workspace in BEFORE replaced by this one."""
    old, new = _roll(read(before)), _roll(read(folder))
    begin, end = _span(from_at, to_at, "UTC")
    found = [
        (name, change)
        for name in sorted(old.rotations.keys() | new.rotations.keys())
        for change in changes(old, new, name, begin, end)
    ]
    if as_json:
        print_json([_changed(name, change) for name, change in found])
        return
    print_table(
        ("rotation", "from", "to", "before", "after"),
        [
            (name, instant(c.start), instant(c.end), _people(c.before), _people(c.after))
            for name, c in found
        ],
    )


def _roll(catalog: Catalog) -> Roll:
    policy = catalog.policy
    return Roll(policy.rotations, policy.escalations, policy.people, policy.teams)


def _changed(name: str, change: Change) -> Mapping[str, Any]:
    return {
        "rotation": name,
        "start": change.start,
        "end": change.end,
        "before": list(change.before),
        "after": list(change.after),
    }


def _people(people: tuple[str, ...]) -> str:
    return ", ".join(people) or "(nobody)"


def _instant(at: datetime, timezone: str) -> datetime:
    return at.astimezone(UTC) if at.tzinfo else resolve(at, timezone)


def _span(
    from_at: datetime | None, to_at: datetime | None, timezone: str
) -> tuple[datetime, datetime]:
    """The span asked for; wall clocks are those of `timezone`. Raises UsageError."""
    begin = _instant(from_at, timezone) if from_at is not None else datetime.now(UTC)
    end = _instant(to_at, timezone) if to_at is not None else begin + COVERED_FOR
    if not timedelta(0) < end - begin <= LONGEST:
        raise click.UsageError(f"--to is after --from, by at most {LONGEST.days} days")
    return begin, end


def _between(
    rota: Rota, rotation: Rotation, from_at: datetime | None, to_at: datetime | None
) -> tuple[Shift, ...]:
    begin, end = _span(from_at, to_at, rotation.timezone)
    return rota.between(rotation, begin, end)


def _print_shifts(found: Sequence[Shift]) -> None:
    rows = [(instant(s.start), instant(s.end), _people(s.people)) for s in found]
    print_table(("from", "to", "people"), rows)


def _shown(shift: Shift) -> Mapping[str, Any]:
    return {"start": shift.start, "end": shift.end, "people": list(shift.people)}


def _coverage(name: str, found: tuple[Shift, ...]) -> Mapping[str, Any]:
    return {
        "rotation": name,
        "from": found[0].start,
        "to": found[-1].end,
        "ratio": round(covered_ratio(found), 6),
        "gaps": [{"start": gap.from_at, "end": gap.to_at} for gap in gaps(found)],
    }


def _gap_rows(name: str, found: tuple[Shift, ...]) -> list[tuple[str, str, str, str]]:
    ratio = f"{100 * covered_ratio(found):.2f} %"
    rows = [(name, ratio, instant(gap.from_at), instant(gap.to_at)) for gap in gaps(found)]
    return rows or [(name, ratio, "", "")]
