"""Writes synthetic product feeds, whole or broken in one way; the same seed gives the same feed."""

import csv
import gzip
import io
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.sax.saxutils import escape

FIELDS = (
    "id",
    "title",
    "description",
    "link",
    "image_link",
    "availability",
    "price",
    "brand",
    "gtin",
    "condition",
)
GOOGLE = "http://base.google.com/ns/1.0"
Broken = Literal["", "truncate", "duplicate", "price", "utf8"]


@dataclass(frozen=True)
class Feed:
    """How many rows, and what is wrong with them. `price` changes a row's price, `padding` adds
    characters to each description."""

    items: int = 200
    first: int = 0
    broken: Broken = ""
    seed: int = 1
    brand: str = ""
    padding: int = 0
    built: str = "Sun, 01 Mar 2026 05:00:00 +0000"
    price: Callable[[int, float], float] = lambda _, price: price

    def rows(self) -> Iterator[list[str]]:
        for number in range(self.first, self.first + self.items):
            dice = random.Random(self.seed * 1_000_003 + number)
            name = number - 1 if self.broken == "duplicate" and number % 10 == 9 else number
            price = f"{self.price(number, dice.randint(100, 50_000) / 100):.2f} EUR"
            yield [
                f"SKU{name:08d}",
                f"Blue mug {number}",
                "A mug for daily use & more. " * dice.randint(1, 6) + "x" * self.padding,
                f"https://shop.acme.example/p/{number}",
                f"https://shop.acme.example/i/{number}.jpg",
                dice.choice(["in_stock", "out_of_stock"]),
                "12,50 Euro" if self.broken == "price" and number % 10 == 0 else price,
                self.brand or dice.choice(["Acme", "Nordik", "Volta"]),
                "4006381333931",
                "new",
            ]


def xml(feed: Feed) -> Iterator[bytes]:
    yield (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0" xmlns:g="{GOOGLE}">'
        f"<channel><title>feed</title><lastBuildDate>{feed.built}</lastBuildDate>\n"
    ).encode()
    for number, row in enumerate(feed.rows()):
        cells = zip(FIELDS, row, strict=True)
        inside = "".join(f"<g:{name}>{escape(text)}</g:{name}>" for name, text in cells)
        yield f"<item>{inside}</item>\n".encode()
        if feed.broken == "utf8" and number == feed.items // 2:
            yield b"<item><g:id>\xff\xfe</g:id></item>\n"
    yield b"" if feed.broken == "truncate" else b"</channel></rss>\n"


def delimited(feed: Feed, delimiter: str = ",") -> Iterator[bytes]:
    def line(cells: list[str]) -> bytes:
        out = io.StringIO()
        csv.writer(out, delimiter=delimiter, lineterminator="\r\n").writerow(cells)
        return out.getvalue().encode()

    yield line(list(FIELDS))
    for number, row in enumerate(feed.rows()):
        text = line(row)
        last = number == feed.items - 1
        if feed.broken == "utf8" and number % 10 == 0:
            text = text.replace(b"Blue", b"Bl\xfce")
        yield text[: len(text) // 2] if feed.broken == "truncate" and last else text


def json_lines(feed: Feed) -> Iterator[bytes]:
    for number, row in enumerate(feed.rows()):
        text = json.dumps(dict(zip(FIELDS, row, strict=True))).encode() + b"\n"
        last = number == feed.items - 1
        yield text[: len(text) // 2] if feed.broken == "truncate" and last else text


FORMATS: dict[str, Callable[[Feed], Iterator[bytes]]] = {
    "xml": xml,
    "csv": delimited,
    "tsv": lambda feed: delimited(feed, "\t"),
    "jsonl": json_lines,
}


def write(path: Path, feed: Feed, written_as: str = "xml") -> Path:
    """Write a feed; a name that ends in ``.gz`` is written as gzip."""
    with gzip.open(path, "wb") if path.suffix == ".gz" else path.open("wb") as out:
        for piece in FORMATS[written_as](feed):
            out.write(piece)
    return path
