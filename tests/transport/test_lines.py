"""Reading by lines and by counted bytes: however it is cut, and never without an end."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.transport.lines import LONGEST_LINE, MOST_RECEIVED, Ended, Lines
from sentinel.transport.reasons import Reason
from tests.transport.test_resp import Said


def read(reading, *pieces):
    """What `reading` makes of lines over a connection that says these pieces and closes."""
    lines = Lines(Said(*pieces), 0.0)
    return asyncio.run(reading(lines)), lines


@given(st.lists(st.binary(max_size=50).map(lambda part: part.replace(b"\n", b"")), max_size=8))
def test_lines_are_read_as_they_were_said_however_they_are_cut(said):
    whole = b"".join(line + b"\n" for line in said)

    async def all_lines(lines):
        return [await lines.line("a line") for _ in said]

    in_one, _ = read(all_lines, whole)
    in_pieces, _ = read(all_lines, *(whole[at : at + 1] for at in range(len(whole))))

    assert [line.removesuffix(b"\r") for line in said] == in_one == in_pieces


def test_bytes_are_counted_between_lines():
    async def mixed(lines):
        return await lines.line("a"), await lines.exactly(3, "b"), await lines.line("c")

    parts, lines = read(mixed, b"one\r\nt\nw", b"o\n", b"rest")

    assert (b"one", b"t\nw", b"o") == parts
    assert (b"", b"one\r\nt\nwo\n") == (lines.waiting, bytes(lines.received))


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ([], "empty_reply"),
        ([b"no end"], "truncated"),
        ([Reason.reset], "reset"),
        ([b"x" * 16384] * 10, "protocol_error"),
    ],
)
def test_a_line_that_does_not_come_ends_the_conversation(pieces, reason):
    with pytest.raises(Ended, match="a line") as ended:
        read(lambda lines: lines.line("a line"), *pieces)

    assert reason == ended.value.reason


def test_a_conversation_is_bounded_whatever_is_asked_for():
    for size in (MOST_RECEIVED, MOST_RECEIVED + 1, 1 << 40):
        with pytest.raises(Ended) as ended:
            read(lambda lines, size=size: lines.exactly(size, "bytes"), *[b"x\n" * 8192] * 10)
        assert ended.value.reason in ("truncated", "body_too_large")

    async def forever(lines):
        for _ in range(10**7):
            await lines.line("a line")

    with pytest.raises(Ended) as ended:
        read(forever, *[b"x\n" * 8192] * 100)
    assert "body_too_large" == ended.value.reason
    assert LONGEST_LINE < MOST_RECEIVED
