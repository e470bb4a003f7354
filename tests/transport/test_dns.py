"""Asking a name server: over each protocol, and what servers and strangers can do to it."""

import asyncio
import socket
import time

import dns.flags
import pytest

from sentinel.transport.curl import Transport
from sentinel.transport.dns import Server, ask, system_server
from sentinel.transport.dnswire import Question
from tests.transport.certificates import authority, server
from tests.transport.nameserver import names, response, says
from tests.transport.servers import serving

SHOP = "shop.example. 300 IN A 192.0.2.7"
QUESTION = Question("shop.example")


def asked(answering, *, question=QUESTION, tls=None, seconds=5.0, **how):
    """What `ask` says of a name server, and what that heard."""

    async def main():
        async with names(answering, tls) as (port, heard), Transport() as transport:
            to = Server("127.0.0.1", port, **how)
            answer = await ask(transport, question, to, transport.now() + seconds)
            return answer, [protocol for protocol, _ in heard], len(transport.sockets)

    answer, heard, watched = asyncio.run(main())
    assert watched <= 1, "a socket was left behind"
    return answer, heard


def data(answer):
    return [record.data for record in answer.message.answer]


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_a_question_is_answered(protocol):
    answer, heard = asked(says(SHOP), protocol=protocol)

    assert (["192.0.2.7"], None, protocol, 1) == (
        data(answer), answer.reason, answer.protocol, answer.sent,
    )  # fmt: skip
    assert ["resolve", "connect", "request"] == list(answer.phases)
    assert ("127.0.0.1", [protocol]) == (answer.address, heard)
    assert 0 < answer.duration_s < 5


@pytest.mark.needs("openssl")
def test_a_question_is_answered_over_tls_with_its_certificate():
    answer, _ = asked(
        says(SHOP), protocol="tls", tls=server("good"), ca_file=authority(), server_name="localhost"
    )

    assert (["192.0.2.7"], "tls", True) == (
        data(answer), answer.protocol, answer.exchange.verified,
    )  # fmt: skip
    assert ["resolve", "connect", "tls", "request"] == list(answer.phases)


@pytest.mark.needs("openssl")
def test_a_certificate_that_is_refused_has_its_reason():
    answer, _ = asked(
        says(SHOP),
        protocol="tls",
        tls=server("expired"),
        ca_file=authority(),
        server_name="localhost",
    )

    assert (None, "certificate_expired") == (answer.message, answer.reason)


def cut_short(asked_, protocol):
    if protocol == "udp":
        return [response(asked_, flags=dns.flags.TC)]
    return [response(asked_, SHOP)]


def test_a_truncated_answer_is_asked_for_over_tcp():
    answer, heard = asked(cut_short)

    assert (["192.0.2.7"], "tcp", 2) == (data(answer), answer.protocol, answer.sent)
    assert ["udp", "tcp"] == heard


def test_a_truncated_answer_is_taken_as_it_is_where_that_is_asked():
    answer, heard = asked(cut_short, retry_truncated=False)

    assert (True, "udp", ["udp"]) == (answer.message.truncated, answer.protocol, heard)


def forging(asked_, _protocol):
    """What a stranger would send first, and then the answer."""
    true = response(asked_, SHOP)
    return [
        b"",
        b"\xff" * 40,
        bytes((asked_[0] ^ 1,)) + response(asked_, "shop.example. 9 IN A 203.0.113.6")[1:],
        true.replace(b"\x04shop", b"\x04shoq"),
        asked_,
        true,
    ]


def test_a_datagram_that_answers_another_question_is_passed_over():
    assert ["192.0.2.7"] == data(asked(forging)[0])


def test_an_answer_that_came_before_is_known_again_and_no_other():
    """A stranger who saw the last answer cannot say it again: the id is another."""
    said = [SHOP, SHOP, "shop.example. 9 IN A 192.0.2.9", SHOP]

    def answering(asked_, _protocol):
        true = response(asked_, said.pop(0))
        old = response(asked_, SHOP)
        return [bytes((old[0] ^ 1,)) + old[1:], true]

    async def main():
        async with names(answering) as (port, _), Transport() as transport:
            to, messages = Server("127.0.0.1", port), [None]
            for _ in range(4):
                until = transport.now() + 5
                answer = await ask(transport, QUESTION, to, until, messages[-1])
                messages.append(answer.message)
            return messages[1:]

    first, again, other, back = asyncio.run(main())
    assert (first is again, first == back, first is back) == (True, True, False)
    assert ["192.0.2.7", "192.0.2.9", "192.0.2.7"] == [
        message.answer[0].data for message in (again, other, back)
    ]


def test_a_flood_of_answers_to_nothing_asked_ends():
    answer, _ = asked(lambda _, __: [b"\xff" * 40] * 1200, seconds=0.4)

    assert answer.reason in ("protocol_error", "timeout")


def test_only_the_server_that_was_asked_is_heard():
    """A connected socket takes nothing from another port, whatever it says."""

    async def main():
        loop = asyncio.get_running_loop()
        stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

        class Asked(asyncio.DatagramProtocol):
            def connection_made(self, transport):
                self.transport = transport

            def datagram_received(self, content, address):
                stranger.sendto(response(content, "shop.example. 9 IN A 203.0.113.6"), address)
                loop.call_later(0.02, self.transport.sendto, response(content, SHOP), address)

        listening, _ = await loop.create_datagram_endpoint(Asked, local_addr=("127.0.0.1", 0))
        port = listening.get_extra_info("sockname")[1]
        async with Transport() as transport:
            answer = await ask(transport, QUESTION, Server("127.0.0.1", port), transport.now() + 5)
        listening.close()
        stranger.close()
        return answer

    assert ["192.0.2.7"] == data(asyncio.run(main()))


def test_the_time_an_answer_took_ends_where_it_is_heard():
    """Not where the loop has time for who asked."""

    async def main():
        with socket.socket(type=socket.SOCK_DGRAM) as peer:
            peer.bind(("127.0.0.1", 0))
            async with Transport() as transport:
                to = Server("127.0.0.1", peer.getsockname()[1])
                asking = asyncio.create_task(ask(transport, QUESTION, to, transport.now() + 5))
                await asyncio.sleep(0)
                content, whence = peer.recvfrom(512)
                peer.sendto(response(content, SHOP), whence)
                transport.hear()
                time.sleep(0.5)
                return await asking

    answer = asyncio.run(main())
    assert ["192.0.2.7"] == data(answer)
    assert 0 < answer.phases["request"] < 0.5


def test_a_transport_that_is_not_started_hears_nothing():
    assert Transport().hear() is None


def second_time(*, records):
    times = iter(range(10))
    return lambda asked_, _protocol: [response(asked_, *records)] if next(times) else []


def test_a_question_that_was_lost_is_asked_again_within_the_deadline():
    answer, heard = asked(second_time(records=[SHOP]), tries=2, seconds=0.6)

    assert (["192.0.2.7"], 2, ["udp", "udp"]) == (data(answer), answer.sent, heard)
    assert answer.phases["request"] < 0.25, "the try that was lost does not count"


def test_a_late_answer_is_not_the_next_questions():
    """What comes twice is not heard by whoever uses the socket next."""

    def twice(asked_, _protocol):
        return [response(asked_, SHOP)] * 2

    async def main():
        async with names(twice) as (port, heard), Transport() as transport:
            to = Server("127.0.0.1", port)
            for _ in range(10):
                answer = await ask(transport, QUESTION, to, transport.now() + 5)
                assert (["192.0.2.7"], None) == (data(answer), answer.reason)
            return len(heard), len(transport.sockets)

    heard, watched = asyncio.run(main())
    assert (10, True) == (heard, watched <= 1)


def test_silence_is_a_timeout():
    answer, heard = asked(lambda _, __: [], tries=3, seconds=0.3)

    assert ("timeout", 3, ["udp"] * 3) == (answer.reason, answer.sent, heard)


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_nobody_listening_is_refused(protocol):
    async def main():
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            to = Server("127.0.0.1", taken.getsockname()[1], protocol)
            async with Transport() as transport:
                return await ask(transport, QUESTION, to, transport.now() + 5)

    assert "connect_refused" == asyncio.run(main()).reason


def test_a_server_whose_name_is_not_found_has_its_reason():
    async def main():
        async with Transport() as transport:
            to = Server("ns.invalid.")
            return await ask(transport, QUESTION, to, transport.now() + 5)

    answer = asyncio.run(main())
    assert answer.reason in ("dns_failed", "dns_timeout")
    assert ["resolve"] == list(answer.phases)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (lambda asked_, _: [asked_[:2] + b"\x80\x00" + b"\x00\x01\x00\x05\0\0\0\0" + asked_[12:]], "protocol_error"),
        (lambda asked_, _: [b"\0\0" + asked_[2:]], "protocol_error"),
        (lambda _, __: [b""], "protocol_error"),
        (lambda _, __: [], "empty_reply"),
    ],
)  # fmt: skip
def test_an_answer_over_tcp_that_is_none_has_its_reason(said, reason):
    assert reason == asked(said, protocol="tcp")[0].reason


def test_an_answer_over_tcp_that_stops_midway_is_truncated():
    async def main():
        async def script(reader, writer):
            await reader.readexactly(2)
            writer.write(b"\x00\xff" + b"x" * 9)
            await writer.drain()

        async with serving(script) as port, Transport() as transport:
            to = Server("127.0.0.1", port, "tcp")
            return await ask(transport, QUESTION, to, transport.now() + 5)

    assert "truncated" == asyncio.run(main()).reason


def test_a_large_answer_comes_whole_over_tcp():
    many = [f"shop.example. 5 IN A 10.1.{i // 250}.{i % 250}" for i in range(1000)]
    answer, _ = asked(says(*many), protocol="tcp")

    assert (1000, True) == (len(data(answer)), answer.size > 16_000)


def test_no_two_questions_have_the_same_id_and_port():
    async def main():
        seen = []
        with socket.socket(type=socket.SOCK_DGRAM) as peer:
            peer.bind(("127.0.0.1", 0))
            async with Transport() as transport:
                to = Server("127.0.0.1", peer.getsockname()[1])
                for _ in range(20):
                    asking = asyncio.create_task(ask(transport, QUESTION, to, transport.now() + 5))
                    await asyncio.sleep(0)
                    content, whence = peer.recvfrom(512)
                    seen.append((content[:2], whence[1]))
                    peer.sendto(response(content, SHOP), whence)
                    await asking
        return seen

    ids, ports = zip(*asyncio.run(main()), strict=True)
    assert (True, True) == (len(set(ids)) > 15, len(set(ports)) > 15)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("# none\nsearch example\nnameserver 192.0.2.53\nnameserver 192.0.2.54\n", "192.0.2.53"),
        ("nameserver\toptions\nnameserver", "options"),
        ("search example\n", "127.0.0.1"),
        (None, "127.0.0.1"),
    ],
)
def test_the_systems_name_server_is_the_first_that_it_names(tmp_path, written, expected):
    path = tmp_path / "resolv.conf"
    if written is not None:
        path.write_text(written)

    assert expected == system_server(str(path))
