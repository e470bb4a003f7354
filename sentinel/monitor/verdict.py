"""A probe's verdict at one location: what its check results, one after another, come to.

The states and what moves them; *bad* is warn or failed, *m*, *n* and *k* are ``confirm``'s
``down``, ``down_of`` and ``up``:

=============  ===============================================================================
unknown        nothing is known: never checked, or ok until our own checking failed
ok             no bad result counts
pending        a bad result counts, but fewer than m of the last n are bad
firing         m of the last n were bad; the newest result that says anything is bad
recovering     was firing; the newest result that says anything is good, but not yet k in a row
=============  ===============================================================================

An *unknown* result neither confirms nor clears: it leaves every count as it is, and turns only
ok into unknown. When k good ones in a row end a firing, what was counted before is forgotten, so
that the next firing needs m bad results of its own. A firing is *degraded* (it alerts as warning)
when m of n needs warn results to be reached; a degraded one becomes full when m failed ones are
among the last n, a full one degraded when k results in a row did not fail and the newest warns.

*Flapping* is Nagios' rule: among the last 20 results the share of changes between good and bad,
a recent change weighing 1.2 and the oldest 0.8, starts it above 30 % and ends it below 25 %.
While a firing probe flaps it is not believed to be well, however many good results come in a
row: it stays recovering, so the alert is one alert and pages once (rule 4).
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec
from msgspec.structs import replace

from sentinel.monitor.probe import CheckResult, Confirm, Probe
from sentinel.words import OK, Outcome

RECENT = 20
"""Results that flapping looks at."""
FLAPPING_STARTS = 0.30
FLAPPING_ENDS = 0.25

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LETTER = {Outcome.ok: "o", Outcome.warn: "w", Outcome.failed: "f", Outcome.unknown: "u"}
_OUTCOME = {letter: outcome for outcome, letter in _LETTER.items()}
_BAD = frozenset({Outcome.warn, Outcome.failed})
_ALL_OK = (Outcome.ok,) * RECENT


class Verdict(StrEnum):
    """What is believed after confirmation."""

    ok = "ok"
    pending = "pending"
    firing = "firing"
    recovering = "recovering"
    unknown = "unknown"


_WELL = Verdict.ok
_CALM = frozenset({Verdict.ok, Verdict.unknown})
_SICK = frozenset({Verdict.pending, Verdict.recovering})
_FIRES = frozenset({Verdict.firing, Verdict.recovering})


class VerdictState(msgspec.Struct, frozen=True, gc=False):
    """The fold's whole memory: it can be stored as JSON and folded on after a restart.

    `recent` are the last 20 outcomes, oldest first. `window` are those of the last n results
    that said anything, since the last recovery. `ups` counts good ones in a row, `mild` those in
    a row that did not fail. `started_at` is when this firing was confirmed, `failing_since_at`
    when the first bad result that counts was due; both are None when nothing is wrong.
    `reason`, `text`, `network` and `evidence` are the newest bad result's, kept while pending,
    firing and recovering. `recovered_at` is when pending or firing last ended. `slot_at` is the
    due time of the last result taken in; None: never.
    """

    state: Verdict = Verdict.unknown
    since_at: datetime | None = None
    degraded: bool = False
    flapping: bool = False
    recent: tuple[Outcome, ...] = ()
    window: tuple[Outcome, ...] = ()
    ups: int = 0
    mild: int = 0
    started_at: datetime | None = None
    failing_since_at: datetime | None = None
    reason: str = ""
    text: str = ""
    network: bool = False
    evidence: str = ""
    last_ok_at: datetime | None = None
    recovered_at: datetime | None = None
    slot_at: datetime | None = None

    @property
    def fires(self) -> bool:
        """Whether there is an alert: firing, or recovering and not yet believed."""
        return self.state in _FIRES

    @property
    def sick(self) -> bool:
        """Whether the probe is looked at again at ``confirm.every``."""
        return self.state in _SICK

    @property
    def calm(self) -> bool:
        """Whether nobody waits for it: ok or unknown. Ten thousand probes become ok at once when a
        node starts for the first time."""
        return self.state in _CALM

    @property
    def steady(self) -> bool:
        """Whether nothing but good was seen of late: the next good result changes only counts."""
        return (
            self.state is _WELL and not self.flapping and self.recent.count(OK) == len(self.recent)
        )

    def to_json(self) -> dict[str, Any]:
        """JSON-able; instants are microseconds since the epoch, outcomes a letter each."""
        return {
            "state": self.state.value,
            "since_at": microseconds(self.since_at),
            "degraded": self.degraded,
            "flapping": self.flapping,
            "recent": "".join([_LETTER[outcome] for outcome in self.recent]),
            "window": "".join([_LETTER[outcome] for outcome in self.window]),
            "ups": self.ups,
            "mild": self.mild,
            "started_at": microseconds(self.started_at),
            "failing_since_at": microseconds(self.failing_since_at),
            "reason": self.reason,
            "text": self.text,
            "network": self.network,
            "evidence": self.evidence,
            "last_ok_at": microseconds(self.last_ok_at),
            "recovered_at": microseconds(self.recovered_at),
            "slot_at": microseconds(self.slot_at),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "VerdictState":
        """What `to_json` gave; further keys are ignored, missing ones are as never checked."""
        return cls(
            state=Verdict(stored.get("state", "unknown")),
            degraded=stored.get("degraded", False),
            flapping=stored.get("flapping", False),
            recent=tuple(_OUTCOME[letter] for letter in stored.get("recent", "")),
            window=tuple(_OUTCOME[letter] for letter in stored.get("window", "")),
            ups=stored.get("ups", 0),
            mild=stored.get("mild", 0),
            reason=stored.get("reason", ""),
            text=stored.get("text", ""),
            network=stored.get("network", False),
            evidence=stored.get("evidence", ""),
            since_at=instant(stored.get("since_at")),
            started_at=instant(stored.get("started_at")),
            failing_since_at=instant(stored.get("failing_since_at")),
            last_ok_at=instant(stored.get("last_ok_at")),
            recovered_at=instant(stored.get("recovered_at")),
            slot_at=instant(stored.get("slot_at")),
        )


@dataclass(frozen=True, slots=True)
class Turn:
    """The verdict changed: state, degraded or flapping differ, or a firing has another reason."""

    before: VerdictState
    after: VerdictState


def fold(
    state: VerdictState, result: CheckResult, probe: Probe
) -> tuple[VerdictState, Turn | None]:
    """Take in one result. One whose slot is not later than the last is not counted (rule 1)."""
    if state.slot_at is not None and result.due_at <= state.slot_at:
        return state, None
    if result.outcome is OK and state.steady:
        return _still_well(state, result, probe.confirm), None
    recent = (*state.recent, result.outcome)[-RECENT:]
    seen = replace(
        state,
        recent=recent,
        flapping=_flapping(recent, already=state.flapping),
        slot_at=result.due_at,
    )
    match result.outcome:
        case Outcome.unknown:
            after = _unknown(seen, result)
        case Outcome.ok:
            after = _good(seen, result, probe.confirm)
        case _:
            after = _bad(seen, result, probe.confirm)
    return after, Turn(state, after) if _turned(state, after) else None


def _still_well(state: VerdictState, result: CheckResult, confirm: Confirm) -> VerdictState:
    """What `_good` would come to, in a tenth of the time: nearly every check ends here. Of its last
    outcomes none is anything but ok."""
    recent, window = state.recent, state.window
    same = len(recent) == RECENT and len(window) == confirm.down_of == window.count(OK)
    if not same:
        recent = _ALL_OK[-len(recent) - 1 :]
        window = (*window, OK)[-confirm.down_of :]
    return VerdictState(
        _WELL,
        state.since_at,
        recent=recent,
        window=window,
        ups=state.ups + 1,
        mild=state.mild + 1,
        last_ok_at=known_at(result),
        recovered_at=state.recovered_at,
        slot_at=result.due_at,
    )


def known_at(result: CheckResult) -> datetime:
    """When the check had ended, and so when its result was known."""
    if result.attempts:
        last = result.attempts[-1]
        return last.started_at + timedelta(seconds=last.duration_s)
    return result.started_at + timedelta(seconds=result.duration_s)


def _unknown(seen: VerdictState, result: CheckResult) -> VerdictState:
    if seen.state is Verdict.ok or seen.since_at is None:
        return replace(seen, state=Verdict.unknown, since_at=known_at(result), reason=result.reason)
    return seen


def _good(seen: VerdictState, result: CheckResult, confirm: Confirm) -> VerdictState:
    seen = replace(
        seen,
        window=(*seen.window, OK)[-confirm.down_of :],
        ups=seen.ups + 1,
        mild=seen.mild + 1,
        last_ok_at=known_at(result),
    )
    if seen.fires:
        if seen.ups >= confirm.up and not seen.flapping:
            return _well(replace(seen, window=()), result)
        return _move(seen, Verdict.recovering, result)
    if any(outcome in _BAD for outcome in _still_counting(seen.window, confirm)):
        return _move(seen, Verdict.pending, result)
    return _well(seen, result)


def _bad(seen: VerdictState, result: CheckResult, confirm: Confirm) -> VerdictState:
    mild = seen.mild + 1 if result.outcome is Outcome.warn else 0
    seen = replace(
        seen,
        window=(*seen.window, result.outcome)[-confirm.down_of :],
        ups=0,
        mild=mild,
        failing_since_at=seen.failing_since_at or result.due_at,
        reason=result.reason,
        text=result.text,
        network=result.network,
        evidence=result.evidence or seen.evidence,
    )
    failed = sum(outcome is Outcome.failed for outcome in seen.window)
    if seen.fires:
        eased = seen.degraded or (mild >= confirm.up and result.outcome is Outcome.warn)
        seen = replace(seen, degraded=eased and failed < confirm.down)
        return _move(seen, Verdict.firing, result)
    if sum(outcome in _BAD for outcome in seen.window) >= confirm.down:
        seen = replace(seen, degraded=failed < confirm.down, started_at=known_at(result))
        return _move(seen, Verdict.firing, result)
    return _move(seen, Verdict.pending, result)


def _well(seen: VerdictState, result: CheckResult) -> VerdictState:
    ended = seen.failing_since_at is not None
    seen = replace(
        seen,
        degraded=False,
        started_at=None,
        failing_since_at=None,
        reason="",
        text="",
        network=False,
        evidence="",
        recovered_at=known_at(result) if ended else seen.recovered_at,
    )
    return _move(seen, Verdict.ok, result)


def _move(seen: VerdictState, to: Verdict, result: CheckResult) -> VerdictState:
    if seen.state is to and seen.since_at is not None:
        return seen
    return replace(seen, state=to, since_at=known_at(result))


def _still_counting(window: tuple[Outcome, ...], confirm: Confirm) -> tuple[Outcome, ...]:
    """What will be in the window together with the next result."""
    return window[-(confirm.down_of - 1) :] if confirm.down_of > 1 else ()


def _flapping(recent: tuple[Outcome, ...], *, already: bool) -> bool:
    share = change_share(recent)
    return share >= FLAPPING_ENDS if already else share > FLAPPING_STARTS


def change_share(recent: tuple[Outcome, ...]) -> float:
    """Share, 0 to 1, of changes between good and bad in the last 20 results, weighted from 0.8
    for the oldest of 19 possible ones to 1.2 for the newest. Unknown ones are passed over, and
    what is not there yet counts as no change."""
    known = [outcome in _BAD for outcome in recent if outcome is not Outcome.unknown]
    last = RECENT - 2
    pairs = zip(known[::-1], known[-2::-1], strict=False)
    weighted = sum(1.2 - 0.4 * age / last for age, (new, old) in enumerate(pairs) if new != old)
    return weighted / (last + 1)


def _turned(before: VerdictState, after: VerdictState) -> bool:
    return (
        before.state is not after.state
        or before.degraded != after.degraded
        or before.flapping != after.flapping
        or (after.fires and before.reason != after.reason)
    )


def next_due_at(
    probe: Probe, state: VerdictState, *, after: datetime, recheck_from: datetime | None = None
) -> datetime:
    """The next slot strictly after `after`: the probe's regular one, or sooner while it is
    pending or recovering.

    Pass as `after` the instant at which the last check ended, or the start of the node: slots
    that went by meanwhile are never made up (rule 1). Regular slots lie at whole multiples of
    ``every`` since the epoch plus a share of ``every`` that is a hash of the probe's id, so they
    are spread, never drift, and are the same on every node and after every restart. A recheck is
    ``confirm.every`` after `after`, or at `recheck_from` where the watcher grants it only later.
    """
    regular = regular_slot(probe, after=after)
    if not state.sick:
        return regular
    again = after + timedelta(seconds=min(probe.confirm.every_s, probe.every_s))
    return min(regular, max(again, recheck_from or again))


def regular_slot(probe: Probe, *, after: datetime) -> datetime:
    """The first regular slot strictly after `after`."""
    return Slots.of(probe).after(after)


class Slots(msgspec.Struct, frozen=True, gc=False):
    """A probe's regular slots: how far apart they are, and one of them. Reckoned once for a probe,
    since it is asked after every check."""

    every: timedelta
    one_at: datetime

    @classmethod
    def of(cls, probe: Probe) -> "Slots":
        every_us = max(1, round(probe.every_s * 1_000_000))
        phase_us = round(spread(probe.id) * every_us)
        return cls(timedelta(microseconds=every_us), EPOCH + timedelta(microseconds=phase_us))

    def after(self, instant: datetime) -> datetime:
        """The first slot strictly after an instant."""
        return instant - (instant - self.one_at) % self.every + self.every


def first_due_at(probe: Probe, *, now: datetime, within_s: float) -> datetime:
    """When a probe that was never checked is checked first: not a whole interval from now, but
    spread over at most `within_s`, so that ten thousand new ones do not start at once."""
    return now + timedelta(seconds=spread(probe.id) * min(probe.every_s, within_s))


def turn_of(probe: Probe) -> float:
    """Where in its interval a probe has its slots, in seconds. What is made in this order lies side
    by side in memory when its turn comes."""
    return spread(probe.id) * probe.every_s


def spread(probe: str) -> float:
    """A share from 0 up to 1 that belongs to a probe's id for ever."""
    return zlib.crc32(probe.encode()) / 2**32


def microseconds(at: datetime | None) -> int | None:
    """Whole microseconds since the epoch."""
    return None if at is None else (at - EPOCH) // _MICROSECOND


def instant(stored: int | None) -> datetime | None:
    """The inverse of `microseconds`, aware UTC."""
    return None if stored is None else EPOCH + timedelta(microseconds=stored)
