"""Small regular duties of a node: look for blindness, renew the file of contacts, count, prune."""

import logging
from datetime import datetime, timedelta
from typing import Protocol

from sentinel.clock import Clock
from sentinel.engine.blind import Blind
from sentinel.engine.deciding import Decisions
from sentinel.engine.folds import Overlay
from sentinel.errors import Failure
from sentinel.incident.state import OPEN
from sentinel.library.catalog import Catalog
from sentinel.library.site import Keep as DeclaredKeep
from sentinel.metrics.registry import Metrics
from sentinel.store.journal import Journal, Keep, WorkKind
from sentinel.words import Severity

EVERY = timedelta(seconds=1)
CONTACTS_EVERY = timedelta(minutes=1)
PRUNE_EVERY = timedelta(hours=1)
ROLL_UP_EVERY = timedelta(minutes=5)

log = logging.getLogger("sentinel.upkeep")


def keep_of(declared: DeclaredKeep) -> Keep:
    """How long the store keeps things, from the document's words."""
    return Keep(declared.results_for, declared.rollups_for, declared.evidence_for)


class Kept(Protocol):
    """What upkeep needs of a node."""

    decisions: Decisions
    journal: Journal
    clock: Clock
    blind: Blind
    metrics: Metrics
    catalog: Catalog


class Upkeep:
    """Runs the duties of a node, one look a second."""

    def __init__(self, node: Kept) -> None:
        self._node = node
        self._next: dict[str, datetime] = {}

    async def run(self) -> None:
        """Until cancelled. A refusing journal is reported; the duty comes again."""
        while True:
            try:
                await self.turn()
                self._node.blind.answered("upkeep")
            except Failure as failure:
                if failure.retryable:
                    self._node.blind.refused("upkeep")
                log.warning(
                    "a duty failed", extra={"reason": failure.reason, "error": str(failure)}
                )
            await self._node.clock.sleep_until(self._node.clock.now() + EVERY)

    async def turn(self) -> None:
        """Everything that is due now; blindness first, which needs no journal."""
        node = self._node
        await node.blind.look(node.decisions)
        if node.blind.blind_since is not None:
            return
        await self._count()
        if self._due("contacts", CONTACTS_EVERY):
            await node.blind.rewrite(node.decisions)
        if self._due("roll up", ROLL_UP_EVERY):
            await node.journal.roll_up(node.clock.now())
        if self._due("prune", PRUNE_EVERY):
            await node.journal.prune(node.clock.now(), keep_of(node.catalog.site.keep))

    def _due(self, duty: str, every: timedelta) -> bool:
        now = self._node.clock.now()
        if self._next.get(duty, now) > now:
            return False
        self._next[duty] = now + every
        return True

    async def _count(self) -> None:
        """Queue depths and open incidents, for metrics."""
        now = self._node.clock.now()

        def look(overlay: Overlay) -> tuple[dict[str, int], dict[str, int]]:
            kinds = (WorkKind.wake, WorkKind.step, WorkKind.delivery)
            depth = {kind.value: len(overlay.view.due(now, (kind,), 1000)) for kind in kinds}
            depth["inbox"] = len(overlay.view.inbox(1000))
            rows = overlay.view.incidents(status=[status.value for status in OPEN], limit=1000)
            open_ = {severity.name: 0 for severity in Severity}
            for row in rows:
                open_[Severity(row.severity).name] += 1
            return depth, open_

        depth, open_ = await self._node.decisions.look(look)
        for queue, count in depth.items():
            self._node.metrics.queue.labels(queue).set(count)
        for severity, count in open_.items():
            self._node.metrics.incidents.labels(severity).set(count)
