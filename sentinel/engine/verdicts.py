"""What a probe's verdicts at its locations come to now, as a report about its one alert."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from sentinel.incident.correlate import Report
from sentinel.incident.policy import Policy
from sentinel.labels import fingerprint
from sentinel.monitor.agreement import Clear, Firing, WaitUntil, fold_locations, is_suspect
from sentinel.monitor.probe import Probe
from sentinel.monitor.verdict import VerdictState
from sentinel.store.journal import PresentAlert, View
from sentinel.words import Labels

BLIND = "location-blind"
"""The alertname under which a location that sees nothing is an incident of its own (rule 5)."""


@dataclass(frozen=True, slots=True)
class Unsettled:
    """It would fire, but whether its location is blind is not known before `until_at`."""

    probe: str
    until_at: datetime


class Around:
    """What one look at the store shows around a probe, read once however many probes are asked
    about: in a storm that is all of them."""

    def __init__(self, view: View, policy: Policy) -> None:
        self.view = view
        self.policy = policy

    @cached_property
    def alerts(self) -> Sequence[PresentAlert]:
        """Every present alert."""
        return self.view.alerts()

    @cached_property
    def blind(self) -> frozenset[str]:
        """The locations that are blind."""
        return frozenset(
            alert.labels.get("location", "")
            for alert in self.alerts
            if alert.labels.get("alertname") == BLIND
        )

    @cached_property
    def _unreachable(self) -> Mapping[str, Mapping[str, VerdictState]]:
        """By location, one probe's state of each host that fails for a network reason."""
        found: dict[str, dict[str, VerdictState]] = {}
        for row in self.view.probe_states():
            probe = self.policy.probes.get(row.probe)
            if probe is not None:
                state = VerdictState.from_json(row.state)
                host = probe.prober.host()
                if is_suspect("", [(host, state)]):
                    found.setdefault(row.location, {})[host] = state
        return found

    def suspect(self, probe: Probe) -> frozenset[str]:
        """Locations at which another host's probe fails for a network reason too."""
        host = probe.prober.host()
        return frozenset(
            place for place, seen in self._unreachable.items() if is_suspect(host, seen.items())
        )


def report_of_probe(around: Around, probe_id: str, now: datetime) -> list[Report] | Unsettled:
    """The probe's alert or its end, as reports (none when nothing was and nothing is), or a wait."""
    probe = around.policy.probes.get(probe_id)
    if probe is None:
        gone = [alert for alert in around.alerts if alert.probe == probe_id]
        return [_ended(alert, "probe_removed") for alert in gone]
    labels = probe.alert_labels
    present = around.view.alert(fingerprint(labels))
    found = _fold(around, probe, present, now)
    match found:
        case WaitUntil(at=at):
            return Unsettled(probe_id, at)
        case Clear():
            return [_ended(present, "recovered")] if present else []
        case Firing():
            return [_fires(probe, labels, found)]


def states_of(view: View, probe: str) -> Mapping[str, VerdictState]:
    """A probe's verdict states by location."""
    return {row.location: VerdictState.from_json(row.state) for row in view.probe_states(probe)}


def _fold(
    around: Around, probe: Probe, present: PresentAlert | None, now: datetime
) -> Firing | Clear | WaitUntil:
    states = states_of(around.view, probe.id)
    suspect: frozenset[str] = frozenset()
    if present is None and any(state.fires and state.network for state in states.values()):
        suspect = around.suspect(probe)
    return fold_locations(
        probe,
        states,
        now,
        around.blind,
        suspect=suspect,
        firing_since=present.started_at if present else None,
    )


def _fires(probe: Probe, labels: Labels, firing: Firing) -> Report:
    return Report(
        labels=labels,
        severity=firing.severity,
        started_at=firing.started_at,
        source="probe",
        probe=probe.id,
        reason=firing.reason,
        summary=firing.text,
        evidence=firing.evidence,
        flapping=firing.flapping,
        failing_since_at=firing.failing_since_at,
    )


def _ended(alert: PresentAlert, why: str) -> Report:
    report = Report(
        labels=alert.labels,
        severity=alert.severity,
        started_at=alert.started_at,
        source=alert.source,
        probe=alert.probe,
        reason=alert.reason,
    )
    return replace(report, ended=why)
