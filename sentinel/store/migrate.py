"""Numbered migrations: plain SQL files, applied once, in order, each with its checksum.

``migrations/<dialect>/NNNN_name.sql`` is applied in one transaction and noted in the table
``migrations``. A released file is never changed: a store whose note differs from the file
is refused, and a store with a higher number than this code knows was written by a later
Sentinel and is refused too (rule 31), because going back would lose facts.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from sentinel.errors import StoreTooNew
from sentinel.store.sql import Link, Sql, StoreDamaged

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql\Z")
_NOTES = (
    "CREATE TABLE IF NOT EXISTS migrations"
    " (number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL)"
)


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema. `checksum` is the SHA-256 of its text."""

    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    def statements(self) -> list[str]:
        """Its statements without comments. A semicolon ends one only at a line's end."""
        bare = "\n".join(line for line in self.text.splitlines() if not line.startswith("--"))
        return [part.strip() for part in re.split(r";\s*(?:\n|\Z)", bare) if part.strip()]


def migrations(dialect: str) -> tuple[Migration, ...]:
    """What this code knows, in order; `dialect` is ``sqlite`` or ``postgres``."""
    folder = files("sentinel.store") / "migrations" / dialect
    found = [
        Migration(int(match[1]), entry.name, entry.read_text(encoding="utf-8"))
        for entry in folder.iterdir()
        if (match := _NAME.match(entry.name))
    ]
    return tuple(sorted(found, key=lambda one: one.number))


def migrate(link: Link, known: Sequence[Migration]) -> None:
    """Bring a store up to date. Raises StoreTooNew, StoreDamaged, and what a Link raises."""
    link.begin_writing(())
    try:
        link.run(_NOTES)
        notes = read_notes(link)
        check_notes(notes, known)
        for one in known:
            if one.number not in notes:
                _apply(link, one)
        link.commit()
    finally:
        link.roll_back()


def read_notes(sql: Sql) -> dict[int, tuple[str, str]]:
    """The migrations a store has had: number to name and checksum."""
    found = sql.rows("SELECT number, name, checksum FROM migrations ORDER BY number")
    return {number: (name, checksum) for number, name, checksum in found}


def check_notes(notes: dict[int, tuple[str, str]], known: Sequence[Migration]) -> None:
    """Refuse a store that a later Sentinel wrote, or whose migrations were others."""
    last = known[-1].number
    if max(notes, default=0) > last:
        raise StoreTooNew(
            f"the store has migration {max(notes)}, this Sentinel knows {last}:"
            " install the Sentinel that wrote it, or a later one"
        )
    for one in known:
        if one.number in notes and notes[one.number][1] != one.checksum:
            raise StoreDamaged(f"migration {one.name} is not the one this store was made with")


def _apply(link: Link, one: Migration) -> None:
    for statement in one.statements():
        link.run(statement)
    link.run(
        "INSERT INTO migrations (number, name, checksum) VALUES (?, ?, ?)",
        (one.number, one.name, one.checksum),
    )
