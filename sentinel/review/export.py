"""An incident for archives and other tools: every fact, with the hashes that prove them."""

from collections.abc import Mapping, Sequence

import msgspec

from sentinel.review.figures import figures
from sentinel.review.story import span_text, story
from sentinel.timeline.codec import encode
from sentinel.timeline.facts import Recorded

FORMAT = "sentinel-incident/1"


def export_json(records: Sequence[Recorded]) -> bytes:
    """Facts in order as JSON: data with instants in microseconds UTC, as hashed; text apart."""
    facts = []
    for record in records:
        name, version, data = encode(record.what)
        facts.append(
            {
                "stream": record.stream,
                "version": record.version,
                "type": name,
                "v": version,
                "occurred_at": record.occurred_at,
                "recorded_at": record.recorded_at,
                "data": data,
                "text": record.text,
                "hash": record.hash,
            }
        )
    return msgspec.json.encode({"format": FORMAT, "facts": facts})


def export_markdown(
    records: Sequence[Recorded], *, timezone: str = "UTC", names: Mapping[str, str] | None = None
) -> str:
    """The story and its figures as Markdown."""
    known = figures(records)
    told = story(records, timezone=timezone, names=names)
    resolve = span_text(known.to_resolve) if known.to_resolve is not None else "not resolved"
    head = (
        f"# Incident {records[0].stream.removeprefix('incident/')}\n\nTime to resolve: {resolve}."
    )
    return f"{head}\n\n{told.as_markdown()}\n"
