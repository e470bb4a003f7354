"""Runs through the engine: what they pin, what stops them, what bounds them (rules 20, 23, 25)."""

from dataclasses import replace
from typing import Any

from sentinel.incident import commands as cmd
from sentinel.playbook.playbook import Limits, Playbook, WaitApproval
from sentinel.playbook.state import RunState
from sentinel.store.journal import Change
from sentinel.timeline import paging_facts as pag
from sentinel.timeline import run_facts as run
from sentinel.timeline.facts import Fact
from sentinel.timeline.incident_facts import CommandRefused
from sentinel.timeline.site_facts import AutomationSwitched, CircuitOpened
from sentinel.words import Seconds, Severity
from tests.engine.kernel import Kernel, playbook, policy
from tests.engine.test_response import play
from tests.playbook.builders import step


def asking(when: str = "true", **keys: Any) -> Playbook:
    """A playbook that waits for Ana's word; nothing of it touches the world."""
    return playbook("ask", when, steps=(step("ok", WaitApproval("person/ana")),), **keys)


async def switch(one: Kernel, *, on: bool) -> None:
    fact = Fact(AutomationSwitched(on, "ana"), one.clock.now(), {"reason": "odd"})
    change = Change(append={"site": [fact]})
    await one.journal.transact(["site"], lambda view: (change, None), now=one.clock.now())


async def runs(one: Kernel) -> list[RunState]:
    return [found for state in await one.incidents() for found in state.runs.values()]


async def refused(one: Kernel) -> list[str]:
    facts = [fact for state in await one.incidents() for fact in await one.facts(state.incident)]
    return [fact.reason for fact in facts if isinstance(fact, run.RunRefused)]


async def answer(one: Kernel, word: str) -> None:
    (found,) = [each for each in await runs(one) if not each.ended]
    await answer_of(one, found, word)


async def answer_of(one: Kernel, found: RunState, word: str = "approved") -> None:
    (state,) = [each for each in await one.incidents() if found.id in each.runs]
    digest = found.steps["ok"].inputs_digest
    given = cmd.Answer(found.id, "ok", word, inputs_digest=digest)
    assert None is await one.responder.command(state.incident, given, by="ana", via="link")
    await one.clock.settle()


def test_a_run_goes_on_by_the_document_it_began_with() -> None:
    book = asking()

    async def score(one: Kernel) -> None:
        await one.alert()
        after = replace(
            book, digest="digest-after", steps=(step("other", WaitApproval("person/bo")),)
        )
        one.present.activate(policy(playbooks={"ask": after}))
        await answer(one, "approved")
        (found,) = await runs(one)
        assert ("digest-ask", ["ok"]) == (found.digest, list(found.steps))
        assert found.ended
        await one.alert(service="feed")
        assert {"digest-ask", "digest-after"} == {each.digest for each in await runs(one)}

    play(score, policy(playbooks={"ask": book}))


def test_a_run_goes_on_when_its_document_is_gone() -> None:
    async def score(one: Kernel) -> None:
        await one.alert()
        one.present.activate(policy())
        await answer(one, "approved")
        assert [True] == [found.ended for found in await runs(one)]

    play(score, policy(playbooks={"ask": asking()}))


def test_a_round_goes_on_by_the_levels_it_began_with() -> None:
    async def score(one: Kernel) -> None:
        await one.alert()
        main = one.present.policy.escalations["main"]
        shorter = replace(main, levels=main.levels[:1], digest="digest-shorter")
        one.present.activate(policy(escalations={"main": shorter}))
        await one.advance(minutes=5)
        assert "push://bo" in one.notifier.to

    play(score)


def test_with_automation_off_no_run_begins_it_is_told_and_the_page_leaves_all_the_same() -> None:
    async def score(one: Kernel) -> None:
        await switch(one, on=False)
        await one.alert()
        assert ["automation_off"] == await refused(one)
        assert "push://ana" in one.notifier.to
        await switch(one, on=True)
        await one.alert(service="feed")
        assert 1 == sum(found.started_at is not None for found in await runs(one))

    play(score, policy(playbooks={"ask": asking()}))


def test_a_cooldown_holds_over_incidents() -> None:
    limits = Limits(cooldown_s=Seconds(1800.0))

    async def score(one: Kernel) -> None:
        await one.alert()
        await answer(one, "approved")
        await one.advance(minutes=29)
        await one.alert(service="feed")
        assert ["cooldown"] == await refused(one)
        await one.advance(minutes=2)
        await one.alert(service="search")
        assert ["cooldown"] == await refused(one)

    play(score, policy(playbooks={"ask": asking(limits=limits)}))


def test_an_open_circuit_refuses_every_run_and_calls_people() -> None:
    async def score(one: Kernel) -> None:
        change = Change(append={"guard/ask/-": [Fact(CircuitOpened("run0"), one.clock.now())]})
        await one.journal.transact(
            ["guard/ask/-"], lambda view: (change, None), now=one.clock.now()
        )
        await one.alert()
        assert ["circuit"] == await refused(one)
        facts = await one.facts((await one.only()).incident)
        assert [pag.LevelReached] == [type(f) for f in facts if isinstance(f, pag.LevelReached)][:1]

    play(score, policy(playbooks={"ask": asking()}))


def test_a_second_run_waits_for_its_place_and_gets_it() -> None:
    async def score(one: Kernel) -> None:
        await one.alert()
        await one.alert(service="feed")
        assert [True, False] == [found.started_at is not None for found in await runs(one)]
        first = (await runs(one))[0]
        (state,) = [each for each in await one.incidents() if first.id in each.runs]
        given = cmd.Answer(first.id, "ok", "refused", inputs_digest=first.steps["ok"].inputs_digest)
        await one.responder.command(state.incident, given, by="ana", via="link")
        await one.clock.settle()
        assert [True, True] == [found.started_at is not None for found in await runs(one)]

    play(score, policy(playbooks={"ask": asking()}))


def test_resolving_cancels_runs_and_withdraws_their_questions() -> None:
    async def score(one: Kernel) -> None:
        await one.alert()
        await one.alert(ended="recovered")
        assert [True] == [found.ended for found in await runs(one)]
        state = await one.only()
        waiting = [p for p in state.paging.pages.values() if p.purpose == "approval"]
        assert {"accepted", "withdrawn"} >= {page.status.value for page in waiting}

    play(score, policy(playbooks={"ask": asking()}))


def test_an_approval_is_no_escalation() -> None:
    async def score(one: Kernel) -> None:
        await one.alert()
        await one.advance(minutes=5)
        assert "push://bo" in one.notifier.to

    play(score, policy(playbooks={"ask": asking()}))


async def ask_for(one: Kernel, name: str = "ask", by: str = "bo") -> cmd.Refusal | None:
    (state,) = await one.incidents()
    refusal = await one.responder.command(state.incident, cmd.RunPlaybook(name), by=by, via="cli")
    await one.clock.settle()
    return refusal


def test_a_person_runs_a_playbook_that_does_not_match_and_again() -> None:
    async def score(one: Kernel) -> None:
        await one.alert()
        assert [] == await runs(one)
        assert None is await ask_for(one)
        assert None is await ask_for(one, by="cy")
        first, second = await runs(one)
        assert ("bo", "cy") == (first.requested_by, second.requested_by)
        assert first.started_at is not None
        assert {"home", "acme"} <= {*first.labels.values()}
        assert second.started_at is None, "one at once: it waits"
        await answer_of(one, first)
        first, second = await runs(one)
        assert (True, True) == (first.ended, second.started_at is not None)

    play(score, policy(playbooks={"ask": asking("false")}))


def test_who_asks_for_a_run_does_not_approve_it() -> None:
    async def score(one: Kernel) -> None:
        await one.alert()
        assert None is await ask_for(one, by="ana")
        facts = await one.facts((await one.only()).incident)
        assert [()] == [fact.asked for fact in facts if isinstance(fact, run.StepWaiting)]

    play(score, policy(playbooks={"ask": asking("false")}))


def test_a_run_asked_for_is_refused_as_a_value_and_leaves_no_run() -> None:
    books = {"ask": asking("false"), "pages": playbook("pages", "false")}

    async def score(one: Kernel) -> None:
        await one.alert()
        await switch(one, on=False)
        for name, reason in (
            ("ask", "automation_off"),
            ("asks", "unknown_playbook"),
            ("pages", "no_steps"),
        ):
            found = await ask_for(one, name)
            assert found is not None
            assert reason == found.reason
        await switch(one, on=True)
        change = Change(append={"guard/ask/-": [Fact(CircuitOpened("run0"), one.clock.now())]})
        await one.journal.transact(
            ["guard/ask/-"], lambda view: (change, None), now=one.clock.now()
        )
        found = await ask_for(one)
        assert found is not None
        assert ("circuit", True) == (found.reason, "automation allow" in found.text)
        assert [] == await runs(one)
        told = [
            f for f in await one.facts((await one.only()).incident) if isinstance(f, CommandRefused)
        ]
        assert 4 == len(told)

    play(score, policy(playbooks=books))


def test_a_run_asked_for_and_one_that_matches_later_are_two() -> None:
    async def score(one: Kernel) -> None:
        await one.alert(severity=Severity.error)
        assert None is await ask_for(one)
        await one.alert(severity=Severity.critical, alertname="cart")
        assert ["bo", ""] == [found.requested_by for found in await runs(one)]

    play(score, policy(playbooks={"ask": asking("severity >= critical")}))
