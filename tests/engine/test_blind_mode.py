"""The journal is away, and somebody is called all the same (rule 33)."""

import asyncio
import itertools
import json
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from sentinel.engine.blind import Blind
from sentinel.engine.node import Node, Settings, read_workspace
from sentinel.errors import JournalUnavailable
from sentinel.incident import commands as cmd
from sentinel.kinds import Refused
from sentinel.store.journal import Change
from sentinel.store.sqlite import SqliteJournal
from sentinel.testing import KnownSecrets, ManualClock
from sentinel.timeline.site_facts import BlindnessEnded, BlindPageSent
from sentinel.web.app import build
from tests.engine.kernel import START, Scripted
from tests.web.asgi import WORKSPACE, World

HOLDING = (
    WORKSPACE.replace(
        'methods: {push: "env:BO"}', 'methods: {push: "env:BO", mail: "env:BO2"}'
    ).replace("rotations:", '  cy: {methods: {push: "env:CY"}}\nrotations:')
    + "probes: {beat: {heartbeat: {every: 1h, grace: 1h}}}\n"
)


class Refusing:
    """A journal that refuses everything while `away`, and what writes while `full`."""

    def __init__(self, inner: SqliteJournal) -> None:
        self._inner = inner
        self.away = False
        self.full = False
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def transact(self, streams: Any, decide: Any, *, now: Any) -> Any:
        def may_write(view: Any) -> Any:
            change, answer = decide(view)
            if self.full and change != Change():
                raise JournalUnavailable("database or disk is full")
            return change, answer

        self._ask()
        return await self._inner.transact(streams, may_write, now=now)

    async def view(self, look: Any) -> Any:
        self._ask()
        return await self._inner.view(look)

    def _ask(self) -> None:
        self.asked += 1
        if self.away:
            raise JournalUnavailable("the database is away")


def play(
    folder: Path, score: Callable[[World, Refusing], Awaitable[None]], *, max_pages: int = 0
) -> None:
    """A node with a journal in memory, or with a file that may not grow beyond `max_pages`."""

    async def whole() -> None:
        (folder / "sentinel.yaml").write_text(HOLDING)
        data = folder / ".sentinel"
        data.mkdir(exist_ok=True)
        path = folder / "store.db" if max_pages else ":memory:"
        inner = SqliteJournal.open(path, max_pages=max_pages)
        journal = Refusing(inner)
        clock = ManualClock(START, busy=lambda: inner.busy)
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
            journal.away = journal.full = False
            await node.close()

    asyncio.run(whole())


async def _site(journal: Refusing) -> list[Any]:
    return [record.what for record in await journal.view(lambda view: view.read("site"))]


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


def test_what_begins_to_fail_while_blind_is_paged_once_in_five_minutes(tmp_path: Path) -> None:
    failing: list[str] = []

    def bodies(world: World) -> list[str]:
        """What the pages to Ana said was failing, and whether more was."""
        said = [message.body for address, message in world.notifier.sent if address == "env:ANA"]
        world.notifier.sent.clear()
        return ["; ".join(line.strip() for line in body.splitlines()[2:]) for body in said]

    async def score(world: World, journal: Refusing) -> None:
        world.node.blind = Blind(
            tmp_path / ".sentinel", world.clock, world.notifier, seen=lambda: failing
        )
        journal.away = True
        await world.advance(seconds=15)
        assert [""] == bodies(world)
        failing.append("home: status")
        await world.advance(seconds=10)
        failing.append("cart: slow")
        assert [] == bodies(world), "it leaves with what comes within the minute"
        await world.advance(seconds=50)
        assert ["failing: home: status; failing: cart: slow"] == bodies(world)
        failing[0] = "home: connect_timeout"
        await world.advance(minutes=1)
        assert [] == bodies(world), "another reason is not another thing"
        failing.append("feed: stale")
        await world.advance(minutes=2)
        assert ["failing: feed: stale; and 2 more, still failing"] == bodies(world)
        await world.advance(minutes=2, seconds=30)
        assert [
            "failing: home: connect_timeout; failing: cart: slow; and 1 more, still failing"
        ] == (bodies(world))

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
        facts = await _site(journal)
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


def test_a_real_file_that_cannot_grow_is_blindness_until_there_is_room(tmp_path: Path) -> None:
    async def score(world: World, journal: Refusing) -> None:
        disk = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
        disk.execute("CREATE TABLE other_files (content)")
        disk.execute("INSERT INTO other_files VALUES (zeroblob(?))", (4096 * 600,))
        await world.alert(note="x" * 2_000)  # there is room for the alert, none for its incident
        await world.advance(seconds=30)
        assert ["env:ANA", "env:BO"] == sorted(world.notifier.to)
        assert 503 == (await world.ask("GET", "/-/ready")).status

        disk.execute("DROP TABLE other_files")
        disk.close()
        await world.advance(seconds=20)
        assert 200 == (await world.ask("GET", "/-/ready")).status
        assert "env:ANA" == world.notifier.to[-1]
        assert "journal" not in world.notifier.sent[-1][1].body
        incident = await world.incident()
        assert (
            []
            == (await world.ask("GET", f"/api/v1/incidents/{incident}/verify")).json()["findings"]
        )
        assert ["bo", "ana"] == _paged(await _site(journal))

    play(tmp_path, score, max_pages=500)


def test_a_full_disk_that_still_reads_is_noticed_and_not_asked_all_the_time(tmp_path: Path) -> None:
    async def score(world: World, journal: Refusing) -> None:
        world.notifier.answers["env:ANA"] = Refused("rejected")
        await world.alert()
        before = len(world.notifier.sent)
        await world.advance(minutes=4, seconds=58)  # the next level is due in two seconds
        journal.full, journal.asked = True, 0
        await world.advance(seconds=30)
        assert "503" == str((await world.ask("GET", "/-/ready")).status)
        assert any("may repeat" in message.body for _, message in world.notifier.sent[before:])
        assert journal.asked < 200
        journal.full = False
        await world.advance(seconds=15)
        assert (await world.ask("GET", "/-/ready")).status == 200
        assert 1 == sum(isinstance(fact, BlindnessEnded) for fact in await _site(journal))

    play(tmp_path, score)


def test_a_delivery_that_cannot_be_claimed_is_tried_once_a_second(tmp_path: Path) -> None:
    async def score(world: World, journal: Refusing) -> None:
        performer = world.node.performer
        performer.paused = True
        await world.alert()
        journal.full, journal.asked = True, 0
        performer.paused = False
        performer.wake()
        await world.advance(seconds=5)
        assert [] == world.notifier.to
        assert journal.asked < 60
        await world.advance(seconds=30)
        assert ["env:ANA", "env:BO"] == sorted(world.notifier.to)  # blind, from the file
        assert journal.asked < 300
        journal.full = False
        await world.advance(seconds=3)
        assert ["env:ANA"] == world.notifier.to[2:]

    play(tmp_path, score)


def test_a_journal_that_comes_and_goes_pages_no_more_often(tmp_path: Path) -> None:
    async def score(world: World, journal: Refusing) -> None:
        for _ in range(4):
            journal.away = True
            await world.advance(seconds=20)
            journal.away = False
            await world.advance(seconds=20)
        assert ["env:ANA", "env:BO"] == sorted(world.notifier.to)
        journal.away = True
        await world.advance(minutes=5)
        assert 4 == len(world.notifier.sent)

    play(tmp_path, score)


def test_who_holds_an_open_incident_is_called_too(tmp_path: Path) -> None:
    async def score(world: World, journal: Refusing) -> None:
        await world.alert()
        incident = await world.incident()
        await world.node.responder.command(incident, cmd.Acknowledge(), by="cy", via="link")
        await world.advance(minutes=1, seconds=5)
        before = len(world.notifier.sent)
        journal.away = True
        await world.advance(seconds=20)
        assert ["env:ANA", "env:BO", "env:CY"] == sorted(world.notifier.to[before:])

    play(tmp_path, score)


def test_killed_while_blind_the_next_start_tells_each_page_once(tmp_path: Path) -> None:
    left: list[bytes] = []

    async def blind(world: World, journal: Refusing) -> None:
        journal.away = True
        await world.advance(seconds=20)
        left.append((tmp_path / ".sentinel" / "blind.spool").read_bytes())

    async def after(world: World, journal: Refusing) -> None:
        assert ["ana", "bo"] == sorted(_paged(await _site(journal)))
        # Killed after the facts were committed and before the spool was cleared:
        spool = tmp_path / ".sentinel" / "blind.spool"
        assert b"" == spool.read_bytes().rstrip(b"\0")
        spool.write_bytes(left[0])
        again = Blind(spool.parent, world.clock, world.notifier)
        await again.catch_up(world.node.decisions)
        assert ["ana", "bo"] == sorted(_paged(await _site(journal)))

    play(tmp_path, blind)
    (tmp_path / ".sentinel" / "blind.spool").write_bytes(left[0])
    play(tmp_path, after)


def _paged(facts: list[Any]) -> list[str]:
    return [fact.person for fact in facts if isinstance(fact, BlindPageSent)]


def test_a_page_whose_line_was_cut_off_is_left_out(tmp_path: Path) -> None:
    async def score(world: World, journal: Refusing) -> None:
        spool = tmp_path / ".sentinel" / "blind.spool"
        line = b'{"person": "ana", "method": "push", "sent_us": 1, "accepted": true}\n'
        spool.write_bytes((line + line[:20]).ljust(spool.stat().st_size, b"\0"))
        await Blind(spool.parent, world.clock, world.notifier).catch_up(world.node.decisions)
        assert ["ana"] == _paged(await _site(journal))

    play(tmp_path, score)


def test_contacts_that_cannot_be_written_stay_and_the_node_goes_on(tmp_path: Path) -> None:
    async def score(world: World, journal: Refusing) -> None:
        contacts = tmp_path / ".sentinel" / "blind.json"
        before = contacts.read_text()
        contacts.with_suffix(".new").mkdir()  # nothing can be written under that name
        (tmp_path / "sentinel.yaml").write_text(HOLDING.replace("person/bo]}", "person/ana]}"))
        assert (await world.ask("POST", "/-/reload")).status == 200
        assert before == contacts.read_text()
        await world.alert()
        assert world.notifier.to == ["env:ANA"]

    play(tmp_path, score)


def test_meanwhile_senders_send_again_and_metrics_are_scraped(tmp_path: Path) -> None:
    async def score(world: World, journal: Refusing) -> None:
        await world.alert()
        incident = await world.incident()
        await world.advance(seconds=5)
        journal.away = True
        await world.advance(seconds=15)
        refused = await world.ask("POST", f"/api/v1/incidents/{incident}/ack", body={})
        assert (503, "5") == (refused.status, refused.headers["retry-after"])
        assert "send it again" in refused.text
        assert 503 == (await world.ask("GET", f"/api/v1/incidents/{incident}")).status
        assert 503 == (await world.ask("POST", "/-/reload")).status
        page = await world.ask("GET", "/metrics")
        assert 200 == page.status
        assert "sentinel_config_last_reload_successful 0" in page.text
        assert 503 == (await world.ask("POST", "/ping/beat")).status
        journal.away = False
        await world.advance(seconds=15)
        assert 200 == (await world.ask("POST", "/ping/beat")).status
        assert 200 == (await world.ask("POST", "/-/reload")).status

    play(tmp_path, score)
