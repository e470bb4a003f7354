"""The cluster journal's own bad days, and how its nodes hear one another."""

import asyncio

import pytest

from sentinel.errors import JournalUnavailable
from sentinel.store.journal import Change, Work, WorkKind
from sentinel.store.postgres import PostgresJournal
from sentinel.timeline import chain
from tests.store.postgres_server import Server
from tests.store.values import NOW, append, note, put

pytestmark = pytest.mark.slow


@pytest.fixture
def url(server: Server) -> str:
    return server.new_store()


async def test_another_node_is_woken_by_a_commit(url: str) -> None:
    one, other = PostgresJournal.open(url), PostgresJournal.open(url)
    woken = asyncio.Event()
    other.woken(woken.set)

    async def until_woken() -> None:
        # The first commits may come before the other node listens.
        while not woken.is_set():
            await put(one, Change(work=[Work("w", WorkKind.wake, NOW)]))
            await asyncio.sleep(0)

    await asyncio.wait_for(until_woken(), 10)
    await one.close()
    await other.close()


async def test_connections_cut_while_idle_are_not_even_noticed(server: Server, url: str) -> None:
    journal = PostgresJournal.open(url)
    await append(journal, "incident/a", note())
    await journal.view(lambda view: view.version("incident/a"))
    server.cut_connections()
    assert await append(journal, "incident/a", note()) == 1
    assert await journal.view(lambda view: view.version("incident/a")) == 2
    await journal.close()


async def test_a_database_that_is_away_is_unavailable_until_it_is_back(
    server: Server, url: str
) -> None:
    journal = PostgresJournal.open(url)
    await append(journal, "incident/a", note())
    server.stop()
    try:
        for _ in range(3):
            with pytest.raises(JournalUnavailable):
                await append(journal, "incident/a", note())
            with pytest.raises(JournalUnavailable):
                await journal.view(lambda view: view.version("incident/a"))
        with pytest.raises(JournalUnavailable):
            PostgresJournal.open(url)
    finally:
        server.start()
    assert await append(journal, "incident/a", note()) == 1
    facts = await journal.view(lambda view: view.sealed("incident/a"))
    assert chain.verify(facts) == []
    woken = asyncio.Event()
    journal.woken(woken.set)
    await put(journal, Change(work=[Work("w", WorkKind.wake, NOW)]))
    await asyncio.wait_for(woken.wait(), 5)
    await journal.close()


async def test_a_password_is_in_no_message(server: Server) -> None:
    url = "postgresql://ana:geheim-4711@127.0.0.1:1/none"
    with pytest.raises(JournalUnavailable) as refused:
        PostgresJournal.open(url)
    assert "geheim" not in str(refused.value)
