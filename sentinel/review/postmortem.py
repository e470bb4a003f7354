"""A postmortem's draft: everything that is known, in place, and a question where it is not.

The shape is the field's (Google's SRE template with PagerDuty's impact table): impact, what
happened, contributing factors in the plural, what went well and where we were lucky,
actions with an owner and a date, and what was decided not to do.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from sentinel.review.figures import Figures, figures
from sentinel.review.story import span_text, story
from sentinel.timeline import incident_facts as inc
from sentinel.timeline import paging_facts as pag
from sentinel.timeline import run_facts as run
from sentinel.timeline.facts import Recorded

ASK = "_to be filled in_"


def draft(
    records: Sequence[Recorded], *, timezone: str = "UTC", names: Mapping[str, str] | None = None
) -> str:
    """The draft as Markdown. Raises ValueError for an empty stream or an unknown time zone."""
    opened = next((r.what for r in records if isinstance(r.what, inc.Triggered)), None)
    if opened is None:
        raise ValueError("there is no incident to write about")
    known = figures(records)
    where = " ".join(
        value for name in ("client", "service") if (value := opened.labels.get(name, ""))
    )
    sections = [
        f"# Postmortem: {where or opened.incident} ({opened.incident})",
        _head(known, opened, names or {}),
        f"## Summary\n\n{ASK}: two sentences a customer would understand.",
        _impact(known),
        f"## What happened\n\nAll times UTC; local zone of the team: {timezone}. The timeline begins "
        "when the alert fired; "
        f"what came before it belongs here too.\n\n{story(records, timezone=timezone, names=names).as_markdown()}",
        _automation(records),
        f"## Contributing factors\n\n- {ASK}\n- {ASK}",
        f"## Detection\n\nFound by {_found_by(records)}. Could it have been found earlier? {ASK}",
        f"## What went well\n\n- {ASK}\n\n## What went badly\n\n- {ASK}\n\n## Where we were lucky\n\n- {ASK}",
        "## Actions\n\n| action | kind (prevent, detect, mitigate) | owner | due |\n|---|---|---|---|\n"
        f"| {ASK} | | | |",
        f"## Decided not to do\n\n- {ASK}, and why",
    ]
    return "\n\n".join(sections) + "\n"


def _head(known: Figures, opened: inc.Triggered, names: Mapping[str, str]) -> str:
    people = ", ".join(names.get(person, person) for person in known.people_paged) or "nobody"
    return "\n".join(
        [
            f"- Status: draft, severity {opened.severity.name}",
            f"- Opened: {known.opened_at:%Y-%m-%d %H:%M:%S} UTC"
            + (
                f", resolved {known.resolved_at:%H:%M:%S} UTC"
                if known.resolved_at
                else ", not resolved"
            ),
            f"- Paged: {people}",
            f"- Authors: {ASK}",
        ]
    )


def _impact(known: Figures) -> str:
    rows = [
        ("harm began (TTD counts from here)", ASK),
        ("time to acknowledge", _or_open(known.to_acknowledge)),
        ("time to mitigate", _or_open(known.to_mitigate)),
        ("time to resolve", _or_open(known.to_resolve)),
        (
            "pages queued, accepted, failed",
            f"{known.pages_queued}, {known.pages_accepted}, {known.pages_failed}",
        ),
        ("alerts, openings", f"{known.alerts}, {known.openings}"),
        ("customers and orders hit", ASK),
    ]
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return f"## Impact\n\n| | |\n|---|---|\n{table}"


def _or_open(span: timedelta | None) -> str:
    return span_text(span) if span is not None else "has not happened"


def _automation(records: Sequence[Recorded]) -> str:
    chosen = [r.what.playbook for r in records if isinstance(r.what, pag.PlaybookChosen)]
    ended = [r.what for r in records if isinstance(r.what, run.RunConcluded)]
    if not chosen:
        return "## What automation did\n\nNo playbook matched. Should one have?"
    lines = [f"- Playbook {playbook} matched" for playbook in dict.fromkeys(chosen)]
    lines += [
        f"- Run {each.run} {each.conclusion}" + (", verified by its probe" if each.verified else "")
        for each in ended
    ]
    return "## What automation did\n\n" + "\n".join(lines)


def _found_by(records: Sequence[Recorded]) -> str:
    first = next((r.what for r in records if isinstance(r.what, inc.AlertJoined)), None)
    if first is None:
        return ASK
    return f"probe {first.probe}" if first.probe else f"an alert from {first.source}"
