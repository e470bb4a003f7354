"""One node: everything that runs, put together, started in order and ended in order.

Order of a start: the documents are read and refused or accepted; the journal opens; the
catalogue is activated as facts and rows; leases of its own dead predecessor are set free; then the
loops run. A reload replaces the catalogue in one step, or changes nothing and says why.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sentinel import __version__
from sentinel.clock import Clock
from sentinel.engine import links
from sentinel.engine.acting import Acting
from sentinel.engine.activation import activate, free_leases
from sentinel.engine.blind import Blind
from sentinel.engine.collector import settle_collector
from sentinel.engine.deciding import Deciding, Decisions
from sentinel.engine.discovery import Discovering
from sentinel.engine.failpoint import Stage, is_off, warn
from sentinel.engine.folds import Folds, SiteState
from sentinel.engine.objectives import Objectives
from sentinel.engine.performer import Performer
from sentinel.engine.posting import Posting
from sentinel.engine.present import Present
from sentinel.engine.redaction import Redactor, secret_values
from sentinel.engine.responder import Responder, ensure_standing_rows
from sentinel.engine.rota import Rota
from sentinel.engine.upkeep import Upkeep
from sentinel.engine.watcher import Watcher
from sentinel.errors import DocumentsRefused, Failure, JournalUnavailable
from sentinel.kinds import Accepted, Message, Notifier, Secrets
from sentinel.library.catalog import Catalog, load
from sentinel.library.document import Level, Problem
from sentinel.metrics.registry import Metrics, Page
from sentinel.playbook.guard import close_circuit
from sentinel.store.journal import Journal
from sentinel.timeline.facts import Fact
from sentinel.timeline.site_facts import DocumentsRejected
from sentinel.transport.curl import Transport
from sentinel.words import Seconds, Urgency

DEFAULT_URL = "http://127.0.0.1:8800"

log = logging.getLogger("sentinel.node")


@dataclass(frozen=True, slots=True)
class Settings:
    """How a node is started. `data` holds the link key, the spool and, embedded, the store."""

    root: Path
    data: Path
    name: str
    location: str = "local"
    addresses: Mapping[str, str] | None = None
    url: str = ""


class Node:
    """Everything of one node. Make it, `start` it, `close` it; use it from one event loop."""

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        *,
        journal: Journal,
        clock: Clock,
        secrets: Secrets,
        notifier: Notifier,
        new_id: Iterator[str],
    ) -> None:
        self.settings = settings
        self.journal = journal
        self.clock = clock
        self.secrets = secrets
        self.catalog = catalog
        self.reload_refused = False
        self.problems: Sequence[Problem] = ()
        self.link_key = links.load_key(settings.data / "link.key")
        self.metrics = Metrics()
        self.metrics.families.keep_durations(catalog.site.buckets)
        self.transport = Transport()
        self.discovering = self._discovering()
        self.discovering.adopt(catalog.discoveries)
        self.present = Present(self._policy(catalog))
        self.decisions = Decisions(journal, clock, self.present, Folds())
        probes = self.present.policy.probes.values()
        self.redactor = redactor = Redactor(self._secret_values())
        self.watcher = Watcher(
            probes=() if is_off(Stage.checks) else probes,
            location=settings.location,
            journal=journal,
            clock=clock,
            transport=self.transport,
            secrets=secrets,
            metrics=self.metrics,
            redactor=redactor,
            on_journal=lambda ok: self._on_journal("watcher", ok=ok),
            hear=self.transport.hear,
        )
        self.responder = Responder(
            self.decisions,
            new_id,
            on_failure=self._on_failure,
            on_success=lambda: self._on_journal("responder", ok=True),
        )
        self.posting = Posting(self.present, notifier, clock, self.link_key)
        self.performer = self._performer(redactor)
        self.blind = Blind(
            settings.data, clock, notifier, on_blind=self._on_blind, seen=self._failing
        )
        self.upkeep = Upkeep(self)
        self.objectives = Objectives(self)
        self.rota = Rota(self.decisions, notifier)
        self._notifier = notifier
        self._loops: list[asyncio.Task[None]] = []
        self._site: SiteState | None = None
        self._reloading = asyncio.Lock()
        self.failed: asyncio.Future[None] | None = None

    def _discovering(self) -> Discovering:
        return Discovering(
            folder=self.settings.root,
            data=self.settings.data,
            clock=self.clock,
            transport=self.transport,
            secrets=self.secrets,
            metrics=self.metrics,
            on_changed=self._on_discovered,
        )

    def _performer(self, redactor: Redactor) -> Performer:
        acting = Acting(
            clock=self.clock,
            transport=self.transport,
            secrets=self.secrets,
            redactor=redactor,
            folder=self.settings.root,
            check=self._check,
        )
        return Performer(
            self.decisions,
            self.settings.name,
            self.posting,
            acting,
            on_sent=lambda outcome: self.metrics.pages.labels(outcome).inc(),
            on_step=lambda outcome: self.metrics.steps.labels(outcome).inc(),
            on_journal=lambda ok: self._on_journal("performer", ok=ok),
        )

    @property
    def url(self) -> str:
        """Where people reach this node."""
        return self.present.policy.url

    def _policy(self, catalog: Catalog) -> Any:
        url = self.settings.url or catalog.policy.url or DEFAULT_URL
        probes = {**self.discovering.probes(), **catalog.policy.probes}
        return replace(catalog.policy, url=url.rstrip("/"), probes=probes)

    def _secret_values(self) -> frozenset[str]:
        """Of all documents: what an action or a message sends may come back as well."""
        policy = self.present.policy
        acting = (policy.playbooks, policy.people, policy.escalations, policy.fallback)
        elsewhere = (self.catalog.site, self.catalog.vendors, self.catalog.discoveries)
        return secret_values((*policy.probes.values(), *acting, *elsewhere), self.secrets)

    async def start(self) -> None:
        """Activate the documents and begin. Raises JournalUnavailable, StoreTooNew."""
        warn()
        self.failed = asyncio.get_running_loop().create_future()
        self.transport.start()
        await activate(self.decisions, self.catalog, node=self.settings.name, version=__version__)
        await free_leases(self.decisions, node=self.settings.name)
        await self.decisions.run([], ensure_standing_rows)
        await self.blind.catch_up(self.decisions)
        await self.site()
        await self.blind.rewrite(self.decisions)
        self.journal.woken(self._woken)
        self.metrics.reload_ok.set(1)
        self.metrics.reload_at.set(self.clock.now().timestamp())
        settle_collector()
        loops = (
            self.watcher.run,
            self.responder.run,
            self.performer.run,
            self.upkeep.run,
            self.discovering.run,
            self.objectives.run,
        )
        self._loops = [asyncio.ensure_future(self._kept(loop)) for loop in loops]

    async def _kept(self, loop: Callable[[], Awaitable[None]]) -> None:
        """A loop that ends by an error of ours ends the node: nothing is worse than half of one."""
        try:
            await loop()
        except asyncio.CancelledError:
            raise
        except BaseException as broken:
            log.exception("a loop ended", extra={"loop": loop.__qualname__})
            if self.failed is not None and not self.failed.done():
                self.failed.set_exception(broken)

    def _woken(self) -> None:
        self.responder.wake()
        self.performer.wake()

    async def close(self) -> None:
        """End the loops, then what they used. What was committed stays; what was not is redone."""
        self.watcher.stop()
        for loop in self._loops[1:]:
            loop.cancel()
        for loop in self._loops:
            with suppress(asyncio.CancelledError):
                await loop
        await self.rota.close()
        await self.transport.close()
        await self.journal.close()
        if self.failed is not None and not self.failed.done():
            self.failed.cancel()

    def unready(self) -> str:
        """Why this node is not ready; "" when it is."""
        if not self._loops:
            return "starting"
        if self.blind.blind_since is not None:
            return "the journal is unavailable"
        return ""

    async def reload(self) -> Sequence[Problem]:
        """Read the workspace again and activate it; with errors the old one stays (rule 34), and
        also when it cannot be recorded. Raises JournalUnavailable."""
        async with self._reloading:
            loaded = await asyncio.to_thread(
                load, self.settings.root, addresses=self.settings.addresses
            )
            self.problems = loaded.problems
            self.reload_refused = loaded.catalog is None
            self.metrics.reload_ok.set(0 if self.reload_refused else 1)
            if loaded.catalog is None:
                errors = [p for p in loaded.problems if p.level is Level.error]
                log.error("the reload was refused", extra={"problems": len(errors)})
                text = {"problems": "\n".join(str(problem) for problem in errors[:50])}
                fact = Fact(DocumentsRejected(len(errors)), self.clock.now(), text)
                await self.append("site", fact)
                return loaded.problems
            try:
                await self._activate(loaded.catalog)
            except Failure:
                self.reload_refused = True
                self.metrics.reload_ok.set(0)
                raise
            return loaded.problems

    async def _activate(self, catalog: Catalog) -> None:
        changed = await activate(
            self.decisions, catalog, node="", version=__version__, before=self.catalog
        )
        self.catalog = catalog
        self.discovering.adopt(catalog.discoveries)
        self._apply_policy()
        await self.blind.rewrite(self.decisions)
        self.metrics.reload_at.set(self.clock.now().timestamp())
        settle_collector()
        await self.rota.tell(changed)

    def _apply_policy(self) -> None:
        """Watch, and decide by, what is declared and discovered now."""
        self.present.activate(self._policy(self.catalog))
        self.metrics.families.keep_durations(self.catalog.site.buckets)
        self.redactor.know(self._secret_values())
        self.watcher.apply(self.present.policy.probes.values())

    async def _on_discovered(self) -> None:
        """Other probes were discovered. They are no documents: no fact, no row says so."""
        async with self._reloading:
            self._apply_policy()

    async def append(self, stream: str, fact: Fact) -> None:
        """One fact of a stream beside incidents."""
        await self.decisions.run([stream], lambda deciding: deciding.append(stream, fact))

    async def allow(self, playbook: str, by: str) -> int:
        """Close the circuits of a playbook's guards: a person lets it act again; how many were open."""

        def body(deciding: Deciding) -> int:
            closed = 0
            for name in sorted(deciding.streams):
                for fact in close_circuit(deciding.overlay.guard(name), by=by, now=deciding.now):
                    deciding.append(name, fact)
                    closed += 1
            return closed

        return await self.decisions.planned(
            lambda overlay: list(overlay.view.streams(f"guard/{playbook}/")), body
        )

    async def site(self) -> SiteState:
        """The kill switch, the catalogue in force, the tokens; as last known while the journal is
        away, so that metrics can be scraped then. Raises JournalUnavailable when never known."""
        try:
            self._site = await self.decisions.look(lambda overlay: overlay.site())
        except JournalUnavailable:
            if self._site is None:
                raise
        return self._site

    def names(self) -> dict[str, str]:
        """People's names by id, for stories."""
        return {person.id: person.name for person in self.present.policy.people.values()}

    async def exposition(self, accept: str, encodings: str) -> Page:
        """The page for a scrape, made between checks."""
        return await self.metrics.exposition_in_turns(accept, encodings)

    async def page_test(self, person: str) -> list[dict[str, str]]:
        """Send a marked test page by every method of a person; what each came to."""
        declared = self.present.policy.people[person]
        text = f"Test page for {declared.name} from Sentinel. Nothing is wrong; do nothing."
        message = Message(f"[TEST] {text}", text, text[:160], "test", self.url, Urgency.high)
        sent = []
        for method, address in declared.methods.items():
            outcome = await self._notifier.send(address, message, deadline_s=Seconds(10.0))
            reason = "" if isinstance(outcome, Accepted) else outcome.reason
            sent.append(
                {"method": method, "came_to": type(outcome).__name__.lower(), "reason": reason}
            )
        return sent

    async def _check(self, probe: str) -> Mapping[str, Any]:
        _, result = await self.watcher.check_now(probe)
        return {
            "outcome": result.outcome.value,
            "reason": result.reason,
            "text": result.text,
            "duration_s": result.duration_s,
            "values": {name: v for each in result.judged for name, v in each.actual.items()},
        }

    def _failing(self) -> list[str]:
        """What the watcher sees failing, from memory: the journal may be away."""
        return self.watcher.failing()

    def _on_journal(self, part: str, *, ok: bool) -> None:
        if ok:
            self.blind.answered(part)
        else:
            self.blind.refused(part)

    def _on_failure(self, failure: Failure) -> None:
        self.metrics.failures.labels(failure.reason.value).inc()
        if failure.retryable:
            self.blind.refused("responder")

    def _on_blind(self, blind: bool) -> None:
        """While blind no step starts (rule 33)."""
        self.performer.paused = blind
        self.performer.wake()


def read_workspace(root: Path, addresses: Mapping[str, str] | None = None) -> Catalog:
    """The catalogue of a workspace. Raises DocumentsRefused with every problem."""
    loaded = load(root, addresses=addresses)
    if loaded.catalog is None:
        raise DocumentsRefused(loaded.problems)
    return loaded.catalog
