"""MQTT's packets: what goes out byte by byte, what comes in, and what no packet may be."""

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.transport.lines import Ended, Lines
from sentinel.transport.mqtt import (
    Kind,
    Packet,
    Published,
    connect,
    puback,
    publish,
    published,
    read_packet,
    subscribe,
)
from tests.transport.test_resp import Said


def packet(*pieces):
    return asyncio.run(read_packet(Lines(Said(*pieces), 0.0), "a packet"))


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (connect("a", keep_alive_s=60), "100d 0004 4d515454 04 02 003c 0001 61"),
        (
            connect("a", keep_alive_s=1, user="u", password="p"),
            "1013 0004 4d515454 04 c2 0001 0001 61 0001 75 0001 70",
        ),
        (subscribe(1, "a/#", qos=1), "8208 0001 0003 612f23 01"),
        (publish("t", b"hi", qos=0, number=2), "3005 0001 74 6869"),
        (publish("t", b"hi", qos=1, number=2), "3207 0001 74 0002 6869"),
        (puback(258), "4002 0102"),
    ],
)
def test_a_packet_is_as_the_standard_draws_it(made, expected):
    assert bytes.fromhex(expected) == made


@given(st.binary(max_size=20_000), st.sampled_from([0, 1]))
def test_a_message_is_read_back_whatever_its_length(payload, qos):
    read = packet(publish("shop/ä", payload, qos=qos, number=7))

    assert Published("shop/ä", payload, False, 7 if qos else 0) == published(read)


def test_a_packet_is_read_however_it_is_cut():
    whole = publish("t", b"x" * 200, qos=0, number=0)

    assert packet(whole) == packet(*(whole[at : at + 1] for at in range(len(whole))))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"", "empty_reply"),
        (b"\x20", "truncated"),
        (b"\x20\x02\x00", "truncated"),
        (b"\x30\xff\xff\xff\xff\x01", "protocol_error"),
        (b"\x30\xff\xff\xff\x7f", "body_too_large"),
    ],
)
def test_what_is_no_packet_ends_the_conversation(said, reason):
    with pytest.raises(Ended) as ended:
        packet(said)

    assert reason == ended.value.reason


@pytest.mark.parametrize(
    "wrong",
    [
        Packet(Kind.PUBLISH, 0, b"\x00"),
        Packet(Kind.PUBLISH, 0, b"\x00\x05abc"),
        Packet(Kind.PUBLISH, 2, b"\x00\x01a\x00"),
        Packet(Kind.PUBLISH, 4, b"\x00\x01a\x00\x01"),
        Packet(Kind.PUBLISH, 0, b"\x00\x01\xff"),
    ],
)
def test_a_message_that_is_none_ends_the_conversation(wrong):
    with pytest.raises(Ended) as ended:
        published(wrong)

    assert "protocol_error" == ended.value.reason


def test_a_text_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="65535"):
        connect("x" * 70_000, keep_alive_s=1)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_packet_or_an_end(said):
    with suppress(Ended):
        published(packet(said))
