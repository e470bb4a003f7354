"""Structured data of a page: schema.org in JSON-LD, as search engines and price comparisons read it.

What a shop tells machines about a product is what they sell it by: a price here that differs from
the page or the feed gets an item refused. Nothing raises for what a page says; a script that holds
no JSON is passed over, as those readers do.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec
from selectolax.lexbor import LexborHTMLParser

MOST_SCRIPTS = 100
MOST_THINGS = 5_000
"""Objects that are looked through on one page; those beyond are not seen."""
MOST_GIVEN = 100
"""Objects of one type that are given."""

_WRAPPED = re.compile(r"^\s*(?:<!--|(?://\s*)?<!\[CDATA\[)|(?:-->|(?://\s*)?\]\]>)\s*$")
_NUMBER = re.compile(r"\d{1,15}(?:\.\d{1,6})?")
_HIGHEST = 1e15
"""A price beyond it is none; numbers in JSON may have any length."""
_WORD_START = re.compile(r"(?<=[a-z])(?=[A-Z])")
_AVAILABILITY = {
    "InStock": "in_stock",
    "LimitedAvailability": "in_stock",
    "OnlineOnly": "in_stock",
    "InStoreOnly": "in_stock",
    "OutOfStock": "out_of_stock",
    "SoldOut": "out_of_stock",
    "Discontinued": "out_of_stock",
    "PreOrder": "preorder",
    "PreSale": "preorder",
    "BackOrder": "backorder",
}
"""schema.org/ItemAvailability in the words of product feeds; others in their own, ``made_to_order``."""


@lru_cache(maxsize=1)  # expressions over one page follow each other
def _things(html: str) -> tuple[Mapping[str, Any], ...]:
    """Every object of the page's scripts, the outer ones before what is within them."""
    level: list[Any] = list(_scripts(html))
    found: list[Mapping[str, Any]] = []
    while level and len(found) < MOST_THINGS:
        below: list[Any] = []
        for one in level[:MOST_THINGS]:
            if isinstance(one, dict):
                found.append(one)
                below.extend(one.values())
            elif isinstance(one, list):
                below.extend(one)
        level = below
    return tuple(found)


def _scripts(html: str) -> Iterator[Any]:
    for script in LexborHTMLParser(html).css('script[type*="ld+json" i]')[:MOST_SCRIPTS]:
        try:
            yield msgspec.json.decode(_WRAPPED.sub("", script.text()).strip())
        except (ValueError, RecursionError):
            continue


def json_ld_all(html: str, kind: str) -> list[Mapping[str, Any]]:
    """The objects of a type (``Product``), at most 100, the outer ones first; wherever they stand:
    alone, in a list, in ``@graph`` or within another."""
    fitting = (thing for thing in _things(html) if kind in _types(thing))
    return [thing for thing, _ in zip(fitting, range(MOST_GIVEN), strict=False)]


def json_ld(html: str, kind: str) -> Mapping[str, Any] | None:
    """The first object of a type; None when the page has none."""
    found = json_ld_all(html, kind)
    return found[0] if found else None


def product(html: str) -> Mapping[str, Any] | None:
    """The page's product with its first priced offer, in one shape however the shop wrote it; None
    when the page names none.

    ``name sku gtin brand url currency availability price_valid_until`` are texts (``""``: not
    said), ``price`` a double or null, ``offers`` how many there are. The price is a JSON number or a
    text with a decimal point, as schema.org's Price asks for; ``1.299,00 €`` is null.
    """
    thing = json_ld(html, "Product")
    if thing is None:
        return None
    offers = list(_offers(thing))
    offer, price, currency = next(
        ((o, p, c) for o in offers for p, c in [_price(o)] if p is not None),
        (offers[0] if offers else {}, None, ""),
    )
    return {
        "name": _text(thing.get("name")),
        "sku": _text(thing.get("sku") or offer.get("sku")),
        "gtin": next((_text(thing[n]) for n in _GTINS if thing.get(n)), ""),
        "brand": _text(thing.get("brand")),
        "url": _text(thing.get("url") or offer.get("url")),
        "price": price,
        "currency": currency,
        "availability": _availability(offer.get("availability")),
        "price_valid_until": _text(offer.get("priceValidUntil")),
        "offers": len(offers),
    }


_GTINS = ("gtin", "gtin13", "gtin14", "gtin12", "gtin8")


def _types(thing: Mapping[str, Any]) -> list[str]:
    """The names without their vocabulary: ``schema:Product`` and the whole address are Product."""
    named = thing.get("@type")
    listed = named if isinstance(named, list) else [named]
    return [re.split(r"[/#:]", each)[-1] for each in listed if isinstance(each, str)]


def _offers(thing: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The offers of a product, those within an aggregate after it."""
    for offer in _listed(thing.get("offers")):
        yield offer
        yield from _listed(offer.get("offers"))


def _price(offer: Mapping[str, Any]) -> tuple[float | None, str]:
    """Price and currency; an aggregate's is its lowest."""
    for said in (offer, *_listed(offer.get("priceSpecification"))):
        for name in ("price", "lowPrice"):
            price = _number(said.get(name))
            if price is not None:
                return price, _text(said.get("priceCurrency") or offer.get("priceCurrency"))
    return None, _text(offer.get("priceCurrency"))


def _number(value: Any) -> float | None:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _HIGHEST:
        return None
    return float(value)


def _availability(value: Any) -> str:
    word = re.split(r"[/#:]", _text(value))[-1]
    return _AVAILABILITY.get(word, _WORD_START.sub("_", word).lower())


def _text(value: Any) -> str:
    """A text, a number as one, or what a thing or the first of a list is called."""
    match value:
        case str():
            return " ".join(value.split())
        case bool() | None:
            return ""
        case int() | float():
            return str(value)
        case [first, *_]:
            return _text(first)
        case {"name": name} | {"@id": name} if not isinstance(name, dict | list):
            return _text(name)
        case _:
            return ""


def _listed(value: Any) -> list[Mapping[str, Any]]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values[:MOST_GIVEN] if isinstance(each, dict)]
