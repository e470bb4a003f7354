"""Whether this location sees nothing, and the alert that says so (rule 5).

``monitor.agreement.blind`` has the numbers. Here is only what it is fed with: the last result of
every probe that has a host.
"""

from collections.abc import Iterable
from datetime import datetime

from sentinel.engine.runner import Runner
from sentinel.labels import fingerprint
from sentinel.monitor.agreement import BLIND_HOSTS, Seen, blind
from sentinel.monitor.probe import CheckResult
from sentinel.monitor.verdict import microseconds
from sentinel.store.journal import InboxRow, PresentAlert
from sentinel.words import Severity


class Blindness:
    """For one location. `since_at` is when it turned blind; None: it sees."""

    def __init__(self, location: str) -> None:
        self._location = location
        self._labels = {"alertname": "location-blind", "location": location}
        self._unreachable: set[Runner] = set()
        self.fingerprint = fingerprint(self._labels)
        self.since_at: datetime | None = None

    def restore(self, alert: PresentAlert | None) -> None:
        """Go on from the alert that is present in the store, so that its end will be told."""
        if alert is not None and alert.ends_at is None:
            self.since_at = alert.started_at

    def saw(self, runner: Runner, result: CheckResult, now: datetime) -> None:
        """A check ended."""
        runner.checked_at = now
        if result.network != runner.unreachable:
            runner.unreachable = result.network
            if result.network:
                self._unreachable.add(runner)
            else:
                self._unreachable.discard(runner)

    def forget(self, runner: Runner) -> None:
        """A probe was removed."""
        self._unreachable.discard(runner)

    @property
    def worth_judging(self) -> bool:
        """Whether judging can come to anything: something is unreachable, or it is blind."""
        return bool(self._unreachable) or self.since_at is not None

    def judge(self, runners: Iterable[Runner], now: datetime) -> InboxRow | None:
        """The alert that began or ended now, for the responder's inbox; None: nothing changed."""
        hosts = {runner.host for runner in self._unreachable}
        if self.since_at is None and len(hosts) < BLIND_HOSTS:
            return None
        seen = [
            Seen(runner.host, runner.checked_at, runner.unreachable)
            for runner in runners
            if runner.checked_at is not None
        ]
        began = self.since_at
        if blind(seen, now, already=began is not None) == (began is not None):
            return None
        if began is not None:
            self.since_at = None
            return self._row(began, now, ends_at=now)
        self.since_at = now
        return self._row(now, now, ends_at=None)

    def _row(self, started_at: datetime, now: datetime, *, ends_at: datetime | None) -> InboxRow:
        started_us = microseconds(started_at)
        count = len(self._unreachable)
        return InboxRow(
            id=f"alert/location-blind/{self._location}/{started_us}" + ("/end" if ends_at else ""),
            kind="alert",
            body={
                "source": "sentinel",
                "labels": dict(self._labels),
                "severity": int(Severity.critical),
                "started_us": started_us,
                "ends_us": microseconds(ends_at),
                "summary": f"location {self._location} sees nothing: {count} of its probes are "
                "unreachable, on hosts that have nothing else in common",
                "reason": "location_blind",
                "probe": "",
            },
            received_at=now,
        )
