"""The embedded journal's own bad days: disk full, locked, killed."""

import asyncio
import hashlib
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from sentinel.errors import JournalUnavailable
from sentinel.store.journal import Change, Keep, Work, WorkKind
from sentinel.store.sqlite import SqliteJournal
from sentinel.timeline import chain
from tests.store.values import DAY, NOW, append, note, put

ROOT = Path(__file__).parent.parent.parent


async def test_a_full_disk_refuses_and_is_well_again_once_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    await SqliteJournal.open(path).close()
    journal = SqliteJournal.open(path, max_pages=200)
    await append(journal, "incident/a", note())
    kept, refused = 0, None
    while refused is None:
        body = hashlib.shake_256(bytes([kept])).digest(32_000)
        try:
            await put(journal, Change(evidence={hashlib.sha256(body).hexdigest(): body}))
            kept += 1
        except JournalUnavailable as full:
            refused = full
    assert "full" in str(refused)
    assert kept > 5
    with pytest.raises(JournalUnavailable):
        await append(journal, "incident/a", note("x" * 100_000))
    assert await journal.prune(NOW + DAY, Keep(evidence_for=timedelta(0))) == kept
    assert await append(journal, "incident/a", note("x" * 100_000)) == 1
    facts = await journal.view(lambda view: view.sealed("incident/a"))
    assert chain.verify(facts) == []
    await journal.close()


async def test_a_batch_that_meets_a_full_disk_fails_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    await SqliteJournal.open(path).close()
    journal = SqliteJournal.open(path, max_pages=120)
    big = note("x" * 400_000)
    answers = await asyncio.gather(
        *(append(journal, f"incident/{n}", big if n == 3 else note()) for n in range(6)),
        return_exceptions=True,
    )
    refused = [isinstance(answer, JournalUnavailable) for answer in answers]
    there = await journal.view(lambda view: view.streams("incident/"))
    assert [f"incident/{n}" for n in range(6) if not refused[n]] == there
    assert refused[3]
    await journal.close()


async def test_a_file_that_another_process_holds_is_unavailable_until_it_lets_go(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store.db"
    journal = SqliteJournal.open(path, busy_for=timedelta(milliseconds=50))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalUnavailable, match="locked"):
        await append(journal, "incident/a", note())
    assert await journal.view(lambda view: view.version("incident/a")) == 0
    other.execute("ROLLBACK")
    other.close()
    assert await append(journal, "incident/a", note()) == 0
    await journal.close()


async def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(JournalUnavailable, match="not a database"):
        SqliteJournal.open(path)
    with pytest.raises(JournalUnavailable, match=r"No such file|unable to open"):
        SqliteJournal.open(tmp_path / "nowhere" / "store.db")


async def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    journal = SqliteJournal.open(path)
    await append(journal, "incident/a", note())
    modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == {0o600}
    await journal.close()


async def test_redacted_text_is_gone_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    journal = SqliteJournal.open(path)
    await append(journal, "incident/a", note("Geheimnis-4711"), note("Geheimnis-" + "y" * 20_000))
    await put(journal, Change(redact={"incident/a": [1, 2]}))
    await journal.close()
    left = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"Geheimnis-" not in left


async def test_a_journal_in_memory_answers_at_once_and_keeps_nothing() -> None:
    journal = SqliteJournal.open(":memory:")
    woken: list[int] = []
    journal.woken(lambda: woken.append(1))
    await append(journal, "incident/a", note())
    await put(journal, Change(work=[Work("w", WorkKind.wake, NOW)]))
    with pytest.raises(ValueError, match="not locked"):
        await journal.transact([], lambda _: (Change({"s": [note()]}), None), now=NOW)
    assert await journal.view(lambda view: (view.version("incident/a"), view.version("s"))) == (
        1,
        0,
    )
    await asyncio.sleep(0)
    assert woken == [1]
    await journal.close()
    with pytest.raises(JournalUnavailable):
        await append(journal, "incident/a", note())


WRITER = """
import asyncio, sys
from dataclasses import replace
from sentinel.store.journal import Change, Work, WorkKind
from sentinel.store.sqlite import SqliteJournal
from tests.store.values import NOW, note

async def write(journal, stream):
    for number in range(1, 100_000):
        def decide(view):
            work = Work(stream, WorkKind.wake, NOW, body={"version": number})
            return Change({stream: [note("x" * 300)]}, work=[work]), view.version(stream) + 1
        version = await journal.transact([stream], decide, now=NOW)
        print(stream, version, flush=True)

async def main():
    journal = SqliteJournal.open(sys.argv[1])
    await asyncio.gather(*(write(journal, f"incident/{n}") for n in range(20)))

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("lines", [5, 300, 2000])
async def test_kill_9_in_a_group_commit_loses_nothing_acknowledged(
    tmp_path: Path, lines: int
) -> None:
    path = tmp_path / "store.db"
    acknowledged: dict[str, int] = {}
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, cwd=ROOT, text=True
    ) as child:
        assert child.stdout is not None
        for count, line in enumerate(child.stdout, start=1):
            if count == lines:
                os.kill(child.pid, signal.SIGKILL)
            if line.endswith("\n") and len(line.split()) == 2:
                stream, version = line.split()
                acknowledged[stream] = int(version)
    journal = SqliteJournal.open(path)
    for stream, version in acknowledged.items():
        facts = await journal.view(lambda view, stream=stream: view.sealed(stream))
        work = await journal.view(lambda view, stream=stream: view.work(stream))
        assert chain.verify(facts) == []
        assert version <= len(facts) <= version + 1
        assert work is not None
        assert work.body == {"version": len(facts)}
    await journal.close()
