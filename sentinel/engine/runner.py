"""One probe on this node: what the watcher remembers of it between two checks."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sentinel.engine.checking import Memory, needed_roots
from sentinel.engine.pings import pings_from_json, pings_to_json
from sentinel.kinds import Pings
from sentinel.monitor.probe import CheckResult, Observation, Probe
from sentinel.monitor.verdict import EPOCH, Slots, VerdictState, known_at
from sentinel.store.journal import ProbeState
from sentinel.words import OK

log = logging.getLogger(__name__)

MOST_KEPT_BYTES = 64 * 1024
_LATER = timedelta(microseconds=1)
_NOTHING = Memory()


class Runner:
    """A probe, its verdict, what its last good check kept, and its check in flight, if any.

    `due_at` is when its next check is due: an entry of the schedule with another instant is
    stale. `give_up_at` is on the monotonic clock. `checked_at` and `unreachable` are what
    blindness is judged by. `row_at` orders its stored rows: later than the last one always,
    also when only a ping came.
    """

    __slots__ = (
        "checked_at", "due_at", "give_up_at", "host", "kept", "kept_at", "needed", "pings", "probe",
        "row_at", "slots", "stalled", "started_at", "state", "task", "unreachable", "waiting",
    )  # fmt: skip

    def __init__(self, probe: Probe) -> None:
        self.state = VerdictState()
        self.kept: bytes | None = None
        self.kept_at: datetime | None = None
        self.pings: tuple[Pings, ...] = ()
        self.row_at = EPOCH
        self.due_at: datetime | None = None
        self.started_at = EPOCH
        self.give_up_at = 0.0
        self.task: asyncio.Task[Any] | None = None
        self.waiting = False
        self.stalled = False
        self.checked_at: datetime | None = None
        self.unreachable = False
        self.adopt(probe)

    def adopt(self, probe: Probe) -> None:
        """Go on with a changed document; what was learnt stays, but not for another kind."""
        if getattr(self, "probe", probe).kind != probe.kind:
            self.kept = self.kept_at = None
        self.probe = probe
        self.host = probe.prober.host()
        self.needed = needed_roots(probe)
        self.slots = Slots.of(probe)

    def restore(self, row: ProbeState) -> None:
        """Go on from what was stored. What this code cannot read is logged, and begun anew: one
        spoilt row must not keep a node from watching."""
        self.row_at = row.slot_at
        try:
            self.state = VerdictState.from_json(row.state)
            self.pings = pings_from_json(row.state.get("pings", ()))
        except (ValueError, KeyError, TypeError):
            log.exception("a stored state is unreadable", extra={"probe": row.probe})
        if row.state.get("kind") == self.probe.kind:
            self.kept = row.kept
            self.kept_at = row.kept_at

    def memory(self) -> Memory:
        """What its next check may look back at."""
        if self.kept is None and not self.pings:
            return _NOTHING
        return Memory(self.kept, self.kept_at, self.pings)

    def learn(self, observation: Observation, result: CheckResult) -> bool:
        """Keep what a good check wants kept, up to 64 KiB; whether that is anything new."""
        keep = observation.keep
        if result.outcome is not OK or keep is None:
            return False
        if len(keep) > MOST_KEPT_BYTES:
            log.warning("a check wants too much kept", extra={"probe": self.probe.id})
            return False
        new = keep != self.kept
        self.kept = keep
        self.kept_at = known_at(result)
        return new

    def row(self, location: str) -> ProbeState:
        """Its state as it is to be stored now."""
        slot_at = self.state.slot_at or EPOCH
        self.row_at = slot_at if slot_at > self.row_at else self.row_at + _LATER
        state = {**self.state.to_json(), "kind": self.probe.kind}
        if self.pings:
            state["pings"] = pings_to_json(self.pings)
        return ProbeState(self.probe.id, location, self.row_at, state, self.kept, self.kept_at)


def blank_row(probe: str, location: str, row_at: datetime) -> ProbeState:
    """What is stored of a probe that is gone, after its row of `row_at`: as never checked, should
    it ever come back."""
    return ProbeState(probe, location, row_at + _LATER, VerdictState().to_json())


def is_blank(row: ProbeState) -> bool:
    """Whether a stored row is that of a probe never checked, or gone."""
    state: Mapping[str, Any] = row.state
    pings: Sequence[Any] = state.get("pings", ())
    return state.get("slot_at") is None and not pings
