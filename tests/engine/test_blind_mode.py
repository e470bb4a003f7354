"""The journal is away, and somebody is called all the same (rule 33)."""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from sentinel.engine.node import Node, Settings, read_workspace
from sentinel.errors import JournalUnavailable
from sentinel.kinds import Refused
from sentinel.store.journal import Change, InboxRow
from sentinel.store.sqlite import SqliteJournal
from sentinel.testing import KnownSecrets, ManualClock
from sentinel.timeline.site_facts import BlindnessEnded, BlindPageSent
from sentinel.web.app import build
from tests.engine.kernel import START, Scripted
from tests.web.asgi import WORKSPACE, World

HOLDING = WORKSPACE.replace(
    'methods: {push: "env:BO"}', 'methods: {push: "env:BO", mail: "env:BO2"}'
)


class Refusing:
    """A journal that refuses while `away`."""

    def __init__(self, inner: SqliteJournal) -> None:
        self._inner = inner
        self.away = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def _refuse(self) -> None:
        if self.away:
            raise JournalUnavailable("database or disk is full")

    async def transact(self, *args: Any, **keys: Any) -> Any:
        self._refuse()
        return await self._inner.transact(*args, **keys)

    async def view(self, look: Any) -> Any:
        self._refuse()
        return await self._inner.view(look)


def play(folder: Path, score: Callable[[World, Refusing], Awaitable[None]]) -> None:
    async def whole() -> None:
        (folder / "sentinel.yaml").write_text(HOLDING)
        data = folder / ".sentinel"
        data.mkdir()
        journal = Refusing(SqliteJournal.open(":memory:"))
        clock = ManualClock(START)
        notifier = Scripted()
        node = Node(
            Settings(root=folder, data=data, name="node"),
            read_workspace(folder),
            journal=journal,  # type: ignore[arg-type]
            clock=clock,
            secrets=KnownSecrets(),
            notifier=notifier,
            new_id=(f"{number:08d}" for number in itertools.count(1)),
        )
        world = World(node, clock, notifier, _app=build(node))
        await node.start()
        await clock.settle()
        try:
            await score(world, journal)
        finally:
            journal.away = False
            await node.close()

    asyncio.run(whole())


def test_ten_seconds_of_refusal_page_the_fallback_and_who_is_on_call(tmp_path: Path) -> None:
    async def score(world: World, journal: Refusing) -> None:
        journal.away = True
        await world.advance(seconds=9)
        assert world.notifier.to == []
        await world.advance(seconds=8)
        assert sorted(world.notifier.to) == ["env:ANA", "env:BO"]
        assert "journal unavailable, may repeat" in world.notifier.sent[0][1].body
        assert (await world.ask("GET", "/-/ready")).status == 503
        assert (await world.ask("GET", "/-/healthy")).status == 200
        await world.advance(minutes=4)
        assert len(world.notifier.sent) == 2
        await world.advance(minutes=2)
        assert len(world.notifier.sent) == 4

    play(tmp_path, score)


def test_a_refused_method_goes_on_to_the_next(tmp_path: Path) -> None:
    async def score(world: World, journal: Refusing) -> None:
        world.notifier.answers["env:BO"] = Refused("rejected")
        journal.away = True
        await world.advance(seconds=20)
        assert sorted(world.notifier.to) == ["env:ANA", "env:BO", "env:BO2"]

    play(tmp_path, score)


def test_what_was_done_blind_becomes_facts_and_work_goes_on(tmp_path: Path) -> None:
    async def score(world: World, journal: Refusing) -> None:
        journal.away = True
        await world.advance(seconds=20)
        spooled = (tmp_path / ".sentinel" / "blind.spool").read_bytes().rstrip(b"\0")
        assert [json.loads(line)["person"] for line in spooled.splitlines()] == ["bo", "ana"]
        journal.away = False
        await world.advance(seconds=15)
        facts = [r.what for r in await journal.view(lambda view: view.read("site"))]
        pages = [fact.person for fact in facts if isinstance(fact, BlindPageSent)]
        assert sorted(pages) == ["ana", "bo"]
        assert sum(isinstance(fact, BlindnessEnded) for fact in facts) == 1
        assert (await world.ask("GET", "/-/ready")).status == 200
        await world.alert()
        assert world.notifier.to[-1] == "env:ANA"

    play(tmp_path, score)


def test_the_contacts_are_those_of_the_last_reload(tmp_path: Path) -> None:
    async def score(world: World, journal: Refusing) -> None:
        (tmp_path / "sentinel.yaml").write_text(HOLDING.replace("person/bo]}", "person/ana]}"))
        assert (await world.ask("POST", "/-/reload")).status == 200
        written = json.loads((tmp_path / ".sentinel" / "blind.json").read_text())
        assert {row["person"] for row in written["contacts"]} == {"ana"}
        assert (tmp_path / ".sentinel" / "blind.json").stat().st_mode & 0o777 == 0o600

    play(tmp_path, score)


def test_a_full_disk_refuses_and_recovers(tmp_path: Path) -> None:
    """A real file that may not grow: the journal says so as JournalUnavailable, and nothing is torn."""

    async def whole() -> None:
        journal = SqliteJournal.open(tmp_path / "s.db", max_pages=120)
        try:
            refused = 0
            for number in range(200):
                body = {"x": "y" * 20_000}
                try:
                    await journal.transact(
                        [], lambda view, n=number, b=body: (_row(n, b), None), now=START
                    )
                except JournalUnavailable:
                    refused += 1
            assert refused > 0
            waiting = await journal.view(lambda view: view.inbox(10))
            assert len(waiting) == 10
        finally:
            await journal.close()

    asyncio.run(whole())


def _row(number: int, body: Any) -> Change:
    return Change(inbox=[InboxRow(f"r{number:04d}", "alert", body, START)])
