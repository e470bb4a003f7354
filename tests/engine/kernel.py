"""A bare kernel: decisions, responder and performer on a journal and a clock turned by hand.

Alerts are put into the inbox as sources do; pages go to a notifier that answers as told.
"""

import asyncio
import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sentinel.engine.acting import Acting
from sentinel.engine.deciding import Decisions
from sentinel.engine.folds import Folds
from sentinel.engine.inbox import alert_row
from sentinel.engine.performer import Performer
from sentinel.engine.posting import Posting
from sentinel.engine.present import Present
from sentinel.engine.redaction import Redactor
from sentinel.engine.responder import Responder, ensure_standing_rows
from sentinel.expression import compile_expression
from sentinel.incident.correlate import Report
from sentinel.incident.policy import Policy
from sentinel.incident.state import IncidentState
from sentinel.kinds import Accepted, Message, Refused, Uncertain
from sentinel.oncall.escalation import Escalation, Fallback, Level
from sentinel.oncall.person import Person, RuleStep
from sentinel.playbook.context import MATCH_NAMES
from sentinel.playbook.playbook import PagePolicy, Playbook
from sentinel.store.journal import Change
from sentinel.store.sqlite import SqliteJournal
from sentinel.testing import KnownSecrets, ManualClock
from sentinel.timeline.facts import Recorded
from sentinel.transport.curl import Transport
from sentinel.words import Seconds, Secret, Severity, Urgency

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NOBODY = Fallback(page=("person/lead",), every_s=Seconds(900))


def person(name: str, *steps: RuleStep) -> Person:
    methods = {"push": Secret(f"push://{name}"), "mail": Secret(f"mail://{name}")}
    rule = steps or (RuleStep("push"), RuleStep("mail", Seconds(120)))
    return Person(
        name, name.title(), methods=methods, rules={Urgency.high: rule, Urgency.low: rule[:1]}
    )


def playbook(name: str, when: str = "true", **keys: Any) -> Playbook:
    keys.setdefault("page", PagePolicy("main"))
    return Playbook(name, compile_expression(when, MATCH_NAMES), digest=f"digest-{name}", **keys)


def policy(**keys: Any) -> Policy:
    main = Escalation(
        "main",
        (Level(("person/ana",), Seconds(300)), Level(("person/bo",), Seconds(300))),
        repeat=2,
        digest="digest-main",
    )
    values: dict[str, Any] = {
        "unmatched": "main",
        "fallback": NOBODY,
        "escalations": {"main": main},
        "people": {name: person(name) for name in ("ana", "bo", "cy", "lead")},
        "url": "http://sentinel.test",
    }
    return Policy(**{**values, **keys})


@dataclass
class Scripted:
    """A notifier that answers with `answers` by address, else accepts; `sent` is all it was asked."""

    answers: dict[str, Any] = field(default_factory=dict)
    sent: list[tuple[str, Message]] = field(default_factory=list)

    async def send(
        self, address: Secret, message: Message, *, deadline_s: Seconds
    ) -> Accepted | Refused | Uncertain:
        self.sent.append((address.template, message))
        return self.answers.get(address.template, Accepted())

    @property
    def to(self) -> list[str]:
        return [address for address, _ in self.sent]


@dataclass
class Kernel:
    journal: SqliteJournal
    clock: ManualClock
    decisions: Decisions
    responder: Responder
    performer: Performer
    notifier: Scripted
    present: Present
    loops: list[asyncio.Task[None]] = field(default_factory=list)
    folder: Path = Path()
    _rows: Any = field(default_factory=itertools.count)

    async def start(self) -> None:
        await self.decisions.run([], ensure_standing_rows)
        self.journal.woken(lambda: (self.responder.wake(), self.performer.wake()))
        self.loops = [
            asyncio.ensure_future(self.responder.run()),
            asyncio.ensure_future(self.performer.run()),
        ]
        await self.clock.settle()

    async def stop(self) -> None:
        for loop in self.loops:
            loop.cancel()
        await asyncio.gather(*self.loops, return_exceptions=True)
        await self.journal.close()

    async def alert(
        self, *, severity: Severity = Severity.error, ended: str = "", **labels: str
    ) -> None:
        """Report an alert now, or its end."""
        labels = {"alertname": "home", "client": "acme", "service": "storefront"} | labels
        known = None
        report = Report(labels, severity, self.clock.now(), "test", reason="status", ended=ended)

        def put(view: Any) -> tuple[Change, None]:
            nonlocal known
            known = view.alert(report.fingerprint)
            started = known.started_at if known is not None else report.started_at
            row = alert_row(
                Report(labels, severity, started, "test", reason="status", ended=ended),
                id=f"test/{next(self._rows)}",
                received_at=self.clock.now(),
                ends_at=None,
            )
            return Change(inbox=[row]), None

        await self.journal.transact([], put, now=self.clock.now())
        await self.clock.settle()

    async def advance(self, **span: float) -> None:
        await self.clock.advance(timedelta(**span))

    async def incidents(self) -> list[IncidentState]:
        def look(overlay: Any) -> list[IncidentState]:
            rows = overlay.view.incidents(limit=1000)
            return [overlay.incident(row.incident) for row in reversed(rows)]

        return await self.decisions.look(look)

    async def only(self) -> IncidentState:
        (one,) = await self.incidents()
        return one

    async def records(self, incident: str) -> list[Recorded]:
        return await self.journal.view(lambda view: list(view.read(f"incident/{incident}")))

    async def facts(self, incident: str) -> list[Any]:
        return [record.what for record in await self.records(incident)]


def kernel(
    found: Policy,
    *,
    path: str | Path = ":memory:",
    start: datetime = START,
    new_id: str = "",
) -> Kernel:
    journal = SqliteJournal.open(path)
    clock = ManualClock(start, busy=lambda: journal.busy)
    present = Present(found)
    decisions = Decisions(journal, clock, present, Folds())
    ids = (
        f"{new_id or 'i'}{number}" if new_id else f"{number:08d}" for number in itertools.count(1)
    )
    notifier = Scripted()
    posting = Posting(present, notifier, clock, b"k" * 32)

    async def check(probe: str) -> dict[str, Any]:
        return {"outcome": "ok", "reason": "", "values": {}}

    acting = Acting(
        clock=clock,
        transport=Transport(),
        secrets=KnownSecrets(),
        redactor=Redactor(),
        folder=Path("."),
        check=check,
    )
    performer = Performer(decisions, "node", posting, acting)
    return Kernel(
        journal, clock, decisions, Responder(decisions, ids), performer, notifier, present
    )
