"""The contract of a clock. Rooms never hold one: they are passed `now`.

The live clock is ``engine.wallclock``, the one of tests and rehearsals ``testing.ManualClock``.
"""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits."""

    def now(self) -> datetime:
        """The instant, aware UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump, from an arbitrary start."""
        ...

    async def sleep_until(self, at: datetime) -> None:
        """Return at or after `at`; at once if it is past."""
        ...
