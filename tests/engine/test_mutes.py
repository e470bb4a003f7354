"""Muted alerts and alerts that nobody re-sends, as the engine treats them (rules 8, 9)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from sentinel.engine.inbox import alert_row
from sentinel.incident.correlate import Report
from sentinel.incident.state import Status
from sentinel.monitor.silence import Maintenance
from sentinel.monitor.verdict import Verdict, VerdictState
from sentinel.store.journal import Change, PresentAlert, ProbeState
from sentinel.timeline import incident_facts as inc
from sentinel.timeline.facts import Fact
from sentinel.timeline.site_facts import SilenceAdded, SilenceExpired
from sentinel.words import Seconds, Severity
from tests.engine.kernel import START, Kernel, policy
from tests.engine.test_response import play
from tests.monitor.builders import a_probe

LABELS = {"alertname": "home", "client": "acme", "service": "storefront"}


async def write(one: Kernel, change: Change, *streams: str) -> None:
    await one.journal.transact(list(streams), lambda view: (change, None), now=one.clock.now())
    await one.clock.settle()


async def present(one: Kernel) -> list[PresentAlert]:
    return await one.journal.view(lambda view: list(view.alerts()))


async def silence(one: Kernel, what: Any) -> None:
    fact = Fact(what, one.clock.now(), {"reason": "a change"})
    await write(one, Change(append={"silence/s1": [fact]}), "silence/s1")


def added(minutes: int) -> SilenceAdded:
    return SilenceAdded(
        "s1", {"service": "storefront"}, START, START + timedelta(minutes=minutes), "ana"
    )


async def fires(one: Kernel, minutes: float, **keys: Any) -> None:
    """Report the alert, present until so many minutes from now unless re-sent."""
    now = one.clock.now()
    known = await present(one)
    started = known[0].started_at if known else now
    report = Report(LABELS, Severity.error, started, "test", **keys)
    ends_at = now + timedelta(minutes=minutes)
    row = alert_row(report, id=f"test/{now}", received_at=now, ends_at=ends_at)
    await write(one, Change(inbox=[row]))


def test_a_silenced_alert_opens_nothing_is_shown_and_is_new_when_the_silence_ends() -> None:
    async def score(one: Kernel) -> None:
        await silence(one, added(10))
        await one.alert()
        await one.advance(minutes=9)
        assert [] == await one.incidents()
        assert ["silence/s1"] == [alert.muted_by for alert in await present(one)]
        await one.advance(minutes=2)
        state = await one.only()
        (alert,) = state.alerts.values()
        assert START + timedelta(minutes=10) <= alert.started_at
        assert ["push://ana"] == one.notifier.to

    play(score)


def test_a_silence_ended_by_hand_lets_the_alert_through_within_seconds() -> None:
    async def score(one: Kernel) -> None:
        await silence(one, added(600))
        await one.alert()
        await one.advance(minutes=1)
        await silence(one, SilenceExpired("ana"))
        await one.advance(seconds=10)
        assert Status.triggered is (await one.only()).status

    play(score)


def test_what_ends_while_it_is_muted_was_never_an_incident() -> None:
    async def score(one: Kernel) -> None:
        await silence(one, added(10))
        await one.alert()
        await one.alert(ended="recovered")
        await one.advance(minutes=30)
        assert ([], []) == (await one.incidents(), await present(one))

    play(score)


def test_a_maintenance_mutes_until_its_end() -> None:
    weekly = Maintenance("deploy", {"client": "acme"}, "0 9 * * 1", "UTC", Seconds(2700))

    async def score(one: Kernel) -> None:
        await one.alert()
        assert ["maintenance/deploy"] == [alert.muted_by for alert in await present(one)]
        await one.advance(minutes=44)
        assert [] == one.notifier.to
        await one.advance(minutes=2)
        assert ["push://ana"] == one.notifier.to

    play(score, policy(maintenance={"deploy": weekly}))


def test_a_child_still_firing_one_interval_after_its_parent_recovered_pages() -> None:
    child = a_probe(id="home", depends_on=("dns",), every_s=Seconds(60.0))

    async def score(one: Kernel) -> None:
        await parent(one, VerdictState(state=Verdict.firing))
        await one.alert()
        await one.advance(minutes=20)
        assert ["dependency/dns"] == [alert.muted_by for alert in await present(one)]
        well = VerdictState(state=Verdict.ok, recovered_at=one.clock.now())
        await parent(one, well)
        await one.advance(seconds=54)
        assert [] == await one.incidents()
        await one.advance(seconds=12)
        assert ["push://ana"] == one.notifier.to

    async def parent(one: Kernel, state: VerdictState) -> None:
        row = ProbeState("dns", "local", one.clock.now(), state.to_json())
        await write(one, Change(probe_states=[row]))

    found = policy(probes={"home": child, "dns": replace(child, id="dns", depends_on=())})
    play(lambda one: with_probe(one, score), found)


async def with_probe(one: Kernel, score: Any) -> None:
    """Alerts of this kernel come from the probe that bears their name."""
    plain = one.alert

    async def alert(**keys: Any) -> None:
        report = Report(LABELS, Severity.error, one.clock.now(), "probe", probe="home")
        row = alert_row(report, id="probe/home", received_at=one.clock.now(), ends_at=None)
        await write(one, Change(inbox=[row]))

    one.alert = alert  # type: ignore[method-assign]
    try:
        await score(one)
    finally:
        one.alert = plain  # type: ignore[method-assign]


def test_what_nobody_sends_again_ends_at_its_time() -> None:
    async def score(one: Kernel) -> None:
        await fires(one, 5)
        await one.advance(minutes=4)
        assert Status.triggered is (await one.only()).status
        await one.advance(minutes=2)
        state = await one.only()
        assert Status.resolved is state.status
        ended = [f for f in await one.facts(state.incident) if isinstance(f, inc.AlertEnded)]
        assert ["expired"] == [fact.reason for fact in ended]

    play(score)


def test_sending_it_again_only_moves_its_end_and_is_no_fact() -> None:
    async def score(one: Kernel) -> None:
        await fires(one, 5)
        before = (await one.only()).alerts
        for _ in range(10):
            await one.advance(minutes=4)
            await fires(one, 5)
        state = await one.only()
        assert before == state.alerts
        kinds = [type(fact) for fact in await one.facts(state.incident)]
        assert (1, 0) == (kinds.count(inc.AlertJoined), kinds.count(inc.AlertChanged))

    play(score)


def test_an_alert_sent_again_while_its_expiry_waited_does_not_end() -> None:
    async def score(one: Kernel) -> None:
        await fires(one, 5)
        (alert,) = await present(one)
        report = Report(LABELS, Severity.error, alert.started_at, "test", ended="expired")
        late = alert_row(report, id="expired/x", received_at=one.clock.now(), ends_at=alert.ends_at)
        await write(one, Change(inbox=[late]))
        assert Status.triggered is (await one.only()).status

    play(score)
