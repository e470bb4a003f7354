"""The response as a score in time: alerts in, pages out, people answer (rules 10 to 18)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from sentinel.incident import commands as cmd
from sentinel.incident.policy import Grouping, Policy
from sentinel.incident.state import Status
from sentinel.kinds import Refused, Uncertain
from sentinel.oncall.escalation import Escalation, Level
from sentinel.words import Seconds, Secret, Severity
from tests.engine.kernel import Kernel, kernel, playbook, policy

Score = Callable[[Kernel], Awaitable[None]]


def play(score: Score, found: Policy | None = None, **keys: Any) -> None:
    async def run() -> None:
        one = kernel(found or policy(), **keys)
        await one.start()
        try:
            await score(one)
        finally:
            await one.stop()

    asyncio.run(run())


def test_an_alert_opens_an_incident_and_pages_the_first_level() -> None:
    async def score(one: Kernel) -> None:
        await one.alert()
        state = await one.only()
        assert state.status is Status.triggered
        assert one.notifier.to == ["push://ana"]
        await one.advance(minutes=2)
        assert one.notifier.to == ["push://ana", "mail://ana"]

    play(score)


def test_an_unanswered_page_escalates_repeats_and_falls_back_for_ever() -> None:
    async def score(one: Kernel) -> None:
        await one.alert()
        await one.advance(minutes=5)
        assert "push://bo" in one.notifier.to
        await one.advance(minutes=5)
        assert one.notifier.to.count("push://ana") == 2
        await one.advance(minutes=10)
        assert one.notifier.to.count("push://lead") == 1
        await one.advance(minutes=45)
        assert one.notifier.to.count("push://lead") == 4

    play(score)


def test_an_acknowledgement_stops_pages_and_tells_the_others() -> None:
    async def score(one: Kernel) -> None:
        await one.alert()
        await one.advance(minutes=5, seconds=1)
        state = await one.only()
        refused = await one.responder.command(
            state.incident, cmd.Acknowledge(), by="bo", via="link"
        )
        assert refused is None
        await one.clock.settle()
        before = len(one.notifier.sent)
        assert one.notifier.sent[-1][0] == "push://ana"
        assert "bo has it" in one.notifier.sent[-1][1].body
        await one.advance(hours=3)
        assert len(one.notifier.sent) == before
        assert (await one.only()).holder == "bo"

    play(score)


def test_the_end_of_all_alerts_resolves_and_a_quick_return_reopens() -> None:
    async def score(one: Kernel) -> None:
        await one.alert()
        await one.advance(minutes=1)
        await one.alert(ended="recovered")
        assert (await one.only()).status is Status.resolved
        await one.advance(minutes=10)
        await one.alert()
        state = await one.only()
        assert (state.status, state.opening) == (Status.triggered, 2)
        await one.alert(ended="recovered")
        await one.advance(minutes=31)
        await one.alert()
        assert len(await one.incidents()) == 2

    play(score)


def test_a_refused_send_goes_on_to_the_next_method_at_once() -> None:
    async def score(one: Kernel) -> None:
        one.notifier.answers["push://ana"] = Refused("rejected", "no")
        await one.alert()
        assert one.notifier.to == ["push://ana", "mail://ana"]

    play(score)


def test_nobody_reachable_at_a_level_pages_the_next_at_once() -> None:
    async def score(one: Kernel) -> None:
        one.notifier.answers |= {f"{m}://ana": Refused("rejected") for m in ("push", "mail")}
        await one.alert()
        assert one.notifier.to == ["push://ana", "mail://ana", "push://bo"]

    play(score)


def test_an_unknown_outcome_is_sent_again_under_the_same_code() -> None:
    async def score(one: Kernel) -> None:
        one.notifier.answers["push://ana"] = Uncertain("deadline")
        await one.alert()
        assert one.notifier.to == ["push://ana", "mail://ana"]
        await one.advance(seconds=31)
        pushes = [message for address, message in one.notifier.sent if address == "push://ana"]
        assert len(pushes) == 2
        assert pushes[0].code == pushes[1].code

    play(score)


def test_a_second_incident_for_the_same_person_waits_for_the_bundle() -> None:
    async def score(one: Kernel) -> None:
        for number in range(20):
            await one.alert(service=f"s{number}")
        assert one.notifier.to == ["push://ana"]
        await one.advance(seconds=61)
        pushes = [message for address, message in one.notifier.sent if address == "push://ana"]
        assert len(pushes) == 2
        assert "19 incidents" in pushes[1].title

    play(score)


def test_an_acknowledged_incident_does_not_swallow_a_worse_alert() -> None:
    async def score(one: Kernel) -> None:
        await one.alert()
        state = await one.only()
        await one.responder.command(state.incident, cmd.Acknowledge(), by="bo", via="link")
        await one.alert(alertname="checkout")
        state = await one.only()
        assert state.status is Status.triggered
        assert "push://bo" in one.notifier.to
        assert state.paging.round == 2

    play(score)


def test_a_low_alert_that_worsens_leaves_for_a_high_incident() -> None:
    async def score(one: Kernel) -> None:
        await one.alert(severity=Severity.warning)
        await one.alert(severity=Severity.critical)
        low, high = await one.incidents()
        assert low.status is Status.resolved
        assert high.severity is Severity.critical

    play(score)


def test_the_lowest_order_decides_the_paging_and_the_others_are_overruled() -> None:
    async def score(one: Kernel) -> None:
        await one.alert()
        facts = await one.facts((await one.only()).incident)
        chosen = [fact for fact in facts if type(fact).__name__ == "PlaybookChosen"]
        assert [(c.playbook, c.decides, c.overruled) for c in chosen] == [
            ("first", True, ""),
            ("second", False, "first"),
        ]

    books = {name: playbook(name, order=order) for name, order in (("second", 20), ("first", 10))}
    play(score, policy(playbooks=books))


def test_resolved_by_hand_is_held_until_half_an_hour_more_of_firing() -> None:
    async def score(one: Kernel) -> None:
        await one.alert()
        state = await one.only()
        await one.responder.command(state.incident, cmd.Resolve(), by="ana", via="web")
        await one.alert()
        await one.advance(minutes=29)
        assert (await one.only()).status is Status.resolved
        await one.advance(minutes=2)
        assert (await one.only()).status is Status.triggered

    play(score)


def test_what_was_resolved_stays_so_while_another_is_open_for_its_group() -> None:
    async def score(one: Kernel) -> None:
        await one.alert(alertname="old")
        first = (await one.only()).incident
        await one.responder.command(first, cmd.Resolve(), by="ana", via="web")
        await one.advance(minutes=10)
        await one.alert(alertname="new")
        second = next(s.incident for s in await one.incidents() if s.incident != first)

        async def standing() -> dict[str, Status]:
            return {state.incident: state.status for state in await one.incidents()}

        refused = await one.responder.command(first, cmd.Reopen(), by="bo", via="web")
        assert refused is not None
        assert ("open_elsewhere", True) == (refused.reason, second in refused.text)
        await one.advance(minutes=40)
        assert {first: Status.resolved, second: Status.triggered} == await standing()
        await one.alert(alertname="new", ended="recovered")
        await one.advance(minutes=31)
        assert {first: Status.triggered, second: Status.resolved} == await standing()

    play(score, policy(grouping=Grouping(reopen_within_s=Seconds(300))))


def test_a_delivery_that_failed_does_not_hold_back_the_next_by_the_same_method() -> None:
    async def score(one: Kernel) -> None:
        one.notifier.answers["push://ana"] = Refused("rejected")
        await one.alert()
        del one.notifier.answers["push://ana"]
        await one.alert(service="feed")
        assert one.notifier.to == ["push://ana", "mail://ana", "push://ana"]

    play(score)


def test_a_levels_chat_is_told_and_counts_as_nobody() -> None:
    async def score(one: Kernel) -> None:
        await one.alert()
        assert sorted(one.notifier.to) == ["chat://ops", "push://ana"]
        told = next(message for address, message in one.notifier.sent if address == "chat://ops")
        assert "/incidents/" in told.link
        await one.advance(minutes=6)
        assert one.notifier.to.count("chat://ops") == 1

    level = Level(("person/ana",), Seconds(300), (Secret("chat://ops"),))
    told = Escalation("main", (level, Level(("person/bo",))), digest="d")
    play(score, policy(escalations={"main": told}))
