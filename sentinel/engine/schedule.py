"""When which probe is due: second by second, and turns for rechecks by host.

The entries of a second lie as they came, and are put in order when it begins: a heap of all would
be walked from end to end, over memory long cold, for each check.

A recheck is granted at most once a second per host (rule 2), so that a hundred probes of one
sick shop do not fall upon it together. A probe that would have to wait longer than until its
regular slot takes that instead and uses no turn.
"""

import heapq
from bisect import insort
from datetime import datetime, timedelta
from operator import itemgetter

from sentinel.engine.crowd import LONGEST
from sentinel.engine.runner import Runner
from sentinel.monitor.verdict import next_due_at

RECHECKS_APART = timedelta(seconds=1)
MOST_HOSTS = 10_000

_Entry = tuple[datetime, Runner]
_when = itemgetter(0)


class Schedule:
    """Runners in order of their due time; each stands in it at most once, stale entries aside."""

    def __init__(self) -> None:
        self._due: list[_Entry] = []
        """What is due before `_until`, in order; those before `_place` had their turn."""
        self._place = 0
        self._until = 0
        """A second of the epoch."""
        self._later: dict[int, list[_Entry]] = {}
        self._seconds: list[int] = []
        """A heap of the seconds of `_later`."""
        self._turns: dict[str, datetime] = {}

    def put(self, runner: Runner, at: datetime) -> None:
        """Due at `at`, and at no other time."""
        runner.due_at = at
        entry = (at, runner)
        second = int(at.timestamp())
        if second < self._until:
            insort(self._due, entry, lo=self._place, key=_when)
        elif second in self._later:
            self._later[second].append(entry)
        else:
            self._later[second] = [entry]
            heapq.heappush(self._seconds, second)

    def next_at(self) -> datetime | None:
        """When the earliest is due; None: nothing is."""
        while True:  # bounded by the entries
            while self._place < len(self._due):
                at, runner = self._due[self._place]
                if runner.due_at == at:
                    return at
                self._place += 1
            self._place = 0
            if not self._seconds:
                self._due = []
                return None
            second = heapq.heappop(self._seconds)
            self._due = sorted(self._later.pop(second), key=_when)
            self._until = second + 1

    def pop(self, now: datetime) -> Runner | None:
        """The earliest that is due at `now`; it is no longer in the schedule, its `due_at` stays."""
        at = self.next_at()
        if at is None or at > now:
            return None
        self._place += 1
        return self._due[self._place - 1][1]

    def next_due(self, runner: Runner, now: datetime) -> datetime:
        """When a runner whose check ended at `now` is due next: in a slot of its own, also when the
        check began and ended a little before its own."""
        slot_at = runner.state.slot_at
        if slot_at is not None and now < slot_at <= now + LONGEST:
            now = slot_at
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
