"""Google's product data specification, a rule at a time."""

from datetime import UTC, datetime

import pytest

from sentinel.monitor.products import REQUIRED, Price, Profile, checks, price_of, problems

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
GOOGLE = Profile(REQUIRED, frozenset({"EUR", "JPY", "KWD"}), google=True)
GOOD = {
    "id": "SKU1",
    "title": "Blue mug",
    "description": "A mug.",
    "link": "https://shop.acme.example/p/1?a=b#c",
    "image_link": "https://shop.acme.example/i/1.jpg",
    "availability": "in_stock",
    "price": "15.00 EUR",
    "gtin": "4006381333931",
    "condition": "new",
}


def found(**fields: str) -> list[str]:
    return problems(GOOD | fields, GOOGLE, NOW)


def test_a_good_row_has_no_problems() -> None:
    assert found() == []


@pytest.mark.parametrize("name", REQUIRED)
def test_each_required_attribute_is_missed(name: str) -> None:
    assert f"missing_{name}" in found(**{name: ""})


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"id": "x" * 51}, "id_long"),
        ({"title": "x" * 151}, "title_long"),
        ({"description": "x" * 5001}, "description_long"),
        ({"link": "ftp://a.example/"}, "link_invalid"),
        ({"link": "https:///p"}, "link_invalid"),
        ({"link": "https://a.example/a b"}, "link_invalid"),
        ({"image_link": "https://a.example/ä.jpg"}, "image_link_invalid"),
        ({"availability": "maybe"}, "availability_unknown"),
        ({"availability": "preorder"}, "availability_date_missing"),
        ({"availability": "preorder", "availability_date": "soon"}, "availability_date_invalid"),
        (
            {"availability": "backorder", "availability_date": "2028-01-01"},
            "availability_date_invalid",
        ),
        ({"expiration_date": "2026-02-01T00:00+0100"}, "expired"),
        ({"condition": "like new"}, "condition_unknown"),
        ({"price": "12,50 Euro"}, "price_invalid"),
        ({"price": "12.50"}, "price_invalid"),
        ({"price": "0.00 EUR"}, "price_zero"),
        ({"price": "-1 EUR"}, "price_zero"),
        ({"price": "0.01 EUR"}, "price_placeholder"),
        ({"price": "15.00 USD"}, "currency_not_allowed"),
        ({"price": "15.00 DEM"}, "currency_unknown"),
        ({"price": "15.00 JPY"}, "price_decimals"),
        ({"sale_price": "15.00 EUR"}, "sale_price_not_lower"),
        ({"sale_price": "9.00 JPY"}, "sale_price_invalid"),
        ({"sale_price": "0 EUR"}, "sale_price_zero"),
        ({"sale_price_effective_date": "2026-03-02/2026-03-01"}, "sale_window_invalid"),
        ({"sale_price_effective_date": "2026-01-02/2026-01-03"}, "sale_window_past"),
        ({"gtin": "4006381333932"}, "gtin_checksum"),
        ({"gtin": "40063813330"}, "gtin_length"),
        ({"gtin": "36000291452"}, "gtin_zero_lost"),
        ({"gtin": "4.00638E+12"}, "gtin_scientific"),
        ({"gtin": "2000000000008"}, "gtin_restricted"),
        ({"gtin": "9810000000006"}, "gtin_restricted"),
        ({"gtin": "none"}, "gtin_invalid"),
    ],
)
def test_each_rule_has_its_code(fields: dict[str, str], code: str) -> None:
    assert found(**fields) == [code]


@pytest.mark.parametrize(
    "fields",
    [
        {"availability": "In Stock"},
        {"availability": "preorder", "availability_date": "2026-06-01T10:00+0200"},
        {"price": "1500 JPY"},
        {"price": "1.500 KWD"},
        {"sale_price": "9 EUR", "sale_price_effective_date": "2026-03-01/2026-03-08T00:00Z"},
        {"gtin": "400-638 1333931"},
        {"gtin": "96385074"},
        {"gtin": "036000291452"},
        {"gtin": ""},
        {"link": "http://user@shop.acme.example:8080/p"},
    ],
)
def test_what_is_allowed_is_no_problem(fields: dict[str, str]) -> None:
    assert found(**fields) == []


def test_without_a_profile_only_what_is_asked_for_is_missed() -> None:
    assert problems({"sku": "1"}, Profile(("sku", "brand")), NOW) == ["missing_brand"]


def test_prices_are_number_and_code() -> None:
    assert price_of(" 15.00 EUR ") == Price(15.0, "EUR", 2)
    assert [price_of(text) for text in ("15", "EUR 15", "1,5 EUR", "1e3 EUR", "")] == [None] * 5


def test_the_check_digit_is_gs1s() -> None:
    assert [checks(d) for d in ("4006381333931", "4006381333932", "96385074")] == [
        True,
        False,
        True,
    ]
