"""What a dialect gives, and the plain SQL conventions both stores share.

Statements are written once, with ``?`` for values; SQLite and PostgreSQL both understand
them. A `Link` is one connection used by one thread at a time.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from sentinel.errors import Failure

Row = tuple[Any, ...]
Values = Sequence[Any]


class Conflict(Exception):
    """Another writer got in between; the same transaction may succeed if it is run again."""


class Unreachable(Exception):
    """The database refuses or is away: disk full, I/O error, locked, connection lost."""


class ConnectionLost(Unreachable):
    """The connection broke; another one may be had at once."""


class StoreDamaged(Failure):
    """A released migration in the store differs from the one in this code."""


class Sql(Protocol):
    """Runs statements inside the transaction that is open."""

    row_lock: str
    """What makes a single-row read wait for, and then hold, the row; empty where one writer is alone."""
    row_skip: str
    """What makes a list of rows leave out those another writer holds."""

    def rows(self, statement: str, values: Values = ()) -> list[Row]: ...

    def run(self, statement: str, values: Values = ()) -> int:
        """How many rows it touched."""
        ...

    def run_many(self, statement: str, values: Sequence[Values]) -> None: ...


class Link(Sql, Protocol):
    """One connection; `dialect` is ``sqlite`` or ``postgres``.

    Every method raises Unreachable, or Conflict, instead of the driver's own errors of these
    two sorts; after either the transaction is gone.
    """

    dialect: str

    def begin_writing(self, streams: Sequence[str]) -> None:
        """Begin, and lock these streams in the order given."""
        ...

    def begin_reading(self) -> None:
        """Begin on one consistent state."""
        ...

    def commit(self) -> None: ...

    def roll_back(self) -> None:
        """Undo what is open, if anything is; never raises."""
        ...

    def announce(self) -> None:
        """Tell other processes, once the transaction commits, that work or inbox rows came."""
        ...

    def close(self) -> None:
        """Never raises."""
        ...
