"""The `websocket` kind against a real WebSocket server, and against servers that break the rules."""

import asyncio
import base64
import hashlib
import re

import pytest
from websockets.asyncio.server import serve

from sentinel.expression import compile_expression
from sentinel.metrics.families import KNOWN
from sentinel.probers.websocket import Websocket, WebsocketTurn
from sentinel.transport.curl import Transport
from sentinel.words import Outcome, Secret
from tests.probers.documents import shown
from tests.transport.certificates import authority, server
from tests.transport.servers import observed, serving

pytestmark = pytest.mark.needs("openssl")


async def prices(socket):
    """Welcome, then answer as an old-fashioned price service would."""
    await socket.send('{"type":"welcome","session":"s-42"}')
    async for message in socket:
        match message:
            case "close":
                await socket.close(1011, "feed is down")
            case "pieces":
                await socket.send(["one ", "two ", "three"])
            case "bytes":
                await socket.send(b"\x01mug")
            case _:
                await socket.send(f"you said {message}")


def check(*turns, tls=None, needed="", seconds=5.0, path="/prices", server_side=None, **fields):
    """What the kind observes of a real server."""

    async def main():
        given = server_side or {}
        async with serve(prices, "127.0.0.1", 0, ssl=tls, **given) as running:
            port = running.sockets[0].getsockname()[1]
            scheme = "wss" if tls else "ws"
            prober = Websocket(
                f"{scheme}://localhost:{port}{path}",
                ip="ipv4",
                messages=tuple(WebsocketTurn(**turn) for turn in turns),
                **fields,
            )
            async with Transport() as transport:
                return await observed(
                    prober, transport, seconds=seconds, needed=needed, TOKEN="t0psecret"
                )

    return asyncio.run(main())


def holds(source, observation):
    return compile_expression(source, Websocket.NAMES).evaluate(observation.values)


def test_an_upgrade_is_enough():
    observation = check()

    assert (None, "", "127.0.0.1") == (
        observation.outcome,
        observation.reason,
        observation.address,
    )
    assert holds("status == 101 && subprotocol == '' && timing.processing_s > 0.0", observation)
    assert observation.metrics.keys() <= KNOWN.keys() | {each.name for each in Websocket.METRICS}
    assert (101, 1, 0) == tuple(
        observation.metrics[f"probe_websocket_{name}"]
        for name in ("status_code", "connection_upgraded", "failed_due_to_regex")
    )


def test_a_dialogue_is_had_and_what_patterns_caught_is_sent_and_seen():
    observation = check(
        {"expect": '"session":"(?P<session>[^"]+)"', "send": "mine is \\1, \\g<session>"},
        {"expect": "said (?P<rest>.*)"},
    )

    assert "" == observation.reason
    assert {"session": "s-42", "rest": "mine is s-42, s-42"} == dict(observation.values["captured"])
    assert holds('messages.size() == 2 && message.contains("welcome")', observation)
    assert "mine is s-42" in observation.evidence.request


@pytest.mark.parametrize(
    ("asked", "answer"), [("pieces", "one two three"), ("bytes", "\x01mug"), ("ä", "you said ä")]
)
def test_a_message_is_whole_however_it_came(asked, answer):
    observation = check({"send": asked}, {"expect": "welcome"}, {"expect": "."})

    assert ["", answer] == [observation.reason, observation.values["messages"][1]]


def test_what_is_secret_is_sent_and_not_shown():
    observation = check(
        {"secret_send": Secret("token {env:TOKEN}")},
        {"expect": "said token t0psecret"},
        secret_headers={"Authorization": Secret("Bearer {env:TOKEN}")},
    )

    assert "" == observation.reason
    assert "t0psecret" not in observation.evidence.request
    assert "Authorization: ***\n***" in observation.evidence.request


def test_a_ping_is_timed():
    observation = check(ping=True)

    assert 0.0 < observation.values["timing"]["ping_s"] < 5.0
    assert "timing.ping_s" in {sample.name for sample in observation.samples}


def test_a_message_and_a_close_are_waited_for_only_when_they_are_named():
    named = check(needed="message close_code")
    silent = check(needed="timing")

    assert holds('message.contains("welcome") && close_code == 1000', named)
    assert ([], False) == (silent.values["messages"], "close_code" in silent.values)


def test_a_subprotocol_is_negotiated():
    served = {"subprotocols": ["graphql-transport-ws"]}
    chosen = check(subprotocols=("other", "graphql-transport-ws"), server_side=served)

    assert "graphql-transport-ws" == chosen.values["subprotocol"]


def test_a_server_that_closes_says_why():
    observation = check({"send": "close"}, {"expect": "never"})

    assert (Outcome.failed, "unexpected_message") == (observation.outcome, observation.reason)
    assert "closed with 1011 feed is down; no message that fits `never`" == observation.text
    assert 1 == observation.metrics["probe_websocket_failed_due_to_regex"]
    assert holds('close_code == 1011 && close_text == "feed is down"', observation)


def test_a_message_that_does_not_come_is_late():
    observation = check({"expect": "never"}, seconds=0.3)

    assert ("timeout", True) == (observation.reason, observation.network)
    assert 0 == observation.metrics["probe_websocket_failed_due_to_regex"]


def test_an_upgrade_that_is_refused_shows_its_status():
    async def refuse(connection, request):
        return connection.respond(403, "not you")

    observation = check(server_side={"process_request": refuse})

    assert ("upgrade_refused", False) == (observation.reason, observation.network)
    assert "the upgrade was answered with 403 Forbidden" == observation.text
    assert [403, 0] == [
        observation.metrics["probe_websocket_status_code"],
        observation.metrics["probe_websocket_connection_upgraded"],
    ]


@pytest.mark.parametrize(
    ("name", "fields", "reason"),
    [
        ("good", {}, ""),
        ("good", {"ca_file": ""}, "certificate_untrusted"),
        ("other", {}, "certificate_name"),
        ("other", {"server_name": "other.example"}, ""),
        ("expired", {"verify": False}, ""),
    ],
)
def test_certificates_are_verified_as_over_https(name, fields, reason):
    observation = check(tls=server(name), **{"ca_file": authority(), **fields})

    assert reason == observation.reason
    assert "CN=localhost" in observation.evidence.facts["certificates"][0]["subject"]


def upgraded(*frames, hold_s=0.0):
    """Upgrade as one must, then send bytes as they are."""

    async def script(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        key = re.search(rb"(?i)sec-websocket-key: (\S+)", head)[1]
        secret = key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accepted = base64.b64encode(hashlib.sha1(secret).digest())
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accepted + b"\r\n\r\n"
        )
        for frame in frames:
            writer.write(frame)
            await writer.drain()
        await asyncio.sleep(hold_s)

    return script


def saying(answer, hold_s=0.0):
    async def script(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        await asyncio.sleep(hold_s)

    return script


def against(script, *, seconds=2.0, **fields):
    async def main():
        async with serving(script) as port, Transport() as transport:
            turns = (WebsocketTurn(expect="never"),)
            prober = Websocket(f"ws://127.0.0.1:{port}/", messages=turns, **fields)
            return await observed(prober, transport, seconds=seconds)

    return asyncio.run(main())


WRONG_KEY = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: bm90IHlvdXJz\r\n\r\n"
)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (saying(WRONG_KEY), "protocol_error"),
        (saying(b"220 mail.acme.example ESMTP\r\n\r\n"), "protocol_error"),
        (saying(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5000, hold_s=60), "upgrade_refused"),
        (saying(b"HTTP/1.1 101 Sw", hold_s=60), "timeout"),
        (saying(b"HTTP/1.1 101 Sw"), "truncated"),
        (saying(b""), "empty_reply"),
        (saying(b"HTTP/1.1 101 X\r\n" + b"a: b\r\n" * 40_000, hold_s=60), "headers_too_large"),
        (upgraded(b"\x81\x02\xff\xfe", hold_s=60), "protocol_error"),
        (upgraded(b"\x81\x85\x00\x00\x00\x00hello", hold_s=60), "protocol_error"),
        (upgraded(b"\xf1\x00", hold_s=60), "protocol_error"),
        (upgraded(b"\x81\x7f\x00\x00\x00\x10\x00\x00\x00\x00", hold_s=60), "protocol_error"),
        (upgraded(*[b"\x81\x7e\xff\xff" + b"x" * 65535] * 20, hold_s=60), "body_too_large"),
        (upgraded(*[b"\x89\x01x"] * 5), "unexpected_message"),
        (upgraded(b"\x81\x05he"), "unexpected_message"),
    ],
)
def test_who_breaks_the_rules_has_a_reason(script, reason):
    observation = against(script, seconds=0.5 if reason == "timeout" else 5.0)

    assert (Outcome.failed, reason) == (observation.outcome, observation.reason)
    assert observation.text


def test_a_pong_that_does_not_come_is_a_reason():
    assert "closed" == against(upgraded(), ping=True).reason
    assert "timeout" == against(upgraded(hold_s=60), ping=True, seconds=0.3).reason


@pytest.mark.parametrize(
    "url", ["ftp://a/", "wss://", "wss://user:pass@a/", "ws://a:99999/", "ws://a/b c", "a.example"]
)
def test_an_address_that_is_none_is_refused_when_it_is_declared(url):
    with pytest.raises(ValueError, match=r"\S"):
        Websocket(url)


def test_an_address_of_the_site_and_pieces_make_a_path():
    prober = Websocket("https://shop.example/app/", path=("live", "a b/c"))

    assert "wss://shop.example/app/live/a%20b%2Fc" == prober._address("wss")


def test_headers_that_are_the_protocols_own_are_not_sent():
    observation = check(headers={"Sec-WebSocket-Key": "mine"})

    assert (Outcome.unknown, "invalid_request") == (observation.outcome, observation.reason)


def test_nothing_stays_open():
    async def main():
        async with serve(prices, "127.0.0.1", 0) as running, Transport() as transport:
            port = running.sockets[0].getsockname()[1]
            await observed(Websocket(f"ws://127.0.0.1:{port}/", ping=True), transport)
            return transport.under_way

    assert 0 == asyncio.run(main())


def test_what_the_pages_show_can_be_declared():
    assert {"websocket"} == {probe.kind for probe in shown("websocket").values()}
