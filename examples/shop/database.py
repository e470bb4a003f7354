"""The shop's own database: stock, baskets, orders, in one SQLite file.

A connection is opened per page view and used by one thread. Amounts are stored in cents.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from examples.shop.catalogue import PRODUCTS, Product
from examples.shop.faults import WRONG_PRICE

SCHEMA = """
create table if not exists products (
  number integer primary key, sku text unique not null, title text not null, category text not null,
  price_cents integer not null, stock integer not null, description text not null);
create table if not exists sessions (
  id text primary key, seen_at real not null, email text, address text, shipping text,
  last_order integer);
create table if not exists lines (
  session text not null references sessions(id) on delete cascade,
  product integer not null references products(number), quantity integer not null,
  primary key (session, product));
create table if not exists orders (
  number integer primary key autoincrement, email text not null, address text not null,
  total_cents integer not null, charge text not null, test integer not null, placed_at real not null);
create table if not exists order_lines (
  order_number integer not null references orders(number), product integer not null,
  quantity integer not null, price_cents integer not null);
"""
FIRST_ORDER = 100_001
MOST_OF_ONE = 20


@dataclass(frozen=True, slots=True)
class Line:
    """A product in a basket; `price` is the price of one, as it is now."""

    product: Product
    quantity: int

    @property
    def total(self) -> Decimal:
        return self.product.price * self.quantity


@dataclass(frozen=True, slots=True)
class Checkout:
    """How far a customer has come on the way to an order."""

    email: str | None
    address: str | None
    shipping: str | None
    last_order: int | None


class Database:
    """What one page view may ask of the shop's data."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def wait(self, seconds: float) -> None:
        """Keep a query busy for so long: the database is slow, the shop only waits for it."""
        self._connection.create_function("slow", 1, time.sleep)
        self._connection.execute("select slow(?)", (seconds,)).fetchone()

    def products(self, search: str = "") -> list[Product]:
        """Those with every word of `search` in title or category, in the order of the shelf."""
        rows = self._connection.execute("select * from products order by number")
        words = search.lower().split()[:8]
        found = map(_product, rows)
        return [p for p in found if all(w in f"{p.title} {p.category}".lower() for w in words)]

    def product(self, number: int) -> Product | None:
        row = self._connection.execute(
            "select * from products where number = ?", (number,)
        ).fetchone()
        return _product(row) if row else None

    def deliver(self, number: int, pieces: int) -> None:
        """Goods arrive in the warehouse."""
        self._connection.execute(
            "update products set stock = stock + ? where number = ?", (pieces, number)
        )

    def reprice(self, *, wrong: bool) -> None:
        """Give the first product its wrong price, or the right one back."""
        price = Decimal(WRONG_PRICE) if wrong else PRODUCTS[0].price
        self._connection.execute(
            "update products set price_cents = ? where number = ?",
            (_cents(price), PRODUCTS[0].number),
        )

    def begin_session(self, session: str, now: float) -> None:
        self._connection.execute(
            "insert into sessions (id, seen_at) values (?, ?)"
            " on conflict (id) do update set seen_at = excluded.seen_at",
            (session, now),
        )

    def forget_sessions(self, before: float) -> int:
        """Drop the baskets that nobody looked at since `before`; gives their number."""
        return self._connection.execute(
            "delete from sessions where seen_at < ?", (before,)
        ).rowcount

    def put_in_basket(self, session: str, product: int, quantity: int) -> None:
        self._connection.execute(
            "insert into lines values (?, ?, min(?, ?)) on conflict (session, product)"
            " do update set quantity = min(quantity + excluded.quantity, ?)",
            (session, product, quantity, MOST_OF_ONE, MOST_OF_ONE),
        )

    def clear_basket(self, session: str) -> None:
        self._connection.execute("delete from lines where session = ?", (session,))

    def basket(self, session: str) -> list[Line]:
        rows = self._connection.execute(
            "select products.*, quantity from lines join products on product = number"
            " where session = ? order by number",
            (session,),
        )
        return [Line(_product(row), row["quantity"]) for row in rows]

    def checkout(self, session: str) -> Checkout:
        row = self._connection.execute(
            "select email, address, shipping, last_order from sessions where id = ?", (session,)
        ).fetchone()
        return Checkout(**row) if row else Checkout(None, None, None, None)

    def name_customer(self, session: str, email: str) -> None:
        self._connection.execute("update sessions set email = ? where id = ?", (email, session))

    def name_address(self, session: str, address: str) -> None:
        self._connection.execute("update sessions set address = ? where id = ?", (address, session))

    def choose_shipping(self, session: str, shipping: str) -> None:
        self._connection.execute(
            "update sessions set shipping = ? where id = ?", (shipping, session)
        )

    def place_order(self, session: str, *, charge: str, test: bool, now: float) -> int:
        """Turn the basket into an order, take its goods off the shelf, and give its number."""
        lines, checkout = self.basket(session), self.checkout(session)
        total = sum((line.total for line in lines), Decimal(0))
        number = self._connection.execute(
            "insert into orders (email, address, total_cents, charge, test, placed_at)"
            " values (?, ?, ?, ?, ?, ?)",
            (checkout.email, checkout.address, _cents(total), charge, test, now),
        ).lastrowid
        for line in lines:
            product = line.product
            self._connection.execute(
                "insert into order_lines values (?, ?, ?, ?)",
                (number, product.number, line.quantity, _cents(product.price)),
            )
            if not test:
                self.deliver(product.number, -line.quantity)
        self.clear_basket(session)
        self._connection.execute(
            "update sessions set last_order = ?, address = null, shipping = null where id = ?",
            (number, session),
        )
        assert number is not None
        return number

    def count_orders(self) -> int:
        (count,) = self._connection.execute("select count(*) from orders").fetchone()
        return int(count)


def create(path: Path) -> None:
    """Make the database, or complete it, and put the goods on the shelf once."""
    with opened(path) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.executescript(SCHEMA)
        connection.executemany(
            "insert or ignore into products values (?, ?, ?, ?, ?, ?, ?)",
            [
                (p.number, p.sku, p.title, p.category, _cents(p.price), p.stock, p.description)
                for p in PRODUCTS
            ],
        )
        connection.execute(
            "insert into sqlite_sequence select 'orders', ? where not exists"
            " (select 1 from sqlite_sequence where name = 'orders')",
            (FIRST_ORDER - 1,),
        )


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection whose work is committed at the end, or rolled back on an error."""
    connection = sqlite3.connect(path, timeout=5)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("pragma foreign_keys = on")
        with connection:
            yield connection
    finally:
        connection.close()


def _product(row: sqlite3.Row) -> Product:
    return Product(
        number=row["number"],
        sku=row["sku"],
        title=row["title"],
        category=row["category"],
        price=Decimal(row["price_cents"]) / 100,
        stock=row["stock"],
        description=row["description"],
    )


def _cents(price: Decimal) -> int:
    return int(price * 100)
