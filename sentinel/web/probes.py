"""The console's pages of what is watched: every probe with its verdict, and one probe closely.

The list is asked for every few seconds by walls and scripts. It takes one query for all verdicts,
and a row is drawn again only when what it shows has changed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sentinel.engine.folds import Overlay
from sentinel.engine.node import Node
from sentinel.engine.verdicts import states_of
from sentinel.labels import fingerprint
from sentinel.monitor.probe import CheckResult, Probe
from sentinel.monitor.verdict import Verdict, VerdictState, instant
from sentinel.store.journal import IncidentRow, PresentAlert, View
from sentinel.store.views import history
from sentinel.web.api import by_probe
from sentinel.web.door import actor, visitor
from sentinel.web.render import macro, page
from sentinel.words import Outcome

MOST_ROWS = 2000
NEWEST = 50
DAY = timedelta(days=1)
NOT_CHECKED = "unchecked"
WORST_FIRST = (*(v.value for v in (Verdict.firing, Verdict.recovering, Verdict.pending)),
               Verdict.unknown.value, NOT_CHECKED, Verdict.ok.value)  # fmt: skip
"""What a row may show, in the order of the list."""

_RANK = {state: rank for rank, state in enumerate(WORST_FIRST)}


class Row(NamedTuple):
    """What the list shows of a probe; the drawn row is kept under it. `places` are the locations
    that are as bad as this, named where there is more than one; `since` is in microseconds."""

    state: str
    probe: str
    kind: str
    reason: str
    places: str
    since: int | None
    flapping: bool
    degraded: bool
    about: str
    declared_at: str


@lru_cache(maxsize=4 * MOST_ROWS)
def _drawn(row: Row) -> Markup:
    return macro("probe_row.html", "row")(row, instant(row.since))


def _row(probe: Probe, states: Mapping[str, Mapping[str, Any]]) -> Row:
    worst, places = NOT_CHECKED, list[str]()
    for place, state in states.items():
        shown = state.get("state", "unknown")
        if not places or _RANK[shown] < _RANK[worst]:
            worst, places = shown, [place]
        elif shown == worst:
            places.append(place)
    at = states[places[0]] if places else {}
    return Row(
        state=worst,
        probe=probe.id,
        kind=probe.kind,
        reason=at.get("reason", ""),
        places=", ".join(places) if len(states) > 1 else "",
        since=at.get("since_at"),
        flapping=any(state.get("flapping", False) for state in states.values()),
        degraded=at.get("degraded", False),
        about=" · ".join(filter(None, (probe.client, probe.service, probe.vendor))),
        declared_at=f"{probe.place.path}:{probe.place.line}",
    )


async def probes(request: Request) -> Response:
    """Every probe with its verdict, the sick first; ``?state=`` filters, the address can be shared.
    Where nothing is declared yet, the YAML to write next."""
    who = await visitor(request)
    if isinstance(who, Response):
        return who
    node: Node = request.app.state.node
    declared = node.present.policy.probes
    states = await node.decisions.look(lambda overlay: by_probe(overlay.view))
    rows = sorted(
        (_row(probe, states.get(name, {})) for name, probe in declared.items()),
        key=lambda row: (_RANK[row.state], row.probe),
    )
    counts = Counter(row.state for row in rows)
    wanted = [s for s in request.query_params.getlist("state") if s in _RANK]
    chosen = [row for row in rows if row.state in wanted] if wanted else rows
    return page(
        request,
        "probes.html",
        declared=len(declared),
        chosen=len(chosen),
        rows=Markup("".join([_drawn(row) for row in chosen[:MOST_ROWS]])),  # noqa: S704 (rows are drawn by the template)
        most=MOST_ROWS,
        counts=[(state, counts[state]) for state in WORST_FIRST if counts[state]],
        wanted=wanted,
    )


class Day(NamedTuple):
    """What the checks of the last day came to: `good` (ok or warn) of `total` that say anything, and
    how many say nothing."""

    good: int
    total: int
    unknown: int

    @property
    def ratio(self) -> float | None:
        """Good by total, 0 to 1; None when nothing is known."""
        return self.good / self.total if self.total else None


class Seen(NamedTuple):
    """What the store shows of one probe."""

    states: Mapping[str, VerdictState]
    results: Sequence[CheckResult]
    alert: PresentAlert | None
    incident: IncidentRow | None
    day: Day


def _seen(view: View, probe: Probe, now: datetime) -> Seen:
    alert = view.alert(fingerprint(probe.alert_labels))
    return Seen(
        states_of(view, probe.id),
        view.results(probe.id, now - DAY, now + timedelta(seconds=1), limit=NEWEST),
        alert,
        view.incident(alert.incident) if alert and alert.incident else None,
        _day(view, probe.id, now),
    )


def _day(view: View, probe: str, now: datetime) -> Day:
    counts = Counter[Outcome]()
    for rollup in history(view, probe, from_at=now - DAY, to_at=now):
        counts.update(rollup.summary.outcomes)
    good = counts[Outcome.ok] + counts[Outcome.warn]
    return Day(good, good + counts[Outcome.failed], counts[Outcome.unknown])


async def _one(request: Request, node: Node, *, fresh: CheckResult | None) -> Response:
    name = request.path_params["probe"]
    probe = node.present.policy.probes.get(name)
    if probe is None:
        return page(request, "missing.html", status=404, what=f"probe {name}")
    now = node.clock.now()

    def look(overlay: Overlay) -> Seen:
        return _seen(overlay.view, probe, now)

    seen = await node.decisions.look(look)
    return page(request, "probe.html", probe=probe, seen=seen, fresh=fresh)


async def probe(request: Request) -> Response:
    """One probe: how it stands where, its newest results, and the evidence behind them."""
    who = await visitor(request)
    if isinstance(who, Response):
        return who
    return await _one(request, request.app.state.node, fresh=None)


async def check(request: Request) -> Response:
    """The button: one check now, outside the schedule. It changes neither verdict nor store."""
    who = await actor(request)
    if isinstance(who, Response):
        return who
    node: Node = request.app.state.node
    if request.path_params["probe"] not in node.present.policy.probes:
        return await _one(request, node, fresh=None)
    _, result = await node.watcher.check_now(request.path_params["probe"])
    return await _one(request, node, fresh=result)


ROUTES = [
    Route("/probes", probes, methods=["GET", "HEAD"], name="probes"),
    Route("/probes/{probe}", probe, methods=["GET", "HEAD"], name="probe"),
    Route("/probes/{probe}", check, methods=["POST"]),
]
