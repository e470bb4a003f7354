"""Lists of addresses are read again and again, and their probes come and go without a reload.

A list that cannot be read, or makes no sense, changes nothing: the last one is kept, also over a
restart (``discovered.json`` in the folder of the store), and metrics and the log say so. Nobody
is paged by a list that came back empty: its probes end with reason ``probe_removed``, as they
would at a reload. Lists are fetched side by side.
"""

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sentinel.clock import Clock
from sentinel.engine.lists import ListUnread, read_list
from sentinel.errors import Failure, SecretMissing
from sentinel.kinds import Secrets
from sentinel.library.discovery import Found, ListRefused, read_found
from sentinel.library.expanding import Discovery, Expanded, expanded
from sentinel.library.matrices import MOST
from sentinel.metrics.registry import Metrics
from sentinel.monitor.probe import Probe
from sentinel.transport.curl import Transport

FILE = "discovered.json"
IDLE = timedelta(hours=1)
"""How long to sleep where nothing is declared; `adopt` ends it."""
_SHOWN = 5

log = logging.getLogger("sentinel.discovery")


@dataclass(slots=True)
class _Known:
    """What is known of one declaration: the last good list, what came of it, and how it goes."""

    discovery: Discovery
    found: Sequence[Found]
    expanded: Expanded
    due_at: datetime
    error: str = ""


class Discovering:
    """Reads the lists of a catalogue. Used from one event loop."""

    def __init__(
        self,
        *,
        folder: Path,
        data: Path,
        clock: Clock,
        transport: Transport,
        secrets: Secrets,
        metrics: Metrics,
        on_changed: Callable[[], Awaitable[None]],
    ) -> None:
        """`folder` is the workspace, `data` where the last lists are kept. `on_changed` is awaited
        after `probes` became others."""
        self._folder = folder
        self._kept = data / FILE
        self._clock = clock
        self._transport = transport
        self._secrets = secrets
        self._metrics = metrics
        self._on_changed = on_changed
        self._known: dict[str, _Known] = {}
        self._adopted = asyncio.Event()

    def probes(self) -> dict[str, Probe]:
        """The probes of all lists by id. Of two with one id the first declaration's counts."""
        found: dict[str, Probe] = {}
        for known in self._known.values():
            for id, probe in known.expanded.probes.items():
                found.setdefault(id, probe)
        return found

    def adopt(self, discoveries: Mapping[str, Discovery]) -> None:
        """Go on with these declarations; the last list of each is kept, and read again at once."""
        stored = self._stored() if not self._known else {}
        before, self._known = self._known, {}
        now = self._clock.now()
        for id, discovery in discoveries.items():
            known = before.get(id)
            found = known.found if known is not None else stored.get(id, ())
            self._known[id] = _Known(discovery, found, expanded(discovery, found), now)
            self._show(self._known[id])
        for id in before.keys() - discoveries.keys():
            self._metrics.forget_discovery(id)
        self._adopted.set()

    async def run(self) -> None:
        """Read every list when it is due, for ever."""
        while True:
            self._adopted.clear()
            now = self._clock.now()
            due = [known for known in self._known.values() if known.due_at <= now]
            changed = await asyncio.gather(*(self._look(known) for known in due))
            if any(changed):
                await self._apply()
            if not self._adopted.is_set():
                await self._rest()

    async def _rest(self) -> None:
        """Until the next list is due, or other declarations were adopted."""
        wake_at = min(
            (known.due_at for known in self._known.values()), default=self._clock.now() + IDLE
        )
        waits = [
            asyncio.ensure_future(self._clock.sleep_until(wake_at)),
            asyncio.ensure_future(self._adopted.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _apply(self) -> None:
        """Keep the lists, and have the probes watched. A disk that is full keeps nobody from it."""
        try:
            await asyncio.to_thread(self._store)
        except OSError as error:
            log.error("the lists cannot be kept", extra={"error": str(error)})
        try:
            await self._on_changed()
        except Failure as failure:
            log.error("discovered probes wait", extra={"reason": failure.reason.value})

    # ------------------------------------------------------------------------------- one list

    async def _look(self, known: _Known) -> bool:
        """Read a list; whether other probes come of it."""
        discovery = known.discovery
        known.due_at = self._clock.now() + timedelta(seconds=discovery.every_s)
        try:
            found = await read_list(
                discovery, folder=self._folder, transport=self._transport, secrets=self._secrets
            )
        except (ListUnread, ListRefused, SecretMissing) as error:
            if str(error) != known.error:
                log.warning(
                    "a list could not be read, its last one is kept",
                    extra={"probe": discovery.id, "error": str(error), "kept": len(known.found)},
                )
            known.error = str(error)
            self._metrics.discovery_up.labels(discovery.id).set(0)
            return False
        known.error = ""
        at = self._clock.now().timestamp()
        self._metrics.discovery_read_at.labels(discovery.id).set(at)
        if list(found) == list(known.found):
            self._show(known, up=True)
            return False
        new = await asyncio.to_thread(expanded, discovery, found)
        _tell(discovery, known.expanded, new)
        known.found, known.expanded = found, new
        self._show(known, up=True)
        return True

    def _show(self, known: _Known, *, up: bool | None = None) -> None:
        id = known.discovery.id
        self._metrics.discovery_probes.labels(id).set(len(known.expanded.probes))
        self._metrics.discovery_left_out.labels(id).set(len(known.expanded.left_out))
        if up is not None:
            self._metrics.discovery_up.labels(id).set(up)

    # ------------------------------------------------------------------------ over a restart

    def _store(self) -> None:
        """Write the lists; whole or not at all."""
        content = json.dumps(
            {
                id: [{"targets": [f.address], "labels": dict(f.labels)} for f in known.found]
                for id, known in self._known.items()
            }
        )
        new = self._kept.with_suffix(".new")
        new.write_text(content)
        os.replace(new, self._kept)

    def _stored(self) -> dict[str, list[Found]]:
        """The lists as they were kept; a file that cannot be read is as none."""
        try:
            lists: dict[str, Any] = json.loads(self._kept.read_bytes())
            return {
                id: read_found(json.dumps(groups).encode(), most=MOST)
                for id, groups in lists.items()
            }
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError, ListRefused) as error:
            log.error("the kept lists are unreadable", extra={"error": str(error)})
            return {}


def _tell(discovery: Discovery, before: Expanded, after: Expanded) -> None:
    log.info(
        "a list changed",
        extra={
            "probe": discovery.id,
            "added": len(after.probes.keys() - before.probes.keys()),
            "removed": len(before.probes.keys() - after.probes.keys()),
            "probes": len(after.probes),
        },
    )
    if after.left_out:
        log.warning(
            "addresses were left out",
            extra={
                "probe": discovery.id,
                "left_out": len(after.left_out),
                "first": list(after.left_out[:_SHOWN]),
            },
        )
