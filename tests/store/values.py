"""Values that the store's tests write, and shorthand for writing them."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sentinel.monitor.probe import Attempt, CheckResult, Judged, Sample
from sentinel.store.journal import Change, Journal, View
from sentinel.store.open import open_journal
from sentinel.timeline.facts import Fact
from sentinel.timeline.incident_facts import NoteAdded
from sentinel.words import Outcome

NOW = datetime(2026, 11, 22, 2, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@contextlib.asynccontextmanager
async def opened(where: str) -> AsyncIterator[Journal]:
    journal = open_journal(where)
    try:
        yield journal
    finally:
        await journal.close()


def note(text: str = "seen", by: str = "ana") -> Fact:
    return Fact(NoteAdded(by), NOW, {"note": text})


async def put(journal: Journal, change: Change, now: datetime = NOW) -> None:
    """Commit a change that needs no decision."""
    streams = tuple({*change.append, *change.redact})
    await journal.transact(streams, lambda _: (change, None), now=now)


async def append(journal: Journal, stream: str, *facts: Fact) -> int:
    """Append and give the version that was there before."""

    def decide(view: View) -> tuple[Change, int]:
        return Change(append={stream: facts}), view.version(stream)

    return await journal.transact([stream], decide, now=NOW)


def result(
    probe: str = "acme-home",
    due_at: datetime = NOW,
    *,
    location: str = "local",
    outcome: Outcome = Outcome.ok,
    duration_s: float = 0.125,
    **fields: Any,
) -> CheckResult:
    """A result with two expectations, two phases and a sample."""
    plain: dict[str, Any] = {
        "started_at": due_at + timedelta(milliseconds=3),
        "reason": "",
        "text": "",
        "network": False,
        "judged": (
            Judged("status == 200", outcome, "", {"status": 200}),
            Judged('body.contains("Warenkorb ü")', Outcome.ok, "", {}),
        ),
        "phases": {"resolve": 0.001, "connect": 0.01},
        "samples": (Sample("timing.total_s", duration_s, "s"),),
    }
    return CheckResult(
        probe=probe,
        location=location,
        due_at=due_at,
        duration_s=duration_s,
        outcome=outcome,
        **(plain | fields),
    )


def rich_result() -> CheckResult:
    """A result with every field filled and every sort of scalar."""
    actual = {"status": 503, "type": "text/html", "ratio": 0.5, "ready": False, "etag": None}
    return result(
        outcome=Outcome.failed,
        reason="status_mismatch",
        text="503 Service Unavailable",
        network=True,
        judged=(
            Judged("status == 200", Outcome.failed, "status_mismatch", actual),
            Judged("huge > 1", Outcome.warn, "", {"huge": 2**70, "at": NOW, "raw": b"\xff"}),
        ),
        address="[2001:db8::1]:443",
        attempts=(Attempt(NOW, 0.5, "connect_refused"), Attempt(NOW + SECOND, 0.25, "")),
        evidence="ab" * 32,
    )


def results_of(probe: str, count: int, *, every: timedelta = 10 * SECOND) -> Sequence[CheckResult]:
    return [result(probe, NOW + number * every) for number in range(count)]
