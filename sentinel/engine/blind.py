"""Blind mode: the journal is away, and somebody must know all the same (rule 33).

While the journal works, who would have to be called is written to ``blind.json`` at every
reload and shift change. When it has refused for 10 seconds no step starts any more, and
those people are paged straight from that file with "journal unavailable, may repeat", at most
once in 5 minutes about the same thing: what begins to fail meanwhile, of which no incident can
be opened, is paged too; what comes within a minute of a page leaves with the next. What was sent
is written into a file allocated beforehand, since the disk may be full, and becomes facts once
the journal is back, or at the next start when this process does not live to see that.

Each part of the node that writes says by its name whether it was refused, and only the same
part says that it no longer is: on a full disk a small write may pass while the one that
matters does not.
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
"""About the journal, and about each thing that fails."""
GATHER_FOR = timedelta(minutes=1)
"""What begins to fail so soon after a page leaves with the next: a storm is no page a second."""
SPOOL_BYTES = 64 * 1024
LISTED = 20
"""So many failing things are named in one page."""

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
        self._refused: dict[str, datetime] = {}
        self._paged_at: datetime | None = None
        self._told_at: dict[str, datetime] = {}
        self.blind_since: datetime | None = None
        _allocate(self._spool)
        self._written = len(self._spool.read_bytes().rstrip(b"\0"))

    def answered(self, part: str) -> None:
        """Nothing that this part of the node has to write is refused any more."""
        self._refused.pop(part, None)

    def refused(self, part: str) -> None:
        """The journal refused this part of the node."""
        self._refused.setdefault(part, self._clock.now())

    async def rewrite(self, decisions: Decisions) -> None:
        """Write who would be called now; whole or not at all. Where it cannot be written, as on a
        full disk, the old file stays and the log says so."""
        policy = decisions.present.policy
        now = self._clock.now()
        contacts = await decisions.look(lambda overlay: contacts_of(overlay, policy, now))
        rows = [{"person": c.person, "method": c.method, "address": c.address} for c in contacts]
        text = json.dumps({"written_us": micros(now), "contacts": rows})
        try:
            if not _same_contacts(self._contacts, rows):
                _replace(self._contacts, text)
        except OSError as refused:
            log.error("the file of contacts stays as it was", extra={"error": str(refused)})

    async def catch_up(self, decisions: Decisions) -> None:
        """At a start: tell what a predecessor did blind and did not live to tell."""
        if self._written:
            await self._tell(decisions, self._clock.now())

    async def look(self, decisions: Decisions) -> None:
        """One look: become blind, page, or see again and tell what was done."""
        now = self._clock.now()
        if not self._refused:
            if self.blind_since is not None:
                await self._see_again(decisions, now)
            return
        since = min(self._refused.values())
        if now - since < BLIND_AFTER:
            return
        if self.blind_since is None:
            self.blind_since = since
            log.critical("the journal is unavailable: blind mode")
            self._on_blind(True)
        await self._page_what_is_new(now)

    async def _page_what_is_new(self, now: datetime) -> None:
        """A page about the journal and all that fails, or about what nobody was told of yet."""
        self._told_at = {n: at for n, at in self._told_at.items() if now - at < PAGE_EVERY}
        failing = {each.partition(":")[0]: each for each in self._seen()}
        untold = [each for name, each in failing.items() if name not in self._told_at]
        last = self._paged_at
        due = last is None or now - last >= PAGE_EVERY
        if not due and (not untold or now - (last or now) < GATHER_FOR):
            return
        self._paged_at = now
        self._told_at |= dict.fromkeys(failing.keys() - self._told_at.keys(), now)
        await self._page(_message(self.blind_since or now, untold, len(failing) - len(untold)))

    async def _page(self, message: Message) -> None:
        contacts = _contacts_in(self._contacts)
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
            log.error("the spool is full", extra={"person": contact.person})
            return
        try:
            _write(self._spool, self._written, line)
        except OSError as refused:
            log.error("a page was not spooled", extra={**row, "error": str(refused)})
            return
        self._written += len(line)

    async def _see_again(self, decisions: Decisions, now: datetime) -> None:
        told = await self._tell(decisions, now)
        self.blind_since = None
        self._on_blind(False)
        log.warning("the journal is back", extra={"pages": told})

    async def _tell(self, decisions: Decisions, now: datetime) -> int:
        """Append what the spool holds, each page once however often a start is cut off here."""
        pages = _spooled(self._spool)
        since = self.blind_since or min((page.sent_at for page in pages), default=now)

        def body(deciding: Deciding) -> int:
            known = {
                record.what
                for record in deciding.view.read("site")
                if isinstance(record.what, BlindPageSent)
            }
            new = [page for page in pages if page not in known]
            for page in new:
                deciding.append("site", Fact(page, now))
            if new or self.blind_since is not None:
                deciding.append("site", Fact(BlindnessEnded(since, now, len(new)), now))
            return len(new)

        told = await decisions.run(["site"], body)
        _write(self._spool, 0, b"\0" * SPOOL_BYTES)
        self._written = 0
        return told


def _message(since: datetime, untold: Sequence[str], before: int) -> Message:
    """`untold` is what fails and was in no page of the last minutes, `before` how much was."""
    head = "Sentinel is blind: journal unavailable, may repeat"
    lines = [
        head,
        f"Since {since:%H:%M:%S} UTC nothing can be recorded and no playbook step starts.",
    ]
    lines += [f"  failing: {each}" for each in untold[:LISTED]]
    more = len(untold[LISTED:]) + before
    lines += [f"  and {more} more, still failing"] if more else []
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


def _write(path: Path, at: int, content: bytes) -> None:
    """Into the spool's own bytes, and to the disk."""
    with path.open("r+b") as spool:
        spool.seek(at)
        spool.write(content)
        spool.flush()
        os.fsync(spool.fileno())


def _replace(path: Path, text: str) -> None:
    """The whole new file or the whole old one, whenever the power goes; for its owner's eyes."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _spooled(path: Path) -> list[BlindPageSent]:
    """The pages of the spool; a last line that the end of a process cut off is none."""
    found = []
    for line in path.read_bytes().rstrip(b"\0").splitlines(keepends=True):
        if line.endswith(b"\n"):
            row: Mapping[str, Any] = json.loads(line)
            sent_at = instant(row["sent_us"])
            found.append(BlindPageSent(row["person"], row["method"], sent_at, row["accepted"]))
    return found


def _contacts_in(path: Path) -> list[Contact]:
    if not path.exists():
        log.critical("nobody to call: the file of contacts was never written")
        return []
    rows: Sequence[Mapping[str, str]] = json.loads(path.read_text())["contacts"]
    return [Contact(row["person"], row["method"], row["address"]) for row in rows]


def _same_contacts(path: Path, rows: Sequence[Mapping[str, str]]) -> bool:
    if not path.exists():
        return False
    try:
        return bool(json.loads(path.read_text())["contacts"] == list(rows))
    except (ValueError, KeyError):
        return False
