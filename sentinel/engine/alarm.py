"""A loop's rest: until an instant, or until somebody says that there may be something to do."""

import asyncio
from datetime import datetime

from sentinel.clock import Clock


class Alarm:
    """Ring it from the event loop that rests on it; a ring before the rest ends that rest at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """There may be something to do."""
        self._rung.set()

    async def rest_until(self, at: datetime) -> None:
        """Return at `at`, or when rung."""
        sleep = asyncio.ensure_future(self._clock.sleep_until(at))
        rung = asyncio.ensure_future(self._rung.wait())
        try:
            await asyncio.wait({sleep, rung}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            rung.cancel()
            self._rung.clear()
