"""What happened, told: one line a fact, from an incident's stream alone (rule 30).

The same lines stand on the web page, in the terminal and in reports. Told up to an instant,
they answer "what did we know at 02:30?".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sentinel.localtime import wall
from sentinel.review.sentences import category, sentence
from sentinel.timeline import incident_facts as inc
from sentinel.timeline.facts import Recorded

GAP = timedelta(minutes=15)
"""A silence this long is drawn as a gap."""


@dataclass(frozen=True, slots=True)
class Line:
    """One fact, told. `clock` is local, `gap` what passed in silence before it ("" when little did)."""

    version: int
    at: datetime
    clock: str
    category: str
    text: str
    gap: str = ""
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Story:
    """The lines in the order of the stream, and the time zone of their clocks."""

    lines: tuple[Line, ...]
    timezone: str

    def as_text(self) -> str:
        """For a terminal: the day where it changes, then time and sentence."""
        found: list[str] = []
        day = ""
        for line in self.lines:
            local = wall(line.at, self.timezone)
            if (today := local.strftime("%A %Y-%m-%d, UTC%z")) != day:
                found.append(today)
                day = today
            if line.gap:
                found.append(f"          … {line.gap} …")
            found.append(f"{line.clock}  {line.text}")
        return "\n".join(found)

    def as_markdown(self) -> str:
        """A table for reports."""
        rows = [f"| {line.at:%Y-%m-%d %H:%M:%S} UTC | {_cell(line.text)} |" for line in self.lines]
        return "\n".join(["| when | what |", "|---|---|", *rows])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def story(
    records: Iterable[Recorded],
    *,
    timezone: str = "UTC",
    names: Mapping[str, str] | None = None,
    known_at: datetime | None = None,
) -> Story:
    """Tell a stream. `names` are people's by id; `known_at` leaves out what was recorded later.

    Raises ValueError for an unknown time zone.
    """
    lines: list[Line] = []
    for record in records:
        if known_at is not None and record.recorded_at > known_at:
            break
        before = lines[-1].at if lines else record.occurred_at
        silence = record.occurred_at - before
        lines.append(
            Line(
                version=record.version,
                at=record.occurred_at,
                clock=wall(record.occurred_at, timezone).strftime("%H:%M:%S"),
                category=category(record.what),
                text=sentence(record, names or {}),
                gap=span_text(silence) if silence >= GAP else "",
                evidence=_evidence(record),
            )
        )
    return Story(tuple(lines), timezone)


def _evidence(record: Recorded) -> str:
    if isinstance(record.what, inc.EvidenceKept):
        return record.what.digest
    return getattr(record.what, "evidence", "")


def span_text(span: timedelta) -> str:
    """``1 h 5 min``, ``12 s``: the two largest units that say something."""
    seconds = round(span.total_seconds())
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    parts = []
    for name, size in units:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"
