"""Where a value stands is found again, also inside a scalar."""

import pytest

from sentinel.library.places import Path, locate, within

TEXT = """\
probes:
  shop:
    page: {url: "https://a", path: [a, 'b''c']}
    expect: &e
      - 'status == 200'
      - {that: "x", else: warn}
  other:
    expect: *e
    text: |
      many
      lines
"""


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        (("probes",), (1, 2), (0, 0)),
        (("probes", "shop", "page", "url"), (2, 16), (2, 11)),
        (("probes", "shop", "page", "path", 1), (2, 39), (2, 39)),
        (("probes", "shop", "expect", 1, "else"), (5, 26), (5, 20)),
        (("probes", "other", "text"), (8, 10), (8, 4)),
        (("probes", "shop", "missing"), (2, 4), (1, 2)),
        (("probes", "other", "expect", 0), (7, 12), (7, 4)),
    ],
)
def test_a_value_is_found_or_what_is_around_it(
    path: Path, value: tuple[int, int], key: tuple[int, int]
) -> None:
    spot = locate(TEXT, [path])[path]
    assert (value, key) == ((spot.line, spot.column), (spot.key_line, spot.key_column))


def test_what_stands_before_a_break_is_found() -> None:
    spot = locate("a: 1\nb: [", [("a",)])[("a",)]
    assert (0, 3) == (spot.line, spot.column)


@pytest.mark.parametrize(
    ("text", "offset", "column"),
    [("a: status", 3, 6), ("a: 'it''s x'", 5, 10), ('a: "\\tx"', 1, 6), ("a: 'ab'", 0, 4)],
)
def test_a_character_of_a_scalar_is_found(text: str, offset: int, column: int) -> None:
    assert (0, column) == within(text, locate(text, [("a",)])[("a",)], offset)


def test_in_a_block_the_scalar_itself_is_named() -> None:
    spot = locate("a: |\n  x\n  y\n", [("a",)])[("a",)]
    assert (0, 3) == within("a: |\n  x\n  y\n", spot, 3)
