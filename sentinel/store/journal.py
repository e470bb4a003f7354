"""The contract of the store: facts in streams, and the rows that index or feed them.

One way to write: `Journal.transact` locks the named streams in name order, calls a pure
``decide`` with a `View` of what is there, and commits the `Change` it returns as one
transaction, or nothing. The journal seals facts (hash, salt, version) and calls no clock:
it is passed `now`. ``sqlite`` and ``postgres`` stand behind it, under one contract suite.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from sentinel.monitor.probe import CheckResult
from sentinel.store.rollups import Rollup
from sentinel.store.samples import Checked, Packed
from sentinel.timeline.chain import Sealed
from sentinel.timeline.facts import Fact, Recorded
from sentinel.words import Labels, Severity

T = TypeVar("T")


class WorkKind(StrEnum):
    """What a work row is. *wake, step, delivery* are the log's index and can be rebuilt from it;
    *agree* and *audit* are standing rows."""

    wake = "wake"
    step = "step"
    delivery = "delivery"
    agree = "agree"
    audit = "audit"


@dataclass(frozen=True, slots=True)
class Work:
    """Something to be done at `due_at` (None: standing, not due now).

    It may be taken while nobody holds it: `owner` empty, or `lease_until_at` past. `epoch`
    grows with every claim and fences late outcomes. `body` is JSON-able.
    """

    key: str
    kind: WorkKind
    due_at: datetime | None
    incidents: tuple[str, ...] = ()
    body: Mapping[str, Any] = field(default_factory=dict)
    attempt: int = 0
    owner: str = ""
    epoch: int = 0
    lease_until_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class InboxRow:
    """What arrived and is not yet correlated: an alert (``kind: alert``), a verdict that changed
    (``kind: verdict``), a person's command (``kind: command``). `body` is JSON-able."""

    id: str
    kind: str
    body: Mapping[str, Any]
    received_at: datetime


@dataclass(frozen=True, slots=True)
class PresentAlert:
    """An alert that fires now, or fired and is held. `ends_at` moves while it is re-sent;
    `incident` is empty while it is muted, `muted_by` says by what."""

    fingerprint: str
    source: str
    labels: Labels
    severity: Severity
    started_at: datetime
    ends_at: datetime | None
    incident: str = ""
    muted_by: str = ""
    probe: str = ""
    reason: str = ""
    summary: str = ""


@dataclass(frozen=True, slots=True)
class ProbeState:
    """A probe's verdict state at one location, versioned by slot; `state` is ``monitor.verdict``'s,
    JSON-able; `kept` are the bytes the last good check kept."""

    probe: str
    location: str
    slot_at: datetime
    state: Mapping[str, Any]
    kept: bytes | None = None
    kept_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """An incident as lists show it: a projection of its stream, which can be rebuilt from it."""

    incident: str
    status: str
    severity: Severity
    title: str
    labels: Labels
    opened_at: datetime
    changed_at: datetime
    resolved_at: datetime | None = None
    holder: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True)
class Document:
    """A document's body as activated; `digest` is the SHA-256 of the canonical JSON body."""

    digest: str
    kind: str
    id: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Activation:
    """From `at` on, (kind, id) is `digest`; None: it is gone."""

    at: datetime
    kind: str
    id: str
    digest: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """Everything one decision writes, committed together.

    `append` are facts by stream. `work` rows replace those of the same key; `work_done` are
    deleted, and deleting one that is gone is no error. `inbox_taken` are deleted.
    `probe_states` are stored only where their slot is later than the stored one.
    `results` of a slot already there are dropped. `evidence` is content by SHA-256 digest.
    """

    append: Mapping[str, Sequence[Fact]] = field(default_factory=dict)
    work: Sequence[Work] = ()
    work_done: Sequence[str] = ()
    inbox: Sequence[InboxRow] = ()
    inbox_taken: Sequence[str] = ()
    alerts: Sequence[PresentAlert] = ()
    alerts_gone: Sequence[str] = ()
    incidents: Sequence[IncidentRow] = ()
    probe_states: Sequence[ProbeState] = ()
    results: Sequence[CheckResult | Packed] = ()
    evidence: Mapping[str, bytes] = field(default_factory=dict)
    documents: Sequence[Document] = ()
    activations: Sequence[Activation] = ()
    redact: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Versions by stream whose text and salt are deleted; the chain still verifies."""


@dataclass(frozen=True, slots=True)
class Keep:
    """How long what may be pruned is kept. Facts, documents and the evidence that facts name are
    kept for ever."""

    results_for: timedelta = timedelta(days=14)
    rollups_for: timedelta = timedelta(days=400)
    evidence_for: timedelta = timedelta(days=30)


class View(Protocol):
    """The store as one transaction sees it. Valid only inside the call it was given to."""

    def version(self, stream: str) -> int:
        """The stream's last version; 0 when it has none."""
        ...

    def read(self, stream: str, after: int = 0) -> Sequence[Recorded]:
        """The stream's facts in order, those with a version above `after`."""
        ...

    def sealed(self, stream: str, after: int = 0) -> Sequence[Sealed]:
        """The stream's facts as stored, with their bytes, salts and hashes, for `chain.verify`."""
        ...

    def streams(self, prefix: str) -> Sequence[str]:
        """Names of streams that begin with `prefix`, sorted."""
        ...

    def work(self, key: str) -> Work | None: ...

    def work_of(self, incident: str) -> Sequence[Work]:
        """All rows that belong to an incident, by key."""
        ...

    def works(self, kind: WorkKind) -> Sequence[Work]:
        """All rows of a kind, by key."""
        ...

    def due(self, now: datetime, kinds: Sequence[WorkKind], limit: int) -> Sequence[Work]:
        """Rows due at `now` that may be taken, earliest first."""
        ...

    def next_due(self, kinds: Sequence[WorkKind]) -> datetime | None:
        """When the earliest row becomes due, or a held one's lease ends; None: none waits."""
        ...

    def inbox(self, limit: int) -> Sequence[InboxRow]:
        """The oldest rows, commands before verdicts and alerts."""
        ...

    def alert(self, fingerprint: str) -> PresentAlert | None: ...

    def alerts(self) -> Sequence[PresentAlert]: ...

    def probe_states(self, probe: str | None = None) -> Sequence[ProbeState]:
        """All states, or those of one probe at every location."""
        ...

    def incidents(
        self, *, status: Sequence[str] = (), limit: int = 100, before: datetime | None = None
    ) -> Sequence[IncidentRow]:
        """Newest first by `opened_at`; only those of these statuses; opened before `before`."""
        ...

    def incident(self, incident: str) -> IncidentRow | None: ...

    def document(self, digest: str) -> Document | None: ...

    def activations(self, at: datetime) -> Sequence[Activation]:
        """What was in force at `at`: the last activation of each (kind, id), gone ones left out."""
        ...

    def evidence(self, digest: str) -> bytes | None: ...

    def results(
        self, probe: str, from_at: datetime, to_at: datetime, limit: int = 1000
    ) -> Sequence[CheckResult]:
        """Results of a probe due in [from_at, to_at), newest first, all locations."""
        ...

    def checked(
        self, series: Collection[tuple[str, str]], from_at: datetime, to_at: datetime
    ) -> Sequence[Checked]:
        """What the checks of these (probe, location) due in [from_at, to_at) came to, oldest first,
        read together: for counting many probes over minutes. Unbounded: ask for short spans."""
        ...

    def rollups(self, probe: str, from_at: datetime, to_at: datetime) -> Sequence[Rollup]:
        """A probe's five-minute rollups that begin in [from_at, to_at), oldest first, by location.
        The newest results are not in any yet: see `unrolled`."""
        ...

    def unrolled(self) -> Sequence[datetime]:
        """The beginnings of the five-minute buckets that have results not rolled up yet, sorted."""
        ...


class Journal(Protocol):
    """The store. Every coroutine raises JournalUnavailable when it refuses or is away.

    Nothing was written then, with one exception: when the connection was lost during the
    commit itself, nobody knows. So decide again on what is there, never from memory.
    """

    @property
    def shared(self) -> bool:
        """Whether other nodes may work on it at the same time."""
        ...

    async def transact(
        self, streams: Sequence[str], decide: Callable[[View], tuple[Change, T]], *, now: datetime
    ) -> T:
        """Lock `streams`, decide, commit. `decide` runs off the event loop and may run again
        after a conflict, so it must be pure; what it raises is raised here and nothing is
        written. Facts may be appended to locked streams only."""
        ...

    async def view(self, look: Callable[[View], T]) -> T:
        """Read one consistent state, off the event loop."""
        ...

    def woken(self, wake: Callable[[], None]) -> None:
        """Call `wake` on the event loop after each commit that wrote work or inbox rows."""
        ...

    async def roll_up(self, now: datetime) -> int:
        """Fold the results of every five minutes that are over into rollups; returns how many
        buckets. To be called about once a minute."""
        ...

    async def prune(self, now: datetime, keep: Keep) -> int:
        """Roll up, then delete results, rollups and evidence older than `keep` says, a bounded
        number at a time; returns how many rows went."""
        ...

    async def close(self) -> None: ...
