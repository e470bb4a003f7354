"""Every socket of a node in one private epoll set, which the event loop watches through one fd.

A wake-up of the loop is the dearest part of a short conversation, so there is one for all
sockets that are ready, whether they are libcurl's (`transport.poller`) or our own; and the
deadlines of all of them share one timer. The set's sockets are watched level by level: a
callback that leaves bytes unread is called again.

Three layers, to be used as low as needed:

* `watch`, `drop`, `at`, `forget`: callbacks, for what must be cheap;
* `readable`, `writable`: one wait with a deadline, for a coroutine;
* `transport.dial` and `transport.lookup`, for connections to a name.
"""

import asyncio
import heapq
import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress

Ready = Callable[[int], None]
"""Told the epoll mask of a socket that is ready. It may be called once too often, so that what it
does must not block and must take a BlockingIOError for "not yet"."""

Expired = Callable[[], None]
"""Called once, when its deadline has passed."""

READ = select.EPOLLIN
WRITE = select.EPOLLOUT
FAILED = select.EPOLLERR | select.EPOLLHUP
"""Told whether it was asked for or not."""

_BATCH = 256
"""Sockets served per wake-up; the rest wakes the loop again at once."""

_SLOTS_PER_S = 250
"""Deadlines are kept in slots of this many to the second: none is called early, and none more
than 4 ms late."""


class Sockets:
    """The set. Belongs to one running loop, from its making to `close`."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._epoll = select.epoll()
        self._watched: dict[int, Ready] = {}
        self._kept: set[socket.socket] = set()
        self._fresh: set[int] = set()
        """Watched since the present batch was polled: what the batch says of these numbers is
        about sockets that are closed by now."""
        self._later: list[Callable[[], None]] = []
        self._slots: dict[int, set[Expired]] = {}
        self._order: list[int] = []
        self._passed: set[Expired] = set()
        """What is being called now."""
        self.closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._loop.add_reader(self._epoll.fileno(), self.hear)

    def __len__(self) -> int:
        """How many sockets are watched now."""
        return len(self._watched)

    @property
    def kept(self) -> int:
        """How many open sockets were given to `keep`."""
        return len(self._kept)

    # Readiness

    def watch(self, fd: int, mask: int, ready: Ready) -> None:
        """Call `ready` whenever the socket can do what `mask` names (`READ`, `WRITE` or both), has
        failed or was hung up. Watching again replaces mask and callback."""
        try:
            if fd in self._watched:
                self._epoll.modify(fd, mask)
            else:
                self._epoll.register(fd, mask)
        except FileNotFoundError:  # closed by its owner, and the number is another socket's now
            self._epoll.register(fd, mask)
        except FileExistsError:
            self._epoll.modify(fd, mask)
        self._watched[fd] = ready
        self._fresh.add(fd)

    def tell(self, fd: int, ready: Ready) -> None:
        """From now on call `ready` for what it is watched for already."""
        self._watched[fd] = ready
        self._fresh.add(fd)

    def leave(self, fd: int) -> None:
        """Watch it no more; it stays open. Twice is once."""
        if self._watched.pop(fd, None) is not None and not self.closed:
            with suppress(OSError):  # closed before: the kernel has taken it from the set
                self._epoll.unregister(fd)

    def keep(self, own: socket.socket) -> None:
        """Close it with the set, where nobody has before."""
        self._kept.add(own)

    def drop(self, own: socket.socket) -> None:
        """Watch it no more and close it: the kernel takes a closed socket from the set by itself,
        which saves a call. Twice is once."""
        self._watched.pop(own.fileno(), None)
        self._kept.discard(own)
        own.close()

    def afterwards(self, call: Callable[[], None]) -> None:
        """Call it once when all sockets of the present wake-up were served. Only within a callback."""
        self._later.append(call)

    # Deadlines

    def at(self, deadline: float, expired: Expired) -> None:
        """Call `expired` when the monotonic clock has reached the finite `deadline` (at most 4 ms
        later), unless it is forgotten before. To ask twice for the same pair is to ask once."""
        slot = int(deadline * _SLOTS_PER_S) + 1
        waiting = self._slots.get(slot)
        if waiting is not None:
            waiting.add(expired)
            return
        self._slots[slot] = {expired}
        heapq.heappush(self._order, slot)
        if self._order[0] == slot:
            self._arm(slot)

    def forget(self, deadline: float, expired: Expired) -> None:
        """Do not call it. What `at` was told must be told again; twice is once."""
        waiting = self._slots.get(int(deadline * _SLOTS_PER_S) + 1)
        if waiting is not None:  # an emptied slot stays until its time: deadlines are mostly alike
            waiting.discard(expired)
        if self._passed:
            self._passed.discard(expired)

    # Waiting in a coroutine

    async def readable(self, own: socket.socket, deadline: float) -> bool:
        """Wait until it can be read, was closed by its peer or has failed; False when the deadline
        came first. Nothing else may watch it meanwhile, and nothing watches it afterwards."""
        return await self._wait(own.fileno(), READ, deadline)

    async def writable(self, own: socket.socket, deadline: float) -> bool:
        """The same, until it can be written, which for a connection also means: until it is one."""
        return await self._wait(own.fileno(), WRITE, deadline)

    async def _wait(self, fd: int, mask: int, deadline: float) -> bool:
        if self.closed or deadline <= time.monotonic():
            return False
        future: asyncio.Future[bool] = self._loop.create_future()
        wait = _Wait(future)
        self.watch(fd, mask, wait.ready)
        self.at(deadline, wait.expired)
        try:
            return await future
        finally:
            self.forget(deadline, wait.expired)
            self.leave(fd)

    def close(self) -> None:
        """Leave the loop. Everybody who waits is told that the deadline has come: `closed` says
        why."""
        if self.closed:
            return
        self.closed = True
        for waiting in self._slots.values():
            self._passed |= waiting
        while self._passed:
            self._passed.pop()()
        for own in self._kept:
            own.close()
        self._kept.clear()
        self._loop.remove_reader(self._epoll.fileno())
        if self._timer is not None:
            self._timer.cancel()
        self._watched.clear()
        self._slots.clear()
        self._order.clear()
        self._epoll.close()

    def hear(self) -> None:
        """Serve the sockets that are ready now; the loop calls it whenever there are some. To be
        called by the loop alone, as a callback."""
        self._fresh.clear()
        try:
            for fd, mask in self._epoll.poll(0, _BATCH):
                ready = self._watched.get(fd)
                if ready is not None and fd not in self._fresh:
                    ready(mask)
        finally:
            if self._later:
                later, self._later = self._later, []
                for call in later:
                    call()

    def _arm(self, slot: int) -> None:
        """A timer that is armed too early is left alone and armed again when it fires: cancelled
        timers would fill the loop's own heap."""
        due = slot / _SLOTS_PER_S
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        now = int(time.monotonic() * _SLOTS_PER_S)
        order, slots = self._order, self._slots
        while order and (order[0] <= now or not slots[order[0]]):
            self._passed |= slots.pop(heapq.heappop(order))
        if order:
            self._arm(order[0])
        while self._passed:
            self._passed.pop()()


class _Wait:
    """A coroutine that waits for one socket. What is told to one that was cancelled is lost."""

    __slots__ = ("_future",)

    def __init__(self, future: "asyncio.Future[bool]") -> None:
        self._future = future

    def ready(self, _mask: int) -> None:
        if not self._future.done():
            self._future.set_result(True)

    def expired(self) -> None:
        if not self._future.done():
            self._future.set_result(False)
