"""A postmortem's draft: what the log knows is filled in, what only people know is asked for.

The shape is the field's: the SRE book's template, with an impact table, several contributing
factors instead of one root cause, where we were lucky, what surprised us, actions that are
specific, bounded, owned and dated, and what was decided *not* to do. The timeline is the
story's; the draft asks for what came *before* the first alert, because a story that begins
with the alert already knows too much (hindsight).
"""

from collections.abc import Mapping, Sequence

from sentinel.review.export import figures_table
from sentinel.review.figures import Figures, figures
from sentinel.review.story import story
from sentinel.review.wording import clock, day, listed, markdown, offset, plain, table
from sentinel.timeline.facts import Recorded
from sentinel.timeline.incident_facts import AlertJoined, Resolved, Triggered
from sentinel.timeline.paging_facts import PlaybookChosen
from sentinel.timeline.run_facts import RunConcluded, RunQueued, RunRefused, StepFinished

ASK = "*to be filled in*"


def draft(
    records: Sequence[Recorded], *, timezone: str = "UTC", names: Mapping[str, str] | None = None
) -> str:
    """The draft as Markdown. Raises ValueError for a stream without an incident, and for a time zone
    that does not exist."""
    opened = next((r.what for r in records if isinstance(r.what, Triggered)), None)
    if opened is None:
        raise ValueError("there is no incident to write about")
    known, people = figures(records), names or {}
    told = story(records, timezone=timezone, names=people)
    where = " ".join(value for name in ("client", "service") if (value := opened.labels.get(name)))
    sections = [
        f"# Postmortem: {markdown(where) or 'incident'} ({opened.incident})",
        _head(known, people, timezone),
        _summary(records, known, where, timezone),
        f"## Impact\n\n{_impact(known)}",
        f"## Times\n\n{figures_table(known)}",
        f"## Detection\n\n{_detection(records)}",
        f"## What automation did\n\n{_automation(records)}",
        f"## Timeline\n\nWhat came before the first alert belongs here too (a deployment, a warning"
        f" that was missed, a change at a vendor): {ASK}\n\n{told.as_markdown()}",
        f"## How we got here\n\n{ASK}: the story as those who were there lived it, from several"
        " viewpoints. What surprised us?",
        f"## Contributing factors\n\nSeveral, not one; each true on its own.\n\n- {ASK}\n- {ASK}",
        f"## Resolution\n\n{_resolution(records)}",
        f"## Lessons\n\n### What went well\n\n- {ASK}\n\n### What went wrong\n\n- {ASK}\n\n"
        f"### Where we were lucky\n\n- {ASK}\n\nCould a drill have shown it before? {ASK}",
        _actions(),
        f"## Decided not to do\n\n- {ASK}, and why not",
        f"## Messages\n\n- To clients: {ASK}\n- Inside: {ASK}",
    ]
    return "\n\n".join(sections) + "\n"


def _head(known: Figures, names: Mapping[str, str], timezone: str) -> str:
    opened = day(known.opened_at, timezone) if known.opened_at else ASK
    people = listed([markdown(names.get(each) or each) for each in known.pages.people])
    return "\n".join(
        [
            "- Status: Draft (then In review, Reviewed, Closed)",
            f"- Date: {opened}",
            f"- Worst severity: {known.severity.name if known.severity else 'n/a'}",
            f"- Paged: {people or 'nobody'}",
            f"- Authors: {ASK}",
        ]
    )


def _summary(records: Sequence[Recorded], known: Figures, where: str, timezone: str) -> str:
    first = next((r.what for r in records if isinstance(r.what, AlertJoined)), None)
    what = f"{first.probe or first.labels.get('alertname', 'an alert')}" if first else "an alert"
    why = f" ({plain(first.reason)})" if first and first.reason else ""
    at = known.opened_at
    when = f"At {clock(at, timezone)} {offset(at, timezone)} " if at else ""
    said = f"{when}{what} fired{why}{f' for {where}' if where else ''}."
    if known.resolved_at:
        said += f" It was resolved after {known['open'].as_text()}."
    else:
        said += " It is not resolved."
    return (
        f"## Summary\n\n{markdown(said)} In two sentences that a customer would understand: {ASK}"
    )


def _impact(known: Figures) -> str:
    began = f"{known.impact_from}; was it earlier?" if known.impact_started_at else ASK
    rows = [
        ("Harm began", _when(known.impact_started_at), began),
        ("Harm ended", _when(known.mitigated_at or known.resolved_at), _ended_by(known)),
        ("Customers and sessions hit", ASK, ""),
        ("Orders lost or late", ASK, "with the method, and a range"),
        ("Money", ASK, "with the method, and a range"),
        ("Promises (SLA, objective)", ASK, ""),
        ("Alerts, openings", f"{known.alerts}, {known.openings}", ""),
    ]
    return table(("What", "How much", "From"), rows)


def _when(at: object) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at is not None else ASK


def _ended_by(known: Figures) -> str:
    if known.mitigated_at:
        return "a person said that it was mitigated"
    return "the resolution; was it earlier?" if known.resolved_at else ""


def _detection(records: Sequence[Recorded]) -> str:
    first = next((r.what for r in records if isinstance(r.what, AlertJoined)), None)
    by = ASK
    if first is not None:
        by = f"probe {first.probe}" if first.probe else f"an alert from {first.source or 'outside'}"
    found = markdown(by) if by != ASK else by
    return f"Found by {found}. Could it have been found earlier? Did a client see it first? {ASK}"


def _automation(records: Sequence[Recorded]) -> str:
    playbooks = {r.what.run: r.what.playbook for r in records if isinstance(r.what, RunQueued)}
    lines = []
    for record in records:
        match record.what:
            case RunRefused():
                name = playbooks.get(record.what.run, record.what.run)
                lines.append(f"- Playbook {name} did not run: {plain(record.what.reason)}.")
            case RunConcluded():
                lines.append(_ended(record.what, playbooks))
                lines += _steps(records, record.what.run)
            case _:
                continue
    chosen = {r.what.playbook for r in records if isinstance(r.what, PlaybookChosen)}
    if not chosen and not lines:
        return f"No playbook applied. Should one have? {ASK}"
    if not lines:
        return f"Playbook {listed(sorted(chosen))} applied; no run of it has ended."
    return "\n".join(lines)


def _ended(what: RunConcluded, playbooks: Mapping[str, str]) -> str:
    name = playbooks.get(what.run, what.run)
    well = "; its probes were well again" if what.verified else ""
    why = f" ({plain(what.reason)})" if what.reason else ""
    return f"- Playbook {name}: {plain(what.conclusion)}{why}{well}."


def _steps(records: Sequence[Recorded], run: str) -> list[str]:
    """One line of the steps that did something or failed to."""
    told = [
        f"{r.what.step} {plain(r.what.state)}"
        for r in records
        if isinstance(r.what, StepFinished)
        and r.what.run == run
        and r.what.state not in ("skipped", "omitted")
    ]
    return [f"  - {', '.join(told)}"] if told else []


def _resolution(records: Sequence[Recorded]) -> str:
    last = next((r.what for r in reversed(records) if isinstance(r.what, Resolved)), None)
    if last is None:
        return f"Not resolved yet. {ASK}"
    how = "every alert ended" if last.reason == "all_ended" else plain(last.reason)
    return f"Resolved: {how}. What made it well? {ASK}"


def _actions() -> str:
    head = ("Action", "Kind (prevent, detect, mitigate, process)", "Owner", "Due", "Ticket")
    rows = [(ASK, "", "", "", ""), (ASK, "", "", "", "")]
    asks = "Specific, bounded, with an owner and a date."
    return f"## Actions\n\n{asks}\n\n{table(head, rows)}"
