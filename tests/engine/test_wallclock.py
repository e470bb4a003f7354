"""The live clock keeps the contract of `sentinel.clock.Clock`."""

import asyncio
from datetime import UTC, timedelta

from sentinel.engine.wallclock import WallClock


def test_it_tells_aware_utc_and_a_monotonic_that_never_goes_back():
    clock = WallClock()
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()


def test_it_returns_at_or_after_the_instant_and_at_once_when_that_is_past():
    clock = WallClock()

    async def wait() -> None:
        until = clock.now() + timedelta(milliseconds=30)
        await clock.sleep_until(until)
        assert clock.now() >= until
        async with asyncio.timeout(5):
            await clock.sleep_until(clock.now() - timedelta(days=1))

    asyncio.run(wait())
