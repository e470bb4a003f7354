"""The clock turned by hand, and secrets from a dictionary."""

import asyncio
import threading
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sentinel.clock import Clock
from sentinel.errors import SecretMissing
from sentinel.store.journal import Change
from sentinel.store.sqlite import SqliteJournal
from sentinel.testing import KnownSecrets, ManualClock
from sentinel.words import Secret

START = datetime(2026, 11, 22, 2, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 30))


def test_the_clock_stands_still_until_it_is_moved() -> None:
    async def story() -> None:
        clock: Clock = ManualClock(START)
        assert (clock.now(), clock.monotonic()) == (START, 0.0)
        await asyncio.sleep(0.01)
        assert (clock.now(), clock.monotonic()) == (START, 0.0)

    run(story())


def test_sleepers_wake_in_order_at_exactly_their_instants() -> None:
    async def story() -> None:
        clock = ManualClock(START)
        woken: list[tuple[str, float]] = []

        async def sleeper(name: str, *spans: int) -> None:
            for span in spans:
                await clock.sleep_until(clock.now() + span * SECOND)
                woken.append((name, clock.monotonic()))

        tasks = [
            asyncio.create_task(sleeper("a", 5, 5)),
            asyncio.create_task(sleeper("b", 3, 4, 100)),
            asyncio.create_task(sleeper("c", 5)),
        ]
        await clock.advance(10 * SECOND)
        assert woken == [("b", 3.0), ("a", 5.0), ("c", 5.0), ("b", 7.0), ("a", 10.0)]
        assert clock.monotonic() == 10.0
        assert clock.next_at == START + 107 * SECOND
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert clock.next_at is None

    run(story())


def test_sleeping_until_the_past_returns_at_once() -> None:
    async def story() -> None:
        clock = ManualClock(START)
        await clock.sleep_until(START - SECOND)
        assert clock.now() == START

    run(story())


def test_the_clock_never_goes_back() -> None:
    async def story() -> None:
        clock = ManualClock(START)
        with pytest.raises(ValueError, match="go back"):
            await clock.advance(-SECOND)
        await clock.advance_to(START - SECOND)
        assert clock.now() == START

    run(story())


def test_the_clock_waits_for_a_journals_thread_before_it_goes_on(tmp_path: Path) -> None:
    async def story() -> None:
        journal = SqliteJournal.open(tmp_path / "store.db")
        clock = ManualClock(START, busy=lambda: journal.busy)
        committed: list[float] = []
        slow = threading.Event()

        async def loop() -> None:
            for _ in range(3):
                await clock.sleep_until(clock.now() + SECOND)
                await journal.transact([], lambda _: (Change(), slow.wait(0.02)), now=clock.now())
                committed.append(clock.monotonic())

        task = asyncio.create_task(loop())
        await clock.advance(10 * SECOND)
        assert committed == [1.0, 2.0, 3.0]
        await task
        await journal.close()

    run(story())


def test_known_secrets_replace_references_and_nothing_else() -> None:
    secrets = KnownSecrets({"env:TOKEN": "t0k", "file:/run/x": "from file"})
    revealed = [
        secrets.reveal(Secret(template))
        for template in ("env:TOKEN", "file:/run/x", "mailto://u:{env:TOKEN}@h/{x}", "plain")
    ]
    assert revealed == ["t0k", "from file", "mailto://u:t0k@h/{x}", "plain"]


def test_a_missing_secret_is_named_and_no_value_is_shown() -> None:
    secrets = KnownSecrets({"env:TOKEN": "t0k"})
    with pytest.raises(SecretMissing, match="env:OTHER"):
        secrets.reveal(Secret("x{env:OTHER}"))
    assert "t0k" not in repr(secrets)
