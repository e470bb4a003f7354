"""The loop that keeps objectives: once a minute it counts, judges, alerts, and shows.

An objective's alert (``objective-burn``, with labels client, service, objective and burn) goes
into the inbox like any other, so that grouping, playbooks, paging and mutes are what they are for
a probe's. Which alerts are present is asked of the store each time and not remembered, so that a
restart, or another node, goes on where this one was: two nodes that judge in the same minute write
the same row. What is past is read a day of a probe at a time, and never keeps a check waiting; an
objective is judged as soon as its last three days are read, which takes a second or so for a
hundred probes. While the journal is away nothing is judged; it is counted when it is back.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

from sentinel.clock import Clock
from sentinel.engine.blind import Blind
from sentinel.engine.present import Present
from sentinel.engine.services import Blindness, Series, Watched
from sentinel.engine.standing import SOURCE, Figure, Standing, removed, standing
from sentinel.engine.verdicts import BLIND
from sentinel.errors import Failure
from sentinel.incident.policy import Policy
from sentinel.labels import fingerprint
from sentinel.library.catalog import Catalog
from sentinel.metrics.registry import Metrics
from sentinel.monitor.objective import ALERTNAME, WINDOWS_S, Burn, span_word
from sentinel.monitor.probe import Probe
from sentinel.store.journal import Change, InboxRow, Journal, PresentAlert, View
from sentinel.store.rollups import BUCKET, Rollup
from sentinel.store.samples import Checked
from sentinel.store.views import history
from sentinel.words import Span

EVERY = timedelta(minutes=1)
AGAIN = timedelta(seconds=5)
"""After the journal refused."""
LATE = timedelta(minutes=3)
"""A check is in the store at most so long after it was due, while the journal answers."""
LATEST = timedelta(hours=6)
"""What comes later than this, after the journal was away, is counted at the next start only."""
RAW = timedelta(hours=1)
PIECE = timedelta(days=1)
SLICE = timedelta(seconds=10)
AT_ONCE = 500
"""Checks counted before others have their turn: some 3 ms."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

log = logging.getLogger("sentinel.objectives")


@dataclass(frozen=True, slots=True)
class _Piece:
    """A day of a probe that is still to be read from the rollups."""

    watched: Watched
    probe: str
    span: Span


class Keeping(Protocol):
    """What objectives need of a node."""

    journal: Journal
    clock: Clock
    blind: Blind
    metrics: Metrics
    catalog: Catalog
    present: Present


class Objectives:
    """Keeps the objectives of a node's documents. Used from one event loop."""

    def __init__(self, node: Keeping) -> None:
        self._node = node
        self._services: dict[tuple[str, str], Watched] = {}
        self._soon: deque[_Piece] = deque()
        self._later: deque[_Piece] = deque()
        self._blindness = Blindness()
        self._adopted: tuple[Catalog, Policy] | None = None
        self._counted_at: deque[datetime] = deque(maxlen=2)
        """When the last two turns counted: what the journal gave back after being away may have
        come a moment after the last."""
        self._told: dict[str, datetime] = {}
        """When an alert began that the responder has not taken up yet, by fingerprint."""
        self.figures: Sequence[Figure] = ()

    async def run(self) -> None:
        """Until cancelled. A journal that refuses is asked again."""
        while True:
            now = self._node.clock.now()
            wake_at = now + EVERY - (now - _EPOCH) % EVERY
            try:
                if self._node.blind.blind_since is None:
                    await self.turn()
                    if await self._look_back(wake_at):
                        await self.turn()
            except Failure as failure:
                self._node.metrics.failures.labels(failure.reason.value).inc()
                log.warning(
                    "objectives were not judged",
                    extra={"reason": failure.reason, "error": str(failure)},
                )
                wake_at = min(wake_at, now + AGAIN)
            await self._node.clock.sleep_until(wake_at)

    async def turn(self) -> None:
        """Count what came, judge, tell. Raises JournalUnavailable."""
        now = self._node.clock.now()
        self._adopt(now)
        alerts = await self._node.journal.view(_alerts)
        self._blindness.look(
            {
                each.labels.get("location", ""): each.started_at
                for each in alerts
                if each.labels.get("alertname") == BLIND
            },
            now,
        )
        await self._count(now)
        while self._soon:
            await self._read(self._soon)
        ours = [a for a in alerts if a.labels.get("alertname") == ALERTNAME and a.source == SOURCE]
        rows = self._judge({each.fingerprint: each for each in ours}, now)
        if rows:
            await self._node.journal.transact((), lambda view: (Change(inbox=rows), None), now=now)

    # ------------------------------------------------------------------------------ what is kept

    def _adopt(self, now: datetime) -> None:
        """Keep what the documents declare now; what changed is counted anew from the store."""
        catalog, policy = self._node.catalog, self._node.present.policy
        seen = self._adopted
        if seen is not None and seen[0] is catalog and seen[1] is policy:
            return
        self._adopted = (catalog, policy)
        probes: dict[tuple[str, str], list[Probe]] = {}
        for probe in policy.probes.values():
            probes.setdefault((probe.client, probe.service), []).append(probe)
        before, self._services = self._services, {}
        for client in catalog.clients.values():
            for service in client.services.values():
                place = (client.id, service.id)
                old = before.pop(place, None)
                new = Watched(
                    service.objectives, probes.get(place, ()), tuple(policy.maintenance.values())
                )
                if old is not None and old.key == new.key:
                    self._services[place] = old
                    continue
                if old is not None:
                    self._forget(old)
                if service.objectives:
                    self._services[place] = new
                    self._plan(new, now)
        for gone in before.values():
            self._forget(gone)

    def _forget(self, watched: Watched) -> None:
        for queue in (self._soon, self._later):
            kept = [piece for piece in queue if piece.watched is not watched]
            queue.clear()
            queue.extend(kept)
        for objective in watched.objectives:
            self._node.metrics.show_objective(
                objective.name,
                ratio=None,
                budget_left=None,
                burn_rates={span_word(span): None for span in WINDOWS_S},
            )

    def _plan(self, watched: Watched, now: datetime) -> None:
        """Which days are to be read, the newest first: those of the burn rates, then the rest."""
        to_at = _raw_from(now)
        soon_at = to_at - timedelta(seconds=WINDOWS_S[-1])
        first_at = to_at - timedelta(seconds=watched.longest_s)
        for queue, span in (
            (self._soon, Span(soon_at, to_at)),
            (self._later, Span(first_at, soon_at)),
        ):
            for day in _pieces(span, PIECE):
                queue.extend(_Piece(watched, probe, day) for probe in watched.every_s)
                watched.pieces_left += len(watched.every_s)

    # --------------------------------------------------------------------------------- counting

    async def _count(self, now: datetime) -> None:
        """Read the results that came; of services that are new here, those of the last hour."""
        known = [each for each in self._services.values() if each.begun]
        new = [each for each in self._services.values() if not each.begun]
        before_at = min(self._counted_at, default=now)
        await self._count_since(known, max(before_at - LATE, now - LATEST), now)
        await self._count_since(new, _raw_from(now), now)
        for watched in new:
            watched.begun = True
        self._counted_at.append(now)

    async def _count_since(
        self, services: Sequence[Watched], from_at: datetime, now: datetime
    ) -> None:
        of_probe = {probe: watched for watched in services for probe in watched.every_s}
        series = frozenset(each for watched in services for each in watched.declared)
        slices = list(_pieces(Span(from_at, now), SLICE)) if series else []
        for span in reversed(slices):
            checks, planned = await self._node.journal.view(
                partial(_checks, of_probe, series, span)
            )
            for number, each in enumerate(checks, 1):
                of_probe[each.probe].count(each, planned.get(each.probe, ()), self._blindness)
                if number % AT_ONCE == 0:
                    await asyncio.sleep(0)

    async def _look_back(self, until_at: datetime) -> bool:
        """Read more of what is past while there is time; whether that was the last of it."""
        if not self._later:
            return False
        while self._later and self._node.clock.now() < until_at:
            await self._read(self._later)
        return not self._later

    async def _read(self, queue: deque[_Piece]) -> None:
        piece = queue[0]
        rollups, planned = await self._node.journal.view(partial(_rolled, piece))
        for rollup in rollups:
            piece.watched.count_rollup(rollup, planned)
        piece.watched.pieces_left -= 1
        queue.popleft()

    # ---------------------------------------------------------------------------------- judging

    def _judge(self, present: Mapping[str, PresentAlert], now: datetime) -> list[InboxRow]:
        """Every objective as it stands; the alerts that begin, worsen or end now."""
        figures: list[Figure] = []
        rows: list[InboxRow] = []
        declared: set[str] = set()
        for watched in self._services.values():
            for objective, tally in zip(watched.objectives, watched.tallies, strict=True):
                found = standing(watched, objective, tally, now)
                firing = []
                for burn in Burn:
                    name = fingerprint(objective.labels(burn))
                    declared.add(name)
                    rows += self._told_of(found, burn, present.get(name), name)
                    if name in self._told or name in present:
                        firing.append(burn)
                figures.append(found.figure(tuple(firing)))
        rows += [removed(alert, now) for name, alert in present.items() if name not in declared]
        self.figures = figures
        for each in figures:
            self._node.metrics.show_objective(
                each.objective.name,
                ratio=each.ratio,
                budget_left=each.budget_left,
                burn_rates=each.burn_rates,
            )
        return rows

    def _told_of(
        self, found: Standing, burn: Burn, alert: PresentAlert | None, name: str
    ) -> list[InboxRow]:
        """The row, if any, about one alert. What the responder has not taken up yet keeps its
        beginning, so that it is the same occurrence."""
        if alert is not None:
            self._told.pop(name, None)
        began_at = alert.started_at if alert is not None else self._told.get(name)
        burns = found.burning(burn)
        if burns is not None:
            if alert is None:
                began_at = self._told.setdefault(name, found.at)
            worse = alert is None or alert.severity < burns.pair.severity
            return [found.begins(burns, began_at or found.at)] if worse else []
        if began_at is None or not found.is_over(burn):
            return []
        self._told.pop(name, None)
        return [found.ends(burn, began_at)]


def _alerts(view: View) -> Sequence[PresentAlert]:
    return [each for each in view.alerts() if each.labels.get("alertname") in (ALERTNAME, BLIND)]


def _checks(
    probes: Mapping[str, Watched], series: Collection[Series], span: Span, view: View
) -> tuple[Sequence[Checked], Mapping[str, Sequence[Span]]]:
    """Checks due in a span, and the maintenance they may have fallen into, by probe."""
    checks = view.checked(series, span.from_at, span.to_at)
    seen = {each.probe for each in checks}
    return checks, {each: probes[each].planned(each, span.from_at, span.to_at) for each in seen}


def _rolled(piece: _Piece, view: View) -> tuple[Sequence[Rollup], Sequence[Span]]:
    from_at, to_at = piece.span.from_at, piece.span.to_at
    planned = piece.watched.planned(piece.probe, from_at, to_at)
    return history(view, piece.probe, from_at=from_at, to_at=to_at), planned


def _raw_from(now: datetime) -> datetime:
    """Where the results of the last hour begin: with a bucket of the rollups."""
    return now - RAW - (now - _EPOCH) % BUCKET


def _pieces(span: Span, length: timedelta) -> Iterator[Span]:
    """A span cut from its end, the newest first; the last may be shorter."""
    count = -((span.from_at - span.to_at) // length)
    for number in range(count):
        to_at = span.to_at - number * length
        yield Span(max(to_at - length, span.from_at), to_at)
