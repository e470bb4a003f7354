"""RESP: what is packed, what is read, and what no reply may do."""

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.transport.lines import MOST_RECEIVED, Ended, Lines
from sentinel.transport.resp import Refusal, packed, read_reply


class Said:
    """A connection that says what it is given, piece by piece, and then closes."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)

    async def receive(self, deadline):
        return self._pieces.pop(0) if self._pieces else b""


def reply(*pieces):
    return asyncio.run(read_reply(Lines(Said(*pieces), 0.0), "a reply"))


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (b"+PONG\r\n", "PONG"),
        (b":-42\r\n", -42),
        (b"$5\r\nhe\r\no\r\n", "he\r\no"),
        (b"$0\r\n\r\n", ""),
        (b"$-1\r\n", None),
        (b"*-1\r\n", None),
        (b"*0\r\n", []),
        (b"*3\r\n$1\r\na\r\n:1\r\n*1\r\n+b\r\n", ["a", 1, ["b"]]),
        (b"-WRONGPASS no\r\n", Refusal("WRONGPASS no")),
        (b"$1\r\n\xff\r\n", "�"),
    ],
)
def test_a_reply_is_read_however_it_is_cut(said, meant):
    assert meant == reply(said)
    assert meant == reply(*(said[index : index + 1] for index in range(len(said))))


def test_the_code_of_a_refusal_is_its_first_word():
    assert "WRONGPASS" == Refusal("WRONGPASS no such user").code


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"", "empty_reply"),
        (b"+PO", "truncated"),
        (b"$5\r\nhel", "truncated"),
        (b"HTTP/1.1 400 Bad Request\r\n", "protocol_error"),
        (b":1x\r\n", "protocol_error"),
        (b":99999999999999999999\r\n", "protocol_error"),
        (b"$2\r\nabc\r\n", "protocol_error"),
        (b"$-2\r\n", "protocol_error"),
        (b"*4000000000\r\n", "protocol_error"),
        (b"*10000\r\n" + b"*1\r\n:1\r\n" * 10000, "protocol_error"),
        (b"*1\r\n" * 50, "protocol_error"),
        (b"$4000000000\r\n", "body_too_large"),
        (b"+" + b"x" * 70_000, "protocol_error"),
    ],
)
def test_what_is_no_reply_ends_the_conversation(said, reason):
    with pytest.raises(Ended) as ended:
        reply(*(said[at : at + 16384] for at in range(0, len(said), 16384)))

    assert reason == ended.value.reason
    assert "a reply" in ended.value.text


def test_a_conversation_has_an_end():
    with pytest.raises(Ended) as ended:
        reply(b"*9999\r\n", *[b"+x\r\n" * 4096] * 2, *[b"$16000\r\n" + b"x" * 16000 + b"\r\n"] * 99)

    assert "body_too_large" == ended.value.reason
    assert MOST_RECEIVED == 1 << 20


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=5))
def test_a_packed_command_is_read_back_word_by_word(words):
    assert words == reply(packed(words))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_reply_or_an_end(said):
    with suppress(Ended):
        reply(said)
