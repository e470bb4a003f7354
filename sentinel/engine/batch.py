"""What waits for the next commit: results, states, verdicts that changed, evidence.

While the journal refuses, everything stays here within bounds: of results the newest, of states
and verdicts one a probe (the newest says all), of evidence the newest. Nothing that the rest of
Sentinel decides on is lost by that; only old samples are.

A state in which only counts changed, of a probe that saw nothing but good of late, is not urgent:
where there are many such in a commit they are written once in five minutes each. After a crash
such a probe is as well as it was; that its last minutes were good is in its results.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sentinel.engine.runner import Runner
from sentinel.monitor.probe import CheckResult
from sentinel.monitor.verdict import microseconds
from sentinel.store.journal import Change, InboxRow, ProbeState
from sentinel.store.samples import Packed, packed
from sentinel.timeline.codec import micros

MOST_RESULTS = 20_000
MOST_EVIDENCE_BYTES = 16_000_000
FEW_STEADY = 200
STEADY_APART = timedelta(minutes=5)


class Batch:
    """Used from the event loop only."""

    def __init__(self, location: str, *, on_dropped: Callable[[int], None]) -> None:
        self._location = location
        self._on_dropped = on_dropped
        self._results: deque[Packed] = deque()
        self._dirty: dict[str, Runner] = {}
        self._steady: OrderedDict[str, tuple[Runner, int]] = OrderedDict()
        """With the slot since when each waits, the longest waiting first."""
        self._rows: dict[str, ProbeState] = {}
        self._inbox: dict[str, InboxRow] = {}
        self._evidence: dict[str, bytes] = {}

    def __bool__(self) -> bool:
        """Whether there is anything worth a commit."""
        return bool(self._results or self._dirty or self._rows or self._inbox)

    @property
    def results(self) -> int:
        """How many results wait."""
        return len(self._results)

    def add(self, runner: Runner, result: CheckResult, *, steady: bool) -> None:
        """A result, and with it the runner's state as it is when the commit begins."""
        one = packed(result)
        self._results.append(one)
        if not steady:
            self._dirty[one.probe] = runner
        elif one.probe not in self._steady:
            self._steady[one.probe] = (runner, one.due_at)

    def touch(self, runner: Runner) -> None:
        """The runner's state alone: a ping came."""
        self._dirty[runner.probe.id] = runner

    def hurry(self) -> None:
        """Steady states wait no longer: this is the last commit."""
        self._dirty = {**{id: runner for id, (runner, _) in self._steady.items()}, **self._dirty}
        self._steady.clear()

    def drop(self, row: ProbeState) -> None:
        """The row's probe is gone: this row is its last."""
        self._dirty.pop(row.probe, None)
        self._steady.pop(row.probe, None)
        self._rows[row.probe] = row

    def tell(self, about: str, row: InboxRow) -> None:
        """A row for the responder; an earlier one about the same, not yet committed, is replaced."""
        self._inbox[about] = row

    def keep(self, digest: str, content: bytes) -> None:
        """Evidence for the next commit."""
        self._evidence[digest] = content

    def take(self, now: datetime) -> "Taken":
        """All that waits, as one change; only steady states may wait on."""
        due = {**self._steady_due(now), **self._dirty}
        rows = dict(self._rows)
        for id, runner in due.items():
            rows[id] = runner.row(self._location)
        taken = Taken(tuple(self._results), rows, self._inbox, self._evidence)
        self._results = deque()
        self._dirty, self._rows, self._inbox, self._evidence = {}, {}, {}, {}
        return taken

    def _steady_due(self, now: datetime) -> dict[str, Runner]:
        """Those that have waited long enough, and wait no more; all, where they are few."""
        before = micros(now - STEADY_APART)
        few, due = len(self._steady) <= FEW_STEADY, dict[str, Runner]()
        while self._steady:
            id, (runner, since) = next(iter(self._steady.items()))
            if since > before and not few:
                break
            due[id] = runner
            del self._steady[id]
        return due

    def give_back(self, taken: "Taken") -> None:
        """The journal refused: it waits again, unless something newer took its place."""
        self._results.extendleft(reversed(taken.results))
        dropped = max(0, len(self._results) - MOST_RESULTS)
        for _ in range(dropped):
            self._results.popleft()
        if dropped:
            self._on_dropped(dropped)
        self._rows = {**taken.rows, **self._rows}
        self._inbox = {**taken.inbox, **self._inbox}
        self._evidence = _newest({**taken.evidence, **self._evidence})


class Taken:
    """What one commit writes."""

    __slots__ = ("evidence", "inbox", "results", "rows")

    def __init__(
        self,
        results: tuple[Packed, ...],
        rows: Mapping[str, ProbeState],
        inbox: Mapping[str, InboxRow],
        evidence: Mapping[str, bytes],
    ) -> None:
        self.results = results
        self.rows = rows
        self.inbox = inbox
        self.evidence = evidence

    def change(self) -> Change:
        """As the journal takes it."""
        return Change(
            results=self.results,
            probe_states=tuple(self.rows.values()),
            inbox=tuple(self.inbox.values()),
            evidence=self.evidence,
        )

    def decide(self, view: Any) -> tuple[Change, None]:
        """For ``Journal.transact``: nothing of what is stored changes what is written."""
        return self.change(), None


def verdict_row(result: CheckResult, now: datetime) -> InboxRow:
    """Tells the responder that this result changed the verdict."""
    slot_us = microseconds(result.due_at)
    return InboxRow(
        id=f"verdict/{result.probe}/{result.location}/{slot_us}",
        kind="verdict",
        body={"probe": result.probe, "location": result.location, "slot_us": slot_us},
        received_at=now,
    )


def removed_row(probe: str, location: str, now: datetime) -> InboxRow:
    """Tells the responder that this probe is no longer watched at this location."""
    return InboxRow(
        id=f"verdict/{probe}/{location}/removed/{microseconds(now)}",
        kind="verdict",
        body={"probe": probe, "location": location, "removed": True},
        received_at=now,
    )


def _newest(evidence: dict[str, bytes]) -> dict[str, bytes]:
    size = sum(map(len, evidence.values()))
    while size > MOST_EVIDENCE_BYTES:
        size -= len(evidence.pop(next(iter(evidence))))
    return evidence
