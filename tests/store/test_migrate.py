"""Which stores are opened, and which are refused."""

import contextlib
import json
import sys

import pytest
from msgspec.structs import replace

from sentinel.errors import ExtraMissing, Failure, StoreTooNew
from sentinel.store import samples
from sentinel.store.journal import Change
from sentinel.store.migrate import Migration, migrate, migrations
from sentinel.store.open import is_postgres, open_journal, open_link
from sentinel.store.sql import StoreDamaged
from sentinel.store.sqlite import SqliteJournal
from sentinel.timeline.codec import micros
from tests.store.values import NOW, SECOND, append, note, opened, put, result


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
            "migration 9999, this Sentinel knows 2",
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


async def test_results_of_the_first_schema_are_read_beside_those_written_together(
    where: str,
) -> None:
    old = [result("acme-home"), result("acme-cart")]
    with contextlib.closing(open_link(where, writes=True)) as link:
        migrate(link, migrations(link.dialect)[:1])
        link.begin_writing(())
        for one in old:
            series, shape = samples.id_of_series(one.probe, one.location), samples.shape_of(one)
            shape_id, due_at = samples.id_of_shape(shape), micros(one.due_at)
            link.run("INSERT INTO series VALUES (?, ?, ?)", (series, one.probe, one.location))
            link.run(
                "INSERT INTO shapes VALUES (?, ?) ON CONFLICT DO NOTHING",
                (shape_id, json.dumps(shape)),
            )
            window_at = due_at - due_at % samples.WINDOW_US
            packed = samples.pack(one, shape_id, due_at)
            link.run("INSERT INTO results VALUES (?, ?, ?, ?)", (window_at, series, due_at, packed))
        link.commit()
    async with opened(where) as journal:
        await put(journal, Change(results=[replace(old[0], reason="twin")]))
        for one in old:
            assert [one] == await journal.view(
                lambda view, id=one.probe: view.results(id, NOW, NOW + SECOND)  # type: ignore[misc]
            )
