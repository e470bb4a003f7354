"""``/api/v1/objectives`` of a node whose shop was down for three minutes."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from sentinel.engine.objectives import Objectives
from sentinel.store.journal import Change
from sentinel.words import Outcome
from tests.engine.kernel import START
from tests.monitor.builders import a_result
from tests.web.asgi import WORKSPACE, World, play

PROMISED = """
clients:
  acme:
    services:
      checkout: {objective: {availability: 99.9, latency: {under: 800ms, share: 95}}}
      search: {}
probes:
  cart: {client: acme, service: checkout, every: 1m, locations: {from: [eu]}, tcp: {host: shop.test, port: 443}}
locations: {eu: {}}
"""


def test_objectives_are_told_as_they_stand(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        results = [
            a_result(
                Outcome.failed if minute < 3 else Outcome.ok,
                probe="cart",
                location="eu",
                due_at=START - timedelta(minutes=minute + 1),
                duration_s=0.2,
            )
            for minute in range(45)
        ]
        await world.node.journal.transact(
            [], lambda view: (Change(results=results), None), now=START
        )
        world.node.objectives = objectives = Objectives(world.node)  # as after a restart
        reading = asyncio.ensure_future(objectives.run())
        await world.clock.settle()
        reading.cancel()
        found = (await world.ask("GET", "/api/v1/objectives")).json()["objectives"]
        available, quick = found
        assert ("acme", "checkout", "availability", 0.999, 30 * 86400.0) == tuple(
            available[each] for each in ("client", "service", "objective", "share", "window_s")
        )
        assert pytest.approx(42 / 45) == available["ratio"]
        assert pytest.approx(1 - 3 / 43.2) == available["budget_left"]
        assert ["5m", "30m", "1h", "6h", "3d"] == list(available["burn_rates"])
        assert (["fast"], []) == (available["firing"], quick["firing"])
        assert (0.8, 1.0) == (quick["under_s"], quick["ratio"])

    play(tmp_path, score, WORKSPACE + PROMISED)


def test_objectives_are_for_those_we_know(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        world.peer = "192.0.2.7"
        assert 401 == (await world.ask("GET", "/api/v1/objectives")).status

    play(tmp_path, score, WORKSPACE + PROMISED)
