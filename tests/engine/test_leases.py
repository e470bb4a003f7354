"""A node starts: whose rows it may take at once, on each store."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from sentinel.engine.activation import free_leases
from sentinel.engine.deciding import Decisions
from sentinel.engine.folds import Folds
from sentinel.engine.present import Present
from sentinel.store.journal import Change, Work, WorkKind
from sentinel.store.open import open_journal
from sentinel.testing import ManualClock
from tests.engine.kernel import START, policy
from tests.store.postgres_server import Server
from tests.store.values import put

KINDS = (WorkKind.delivery, WorkKind.step)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty store, once of each sort."""
    if request.param == "sqlite":
        yield str(tmp_path / "store.db")
        return
    server = Server()
    yield server.new_store()
    server.remove()


def held(kind: WorkKind, owner: str) -> Work:
    """A row that a node began on a moment ago, and may hold for a minute yet."""
    until = START + timedelta(minutes=1) if owner else None
    name = f"{kind.value}/{owner or 'nobody'}"
    return Work(name, kind, START, attempt=1, owner=owner, epoch=1, lease_until_at=until)


async def takeable_after_the_start_of(node: str, where: str) -> list[str]:
    journal = open_journal(where)
    try:
        rows = [held(kind, owner) for kind in KINDS for owner in ("eu", "us", "")]
        await put(journal, Change(work=rows), START)
        decisions = Decisions(journal, ManualClock(START), Present(policy()), Folds())
        await free_leases(decisions, node=node)
        due = await journal.view(lambda view: view.due(START, KINDS, 99))
    finally:
        await journal.close()
    return sorted(row.key for row in due)


def test_a_node_takes_what_it_held_itself_and_never_what_another_node_may_be_doing(
    where: str,
) -> None:
    own = ["delivery/nobody", "delivery/us", "step/nobody", "step/us"]
    one_node_only = not where.startswith("postgresql://")
    dead = ["delivery/eu", "step/eu"] if one_node_only else []
    assert sorted(own + dead) == asyncio.run(takeable_after_the_start_of("us", where))
