"""The figures of one incident, from its stream alone; none is ever a bare mean or a false zero.

TTD is left open: when the harm began is for a person to say. Definitions follow the field's
reports: TTA from the first page queued to the first acknowledgement, TTM and TTR from the
opening to mitigation and resolution, each of the first opening.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sentinel.timeline import incident_facts as inc
from sentinel.timeline import paging_facts as pag
from sentinel.timeline.facts import Recorded


@dataclass(frozen=True, slots=True)
class Figures:
    """Spans are None where what ends them has not happened. Pages count those for attention only."""

    opened_at: datetime | None
    resolved_at: datetime | None
    to_acknowledge: timedelta | None
    to_mitigate: timedelta | None
    to_resolve: timedelta | None
    pages_queued: int
    pages_accepted: int
    pages_failed: int
    people_paged: tuple[str, ...]
    alerts: int
    openings: int


def figures(records: Iterable[Recorded]) -> Figures:
    """What an incident's stream says in numbers."""
    first: dict[type, datetime] = {}
    pages: dict[str, str] = {}
    accepted: set[str] = set()
    failed: set[str] = set()
    alerts: set[str] = set()
    openings = 0
    for record in records:
        what = record.what
        first.setdefault(type(what), record.occurred_at)
        match what:
            case pag.PageQueued(purpose="page"):
                pages[what.page] = what.person
            case pag.PageAccepted():
                accepted.add(what.page)
            case pag.PageFailed():
                failed.add(what.page)
            case inc.AlertJoined():
                alerts.add(what.fingerprint)
            case inc.Triggered() | inc.Reopened():
                openings += 1
            case _:
                continue
    opened = first.get(inc.Triggered)
    return Figures(
        opened_at=opened,
        resolved_at=first.get(inc.Resolved),
        to_acknowledge=_span(first.get(pag.PageQueued), first.get(inc.Acknowledged)),
        to_mitigate=_span(opened, first.get(inc.Mitigated) or first.get(inc.Resolved)),
        to_resolve=_span(opened, first.get(inc.Resolved)),
        pages_queued=len(pages),
        pages_accepted=len(accepted & set(pages)),
        pages_failed=len(failed & set(pages)),
        people_paged=tuple(sorted(set(pages.values()))),
        alerts=len(alerts),
        openings=openings,
    )


def _span(start: datetime | None, end: datetime | None) -> timedelta | None:
    return end - start if start is not None and end is not None and end >= start else None
