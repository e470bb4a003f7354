"""Facts of the streams beside incidents: groups, guards, people, silences, overrides, the site."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sentinel.words import Urgency


@dataclass(frozen=True, slots=True)
class GroupOpened:
    """group/KEY: this incident is the group's open one."""

    incident: str


@dataclass(frozen=True, slots=True)
class GroupResolved:
    """group/KEY: its incident was resolved; the same alerts return to it until `reopen_until_at`."""

    incident: str
    reopen_until_at: datetime


@dataclass(frozen=True, slots=True)
class GroupReleased:
    """group/KEY: no incident is open any more (closed, or merged away)."""

    incident: str


@dataclass(frozen=True, slots=True)
class GuardAdmitted:
    """guard/PLAYBOOK/VALUES: a run took a place."""

    run: str
    incident: str


@dataclass(frozen=True, slots=True)
class GuardQueued:
    """guard/…: a run waits for a place; a newer one that waits replaces an older one."""

    run: str
    incident: str


@dataclass(frozen=True, slots=True)
class GuardReleased:
    """guard/…: a run gave its place back. `remedied` None: it changed nothing in the world."""

    run: str
    remedied: bool | None = None


@dataclass(frozen=True, slots=True)
class CircuitOpened:
    """guard/…: as many failed remediations in a row as ``limits.failures`` allows."""

    run: str


@dataclass(frozen=True, slots=True)
class CircuitClosed:
    """guard/…: a person allowed it again."""

    by: str


@dataclass(frozen=True, slots=True)
class DeliveryPlanned:
    """person/ID: one message by `method` is to leave at `due_at`. A `bundle` gathers the high pages
    that follow another within 60 s; planning it again moves it."""

    delivery: str
    method: str
    urgency: Urgency
    due_at: datetime
    bundle: bool = False


@dataclass(frozen=True, slots=True)
class DeliveryJoined:
    """person/ID: this page leaves with that delivery."""

    delivery: str
    incident: str
    page: str


@dataclass(frozen=True, slots=True)
class DeliveryLeft:
    """person/ID: this page was withdrawn from it; a delivery without pages is dropped."""

    delivery: str
    incident: str
    page: str


@dataclass(frozen=True, slots=True)
class DeliveryBegan:
    """person/ID: it was claimed and may have been sent."""

    delivery: str


@dataclass(frozen=True, slots=True)
class SilenceAdded:
    """silence/ID. Matchers as in documents. Text: reason."""

    silence: str
    matchers: Mapping[str, Any]
    from_at: datetime
    to_at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class SilenceExpired:
    """silence/ID: ended before its time."""

    by: str


@dataclass(frozen=True, slots=True)
class OverrideAdded:
    """override/ROTATION. Text: reason."""

    override: str
    from_at: datetime
    to_at: datetime
    replace: str
    with_: str
    by: str


@dataclass(frozen=True, slots=True)
class OverrideRemoved:
    """override/ROTATION."""

    override: str
    by: str


@dataclass(frozen=True, slots=True)
class OnCallChanged:
    """override/ROTATION: a reload changed who is on call at this instant."""

    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AutomationSwitched:
    """site: the kill switch. Text: reason."""

    on: bool
    by: str


@dataclass(frozen=True, slots=True)
class DocumentsActivated:
    """site: these documents are in force. `digest` is of the whole catalogue."""

    digest: str
    added: int
    changed: int
    removed: int


@dataclass(frozen=True, slots=True)
class DocumentsRejected:
    """site: a reload was refused; the old set goes on. Text: problems."""

    problems: int


@dataclass(frozen=True, slots=True)
class TokenIssued:
    """site: a bearer token of this name lets its holder act as `user`; only its SHA-256 is kept."""

    token: str
    user: str
    digest: str


@dataclass(frozen=True, slots=True)
class TokenRevoked:
    """site."""

    token: str
    by: str


@dataclass(frozen=True, slots=True)
class NodeStarted:
    """site."""

    node: str
    version: str


@dataclass(frozen=True, slots=True)
class BlindnessEnded:
    """site: what was paged from the local file while the journal was away."""

    from_at: datetime
    to_at: datetime
    pages: int


@dataclass(frozen=True, slots=True)
class BlindPageSent:
    """site or incident/ID: a page sent without a journal. `accepted` as the provider said."""

    person: str
    method: str
    sent_at: datetime
    accepted: bool
