"""Rows come out of bytes however they are cut, and what cannot be read says why."""

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.transport.rows import MAX_FIELD, Row, Unreadable, reader_for
from sentinel.transport.unfold import Unfolder
from tests.probers.feeds import FORMATS, Feed

ATOM = b"""<feed xmlns="http://www.w3.org/2005/Atom"><updated>2026-03-01T05:00:00Z</updated>
<entry><id>1</id><link href="https://a.example/1"/><title>A &amp; B</title></entry></feed>"""


def read(content: bytes, wanted: str = "auto", cut: int = 64, **how: str) -> list[Row]:
    reader = reader_for(wanted, content[:cut], **how)
    rows: list[Row] = []
    for start in range(0, len(content), cut):
        rows += reader.take(content[start : start + cut])
    return rows + reader.end()


def refused(content: bytes, wanted: str = "auto") -> str:
    with pytest.raises(Unreadable) as caught:
        read(content, wanted)
    return caught.value.reason


@pytest.mark.parametrize("written_as", ["xml", "csv", "tsv", "jsonl"])
@given(cut=st.integers(1, 400))
@settings(max_examples=20, deadline=None)
def test_where_the_bytes_are_cut_does_not_matter(written_as: str, cut: int) -> None:
    feed = Feed(items=5)
    content = b"".join(FORMATS[written_as](feed))
    wanted = written_as if cut < 20 else "auto"
    assert [list(row.fields.values()) for row in read(content, wanted, max(cut, 1))] == [
        [cell.strip() if written_as == "xml" else cell for cell in row] for row in feed.rows()
    ]


def test_names_are_the_same_with_prefix_space_and_case() -> None:
    rows = read(b"ID,g:Image Link,Sale-Price\n1,x,2\n")
    assert rows[0].fields == {"id": "1", "image_link": "x", "sale_price": "2"}


def test_atom_is_read_with_its_date_and_links() -> None:
    reader = reader_for("auto", ATOM)
    (row,) = reader.take(ATOM)
    assert row.fields == {"id": "1", "link": "https://a.example/1", "title": "A & B"}
    assert reader.published == "2026-03-01T05:00:00Z"


def test_a_group_never_overwrites_a_field() -> None:
    content = (
        b'<rss xmlns:g="x"><item><g:price>5 EUR</g:price><g:shipping><g:price>1 EUR</g:price>'
        b"</g:shipping><g:id>a</g:id></item></rss>"
    )
    (row,) = read(content)
    assert (row.fields["price"], row.fields["id"]) == ("5 EUR", "a")


def test_a_quoted_cell_may_hold_lines_quotes_and_delimiters() -> None:
    rows = read(b'id;text\n1;"a;b\n""c"""\n2;5" pipe\n')
    assert [row.fields["text"] for row in rows] == ['a;b\n"c"', '5" pipe']
    assert [row.line for row in rows] == [2, 4]


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfid,x\n1,2\n", "id,x\n1,2\n".encode("utf-16")])
def test_byte_order_marks_are_understood(content: bytes) -> None:
    assert read(content, "csv")[0].fields == {"id": "1", "x": "2"}


def test_a_bad_row_is_a_problem_of_its_own() -> None:
    rows = read(b'id,x\n1,2,3\n2\n3,\xff\n"4"y,z\n5,ok\n')
    problems = ["row_width", "row_width", "bad_utf8", "row_unreadable", ""]
    assert [row.problem for row in rows] == problems
    assert [row.line for row in rows] == [2, 3, 4, 5, 6]


def test_json_values_become_text() -> None:
    (row,) = read(
        b'{"id": 1, "ok": true, "price": {"value": 5, "currency": "EUR"}, "more": ["a", "b"], "no": null}\n'
    )
    assert row.fields == {"id": "1", "ok": "true", "price": "5 EUR", "more": "a", "no": ""}


def test_a_broken_json_line_is_a_bad_row_but_a_cut_one_is_the_end() -> None:
    assert [row.problem for row in read(b'{"id": 1}\n{"id"\n{"id": 2}\n')] == [
        "",
        "row_unreadable",
        "",
    ]
    assert refused(b'{"id": 1}\n{"id') == "truncated"


@pytest.mark.parametrize(
    ("content", "wanted", "reason"),
    [
        (b"", "xml", "empty"),
        (b"", "csv", "empty"),
        (b"", "jsonl", "empty"),
        (b"<rss><item><id>1</id>", "auto", "truncated"),
        (b"<rss><item></rss>", "auto", "malformed"),
        (b"<rss><item><id>\xff</id></item></rss>", "auto", "bad_encoding"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "auto", "doctype"),
        (b"<a>" * 200, "auto", "too_deep"),
        (b"id,x\n1,2\n3", "auto", "truncated"),
        (b'id,x\n1,"2\n3,4\n', "auto", "truncated"),
        (b"x" * (2 << 20), "csv", "malformed"),
    ],
)
def test_what_cannot_be_read_on_says_why(content: bytes, wanted: str, reason: str) -> None:
    assert refused(content, wanted) == reason


def test_entities_cannot_fetch() -> None:
    content = b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd"><rss><item><id>1</id></item></rss>'
    assert read(content)[0].fields == {"id": "1"}


def test_a_field_is_cut_at_its_limit() -> None:
    content = b"<rss><item><id>" + b"x" * (3 * MAX_FIELD) + b"</id></item></rss>"
    (row,) = read(content, cut=4096)
    assert row.problem == "field_too_long"
    assert len(row.fields["id"]) <= MAX_FIELD


def unfolded(content: bytes, most: int = 1 << 30, cut: int = 100) -> bytes:
    unfolder = Unfolder(most)
    pieces = [
        piece
        for start in range(0, len(content), cut)
        for piece in unfolder.take(content[start : start + cut])
    ]
    return b"".join([*pieces, *unfolder.end()])


@given(st.binary(max_size=500), st.integers(1, 50))
@settings(deadline=None)
def test_what_is_plain_stays_and_what_is_folded_unfolds(content: bytes, cut: int) -> None:
    folded = gzip.compress(content) + gzip.compress(b"and more")
    assert unfolded(folded, cut=cut) == content + b"and more"
    if not content.startswith((b"\x1f\x8b", b"PK\x03\x04")):
        assert unfolded(content, cut=cut) == content


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (gzip.compress(b"x" * 10_000, mtime=0)[:-20], "truncated"),
        (b"\x1f\x8b" + b"no gzip at all", "malformed"),
        (gzip.compress(b"\0" * (50 << 20), mtime=0), "too_large"),
        (b"PK\x03\x04 a zip", "archive"),
    ],
)
def test_a_stream_that_does_not_unfold_says_why(content: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        unfolded(content, most=20 << 20, cut=4096)
    assert caught.value.reason == reason
