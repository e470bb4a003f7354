"""Readers: a few threads, each with a connection of its own, so that no view waits for a commit."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sentinel.errors import JournalUnavailable
from sentinel.store.sql import Conflict, ConnectionLost, Link, Sql, Unreachable

T = TypeVar("T")


class Readers:
    """`look`s run on up to `threads` connections. A connection that failed is opened anew."""

    def __init__(self, open_link: Callable[[], Link], *, threads: int, name: str) -> None:
        self._open_link = open_link
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._own = threading.local()
        self._links: list[Link] = []
        self._guard = threading.Lock()
        self._open = True

    async def look(self, look: Callable[[Sql], T]) -> T:
        """What `look` returns or raises. Raises JournalUnavailable when the store does not answer."""
        if not self._open:
            raise JournalUnavailable("the journal is closed")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._look, look)

    async def stop(self) -> None:
        """Finish what runs, then close the connections."""
        self._open = False
        await asyncio.to_thread(self._pool.shutdown)
        for link in self._links:
            link.close()
        self._links.clear()

    def _look(self, look: Callable[[Sql], T]) -> T:
        try:
            link = self._begun()
            try:
                return look(link)
            finally:
                link.roll_back()
        except (Unreachable, Conflict) as refused:
            self._drop()
            raise JournalUnavailable(str(refused)) from refused

    def _begun(self) -> Link:
        link = self._linked()
        try:
            link.begin_reading()
        except ConnectionLost:  # while it was idle; once more on a new one
            self._drop()
            link = self._linked()
            link.begin_reading()
        return link

    def _linked(self) -> Link:
        link: Any = getattr(self._own, "link", None)
        if link is None:
            link = self._own.link = self._open_link()
            with self._guard:
                self._links.append(link)
        found: Link = link
        return found

    def _drop(self) -> None:
        link: Any = getattr(self._own, "link", None)
        if link is not None:
            self._own.link = None
            with self._guard:
                self._links.remove(link)
            link.close()
