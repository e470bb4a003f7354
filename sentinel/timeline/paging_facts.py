"""Facts of ``incident/ID``: which playbook decides the paging, rounds, levels, pages.

``because`` is what the decision read from outside: who was on call, what silenced it, which
digests; JSON-able, so that a replay asks nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sentinel.words import Urgency

Because = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PlaybookChosen:
    """A playbook matched (`decides`: its ``page:`` decides the paging). `overruled` names the one
    that decides instead."""

    playbook: str
    digest: str
    opening: int
    decides: bool
    overruled: str = ""
    because: Because = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MatchFailed:
    """A playbook's ``when`` could not be evaluated: no match, counted. Text: error."""

    playbook: str
    reason: str


@dataclass(frozen=True, slots=True)
class PagingPlanned:
    """Paging will begin at `begin_at` unless the incident is well by then."""

    escalation: str
    digest: str
    begin_at: datetime
    because: Because = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RoundBegan:
    """Paging begins (again) at level 1. `reason`: ``opened``, ``worse``, ``timeout``, ``released``,
    ``reopened``, ``repeat``, ``fallback``, ``escalated``."""

    round: int
    escalation: str
    reason: str


@dataclass(frozen=True, slots=True)
class LevelReached:
    """`people` are paged; `next_at` is when the next level is due. Level 0 is the fallback."""

    round: int
    level: int
    people: tuple[str, ...]
    next_at: datetime
    because: Because = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LevelEmpty:
    """Nobody to page at a level; the next one follows at once. `reason`: ``gap``, ``no_method``,
    ``all_paged``, ``away``."""

    round: int
    level: int
    reason: str


@dataclass(frozen=True, slots=True)
class PageQueued:
    """A page may be claimed from `due_at`. `page` is its key:
    ``incident:round:level:person:step``; `urgency` decides which rule; `purpose` is ``page``,
    ``approval``, ``tell`` or ``held`` ("Ana has it")."""

    page: str
    person: str
    round: int
    level: int
    step: int
    method: str
    due_at: datetime
    delivery: str
    urgency: Urgency
    purpose: str = "page"


@dataclass(frozen=True, slots=True)
class PageAdvanced:
    """A queued page leaves earlier than planned, because the step before it failed. `reason` is that
    failure's."""

    page: str
    due_at: datetime
    delivery: str
    reason: str


@dataclass(frozen=True, slots=True)
class PageStarted:
    """A node claimed the delivery: it may have been sent. `code` is its visible code."""

    page: str
    delivery: str
    code: str
    attempt: int
    node: str
    epoch: int


@dataclass(frozen=True, slots=True)
class PageAccepted:
    """The provider took it; whether it arrived is not known. Text: receipt."""

    page: str
    delivery: str
    attempt: int


@dataclass(frozen=True, slots=True)
class PageFailed:
    """The provider refused, or never answered. Text: error."""

    page: str
    delivery: str
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class PageUncertain:
    """No outcome: it will be sent again under the same code."""

    page: str
    delivery: str
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class PageWithdrawn:
    """Not needed any more before it was claimed. `reason`: ``acknowledged``, ``resolved``, ``mitigated``, …"""

    page: str
    reason: str
