"""How one objective stands at a moment, and the inbox rows by which its alerts begin and end."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sentinel.engine.inbox import alert_row, micros
from sentinel.engine.services import Watched
from sentinel.engine.tallies import Tally
from sentinel.incident.correlate import Report
from sentinel.monitor.objective import (
    ALERTNAME,
    WINDOWS_S,
    Burn,
    Burning,
    Counted,
    Objective,
    Windows,
    budget_left,
    burn_rate,
    burning,
    is_over,
    span_word,
    wording,
)
from sentinel.store.journal import InboxRow, PresentAlert
from sentinel.words import Severity

SOURCE = "sentinel"
REASON = "objective_burn"


@dataclass(frozen=True, slots=True)
class Figure:
    """How one objective stands. `ratio` is over what is known of its window, None when nothing is;
    `budget_left` is None while the window is still being read; `burn_rates` are by window, the
    shortest first; `firing` are its alerts that are present."""

    objective: Objective
    at: datetime
    ratio: float | None
    budget_left: float | None
    burn_rates: Mapping[str, float | None]
    firing: tuple[Burn, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """An objective with what its windows came to at `at`, at `series` probes and locations.
    `whole` is the window promised, which `is_read` says is known to its beginning."""

    objective: Objective
    at: datetime
    windows: Windows
    whole: Counted
    series: int
    is_read: bool

    def burning(self, burn: Burn) -> Burning | None:
        """The worst of these pairs that burns, if it may alert at all."""
        if not self.objective.alerts:
            return None
        return burning(self.objective, self.windows, burn, series=self.series)

    def is_over(self, burn: Burn) -> bool:
        """Whether a present alert ends."""
        return not self.objective.alerts or is_over(
            self.objective, self.windows, burn, series=self.series
        )

    def figure(self, firing: tuple[Burn, ...]) -> Figure:
        """For people and metrics."""
        left = budget_left(self.objective, self.whole, series=self.series)
        return Figure(
            objective=self.objective,
            at=self.at,
            ratio=self.whole.ratio,
            budget_left=left if self.is_read and self.series else None,
            burn_rates={
                span_word(span): burn_rate(self.objective, self.windows[span]) for span in WINDOWS_S
            },
            firing=firing,
        )

    def begins(self, found: Burning, began_at: datetime) -> InboxRow:
        """The row by which an alert that began at `began_at` fires with this pair's severity."""
        left = budget_left(self.objective, self.whole, series=self.series) if self.is_read else None
        report = Report(
            labels=self.objective.labels(found.pair.burn),
            severity=found.pair.severity,
            started_at=began_at,
            source=SOURCE,
            reason=REASON,
            summary=wording(self.objective, found, left=left),
        )
        return _row(report, self.at, found.pair.severity.name)

    def ends(self, burn: Burn, began_at: datetime) -> InboxRow:
        """The row by which it ends."""
        labels = self.objective.labels(burn)
        report = Report(labels, Severity.info, began_at, SOURCE, reason=REASON, ended="recovered")
        return _row(report, self.at, "end")


def standing(watched: Watched, objective: Objective, tally: Tally, now: datetime) -> Standing:
    """How one of a service's objectives stands now."""
    tally.advance(now)
    return Standing(
        objective=objective,
        at=now,
        windows={span: tally.over(span) for span in WINDOWS_S},
        whole=tally.whole(),
        series=watched.series,
        is_read=watched.pieces_left == 0,
    )


def removed(alert: PresentAlert, now: datetime) -> InboxRow:
    """The row by which an alert ends whose objective is no longer declared."""
    report = Report(alert.labels, alert.severity, alert.started_at, SOURCE, reason=REASON)
    return _row(replace(report, ended="objective_removed"), now, "end")


def _row(report: Report, now: datetime, what: str) -> InboxRow:
    """The same row for whoever finds the same in the same minute."""
    id = f"alert/{ALERTNAME}/{report.fingerprint}/{micros(report.started_at)}/{what}"
    return alert_row(report, id=id, received_at=now, ends_at=None)
