"""An incident told from its stream: one plain sentence a fact, in the order of the stream.

The web, the CLI and the reports show these same lines. A line has the local time with its
UTC offset, who acted, and a category. What matters little for understanding is a *detail*:
`Story.lines` leaves details out, `Story.everything` tells every fact. A stretch in which
nothing was recorded is drawn as a gap, because silence is also something to see.

The order is the stream's (its versions), never the clock's: a fact that became known late
stands where it became known, and says so.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import get_args

from sentinel.review.tell_incident import (
    AlertFact,
    PersonalFact,
    StatusFact,
    tell_alert,
    tell_personal,
    tell_status,
)
from sentinel.review.tell_paging import tell_paging
from sentinel.review.tell_runs import tell_run
from sentinel.review.telling import Category, Said, Telling
from sentinel.review.wording import clock, day, markdown, offset, spell, table
from sentinel.timeline.facts import AnyFact, PagingFact, Recorded, RunFact
from sentinel.timeline.incident_facts import EvidenceKept

GAP_AFTER = timedelta(minutes=15)
LATE = timedelta(minutes=1)
"""A fact recorded longer than this after it occurred says so."""

_ALERT, _STATUS, _PERSONAL = get_args(AlertFact), get_args(StatusFact), get_args(PersonalFact)
_PAGING, _RUN = get_args(PagingFact), get_args(RunFact)


@dataclass(frozen=True, slots=True)
class Line:
    """One fact, told. `version` is its place in the stream, `at` when it occurred (UTC); `day`,
    `clock` and `offset` are the same in the story's zone. `actor` is a person's id, ``sentinel`` or
    ``run/ID``; `kind` the fact's type; `evidence` the SHA-256 of what was kept, or empty.
    `redacted`: somebody removed its text. `gap`: how long nothing was recorded before it, in
    words, or empty."""

    version: int
    at: datetime
    day: str
    clock: str
    offset: str
    actor: str
    category: Category
    kind: str
    text: str
    redacted: bool = False
    detail: bool = False
    evidence: str = ""
    gap: str = ""


@dataclass(frozen=True, slots=True)
class Story:
    """The lines in the order of the stream. `incident` is empty when nothing is known."""

    incident: str
    timezone: str
    everything: tuple[Line, ...]
    lines: tuple[Line, ...]
    """Without the details."""

    def as_text(self, *, details: bool = False) -> str:
        """For terminals, mail and logs; the date stands where the day changes. No newline at the end."""
        out: list[str] = []
        today = ""
        for line in self.everything if details else self.lines:
            if line.day != today:
                today = line.day
                out.append(f"{today} ({self.timezone})")
            if line.gap:
                out.append(f"{'':19}· · · {line.gap} · · ·")
            out.append(f"  {line.clock} {line.offset}  {line.category:<8}  {line.text}")
        return "\n".join(out)

    def as_markdown(self, *, details: bool = False) -> str:
        """A table for reports; what came from outside is escaped. Times are local, with the offset."""
        rows: list[tuple[str, str, str]] = []
        today = ""
        for line in self.everything if details else self.lines:
            if line.day != today:
                today = line.day
                rows.append((f"**{today}**", "", ""))
            if line.gap:
                rows.append(("", "", f"*{line.gap}*"))
            when = f"{line.clock} {line.offset}"
            rows.append((when, str(line.category), markdown(line.text)))
        return table((f"When ({markdown(self.timezone)})", "What", "What happened"), rows)


def story(
    records: Iterable[Recorded],
    *,
    timezone: str = "UTC",
    names: Mapping[str, str] | None = None,
    known_at: datetime | None = None,
    gap_after: timedelta = GAP_AFTER,
) -> Story:
    """Tell one incident's stream. `names` are people's names by id. `known_at` leaves out what was
    recorded later: what did we know then? Raises ValueError for a time zone that does not exist."""
    telling = Telling(timezone, names or {})
    everything: list[Line] = []
    lines: list[Line] = []
    gap = ""
    for record in records:
        if known_at is not None and record.recorded_at > known_at:
            continue
        told = _told(record, telling)
        telling.learn(record.what)
        if told is None:
            continue
        silence = record.occurred_at - everything[-1].at if everything else timedelta(0)
        own_gap = (
            f"{spell(silence.total_seconds())} without an entry" if silence >= gap_after else ""
        )
        gap = own_gap or gap
        line = _line(record, told, telling)
        everything.append(replace(line, gap=own_gap))
        if not line.detail:
            lines.append(replace(line, gap=gap))
            gap = ""
    return Story(telling.incident, timezone, tuple(everything), tuple(lines))


def _told(record: Recorded, telling: Telling) -> Said | None:
    """The fact as a sentence; None for a fact of another kind of stream."""
    what, at, text = record.what, record.occurred_at, _text(record)
    if isinstance(what, _ALERT):
        return tell_alert(what, text, at, telling)
    if isinstance(what, _STATUS):
        return tell_status(what, at, telling)
    if isinstance(what, _PERSONAL):
        return tell_personal(what, text, at, telling)
    if isinstance(what, _PAGING):
        return tell_paging(what, text, at, telling)
    return tell_run(what, text, at, telling) if isinstance(what, _RUN) else None


def _text(record: Recorded) -> str | None:
    """What was written beside the fact; None: it was removed."""
    if record.text is None:
        return None
    return " ".join(value for _, value in sorted(record.text.items()) if value)


def _line(record: Recorded, said: Said, telling: Telling) -> Line:
    text = said.text
    if record.recorded_at - record.occurred_at > LATE:
        known = telling.when(record.recorded_at, record.occurred_at)
        text += f" (Known only since {known}.)"
    return Line(
        version=record.version,
        at=record.occurred_at,
        clock=clock(record.occurred_at, telling.timezone),
        offset=offset(record.occurred_at, telling.timezone),
        day=day(record.occurred_at, telling.timezone),
        actor=said.actor or "sentinel",
        category=said.category,
        kind=type(record.what).__name__,
        text=text,
        redacted=record.text is None,
        detail=said.detail,
        evidence=_evidence(record.what),
    )


def _evidence(what: AnyFact) -> str:
    if isinstance(what, EvidenceKept):
        return what.digest
    return str(getattr(what, "evidence", ""))
