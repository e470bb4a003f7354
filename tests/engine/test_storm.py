"""Many alerts, doubled alerts, alerts at once: one incident, linear cost, nothing dropped (rules 10, 14, 15)."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sentinel.engine.audit import faults_of
from sentinel.engine.inbox import alert_row
from sentinel.incident import commands as cmd
from sentinel.incident.correlate import Report
from sentinel.incident.state import OPEN, IncidentState, Status, fold
from sentinel.store.journal import Change
from sentinel.timeline import incident_facts as inc
from sentinel.words import Severity
from tests.engine.kernel import START, Kernel, playbook, policy
from tests.engine.test_response import play
from tests.playbook.builders import step


async def put(one: Kernel, reports: list[Report], mark: str = "") -> None:
    """Put reports into the inbox in one commit, without letting anybody look."""
    rows = [
        alert_row(report, id=f"put/{mark}{number}", received_at=one.clock.now(), ends_at=None)
        for number, report in enumerate(reports)
    ]
    await one.journal.transact([], lambda view: (Change(inbox=rows), None), now=one.clock.now())


def report(name: str, severity: Severity = Severity.error, **keys: Any) -> Report:
    labels = {"alertname": name, "client": "acme", "service": "storefront"}
    return Report(labels, severity, keys.pop("at", START), "test", reason="status", **keys)


def test_a_storm_of_two_thousand_is_one_incident_in_few_commits() -> None:
    async def score(one: Kernel) -> None:
        seen = one.decisions.run
        commits: list[int] = []

        async def counted(streams: Any, body: Any) -> Any:
            commits.append(1)
            return await seen(streams, body)

        one.decisions.run = counted  # type: ignore[method-assign]
        await put(one, [report(f"a{number}") for number in range(2000)])
        await one.clock.settle()
        state = await one.only()
        assert 2000 == len(state.alerts) == len(state.firing())
        assert ["push://ana"] == one.notifier.to
        assert len(commits) < 20

    play(score)


@pytest.mark.slow
def test_a_storm_costs_each_alert_the_same() -> None:
    """Facts and rows, not seconds: what is written for n alerts grows with n and no faster."""

    async def score(one: Kernel) -> None:
        written = []
        for count in (500, 1000, 2000):
            before = len(await one.facts("00000001")) if written else 0
            await put(one, [report(f"{count}-{n}") for n in range(count)], mark=f"{count}-")
            await one.clock.settle()
            written.append(len(await one.facts("00000001")) - before)
        assert 1000 == written[1]
        assert 2000 == written[2]

    play(score)


def test_a_command_is_obeyed_before_the_alerts_that_wait() -> None:
    async def score(one: Kernel) -> None:
        await one.alert()
        incident = (await one.only()).incident
        await put(one, [report(f"a{number}") for number in range(1500)])
        assert None is await one.responder.command(incident, cmd.Note("here"), by="ana", via="cli")
        kinds = [type(fact) for fact in await one.facts(incident)]
        joined = kinds[: kinds.index(inc.NoteAdded)].count(inc.AlertJoined)
        assert joined <= 501, "at most the batch under way went first"
        await one.clock.settle()
        assert 1501 == len((await one.only()).alerts)

    play(score)


def test_more_playbooks_than_tries_still_all_run_and_page() -> None:
    books = {
        f"p{number:02d}": playbook(f"p{number:02d}", steps=(step("look"),)) for number in range(30)
    }

    async def score(one: Kernel) -> None:
        await one.alert()
        state = await one.only()
        assert 30 == len(state.runs)
        assert ["push://ana"] == one.notifier.to

    play(score, policy(playbooks=books))


def test_a_worsened_alert_ends_where_it_went() -> None:
    async def score(one: Kernel) -> None:
        await one.alert(severity=Severity.warning)
        await one.alert(severity=Severity.critical)
        await one.alert(ended="recovered")
        states = await one.incidents()
        assert [Status.resolved, Status.resolved] == [state.status for state in states]
        links = [
            f.why for s in states for f in await one.facts(s.incident) if isinstance(f, inc.Linked)
        ]
        assert ["worsened_into", "worsened_from"] == links

    play(score)


reports = st.tuples(
    st.sampled_from(["home", "basket", "feed"]),
    st.sampled_from([Severity.warning, Severity.error, Severity.critical]),
    st.sampled_from(["", "recovered"]),
    st.integers(1, 3),
)


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(reports, min_size=1, max_size=6), min_size=1, max_size=6))
def test_doubled_and_concurrent_alerts_never_make_two_incidents(
    turns: list[list[tuple[str, Severity, str, int]]],
) -> None:
    async def score(one: Kernel) -> None:
        for number, turn in enumerate(turns):
            rows = [
                report(name, severity, ended=ended)
                for name, severity, ended, copies in turn
                for _ in range(copies)
            ]
            half = len(rows) // 2
            await asyncio.gather(
                put(one, rows[:half], f"{number}a"), put(one, rows[half:], f"{number}b")
            )
            await one.advance(seconds=30)
            await holds(one)

    play(score)


async def holds(one: Kernel) -> None:
    """What is true after whatever happened: rules 10, 15, 29, 30."""
    states = await one.incidents()
    groups = Counter(state.group for state in states if state.status in OPEN)
    assert {1} >= set(groups.values()), groups
    firing = Counter(alert.fingerprint for state in states for alert in state.firing())
    assert {1} >= set(firing.values()), "one alert fires in two incidents"
    assert [] == await one.decisions.look(lambda overlay: faults_of(overlay, one.clock.now()))
    for state in states:
        records = await one.records(state.incident)
        assert fold(IncidentState(), records) == state
        assert list(range(1, len(records) + 1)) == [record.version for record in records]


acts = st.one_of(
    st.tuples(st.just("alert"), st.sampled_from("abc"), st.sampled_from(list(Severity))),
    st.tuples(st.just("end"), st.sampled_from("abc"), st.just(Severity.error)),
    st.tuples(st.just("wait"), st.sampled_from(["5", "130", "400", "2000"]), st.just(None)),
    st.tuples(
        st.just("command"),
        st.sampled_from(["ack", "release", "mitigate", "resolve", "reopen", "close", "escalate"]),
        st.just(None),
    ),
)


LOW = ("alert", "a", Severity.info)
ENDS = ("end", "a", Severity.error)
LATER = ("wait", "2000", None)


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@example([LOW, ENDS, LATER, LOW, ("command", "reopen", None)])
@given(st.lists(acts, min_size=3, max_size=14))
def test_after_any_history_the_stream_alone_gives_the_state_and_nobody_is_forgotten(
    history: list[tuple[str, str, Any]],
) -> None:
    async def score(one: Kernel) -> None:
        for what, word, severity in history:
            match what:
                case "alert":
                    await one.alert(alertname=word, severity=severity)
                case "end":
                    await one.alert(alertname=word, ended="recovered")
                case "wait":
                    await one.advance(seconds=float(word))
                case _:
                    for state in await one.incidents():
                        await one.responder.command(
                            state.incident, cmd.NAMES[word](), by="bo", via="cli"
                        )
                    await one.clock.settle()
            await holds(one)
        await nobody_is_forgotten(one)

    play(score)


async def nobody_is_forgotten(one: Kernel) -> None:
    """An incident that is triggered is paged within its longest silence: the fallback's interval."""
    waiting = [s.incident for s in await one.incidents() if s.status is Status.triggered]
    before = {s.incident: len(s.paging.pages) for s in await one.incidents()}
    await one.advance(minutes=16)
    for state in await one.incidents():
        if state.incident in waiting and state.status is Status.triggered:
            assert len(state.paging.pages) > before[state.incident]
