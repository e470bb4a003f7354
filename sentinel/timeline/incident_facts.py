"""Facts of ``incident/ID``: its alerts, its state, and what people said."""

from dataclasses import dataclass
from datetime import datetime

from sentinel.words import Labels, Severity, Urgency


@dataclass(frozen=True, slots=True)
class Triggered:
    """The incident began. Its first alert follows as AlertJoined."""

    incident: str
    group: str
    severity: Severity
    urgency: Urgency
    labels: Labels


@dataclass(frozen=True, slots=True)
class AlertJoined:
    """An alert opened or joined. `source` is ``probe``, ``heartbeat``, ``person``, …; text: summary.

    `started_at` is when it was confirmed, `failing_since_at` when the first bad check that counts
    was due (None: the sender does not say)."""

    fingerprint: str
    started_at: datetime
    severity: Severity
    labels: Labels
    source: str
    probe: str = ""
    flapping: bool = False
    reason: str = ""
    evidence: str = ""
    worse: bool = False
    """Worse than, or new to, what had been acknowledged: rule 11."""
    failing_since_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AlertChanged:
    """A present alert's severity or reason changed."""

    fingerprint: str
    severity: Severity
    reason: str = ""
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class AlertEnded:
    """An alert stopped firing. `reason`: ``recovered``, ``expired``, ``probe_removed``, ``muted``, ``moved``."""

    fingerprint: str
    reason: str
    to_incident: str = ""


@dataclass(frozen=True, slots=True)
class SeverityChanged:
    """The incident's severity, the highest of its firing alerts; it falls only by command."""

    severity: Severity
    by: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Somebody holds it. `via` is ``link``, ``api``, ``cli``, ``web``; `until_at` is when the hold lapses."""

    by: str
    via: str
    until_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class HoldLapsed:
    """Acknowledged no longer: ``timeout``, ``worse``, ``escalated``, ``released``. Back to triggered."""

    reason: str
    by: str = "sentinel"


@dataclass(frozen=True, slots=True)
class Mitigated:
    """The customers' harm has ended; the cause may remain."""

    by: str


@dataclass(frozen=True, slots=True)
class Fired:
    """A mitigated incident fires anew: back to triggered."""

    fingerprint: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """`reason`: ``all_ended``, ``command``, ``merged``. `held`: alerts that still fired."""

    by: str
    reason: str
    held: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reopened:
    """Back to triggered with the next opening. `reason`: ``returned``, ``held``, ``command``."""

    by: str
    reason: str
    opening: int


@dataclass(frozen=True, slots=True)
class Closed:
    """No more but notes. `by` a person or ``sentinel`` after 7 days."""

    by: str


@dataclass(frozen=True, slots=True)
class NoteAdded:
    """Text: note."""

    by: str


@dataclass(frozen=True, slots=True)
class Assigned:
    to: str
    by: str


@dataclass(frozen=True, slots=True)
class Snoozed:
    """Sets the acknowledgement's end."""

    by: str
    until_at: datetime


@dataclass(frozen=True, slots=True)
class Linked:
    """`why`: ``merged_into``, ``merged_from``, ``worsened_into``, ``worsened_from``."""

    other: str
    why: str
    by: str = "sentinel"


@dataclass(frozen=True, slots=True)
class Redacted:
    """The text of the fact with this version was removed. Text: reason."""

    version: int
    by: str


@dataclass(frozen=True, slots=True)
class CommandRefused:
    """Somebody asked for what the state does not allow. `reason` is stable."""

    command: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class EvidenceKept:
    """Bytes were kept with the incident."""

    digest: str
    name: str
    size_bytes: int
    by: str
