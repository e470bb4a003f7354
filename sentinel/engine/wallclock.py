"""The live clock. Its twin for tests and rehearsals is ``testing.ManualClock``."""

import asyncio
import time
from datetime import UTC, datetime
from functools import partial

LONGEST_SLEEP_S = 30.0
"""A wait is cut into such pieces, so that a wall clock that was set, or a machine that slept, is
noticed within that time."""


class WallClock:
    """The machine's clock, as `sentinel.clock.Clock` promises."""

    now = staticmethod(partial(datetime.now, UTC))
    monotonic = staticmethod(time.monotonic)

    async def sleep_until(self, at: datetime) -> None:
        left_s = (at - self.now()).total_seconds()
        if left_s <= 0:
            await asyncio.sleep(0)
        while left_s > 0:
            await asyncio.sleep(min(left_s, LONGEST_SLEEP_S))
            left_s = (at - self.now()).total_seconds()
