"""The watch over what a server says in TLS. (`tests/hostile/test_kinds.py` floods for real.)"""

import socket

from sentinel.transport.flood import MOST_MESSAGES, Flood

HELLO_REQUEST = bytes(4)
KEY_UPDATE = b"\x18\0\0\1\1"
RECORD_HEAD = b"\x17\x03\x03\x40\x00"
INNER_KIND = b"\x17"


def told(*messages: bytes, times: int) -> tuple[bool, bytes | None]:
    """Whether that was too much, and what the other side of the socket then hears (None: nothing)."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    with ours, theirs:
        flood = Flood()
        flood.on_socket(ours.fileno(), 0)
        for _ in range(times):
            for message in messages:
                flood.on_tls(message)
        try:
            return flood.came, theirs.recv(1)
        except BlockingIOError:
            return flood.came, None


def test_messages_without_end_shut_the_socket():
    assert (True, b"") == told(HELLO_REQUEST, times=MOST_MESSAGES + 1)
    assert (True, b"") == told(KEY_UPDATE, times=MOST_MESSAGES + 1)


def test_as_many_as_are_allowed_do_not():
    assert (False, None) == told(HELLO_REQUEST, times=MOST_MESSAGES)


def test_the_records_of_a_long_body_are_no_messages():
    assert (False, None) == told(RECORD_HEAD, INNER_KIND, times=10 * MOST_MESSAGES)


def test_a_transfer_begins_with_nothing_counted():
    flood = Flood()
    for _ in range(MOST_MESSAGES + 1):
        flood.on_tls(HELLO_REQUEST)
    flood.clear()

    assert not flood.came


def test_a_number_that_is_another_socket_by_now_is_left_alone():
    first, other = socket.socketpair()
    flood = Flood()
    flood.on_socket(first.fileno(), 0)
    number = first.fileno()
    first.close()
    other.close()
    pairs = [socket.socketpair() for _ in range(4)]
    reused = [(ours, theirs) for ours, theirs in pairs if ours.fileno() == number]
    for _ in range(MOST_MESSAGES + 1):
        flood.on_tls(HELLO_REQUEST)
    try:
        for ours, theirs in reused:
            ours.send(b"x")
            assert b"x" == theirs.recv(1)
        assert reused, "the system gave the number to nobody"
    finally:
        for pair in pairs:
            for each in pair:
                each.close()
