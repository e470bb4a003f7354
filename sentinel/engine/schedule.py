"""When which probe is due: second by second, and turns for rechecks by host.

Those of the second that is under way are a heap. Those of later ones lie by their second as they
came, and are put in order when it begins: one heap of all would be walked from end to end, over
memory long cold, for each check.

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

_Entry = tuple[datetime, int, Runner]


class Schedule:
    """Runners in order of their due time; each stands in it at most once, stale entries aside."""

    def __init__(self) -> None:
        self._heap: list[_Entry] = []
        self._until = 0
        """What is due before this second of the epoch stands in the heap."""
        self._later: dict[int, list[_Entry]] = {}
        self._seconds: list[int] = []
        """A heap of the seconds of `_later`."""
        self._order = itertools.count()
        self._turns: dict[str, datetime] = {}

    def put(self, runner: Runner, at: datetime) -> None:
        """Due at `at`, and at no other time."""
        runner.due_at = at
        entry = (at, next(self._order), runner)
        second = int(at.timestamp())
        if second < self._until:
            heapq.heappush(self._heap, entry)
        elif second in self._later:
            self._later[second].append(entry)
        else:
            self._later[second] = [entry]
            heapq.heappush(self._seconds, second)

    def next_at(self) -> datetime | None:
        """When the earliest is due; None: nothing is."""
        heap = self._heap
        while True:  # bounded by the entries
            while heap and heap[0][2].due_at != heap[0][0]:
                heapq.heappop(heap)
            if heap:
                return heap[0][0]
            if not self._seconds:
                return None
            second = heapq.heappop(self._seconds)
            self._heap = heap = self._later.pop(second)
            self._until = second + 1
            heapq.heapify(heap)

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
