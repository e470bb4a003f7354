"""Blind mode: the journal is away, and somebody must know all the same (rule 33).

While the journal works, who would have to be called is written to ``blind.json`` at every
reload and shift change. When it has refused for 10 seconds no step starts any more, and
those people are paged straight from that file, at most once in 5 minutes, with "journal
unavailable, may repeat". What was sent is written into a file allocated beforehand, since
the disk may be full, and becomes facts once the journal is back.
"""

import asyncio
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sentinel.clock import Clock
from sentinel.engine.deciding import Deciding, Decisions
from sentinel.engine.folds import Overlay
from sentinel.engine.inbox import instant, micros
from sentinel.incident.policy import Policy
from sentinel.incident.state import OPEN
from sentinel.kinds import Accepted, Message, Notifier
from sentinel.oncall.escalation import Level, resolve_level
from sentinel.timeline.facts import Fact
from sentinel.timeline.site_facts import BlindnessEnded, BlindPageSent
from sentinel.words import Seconds, Secret, Urgency

BLIND_AFTER = timedelta(seconds=10)
PAGE_EVERY = timedelta(minutes=5)
SPOOL_BYTES = 64 * 1024

log = logging.getLogger("sentinel.blind")


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody to call without the journal: a person and one address, still by reference."""

    person: str
    method: str
    address: str


def contacts_of(overlay: Overlay, policy: Policy, now: datetime) -> list[Contact]:
    """The fallback's people, who is on call for the unmatched, and who holds an open incident."""
    people: dict[str, None] = {}
    levels = [Level(policy.fallback.page)]
    if escalation := policy.escalations.get(policy.unmatched):
        levels.append(escalation.levels[0])
    for level in levels:
        found = resolve_level(
            level,
            at=now,
            rotations=policy.rotations,
            people=policy.people,
            teams=policy.teams,
            urgency=Urgency.high,
            paged=frozenset(),
            overrides={name: overlay.overrides(name) for name in policy.rotations},
            escalations=policy.escalations,
        )
        people |= dict.fromkeys(found.people)
    rows = overlay.view.incidents(status=[status.value for status in OPEN], limit=1000)
    people |= dict.fromkeys(row.holder for row in rows if row.holder in policy.people)
    return [
        Contact(person, step.via, policy.people[person].methods[step.via].template)
        for person in people
        for step in policy.people[person].steps(Urgency.high)
        if step.via in policy.people[person].methods
    ]


class Blind:
    """Watches whether the journal answers; pages from the local file when it does not."""

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        notifier: Notifier,
        *,
        seen: Callable[[], Sequence[str]] = tuple,
        on_blind: Callable[[bool], None] = lambda blind: None,
    ) -> None:
        self._contacts = folder / "blind.json"
        self._spool = folder / "blind.spool"
        self._clock = clock
        self._notifier = notifier
        self._seen = seen
        self._on_blind = on_blind
        self._refusing_since: datetime | None = None
        self._paged_at: datetime | None = None
        self._written = 0
        self.blind_since: datetime | None = None
        _allocate(self._spool)

    @property
    def refusing(self) -> bool:
        """Whether the last write was refused."""
        return self._refusing_since is not None

    def answered(self) -> None:
        """The journal took a write."""
        self._refusing_since = None

    def refused(self) -> None:
        """The journal refused."""
        self._refusing_since = self._refusing_since or self._clock.now()

    async def rewrite(self, decisions: Decisions) -> None:
        """Write who would be called now; whole or not at all."""
        policy = decisions.present.policy
        now = self._clock.now()
        contacts = await decisions.look(lambda overlay: contacts_of(overlay, policy, now))
        rows = [{"person": c.person, "method": c.method, "address": c.address} for c in contacts]
        text = json.dumps({"written_us": micros(now), "contacts": rows})
        if self._contacts.exists() and _same_contacts(self._contacts.read_text(), rows):
            return
        fresh = self._contacts.with_suffix(".new")
        fresh.write_text(text)
        fresh.chmod(0o600)
        fresh.replace(self._contacts)

    async def look(self, decisions: Decisions) -> None:
        """One look: become blind, page, or see again and tell what was done."""
        now = self._clock.now()
        if self._refusing_since is None:
            if self.blind_since is not None:
                await self._see_again(decisions, now)
            return
        if now - self._refusing_since < BLIND_AFTER:
            return
        if self.blind_since is None:
            self.blind_since = self._refusing_since
            log.critical("the journal is unavailable: blind mode")
            self._on_blind(True)
        if self._paged_at is None or now - self._paged_at >= PAGE_EVERY:
            self._paged_at = now
            await self._page(now)

    async def _page(self, now: datetime) -> None:
        contacts = _contacts_in(self._contacts)
        message = _message(self.blind_since or now, self._seen())
        by_person: dict[str, list[Contact]] = {}
        for contact in contacts:
            by_person.setdefault(contact.person, []).append(contact)
        await asyncio.gather(*(self._reach(each, message) for each in by_person.values()))

    async def _reach(self, contacts: Sequence[Contact], message: Message) -> None:
        """Each of a person's methods in turn until one is accepted."""
        for contact in contacts:
            outcome = await self._notifier.send(
                Secret(contact.address), message, deadline_s=Seconds(10.0)
            )
            accepted = isinstance(outcome, Accepted)
            self._note(contact, accepted)
            if accepted:
                return

    def _note(self, contact: Contact, accepted: bool) -> None:
        row = {
            "person": contact.person,
            "method": contact.method,
            "sent_us": micros(self._clock.now()),
            "accepted": accepted,
        }
        line = json.dumps(row).encode() + b"\n"
        if self._written + len(line) >= SPOOL_BYTES:
            return  # the pages went out; only their record is cut, and its count says so
        with self._spool.open("r+b") as spool:
            spool.seek(self._written)
            spool.write(line)
            spool.flush()
            os.fsync(spool.fileno())
        self._written += len(line)

    async def _see_again(self, decisions: Decisions, now: datetime) -> None:
        rows = _spooled(self._spool)
        since = self.blind_since or now

        def body(deciding: Deciding) -> None:
            for row in rows:
                what = BlindPageSent(
                    row["person"], row["method"], instant(row["sent_us"]), row["accepted"]
                )
                deciding.append("site", Fact(what, deciding.now))
            deciding.append("site", Fact(BlindnessEnded(since, now, len(rows)), deciding.now))

        await decisions.run(["site"], body)
        _clear(self._spool)
        self._written = 0
        self.blind_since = self._paged_at = None
        self._on_blind(False)
        log.warning("the journal is back", extra={"pages": len(rows)})


def _message(since: datetime, seen: Sequence[str]) -> Message:
    head = "Sentinel is blind: journal unavailable, may repeat"
    lines = [
        head,
        f"Since {since:%H:%M:%S} UTC nothing can be recorded and no playbook step starts.",
    ]
    lines += [f"  failing: {each}" for each in seen[:20]]
    body = "\n".join(lines)
    return Message(head, body, head, "0000", "", Urgency.high)


def _allocate(path: Path) -> None:
    """Reserve the spool's bytes while there is room; an existing one is kept."""
    if path.exists() and path.stat().st_size >= SPOOL_BYTES:
        return
    with path.open("wb") as spool:
        os.posix_fallocate(spool.fileno(), 0, SPOOL_BYTES)
        spool.write(b"\0" * SPOOL_BYTES)
    path.chmod(0o600)


def _clear(path: Path) -> None:
    with path.open("r+b") as spool:
        spool.write(b"\0" * SPOOL_BYTES)


def _spooled(path: Path) -> list[dict[str, Any]]:
    lines = path.read_bytes().rstrip(b"\0").splitlines()
    return [json.loads(line) for line in lines if line.startswith(b"{")]


def _contacts_in(path: Path) -> list[Contact]:
    if not path.exists():
        log.critical("nobody to call: the file of contacts was never written")
        return []
    rows: Sequence[Mapping[str, str]] = json.loads(path.read_text())["contacts"]
    return [Contact(row["person"], row["method"], row["address"]) for row in rows]


def _same_contacts(text: str, rows: Sequence[Mapping[str, str]]) -> bool:
    try:
        return bool(json.loads(text)["contacts"] == list(rows))
    except (ValueError, KeyError):
        return False
