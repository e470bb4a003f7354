"""The figures of one incident, from its stream alone. Each says how it is defined and from which
entries it comes, so that nobody has to guess which of the four MTTRs it is.

They are one incident's times, so no *mean*: TTD, TTA, TTM, TTR. Harm counts from the first
bad sample of a probe of ours, or, where that was not told, from the moment at which its
failure was confirmed, and the definition says which (Morgue, 1UP). Without a probe the
start is for a person to say, and the times from it are n/a, never 0 and never inferred
silently. An incident that reopened is measured to the end of its last opening.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sentinel.review.wording import NEVER, spell
from sentinel.timeline.facts import Recorded
from sentinel.timeline.incident_facts import (
    Acknowledged,
    AlertJoined,
    Mitigated,
    Reopened,
    Resolved,
    SeverityChanged,
    Triggered,
)
from sentinel.timeline.paging_facts import (
    LevelReached,
    PageAccepted,
    PageFailed,
    PageQueued,
    PageStarted,
    PageWithdrawn,
    RoundBegan,
)
from sentinel.timeline.site_facts import BlindPageSent
from sentinel.words import Severity

PROBE_SOURCES = frozenset({"probe", "heartbeat"})


@dataclass(frozen=True, slots=True)
class Figure:
    """One span. `span` None: n/a, because of `missing`. `entries` are the versions it comes from."""

    id: str
    title: str
    definition: str
    span: timedelta | None
    missing: str = ""
    entries: tuple[int, ...] = ()

    def as_text(self) -> str:
        """``4 min 10 s``, or ``n/a (never acknowledged)``."""
        if self.span is None:
            return f"{NEVER} ({self.missing})" if self.missing else NEVER
        return spell(self.span.total_seconds())


@dataclass(frozen=True, slots=True)
class Pages:
    """Pages that called for attention (not approvals, not messages for information).

    `sent` left, `accepted` were taken by a provider, `failed` by none, `withdrawn` became
    needless before they left. `unacknowledged` were sent in a round that nobody
    acknowledged before it ended. `blind` were sent while the journal was away.
    """

    queued: int = 0
    sent: int = 0
    accepted: int = 0
    failed: int = 0
    withdrawn: int = 0
    unacknowledged: int = 0
    blind: int = 0
    people: tuple[str, ...] = ()
    highest_level: int = 0
    """0: nobody was paged, or only the fallback."""
    rounds: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """What an incident's stream says in numbers. `severity` is the worst it was."""

    opened_at: datetime | None
    impact_started_at: datetime | None
    impact_from: str
    acknowledged_at: datetime | None
    mitigated_at: datetime | None
    resolved_at: datetime | None
    severity: Severity | None
    alerts: int
    openings: int
    spans: tuple[Figure, ...]
    pages: Pages

    def __getitem__(self, id: str) -> Figure:
        """The span called ``ttd``, ``tta``, ``ttm``, ``ttr`` or ``open``. Raises KeyError."""
        for figure in self.spans:
            if figure.id == id:
                return figure
        raise KeyError(id)


@dataclass(frozen=True, slots=True)
class _Mark:
    """An instant and the entry that says it."""

    at: datetime
    version: int


def figures(records: Sequence[Recorded]) -> Figures:
    """The figures of one incident's stream; of an empty one, nothing but n/a."""
    opened = _first(records, lambda what: isinstance(what, Triggered))
    impact = _impact(records)
    paged = _first(records, lambda what: isinstance(what, PageQueued) and what.purpose == "page")
    acked = _first(records, lambda what: isinstance(what, Acknowledged))
    mitigated = _first(records, lambda what: isinstance(what, Mitigated))
    resolved = _end(records)
    reopened = sum(isinstance(record.what, Reopened) for record in records)
    no_impact = "nobody has said when the harm began"
    harm = _harm(records, impact)
    again = f", the last of {reopened + 1} openings" if reopened else ""
    spans = (
        _span("ttd", "Time to detect", f"{harm} → incident opened",
              (impact, no_impact), (opened, "not opened")),
        _span("tta", "Time to acknowledge", "first page created → first acknowledgement",
              (paged, "nobody was paged"), (acked, "never acknowledged")),
        _span("ttm", "Time to mitigate", f"{harm} → a person said mitigated",
              (impact, no_impact), (mitigated, "nobody said that it was mitigated")),
        _span("ttr", "Time to resolve", f"{harm} → resolved{again}",
              (impact, no_impact), (resolved, "not resolved")),
        _span("open", "Time open", f"incident opened → resolved{again}",
              (opened, "not opened"), (resolved, "not resolved")),
    )  # fmt: skip
    return Figures(
        opened_at=_at(opened),
        impact_started_at=_at(impact),
        impact_from=harm,
        acknowledged_at=_at(acked),
        mitigated_at=_at(mitigated),
        resolved_at=_at(resolved),
        severity=_worst(records),
        alerts=len({r.what.fingerprint for r in records if isinstance(r.what, AlertJoined)}),
        openings=reopened + (1 if opened else 0),
        spans=spans,
        pages=_pages(records),
    )


def _first(records: Sequence[Recorded], wanted: Callable[[object], bool]) -> _Mark | None:
    for record in records:
        if wanted(record.what):
            return _Mark(record.occurred_at, record.version)
    return None


def _impact(records: Sequence[Recorded]) -> _Mark | None:
    """The earliest moment at which one of our own probes saw it, among alerts of the first opening."""
    marks = []
    for record in records:
        if isinstance(record.what, Resolved):
            break
        if isinstance(record.what, AlertJoined) and record.what.source in PROBE_SOURCES:
            since = record.what.failing_since_at or record.what.started_at
            marks.append(_Mark(since, record.version))
    return min(marks, key=lambda mark: mark.at, default=None)


def _harm(records: Sequence[Recorded], impact: _Mark | None) -> str:
    """In words, what the harm is counted from."""
    for record in records:
        if impact is not None and record.version == impact.version:
            first_seen = isinstance(record.what, AlertJoined) and record.what.failing_since_at
            return "a probe's first bad sample" if first_seen else "a probe's confirmed failure"
    return "harm"


def _end(records: Sequence[Recorded]) -> _Mark | None:
    """When it was resolved for good, as far as the stream goes; None while it is open."""
    end: _Mark | None = None
    for record in records:
        if isinstance(record.what, Resolved):
            end = _Mark(record.occurred_at, record.version)
        elif isinstance(record.what, Reopened):
            end = None
    return end


def _span(
    id: str,
    title: str,
    definition: str,
    start: tuple[_Mark | None, str],
    end: tuple[_Mark | None, str],
) -> Figure:
    (begins, why_not), (ends, why_open) = start, end
    if begins is None:
        return Figure(id, title, definition, None, why_not)
    if ends is None:
        return Figure(id, title, definition, None, why_open, (begins.version,))
    entries = (begins.version, ends.version)
    if ends.at < begins.at:
        return Figure(id, title, definition, None, "its end lies before its beginning", entries)
    return Figure(id, title, definition, ends.at - begins.at, "", entries)


def _at(mark: _Mark | None) -> datetime | None:
    return mark.at if mark is not None else None


def _worst(records: Sequence[Recorded]) -> Severity | None:
    found = [r.what.severity for r in records if isinstance(r.what, Triggered | SeverityChanged)]
    return max(found, default=None)


def _pages(records: Sequence[Recorded]) -> Pages:
    pages = {
        record.what.page: record.what
        for record in records
        if isinstance(record.what, PageQueued) and record.what.purpose == "page"
    }

    def those(kind: type) -> set[str]:
        found = {record.what.page for record in records if isinstance(record.what, kind)}  # type: ignore[union-attr]
        return found & pages.keys()

    sent, accepted = those(PageStarted), those(PageAccepted)
    levels = [r.what.level for r in records if isinstance(r.what, LevelReached)]
    answered = _answered_rounds(records)
    return Pages(
        queued=len(pages),
        sent=len(sent),
        accepted=len(accepted),
        failed=len(those(PageFailed) - accepted),
        withdrawn=len(those(PageWithdrawn)),
        unacknowledged=sum(pages[page].round not in answered for page in sent),
        blind=sum(isinstance(record.what, BlindPageSent) for record in records),
        people=tuple(dict.fromkeys(page.person for page in pages.values())),
        highest_level=max(levels, default=0),
        rounds=sum(isinstance(record.what, RoundBegan) for record in records),
    )


def _answered_rounds(records: Sequence[Recorded]) -> set[int]:
    """The rounds in which somebody acknowledged."""
    answered: set[int] = set()
    present = 0
    for record in records:
        if isinstance(record.what, RoundBegan):
            present = record.what.round
        elif isinstance(record.what, Acknowledged):
            answered.add(present)
    return answered
