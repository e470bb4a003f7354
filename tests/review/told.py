"""A whole incident as its stream would hold it, for stories, figures and drafts."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sentinel.timeline.facts import AnyFact, Recorded
from sentinel.timeline.incident_facts import (
    Acknowledged,
    AlertChanged,
    AlertEnded,
    AlertJoined,
    CommandRefused,
    EvidenceKept,
    HoldLapsed,
    NoteAdded,
    Redacted,
    Resolved,
    SeverityChanged,
    Triggered,
)
from sentinel.timeline.paging_facts import (
    LevelEmpty,
    LevelReached,
    PageAccepted,
    PageFailed,
    PageQueued,
    PageStarted,
    PageWithdrawn,
    PagingPlanned,
    PlaybookChosen,
    RoundBegan,
)
from sentinel.timeline.run_facts import (
    RunConcluded,
    RunQueued,
    RunStarted,
    RunTurned,
    StepAnswered,
    StepFinished,
    StepReady,
    StepRetrying,
    StepStarted,
    StepWaiting,
)
from sentinel.words import Outcome, Severity, Urgency

NIGHT = datetime(2026, 3, 2, 0, 31, 7, tzinfo=UTC)
"""02:31:07 in Helsinki."""
NAMES = {"ana": "Ana Silva", "bo": "Bo Lund", "kim": "Kim Park"}
ZONE = "Europe/Helsinki"
INCIDENT = "k3m9x0ab"
LABELS = {"client": "acme", "service": "payments", "vendor": "acmepay"}


class Stream:
    """Facts as they are recorded, with a clock that only goes on."""

    def __init__(self, at: datetime = NIGHT) -> None:
        self.now = at
        self.records: list[Recorded] = []

    def at(self, minutes: float) -> "Stream":
        self.now = NIGHT + timedelta(minutes=minutes)
        return self

    def add(self, what: AnyFact, late_s: float = 0, **text: str) -> "Stream":
        version = len(self.records) + 1
        recorded_at = self.now + timedelta(seconds=late_s)
        self.records.append(
            Recorded(
                f"incident/{INCIDENT}",
                version,
                what,
                self.now,
                recorded_at,
                text,
                f"{version:064x}",
            )
        )
        return self

    def redact(self, version: int) -> "Stream":
        old = self.records[version - 1]
        self.records[version - 1] = Recorded(
            old.stream, old.version, old.what, old.occurred_at, old.recorded_at, None, old.hash
        )
        return self


def page(person: str, method: str, step: int = 1, round: int = 1, level: int = 1) -> str:
    return f"{INCIDENT}:{round}:{level}:{person}:{step}"


def queued(
    stream: Stream, person: str, method: str, after_m: float = 0, purpose: str = "page", **keys: int
) -> None:
    key = page(person, method, **keys)
    due_at = stream.now + timedelta(minutes=after_m)
    stream.add(
        PageQueued(
            key, person, keys.get("round", 1), keys.get("level", 1), keys.get("step", 1), method,
            due_at, "d1", Urgency.high, purpose,
        )
    )  # fmt: skip


def sent(stream: Stream, person: str, method: str, code: str, **keys: int) -> None:
    key = page(person, method, **keys)
    stream.add(PageStarted(key, "d1", code, 1, "node-a", 1))
    stream.add(PageAccepted(key, "d1", 1))


def step(name: str, state: str, **keys: Any) -> StepFinished:
    outcome = Outcome.ok if state == "succeeded" else Outcome.failed
    keys.setdefault("conclusion", state)
    keys.setdefault("outcome", outcome)
    return StepFinished("run1", name, 1, state, **keys)


def started(name: str, attempt: int = 1) -> StepStarted:
    return StepStarted("run1", name, attempt, "k", "node-a", 1)


def a_night() -> Sequence[Recorded]:
    """The payment vendor fails at half past two; nobody answers at first; a switch is approved,
    made, and verified; somebody notes something that is removed later."""
    s = Stream()
    digest = "e" * 64
    s.add(Triggered(INCIDENT, "acme/payments/high", Severity.error, Urgency.high, LABELS))
    s.add(
        AlertJoined(
            "f1", NIGHT, Severity.error, LABELS, "probe", probe="acmepay-api",
            reason="unexpected_status", evidence=digest,
            failing_since_at=NIGHT - timedelta(seconds=34),
        ),
        summary="POST /charge answered 503 Service Unavailable",
    )  # fmt: skip
    s.add(PlaybookChosen("payment-vendor-degraded", "d" * 64, 1, decides=True))
    s.add(
        RunQueued(
            "run1", "payment-vendor-degraded", "d" * 64, 1, "guard/p/-", LABELS, Severity.error
        )
    )
    s.add(RunStarted("run1", NIGHT + timedelta(hours=1)))
    s.add(StepReady("run1", "measure", 1, "k", NIGHT, NIGHT + timedelta(hours=1)))
    s.add(PagingPlanned("storefront", "d" * 64, NIGHT + timedelta(minutes=2), {"playbook": "p"}))
    s.at(0.02).add(started("measure"))
    s.at(0.1).add(StepRetrying("run1", "measure", 1, s.now + timedelta(seconds=9), "connect"))
    s.at(0.25).add(started("measure", 2))
    s.at(0.3).add(step("measure", "succeeded", outputs={"ratio": 0.61}))
    s.add(
        StepWaiting(
            "run1",
            "ok_to_switch",
            "approval",
            s.now + timedelta(minutes=20),
            ("ana", "bo"),
            "i" * 64,
        )
    )
    s.at(2).add(RoundBegan(1, "storefront", "opened"))
    s.add(LevelReached(1, 1, ("ana",), s.now + timedelta(minutes=5)))
    queued(s, "ana", "push")
    queued(s, "ana", "mail", after_m=3, step=2)
    s.at(2.02)
    sent(s, "ana", "push", "x7q2")
    s.at(5).add(PageStarted(page("ana", "mail", 2), "d2", "x7q3", 1, "node-a", 2))
    s.at(5.2).add(
        PageFailed(page("ana", "mail", 2), "d2", 1, "refused"), error="550 mailbox unavailable"
    )
    s.at(7).add(LevelEmpty(1, 2, "gap"))
    s.add(LevelReached(1, 3, ("bo",), s.now + timedelta(minutes=5)))
    queued(s, "bo", "push", level=3)
    queued(s, "bo", "mail", after_m=3, level=3, step=2)
    s.at(7.03)
    sent(s, "bo", "push", "p0d4", level=3)
    s.at(8).add(
        AlertJoined("f2", s.now, Severity.critical, LABELS, "probe", probe="acme-checkout",
                    reason="timeout", worse=False),
        summary="no answer to the order within 30 s",
    ).add(SeverityChanged(Severity.critical, "sentinel"))  # fmt: skip
    s.at(9.4).add(Acknowledged("bo", "link", s.now + timedelta(hours=2)))
    s.add(PageWithdrawn(page("bo", "mail", 2, level=3), "acknowledged"))
    s.at(10.1).add(NoteAdded("bo"), note="Called AcmePay, their token is tok_live_1234")
    noted = len(s.records)
    s.at(10.5).add(CommandRefused("close", "bo", "state"))
    s.at(11).add(StepAnswered("run1", "ok_to_switch", "bo", "approved", inputs_digest="i" * 64))
    s.add(step("ok_to_switch", "succeeded", reason="approved"))
    s.at(11.1).add(started("switch"))
    s.at(11.3).add(step("switch", "succeeded"), detail="routed to otherpay")
    s.add(EvidenceKept("c" * 64, "before-and-after.txt", 2345, "run/run1"))
    s.add(StepWaiting("run1", "verify", "healthy", s.now + timedelta(minutes=8)))
    s.at(12.5).add(AlertEnded("f2", "recovered"))
    s.at(13).add(step("verify", "succeeded", reason="healthy"))
    s.add(RunTurned("run1", "finalizing", "done", s.now + timedelta(minutes=5)))
    s.add(started("tell"))
    s.add(NoteAdded("run/run1"), note="Switched to otherpay: succeeded")
    s.add(step("tell", "succeeded"))
    s.add(RunConcluded("run1", "succeeded", "", verified=True))
    s.at(14).add(Redacted(noted, "bo"), reason="a token was in it").redact(noted)
    s.at(75).add(AlertChanged("f1", Severity.warning, "slow"))
    s.at(129.4).add(HoldLapsed("timeout"))
    s.add(RoundBegan(2, "storefront", "timeout"))
    s.add(LevelReached(2, 1, ("bo", "ana"), s.now + timedelta(minutes=5)))
    queued(s, "ana", "push", round=2)
    s.at(129.45)
    sent(s, "ana", "push", "zz12", round=2)
    s.at(131).add(Acknowledged("ana", "web"))
    s.at(180).add(AlertEnded("f1", "recovered"), late_s=90)
    s.add(Resolved("sentinel", "all_ended"))
    return s.records
