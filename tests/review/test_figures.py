"""Figures of one incident: defined, traceable, and n/a where they cannot be known."""

from datetime import timedelta

from sentinel.review.figures import figures
from sentinel.timeline.incident_facts import (
    Acknowledged,
    AlertJoined,
    Mitigated,
    Reopened,
    Resolved,
    Triggered,
)
from sentinel.timeline.paging_facts import PageQueued
from sentinel.timeline.site_facts import BlindPageSent
from sentinel.words import Severity, Urgency
from tests.review.told import INCIDENT, LABELS, NIGHT, Stream, a_night, queued, sent


def opened(source: str = "probe", failing_s: float | None = 60) -> Stream:
    since = None if failing_s is None else NIGHT - timedelta(seconds=failing_s)
    alert = AlertJoined("f", NIGHT, Severity.error, LABELS, source, failing_since_at=since)
    triggered = Triggered(INCIDENT, "g", Severity.error, Urgency.high, LABELS)
    return Stream().add(triggered).add(alert)


def spans(stream: Stream) -> dict[str, str]:
    return {figure.id: figure.as_text() for figure in figures(stream.records).spans}


def test_the_night_in_numbers() -> None:
    known = figures(a_night())
    assert {
        "ttd": "34 s",
        "tta": "7 min 24 s",
        "ttm": "n/a (nobody said that it was mitigated)",
        "ttr": "3 h",
        "open": "3 h",
    } == {figure.id: figure.as_text() for figure in known.spans}
    assert (Severity.critical, 2, 1) == (known.severity, known.alerts, known.openings)
    pages = known.pages
    assert (5, 4, 3, 1, 1) == (
        pages.queued,
        pages.sent,
        pages.accepted,
        pages.failed,
        pages.withdrawn,
    )
    assert (("ana", "bo"), 3, 2) == (pages.people, pages.highest_level, pages.rounds)


def test_times_count_from_the_first_bad_sample_and_say_so() -> None:
    stream = opened().at(3)
    stream.add(Mitigated("ana")).at(10).add(Resolved("ana", "command"))
    assert {"ttd": "1 min", "ttm": "4 min", "ttr": "11 min"} == {
        id: text for id, text in spans(stream).items() if id in ("ttd", "ttm", "ttr")
    }
    assert "a probe's first bad sample → resolved" == figures(stream.records)["ttr"].definition
    confirmed = figures(opened(failing_s=None).records)
    assert "a probe's confirmed failure → incident opened" == confirmed["ttd"].definition


def test_without_a_probe_the_beginning_of_harm_is_not_inferred() -> None:
    stream = opened(source="person").at(10).add(Resolved("ana", "command"))
    assert "n/a (nobody has said when the harm began)" == spans(stream)["ttr"]
    assert "10 min" == spans(stream)["open"]


def test_what_never_happened_is_never_zero() -> None:
    known = spans(opened())
    assert "n/a (nobody was paged)" == known["tta"]
    assert "n/a (not resolved)" == known["ttr"] == known["open"]
    empty = figures([])
    assert all(figure.span is None for figure in empty.spans)
    assert (None, 0) == (empty.severity, empty.openings)


def test_acknowledged_counts_from_the_first_page_for_attention() -> None:
    stream = opened().at(1)
    queued(stream, "ana", "push", purpose="approval", step=9)
    stream.at(2)
    queued(stream, "ana", "push")
    stream.at(5).add(Acknowledged("ana", "link"))
    assert "3 min" == spans(stream)["tta"]


def test_a_reopened_incident_is_measured_to_its_last_end() -> None:
    stream = opened().at(5).add(Resolved("sentinel", "all_ended"))
    stream.at(7).add(Reopened("sentinel", "returned", 2))
    assert "n/a (not resolved)" == spans(stream)["ttr"]
    stream.at(9).add(Resolved("sentinel", "all_ended"))
    assert ("10 min", 2) == (spans(stream)["ttr"], figures(stream.records).openings)


def test_every_span_names_the_entries_it_comes_from() -> None:
    stream = opened().at(5).add(Resolved("sentinel", "all_ended"))
    assert (2, 3) == figures(stream.records)["ttr"].entries


def test_pages_sent_in_rounds_that_nobody_acknowledged_are_counted() -> None:
    records = a_night()
    until = next(r.version for r in records if isinstance(r.what, Acknowledged))
    assert 3 == figures(records[: until - 1]).pages.unacknowledged
    assert 0 == figures(records).pages.unacknowledged


def test_pages_for_information_are_not_pages() -> None:
    stream = opened()
    queued(stream, "ana", "push", purpose="tell")
    sent(stream, "ana", "push", "x")
    assert any(isinstance(record.what, PageQueued) for record in stream.records)
    assert 0 == figures(stream.records).pages.sent


def test_pages_sent_without_a_journal_are_counted_apart() -> None:
    stream = opened().add(BlindPageSent("ana", "push", NIGHT, accepted=True))
    assert 1 == figures(stream.records).pages.blind


def test_a_probe_that_saw_only_the_second_opening_does_not_date_the_first() -> None:
    stream = opened(source="person").at(5).add(Resolved("ana", "command"))
    stream.at(9).add(Reopened("sentinel", "returned", 2))
    stream.add(AlertJoined("g", stream.now, Severity.error, LABELS, "probe"))
    assert "n/a (nobody has said when the harm began)" == spans(stream)["ttd"]
