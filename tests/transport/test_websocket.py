"""WebSockets against whatever a peer may send: every byte string ends in a message, a close or a
reason, in bounded memory."""

import asyncio
import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.transport.reasons import Reason
from sentinel.transport.websocket import ABNORMAL, MOST_RECEIVED, Closed, upgrade
from sentinel.transport.wire import Exchange


class Peer:
    """Answers an upgrade, then says these pieces and closes; `heard` is what it was told."""

    def __init__(self, *pieces: bytes, status: str = "101 Switching Protocols") -> None:
        self.exchange = Exchange("http://a:80/")
        self.heard = b""
        self._pieces = list(pieces)
        self._status = status
        self._answered = False

    async def send(self, content, deadline):
        self.heard += content

    async def receive(self, deadline):
        if not self._answered:
            self._answered = True
            return self._answer()
        return self._pieces.pop(0) if self._pieces else b""

    def _answer(self):
        named = dict(
            line.split(": ", 1) for line in self.heard.decode().split("\r\n") if ": " in line
        )
        secret = named["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accepted = base64.b64encode(hashlib.sha1(secret.encode()).digest()).decode()
        lines = ["Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accepted}"]
        return "\r\n".join([f"HTTP/1.1 {self._status}", *lines, "", ""]).encode()


def frame(opcode, payload, *, fin=True):
    size = len(payload)
    length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    return bytes([opcode | (0x80 if fin else 0)]) + length + payload


def heard(*pieces, most=50):
    """All that comes over a WebSocket, to its end."""

    async def main():
        socket = await upgrade(Peer(*pieces), "ws://a/", 0.0)
        assert socket.upgraded
        found = []
        for _ in range(most):
            found.append(await socket.receive(0.0))
            if isinstance(found[-1], Closed | Reason):
                break
        return found

    return asyncio.run(main())


@given(st.lists(st.tuples(st.booleans(), st.text(max_size=200)), max_size=5), st.integers(1, 9))
def test_messages_are_heard_as_they_were_said_however_they_are_cut(said, cut):
    frames = b"".join(frame(1 if text else 2, words.encode()) for text, words in said)
    pieces = [frames[at : at + cut] for at in range(0, len(frames), cut)]

    assert [*(w if text else w.encode() for text, w in said), Closed(ABNORMAL)] == heard(*pieces)


def test_a_message_in_parts_is_one_and_pings_between_are_answered():
    peer = Peer(frame(1, b"\xc3", fin=False), frame(9, b"hey"), frame(0, b"\xa4"))

    async def main():
        socket = await upgrade(peer, "ws://a/", 0.0)
        return await socket.receive(0.0)

    assert "ä" == asyncio.run(main())
    assert 0x8A == peer.heard.partition(b"\r\n\r\n")[2][0]


@given(st.binary(max_size=300))
def test_any_bytes_come_to_an_end(said):
    last = heard(said, most=400)[-1]

    assert isinstance(last, Closed) or last in (Reason.protocol_error, Reason.body_too_large)


def test_what_is_read_is_bounded():
    flood = [frame(1, b"x" * 60_000)] * 40

    assert Reason.body_too_large == heard(*flood, most=100)[-1]
    assert MOST_RECEIVED == 1 << 20


def test_a_goodbye_is_heard():
    assert [Closed(1001, "restart")] == heard(frame(8, b"\x03\xe9restart"))


@pytest.mark.parametrize(
    "headers",
    [
        (("Host", "a\r\nX: y"),),
        (("Upgrade", "h2c"),),
        (("sec-websocket-version", "7"),),
        (("a b", ""),),
    ],
)
def test_headers_that_would_break_the_upgrade_are_not_sent(headers):
    peer = Peer()
    socket = asyncio.run(upgrade(peer, "ws://a/", 0.0, headers=headers))

    assert (Reason.invalid_request, b"") == (socket.exchange.reason, peer.heard)


def test_a_host_and_an_agent_of_ones_own_replace_ours():
    peer = Peer()
    given = (("Host", "b.example"), ("User-Agent", "me"), ("X-A", "1"), ("X-A", "2"))
    asyncio.run(upgrade(peer, "ws://a/", 0.0, headers=given))

    lines = peer.heard.decode().split("\r\n")
    assert ["Host: b.example"] == [line for line in lines if line.startswith("Host")]
    assert {"User-Agent: me", "X-A: 1", "X-A: 2"} < set(lines)
