"""For tests and rehearsals, ours and those of plug-in authors: a clock turned by hand, and
secrets from a dictionary.

    clock = ManualClock(datetime(2026, 3, 2, 9, 0, tzinfo=UTC))
    waiting = asyncio.create_task(my_loop(clock))
    await clock.advance(timedelta(minutes=5))     # everything due in between has happened
"""

import asyncio
import heapq
import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sentinel.errors import SecretMissing
from sentinel.words import Secret

_ROUNDS = 25
_MAX_TURNS = 100_000
_MAX_WAITS = 20_000
_REFERENCE = re.compile(r"\{((?:env|file):[^{}]+)\}")


def _never() -> bool:
    return False


class ManualClock:
    """A ``clock.Clock`` that stands still until `advance` moves it.

    Whoever sleeps is woken at exactly the instant they asked for, in the order of those
    instants (ties in the order of asking), and the event loop is given its turns in between
    until nothing more happens, so a run is the same every time. `busy` says whether work is
    still under way elsewhere, in a journal's thread for instance
    (``ManualClock(start, busy=lambda: journal.busy)``): the clock then waits, in real time
    and at most 20 s, before it goes on. Use it from one event loop only.
    """

    def __init__(self, start: datetime | None = None, *, busy: Callable[[], bool] = _never) -> None:
        """`start` is aware UTC; without it 2026-01-01 00:00."""
        self._start = start if start is not None else datetime(2026, 1, 1, tzinfo=UTC)
        self._now = self._start
        self._busy = busy
        self._order = itertools.count()
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        """The instant, aware UTC."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since the start."""
        return (self._now - self._start).total_seconds()

    async def sleep_until(self, at: datetime) -> None:
        """Return once `advance` has reached `at`; at once if it is past."""
        if at <= self._now:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (at, next(self._order), woken))
        await woken

    @property
    def next_at(self) -> datetime | None:
        """When the next sleeper wakes; None when nobody sleeps."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    async def advance(self, span: timedelta) -> None:
        """Move on by `span`, stopping at every instant somebody sleeps until. Raises ValueError for
        a negative span and TimeoutError when work elsewhere does not end."""
        if span < timedelta(0):
            raise ValueError(f"a clock does not go back: {span}")
        await self.advance_to(self._now + span)

    async def advance_to(self, at: datetime) -> None:
        """Move on to an instant, as `advance` does. One that is past changes nothing."""
        await self.settle()
        for _ in range(_MAX_WAITS * 100):
            upcoming = self.next_at
            if upcoming is None or upcoming > at:
                break
            self._now = max(self._now, upcoming)
            self._wake_one()
            await self.settle()
        self._now = max(self._now, at)
        await self.settle()

    async def settle(self) -> None:
        """Give everybody their turn until nothing more happens at this instant."""
        for _ in range(_MAX_WAITS):
            await _until_quiet()
            if not self._busy():
                return
            await asyncio.sleep(0.001)
        raise TimeoutError("work elsewhere did not end within 20 s")

    def _wake_one(self) -> None:
        _, _, woken = heapq.heappop(self._sleepers)
        if not woken.done():
            woken.set_result(None)


async def _until_quiet() -> None:
    """Until nobody has a turn waiting, twice in a row, so that sockets are looked at in between.

    asyncio's own loops tell how many turns wait, by an attribute that is not public; for
    another loop a fixed number of turns is given.
    """
    waiting = getattr(asyncio.get_running_loop(), "_ready", None)
    quiet = 0
    for turn in range(_MAX_TURNS):
        await asyncio.sleep(0)
        quiet = quiet + 1 if waiting is not None and not waiting else 0
        if quiet == 2 or (waiting is None and turn == _ROUNDS):
            return


@dataclass(frozen=True, slots=True)
class KnownSecrets:
    """``kinds.Secrets`` from a dictionary: ``KnownSecrets({"env:TOKEN": "s3cret"})``.

    Keys are references as documents write them, ``env:NAME`` or ``file:PATH``.
    """

    values: Mapping[str, str] = field(default_factory=dict, repr=False)

    def reveal(self, secret: Secret) -> str:
        """The template with every reference replaced. Raises SecretMissing for one not in `values`."""
        if secret.template.startswith(("env:", "file:")):
            return self._value(secret.template)
        return _REFERENCE.sub(lambda found: self._value(found[1]), secret.template)

    def _value(self, reference: str) -> str:
        try:
            return self.values[reference]
        except KeyError:
            raise SecretMissing(f"{reference} is not set") from None
