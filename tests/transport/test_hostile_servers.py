"""What a sick or malicious server can do: each ends in time, with its reason, in bounded memory."""

import asyncio
import gzip
import socket
import struct
import tracemalloc

import pytest

from sentinel.transport.reasons import Reason
from sentinel.transport.wire import Request
from tests.transport.servers import fetched, for_ever, opened, redirect, saying, serving, silent

HEAD = b"HTTP/1.1 200 OK\r\n"
SHORT_S = 0.4
"""A deadline that a test waits for."""


def aborting(*parts: bytes, hear: bool = True):
    """Send the parts, then reset the connection."""

    async def script(reader, writer):
        if hear:
            await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            writer.write(part)
            await writer.drain()
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    return script


async def unanswered(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    await silent(reader, writer)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        pytest.param(saying(), Reason.empty_reply, id="closed without answer"),
        pytest.param(aborting(hear=False), Reason.reset, id="reset before the request"),
        pytest.param(aborting(), Reason.reset, id="reset instead of an answer"),
        pytest.param(aborting(HEAD), Reason.reset, id="reset within the head"),
        pytest.param(
            aborting(HEAD + b"Content-Length: 9\r\n\r\nhalf"),
            Reason.reset,
            id="reset within the body",
        ),
        pytest.param(
            saying(HEAD + b"Content-Length: 9\r\n\r\nhalf"), Reason.truncated, id="body cut short"
        ),
        pytest.param(
            saying(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel"),
            Reason.truncated,
            id="chunk cut short",
        ),
        pytest.param(
            saying(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
            Reason.protocol_error,
            id="chunk without a length",
        ),
        pytest.param(
            saying(b"SSH-2.0-OpenSSH_9.2\r\n"), Reason.protocol_error, id="another protocol"
        ),
        pytest.param(saying(b"\x00\xff\x00\xff\r\n\r\n"), Reason.protocol_error, id="noise"),
        pytest.param(
            saying(HEAD + b"Content-Length: 5\r\nContent-Length: 7\r\n\r\nhello"),
            Reason.protocol_error,
            id="two lengths",
        ),
        pytest.param(
            saying(HEAD + b"Content-Length: -4\r\n\r\nhello"),
            Reason.protocol_error,
            id="negative length",
        ),
        pytest.param(
            for_ever(HEAD, b"X-A: " + b"b" * 1000 + b"\r\n"),
            Reason.headers_too_large,
            id="endless headers",
        ),
        pytest.param(
            for_ever(HEAD + b"X-A: ", b"b" * 1000),
            Reason.headers_too_large,
            id="endless header line",
        ),
        pytest.param(
            for_ever(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
            Reason.headers_too_large,
            id="endless early hints",
        ),
        pytest.param(
            for_ever(
                HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n",
                b"X-Trailer: " + b"b" * 500 + b"\r\n",
            ),
            Reason.headers_too_large,
            id="endless trailers",
        ),
        pytest.param(
            saying(HEAD + b"".join(b"Set-Cookie: a%d=b\r\n" % n for n in range(10_000)) + b"\r\n"),
            Reason.headers_too_large,
            id="ten thousand cookies",
        ),
        pytest.param(
            for_ever(HEAD + b"\r\n", b"b" * 65536), Reason.body_too_large, id="endless body"
        ),
        pytest.param(
            for_ever(HEAD + b"Content-Length: 999999\r\n\r\n", b"", every_s=0.1),
            Reason.timeout,
            id="a length and no body",
        ),
        pytest.param(
            for_ever(HEAD + b"Content-Length: 99999999999\r\n\r\n", b"b" * 65536),
            Reason.body_too_large,
            id="a gigantic length",
        ),
        pytest.param(unanswered, Reason.timeout, id="no answer"),
        pytest.param(for_ever(HEAD + b"\r\n", b"b", every_s=0.02), Reason.timeout, id="slow body"),
        pytest.param(for_ever(HEAD, b"a", every_s=0.02), Reason.timeout, id="slow head"),
        pytest.param(saying(redirect("/again")), Reason.too_many_redirects, id="redirect loop"),
        pytest.param(
            saying(redirect("file:///etc/passwd")), Reason.redirect_refused, id="to a file"
        ),
        pytest.param(saying(redirect("ftp://127.0.0.1/")), Reason.redirect_refused, id="to ftp"),
        pytest.param(saying(redirect("http://[::1")), Reason.redirect_refused, id="to no URL"),
        pytest.param(
            saying(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"),
            Reason.decode_error,
            id="not compressed at all",
        ),
    ],
)
def test_each_ends_with_its_reason(script, reason):
    seconds = SHORT_S if reason is Reason.timeout else 5.0

    exchange = fetched(script, seconds=seconds, compression="gzip")

    assert (reason, True) == (exchange.reason, bool(exchange.text))


def test_nobody_listening_is_refused():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening
        port = taken.getsockname()[1]

        async def main():
            async with opened() as transport:
                return await transport.fetch(
                    Request(f"http://127.0.0.1:{port}/"), transport.now() + 5
                )

        exchange = asyncio.run(main())

    assert (Reason.connect_refused, True) == (exchange.reason, exchange.network)


def test_a_full_backlog_is_a_connect_timeout():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))

        async def main():
            async with opened() as transport:
                return await transport.fetch(
                    Request(f"http://127.0.0.1:{port}/"), transport.now() + SHORT_S
                )

        exchange = asyncio.run(main())
        for each in waiting:
            each.close()

    assert exchange.reason is Reason.connect_timeout
    assert exchange.phases["connect"] >= 0.9 * SHORT_S


def test_a_name_that_does_not_exist_is_a_dns_failure():
    async def main():
        async with opened() as transport:
            return await transport.fetch(Request("http://shop.invalid/"), transport.now() + 5)

    exchange = asyncio.run(main())

    assert exchange.reason in (Reason.dns_failed, Reason.dns_timeout)
    assert list(exchange.phases) == ["resolve"]


def test_a_deadline_in_the_past_asks_nobody():
    async def main():
        async with opened() as transport:
            return await transport.fetch(Request("http://127.0.0.1:1/"), transport.now() - 1)

    assert Reason.timeout is asyncio.run(main()).reason


def test_a_compressed_bomb_is_cut_at_the_limit():
    bomb = gzip.compress(b"\0" * 50_000_000)
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)

    async def main():
        async with serving(saying(head, bomb)) as port, opened() as transport:
            request = Request(f"http://127.0.0.1:{port}/", compression="gzip")
            tracemalloc.start()
            exchange = await transport.fetch(request, transport.now() + 5)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            return exchange, peak

    exchange, peak = asyncio.run(main())

    assert Reason.body_too_large is exchange.reason
    assert len(exchange.body) == 1 << 20
    assert peak < 4_000_000


def test_an_endless_body_leaves_what_the_limit_allows():
    exchange = fetched(for_ever(HEAD + b"\r\n", b"b" * 65536), body_limit=10_000)

    assert exchange.body == b"b" * 10_000
    assert exchange.status == 200


def test_bytes_that_are_no_text_are_kept_as_they_are():
    exchange = fetched(saying(HEAD + b"X-\xc3\xa4: \xff\r\nContent-Length: 3\r\n\r\n\xff\xfe\x00"))

    assert (exchange.reason, exchange.body) == (None, b"\xff\xfe\x00")


def test_trailers_and_early_hints_are_not_headers():
    exchange = fetched(
        saying(
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
            + HEAD
            + b"Transfer-Encoding: chunked\r\n\r\n"
            b"5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n"
        )
    )

    assert (exchange.body, exchange.headers) == (b"hello", (("transfer-encoding", "chunked"),))


def test_one_sick_server_does_not_hold_up_another():
    async def main():
        async with (
            serving(unanswered) as sick,
            serving(saying(HEAD + b"\r\n")) as well,
            opened() as transport,
        ):
            deadline = transport.now() + 60
            slow, quick = (Request(f"http://127.0.0.1:{port}/") for port in (sick, well))
            hanging = [asyncio.ensure_future(transport.fetch(slow, deadline)) for _ in range(50)]
            answered = await transport.fetch(quick, deadline)
            still = [one for one in hanging if not one.done()]
            for one in hanging:
                one.cancel()
            await asyncio.gather(*hanging, return_exceptions=True)
            return answered, len(still)

    answered, still = asyncio.run(main())

    assert (answered.status, still) == (200, 50)


def test_closing_tells_those_who_wait():
    async def main():
        async with serving(unanswered) as port:
            transport = opened()
            transport.start()
            waiting = asyncio.ensure_future(
                transport.fetch(Request(f"http://127.0.0.1:{port}/"), transport.now() + 30)
            )
            await asyncio.sleep(0)
            await transport.close()
            return await waiting

    assert Reason.client_failed is asyncio.run(main()).reason


def test_a_cancelled_fetch_leaves_nothing_behind():
    async def main():
        async with serving(unanswered) as port, opened() as transport:
            waiting = asyncio.ensure_future(
                transport.fetch(Request(f"http://127.0.0.1:{port}/"), transport.now() + 30)
            )
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            return waiting.cancelled(), transport.under_way

    assert asyncio.run(main()) == (True, 0)
