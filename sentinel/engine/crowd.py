"""Many checks a second share wake-ups: after each rest a processor has to find everything anew.

A check that ends is read at once while there are few. From `CROWD` a second on, those that end
within `TOGETHER` are read one after another: a check's measurements are taken by then, its next slot
is long known, and code that runs ten times in a row finds its instructions and data where it left
them. What a probe that is pending or recovering came to is read at once: a page may wait for it.

Starts share a wake-up too, so many that `SHARED` of them come together, or as many as come in
`SHORTEST`, and none further apart than `LONGEST`; at a thousand checks a second a wake-up of its own
would cost a check a third more. A wake-up lies in the middle of what it serves: half of its checks
start a little late, half a little early.
"""

from datetime import datetime, timedelta

CROWD = 20
TOGETHER = timedelta(milliseconds=20)
SOON = TOGETHER / 2
"""A wake-up that comes so soon after the reading is due serves for it, too."""
SHARED = 7
"""More would save little, and each check's own times count what is done for the others."""
LONGEST = timedelta(milliseconds=100)
SHORTEST = timedelta(milliseconds=24)
_SECOND = timedelta(seconds=1)


class Crowd:
    """Whether checks end so often that they are better read together: from `CROWD` in a second,
    told anew each second. `apart` is how far wake-ups are from one another, and `early` how long
    before it is due a check may start."""

    def __init__(self) -> None:
        self._until: datetime | None = None
        self._count = 0
        self.here = False
        self.apart = self.early = timedelta(0)

    def count(self, now: datetime) -> bool:
        """One more ended now; whether that is a crowd."""
        self._count += 1
        if self._until is None or now >= self._until:
            self.here = self._until is not None and self._count >= CROWD
            shared = min(SHARED * _SECOND / self._count, LONGEST)
            self.apart = max(shared, SHORTEST) if self.here else timedelta(0)
            self.early = self.apart / 2
            self._until, self._count = now + _SECOND, 0
        return self.here
