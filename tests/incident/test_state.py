"""The state table, every pair of it, and what time does to a state (rules 11, 12)."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from sentinel.incident import respond
from sentinel.incident.correlate import Group, Way
from sentinel.incident.state import Status
from sentinel.oncall.escalation import Escalation, Level
from sentinel.timeline import incident_facts as inc
from sentinel.timeline import paging_facts as pag
from sentinel.words import Seconds, Severity
from tests.engine.kernel import policy
from tests.incident.desk import GROUP, Desk, report

Doing = Callable[[Desk], object]


def by(what: Callable[..., object], *args: object) -> Doing:
    return lambda desk: desk.decide(lambda course: what(course, *args))


ACK: Doing = by(respond.acknowledge, "bo", "web")
MITIGATE: Doing = by(respond.mitigate, "ana")
RESOLVE: Doing = by(respond.resolve, "ana")
CLOSE: Doing = by(respond.close, "ana")
WAYS_TO: dict[Status, tuple[Doing, ...]] = {
    Status.triggered: (),
    Status.acknowledged: (ACK,),
    Status.mitigated: (MITIGATE,),
    Status.resolved: (RESOLVE,),
    Status.closed: (RESOLVE, CLOSE),
}


def at(status: Status) -> Desk:
    desk = Desk()
    desk.fires()
    for do in WAYS_TO[status]:
        do(desk)
    assert desk.state.status is status
    return desk


T, A, M, R, C = Status
MOVES: list[tuple[str, Doing, dict[Status, Status]]] = [
    ("ack", by(respond.acknowledge, "cy", "cli"), {T: A, A: A, M: M}),
    ("mitigate", MITIGATE, {T: M, A: M}),
    ("resolve", RESOLVE, {T: R, A: R, M: R}),
    ("all ended", lambda desk: desk.ends(), {T: R, A: R, M: R}),
    ("a join", lambda desk: desk.fires(severity=Severity.error), {T: T, A: A, M: T}),
    ("a worse join", lambda desk: desk.fires("x", severity=Severity.critical), {T: T, A: T, M: T}),
    ("escalate", by(respond.escalate, "ana"), {T: T, A: T}),
    ("release", by(respond.lapse, "released", "bo"), {A: T}),
    ("reopen", by(respond.reopen, "ana"), {R: T}),
    ("close", CLOSE, {R: C}),
]


@pytest.mark.parametrize(
    ("do", "before", "after"),
    [
        pytest.param(do, before, after, id=f"{name} while {before}")
        for name, do, pairs in MOVES
        for before, after in pairs.items()
    ],
)
def test_each_move_leads_where_the_table_says(do: Doing, before: Status, after: Status) -> None:
    desk = at(before)
    do(desk)
    assert after is desk.state.status


def test_acknowledging_again_changes_the_holder() -> None:
    desk = at(Status.acknowledged)
    desk.decide(lambda course: respond.acknowledge(course, "cy", "cli"))
    assert "cy" == desk.state.holder


@pytest.mark.parametrize("severity", [Severity.error, Severity.critical])
def test_a_worse_alert_pages_from_level_1_the_holder_first(severity: Severity) -> None:
    desk = at(Status.acknowledged)
    facts = desk.fires("home" if severity is Severity.critical else "checkout", severity=severity)
    lapsed = next(fact for fact in facts if isinstance(fact, inc.HoldLapsed))
    reached = next(fact for fact in facts if isinstance(fact, pag.LevelReached))
    assert ("worse", 1, ("bo", "ana")) == (lapsed.reason, reached.level, reached.people)


def test_a_known_alert_of_lower_severity_does_not_wake_the_holder() -> None:
    desk = at(Status.acknowledged)
    facts = desk.fires(severity=Severity.warning)
    assert [inc.AlertChanged] == [type(fact) for fact in facts]


def test_severity_falls_by_command_only() -> None:
    desk = Desk()
    desk.fires(severity=Severity.critical)
    desk.fires("second", severity=Severity.error)
    desk.ends()
    assert desk.state.severity is Severity.critical
    desk.decide(lambda course: respond.set_severity(course, Severity.warning, "ana"))
    assert desk.state.severity is Severity.warning


def test_one_of_several_alerts_ending_moves_nothing() -> None:
    desk = Desk()
    desk.fires()
    desk.fires("second")
    desk.ends()
    assert desk.state.status is Status.triggered
    desk.ends("second")
    assert desk.state.status is Status.resolved


def test_resolved_by_hand_its_firing_alerts_are_held_half_an_hour_and_then_reopen() -> None:
    desk = at(Status.resolved)
    assert [report().fingerprint] == [a.fingerprint for a in desk.state.alerts.values() if a.held]
    desk.later(minutes=29, seconds=59)
    assert desk.state.status is Status.resolved
    facts = desk.later(seconds=1)
    assert inc.Reopened("sentinel", "held", 2) in facts
    assert desk.state.paging.round == 2


def test_a_held_alert_that_ends_in_time_reopens_nothing() -> None:
    desk = at(Status.resolved)
    desk.later(minutes=20)
    desk.ends()
    desk.later(days=1)
    assert desk.state.status is Status.resolved


def test_seven_days_after_it_was_resolved_it_is_closed_and_asks_for_nothing_more() -> None:
    desk = Desk()
    desk.fires()
    desk.ends()
    desk.later(days=7, seconds=-1)
    assert desk.state.status is Status.resolved
    desk.later(seconds=1)
    assert (Status.closed, None) == (desk.state.status, desk.wake_at)
    assert "" == desk.groups[GROUP].incident


def test_what_returns_begins_the_next_opening_and_pages_anew() -> None:
    desk = Desk()
    desk.fires()
    desk.ends()
    desk.later(minutes=5)
    facts = desk.decide(
        lambda course: respond.alert_fires(
            course, report(started_at=desk.now), Way.returns, incident="", group=GROUP
        )
    )
    assert inc.Reopened("sentinel", "returned", 2) in facts
    assert ("reopened", 2) == (
        next(fact.reason for fact in facts if isinstance(fact, pag.RoundBegan)),
        desk.state.paging.round,
    )


def again_after(seconds: float) -> Desk:
    main = Escalation(
        "main", (Level(("person/ana",)),), page_again_after_ack_s=Seconds(seconds), digest="d"
    )
    return Desk(policy(escalations={"main": main}))


def test_an_acknowledgement_lapses_and_the_holder_is_paged_first() -> None:
    desk = again_after(7200)
    desk.fires()
    ACK(desk)
    desk.later(hours=2, seconds=-1)
    assert desk.state.status is Status.acknowledged
    facts = desk.later(seconds=1)
    assert inc.HoldLapsed("timeout") in facts
    assert ["bo", "ana"] == list(dict.fromkeys(page.person for page in desk.pages(round=2)))


def test_a_snooze_sets_the_end_of_the_acknowledgement() -> None:
    desk = again_after(7200)
    desk.fires()
    ACK(desk)
    until_at = desk.now + timedelta(hours=3)
    desk.decide(lambda course: course.happened(inc.Snoozed("bo", until_at)))
    desk.later(hours=3, seconds=-1)
    assert desk.state.status is Status.acknowledged
    desk.later(seconds=1)
    assert desk.state.status is Status.triggered


@pytest.mark.parametrize("after", ["mitigated", "fired anew"])
def test_a_hold_that_is_no_longer_held_wakes_nobody(after: str) -> None:
    desk = again_after(7200)
    desk.fires()
    ACK(desk)
    MITIGATE(desk)
    if after == "fired anew":
        desk.fires("second")
    desk.later(hours=3)
    assert desk.wake_at is not None
    assert desk.wake_at > desk.now


def test_a_merge_resolves_the_one_into_the_other_with_its_firing_alerts() -> None:
    desk = Desk()
    desk.fires(severity=Severity.critical)

    def into_another(course: object) -> None:
        from_ = course
        assert isinstance(from_, respond.Course)
        other = from_.beside(type(from_.state)())
        respond.alert_fires(other, report("x"), Way.opens, incident="other123", group="g")
        respond.merge(from_, other, "ana")
        assert {report("x").fingerprint, report().fingerprint} == set(other.state.alerts)
        assert other.state.severity is Severity.critical
        assert inc.Linked("abcd1234", "merged_from", "ana") in [
            fact.what for fact in other.facts["incident/other123"]
        ]

    facts = desk.decide(into_another)
    assert inc.Linked("other123", "merged_into", "ana") in facts
    assert inc.Resolved("ana", "merged") in facts
    assert "other123" == desk.state.merged_into
    assert "" == desk.groups[GROUP].incident


def test_one_reopened_by_hand_leaves_the_group_to_the_one_that_is_open_now() -> None:
    desk = Desk()
    desk.fires()
    desk.ends()
    desk.groups[GROUP] = Group("other123")
    desk.decide(lambda course: respond.reopen(course, "ana"))
    assert (Status.triggered, "other123") == (desk.state.status, desk.groups[GROUP].incident)
    RESOLVE(desk)
    assert Group("other123") == desk.groups[GROUP]


def test_one_reopened_by_hand_stays_open_though_nothing_fires_until_an_alert_comes_and_ends() -> (
    None
):
    desk = Desk()
    desk.fires()
    desk.ends()
    desk.decide(lambda course: respond.reopen(course, "ana"))
    desk.later(minutes=3)
    assert Status.triggered is desk.state.status
    desk.fires()
    desk.ends()
    assert Status.resolved is desk.state.status
