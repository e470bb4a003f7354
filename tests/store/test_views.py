"""What web and CLI read."""

import random
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest

from sentinel.store import rollups, views
from sentinel.store.journal import (
    Change,
    IncidentRow,
    PresentAlert,
    ProbeState,
    View,
    Work,
    WorkKind,
)
from sentinel.store.views import Availability, Backlog
from sentinel.words import Outcome, Severity
from tests.store.values import DAY, MINUTE, NOW, SECOND, note, opened, put, result

RNG = random.Random(11)
RESULTS = [
    result(
        "p",
        NOW + number * 13 * SECOND,
        location=RNG.choice(["eu", "us"]),
        outcome=RNG.choice(list(Outcome)),
        duration_s=RNG.uniform(0.01, 2),
    )
    for number in range(150)
]


@pytest.mark.parametrize("rolled_until", [0, 12, 40], ids=lambda minutes: f"rolled-{minutes}")
async def test_availability_counts_every_check_of_the_span_once(
    where: str, rolled_until: int
) -> None:
    spans = [
        (NOW, NOW + DAY),
        (NOW + 5 * MINUTE, NOW + 10 * MINUTE),
        (NOW + 61 * SECOND, NOW + 20 * MINUTE + SECOND),
        (NOW + 6 * MINUTE, NOW + 8 * MINUTE),
        (NOW + 31 * MINUTE, NOW + 32 * MINUTE),
        (NOW + MINUTE, NOW + MINUTE),
        (NOW - DAY, NOW + 17 * SECOND),
    ]

    def expected(location: str | None, from_at: datetime, to_at: datetime) -> Availability:
        inside = [
            one.outcome
            for one in RESULTS
            if from_at <= one.due_at < to_at and location in (None, one.location)
        ]
        good = sum(outcome in (Outcome.ok, Outcome.warn) for outcome in inside)
        return Availability(
            good, good + inside.count(Outcome.failed), inside.count(Outcome.unknown)
        )

    async with opened(where) as journal:
        await put(journal, Change(results=RESULTS))
        await journal.roll_up(NOW + rolled_until * MINUTE)
        for from_at, to_at in spans:
            for location in (None, "eu"):
                look = partial(
                    views.availability, probe="p", from_at=from_at, to_at=to_at, location=location
                )
                assert await journal.view(look) == expected(location, from_at, to_at)


async def test_history_is_the_same_before_and_after_the_rollup(where: str) -> None:
    look = partial(views.history, probe="p", from_at=NOW + SECOND, to_at=NOW + 33 * MINUTE)
    async with opened(where) as journal:
        await put(journal, Change(results=RESULTS))
        before = await journal.view(look)
        await journal.roll_up(NOW + DAY)
        after = await journal.view(look)
    assert [(one.location, one.bucket_at) for one in before] == sorted(
        ((one.location, one.bucket_at) for one in before), key=lambda one: (one[1], one[0])
    )
    assert (
        rollups.merge(one.summary for one in after).outcomes
        == rollups.summarize(RESULTS[1:]).outcomes
    )
    for one, other in zip(before, after, strict=True):
        assert other.summary.sum_s == pytest.approx(one.summary.sum_s)
        assert other.summary.histogram == one.summary.histogram


def test_nothing_known_has_no_ratio() -> None:
    assert Availability(0, 0, 3).ratio is None
    assert Availability(3, 4, 0).ratio == 0.75


async def test_backlog_tells_waiting_from_held_coming_and_standing(where: str) -> None:
    soon, past = NOW + MINUTE, NOW - MINUTE
    rows = [
        Work("late", WorkKind.step, past),
        Work("now", WorkKind.step, NOW),
        Work("lapsed", WorkKind.step, NOW, owner="n", lease_until_at=NOW),
        Work("held", WorkKind.step, past, owner="n", lease_until_at=soon),
        Work("later", WorkKind.step, soon),
        Work("standing", WorkKind.step, None),
    ]
    async with opened(where) as journal:
        await put(journal, Change(work=rows))
        found = await journal.view(partial(views.backlog, now=NOW))
    assert found[WorkKind.step] == Backlog(3, 1, 1, 1, past)
    assert found[WorkKind.delivery] == Backlog()
    assert set(found) == set(WorkKind)


async def test_an_incidents_detail_is_its_row_its_facts_and_its_work(where: str) -> None:
    row = IncidentRow("a", "triggered", Severity.error, "t", {}, NOW, NOW)
    work = Work("w", WorkKind.wake, NOW, ("a",))
    async with opened(where) as journal:
        await put(journal, Change({"incident/a": [note(), note()]}, incidents=[row], work=[work]))
        found = await journal.view(partial(views.incident_detail, incident="a"))
        assert await journal.view(partial(views.incident_detail, incident="b")) is None
    assert found is not None
    assert (found.row, [fact.version for fact in found.facts], found.work) == (row, [1, 2], [work])


async def test_open_incidents_come_worst_first_then_newest(where: str) -> None:
    row = IncidentRow("a", "triggered", Severity.error, "t", {}, NOW, NOW)
    rows = [
        row,
        replace(row, incident="b", severity=Severity.critical, status="mitigated"),
        replace(row, incident="c", opened_at=NOW + MINUTE, status="acknowledged"),
        replace(row, incident="d", status="resolved"),
    ]
    async with opened(where) as journal:
        await put(journal, Change(incidents=rows))
        found = await journal.view(views.open_incidents)
    assert [one.incident for one in found] == ["b", "c", "a"]


async def test_probes_are_listed_with_their_states_and_alerts(where: str) -> None:
    states = [ProbeState("p", place, NOW, {"verdict": "ok"}) for place in ("eu", "us")]
    alert = PresentAlert(
        "f", "probe", {}, Severity.error, NOW, None, probe="p", muted_by="silence/x"
    )
    other = PresentAlert("g", "person", {}, Severity.error, NOW, None)

    def look(view: View) -> tuple[object, object]:
        return views.probe_lines(view), views.muted_alerts(view)

    async with opened(where) as journal:
        await put(journal, Change(probe_states=states, alerts=[alert, other]))
        lines, muted = await journal.view(look)
    assert lines == [views.ProbeLine("p", states, [alert])]
    assert muted == [alert]


async def test_the_latest_results_are_those_of_the_last_day(where: str) -> None:
    old, new, newer = (result("p", NOW - timedelta(hours=hours)) for hours in (25, 2, 1))
    async with opened(where) as journal:
        await put(journal, Change(results=[new, old, newer]))
        found = await journal.view(partial(views.latest_results, probe="p", now=NOW))
        first = await journal.view(partial(views.latest_results, probe="p", now=NOW, limit=1))
    assert (found, first) == ([newer, new], [newer])
