"""An incident for archives and other tools (rule 30): every fact with the hash that proves it, and
the same story that people read."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from sentinel.review.figures import Figures, figures
from sentinel.review.story import story
from sentinel.review.wording import day, markdown, table
from sentinel.timeline.codec import encode
from sentinel.timeline.facts import Recorded
from sentinel.timeline.incident_facts import EvidenceKept, Triggered

FORMAT = "sentinel-incident/1"


def export_json(
    records: Sequence[Recorded], *, timezone: str = "UTC", names: Mapping[str, str] | None = None
) -> bytes:
    """Facts in order as JSON, their data exactly as hashed (instants in microseconds UTC), texts
    apart (null: removed), then the figures and the full story. `names` are used in the story only;
    data has ids."""
    told = story(records, timezone=timezone, names=names)
    content = {
        "format": FORMAT,
        "incident": told.incident,
        "facts": [_fact(record) for record in records],
        "figures": _figures(figures(records)),
        "story": {
            "timezone": timezone,
            "lines": [msgspec.to_builtins(line) for line in told.everything],
        },
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=1)


def _fact(record: Recorded) -> dict[str, Any]:
    name, version, data = encode(record.what)
    return {
        "stream": record.stream,
        "version": record.version,
        "type": name,
        "v": version,
        "occurred_at": record.occurred_at,
        "recorded_at": record.recorded_at,
        "data": json.loads(data),
        "text": record.text,
        "hash": record.hash,
    }


def _figures(known: Figures) -> dict[str, Any]:
    spans = {
        figure.id: {
            "title": figure.title,
            "definition": figure.definition,
            "seconds": figure.span.total_seconds() if figure.span is not None else None,
            "missing": figure.missing,
            "entries": figure.entries,
        }
        for figure in known.spans
    }
    return {"spans": spans, "pages": msgspec.to_builtins(known.pages)}


def export_markdown(
    records: Sequence[Recorded], *, timezone: str = "UTC", names: Mapping[str, str] | None = None
) -> str:
    """The story, its figures and its evidence as Markdown, every fact told."""
    known = figures(records)
    told = story(records, timezone=timezone, names=names)
    sections = [f"# Incident {told.incident or 'without entries'}", head(records, known, timezone)]
    sections += [figures_table(known), f"## Timeline\n\n{told.as_markdown(details=True)}"]
    kept = [record.what for record in records if isinstance(record.what, EvidenceKept)]
    if kept:
        rows = [(markdown(each.name), str(each.size_bytes), f"`{each.digest}`") for each in kept]
        sections.append(f"## Evidence\n\n{table(('Name', 'Bytes', 'SHA-256'), rows)}")
    sections.append(f"{len(records)} entries; the last one's hash is `{_last_hash(records)}`.")
    return "\n\n".join(part for part in sections if part) + "\n"


def _last_hash(records: Sequence[Recorded]) -> str:
    return records[-1].hash if records else ""


def head(records: Sequence[Recorded], known: Figures, timezone: str) -> str:
    """When, how bad, about what: a list at the top of a report."""
    opened = next((r.what for r in records if isinstance(r.what, Triggered)), None)
    if opened is None or known.opened_at is None:
        return ""
    labels = ", ".join(f"{name}={value}" for name, value in sorted(opened.labels.items()))
    end = "not resolved yet"
    if known.resolved_at is not None:
        end = f"resolved after {known['open'].as_text()}"
    lines = [
        f"- Opened: {day(known.opened_at, timezone)}; {end}",
        f"- Worst severity: {known.severity.name if known.severity else 'n/a'}",
        f"- Labels: {markdown(labels) or 'none'}",
    ]
    return "\n".join(lines)


def figures_table(known: Figures) -> str:
    """The spans with their definitions, and what became of pages."""
    rows = [
        (figure.title, figure.as_text(), figure.definition, _entries(figure.entries))
        for figure in known.spans
    ]
    pages = known.pages
    said = (
        f"{pages.queued} planned, {pages.sent} sent, {pages.accepted} accepted by a provider,"
        f" {pages.failed} failed, {pages.withdrawn} withdrawn, {pages.unacknowledged} sent in rounds"
        " that nobody acknowledged"
    )
    if pages.blind:
        said += f", {pages.blind} sent while the journal was away"
    return f"{table(('Figure', 'Value', 'From → to', 'Entries'), rows)}\n\nPages: {said}."


def _entries(versions: tuple[int, ...]) -> str:
    return ", ".join(str(version) for version in versions)
