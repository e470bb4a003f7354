"""Which stores are opened, and which are refused."""

import sys

import pytest

from sentinel.errors import ExtraMissing, Failure, StoreTooNew
from sentinel.store.migrate import Migration, migrations
from sentinel.store.open import is_postgres, open_journal
from sentinel.store.sql import StoreDamaged
from sentinel.store.sqlite import SqliteJournal
from tests.store.values import NOW, append, note, opened


async def spoil(where: str, statement: str) -> None:
    async with opened(where) as journal:
        await append(journal, "incident/a", note())
        await journal.operate(lambda sql: sql.run(statement))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("statement", "failure", "match"),
    [
        (
            "INSERT INTO migrations (number, name, checksum) VALUES (9999, 'x', 'y')",
            StoreTooNew,
            "migration 9999, this Sentinel knows 1",
        ),
        (
            "UPDATE migrations SET checksum = 'other' WHERE number = 1",
            StoreDamaged,
            "0001_house.sql",
        ),
    ],
)
async def test_a_store_of_another_sentinel_is_refused(
    where: str, statement: str, failure: type[Failure], match: str
) -> None:
    await spoil(where, statement)
    with pytest.raises(failure, match=match):
        open_journal(where)


def test_both_dialects_have_the_same_migrations() -> None:
    names = [[one.name for one in migrations(dialect)] for dialect in ("sqlite", "postgres")]
    assert names[0] == names[1] != []
    numbers = [one.number for one in migrations("sqlite")]
    assert numbers == list(range(1, len(numbers) + 1))


def test_statements_end_with_a_semicolon_at_a_lines_end_and_comments_are_left_out() -> None:
    text = "-- a; comment\nCREATE TABLE a (x TEXT CHECK (x <> ';'));\n\n-- b\nCREATE INDEX b\n ON a (x);\n"
    statements = Migration(1, "0001_x.sql", text).statements()
    assert statements == ["CREATE TABLE a (x TEXT CHECK (x <> ';'))", "CREATE INDEX b\n ON a (x)"]


async def test_opening_again_changes_nothing(where: str) -> None:
    for expected in range(3):
        async with opened(where) as journal:
            assert await append(journal, "incident/a", note()) == expected
            facts = await journal.view(lambda view: view.read("incident/a"))
            assert facts[0].recorded_at == NOW


@pytest.mark.parametrize(
    ("where", "postgres"),
    [("postgresql://h/d", True), ("postgres://h/d", True), ("/var/lib/s.db", False)],
)
def test_an_address_says_which_store(where: str, postgres: bool) -> None:
    assert is_postgres(where) is postgres


async def test_without_the_driver_the_message_is_the_command_that_mends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "sentinel.store.postgres", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ExtraMissing, match=r"`psycopg`: pip install 'sentinel\[postgres\]'"):
        open_journal("postgresql://127.0.0.1/x")
    journal = open_journal(":memory:")
    assert isinstance(journal, SqliteJournal)
    await journal.close()
