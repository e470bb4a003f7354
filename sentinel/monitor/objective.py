"""Service-level objectives: how much of a promise was kept, what is left to spend, how fast it goes.

A promise of 99.9 % over 30 days leaves 43 minutes to be bad: the *error budget*. The *burn rate* is
the share of bad time divided by the share that is allowed: at 1 the budget lasts exactly its window,
at 14.4 an hour spends 2 % of 30 days. An alert wants two windows to burn (Google's SRE workbook,
"Alerting on SLOs", multiwindow multi-burn-rate): the long one says that it matters, the short one
that it is still going on, so that the alert ends soon after the trouble does.

What is counted is time, not checks: a check stands for the time since the one before it at the same
probe and location, at most the probe's interval, so that looking again faster while something is
pending changes nothing. A check that came to *unknown* says nothing and stands for nothing.

No alert rests on too little: a window speaks only when half of its time, at every probe and
location, is known, and the long one holds at least `LEAST_BAD` bad checks.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sentinel.words import Labels, Outcome, Seconds, Severity

ALERTNAME = "objective-burn"
LEAST_BAD = 3
"""Bad checks in the long window before anything burns: one is an accident of the network."""
LEAST_KNOWN = 0.5
"""The share of a window that must be known before it says anything."""


class Promise(StrEnum):
    """What is promised. *latency* is of good checks only: a failed one counts against availability."""

    availability = "availability"
    latency = "latency"


class Burn(StrEnum):
    """Which of an objective's two alerts: *fast* may wake somebody, *slow* is for the day."""

    fast = "fast"
    slow = "slow"


@dataclass(frozen=True, slots=True)
class Objective:
    """A promise about one service of a client: `share` (0 to 1, both excluded) of the time over the
    last `window_s`. `under_s` is how fast a good check must be, for latency. `alerts` False: only
    counted. `counts_maintenance` False: what is declared as maintenance is left out."""

    client: str
    service: str
    promise: Promise
    share: float
    window_s: Seconds
    under_s: Seconds = Seconds(0.0)
    counts_maintenance: bool = False
    alerts: bool = True

    def holds(self, outcome: Outcome, duration_s: float) -> bool | None:
        """Whether a check kept the promise; None: it says nothing about it."""
        usable = outcome in (Outcome.ok, Outcome.warn)
        match self.promise:
            case Promise.availability:
                return None if outcome is Outcome.unknown else usable
            case Promise.latency:
                return duration_s < self.under_s if usable else None

    @property
    def name(self) -> tuple[str, str, str]:
        """Client, service and what is promised: there is one of each."""
        return self.client, self.service, self.promise.value

    def labels(self, burn: Burn) -> Labels:
        """What its alert is known by."""
        return {
            "alertname": ALERTNAME,
            "client": self.client,
            "service": self.service,
            "objective": self.promise.value,
            "burn": burn.value,
        }


@dataclass(frozen=True, slots=True)
class Counted:
    """What some span came to: seconds for which the promise held and did not, and how many checks
    found that it did not."""

    good_s: float = 0.0
    bad_s: float = 0.0
    bad: int = 0

    @property
    def known_s(self) -> float:
        return self.good_s + self.bad_s

    @property
    def ratio(self) -> float | None:
        """Good by known time, 0 to 1; None when nothing is known."""
        return self.good_s / self.known_s if self.known_s > 0 else None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two windows that must both burn at `rate` or faster for an alert of this severity."""

    burn: Burn
    rate: float
    long_s: Seconds
    short_s: Seconds
    severity: Severity


_MINUTE, _HOUR = 60.0, 3600.0
PAIRS = (
    Pair(Burn.fast, 14.4, Seconds(_HOUR), Seconds(5 * _MINUTE), Severity.critical),
    Pair(Burn.fast, 6.0, Seconds(6 * _HOUR), Seconds(30 * _MINUTE), Severity.error),
    Pair(Burn.slow, 1.0, Seconds(72 * _HOUR), Seconds(6 * _HOUR), Severity.warning),
)
"""Of the workbook's table, the recommended starting point; the worst first."""
WINDOWS_S = tuple(sorted({window for pair in PAIRS for window in (pair.long_s, pair.short_s)}))
"""Every window that a burn rate is computed over, in seconds, the shortest first."""

Windows = Mapping[Seconds, Counted]
"""What each of `WINDOWS_S`, counted back from now, came to."""


@dataclass(frozen=True, slots=True)
class Burning:
    """A pair that burns, with the burn rates over its windows."""

    pair: Pair
    long_rate: float
    short_rate: float


class _Pace(StrEnum):
    burns = "burns"
    well = "well"
    unknown = "unknown"


def stands_for_s(due_at: datetime, before_at: datetime | None, every_s: Seconds) -> float:
    """The seconds that a check stands for; `before_at` is when the one before it at the same probe
    and location was due, None when that is not known. 0 for one that is not later than it."""
    if before_at is None:
        return every_s
    return min(max((due_at - before_at).total_seconds(), 0.0), every_s)


def burn_rate(objective: Objective, counted: Counted) -> float | None:
    """The share of bad time by the share allowed; None when nothing is known."""
    ratio = counted.ratio
    return None if ratio is None else (1.0 - ratio) / (1.0 - objective.share)


def budget_left(objective: Objective, counted: Counted, *, series: int) -> float:
    """The share of the window's error budget not spent: 1 when nothing was bad, below 0 when more
    was bad than is allowed.

    `counted` is the whole window, `series` how many probes at how many locations it was counted at.
    Time not known was not bad: a service that is watched since yesterday has not spent its month.
    """
    whole_s = max(counted.known_s, objective.window_s * series)
    return 1.0 - counted.bad_s / whole_s / (1.0 - objective.share) if whole_s else 1.0


def burning(objective: Objective, windows: Windows, burn: Burn, *, series: int) -> Burning | None:
    """The worst pair of these that burns now; None: none does, or too little is known."""
    for pair in _pairs(burn):
        if _pace(objective, windows, pair, series=series) is _Pace.burns:
            long_rate = burn_rate(objective, windows[pair.long_s]) or 0.0
            short_rate = burn_rate(objective, windows[pair.short_s]) or 0.0
            return Burning(pair, long_rate, short_rate)
    return None


def is_over(objective: Objective, windows: Windows, burn: Burn, *, series: int) -> bool:
    """Whether an alert that is present ends: no pair burns and at least one is known to be well, or
    nothing is known any more of all that the pairs look at. While it is merely not known, as when
    the location sees nothing, an alert stays."""
    paces = {_pace(objective, windows, pair, series=series) for pair in _pairs(burn)}
    if _Pace.burns in paces:
        return False
    return _Pace.well in paces or not any(windows[p.long_s].known_s for p in _pairs(burn))


def _pairs(burn: Burn) -> Iterable[Pair]:
    return [pair for pair in PAIRS if pair.burn is burn]


def _pace(objective: Objective, windows: Windows, pair: Pair, *, series: int) -> _Pace:
    long, short = windows[pair.long_s], windows[pair.short_s]
    if long.known_s < LEAST_KNOWN * pair.long_s * series:
        return _Pace.unknown
    if short.known_s < LEAST_KNOWN * pair.short_s * series:
        return _Pace.unknown
    rates = burn_rate(objective, long), burn_rate(objective, short)
    if any(rate is None or rate < pair.rate for rate in rates) or long.bad < LEAST_BAD:
        return _Pace.well
    return _Pace.burns


def wording(objective: Objective, found: Burning, *, left: float | None) -> str:
    """An alert's sentence. `left` is the share of the budget that is left, None: not known."""
    pair = found.pair
    rest = (
        f"; {max(left, 0.0):.0%} of {span_word(objective.window_s)} is left"
        if left is not None
        else ""
    )
    return (
        f"{objective.service} of {objective.client} burns its {objective.promise} budget"
        f" {found.long_rate:.1f} times too fast over {span_word(pair.long_s)}"
        f" and {found.short_rate:.1f} times over {span_word(pair.short_s)}{rest}"
    )


def span_word(seconds: float) -> str:
    """Whole seconds as documents write them, in the largest unit that fits: ``5m``, ``6h``, ``30d``."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:g}s"
