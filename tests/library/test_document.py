"""The strict reader: what YAML means, what is refused, and that nothing can exhaust it."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.library.catalog import load
from sentinel.library.document import MAX_BYTES, MAX_DEPTH, read
from tests.library.samples import Samples, workspace


def values(text: str) -> Any:
    document, problems = read("a.yaml", text.encode())
    assert document is not None, problems
    assert [] == problems
    return document.values


def refused(content: bytes | str) -> list[str]:
    content = content if isinstance(content, bytes) else content.encode()
    return [str(each) for each in read("a.yaml", content)[1]]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("on", "on"),
        ("no", "no"),
        ("NO", "NO"),
        ("22:00", "22:00"),
        ("12:30:45", "12:30:45"),
        ("010", "010"),
        ("2026-12-24", "2026-12-24"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        ("1e999", "1e999"),
        ("1234567890123456789", "1234567890123456789"),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("0", 0),
        ("-12", -12),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.5", 1.5),
        ("-.5", -0.5),
        ("1e3", 1000.0),
    ],
)
def test_scalars_are_what_they_look_like(written: str, meant: object) -> None:
    found = values(f"a: {written}")["a"]
    assert (type(meant), meant) == (type(found), found)


def test_keys_are_text_whatever_they_look_like() -> None:
    assert {"on": 1, "5": 2, "true": 3, "~": 4} == values("on: 1\n5: 2\ntrue: 3\n~: 4")


def test_an_alias_is_the_same_value() -> None:
    assert {"a": {"b": [1]}, "c": {"b": [1]}} == values("a: &x {b: [1]}\nc: *x")


def test_a_file_of_comments_is_empty() -> None:
    assert {} == values("# nothing yet\n")


def test_places_of_documents_and_steps_are_kept() -> None:
    text = (
        "probes:\n  shop: {}\nplaybooks:\n  down:\n    steps:\n      - {id: a}\n      - {id: b}\n"
    )
    document, _ = read("a.yaml", text.encode())
    assert document is not None
    assert {
        ("probes", "shop"): "a.yaml:2:3",
        ("playbooks", "down"): "a.yaml:4:3",
        ("playbooks", "down", "steps", 0): "a.yaml:6:9",
        ("playbooks", "down", "steps", 1): "a.yaml:7:9",
    } == {path: str(place) for path, place in document.places.items()}


def test_bytes_that_are_no_utf8_are_refused_where_they_stand() -> None:
    assert ["a.yaml:2:4: this is not UTF-8 text, save the file as UTF-8"] == refused(
        b"a: 1\nb: \xff"
    )


def test_a_binary_file_is_refused() -> None:
    assert [
        "a.yaml:1:4: there is a control character (U+0000) here, so this is no text file, remove it"
    ] == refused(b"a: \0\1\2")


@pytest.mark.parametrize(
    "text", ["[" * 500 + "]" * 500, "- " * 500 + "a", "? " * 500 + "a", "{a: " * 500 + "}" * 500]
)
def test_deep_nesting_is_refused_before_it_hurts(text: str) -> None:
    (problem,) = refused(text)
    assert (
        f"nested more than {MAX_DEPTH} levels deep" in problem or "a key must be a word" in problem
    )


def test_the_deepest_nesting_that_is_allowed_is_read() -> None:
    assert [] == refused("a: " + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1))


def test_a_file_of_more_than_2_mib_is_refused() -> None:
    assert [
        "a.yaml:1:1: this file is 2.0 MiB large, split it into files of at most 2 MiB"
    ] == refused(b"#" * (MAX_BYTES + 1))


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    root = workspace(tmp_path, {"probes/a.yaml": ""})
    with (root / "probes" / "a.yaml").open("wb") as file:
        file.truncate(50 * 1024 * 1024 * 1024)  # a hole: reading it would take a minute and 50 GiB
    (problem,) = load(root, lookup=Samples()).problems
    assert "probes/a.yaml:1:1: this file is 51200.0 MiB large" in str(problem)


@given(st.binary(max_size=400))
@settings(max_examples=150)
def test_no_bytes_make_it_raise(content: bytes) -> None:
    document, problems = read("a.yaml", content)
    assert document is not None or problems


@given(st.text(alphabet="abc:-[]{}&*!|>'\"#%@` \n\t?,=()", max_size=120))
@settings(max_examples=300)
def test_no_text_makes_it_raise(text: str) -> None:
    document, problems = read("a.yaml", f"expect:\n  - {text}".encode())
    assert document is not None or problems
