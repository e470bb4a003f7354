"""JSON-LD of product pages, as shops write it and as it comes broken."""

import json

import pytest

from sentinel.transport.structured import json_ld, json_ld_all, product

OFFER = {"@type": "Offer", "price": "12.90", "priceCurrency": "EUR"}
MUG = {"@type": "Product", "name": "Blue  mug", "sku": "mug-1", "offers": OFFER}


def page(*things, kind="application/ld+json"):
    scripts = [
        f'<script type="{kind}">{thing if isinstance(thing, str) else json.dumps(thing)}</script>'
        for thing in things
    ]
    return f"<html><head>{''.join(scripts)}</head><h1>Mug</h1></html>"


def offered(**offer):
    return product(page({**MUG, "offers": {**OFFER, **offer}}))


@pytest.mark.parametrize(
    "html",
    [
        page(MUG),
        page([{"@type": "WebSite"}, MUG]),
        page({"@context": "https://schema.org", "@graph": [{"@type": "WebPage"}, MUG]}),
        page({"@type": "WebPage", "mainEntity": MUG}),
        page({"@type": "ProductGroup", "hasVariant": [MUG]}),
        page("{broken", MUG),
        page({**MUG, "@type": ["Thing", "Product"]}),
        page({**MUG, "@type": "https://schema.org/Product"}),
        page({**MUG, "@type": "schema:Product"}),
        page(f"<!-- {json.dumps(MUG)} -->"),
        page(f"//<![CDATA[\n{json.dumps(MUG)}\n//]]>"),
        page(MUG, kind="application/LD+JSON; charset=utf-8"),
    ],
)
def test_a_product_is_found_wherever_the_shop_put_it(html):
    assert ("mug-1", 12.9) == (json_ld(html, "Product")["sku"], product(html)["price"])


@pytest.mark.parametrize(
    "html",
    ["", "<html>", page("{broken"), page("[" * 100_000), page(None), page(1), page({"@type": 3})],
)
def test_a_page_without_one_has_none(html):
    assert (None, None, []) == (json_ld(html, "Product"), product(html), json_ld_all(html, "Thing"))


def test_the_outer_one_comes_first():
    inner, outer = {"@type": "Product", "name": "part"}, {"@type": "Product", "name": "whole"}

    html = page({**outer, "isRelatedTo": inner})

    assert ["whole", "part"] == [each["name"] for each in json_ld_all(html, "Product")]


def test_a_product_has_one_shape():
    thing = {
        **MUG,
        "gtin13": "4006381333931",
        "brand": {"@type": "Brand", "name": "Acme"},
        "url": "https://shop.example/mug",
        "offers": {
            **OFFER,
            "availability": "https://schema.org/InStock",
            "priceValidUntil": "2026-12-31",
        },
    }

    assert {
        "name": "Blue mug",
        "sku": "mug-1",
        "gtin": "4006381333931",
        "brand": "Acme",
        "url": "https://shop.example/mug",
        "price": 12.9,
        "currency": "EUR",
        "availability": "in_stock",
        "price_valid_until": "2026-12-31",
        "offers": 1,
    } == product(page(thing))


@pytest.mark.parametrize(
    ("said", "price"),
    [
        ("12.90", 12.9),
        (12.9, 12.9),
        (12, 12.0),
        (" 1299 ", 1299.0),
        ("1.299,00", None),
        ("12,90", None),
        ("12.90 EUR", None),
        ("", None),
        (True, None),
        ("9" * 400, None),
        (10**400, None),
    ],
)
def test_a_price_is_a_number_or_none(said, price):
    assert price == offered(price=said)["price"]


@pytest.mark.parametrize(
    ("offers", "price", "currency"),
    [
        ([{"@type": "Offer"}, OFFER], 12.9, "EUR"),
        ({"@type": "AggregateOffer", "lowPrice": 9, "priceCurrency": "SEK"}, 9.0, "SEK"),
        ({"@type": "AggregateOffer", "offers": [OFFER]}, 12.9, "EUR"),
        ({"priceSpecification": {"price": 7.5, "priceCurrency": "NOK"}}, 7.5, "NOK"),
        ({"priceCurrency": "EUR"}, None, ""),
        ([], None, ""),
        ("12.90", None, ""),
        (None, None, ""),
    ],
)
def test_the_first_priced_offer_is_the_products(offers, price, currency):
    seen = product(page({**MUG, "offers": offers}))

    assert (price, currency) == (seen["price"], seen["currency"])


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ("https://schema.org/OutOfStock", "out_of_stock"),
        ("http://schema.org/PreOrder", "preorder"),
        ("InStock", "in_stock"),
        ("schema:MadeToOrder", "made_to_order"),
        (None, ""),
        ({"x": 1}, ""),
    ],
)
def test_availability_is_in_the_words_of_feeds(said, word):
    assert word == offered(availability=said)["availability"]


def test_only_so_many_scripts_are_read():
    things = [{"@type": "Thing"}] * 99

    assert "mug-1" == product(page(*things, MUG))["sku"]
    assert None is product(page(*things, {"@type": "Thing"}, MUG))


def test_a_page_of_nothing_but_things_is_bounded():
    html = page([{"@type": "Product", "name": str(number)} for number in range(20_000)])

    assert 100 == len(json_ld_all(html, "Product"))
