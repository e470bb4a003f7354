"""Everything that can have happened, as values: one union of facts per kind of stream.

A fact's fields are its *data*: ids, enums, numbers, instants (names end in ``_at``), labels,
digests. Folds read nothing else, and data is never redacted. What people or senders wrote
is *text*, kept beside the data under a name, read by no fold, and may be redacted while
the stream's hashes still verify.

A released fact is never changed: a new field gets a default, a new meaning a new version
and a lifter in ``timeline.codec``. Golden files under ``tests/timeline/golden`` hold them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sentinel.timeline.incident_facts import (
    Acknowledged,
    AlertChanged,
    AlertEnded,
    AlertJoined,
    Assigned,
    Closed,
    CommandRefused,
    EvidenceKept,
    Fired,
    HoldLapsed,
    Linked,
    Mitigated,
    NoteAdded,
    Redacted,
    Reopened,
    Resolved,
    SeverityChanged,
    Snoozed,
    Triggered,
)
from sentinel.timeline.paging_facts import (
    LevelEmpty,
    LevelReached,
    MatchFailed,
    PageAccepted,
    PageAdvanced,
    PageFailed,
    PageQueued,
    PageStarted,
    PageUncertain,
    PageWithdrawn,
    PagingPlanned,
    PlaybookChosen,
    RoundBegan,
)
from sentinel.timeline.run_facts import (
    RunConcluded,
    RunQueued,
    RunRefused,
    RunStarted,
    RunTurned,
    StepAnswered,
    StepFinished,
    StepIgnored,
    StepReady,
    StepRetrying,
    StepStarted,
    StepWaiting,
)
from sentinel.timeline.site_facts import (
    AutomationSwitched,
    BlindnessEnded,
    BlindPageSent,
    CircuitClosed,
    CircuitOpened,
    DeliveryBegan,
    DeliveryJoined,
    DeliveryLeft,
    DeliveryPlanned,
    DocumentsActivated,
    DocumentsRejected,
    GroupOpened,
    GroupReleased,
    GroupResolved,
    GuardAdmitted,
    GuardQueued,
    GuardReleased,
    NodeStarted,
    OnCallChanged,
    OverrideAdded,
    OverrideRemoved,
    SilenceAdded,
    SilenceExpired,
    TokenIssued,
    TokenRevoked,
)


@dataclass(frozen=True, slots=True)
class Fact:
    """What a room returns: one thing that happened, bare. The journal seals it."""

    what: "AnyFact"
    occurred_at: datetime
    text: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A sealed fact, as read back. `text` is None once redacted. Versions count from 1, gapless."""

    stream: str
    version: int
    what: "AnyFact"
    occurred_at: datetime
    recorded_at: datetime
    text: Mapping[str, str] | None
    hash: str


RunFact = (
    RunQueued
    | RunRefused
    | RunStarted
    | StepReady
    | StepStarted
    | StepWaiting
    | StepRetrying
    | StepFinished
    | StepAnswered
    | StepIgnored
    | RunTurned
    | RunConcluded
)
PagingFact = (
    PlaybookChosen
    | MatchFailed
    | PagingPlanned
    | RoundBegan
    | LevelReached
    | LevelEmpty
    | PageQueued
    | PageStarted
    | PageAdvanced
    | PageAccepted
    | PageFailed
    | PageUncertain
    | PageWithdrawn
    | BlindPageSent
)
IncidentFact = (
    Triggered
    | AlertJoined
    | AlertChanged
    | AlertEnded
    | SeverityChanged
    | Acknowledged
    | HoldLapsed
    | Mitigated
    | Fired
    | Resolved
    | Reopened
    | Closed
    | NoteAdded
    | Assigned
    | Snoozed
    | Linked
    | Redacted
    | CommandRefused
    | EvidenceKept
    | PagingFact
    | RunFact
)
GroupFact = GroupOpened | GroupResolved | GroupReleased
GuardFact = GuardAdmitted | GuardQueued | GuardReleased | CircuitOpened | CircuitClosed
PersonFact = DeliveryPlanned | DeliveryJoined | DeliveryLeft | DeliveryBegan
SilenceFact = SilenceAdded | SilenceExpired
OverrideFact = OverrideAdded | OverrideRemoved | OnCallChanged
SiteFact = (
    AutomationSwitched
    | DocumentsActivated
    | DocumentsRejected
    | NodeStarted
    | BlindnessEnded
    | BlindPageSent
    | TokenIssued
    | TokenRevoked
)
AnyFact = IncidentFact | GroupFact | GuardFact | PersonFact | SilenceFact | OverrideFact | SiteFact
