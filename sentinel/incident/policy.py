"""What the response reads of the documents: one value, built by ``library.catalog``.

Everything here is immutable, so a decision made from it can be made again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sentinel.monitor.probe import Probe
from sentinel.monitor.silence import Maintenance
from sentinel.oncall.escalation import Escalation, Fallback
from sentinel.oncall.person import Person
from sentinel.oncall.rotation import Rotation
from sentinel.playbook.playbook import Playbook
from sentinel.words import Seconds, Severity


@dataclass(frozen=True, slots=True)
class Grouping:
    """Which alerts share an incident. `fill` says what stands for a missing label:
    a literal, or ``label/NAME`` for another label's value."""

    by: tuple[str, ...] = ("client", "service", "urgency")
    fill: Mapping[str, str] = field(default_factory=dict)
    reopen_within_s: Seconds = Seconds(1800.0)


@dataclass(frozen=True, slots=True)
class Policy:
    """The documents as the response sees them. `unmatched` is an escalation's id."""

    unmatched: str
    fallback: Fallback
    grouping: Grouping = Grouping()
    severity_of: Mapping[str, Severity] = field(default_factory=dict)
    probes: Mapping[str, Probe] = field(default_factory=dict)
    playbooks: Mapping[str, Playbook] = field(default_factory=dict)
    escalations: Mapping[str, Escalation] = field(default_factory=dict)
    rotations: Mapping[str, Rotation] = field(default_factory=dict)
    people: Mapping[str, Person] = field(default_factory=dict)
    teams: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    maintenance: Mapping[str, Maintenance] = field(default_factory=dict)
    url: str = ""
    """Where links in messages lead; no trailing slash."""
