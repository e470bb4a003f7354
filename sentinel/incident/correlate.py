"""Which incident an alert opens or joins: rules 9 to 11.

Identity is the label fingerprint; company is the group key. Low urgency never shares an
incident with high, because urgency is part of every key.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sentinel.incident.policy import Grouping
from sentinel.labels import fingerprint
from sentinel.timeline.site_facts import GroupOpened, GroupReleased, GroupResolved
from sentinel.words import Labels, Severity, Urgency


@dataclass(frozen=True, slots=True)
class Report:
    """What a source says of one alert now. `ended` "" while it fires, else why it ended:
    ``recovered``, ``expired``, ``probe_removed``, ``muted``. Every alert, from whatever source,
    becomes one of these before it is correlated."""

    labels: Labels
    severity: Severity
    started_at: datetime
    source: str
    probe: str = ""
    reason: str = ""
    summary: str = ""
    evidence: str = ""
    flapping: bool = False
    ended: str = ""
    failing_since_at: datetime | None = None

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.labels)


@dataclass(frozen=True, slots=True)
class Group:
    """The fold of ``group/KEY``: which incident is open, or was resolved and may take alerts back."""

    incident: str = ""
    reopen_until_at: datetime | None = None


def fold_group(group: Group, what: object) -> Group:
    """One fact of ``group/KEY`` more."""
    match what:
        case GroupOpened():
            return Group(what.incident)
        case GroupResolved():
            return Group(what.incident, what.reopen_until_at)
        case GroupReleased():
            return Group()
        case _:
            return group


class Way(StrEnum):
    """What an alert does to its group."""

    opens = "opens"
    joins = "joins"
    returns = "returns"


@dataclass(frozen=True, slots=True)
class Route:
    """`incident` is empty for Way.opens."""

    way: Way
    incident: str = ""


def group_key(labels: Labels, severity: Severity, grouping: Grouping) -> str:
    """The name of the alert's group: ``by`` values in order, each escaped and never empty.

    A missing label is filled (``label/NAME`` or a literal), then by ``alertname``, then by
    the fingerprint, so that two strangers never share an incident by both lacking a label.
    """
    parts = [_part(name, labels, severity.urgency, grouping.fill) for name in grouping.by]
    if "urgency" not in grouping.by:
        parts.append(severity.urgency.value)
    return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in parts)


def _part(name: str, labels: Labels, urgency: Urgency, fill: Mapping[str, str]) -> str:
    if name == "urgency":
        return urgency.value
    stand_in = fill.get(name, "")
    if stand_in.startswith("label/"):
        stand_in = labels.get(stand_in.removeprefix("label/"), "")
    return labels.get(name) or stand_in or labels.get("alertname") or fingerprint(labels)


def route(group: Group, now: datetime) -> Route:
    """Where a firing alert of this group goes."""
    if not group.incident:
        return Route(Way.opens)
    if group.reopen_until_at is None:
        return Route(Way.joins, group.incident)
    if now < group.reopen_until_at:
        return Route(Way.returns, group.incident)
    return Route(Way.opens)
