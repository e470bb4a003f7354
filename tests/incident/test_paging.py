"""Rounds, levels and pages: who is woken, when it stops, and that it never just stops (rules 16-18, 20)."""

from datetime import timedelta
from typing import Any

from sentinel.incident import respond, sending
from sentinel.incident.paging import FALLBACK
from sentinel.incident.sending import Claim, Postponed, Sent
from sentinel.incident.state import PageStatus, Status
from sentinel.oncall.escalation import Escalation, Fallback, Level
from sentinel.oncall.person import Person
from sentinel.timeline import paging_facts as pag
from sentinel.timeline.facts import AnyFact
from sentinel.words import Seconds, Severity
from tests.engine.kernel import person, policy
from tests.incident.desk import Desk


def of(facts: list[AnyFact], kind: type) -> list[Any]:
    return [fact for fact in facts if isinstance(fact, kind)]


def levels(*people: str, repeat: int = 1, **keys: Any) -> Desk:
    """A desk whose escalation has these levels; ``""`` is one of nobody."""
    found = tuple(Level((f"person/{name}",) if name else ()) for name in people)
    main = Escalation("main", found, repeat=repeat, digest="d")
    return Desk(policy(escalations={"main": main}, **keys))


def test_a_page_is_known_by_incident_round_level_person_and_step() -> None:
    desk = Desk()
    desk.fires()
    assert ["abcd1234:1:1:ana:1", "abcd1234:1:1:ana:2"] == list(desk.state.paging.pages)


def test_the_steps_of_a_rule_count_from_the_page() -> None:
    desk = Desk()
    desk.fires()
    due = [(page.method, page.due_at - desk.now) for page in desk.pages()]
    assert [("push", timedelta(0)), ("mail", timedelta(minutes=2))] == due


def test_three_passes_are_three_and_then_the_fallback_for_ever() -> None:
    desk = levels("ana", "bo", repeat=3)
    facts = desk.fires() + desk.later(hours=2)
    rounds = [(fact.round, fact.reason) for fact in of(facts, pag.RoundBegan)]
    assert [(1, "opened"), (2, "repeat"), (3, "repeat"), (4, "fallback")] == rounds[:4]
    assert {"fallback"} == {reason for _, reason in rounds[4:]}
    reached = [(fact.level, fact.people) for fact in of(facts, pag.LevelReached)]
    assert [(1, ("ana",)), (2, ("bo",))] * 3 == reached[:6]
    assert {(FALLBACK, ("lead",))} == set(reached[6:])
    # three passes of two levels take half an hour; then every quarter, ends included
    assert 7 == len(reached[6:])


def test_the_last_level_waits_too() -> None:
    desk = levels("ana")
    desk.fires()
    assert [] == of(desk.later(minutes=5, seconds=-1), pag.RoundBegan)
    assert ["fallback"] == [f.reason for f in of(desk.later(seconds=1), pag.RoundBegan)]


def test_an_empty_level_is_told_and_the_next_is_paged_at_once() -> None:
    desk = levels("", "bo")
    facts = desk.fires()
    assert [1] == [fact.level for fact in of(facts, pag.LevelEmpty)]
    assert [(2, ("bo",))] == [(f.level, f.people) for f in of(facts, pag.LevelReached)]


def test_a_person_with_no_method_is_passed_over_with_the_reason() -> None:
    nobody = Person("ana", "Ana")
    desk = levels("ana", "bo", people={"ana": nobody, "bo": person("bo"), "lead": person("lead")})
    facts = desk.fires()
    assert [(1, "no_method")] == [(f.level, f.reason) for f in of(facts, pag.LevelEmpty)]
    assert [("bo",)] == [fact.people for fact in of(facts, pag.LevelReached)]


def test_an_escalation_of_nobody_is_the_fallback_at_once_and_ends() -> None:
    desk = levels("", "", repeat=3)
    facts = desk.fires()
    assert [FALLBACK] == [fact.level for fact in of(facts, pag.LevelReached)]
    assert 6 == len(of(facts, pag.LevelEmpty))


def test_a_fallback_of_nobody_is_tried_again_at_its_interval() -> None:
    desk = levels("", fallback=Fallback(page=("person/gone",), every_s=Seconds(900)))
    desk.fires()
    assert desk.now + timedelta(minutes=15) == desk.wake_at
    assert 4 == len(of(desk.later(hours=1), pag.RoundBegan))


def test_an_acknowledgement_withdraws_what_nobody_claimed_with_its_work() -> None:
    desk = Desk()
    desk.fires()
    assert ["ana push page"] == desk.send()
    desk.decide(lambda course: respond.acknowledge(course, "ana", "link"))
    assert [PageStatus.accepted, PageStatus.withdrawn] == [page.status for page in desk.pages()]
    assert {} == desk.work
    desk.later(days=1)
    assert [] == desk.send()


def test_a_page_in_flight_is_followed_by_who_has_it() -> None:
    desk = Desk()
    desk.fires()
    claim = desk.claim(next(iter(desk.work)))
    desk.decide(lambda course: respond.acknowledge(course, "bo", "link"))
    assert isinstance(claim, Claim)
    desk.comes_to(claim, Sent.accepted)
    assert ["ana push tell"] == desk.send()


def test_everybody_paged_for_this_reason_is_told_whatever_the_round() -> None:
    desk = levels("ana", "bo")
    desk.fires()
    for _ in range(3):
        desk.send()
        desk.later(minutes=5)
    desk.send()
    assert 2 == desk.state.paging.round
    desk.decide(lambda course: respond.acknowledge(course, "lead", "link"))
    assert ["ana push tell", "bo push tell"] == sorted(desk.send())


def test_who_acknowledges_is_not_told_so() -> None:
    desk = Desk()
    desk.fires()
    desk.send()
    desk.decide(lambda course: respond.acknowledge(course, "ana", "link"))
    assert [] == desk.send()


def test_a_send_that_failed_lets_the_next_step_leave_at_once() -> None:
    desk = Desk()
    desk.fires()
    assert ["ana push page"] == desk.send(Sent.refused)
    assert ["ana mail page"] == desk.send()


def test_only_when_nobody_of_a_level_can_be_reached_the_next_is_paged() -> None:
    main = Escalation(
        "main", (Level(("person/ana", "person/cy")), Level(("person/bo",))), digest="d"
    )
    desk = Desk(policy(escalations={"main": main}))
    desk.fires()
    assert ["ana push page", "cy push page"] == desk.send(Sent.refused)
    assert ["ana mail page", "cy mail page"] == sorted(desk.send(Sent.refused))
    assert ["bo push page"] == desk.send()


def test_an_unknown_outcome_is_sent_again_under_its_code_three_times_at_most() -> None:
    desk = Desk()
    desk.fires()
    key = next(iter(desk.work))
    codes = []
    for attempt in (1, 2, 3):
        claim = desk.claim(key)
        assert isinstance(claim, Claim)
        assert attempt == claim.attempt
        codes.append(claim.code)
        desk.comes_to(claim, Sent.uncertain)
    assert 1 == len(set(codes))
    assert PageStatus.failed is desk.state.paging.pages["abcd1234:1:1:ana:1"].status
    assert key not in desk.work


def test_a_doubtful_page_is_not_sent_again_once_somebody_has_it() -> None:
    desk = Desk()
    desk.fires()
    key = next(iter(desk.work))
    claim = desk.claim(key)
    assert isinstance(claim, Claim)
    desk.decide(lambda course: respond.acknowledge(course, "bo", "link"))
    desk.comes_to(claim, Sent.uncertain)
    desk.later(minutes=1)
    assert ["ana push tell"] == desk.send()


def test_a_page_withdrawn_before_its_claim_is_gone() -> None:
    desk = Desk()
    desk.fires()
    key, work = next(iter(desk.work.items()))
    desk.decide(lambda course: respond.acknowledge(course, "bo", "link"))
    desk.work[key] = work
    assert Postponed.gone is desk.claim(key)


def test_the_first_page_leaves_at_once_and_the_rest_of_the_minute_as_one() -> None:
    desk = levels("ana", "ana", "ana")
    main = desk.policy.escalations["main"]
    soon = tuple(Level(level.page, Seconds(10)) for level in main.levels)
    desk.policy = policy(escalations={"main": Escalation("main", soon, digest="d")})
    desk.fires()
    assert ["ana push page"] == desk.send()
    desk.later(seconds=20)
    assert [] == desk.send()
    desk.later(seconds=40)
    pushed = [key for key, work in desk.work.items() if work.body["method"] == "push"]
    claim = desk.claim(pushed[0])
    assert isinstance(claim, Claim)
    assert ["abcd1234:1:2:ana:1", "abcd1234:1:3:ana:1"] == [page for _, page in claim.pages]


def test_low_urgency_pages_by_the_low_rule_and_leaves_at_once_each() -> None:
    desk = Desk()
    desk.fires(severity=Severity.warning)
    assert ["push"] == [page.method for page in desk.pages()]


def test_a_holder_who_is_no_person_of_ours_does_not_stand_for_a_level() -> None:
    desk = levels("", "bo")
    desk.fires()
    desk.decide(lambda course: respond.acknowledge(course, "api-robot", "api"))
    facts = desk.fires("second")
    assert Status.triggered is desk.state.status
    assert [(2, ("bo",))] == [(f.level, f.people) for f in of(facts, pag.LevelReached)]


def test_to_escalate_pages_the_next_level_and_releases_the_holder() -> None:
    desk = Desk()
    desk.fires()
    desk.decide(lambda course: respond.acknowledge(course, "ana", "link"))
    facts = desk.decide(lambda course: respond.escalate(course, "ana"))
    assert Status.triggered is desk.state.status
    assert [(2, ("bo",))] == [(f.level, f.people) for f in of(facts, pag.LevelReached)]


def test_mitigated_stops_the_escalation() -> None:
    desk = Desk()
    desk.fires()
    desk.decide(lambda course: respond.mitigate(course, "ana"))
    assert [] == of(desk.later(days=2), pag.LevelReached)
    assert {} == desk.work


def test_a_bundle_that_a_page_joined_is_for_paging_if_any_of_it_is() -> None:
    assert "page" == sending._purpose([("a", _page("tell")), ("b", _page("page"))])


def _page(purpose: str) -> Any:
    desk = Desk()
    desk.fires()
    page = desk.pages()[0]
    return type(page)(
        page.page, page.person, page.round, page.level, page.step, page.method,
        page.due_at, page.delivery, page.urgency, purpose,
    )  # fmt: skip


def test_each_round_may_page_again_whom_the_last_one_paged() -> None:
    desk = levels("ana", "bo", repeat=2)
    desk.fires()
    desk.later(minutes=5)
    assert {"ana", "bo"} == desk.state.paging.paged
    desk.later(minutes=5)
    assert {"ana"} == desk.state.paging.paged
