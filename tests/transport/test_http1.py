"""An answer means the same in whatever pieces it comes, and its parts are bounded."""

import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.transport.heads import MOST_BYTES, MOST_LINE
from sentinel.transport.http1 import Answer
from sentinel.transport.reasons import Reason
from tests.transport.answers import ANSWERS

SMALL = {name: answer for name, answer in ANSWERS.items() if len(answer) < 5_000}


def read(pieces, *, method="GET", limit=1 << 20):
    """What an answer in these pieces comes to."""
    answer = Answer(method=method, limit=limit)
    for piece in pieces:
        if answer.done:
            break
        answer.feed(piece)
    if not answer.done:
        answer.close()
    assert answer.done
    return (
        answer.reason,
        answer.text,
        answer.status,
        answer.version,
        answer.head,
        answer.body,
        answer.size_bytes,
    )


def cut(whole, places):
    """The bytes cut at these places."""
    edges = [0, *sorted({place % (len(whole) + 1) for place in places} - {0}), len(whole)]
    return [whole[start:end] for start, end in pairwise(edges) if end > start]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("step", [1, 2, 3, 7])
def test_pieces_do_not_matter(step, method):
    wrong = [
        name
        for name, answer in SMALL.items()
        if read([answer], method=method)
        != read([answer[i : i + step] for i in range(0, len(answer), step)], method=method)
    ]

    assert [] == wrong


@given(st.binary(max_size=300) | st.sampled_from(list(SMALL.values())), st.lists(st.integers(0)))
def test_noise_in_pieces_is_read_to_the_same_end(answer, places):
    assert read([answer]) == read(cut(answer, places))


@given(st.sampled_from(list(SMALL.values())), st.integers(0), st.integers(0, 255))
def test_an_answer_with_one_wrong_byte_has_an_end(answer, place, byte):
    place %= len(answer) or 1
    reason, text, *_ = read([answer[:place] + bytes([byte]) + answer[place + 1 :]])

    assert (reason is None) == (text == "")


@pytest.mark.parametrize(
    "endless",
    [
        b"HTTP/1.1 200 " + b"a" * 2 * MOST_LINE,
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 2 * MOST_LINE,
        b"HTTP/1.1 200 OK\r\nX: a\r\n" + b" b\r\n" * MOST_LINE,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * MOST_BYTES,
        b"HTTP/1.1 103 x\r\n\r\n" * MOST_BYTES,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * MOST_BYTES,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"y" * MOST_LINE,
    ],
)
@pytest.mark.parametrize("step", [100, 1 << 20])
def test_what_does_not_end_is_too_large(endless, step):
    reason, *_ = read([endless[i : i + step] for i in range(0, len(endless), step)])

    assert Reason.headers_too_large is reason


@pytest.mark.parametrize("name", ["plain", "chunked 2", "chunk neg", "chunk no end", "head cut"])
def test_nothing_is_left_to_the_collector(name):
    answer = Answer(method="GET", limit=100)
    answer.feed(ANSWERS[name])
    if not answer.done:
        answer.close()
    body = answer.body

    assert 1 < sys.getrefcount(answer) <= 2
    assert isinstance(body, bytes)


@pytest.mark.parametrize(("limit", "reason"), [(5, None), (4, Reason.body_too_large)])
@pytest.mark.parametrize("step", [1, 100])
def test_a_body_may_be_as_large_as_its_limit(limit, reason, step):
    for name in ("plain", "chunked 2", "http11 close"):
        whole = ANSWERS[name]
        found = read([whole[i : i + step] for i in range(0, len(whole), step)], limit=limit)

        assert (reason, b"hello"[:limit]) == (found[0], found[5])
