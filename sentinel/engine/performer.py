"""The loop that acts: claims due deliveries and steps, touches the world, commits what came of it.

Law 2 in one place: a row is claimed in a transaction that writes *started* (it may have
happened); then the world is touched; then the outcome is committed, unless the row has
been claimed again meanwhile. A node that dies between the two leaves a started fact and a
lease; whoever comes after the lease decides by the fact.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sentinel.engine.acting import Acting
from sentinel.engine.alarm import Alarm
from sentinel.engine.deciding import Deciding, Decisions
from sentinel.engine.failpoint import Stage, is_off
from sentinel.engine.folds import Overlay
from sentinel.engine.posting import Posting
from sentinel.errors import Failure, LeaseLost
from sentinel.incident import runs, sending, steps
from sentinel.incident.plan import Course, streams_for
from sentinel.incident.state import IncidentState
from sentinel.store.journal import Work, WorkKind
from sentinel.timeline import incident_facts as inc

AT_ONCE = 64
"""Deliveries and steps under way at the same time, each kind."""
ENDS_WITHIN_S = 3.0
DELIVERY_LEASE = timedelta(seconds=30)
"""Longer than a send may take with its process replaced: see `Posting`."""
LONGEST_SLEEP = timedelta(seconds=10)
AFTER_FAILURE = timedelta(seconds=1)
KINDS = (WorkKind.delivery, WorkKind.step)
STAGE_OF = {WorkKind.delivery: Stage.page, WorkKind.step: Stage.playbook}

log = logging.getLogger("sentinel.performer")


@dataclass(frozen=True, slots=True)
class Sending:
    """A claimed delivery with the incidents as they were when it was claimed."""

    claim: sending.Claim
    states: tuple[IncidentState, ...]
    row: Work


class Performer:
    """Acts on due rows. One a node, named `node` in what it starts."""

    def __init__(
        self,
        decisions: Decisions,
        node: str,
        posting: Posting,
        acting: Acting,
        *,
        on_sent: Callable[[str], None] = lambda outcome: None,
        on_step: Callable[[str], None] = lambda outcome: None,
        on_journal: Callable[[bool], None] = lambda ok: None,
    ) -> None:
        """`on_sent` and `on_step` count what came of each send and each attempt; `on_journal` is
        told whether the journal took what there was to write."""
        self.decisions = decisions
        self._on_sent = on_sent
        self._on_step = on_step
        self._on_journal = on_journal
        self.node = node
        self.posting = posting
        self.acting = acting
        self.paused = False
        self._kinds = tuple(kind for kind in KINDS if not is_off(STAGE_OF[kind]))
        self._alarm = Alarm(decisions.clock)
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._again_at: dict[str, datetime] = {}
        """Rows whose claim or outcome could not be committed: not before then."""

    def wake(self) -> None:
        """There may be something to do."""
        self._alarm.ring()

    async def run(self) -> None:
        """Act until cancelled; then let what is under way end, and no more."""
        try:
            while True:
                try:
                    await self.turn()
                    await self._rest()
                except Failure as failure:
                    log.warning(
                        "claiming failed", extra={"reason": failure.reason, "error": str(failure)}
                    )
                    await self._pause(AFTER_FAILURE)
        finally:
            await self._end()

    async def _end(self) -> None:
        """What is under way may finish, within `ENDS_WITHIN_S`; what is cut off is done again later."""
        under_way = set(self._under_way.values())
        if under_way:
            await asyncio.wait(under_way, timeout=ENDS_WITHIN_S)
        for act in under_way:
            act.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def turn(self) -> int:
        """Begin everything that is due and not under way; how many began."""
        now = self.decisions.clock.now()
        self._again_at = {key: at for key, at in self._again_at.items() if at > now}
        if self.paused:
            self._on_journal(True)  # nothing is asked of it; the first row afterwards tells more
            return 0
        began = 0
        for row in await self._due():
            if row.key not in self._under_way and row.key not in self._again_at:
                self._begin(
                    row.key,
                    self._deliver(row) if row.kind is WorkKind.delivery else self._step(row),
                )
                began += 1
        return began

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        while self._under_way:
            await asyncio.wait(set(self._under_way.values()))

    async def _due(self) -> list[Work]:
        now = self.decisions.clock.now()
        found: list[Work] = []
        for kind in self._kinds:
            room = AT_ONCE - sum(key.startswith(kind.value) for key in self._under_way)
            if room > 0:
                limit = room + len(self._under_way) + len(self._again_at)
                found += await self.decisions.look(
                    lambda overlay, kind=kind, limit=limit: overlay.view.due(now, (kind,), limit)  # type: ignore[misc]
                )
        return found

    def _begin(self, key: str, act: Coroutine[Any, Any, None]) -> None:
        running = asyncio.ensure_future(self._reported(key, act))
        self._under_way[key] = running
        running.add_done_callback(lambda _: self._ended(key))

    def _ended(self, key: str) -> None:
        self._under_way.pop(key, None)
        self._alarm.ring()

    async def _reported(self, key: str, act: Coroutine[Any, Any, None]) -> None:
        """One row's work; a failure leaves its lease to run out and the row to be claimed again, in
        a while: at once would be for ever at once."""
        again_at = self.decisions.clock.now() + AFTER_FAILURE
        try:
            await act
            self._on_journal(True)
        except LeaseLost:
            log.warning("an outcome came too late", extra={"key": key})
        except Failure as failure:
            self._again_at[key] = again_at
            if failure.retryable:
                self._on_journal(False)
            log.warning(
                "work failed", extra={"key": key, "reason": failure.reason, "error": str(failure)}
            )
        except Exception:
            self._again_at[key] = again_at
            log.exception("work ended in an error of ours", extra={"key": key})

    async def _rest(self) -> None:
        if self.paused:
            await self._pause(LONGEST_SLEEP)
            return
        due = await self.decisions.look(lambda overlay: overlay.view.next_due(self._kinds))
        longest = self.decisions.clock.now() + LONGEST_SLEEP
        now = self.decisions.clock.now()
        if due is not None and due <= now and (self._under_way or self._again_at):
            # it is under way, or waits for room: its end wakes us; or it was refused just now
            due = min(self._again_at.values(), default=None)
        await self._alarm.rest_until(min(due, longest) if due else longest)

    async def _pause(self, span: timedelta) -> None:
        await self._alarm.rest_until(self.decisions.clock.now() + span)

    # ── deliveries ──

    async def _deliver(self, row: Work) -> None:
        claimed = await self.decisions.planned(
            lambda overlay: self._streams(overlay, row), lambda deciding: self._claim(deciding, row)
        )
        if claimed is None:
            return
        sent, reason, text = await self.posting.send(claimed.claim, claimed.states)
        self._on_sent(sent.value)
        await self.decisions.planned(
            lambda overlay: self._streams(overlay, row),
            lambda deciding: _conclude(deciding, claimed, sent, reason, text),
        )

    def _claim(self, deciding: Deciding, row: Work) -> Sending | None:
        current = _takeable(deciding, row.key)
        if current is None:
            return None
        courses = {incident: deciding.course(incident) for incident in current.incidents}
        taken = replace(
            current,
            attempt=current.attempt + 1,
            epoch=current.epoch + 1,
            owner=self.node,
            lease_until_at=deciding.now + DELIVERY_LEASE,
        )
        claim = sending.claim(
            courses,
            current.body["person"],
            current.key.removeprefix("delivery/"),
            node=self.node,
            epoch=taken.epoch,
            attempt=taken.attempt,
        )
        if not isinstance(claim, sending.Claim):
            return None
        deciding.work[current.key] = taken
        states = tuple(courses[incident].state for incident in dict(claim.pages))
        return Sending(claim, states, taken)

    def _streams(self, overlay: Overlay, row: Work) -> list[str]:
        """The incidents of a row, everybody their next level may page, and its own person."""
        current = overlay.view.work(row.key) or row
        names = {f"person/{person}" for person in [current.body.get("person")] if person}
        for incident in current.incidents:
            state = overlay.incident(incident)
            names |= set(
                streams_for(
                    self.decisions.present.policy,
                    state,
                    group=state.group,
                    guards=runs.guards_of(state),
                    references=self.decisions.present.references(state),
                )
            )
        return sorted(names)

    # ── steps ──

    async def _step(self, row: Work) -> None:
        def claim(deciding: Deciding) -> tuple[steps.StepClaim, Work] | None:
            current = _takeable(deciding, row.key)
            if current is None:
                return None
            course = deciding.course(current.incidents[0])
            epoch = current.epoch + 1
            claimed = steps.claim_step(course, current.body, node=self.node, epoch=epoch)
            deciding.settle()
            if claimed is None:
                return None
            taken = replace(
                current, attempt=current.attempt + 1, epoch=epoch, owner=self.node,
                lease_until_at=claimed.deadline_at + DELIVERY_LEASE,
            )  # fmt: skip
            deciding.work[current.key] = taken
            return claimed, taken

        found = await self.decisions.planned(lambda overlay: self._streams(overlay, row), claim)
        if found is None:
            return
        claimed, taken = found
        acted = await self.acting.act(claimed)
        self._on_step(acted.result.kind)

        def conclude(deciding: Deciding) -> None:
            _still_ours(deciding, taken)
            course: Course = deciding.course(taken.incidents[0])
            deciding.evidence.update(acted.evidence)
            deciding.work_done.add(taken.key)
            for note in acted.notes:
                course.happened(inc.NoteAdded(f"run/{claimed.run}"), note=note)
            for digest, name, size in acted.kept:
                course.happened(inc.EvidenceKept(digest, name, size, f"run/{claimed.run}"))
            steps.step_came_to(course, claimed, acted.result, found=acted.found)
            deciding.settle()

        await self.decisions.planned(lambda overlay: self._streams(overlay, row), conclude)


def _takeable(deciding: Deciding, key: str) -> Work | None:
    """The row as it is now, if nobody holds it and it is due."""
    row = deciding.view.work(key)
    if row is None or row.due_at is None or row.due_at > deciding.now:
        return None
    held = row.owner and row.lease_until_at is not None and row.lease_until_at > deciding.now
    return None if held else row


def _still_ours(deciding: Deciding, taken: Work) -> None:
    """Refuse an outcome whose row was claimed again: epoch and attempt must be the current ones."""
    row = deciding.view.work(taken.key)
    if row is None or (row.epoch, row.attempt, row.owner) != (
        taken.epoch,
        taken.attempt,
        taken.owner,
    ):
        raise LeaseLost(taken.key)


def _conclude(
    deciding: Deciding, claimed: Sending, sent: sending.Sent, reason: str, text: str
) -> None:
    _still_ours(deciding, claimed.row)
    courses: Mapping[str, Course] = {
        incident: deciding.course(incident) for incident in claimed.row.incidents
    }
    sending.came_to(courses, claimed.claim, sent, reason=reason, text=text)
    deciding.settle()
