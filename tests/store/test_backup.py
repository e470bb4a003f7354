"""A backup restores to the same store, of either sort; and a spoiled store is found out."""

import hashlib
import stat
from pathlib import Path

import pytest

from sentinel.errors import JournalUnavailable
from sentinel.store import backup as backups
from sentinel.store import proof
from sentinel.store.journal import (
    Activation,
    Change,
    Document,
    InboxRow,
    IncidentRow,
    PresentAlert,
    ProbeState,
    View,
    Work,
    WorkKind,
)
from sentinel.store.open import open_link
from sentinel.timeline import codec
from sentinel.timeline.facts import Fact
from sentinel.timeline.incident_facts import EvidenceKept
from sentinel.words import Severity
from tests.store.postgres_server import Server
from tests.store.values import DAY, NOW, note, opened, put, result, results_of, rich_result

BODY = {"http": {"url": "https://shop.acme.example/"}}
DIGEST = hashlib.sha256(codec.canonical(BODY).encode()).hexdigest()
EVIDENCE = hashlib.sha256(b"page").hexdigest()


def everything() -> Change:
    """A change with something in every table."""
    named = Fact(EvidenceKept(EVIDENCE, "page.html", 4, "ana"), NOW)
    return Change(
        {"incident/a": [note("Ä"), note(), named], "group/g": [note()]},
        work=[Work("w", WorkKind.wake, NOW, ("a",), {"at": NOW})],
        inbox=[InboxRow(f"i{number}", "alert", {}, NOW) for number in range(5)],
        alerts=[PresentAlert("f", "probe", {"a": "b"}, Severity.error, NOW, None)],
        incidents=[IncidentRow("a", "triggered", Severity.error, "t", {}, NOW, NOW, version=3)],
        probe_states=[ProbeState("p", "local", NOW, {"x": 1}, b"\0kept", NOW)],
        results=[rich_result(), result("p")],
        evidence={EVIDENCE: b"page"},
        documents=[Document(DIGEST, "probes", "home", BODY)],
        activations=[Activation(NOW, "probes", "home", DIGEST)],
    )


async def fill(where: str) -> None:
    async with opened(where) as journal:
        await put(journal, everything())
        await put(journal, Change(redact={"incident/a": [1]}))
        await put(journal, Change(results=[result("p", NOW - DAY)]))
        await journal.roll_up(NOW)
        assert len(await journal.view(lambda view: view.unrolled())) == 1


def contents(where: str) -> dict[str, object]:
    """Every row of every table."""
    link = open_link(where, writes=False)
    link.begin_reading()
    found: dict[str, object] = {}
    for table, (keys, others) in backups.TABLES.items():
        columns = ", ".join(part for part in (keys, others) if part)
        rows = link.rows(f"SELECT {columns} FROM {table} ORDER BY {keys}")
        assert rows, f"the test has nothing in {table}"
        found[table] = rows
    link.close()
    return found


@pytest.mark.slow
async def test_a_backup_holds_every_row_and_restores_into_either_store(
    where: str, tmp_path: Path, server: Server
) -> None:
    await fill(where)
    async with opened(where) as journal:
        await put(journal, Change(results=results_of("p", backups.COPIED_ROWS + 1)))
        await journal.operate(lambda sql: sql.run("INSERT INTO marks VALUES ('x', 1)"))  # type: ignore[attr-defined]
    path = tmp_path / "backup.db"
    backups.backup(where, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for restored in (str(tmp_path / "restored.db"), server.new_store()):
        backups.restore(path, restored)
        assert contents(restored) == contents(str(path)) == contents(where)
        assert proof.verify(restored) == []
        async with opened(restored) as journal:
            await put(
                journal, Change({"incident/a": [note()]}, inbox=[InboxRow("new", "alert", {}, NOW)])
            )
            assert await journal.view(lambda view: len(view.inbox(9))) == 6
        assert proof.verify(restored) == []


def test_every_table_is_copied(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    link = open_link(str(path), writes=True)
    backups.migrate(link, backups.migrations("sqlite"))
    tables = link.rows(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    )
    assert {name for (name,) in tables} == {*backups.TABLES, "migrations"}
    for table, (keys, others) in backups.TABLES.items():
        columns = [row[1] for row in link.rows(f"PRAGMA table_info({table})")]
        named = f"{keys}, {others}".strip(", ").split(", ")
        assert sorted(named) == sorted(columns), table
    link.close()


async def test_a_backup_is_taken_beside_a_live_journal(where: str, tmp_path: Path) -> None:
    await fill(where)
    path = tmp_path / "backup.db"
    async with opened(where) as journal:
        backups.backup(where, path)
        await put(journal, Change({"incident/a": [note()]}))
        assert await journal.view(lambda view: view.version("incident/a")) == 4
    async with opened(str(path)) as journal:
        assert await journal.view(lambda view: view.version("incident/a")) == 3


async def test_nothing_is_overwritten_and_nothing_half_done_is_left(
    where: str, tmp_path: Path
) -> None:
    await fill(where)
    there = tmp_path / "there.db"
    there.write_text("precious")
    with pytest.raises(FileExistsError):
        backups.backup(where, there)
    assert there.read_text() == "precious"
    backups.backup(where, tmp_path / "backup.db")
    with pytest.raises(FileExistsError):
        backups.restore(tmp_path / "backup.db", where)
    with pytest.raises(FileNotFoundError):
        backups.restore(tmp_path / "none.db", str(tmp_path / "new.db"))
    (tmp_path / "junk.db").write_text("not a database" * 50)
    with pytest.raises(JournalUnavailable):
        backups.backup(str(tmp_path / "junk.db"), tmp_path / "new.db")
    with pytest.raises(JournalUnavailable):
        backups.backup(str(tmp_path / "none.db"), tmp_path / "new.db")
    assert not [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")]
    assert not (tmp_path / "new.db").exists()


SPOILED = {
    "UPDATE facts SET data = '{\"by\":\"mallory\"}' WHERE stream = 'group/g'": "group/g: version 1: its hash",
    "UPDATE facts SET text = '{}' WHERE version = 2": "incident/a: version 2: its text is not",
    "DELETE FROM facts WHERE stream = 'incident/a' AND version = 2": "incident/a: version 3: version 2 was expected",
    "DELETE FROM facts WHERE stream = 'incident/a' AND version = 3": "incident/a: its last fact is version 2",
    "UPDATE streams SET hash = 'x' WHERE name = 'group/g'": "group/g: its head is not",
    "DELETE FROM streams WHERE name = 'group/g'": "group/g: it has facts and no head",
    "UPDATE facts SET type = 'Teleported' WHERE stream = 'group/g'": "no fact Teleported v1",
    "DELETE FROM streams WHERE name = 'incident/a'": "incidents a: no stream",
    "UPDATE incidents SET version = 9": "incidents a: it is of a later version",
    "UPDATE work_incidents SET incident = 'none'": "work w: it belongs to an incident",
    "DELETE FROM work": "work_incidents w: no such work row",
    "DELETE FROM documents": "activations {DIGEST}: no document",
    "UPDATE documents SET body = '{}'": "documents {DIGEST}: its body",
    "UPDATE evidence SET body = salt FROM facts WHERE salt IS NOT NULL": "evidence {EVIDENCE}: its bytes",
    "DELETE FROM series": "results ",
}


@pytest.mark.parametrize("statement", SPOILED, ids=lambda text: text[:40])
async def test_whatever_was_changed_behind_our_back_is_found(where: str, statement: str) -> None:
    await fill(where)
    assert proof.verify(where) == []
    link = open_link(where, writes=True)
    assert link.run(statement) > 0
    link.close()
    expected = SPOILED[statement].replace("{DIGEST}", DIGEST).replace("{EVIDENCE}", EVIDENCE)
    found = [str(finding) for finding in proof.verify(where)]
    assert any(expected in finding for finding in found), found


async def test_one_stream_can_be_verified_alone(where: str) -> None:
    def look(view: View) -> list[object]:
        return [*proof.verify_stream(view, "incident/a")]  # type: ignore[arg-type]

    await fill(where)
    async with opened(where) as journal:
        assert await journal.view(look) == []


def test_a_store_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(JournalUnavailable, match="not there"):
        proof.verify(str(tmp_path / "none.db"))
    assert not (tmp_path / "none.db").exists()
