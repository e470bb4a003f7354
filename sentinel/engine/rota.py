"""Who is on call, changed at run time: overrides as facts on ``override/ROTATION``, and those told
whose turn they change (rule 28).

An override is decided in the transaction that records it, against those that are there already.
Whoever it puts on call, or takes off, is told by a message for information, at once when it takes
effect now and with the times when it begins later. Telling is no page: it is tried once by each
method in turn until one takes it, beside everything else, and nobody waits for it.
"""

import asyncio
import logging
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sentinel.engine.activation import Changed
from sentinel.engine.deciding import Deciding, Decisions
from sentinel.engine.folds import Overlay
from sentinel.errors import Failure
from sentinel.kinds import Accepted, Message, Notifier
from sentinel.localtime import wall
from sentinel.oncall.overriding import NoOverride, Wish, ended, turns_changed, wanted
from sentinel.oncall.rotation import Override
from sentinel.timeline.facts import Fact
from sentinel.timeline.site_facts import OverrideAdded, OverrideRemoved
from sentinel.words import Seconds, Urgency

TELL_WITHIN = Seconds(10.0)
"""How long one attempt to tell somebody may take."""

log = logging.getLogger("sentinel.rota")


@dataclass(frozen=True, slots=True)
class Standing:
    """An override that is not over: of which rotation, and whether a document declares it."""

    rotation: str
    override: Override
    declared: bool


@dataclass(frozen=True, slots=True)
class Overridden:
    """What an override changed: the override, who is on call now by it, and who is told of it."""

    override: Override
    on_call: tuple[str, ...]
    told: tuple[str, ...]


class Rota:
    """The overrides of a node, and the messages to those whose turn changes."""

    def __init__(self, decisions: Decisions, notifier: Notifier) -> None:
        self._decisions = decisions
        self._notifier = notifier
        self._telling: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """End the messages under way."""
        for telling in self._telling:
            telling.cancel()
        await asyncio.gather(*self._telling, return_exceptions=True)

    async def standing(self) -> list[Standing]:
        """Every override that is not over, declared ones too, by rotation and begin."""
        policy = self._decisions.present.policy
        now = self._decisions.clock.now()

        def look(overlay: Overlay) -> list[Standing]:
            found = []
            for name, rotation in policy.rotations.items():
                found += [Standing(name, each, declared=True) for each in rotation.overrides]
                found += [Standing(name, each, declared=False) for each in overlay.overrides(name)]
            return found

        found = await self._decisions.look(look)
        present = [each for each in found if each.override.to_at > now]
        return sorted(present, key=lambda each: (each.rotation, each.override.from_at))

    async def override(self, rotation: str, wish: Wish, *, by: str) -> Overridden | NoOverride:
        """Make an override, or say why not."""
        policy = self._decisions.present.policy
        declared = policy.rotations.get(rotation)
        if declared is None:
            return NoOverride("unknown_rotation", f"there is no rotation {rotation}")
        name = secrets.token_hex(4)

        def body(deciding: Deciding) -> tuple[Override, Changed] | NoOverride:
            before = deciding.overlay.overrides(rotation)
            found = wanted(
                wish,
                declared,
                id=name,
                by=by,
                people=policy.people,
                present=before,
                now=deciding.now,
            )
            if isinstance(found, NoOverride):
                return found
            deciding.append(f"override/{rotation}", _added(found, deciding.now))
            return found, _changed(deciding, rotation, before, (*before, found))

        came_to = await self._decisions.run([f"override/{rotation}"], body)
        if isinstance(came_to, NoOverride):
            return came_to
        made, changed = came_to
        told = _concerned(made, changed)
        self._tell_later(changed, made, told)
        return Overridden(made, changed.after, told)

    async def end(self, id: str, *, by: str) -> Overridden | NoOverride:
        """End an override that was made at run time: from now on it changes nothing."""
        found = [each for each in await self.standing() if not each.declared]
        rotation = next((each.rotation for each in found if each.override.id == id), "")
        unknown = NoOverride("unknown_override", f"no override {id} is in force or to come")
        if not rotation:
            return unknown

        def body(deciding: Deciding) -> tuple[Override, Changed] | NoOverride:
            before = deciding.overlay.overrides(rotation)
            gone = next((each for each in before if each.id == id), None)
            if gone is None or gone.to_at <= deciding.now:
                return unknown
            deciding.append(f"override/{rotation}", Fact(OverrideRemoved(id, by), deciding.now))
            after = ended(before, id, deciding.now)
            return gone, _changed(deciding, rotation, before, after)

        came_to = await self._decisions.run([f"override/{rotation}"], body)
        if isinstance(came_to, NoOverride):
            return came_to
        gone, changed = came_to
        told = _concerned(gone, changed)
        self._tell_later(changed, None, told)
        return Overridden(gone, changed.after, told)

    async def tell(self, changed: Sequence[Changed]) -> None:
        """Tell those whose turn a change of the documents began or ended at this instant."""
        for each in changed:
            for person in sorted({*each.before} ^ {*each.after}):
                await self._tell(person, f"{_turn(person, each)} The rota was changed.")

    def _tell_later(self, changed: Changed, made: Override | None, people: Iterable[str]) -> None:
        """Tell these people beside everything else; the request that changed it does not wait."""
        for person in people:
            telling = asyncio.ensure_future(self._tell(person, self._words(person, changed, made)))
            self._telling.add(telling)
            telling.add_done_callback(self._telling.discard)

    def _words(self, person: str, changed: Changed, made: Override | None) -> str:
        if person in {*changed.before} ^ {*changed.after}:
            return f"{_turn(person, changed)} {_why(made)}"
        if made is None:
            return f"An override of {changed.rotation} that concerned you was ended."
        policy = self._decisions.present.policy
        zone = policy.people[person].timezone if person in policy.people else "UTC"
        begin, end = (f"{wall(at, zone):%a %d %b %H:%M %Z}" for at in (made.from_at, made.to_at))
        verb = "are on call" if person == made.with_ else "are not on call"
        return f"You {verb} in {changed.rotation} from {begin} to {end}. {_why(made)}"

    async def _tell(self, person: str, text: str) -> None:
        """One message for information, by a person's methods in turn until one takes it."""
        policy = self._decisions.present.policy
        declared = policy.people.get(person)
        methods = list(declared.methods.values()) if declared is not None else []
        message = Message(text, text, text[:160], "rota", policy.url, Urgency.low)
        for address in methods:
            try:
                outcome = await self._notifier.send(address, message, deadline_s=TELL_WITHIN)
            except Failure as failure:
                log.warning(
                    "could not tell", extra={"person": person, "reason": failure.reason.value}
                )
                continue
            if isinstance(outcome, Accepted):
                return
            log.warning("could not tell", extra={"person": person, "reason": outcome.reason})


def _added(made: Override, now: datetime) -> Fact:
    what = OverrideAdded(made.id, made.from_at, made.to_at, made.replace, made.with_, made.by)
    return Fact(what, now, {"reason": made.reason} if made.reason else {})


def _changed(
    deciding: Deciding, rotation: str, before: Iterable[Override], after: Iterable[Override]
) -> Changed:
    policy = deciding.policy
    old, new = turns_changed(
        policy.rotations[rotation], before, after, people=policy.people, now=deciding.now
    )
    return Changed(rotation, old, new)


def _concerned(override: Override, changed: Changed) -> tuple[str, ...]:
    """Whoever the override names, and whose turn begins or ends by it now."""
    named = {each for each in (override.replace, override.with_) if each}
    return tuple(sorted(named | ({*changed.before} ^ {*changed.after})))


def _turn(person: str, changed: Changed) -> str:
    begins = person in changed.after
    turn = "You are on call from now on" if begins else "You are no longer on call"
    return f"{turn}: {changed.rotation}."


def _why(made: Override | None) -> str:
    if made is None:
        return "An override was ended."
    return f"Override {made.id} by {made.by}" + (f": {made.reason}" if made.reason else ".")
