"""Backup, restore and proof of a store by command."""

import asyncio
import sqlite3
from pathlib import Path

from click.testing import CliRunner

from sentinel.cli.store import store
from tests.engine.kernel import kernel, policy


def _with_an_incident(path: Path) -> None:
    async def score() -> None:
        one = kernel(policy(), path=path)
        await one.start()
        await one.alert()
        await one.stop()

    asyncio.run(score())


def test_a_backup_restores_into_a_store_that_verifies(tmp_path: Path) -> None:
    _with_an_incident(tmp_path / "a.db")
    run = CliRunner().invoke
    for command in (
        ["backup", str(tmp_path / "copy.db"), "--store", str(tmp_path / "a.db")],
        ["restore", str(tmp_path / "copy.db"), "--store", str(tmp_path / "b.db")],
        ["verify", "--store", str(tmp_path / "b.db")],
    ):
        answer = run(store, command)
        assert (0, "") == (answer.exit_code, answer.stdout), answer.output


def test_a_fact_changed_behind_our_back_is_found(tmp_path: Path) -> None:
    _with_an_incident(tmp_path / "a.db")
    connection = sqlite3.connect(tmp_path / "a.db")
    with connection:
        connection.execute(
            "update facts set data = replace(data, 'acme', 'evil') where version = 1"
        )
    connection.close()
    answer = CliRunner().invoke(store, ["verify", "--store", str(tmp_path / "a.db")])
    assert answer.exit_code == 3
    assert "incident/" in answer.output
