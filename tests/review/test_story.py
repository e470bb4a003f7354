"""The story: a whole night read aloud, and a sentence for everything that can happen."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest

from sentinel.review.story import story
from sentinel.review.telling import capital
from sentinel.timeline.facts import IncidentFact, PagingFact, Recorded, RunFact
from sentinel.timeline.incident_facts import (
    Acknowledged,
    AlertEnded,
    AlertJoined,
    Linked,
    NoteAdded,
    Reopened,
    Resolved,
    Triggered,
)
from sentinel.timeline.paging_facts import LevelReached, MatchFailed, PagingPlanned, RoundBegan
from sentinel.timeline.run_facts import (
    RunConcluded,
    RunQueued,
    RunRefused,
    RunTurned,
    StepFinished,
    StepIgnored,
    StepRetrying,
    StepWaiting,
)
from sentinel.timeline.site_facts import BlindPageSent, GroupOpened
from sentinel.words import Outcome, Severity, Urgency
from tests.review.told import INCIDENT, LABELS, NAMES, NIGHT, ZONE, Stream, a_night
from tests.timeline.facts import filled

GOLDEN = Path(__file__).parent / "golden"
SOON = NIGHT + timedelta(minutes=30)


def golden(name: str, told: str) -> None:
    """Hold a text against its file; SENTINEL_GOLDEN=write rewrites it, to be read in the diff."""
    path = GOLDEN / name
    if os.environ.get("SENTINEL_GOLDEN") == "write":
        path.write_text(told + "\n", "utf-8")
    assert path.read_text("utf-8") == told + "\n"


def said(what: object, **text: str) -> str:
    """The sentence about one fact that follows nothing."""
    stream = Stream().add(what, **text)  # type: ignore[arg-type]
    return story(stream.records, names=NAMES, timezone=ZONE).everything[0].text


def test_the_night_as_one_reads_it_at_three() -> None:
    golden("night.txt", story(a_night(), timezone=ZONE, names=NAMES).as_text())


def test_the_night_with_every_fact() -> None:
    golden("night-full.txt", story(a_night(), timezone=ZONE, names=NAMES).as_text(details=True))


def test_every_fact_of_the_stream_is_told_in_its_order() -> None:
    records = a_night()
    told = story(records)
    assert [record.version for record in records] == [line.version for line in told.everything]


@pytest.mark.parametrize(
    "kind",
    sorted(
        {*get_args(IncidentFact), *get_args(PagingFact), *get_args(RunFact)},
        key=lambda kind: str(kind.__name__),
    ),
    ids=lambda kind: kind.__name__,
)
def test_whatever_can_happen_has_a_sentence(kind: type) -> None:
    text = said(filled(kind), anything="what they wrote")
    assert text[-1] in ".”?)"
    assert "<" not in text
    assert "None" not in text


def test_what_we_knew_at_an_instant_leaves_out_what_was_recorded_later() -> None:
    records = a_night()
    then = NIGHT + timedelta(minutes=181)
    assert "acmepay-api recovered" not in story(records, known_at=then).as_text()
    assert "acmepay-api recovered" in story(records, known_at=then + timedelta(minutes=1)).as_text()


def test_what_we_knew_before_anything_is_nothing() -> None:
    told = story(a_night(), known_at=NIGHT - timedelta(seconds=1))
    assert ((), "") == (told.lines, told.as_text())


def test_the_same_hour_twice_is_told_apart_by_its_offset() -> None:
    back = Stream(datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
    back.add(NoteAdded("bo"), note="first")
    back.now += timedelta(hours=1)
    back.add(NoteAdded("bo"), note="second")
    lines = story(back.records, timezone=ZONE).lines
    assert [("03:30:00", "+03:00"), ("03:30:00", "+02:00")] == [(x.clock, x.offset) for x in lines]


def test_a_new_day_gets_its_own_heading() -> None:
    stream = Stream(datetime(2026, 3, 2, 23, 59, tzinfo=UTC)).add(NoteAdded("bo"), note="a")
    stream.now += timedelta(minutes=2)
    stream.add(NoteAdded("bo"), note="b")
    days = [line for line in story(stream.records).as_text().splitlines() if "2026" in line]
    assert ["Monday, 2 March 2026 (UTC)", "Tuesday, 3 March 2026 (UTC)"] == days


def test_a_silence_is_drawn_even_when_what_ends_it_is_a_detail() -> None:
    stream = Stream().add(NoteAdded("bo"), note="a").at(40).add(RoundBegan(1, "x", "opened"))
    stream.at(41).add(NoteAdded("bo"), note="b")
    assert ["", "40 min without an entry"] == [line.gap for line in story(stream.records).lines]


def test_a_time_zone_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no time zone `Mars/Olympus`"):
        story(a_night(), timezone="Mars/Olympus")


def test_removed_text_is_shown_as_removed_and_nothing_else_is_lost() -> None:
    stream = Stream().add(NoteAdded("ana"), note="a secret").redact(1)
    line = story(stream.records, names=NAMES).lines[0]
    assert ("Ana Silva: [removed]", True) == (line.text, line.redacted)


def test_text_from_outside_stays_one_line_and_cannot_hide_anything() -> None:
    text = said(NoteAdded("ana"), note="one\r\ntwo \x1b[31mred\x1b[0m \u202etxt.exe " + "x" * 900)
    assert "\n" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert len(text) < 560


def test_markdown_from_outside_is_shown_and_not_obeyed() -> None:
    stream = Stream().add(NoteAdded("ana"), note="| **x** <script> [a](http://evil.example)")
    told = story(stream.records).as_markdown()
    assert "\\|" in told
    assert "<script>" not in told.replace("\\<", "")
    assert "](http://" not in told


def test_facts_of_other_streams_are_not_told() -> None:
    records = Stream().add(GroupOpened(INCIDENT)).records
    assert () == story(records).everything


def test_two_runs_are_told_apart_by_their_playbooks() -> None:
    stream = Stream()
    for run, playbook in [("r1", "shop-down"), ("r2", "certificate")]:
        stream.add(RunQueued(run, playbook, "d", 1, "g", LABELS, Severity.error))
    stream.add(StepFinished("r2", "look", 1, "succeeded", Outcome.ok, "succeeded"))
    assert "Step look of playbook certificate succeeded." == story(stream.records).lines[-1].text


def ended(
    state: str, reason: str = "", conclusion: str = "x", step: str = "switch"
) -> StepFinished:
    return StepFinished("r", step, 1, state, Outcome.failed, conclusion, reason)


@pytest.mark.parametrize(
    ("what", "wanted"),
    [
        (Triggered("k3m9x0ab", "g", Severity.error, Urgency.high, {}), "Incident k3m9x0ab opened: error."),
        (AlertJoined("f", NIGHT, Severity.error, {"alertname": "DiskFull"}, "alertmanager", worse=True),
         "DiskFull fires (error). Told by: alertmanager. This is worse than, or new to, what was acknowledged."),
        (AlertEnded("f", "moved", "zz"), "f moved to incident zz."),
        (Resolved("bo", "command", ("f1", "f2")), "Bo Lund resolved it. f1 and f2 still fire and may reopen it."),
        (Reopened("sentinel", "held", 2), "Reopened: what was resolved by hand still fires. This is opening 2."),
        (Acknowledged("ana", "cli"), "Ana Silva has it: acknowledged on the command line."),
        (Linked("zz", "worsened_from"), "An alert came from incident zz, where it got worse."),
        (PagingPlanned("ops", "d", NIGHT, {"unmatched": True}), "No playbook decides whom to page, so escalation ops is paged now."),
        (RoundBegan(4, "ops", "fallback"), "Nobody has acknowledged, so the fallback is paged until somebody does. Round 4."),
        (LevelReached(4, 0, (), SOON), "The fallback is paged: nobody. Again at 03:01 unless somebody acknowledges."),
        (MatchFailed("shop-down", "expression_error"), "Playbook shop-down could not be checked and does not run: expression error."),
        (BlindPageSent("bo", "push", NIGHT, accepted=False), "While the journal was away, Bo Lund was paged by push at 02:31:07: not accepted."),
        (RunRefused("r", "circuit"), "Run r does not run: its last attempts did not help; a person must allow it again."),
        (RunTurned("r", "cancelling", "resolved", SOON), "Run r is stopped: the incident is over."),
        (RunTurned("r", "cancelling", "command", SOON, "bo"), "Run r is stopped: Bo Lund asked for it."),
        (RunTurned("r", "unwinding", "not_healthy", SOON), "Run r undoes what it did (not healthy)."),
        (RunConcluded("r", "stuck", "rollback_failed"), "Run r is stuck: what it did could not be undone. Somebody must look."),
        (RunConcluded("r", "cancelled", "forced"), "Run r ended early. It was stopped by force; its last steps did not all run."),
        (RunConcluded("r", "failed", "refused"), "Run r failed: refused."),
        (StepWaiting("r", "switch", "indeterminate", SOON, ("ana",)), "Nobody knows whether step switch took effect. Ana Silva is asked: done, not done, or skip?"),
        (StepWaiting("r", "ok", "approval", SOON, ("ana", "bo"), reminder=True), "Ana Silva and Bo Lund are reminded of step ok; time until 03:01."),
        (StepRetrying("r", "switch", 1, SOON, "node_lost"), "Step switch was under way when its node went away; it is done again under the same key."),
        (StepIgnored("r", "switch", "done", "late"), "Too late, step switch reports: done. Its effect may exist; look."),
        (StepIgnored("r", "ok", "approved", "requester"), "An answer to step ok was not taken (approved): requester."),
        (ended("failed", "http_503", "succeeded"), "Step switch failed: http 503. The run goes on all the same."),
        (ended("failed", "not_answered"), "Step switch: nobody answered in time, so the answer is no."),
        (ended("indeterminate", "timeout"), "Step switch: it is not known whether it took effect (timeout)."),
        (ended("rollback_failed", "timeout"), "Step switch could not be undone (timeout)."),
        (ended("succeeded", step="switch.undo"), "The undo of step switch succeeded."),
    ],
)  # fmt: skip
def test_the_sentences_that_matter_most(what: object, wanted: str) -> None:
    assert wanted == said(what)


def test_a_changed_approval_says_that_earlier_answers_are_void() -> None:
    stream = Stream().add(StepWaiting("r", "ok", "approval", SOON, ("ana",), "a"))
    stream.add(StepWaiting("r", "ok", "approval", SOON, ("ana",), "b"))
    assert "earlier answers are void" in story(stream.records).lines[-1].text


def test_a_late_fact_says_since_when_it_is_known() -> None:
    late = Recorded(
        "incident/x", 1, NoteAdded("bo"), NIGHT, NIGHT + timedelta(minutes=9), {"note": "n"}, ""
    )
    assert story([late], timezone=ZONE).lines[0].text.endswith("(Known only since 02:40.)")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the status is 500", "The status is 500"),
        ("żaden nie działa", "Żaden nie działa"),
        ("closed", "Closed"),
        ("status == 200 does not hold", "status == 200 does not hold"),
        ("timing.total_s < 2.0 does not hold", "timing.total_s < 2.0 does not hold"),
        ('body.contains("x") does not hold', 'body.contains("x") does not hold'),
        ("shop-home: failed", "shop-home: failed"),
        ("", ""),
    ],
)
def test_a_sentence_begins_with_a_capital_and_what_is_written_exactly_does_not(
    text: str, expected: str
) -> None:
    assert expected == capital(text)
