"""Folded states, kept between decisions so that each reads only the facts that are new.

A cache of values by (stream, version). What a decision thinks ahead goes into an overlay and
reaches the cache only once its transaction has committed; a refused one leaves no trace.
Nothing here is needed for correctness: an empty cache gives the same states, slower, and the
auditor compares the two.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

from sentinel.incident.correlate import Group, fold_group
from sentinel.incident.deliveries import Receiving, fold_person
from sentinel.incident.state import IncidentState, fold
from sentinel.monitor.silence import Silence
from sentinel.oncall.overriding import AFTER_DECLARED, ended
from sentinel.oncall.rotation import Override
from sentinel.playbook.guard import GuardState, apply_guard
from sentinel.store.journal import View
from sentinel.timeline import site_facts as site
from sentinel.timeline.facts import GuardFact, Recorded

KEPT = 20_000
"""Streams kept folded; the least recently used go first."""

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token: whose it is, and its SHA-256."""

    user: str
    digest: str


@dataclass(frozen=True, slots=True)
class SiteState:
    """The fold of ``site``: the kill switch, which catalogue is in force, tokens by name."""

    automation_on: bool = True
    catalogue: str = ""
    tokens: Mapping[str, Token] = field(default_factory=dict)


@dataclass(slots=True)
class Overlay:
    """States as one transaction sees them: committed ones folded forward with what is new."""

    cache: "Folds"
    view: View
    states: dict[str, tuple[int, Any]] = field(default_factory=dict)

    def incident(self, incident: str) -> IncidentState:
        return self._folded(f"incident/{incident}", IncidentState(), fold)

    def group(self, key: str) -> Group:
        return self._each(f"group/{key}", Group(), lambda group, r: fold_group(group, r.what))

    def person(self, person: str) -> Receiving:
        return self._each(
            f"person/{person}", Receiving(), lambda p, r: fold_person(p, r.what, r.occurred_at)
        )

    def guard(self, name: str) -> GuardState:
        return self._each(
            name,
            GuardState(),
            lambda g, r: apply_guard(g, cast("GuardFact", r.what), r.occurred_at),
        )

    def site(self) -> SiteState:
        return self._each("site", SiteState(), _fold_site)

    def silence(self, stream: str) -> Silence | None:
        return self._each(stream, cast("Silence | None", None), _fold_silence)

    def overrides(self, rotation: str) -> tuple[Override, ...]:
        empty: tuple[Override, ...] = ()
        return self._each(f"override/{rotation}", empty, _fold_override)

    def knows(self, stream: str, state: object, version: int) -> None:
        """What a decision left a stream in; kept only if its transaction commits."""
        self.states[stream] = (version, state)

    def _each(self, stream: str, empty: S, step: Callable[[S, Recorded], S]) -> S:
        def run(state: S, records: list[Recorded]) -> S:
            for record in records:
                state = step(state, record)
            return state

        return self._folded(stream, empty, run)

    def _folded(self, stream: str, empty: S, run: Callable[[S, Any], S]) -> S:
        version, state = self.states.get(stream) or self.cache.get(stream) or (0, empty)
        records = self.view.read(stream, after=version)
        if records:
            state = run(cast("S", state), records)
            version = records[-1].version
        self.states[stream] = (version, state)
        return cast("S", state)


class Folds:
    """The cache. Only the event loop writes it; transactions read it through an `Overlay`."""

    def __init__(self) -> None:
        self._states: OrderedDict[str, tuple[int, Any]] = OrderedDict()

    def get(self, stream: str) -> tuple[int, Any] | None:
        return self._states.get(stream)

    def forget(self, stream: str) -> None:
        """Fold the stream from its first fact the next time."""
        self._states.pop(stream, None)

    def over(self, view: View) -> Overlay:
        return Overlay(self, view)

    def keep(self, overlay: Overlay) -> None:
        """Its transaction committed: keep what it saw, unless something newer is here."""
        for stream, (version, state) in overlay.states.items():
            known = self._states.get(stream)
            if known is None or known[0] <= version:
                self._states[stream] = (version, state)
                self._states.move_to_end(stream)
        while len(self._states) > KEPT:
            self._states.popitem(last=False)


def _fold_site(state: SiteState, record: Recorded) -> SiteState:
    match record.what:
        case site.AutomationSwitched(on=on):
            return replace(state, automation_on=on)
        case site.DocumentsActivated(digest=digest):
            return replace(state, catalogue=digest)
        case site.TokenIssued() as new:
            return replace(state, tokens={**state.tokens, new.token: Token(new.user, new.digest)})
        case site.TokenRevoked(token=gone):
            return replace(state, tokens={n: t for n, t in state.tokens.items() if n != gone})
        case _:
            return state


def _fold_silence(silence: Silence | None, record: Recorded) -> Silence | None:
    match record.what:
        case site.SilenceAdded() as added:
            matchers = {
                name: tuple(value) if isinstance(value, list) else value
                for name, value in added.matchers.items()
            }
            reason = (record.text or {}).get("reason", "")
            return Silence(added.silence, matchers, added.from_at, added.to_at, added.by, reason)
        case site.SilenceExpired() if silence is not None:
            return Silence(
                silence.id,
                silence.matchers,
                silence.from_at,
                record.occurred_at,
                silence.by,
                silence.reason,
            )
        case _:
            return silence


def _fold_override(overrides: tuple[Override, ...], record: Recorded) -> tuple[Override, ...]:
    match record.what:
        case site.OverrideAdded() as added:
            order = AFTER_DECLARED + record.version
            reason = (record.text or {}).get("reason", "")
            new = Override(
                added.from_at,
                added.to_at,
                added.replace,
                added.with_,
                reason,
                order,
                added.override,
                added.by,
            )
            return (*overrides, new)
        case site.OverrideRemoved(override=removed):
            return ended(overrides, removed, record.occurred_at)
        case _:
            return overrides
