"""The watcher: when it checks, what it commits, and what it does on a bad day."""

import asyncio
import json
import re
from datetime import timedelta
from itertools import pairwise

import pytest

from sentinel.engine.watcher import A_FEW
from sentinel.kinds import Pings, ProbeWorld
from sentinel.labels import fingerprint
from sentinel.monitor.probe import Confirm, Observation, Retry
from sentinel.monitor.verdict import EPOCH, Verdict, VerdictState, known_at, regular_slot
from sentinel.store.journal import Change, PresentAlert
from sentinel.testing import ManualClock
from sentinel.timeline.codec import instant
from sentinel.words import Outcome, Seconds, Severity
from tests.engine.watching import (
    NOON,
    SECOND,
    a_journal,
    bad,
    good,
    page_of_shop,
    played,
    script,
    scripted,
    watching,
)

# ------------------------------------------------------------------------------ when it checks


@played
async def test_a_probe_is_checked_in_its_slots_and_the_interval_never_drifts():
    probe = scripted()
    script(probe).then(good(duration_s=0.3))
    async with watching([probe]) as watch:
        await watch.advance(600)
        first, *slots = [result.due_at for result in await watch.results()]
    assert NOON <= first <= NOON + SECOND
    expected = [regular_slot(probe, after=first)]
    while len(expected) < len(slots):
        expected.append(expected[-1] + timedelta(minutes=1))
    assert expected == slots
    assert len(slots) == 10


@played
async def test_a_late_check_is_not_made_up_twice():
    probe = scripted(every_s=Seconds(10.0), timeout_s=Seconds(10.0))
    clock = ManualClock(NOON)

    async def slow(world: ProbeWorld) -> Observation:
        await clock.sleep_until(clock.now() + timedelta(seconds=9.9))
        return good()

    async with watching([probe], clock=clock) as watch:
        await watch.advance(30)
        before = len(await watch.results())
        script(probe).then(slow)
        await watch.advance(30)
        slots = [result.due_at for result in await watch.results()]
    assert len(slots) - before <= 3
    assert len(set(slots)) == len(slots)
    assert script(probe).most_at_once == 1


@played
async def test_a_pending_probe_is_looked_at_again_sooner_and_then_fires():
    probe = scripted()
    async with watching([probe]) as watch:
        await watch.until(Verdict.ok)
        script(probe).then(bad())
        await watch.until(Verdict.pending)
        pending_at = (await watch.results())[-1].due_at
        await watch.until(Verdict.firing)
        assert timedelta(seconds=10) == (await watch.results())[-1].due_at - pending_at


@played
async def test_at_most_one_recheck_a_second_falls_upon_a_host():
    probes = [scripted(f"acme-{i}", every_s=Seconds(3600.0)) for i in range(30)]
    others = [scripted("feeds", host="feeds.acme.example", every_s=Seconds(3600.0))]
    for probe in [*probes, *others]:
        script(probe).then(bad())
    async with watching([*probes, *others]) as watch:
        await watch.advance(60)
        again = sorted([(await watch.results(probe.id))[1].due_at for probe in probes])
        assert all(SECOND <= b - a for a, b in pairwise(again))
        (first, second) = await watch.results("feeds")
        assert timedelta(seconds=10) == second.due_at - first.due_at


@played
async def test_first_checks_of_many_probes_are_spread():
    probes = [scripted(f"acme-{i}") for i in range(500)]
    async with watching(probes) as watch:
        await watch.advance(1)
        assert 60 < sum(len(script(probe).worlds) for probe in probes) < 140
        await watch.advance(4.5)
        assert all(script(probe).worlds for probe in probes)


@played
async def test_of_many_checks_that_are_due_at_once_some_are_heard_before_others_are_sent():
    """So that nobody's time counts what is done for all."""
    probes = [scripted(f"acme-{i}") for i in range(40)]
    story: list[str] = []

    async def sent(world: ProbeWorld) -> Observation:
        story.append("sent")
        return good()

    async with watching(probes, hear=lambda: story.append("heard")) as watch:
        await watch.advance(600)
        for probe in probes:
            script(probe).then(sent)
        story.clear()
        for probe in probes:
            watch.watcher.ping(probe.id, Pings(watch.clock.now(), "ok"))
        await watch.clock.settle()
    runs = [len(run) for run in "".join(each[0] for each in story).split("h")]
    assert (40, [A_FEW] * 6) == (sum(runs), runs[:6])
    assert max(runs) == A_FEW


# ------------------------------------------------------------------------------- one check


@played
async def test_a_network_failure_is_tried_again_within_the_check():
    probe = scripted(retry=Retry(times=2, after_s=Seconds(0.5)))
    script(probe).then(bad("reset", network=True), bad("refused", network=True), good())
    async with watching([probe]) as watch:
        await watch.advance(3)
        (result,) = await watch.results()
    assert result.outcome is Outcome.ok
    assert ["reset", "refused", ""] == [attempt.reason for attempt in result.attempts]
    assert timedelta(seconds=1) == result.attempts[2].started_at - result.started_at


@played
async def test_what_is_not_the_network_is_tried_again_only_where_asked():
    once = scripted("once", retry=Retry(times=2))
    asked = scripted("asked", retry=Retry(times=2, only_on="any"))
    for probe in (once, asked):
        script(probe).then(bad("status"))
    async with watching([once, asked]) as watch:
        await watch.advance(5)
        tries = [(await watch.results(each))[0].attempts for each in ("once", "asked")]
    assert [0, 3] == [len(each) for each in tries]


@played
async def test_no_attempt_begins_that_the_timeout_leaves_no_room_for():
    probe = scripted(timeout_s=Seconds(1.0), retry=Retry(times=9, after_s=Seconds(0.4)))
    script(probe).then(bad("refused", network=True))
    async with watching([probe]) as watch:
        await watch.advance(3)
        (result,) = await watch.results()
    assert len(result.attempts) == 3


@played
async def test_a_prober_that_raises_is_our_failure_and_not_the_targets():
    probe = scripted()
    script(probe).then(ZeroDivisionError("a fault of ours"))
    async with watching([probe]) as watch:
        await watch.advance(200)
        results = await watch.results()
        assert {(Outcome.unknown, "internal")} == {(r.outcome, r.reason) for r in results}
        assert (await watch.verdict()).state is Verdict.unknown
        assert "probe_success{" not in watch.page()


@played
async def test_a_prober_that_does_not_end_is_given_up_on_and_its_late_answer_ignored():
    probe = scripted(timeout_s=Seconds(5.0))
    released = asyncio.Event()

    async def stubborn(world: ProbeWorld) -> Observation:
        for _ in range(100):
            try:
                await released.wait()
                break
            except asyncio.CancelledError:
                continue
        return good()

    script(probe).then(stubborn)
    async with watching([probe]) as watch:
        await watch.advance(10)
        released.set()
        script(probe).then(good())
        await watch.advance(20)
        first, *later = await watch.results()
        page = watch.metrics.exposition().body.decode()
    assert f'sentinel_checks_total{{outcome="ok"}} {len(later)}.0' in page
    assert (first.outcome, first.reason) == (Outcome.failed, "timeout")


@played
async def test_a_good_check_keeps_what_the_next_may_look_back_at_and_a_failing_one_nothing():
    probe = scripted()
    large, second = good(keep=b"x" * 65537), good(keep=b"second")
    script(probe).then(good(keep=b"first"), bad(keep=b"never"), large, second, good())
    async with watching([probe]) as watch:
        await watch.advance(240)
        known = [known_at(result) for result in await watch.results()]
    worlds = script(probe).worlds[:5]
    assert [None, b"first", b"first", b"first", b"second"] == [each.kept for each in worlds]
    assert [None, *known[:1] * 3, known[3]] == [each.kept_at for each in worlds]


@played
async def test_a_check_now_tells_and_changes_nothing():
    probe = scripted()
    async with watching([probe]) as watch:
        await watch.until(Verdict.ok)
        script(probe).then(bad("reset"))
        before = len(await watch.results())
        observation, result = await watch.watcher.check_now("acme-home")
        assert observation.reason == result.reason == "reset"
        await watch.advance(1)
        assert before == len(await watch.results())
        assert (await watch.verdict()).state is Verdict.ok
        with pytest.raises(KeyError):
            await watch.watcher.check_now("nobody")


@played
async def test_a_check_now_never_runs_beside_a_check_of_the_same_probe():
    probe = scripted(every_s=Seconds(10.0))
    clock = ManualClock(NOON)

    async def slow(world: ProbeWorld) -> Observation:
        await clock.sleep_until(clock.now() + timedelta(seconds=7))
        return good()

    script(probe).then(slow)
    async with watching([probe], clock=clock) as watch:
        asked = [asyncio.create_task(watch.watcher.check_now("acme-home")) for _ in range(3)]
        await watch.advance(60)
        assert all(task.done() for task in asked)
    assert script(probe).most_at_once == 1


@played
async def test_a_check_now_that_does_not_end_is_given_up_on():
    probe = scripted(timeout_s=Seconds(5.0), every_s=Seconds(86400.0))

    async def forever(world: ProbeWorld) -> Observation:
        await asyncio.Event().wait()
        return good()

    async with watching([probe]) as watch:
        await watch.advance(2)
        script(probe).then(forever)
        asked = asyncio.create_task(watch.watcher.check_now("acme-home"))
        await watch.advance(5.5)
        assert (await asked)[1].reason == "timeout"


# --------------------------------------------------------------------------- what it commits


@played
async def test_results_state_and_a_changed_verdict_are_one_commit():
    probe = scripted()
    async with watching([probe]) as watch:
        await watch.until(Verdict.ok)
        script(probe).then(bad())
        await watch.until(Verdict.firing)
        change = watch.journal.changes[-1]
        result, row, state = change.results[-1], change.inbox[0], change.probe_states[0]
        slot_us = result.due_at
        assert f"verdict/acme-home/local/{slot_us}" == row.id
        assert {"probe": "acme-home", "location": "local", "slot_us": slot_us} == dict(row.body)
        assert VerdictState.from_json(state.state).state is Verdict.firing
        assert state.slot_at == instant(slot_us)


@played
async def test_a_changed_verdict_is_committed_at_once_and_all_else_within_a_second():
    probe = scripted()
    async with watching([probe]) as watch:
        await watch.until(Verdict.ok)
        commits = len(watch.journal.changes)
        due = regular_slot(probe, after=watch.clock.now())
        await watch.clock.advance_to(due)
        assert commits == len(watch.journal.changes)
        await watch.advance(1)
        assert commits + 1 == len(watch.journal.changes)
        script(probe).then(bad())
        await watch.clock.advance_to(due + timedelta(minutes=1))
        assert commits + 2 == len(watch.journal.changes)


@played
async def test_the_first_good_checks_of_many_probes_do_not_each_ask_for_a_commit():
    probes = [scripted(f"acme-{i}", every_s=Seconds(3600.0)) for i in range(100)]
    async with watching(probes) as watch:
        await watch.advance(3)
        assert len(watch.journal.changes) <= 3
        assert 100 == sum(len(change.inbox) for change in watch.journal.changes)


@played
async def test_verdicts_that_change_in_one_turn_share_a_commit():
    probes = [scripted(f"acme-{i}", every_s=Seconds(3600.0)) for i in range(20)]
    clock = ManualClock(NOON)
    gate = asyncio.Event()

    async def together(world: ProbeWorld) -> Observation:
        await gate.wait()
        return bad()

    for probe in probes:
        script(probe).then(together, bad())
    async with watching(probes, clock=clock) as watch:
        await watch.advance(1)
        assert not watch.journal.changes
        gate.set()
        await clock.settle()
        assert [20] == [len(change.inbox) for change in watch.journal.changes]


@played
async def test_a_restart_goes_on_from_the_stored_verdict_and_what_was_kept():
    probe = scripted()
    script(probe).then(good(keep=b"k"))
    journal, clock = a_journal(), ManualClock(NOON)
    async with watching([probe], journal=journal, clock=clock) as watch:
        await watch.until(Verdict.ok)
        script(probe).then(bad())
        await watch.until(Verdict.pending)
        worlds = len(script(probe).worlds)
    async with watching([probe], journal=journal, clock=clock) as watch:
        await watch.until(Verdict.firing)
        assert worlds + 1 == len(script(probe).worlds)
        assert script(probe).worlds[-1].kept == b"k"


@played
async def test_an_unreadable_stored_state_does_not_keep_the_node_from_watching():
    probe = scripted()
    journal, clock = a_journal(), ManualClock(NOON)
    async with watching([probe], journal=journal, clock=clock) as watch:
        await watch.until(Verdict.ok)
        row = await watch.row()
    spoilt = Change(probe_states=[_with(row, {"state": "asleep"})])
    await journal.transact((), lambda view: (spoilt, None), now=clock.now())
    async with watching([probe], journal=journal, clock=clock) as watch:
        await watch.advance(5)
        assert (await watch.verdict()).state is Verdict.ok


def _with(row, state):  # type: ignore[no-untyped-def]
    return type(row)(row.probe, row.location, row.slot_at + SECOND, state)


@played
async def test_while_the_journal_refuses_everything_waits_and_then_comes_in_order():
    probe = scripted(every_s=Seconds(10.0))
    async with watching([probe]) as watch:
        await watch.until(Verdict.ok)
        watch.journal.refuses = True
        script(probe).then(bad())
        await watch.advance(60)
        assert False in watch.took
        assert watch.took[-1] is False
        assert "firing{" in watch.page()
        stored = len(await watch.results())
        watch.journal.refuses = False
        await watch.advance(2)
        assert watch.took[-1] is True
        slots = [result.due_at for result in await watch.results()]
        assert len(slots) >= stored + 6
        assert sorted(set(slots)) == slots
        assert (await watch.verdict()).state is Verdict.firing
        assert ["acme-home"] == [r.body["probe"] for r in watch.journal.changes[-1].inbox]


@played
async def test_what_is_known_is_committed_when_it_stops():
    probe = scripted()
    journal = a_journal()
    async with watching([probe], journal=journal) as watch:
        await watch.until(Verdict.ok)
        await watch.clock.advance_to(regular_slot(probe, after=watch.clock.now()))
        before = len(journal.changes)
    assert [1] == [len(change.results) for change in journal.changes[before:]]


@played
async def test_a_fault_of_our_own_ends_the_run_and_says_why():
    async with watching([scripted()]) as watch:
        watch.journal.changes = None
        await watch.advance(5)
        assert isinstance(watch.running.exception(), AttributeError)


# -------------------------------------------------------------------------------- evidence


async def _stored(watch, digest: str):  # type: ignore[no-untyped-def]
    content = await watch.journal.view(lambda view: view.evidence(digest))
    assert content is not None
    return json.loads(content)


@played
async def test_evidence_is_kept_for_the_first_the_changed_and_the_last_failure():
    probe = scripted(every_s=Seconds(20.0))
    async with watching([probe]) as watch:
        await watch.until(Verdict.ok)
        script(probe).then(bad("status", evidence=page_of_shop(b"one")))
        await watch.until(Verdict.firing)
        await watch.advance(100)
        script(probe).then(bad("reset", evidence=page_of_shop(b"two")))
        await watch.advance(61)
        script(probe).then(bad("reset", evidence=page_of_shop(b"last")), good())
        await watch.until(Verdict.ok)
        results = await watch.results()
        kept = [r for r in results if r.evidence]
        bodies = [(await _stored(watch, r.evidence))["body"] for r in kept]
    assert ["one", "one", "two", "last"] == bodies
    assert kept[-1].outcome is Outcome.ok


@played
async def test_a_failure_that_lasts_is_kept_every_five_minutes():
    probe = scripted(every_s=Seconds(20.0))
    script(probe).then(bad("status", evidence=page_of_shop(b"same")))
    async with watching([probe]) as watch:
        await watch.until(Verdict.firing)
        fired_at = (await watch.results())[-1].due_at
        await watch.advance(20 * 60)
        kept = [r.due_at - fired_at for r in await watch.results() if r.evidence][2:]
    assert [5, 10, 15] == [round(each / timedelta(minutes=1)) for each in kept][:3]


@played
async def test_evidence_is_redacted_and_says_what_differs_from_the_last_good_check():
    probe = scripted()
    script(probe).then(good(address="10.0.0.1", evidence=page_of_shop(b"")))
    secret = "correct horse"
    async with watching([probe], secrets=[secret]) as watch:
        await watch.until(Verdict.ok)
        seen = page_of_shop(b"<p>correct horse, ana@acme.example</p>")
        script(probe).then(bad("status", address="10.0.0.2", evidence=seen))
        await watch.until(Verdict.firing)
        state = await watch.verdict()
        stored = await _stored(watch, state.evidence)
    assert stored["body"] == "<p>***, ***email***</p>"
    assert stored["differs"]["address"] == ["10.0.0.1", "10.0.0.2"]
    assert "facts.status" not in stored["differs"]


# ------------------------------------------------------------------------------- heartbeats


@played
async def test_a_ping_reaches_the_prober_at_once_and_survives_a_restart():
    probe = scripted(every_s=Seconds(3600.0))
    journal, clock = a_journal(), ManualClock(NOON)
    async with watching([probe], journal=journal, clock=clock) as watch:
        await watch.advance(60)
        checks = len(script(probe).worlds)
        assert watch.watcher.ping("acme-home", Pings(clock.now(), "start"))
        assert not watch.watcher.ping("nobody", Pings(clock.now(), "start"))
        await clock.settle()
        await watch.advance(0.01)
        assert ["start"] == [ping.what for ping in script(probe).worlds[checks].pings]
        for _ in range(5):
            watch.watcher.ping("acme-home", Pings(clock.now(), "success"))
        await watch.advance(10)
        assert checks + 2 == len(script(probe).worlds)
    async with watching([probe], journal=journal, clock=clock) as watch:
        await watch.watcher.check_now("acme-home")
        assert len(script(probe).worlds[-1].pings) == 6


@played
async def test_a_ping_between_two_checks_is_stored_though_no_check_was_made():
    probe = scripted(every_s=Seconds(3600.0))
    journal = a_journal()
    async with watching([probe], journal=journal) as watch:
        await watch.until(Verdict.ok)
        script(probe).then(asyncio.CancelledError())
        for _ in range(2):
            watch.watcher.ping("acme-home", Pings(watch.clock.now(), "log"))
            await watch.advance(1.5)
        assert len((await watch.row()).state["pings"]) == 2


# -------------------------------------------------------------------------------- documents


@played
async def test_a_reload_keeps_what_is_known_and_ends_what_is_gone():
    stays, goes = scripted("stays"), scripted("goes")
    async with watching([stays, goes]) as watch:
        script(goes).then(bad())
        script(stays).then(bad())
        await watch.until(Verdict.firing, "stays")
        await watch.until(Verdict.firing, "goes")
        watch.watcher.apply([scripted("stays", client="acme"), scripted("new")])
        await watch.clock.settle()
        assert 'probe="goes"' not in watch.page()
        assert 'client="acme"' in watch.page()
        removed = watch.journal.changes[-1]
        assert {"probe": "goes", "location": "local", "removed": True} == dict(
            removed.inbox[0].body
        )
        assert (await watch.verdict("goes")).state is Verdict.unknown
        assert (await watch.verdict("stays")).state is Verdict.firing
        await watch.until(Verdict.ok, "new")
        checked = len(script(goes).worlds)
        await watch.until(Verdict.ok, "stays")
        assert checked == len(script(goes).worlds)


@played
async def test_a_probe_that_comes_back_begins_anew():
    probe = scripted(every_s=Seconds(10.0), confirm=Confirm(down=9, down_of=9))
    script(probe).then(bad("status", evidence=page_of_shop(b"old")))
    async with watching([probe]) as watch:
        await watch.advance(35)
        watch.watcher.apply([])
        await watch.advance(1)
        removed_at = watch.clock.now()
        script(probe).then(good())
        watch.watcher.apply([probe])
        await watch.advance(60)
        since = [r for r in await watch.results() if r.due_at > removed_at]
        assert since
        assert not any(result.evidence for result in since)
        assert (await watch.verdict()).recovered_at is None


@played
async def test_a_probe_that_was_removed_while_the_node_was_down_is_told_once():
    gone = scripted("gone")
    script(gone).then(bad())
    journal, clock = a_journal(), ManualClock(NOON)
    async with watching([gone], journal=journal, clock=clock) as watch:
        await watch.until(Verdict.firing, "gone")
    for expected in (1, 0):
        journal.changes.clear()
        async with watching([scripted("other")], journal=journal, clock=clock) as watch:
            await watch.clock.settle()
            told = [row.body for change in journal.changes for row in change.inbox]
            assert [True] * expected == [body.get("removed") for body in told]


@played
async def test_probes_of_other_locations_are_not_watched_here():
    elsewhere = scripted("elsewhere", locations=("eu",))
    async with watching([elsewhere, scripted()]) as watch:
        await watch.until(Verdict.ok)
        assert not script(elsewhere).worlds
        assert "elsewhere" not in watch.page()


@played
async def test_a_changed_interval_holds_from_the_reload_on():
    slow = scripted(every_s=Seconds(3600.0))
    async with watching([slow]) as watch:
        await watch.until(Verdict.ok)
        fast = scripted(every_s=Seconds(5.0))
        watch.watcher.apply([fast])
        await watch.advance(26)
        assert len(script(fast).worlds) == 5


@played
async def test_a_clock_that_was_set_back_does_not_stop_the_verdicts():
    probe = scripted()
    journal = a_journal()
    async with watching([probe], journal=journal) as watch:
        await watch.until(Verdict.ok)
    script(probe).then(bad())
    earlier = ManualClock(NOON - timedelta(hours=1))
    async with watching([probe], journal=journal, clock=earlier) as watch:
        await watch.until(Verdict.firing)


# -------------------------------------------------------------------------------- blindness


def _everywhere(reason: str = "refused"):  # type: ignore[no-untyped-def]
    probes = [scripted(f"p{i}", host=f"h{i % 3}.example", every_s=Seconds(20.0)) for i in range(6)]
    for probe in probes:
        script(probe).then(bad(reason, network=True))
    return probes


LABELS = {"alertname": "location-blind", "location": "local"}


@played
async def test_a_location_that_sees_nothing_says_so_once_and_says_when_it_sees_again():
    probes = _everywhere()
    async with watching(probes) as watch:
        await watch.advance(60)
        alerts = [row for row in await watch.inbox() if row.kind == "alert"]
        (began,) = alerts
        assert LABELS == began.body["labels"]
        assert (int(Severity.critical), None) == (began.body["severity"], began.body["ends_us"])
        assert frozenset({"local"}) == watch.watcher.blind
        assert (
            'sentinel_location_blind{location="local"} 1.0'
            in watch.metrics.exposition().body.decode()
        )
        for probe in probes:
            script(probe).then(good())
        await watch.advance(60)
        began, ended = [row for row in await watch.inbox() if row.kind == "alert"]
        assert began.body["started_us"] == ended.body["started_us"]
        assert ended.body["ends_us"] > began.body["started_us"]
        assert not watch.watcher.blind


@played
async def test_a_blindness_that_was_told_before_a_restart_is_ended_after_it():
    journal, clock = a_journal(), ManualClock(NOON)
    alert = PresentAlert(
        fingerprint(LABELS), "sentinel", LABELS, Severity.critical, NOON - SECOND, None
    )
    told = Change(alerts=[alert])
    await journal.transact((), lambda view: (told, None), now=NOON)
    async with watching([scripted()], journal=journal, clock=clock) as watch:
        await watch.until(Verdict.ok)
        await watch.advance(2)
        (ended,) = [row for row in await watch.inbox() if row.kind == "alert"]
        assert ended.body["ends_us"] is not None


@played
async def test_a_sick_shop_does_not_make_a_location_blind():
    probes = [scripted(f"p{i}", host="shop.example", every_s=Seconds(20.0)) for i in range(9)]
    for probe in probes:
        script(probe).then(bad("refused", network=True))
    async with watching(probes) as watch:
        await watch.advance(90)
        assert not [row for row in await watch.inbox() if row.kind == "alert"]


@played
async def test_what_fires_is_known_without_the_journal():
    sick, well = scripted("sick"), scripted("well")
    script(sick).then(bad("reset"))
    async with watching([sick, well]) as watch:
        watch.journal.refuses = True
        await watch.advance(60)
        assert ["sick: reset"] == watch.watcher.failing()


# --------------------------------------------------------------------------------- overload


class Hampered(ManualClock):
    """A clock of a machine that can be held up: time passes, and nobody is woken."""

    def hold_up(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("held_up_s", "reason", "expected"),
    [
        (9.0, "connect_timeout", (Outcome.unknown, "overloaded")),
        (0.1, "connect_timeout", (Outcome.failed, "connect_timeout")),
        (9.0, "connect_refused", (Outcome.failed, "connect_refused")),
    ],
)
@played
async def test_a_node_that_was_held_up_does_not_call_its_targets_slow(
    held_up_s: float, reason: str, expected: tuple[Outcome, str]
):
    first, probe = scripted("first"), scripted()
    clock = Hampered(NOON)

    async def hampered(world: ProbeWorld) -> Observation:
        await clock.sleep_until(clock.now() + SECOND)
        clock.hold_up(held_up_s)
        return bad(reason, network=True)

    script(probe).then(hampered)
    async with watching([first, probe], clock=clock) as watch:
        await watch.advance(15)
        result = (await watch.results())[0]
    assert expected == (result.outcome, result.reason)
    assert result.network == (expected[0] is Outcome.failed)


@played
async def test_checks_in_flight_during_a_stall_are_doubted_when_they_end_later_too():
    probe, other = scripted(), scripted("other")
    clock = Hampered(NOON)

    async def slow(world: ProbeWorld) -> Observation:
        await clock.sleep_until(clock.now() + timedelta(seconds=4))
        return bad("timeout", network=True)

    async def hampered(world: ProbeWorld) -> Observation:
        await clock.sleep_until(clock.now() + timedelta(seconds=2))
        clock.hold_up(2.0)
        return good()

    script(probe).then(slow)
    script(other).then(hampered, good())
    async with watching([probe, other], clock=clock) as watch:
        await watch.advance(8)
        assert (await watch.results())[0].reason == "overloaded"
        assert "sentinel_loop_stalls_total 1.0" in watch.metrics.exposition().body.decode()


# --------------------------------------------------------------------------------- numbers


@played
async def test_what_it_does_is_counted():
    probe = scripted(every_s=Seconds(10.0), confirm=Confirm(down=1, down_of=1))
    async with watching([probe]) as watch:
        script(probe).then(good(), bad(), ValueError(), good())
        await watch.advance(60)
        page = watch.metrics.exposition().body.decode()
    assert 'sentinel_checks_total{outcome="failed"} 1.0' in page
    assert 'sentinel_checks_total{outcome="unknown"} 1.0' in page
    assert "sentinel_probes 1.0" in page
    assert 'sentinel_journal_commits_total{result="ok"} 0.0' not in page
    assert 'sentinel_check_start_lag_seconds_bucket{le="0.005"}' in page


@played
async def test_what_is_made_for_probes_is_made_in_the_order_of_their_slots():
    probes = [scripted(id=f"p{number}", every_s=Seconds(10.0 + number % 2)) for number in range(9)]
    async with watching(probes) as watch:
        page = watch.metrics.exposition().body.decode()
    made = re.findall(r'^probe_timeout_seconds\{.*probe="(p\d)"', page, re.MULTILINE)
    later = {each.id: regular_slot(each, after=EPOCH) for each in probes}
    assert made == sorted(later, key=later.__getitem__)
    assert made != sorted(later)


@played
async def test_a_label_that_a_target_gives_holds_no_secret_and_none_learnt_later():
    said = good(metrics={"probe_x": {"hunter-two": 1, "hunter-three": 2}})
    probe = scripted()
    script(probe).then(said)
    async with watching([probe], secrets=["hunter-two"]) as watch:
        await watch.advance(60)
        before = watch.page()
        watch.redactor.know(["hunter-three"])
        await watch.advance(60)
        after = watch.page()

    assert ("hunter-two" in before, "hunter-three" in before) == (False, True)
    assert "hunter-" not in after
    assert 1 == after.count("probe_x{")
