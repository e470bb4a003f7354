"""Objectives over hours: counted from the store, alerted once, ended, and the same after a restart."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sentinel.engine.objectives import Objectives
from sentinel.engine.standing import Figure
from sentinel.incident import commands as cmd
from sentinel.incident.state import Status
from sentinel.metrics.registry import Metrics
from sentinel.monitor.objective import Burn, Objective, Promise
from sentinel.monitor.probe import CheckResult, Probe
from sentinel.monitor.silence import Maintenance
from sentinel.store.journal import Change, PresentAlert
from sentinel.store.sqlite import SqliteJournal
from sentinel.timeline.incident_facts import AlertJoined
from sentinel.words import Seconds, Severity
from tests.engine.kernel import Kernel, kernel, policy
from tests.monitor.builders import LETTERS, a_probe, a_result

MINUTE = timedelta(minutes=1)
PROMISED = Objective("acme", "checkout", Promise.availability, 0.999, Seconds(30 * 86400.0))
QUICK = replace(PROMISED, promise=Promise.latency, share=0.95, under_s=Seconds(0.8))


def cart(id: str = "acme-cart", **keys: Any) -> Probe:
    return a_probe(id=id, client="acme", service="checkout", **{"every_s": Seconds(60.0), **keys})


@dataclass
class Desk:
    """A kernel with objectives, and results as a watcher would have stored them."""

    one: Kernel
    metrics: Metrics
    node: Any
    objectives: Objectives
    loop: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self.loop = asyncio.ensure_future(self.objectives.run())

    async def end(self) -> None:
        if self.loop is not None:
            self.loop.cancel()
            await asyncio.gather(self.loop, return_exceptions=True)

    async def restart(self) -> None:
        await self.end()
        self.objectives = Objectives(self.node)
        self.begin()
        await self.one.clock.settle()

    async def put(self, results: Sequence[CheckResult]) -> None:
        await self.one.journal.transact(
            [], lambda view: (Change(results=results), None), now=self.one.clock.now()
        )

    async def past(
        self,
        letters: str,
        *,
        probe: str = "acme-cart",
        apart: timedelta = MINUTE,
        **keys: Any,
    ) -> None:
        """Results so far apart, the last due so long ago; rolled up."""
        now = self.one.clock.now()
        first_at = now - len(letters) * apart
        await self.put(
            [
                a_result(LETTERS[letter], probe=probe, due_at=first_at + at * apart, **keys)
                for at, letter in enumerate(letters)
            ]
        )
        await self.one.journal.roll_up(now)

    async def minutes(self, letters: str, *, probe: str = "acme-cart", **keys: Any) -> None:
        """A result now, and a minute passes; for every letter."""
        for letter in letters:
            due_at = self.one.clock.now()
            await self.put([a_result(LETTERS[letter], probe=probe, due_at=due_at, **keys)])
            await self.one.clock.advance(MINUTE)

    async def present(self) -> list[PresentAlert]:
        return await self.one.journal.view(lambda view: list(view.alerts()))

    async def severities(self) -> dict[str, Severity]:
        return {each.labels["burn"]: each.severity for each in await self.present()}

    @property
    def figure(self) -> Figure:
        return self.objectives.figures[0]


def keep(
    story: Callable[[Desk], Awaitable[None]],
    *objectives: Objective,
    probes: Sequence[Probe] = (cart(),),
    **keys: Any,
) -> None:
    async def whole() -> None:
        found = policy(probes={probe.id: probe for probe in probes}, **keys)
        one = kernel(found, new_id="o")
        metrics = Metrics()
        node = SimpleNamespace(
            journal=one.journal,
            clock=one.clock,
            metrics=metrics,
            present=one.present,
            blind=SimpleNamespace(blind_since=None),
            catalog=catalog(*(objectives or (PROMISED,))),
        )
        desk = Desk(one, metrics, node, Objectives(node))
        await one.start()
        try:
            await story(desk)
        finally:
            await desk.end()
            await one.stop()

    asyncio.run(whole())


def catalog(*objectives: Objective) -> Any:
    service = SimpleNamespace(id="checkout", objectives=objectives)
    client = SimpleNamespace(id="acme", services={"checkout": service})
    return SimpleNamespace(clients={"acme": client})


HOURS = "o" * 240
"""Four good hours of a probe that is checked once a minute."""


def test_a_fast_burn_pages_once_and_ends_when_its_half_hour_is_well_again() -> None:
    async def story(desk: Desk) -> None:
        await desk.past(HOURS)
        desk.begin()
        await desk.minutes("ooff")
        assert [] == desk.one.notifier.to
        await desk.minutes("f")
        (alert,) = await desk.present()
        assert (Severity.critical, "objective_burn") == (alert.severity, alert.reason)
        assert PROMISED.labels(Burn.fast) == alert.labels
        assert "burns its availability budget" in alert.summary
        assert ["push://ana"] == desk.one.notifier.to
        opened = await desk.one.only()
        refused = await desk.one.responder.command(
            opened.incident, cmd.Acknowledge(), by="ana", via="link"
        )
        assert refused is None
        await desk.minutes("f" + "o" * 29)
        assert [alert.started_at] == [each.started_at for each in await desk.present()]
        assert Status.acknowledged is (await desk.one.only()).status
        await desk.minutes("oo")
        assert [] == await desk.present()
        assert Status.resolved is (await desk.one.only()).status
        _, resolved = desk.one.notifier.sent
        assert resolved[1].body.startswith("Resolved: acme checkout: objective-burn")

    keep(story)


def test_a_burn_that_gets_worse_is_the_same_alert() -> None:
    async def story(desk: Desk) -> None:
        await desk.past("o" * 60 + "ofofofo" + "o" * 180)
        desk.begin()
        await desk.minutes("oof")
        assert {"fast": Severity.error} == await desk.severities()
        (begun,) = await desk.present()
        await desk.minutes("ffff")
        (worse,) = await desk.present()
        assert (Severity.critical, begun.started_at) == (worse.severity, worse.started_at)
        assert 1 == len(await desk.one.incidents())

    keep(story, replace(PROMISED, share=0.9985))


def test_a_slow_burn_is_a_low_alert_of_its_own() -> None:
    slow = cart(every_s=Seconds(600.0))

    async def story(desk: Desk) -> None:
        await desk.past(("o" * 17 + "f") * 24, apart=10 * MINUTE)
        desk.begin()
        await desk.one.clock.advance(MINUTE)
        assert {"slow": Severity.warning} == await desk.severities()

    keep(story, replace(PROMISED, share=0.96), probes=(slow,))


def test_a_young_service_that_is_down_leaves_it_to_its_probes() -> None:
    async def story(desk: Desk) -> None:
        desk.begin()
        await desk.minutes("f" * 28)
        assert {} == await desk.severities()
        await desk.minutes("f" * 4)
        assert {"fast": Severity.critical} == await desk.severities()

    keep(story)


def test_a_restart_knows_at_once_and_neither_ends_nor_doubles_what_burns() -> None:
    async def story(desk: Desk) -> None:
        await desk.past(HOURS + "o" * 600 + "f" * 6 + HOURS)
        desk.begin()
        await desk.minutes("off")
        before = desk.figure
        (alert,) = await desk.present()
        await desk.restart()
        after = desk.figure
        assert before.burn_rates == pytest.approx(after.burn_rates)
        assert (before.ratio, before.budget_left) == pytest.approx((after.ratio, after.budget_left))
        assert (Burn.fast,) == after.firing
        assert [alert.started_at] == [each.started_at for each in await desk.present()]
        assert 1 == len(await desk.one.incidents())

    keep(story)


def test_two_nodes_that_find_the_same_make_one_alert() -> None:
    async def story(desk: Desk) -> None:
        await desk.past(HOURS)
        other = Objectives(desk.node)
        desk.begin()
        await desk.minutes("off")
        await desk.put([a_result("f", probe="acme-cart", due_at=desk.one.clock.now())])
        await asyncio.gather(desk.objectives.turn(), other.turn())
        await desk.one.clock.advance(MINUTE)
        await other.turn()
        await desk.one.clock.settle()
        opened = await desk.one.only()
        assert 1 == len(opened.alerts)
        facts = await desk.one.facts(opened.incident)
        assert 1 == sum(isinstance(each, AlertJoined) for each in facts)

    keep(story)


def test_what_is_unknown_or_in_maintenance_or_seen_by_a_blind_location_does_not_count() -> None:
    weekly = Maintenance("deploy", {"service": "checkout"}, "30 9 * * 1", "UTC", Seconds(600.0))

    async def story(desk: Desk) -> None:
        await desk.past(HOURS)
        desk.begin()
        await desk.minutes("u" * 10 + "o" * 20)
        assert 1.0 == desk.figure.ratio
        await desk.minutes("f" * 10)
        assert 1.0 == desk.figure.ratio
        assert (0.0, 600.0) == (counted_bad(desk, 0), counted_bad(desk, 1))
        await desk.one.alert(alertname="location-blind", location="local", client="", service="")
        await desk.minutes("f" * 5, network=True)
        assert 1.0 == desk.figure.ratio
        await desk.minutes("f", reason="unexpected_status")
        assert 60.0 == counted_bad(desk, 0)
        await desk.restart()
        assert (60.0, 660.0) == (counted_bad(desk, 0), counted_bad(desk, 1))

    without = replace(PROMISED, alerts=False)
    keep(
        story,
        without,
        replace(without, counts_maintenance=True),
        maintenance={"deploy": weekly},
    )


def test_what_the_documents_declare_now_holds_for_what_is_past_too() -> None:
    weekly = Maintenance("deploy", {"service": "checkout"}, "0 6 * * 1", "UTC", Seconds(600.0))
    quiet = replace(PROMISED, alerts=False)

    async def story(desk: Desk) -> None:
        """Bad from 06:00 to 06:10, three hours ago: only rollups are read of it."""
        await desk.past("o" * 60 + "f" * 10 + "o" * 170)
        desk.begin()
        await desk.one.clock.settle()
        assert (0.0, 600.0) == (counted_bad(desk, 0), counted_bad(desk, 1))
        desk.one.present.activate(replace(desk.one.present.policy, maintenance={}))
        await desk.one.clock.advance(MINUTE)
        assert (600.0, 600.0) == (counted_bad(desk, 0), counted_bad(desk, 1))

    keep(story, quiet, replace(quiet, counts_maintenance=True), maintenance={"deploy": weekly})


def test_an_alert_that_waits_for_a_slow_responder_stays_the_same_occurrence() -> None:
    async def story(desk: Desk) -> None:
        await desk.past(HOURS)
        desk.begin()
        desk.one.loops[0].cancel()
        await desk.minutes("f" * 7)
        rows = await desk.one.journal.view(lambda view: list(view.inbox(100)))
        assert 1 == len({row.body["started_us"] for row in rows})
        assert 1 == len(rows)

    keep(story)


def counted_bad(desk: Desk, which: int) -> float:
    """Seconds bad in the window of one of the objectives."""
    figure = desk.objectives.figures[which]
    assert figure.budget_left is not None
    allowed_s = (1 - figure.objective.share) * figure.objective.window_s
    return round((1 - figure.budget_left) * allowed_s, 3)


def test_an_objective_of_latency_counts_good_checks_that_were_slow() -> None:
    async def story(desk: Desk) -> None:
        await desk.past("o" * 120, duration_s=0.3)
        desk.begin()
        await desk.minutes("o" * 3 + "w" * 3, duration_s=0.9)
        await desk.minutes("f", duration_s=0.1)
        assert 6 * 60.0 == counted_bad(desk, 0)
        await desk.restart()
        assert 6 * 60.0 == counted_bad(desk, 0)

    keep(story, QUICK)


def test_several_probes_and_locations_are_counted_by_their_time() -> None:
    often, seldom = cart(), cart("acme-pay", locations=("eu", "us"), every_s=Seconds(600.0))

    async def story(desk: Desk) -> None:
        await desk.past("o" * 60)
        for place in ("eu", "us"):
            await desk.past("ooofoo", probe="acme-pay", location=place, apart=10 * MINUTE)
        desk.begin()
        await desk.one.clock.settle()
        assert pytest.approx(2 / 18) == 1 - (desk.figure.ratio or 0.0)
        assert 2 * 600.0 / 3 == counted_bad(desk, 0)

    keep(story, probes=(often, seldom))


def test_what_is_no_longer_promised_ends_its_alert_and_its_series() -> None:
    async def story(desk: Desk) -> None:
        await desk.past(HOURS)
        desk.begin()
        await desk.minutes("fff")
        assert {"fast": Severity.critical} == await desk.severities()
        assert 'sentinel_objective_ratio{client="acme"' in page(desk)
        desk.node.catalog = catalog()
        await desk.minutes("o")
        assert ([], ()) == (await desk.present(), tuple(desk.objectives.figures))
        assert 'client="acme"' not in page(desk)

    keep(story)


def page(desk: Desk) -> str:
    return desk.metrics.exposition().body.decode()


def test_how_it_stands_is_shown() -> None:
    async def story(desk: Desk) -> None:
        await desk.past(HOURS)
        desk.begin()
        await desk.minutes("f")
        of = 'client="acme",objective="availability",service="checkout"'
        values = {
            line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
            for line in page(desk).splitlines()
            if line.startswith("sentinel_objective")
        }
        assert pytest.approx(240 / 241) == values[f"sentinel_objective_ratio{{{of}}}"]
        left = values[f"sentinel_objective_budget_remaining_ratio{{{of}}}"]
        assert pytest.approx(1 - 1 / 43.2) == left
        rates = {each for each in values if each.startswith("sentinel_objective_burn_rate")}
        assert 5 == len(rates)

    keep(story)


def test_while_the_journal_is_away_nothing_is_judged_and_afterwards_all_is_counted() -> None:
    async def story(desk: Desk) -> None:
        await desk.past(HOURS)
        desk.begin()
        await desk.minutes("o")
        at = desk.figure.at
        desk.node.blind.blind_since = desk.one.clock.now()
        await desk.one.clock.advance(20 * MINUTE)
        assert at == desk.figure.at
        desk.node.blind.blind_since = None
        await desk.one.clock.advance(MINUTE)
        await desk.past("f" * 20)
        await desk.one.clock.advance(MINUTE)
        assert 20 * 60.0 == counted_bad(desk, 0)

    keep(story)


def test_a_journal_that_refuses_is_asked_again_and_ends_nothing(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.begin()
        await desk.one.clock.settle()
        journal = desk.node.journal
        desk.node.journal = SqliteJournal.open(tmp_path / "closed.db")
        await desk.node.journal.close()
        await desk.one.clock.advance(MINUTE)
        desk.node.journal = journal
        await desk.minutes("o")
        assert desk.loop is not None
        assert not desk.loop.done()
        assert 1.0 == desk.figure.ratio
        failures = 'sentinel_failures_total{reason="journal_unavailable"}'
        assert f"{failures} 0.0" not in page(desk)

    keep(story)
