"""What waits for the next commit: results, states, verdicts that changed, evidence.

While the journal refuses, everything stays here within bounds: of results the newest, of states
and verdicts one a probe (the newest says all), of evidence the newest. Nothing that the rest of
Sentinel decides on is lost by that; only old samples are.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from sentinel.engine.runner import Runner
from sentinel.monitor.probe import CheckResult
from sentinel.store.journal import Change, InboxRow, ProbeState

MOST_RESULTS = 20_000
MOST_EVIDENCE_BYTES = 16_000_000


class Batch:
    """Used from the event loop only."""

    def __init__(self, location: str, *, on_dropped: Callable[[int], None]) -> None:
        self._location = location
        self._on_dropped = on_dropped
        self._results: deque[CheckResult] = deque()
        self._dirty: dict[str, Runner] = {}
        self._rows: dict[str, ProbeState] = {}
        self._inbox: dict[str, InboxRow] = {}
        self._evidence: dict[str, bytes] = {}

    def __len__(self) -> int:
        return len(self._results) + len(self._dirty) + len(self._rows) + len(self._inbox)

    @property
    def results(self) -> int:
        """How many results wait."""
        return len(self._results)

    def add(self, runner: Runner, result: CheckResult) -> None:
        """A result, and with it the runner's state as it is when the commit begins."""
        self._results.append(result)
        self._dirty[runner.probe.id] = runner

    def touch(self, runner: Runner) -> None:
        """The runner's state alone: a ping came."""
        self._dirty[runner.probe.id] = runner

    def drop(self, row: ProbeState) -> None:
        """The row's probe is gone: this row is its last."""
        self._dirty.pop(row.probe, None)
        self._rows[row.probe] = row

    def tell(self, about: str, row: InboxRow) -> None:
        """A row for the responder; an earlier one about the same, not yet committed, is replaced."""
        self._inbox[about] = row

    def keep(self, digest: str, content: bytes) -> None:
        """Evidence for the next commit."""
        self._evidence[digest] = content

    def take(self) -> "Taken":
        """All that waits, as one change; the batch is empty then."""
        states = {probe: runner.row(self._location) for probe, runner in self._dirty.items()}
        taken = Taken(tuple(self._results), {**self._rows, **states}, self._inbox, self._evidence)
        self._results = deque()
        self._dirty, self._rows, self._inbox, self._evidence = {}, {}, {}, {}
        return taken

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
        results: tuple[CheckResult, ...],
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


def _newest(evidence: dict[str, bytes]) -> dict[str, bytes]:
    size = sum(map(len, evidence.values()))
    while size > MOST_EVIDENCE_BYTES:
        size -= len(evidence.pop(next(iter(evidence))))
    return evidence
