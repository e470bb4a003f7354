"""When which probe is due: a heap, and turns for rechecks by host.

A recheck is granted at most once a second per host (rule 2), so that a hundred probes of one
sick shop do not fall upon it together. A probe that would have to wait longer than until its
regular slot takes that instead and uses no turn.
"""

import heapq
import itertools
from datetime import datetime, timedelta

from sentinel.engine.runner import Runner
from sentinel.monitor.verdict import next_due_at

RECHECKS_APART = timedelta(seconds=1)
MOST_HOSTS = 10_000


class Schedule:
    """Runners in order of their due time; each stands in it at most once, stale entries aside."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int, Runner]] = []
        self._order = itertools.count()
        self._turns: dict[str, datetime] = {}

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, runner: Runner, at: datetime) -> None:
        """Due at `at`, and at no other time."""
        runner.due_at = at
        heapq.heappush(self._heap, (at, next(self._order), runner))

    def next_at(self) -> datetime | None:
        """When the earliest is due; None: nothing is."""
        heap = self._heap
        while heap and heap[0][2].due_at != heap[0][0]:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def pop(self, now: datetime) -> Runner | None:
        """The earliest that is due at `now`; it is no longer in the schedule, its `due_at` stays."""
        at = self.next_at()
        return heapq.heappop(self._heap)[2] if at is not None and at <= now else None

    def next_due(self, runner: Runner, now: datetime) -> datetime:
        """When a runner whose check ended at `now` is due next."""
        regular = runner.slots.after(now)
        if not runner.state.sick:
            return regular
        turn = self._turns.get(runner.host)
        at = next_due_at(runner.probe, runner.state, after=now, recheck_from=turn)
        if runner.host and at < regular:
            self._reserve(runner.host, at, now)
        return at

    def _reserve(self, host: str, at: datetime, now: datetime) -> None:
        self._turns[host] = at + RECHECKS_APART
        if len(self._turns) > MOST_HOSTS:
            self._turns = {each: free for each, free in self._turns.items() if free > now}
