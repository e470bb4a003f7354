"""Who muted an alert: a silence, a maintenance, a dependency. The values, and the decision.

A muted alert opens no incident and starts no playbook; it is recorded, shown and measured.
When the mute ends and the alert still fires, it is new at that moment.
"""

from dataclasses import dataclass
from datetime import datetime

from sentinel.labels import Matchers
from sentinel.words import Place, Seconds


@dataclass(frozen=True, slots=True)
class Silence:
    """A person mutes by matchers from `from_at` until `to_at` (half-open, UTC)."""

    id: str
    matchers: Matchers
    from_at: datetime
    to_at: datetime
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A declared window: `cron` in `timezone` names its starts, each lasts `lasts_s`.

    `automation_allowed` False pauses write steps not yet started on the same labels.
    """

    id: str
    matchers: Matchers
    cron: str
    timezone: str
    lasts_s: Seconds
    automation_allowed: bool = False
    reason: str = ""
    place: Place = Place("", 0, 0)
