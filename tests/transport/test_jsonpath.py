"""JSONPath over strangers' JSON: the standard, its errors, its bounds."""

import pytest

from sentinel.transport.jsonpath import MOST_FOUND, json_path, json_paths

STOCK = {
    "shop": "acme",
    "items": [
        {"sku": "mug-1", "n": 3, "price": {"eur": 12.9}},
        {"sku": "cup-1", "n": 0, "price": {"eur": 4.5}},
        {"sku": "mug-2", "n": 8},
    ],
}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("$.items[0].sku", ["mug-1"]),
        ("$.items[-1].sku", ["mug-2"]),
        ("$.items[?@.n > 0].sku", ["mug-1", "mug-2"]),
        ("$..eur", [12.9, 4.5]),
        ("$.items[*].n", [3, 0, 8]),
        ("$['shop']", ["acme"]),
        ('$.items[?match(@.sku, "mug-.")].n', [3, 8]),
        ('$.items[?search(@.sku, "g-2")].n', [8]),
        ('$.items[?match(@.sku, "(")].n', []),
        ("$.items[?length(@.sku) == 5 && !@.price].sku", ["mug-2"]),
        ("$.none.at.all", []),
    ],
)
def test_a_query_gives_its_values_in_order(query, found):
    assert found == json_paths(STOCK, query)
    assert (found[0] if found else None) == json_path(STOCK, query)


@pytest.mark.parametrize("value", [None, 3, "text", True])
def test_nothing_is_found_in_what_holds_nothing(value):
    assert ([], None) == (json_paths(value, "$.a"), json_path(value, "$"))


@pytest.mark.parametrize(
    "query", ["items", "$.", "$.a | $.b", "$.a~", "$..a..b", "$..[?@..b]", "", "$" + ".a" * 2000]
)
def test_what_is_no_query_is_the_documents_mistake(query):
    with pytest.raises(ValueError, match="JSONPath"):
        json_paths(STOCK, query)


def test_a_pattern_that_would_backtrack_does_not():
    hostile = {"a": ["x" * 50_000]}

    assert [] == json_paths(hostile, '$.a[?match(@, "(x+x+)+y")]')


def test_what_is_given_and_how_deep_it_looks_is_bounded():
    deep: dict[str, object] = {}
    for _ in range(500):
        deep = {"a": deep}

    assert MOST_FOUND == len(json_paths({"a": list(range(5000))}, "$.a[*]"))
    assert [] == json_paths(deep, "$..a")
