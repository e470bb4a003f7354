"""Which playbooks an incident finds, when, and which decides the paging (rule 13)."""

from typing import Any

import pytest

from sentinel.errors import Outdated
from sentinel.incident import respond
from sentinel.incident.correlate import Way
from sentinel.incident.state import Status
from sentinel.oncall.escalation import Escalation, Level
from sentinel.playbook.guard import GuardState
from sentinel.playbook.playbook import PagePolicy
from sentinel.timeline import paging_facts as pag
from sentinel.timeline.facts import AnyFact
from sentinel.words import Seconds, Severity
from tests.engine.kernel import playbook, policy
from tests.incident.desk import GROUP, Desk, report
from tests.playbook.builders import step

ESCALATIONS = {
    name: Escalation(name, (Level((f"person/{who}",)),), digest=f"digest-{name}")
    for name, who in (("main", "ana"), ("other", "bo"))
}
OTHER = PagePolicy("other")


def desk(*books: Any) -> Desk:
    return Desk(policy(escalations=ESCALATIONS, playbooks={each.id: each for each in books}))


def chosen(facts: list[AnyFact]) -> list[tuple[str, bool, str]]:
    return [
        (fact.playbook, fact.decides, fact.overruled)
        for fact in facts
        if isinstance(fact, pag.PlaybookChosen)
    ]


def planned(facts: list[AnyFact]) -> list[str]:
    return [fact.escalation for fact in facts if isinstance(fact, pag.PagingPlanned)]


def test_all_that_match_are_chosen_and_the_lowest_order_then_id_decides() -> None:
    one = desk(playbook("b", page=OTHER), playbook("a"), playbook("quiet", page=None, order=1))
    facts = one.fires()
    assert [("quiet", False, ""), ("a", True, ""), ("b", False, "a")] == chosen(facts)
    assert ["main"] == planned(facts)


def test_nothing_that_matches_pages_whom_the_site_says() -> None:
    one = desk(playbook("never", "false", page=OTHER), playbook("quiet", page=None))
    facts = one.fires()
    assert [("quiet", False, "")] == chosen(facts)
    assert ["main"] == planned(facts)
    assert ["ana"] == [page.person for page in one.pages(step=1)]


def test_a_condition_that_fails_is_told_and_never_prevents_the_page() -> None:
    one = desk(playbook("broken", "labels.nowhere == 'x'", order=1), playbook("other", page=OTHER))
    facts = one.fires()
    assert ["broken"] == [f.playbook for f in facts if isinstance(f, pag.MatchFailed)]
    assert ["other"] == planned(facts)
    alone = desk(playbook("broken", "labels.nowhere == 'x'", order=1))
    assert ["main"] == planned(alone.fires())


def test_a_rise_in_severity_looks_again_and_each_is_chosen_once_in_an_opening() -> None:
    one = desk(playbook("always"), playbook("worst", "severity >= critical", order=1, page=OTHER))
    assert [("always", True, "")] == chosen(one.fires())
    facts = one.fires("second", severity=Severity.critical)
    assert [("worst", True, "")] == chosen(facts)
    assert ["other"] == planned(facts)
    assert [] == chosen(one.fires("third", severity=Severity.critical))


def test_a_change_of_the_common_labels_looks_again() -> None:
    narrow = playbook("narrow", "has(labels.vendor)")
    one = desk(narrow, playbook("wide", "!has(labels.vendor)", page=None))
    assert [("narrow", True, "")] == chosen(one.fires(labels={"vendor": "psp"}))
    assert [] == chosen(one.fires("same", labels={"vendor": "psp"}, severity=Severity.error)[:0])
    assert [("wide", False, "")] == chosen(one.fires("second"))
    assert {"client": "acme", "service": "storefront"} == one.state.labels


def test_one_that_decides_goes_on_deciding_when_it_would_not_match_any_more() -> None:
    narrow = playbook("narrow", "has(labels.vendor)", order=1)
    one = desk(narrow, playbook("wide", "!has(labels.vendor)", page=OTHER))
    one.fires(labels={"vendor": "psp"})
    facts = one.fires("second")
    assert [("wide", False, "narrow")] == chosen(facts)
    assert [] == planned(facts)


def test_the_next_opening_chooses_them_again() -> None:
    one = desk(playbook("always"))
    one.fires()
    one.ends()
    facts = one.decide(
        lambda course: respond.alert_fires(
            course, report(started_at=one.now), Way.returns, incident="", group=GROUP
        )
    )
    assert [("always", True, "")] == chosen(facts)
    assert ["main"] == planned(facts)


def test_paging_may_wait_until_a_playbook_had_its_chance() -> None:
    one = desk(playbook("patient", page=PagePolicy("main", Seconds(120))))
    one.fires()
    assert [] == one.pages()
    one.later(seconds=119)
    assert [] == one.pages()
    one.later(seconds=1)
    assert ["ana"] == [page.person for page in one.pages(step=1)]


def test_an_incident_well_before_paging_begins_pages_nobody() -> None:
    one = desk(playbook("patient", page=PagePolicy("main", Seconds(120))))
    one.fires()
    one.ends()
    one.later(hours=1)
    assert [] == one.pages()
    assert Status.resolved is one.state.status


def test_a_playbook_that_comes_to_decide_while_others_are_paged_is_no_reopening() -> None:
    one = desk(playbook("worst", "severity >= critical", page=OTHER))
    one.fires()
    facts = one.fires("second", severity=Severity.critical)
    assert ["worse"] == [f.reason for f in facts if isinstance(f, pag.RoundBegan)]
    assert 1 == one.state.opening


def test_a_run_keeps_the_labels_and_severity_of_its_start() -> None:
    one = desk(playbook("watch", steps=(step("look"),)))
    one.situation = {"guards": {"guard/watch/-": GuardState()}, "pinned": _Pinned(one)}
    one.fires(labels={"vendor": "psp"})
    one.fires("second", severity=Severity.critical)
    (run,) = one.state.runs.values()
    assert ("psp", Severity.error) == (run.labels["vendor"], run.severity)


def test_a_guard_that_is_not_locked_is_asked_for() -> None:
    one = desk(playbook("watch", steps=(step("look"),)))
    with pytest.raises(Outdated) as outdated:
        one.fires()
    assert ("guard/watch/-",) == outdated.value.streams


class _Pinned(dict[str, Any]):
    def __init__(self, one: Desk) -> None:
        super().__init__({each.digest: each for each in one.policy.playbooks.values()})
