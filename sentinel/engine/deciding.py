"""One decision as one transaction: lock, fold, decide, append, index.

`Decisions.run` gives a body a `Deciding` inside the journal's transaction. The body asks it
for the `Course` of an incident, lets the rooms decide, and what they wrote becomes one
`Change`: facts by stream, work rows, the wake-up of each incident, its row in lists. A
body that finds that other streams are needed raises `Outdated`; its caller plans again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from sentinel.clock import Clock
from sentinel.engine.folds import Folds, Overlay
from sentinel.engine.present import Present
from sentinel.errors import Outdated
from sentinel.incident.correlate import Group
from sentinel.incident.deliveries import Receiving
from sentinel.incident.naming import title
from sentinel.incident.plan import Course, Situation, Wanted
from sentinel.incident.policy import Policy
from sentinel.incident.respond import settle, wake_at
from sentinel.incident.state import copy
from sentinel.oncall.rotation import Override
from sentinel.playbook.guard import last_admitted
from sentinel.store.journal import (
    Activation,
    Change,
    Document,
    InboxRow,
    IncidentRow,
    Journal,
    PresentAlert,
    View,
    Work,
    WorkKind,
)
from sentinel.timeline.facts import Fact

T = TypeVar("T")

TRIES = 12
"""How often a decision is planned again when what it read has changed under it. To learn of one
more stream to lock is no such try: thirty playbooks have thirty guards."""
MOST_STREAMS = 1000
"""So many streams may be learnt of one by one."""


@dataclass(slots=True)
class Deciding:
    """A decision under way, inside one transaction."""

    view: View
    overlay: Overlay
    now: datetime
    present: Present
    streams: frozenset[str]
    facts: dict[str, list[Fact]] = field(default_factory=dict)
    courses: dict[str, Course] = field(default_factory=dict)
    work: dict[str, Work] = field(default_factory=dict)
    work_done: set[str] = field(default_factory=set)
    alerts: dict[str, PresentAlert] = field(default_factory=dict)
    alerts_gone: set[str] = field(default_factory=set)
    inbox: list[InboxRow] = field(default_factory=list)
    inbox_taken: list[str] = field(default_factory=list)
    evidence: dict[str, bytes] = field(default_factory=dict)
    redactions: dict[str, list[int]] = field(default_factory=dict)
    documents: list[Document] = field(default_factory=list)
    activations: list[Activation] = field(default_factory=list)
    _situation: Situation | None = None

    @property
    def policy(self) -> Policy:
        return self.present.policy

    def situation(self) -> Situation:
        """Everything from outside, as it is now: one value for the whole decision."""
        if self._situation is None:
            names = self.streams
            self._situation = Situation(
                now=self.now,
                policy=self.policy,
                pinned=self.present.pinned(self.view),
                overrides=self.overrides(),
                automation_on=self.overlay.site().automation_on,
                groups={n[6:]: self.overlay.group(n[6:]) for n in names if n.startswith("group/")},
                people=Receivers(self.overlay, names),
                guards={n: self.overlay.guard(n) for n in names if n.startswith("guard/")},
                health=self.present.health(self.view),
                paused_by=self.present.paused_by(self.now),
                others=self._other_guards,
            )
        return self._situation

    def _other_guards(self, guard: str, playbook: str) -> Mapping[str, datetime]:
        """When the playbook's other guards last let a run in; read without a lock, since a bound on
        the number of targets is a brake and no promise to the last one."""
        found = {}
        for name in self.view.streams(f"guard/{playbook}/"):
            at = last_admitted(self.overlay.guard(name)) if name != guard else None
            if at is not None:
                found[name] = at
        return found

    def overrides(self) -> Mapping[str, tuple[Override, ...]]:
        return {
            name.removeprefix("override/"): self.overlay.overrides(name.removeprefix("override/"))
            for name in self.view.streams("override/")
        }

    def course(self, incident: str) -> Course:
        """The course of an incident, the same one each time. Its stream must be locked."""
        if incident not in self.courses:
            stream = f"incident/{incident}"
            if stream not in self.streams:
                raise Outdated(f"{stream} is not locked", streams=(stream,))
            state = copy(self.overlay.incident(incident))
            first = next(iter(self.courses.values()), None)
            course = first.beside(state) if first else Course(state, self.situation())
            course.facts = self.facts
            self.courses[incident] = course
        return self.courses[incident]

    def group(self, key: str) -> Group:
        """What the group is by now, this decision's own facts included."""
        first = next(iter(self.courses.values()), None)
        if first is not None and key in first.groups:
            return first.groups[key]
        return self.overlay.group(key)

    def settle(self) -> None:
        """Let every incident touched go as far as it can now."""
        for course in self.courses.values():
            if course.state.incident:
                settle(course)

    def redact(self, stream: str, version: int) -> None:
        """Delete the text of one fact of a locked stream."""
        self.redactions.setdefault(stream, []).append(version)

    def move_alerts(self, fingerprints: Sequence[str], incident: str) -> None:
        """Present alerts go on in another incident."""
        for fingerprint in fingerprints:
            present = self.alerts.get(fingerprint) or self.view.alert(fingerprint)
            if present is not None:
                self.alerts[fingerprint] = replace(present, incident=incident)

    def append(self, stream: str, fact: Fact) -> None:
        """A fact of a stream beside incidents."""
        self.facts.setdefault(stream, []).append(fact)

    def change(self) -> Change:
        """Everything decided, as the one write."""
        for course in self.courses.values():
            self._index(course)
        unlocked = set(self.facts) - self.streams
        if unlocked:
            raise Outdated(f"not locked: {', '.join(sorted(unlocked))}", streams=sorted(unlocked))
        return Change(
            append=self.facts,
            work=list(self.work.values()),
            work_done=sorted(self.work_done - set(self.work)),
            inbox=self.inbox,
            inbox_taken=self.inbox_taken,
            alerts=list(self.alerts.values()),
            alerts_gone=sorted(self.alerts_gone - set(self.alerts)),
            incidents=[row for course in self.courses.values() if (row := self._row(course))],
            evidence=self.evidence,
            redact=self.redactions,
            documents=self.documents,
            activations=self.activations,
        )

    def _index(self, course: Course) -> None:
        """The rows that index an incident's stream: what it wants done, and when it wakes."""
        for wanted in course.wanted.values():
            self.work[wanted.key] = _work(
                wanted, self.work.get(wanted.key) or self.view.work(wanted.key)
            )
        self.work_done |= course.done
        for incident in course.wakes - set(self.courses):
            key = f"wake/{incident}"
            self.work[key] = Work(key, WorkKind.wake, self.now, (incident,))
        if not course.state.incident:
            return
        key = f"wake/{course.state.incident}"
        at = wake_at(course)
        if at is None:
            self.work_done.add(key)
        else:
            self.work[key] = Work(key, WorkKind.wake, at, (course.state.incident,))

    def _row(self, course: Course) -> IncidentRow | None:
        state = course.state
        if not state.incident or state.opened_at is None:
            return None
        version = self.view.version(state.stream()) + len(self.facts.get(state.stream(), ()))
        return IncidentRow(
            incident=state.incident,
            status=state.status.value,
            severity=state.severity,
            title=title(state),
            labels=state.labels,
            opened_at=state.opened_at,
            changed_at=self.now,
            resolved_at=state.resolved_at,
            holder=state.holder,
            version=version,
        )


class Receivers(Mapping[str, Receiving]):
    """What the people of the locked streams receive, each folded when it is first asked for: a
    decision locks everybody whom it might page, and pages one or two."""

    def __init__(self, overlay: Overlay, streams: frozenset[str]) -> None:
        self._overlay = overlay
        self._streams = streams

    def __getitem__(self, person: str) -> Receiving:
        if f"person/{person}" not in self._streams:
            raise KeyError(person)
        return self._overlay.person(person)

    def __contains__(self, person: object) -> bool:
        return f"person/{person}" in self._streams

    def __iter__(self) -> Iterator[str]:
        return (name[7:] for name in self._streams if name.startswith("person/"))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _work(wanted: Wanted, known: Work | None) -> Work:
    """A work row as the core wants it; attempt and epoch go on from the row that is there."""
    work = Work(wanted.key, WorkKind(wanted.kind), wanted.due_at, wanted.incidents, wanted.body)
    return replace(work, attempt=known.attempt, epoch=known.epoch) if known else work


class Decisions:
    """Runs decisions against the journal, with one clock and one cache of folds."""

    def __init__(self, journal: Journal, clock: Clock, present: Present, folds: Folds) -> None:
        self.journal = journal
        self.clock = clock
        self.present = present
        self.folds = folds

    async def run(self, streams: Sequence[str], body: Callable[[Deciding], T]) -> T:
        """Decide once. Raises Outdated when `body` found that it needs other streams."""
        now = self.clock.now()
        names = frozenset(streams)

        def decide(view: View) -> tuple[Change, tuple[T, Overlay]]:
            overlay = self.folds.over(view)
            deciding = Deciding(view, overlay, now, self.present, names)
            result = body(deciding)
            change = deciding.change()
            _foresee(deciding, overlay, change)
            return change, (result, overlay)

        result, overlay = await self.journal.transact(sorted(names), decide, now=now)
        self.folds.keep(overlay)
        return result

    async def planned(
        self, plan: Callable[[Overlay], Sequence[str]], body: Callable[[Deciding], T]
    ) -> T:
        """Plan which streams to lock from an unlocked look, decide; plan again while outdated."""
        missing: set[str] = set()
        tries = 0
        while tries < TRIES:
            streams = await self.journal.view(lambda view: plan(self.folds.over(view)))
            try:
                return await self.run(sorted({*streams, *missing}), body)
            except Outdated as outdated:
                learnt = set(outdated.streams) - missing
                missing |= learnt
                tries += not learnt or len(missing) > MOST_STREAMS
        raise Outdated("the streams kept changing under a decision")

    async def look(self, look: Callable[[Overlay], T]) -> T:
        """Read folded states without deciding anything."""
        return await self.journal.view(lambda view: look(self.folds.over(view)))


def _foresee(deciding: Deciding, overlay: Overlay, change: Change) -> None:
    """Keep the states as this decision left them, so that the next one need not read its facts."""
    for course in deciding.courses.values():
        state = course.state
        if not state.incident:
            continue
        version = deciding.view.version(state.stream()) + len(change.append.get(state.stream(), ()))
        state.version = version
        overlay.knows(state.stream(), state, version)
