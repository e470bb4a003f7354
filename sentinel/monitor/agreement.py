"""From verdicts at locations to one alert: agreement, and a location that sees nothing.

A probe's alert fires when at least ``agree`` of its locations fire. A location that is *blind*
(rule 5) does not count where its reason is the network: that is one incident about the location.
Whether it is blind shows within seconds when other probes fail there too, so a new firing for a
network reason waits, at most 10 s, and only while a probe of another host is failing or pending
there for such a reason. Otherwise it leaves at once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sentinel.monitor.probe import Probe
from sentinel.monitor.verdict import Verdict, VerdictState
from sentinel.words import Severity

WAIT_FOR_BLINDNESS = timedelta(seconds=10)
BLIND_LOOKS_BACK = timedelta(minutes=1)
BLIND_SHARE = 0.6
BLIND_ENDS = 0.4
"""Once blind, a location sees again below this share, so that it does not come and go."""
BLIND_PROBES = 5
BLIND_HOSTS = 3


@dataclass(frozen=True, slots=True)
class Firing:
    """The alert fires. `started_at` tells occurrences apart; `locations` fire, in order of name.
    `reason`, `text` and `evidence` are those of the location that fired first; `failing_since_at` is
    when the first bad check that counts was due at any of them."""

    severity: Severity
    started_at: datetime
    reason: str
    text: str
    flapping: bool
    evidence: str
    degraded: bool
    locations: tuple[str, ...] = ()
    failing_since_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Clear:
    """Nothing fires."""


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """It would fire, but whether the location is blind is not known before `at`: fold again."""

    at: datetime


def fold_locations(
    probe: Probe,
    states: Mapping[str, VerdictState],
    now: datetime,
    blind: frozenset[str] = frozenset(),
    *,
    suspect: frozenset[str] = frozenset(),
    firing_since: datetime | None = None,
) -> Firing | Clear | WaitUntil:
    """What the verdicts at all locations come to. `suspect` are the locations where `is_suspect`
    holds. `firing_since` is the present alert's `started_at`: it stays the same occurrence while
    locations take turns, and does not wait again.

    Locations that the probe no longer runs from, and states never folded, do not count; fewer
    locations than ``agree`` can never keep a probe from firing.
    """
    fires = {
        location: state
        for location, state in sorted(states.items())
        if location in probe.locations
        and state.fires
        and state.started_at is not None
        and not (state.network and location in blind)
    }
    agree = min(probe.agree, len(probe.locations))
    if len(fires) < max(agree, 1):
        return Clear()
    firing = _firing(probe, fires, agree, firing_since)
    if firing_since is not None:
        return firing
    certain = sum(not (state.network and location in suspect) for location, state in fires.items())
    until = firing.started_at + WAIT_FOR_BLINDNESS
    return WaitUntil(until) if certain < agree and now < until else firing


def _firing(
    probe: Probe, fires: Mapping[str, VerdictState], agree: int, since: datetime | None
) -> Firing:
    begun = sorted(state.started_at for state in fires.values() if state.started_at is not None)
    first = min(fires.values(), key=lambda state: state.started_at or begun[0])
    full = sum(not state.degraded for state in fires.values())
    degraded = full < agree
    return Firing(
        severity=min(probe.severity, Severity.warning) if degraded else probe.severity,
        started_at=since or begun[agree - 1],
        reason=first.reason,
        text=first.text,
        flapping=any(state.flapping for state in fires.values()),
        evidence=first.evidence,
        degraded=degraded,
        locations=tuple(fires),
        failing_since_at=min(
            (state.failing_since_at for state in fires.values() if state.failing_since_at),
            default=None,
        ),
    )


def is_suspect(host: str, others: Iterable[tuple[str, VerdictState]]) -> bool:
    """Whether a probe of another host at the same location is failing or pending for a network
    reason. `others` are (host, state) of the location's probes; ones without a host say nothing."""
    return any(
        other not in ("", host)
        and state.network
        and state.state in (Verdict.pending, Verdict.firing)
        for other, state in others
    )


@dataclass(frozen=True, slots=True)
class Seen:
    """A probe's last result at a location: `unreachable` when it failed for a network reason."""

    host: str
    at: datetime
    unreachable: bool


def blind(seen: Iterable[Seen], now: datetime, *, already: bool = False) -> bool:
    """Whether a location sees nothing: of its probes checked in the last minute, at least 5 on at
    least 3 hosts, 60 % or more failed for a network reason, and they on at least 3 hosts (else it
    is those hosts that are down). A location `already` blind sees again below 40 %. `seen` has
    one entry a probe; probes without a host are left out."""
    lately = [each for each in seen if each.host and now - each.at <= BLIND_LOOKS_BACK]
    unreachable = [each for each in lately if each.unreachable]
    if already:
        return bool(lately) and len(unreachable) >= BLIND_ENDS * len(lately)
    return (
        len(lately) >= BLIND_PROBES
        and len({each.host for each in unreachable}) >= BLIND_HOSTS
        and len(unreachable) >= BLIND_SHARE * len(lately)
    )
