"""Proxies that hang, lie and talk without end: each costs the deadline at most, and little memory."""

import asyncio

import pytest

from sentinel.transport.curl import Transport
from sentinel.transport.reasons import Reason
from sentinel.transport.wire import Request
from tests.transport.servers import for_ever, saying, serving

LINE = b"X-Long: " + b"y" * 1000 + b"\r\n"
CHUNK = b"400\r\n" + b"y" * 1024 + b"\r\n"
REFUSED = b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\n"


async def hang(reader, writer):
    await reader.read()


def through(script, *, scheme="http", url="https://shop.invalid/", seconds=0.5):
    """What comes of asking through a proxy that follows `script`, and how long that took."""

    async def main():
        async with serving(script) as port, Transport() as transport:
            begun = transport.now()
            request = Request(url, proxy=f"{scheme}://127.0.0.1:{port}")
            exchange = await transport.fetch(request, begun + seconds)
            return exchange, transport.now() - begun

    return asyncio.run(main())


@pytest.mark.parametrize("scheme", ["http", "https", "socks4", "socks5", "socks5h"])
def test_one_that_says_nothing_is_a_timeout(scheme):
    exchange, took = through(hang, scheme=scheme, url="https://127.0.0.1:1/")

    assert Reason.timeout is exchange.reason
    assert took < 2


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (for_ever(b"HTTP/1.1 200 OK\r\n", LINE), Reason.headers_too_large),
        (for_ever(b"HTTP/1.1 200 OK\r\nX: ", b"y" * 10_000), Reason.protocol_error),
        (
            for_ever(b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n", CHUNK),
            Reason.proxy_refused,
        ),
        (saying(b"SSH-2.0-OpenSSH_9\r\n"), Reason.proxy_failed),
        (saying(b""), Reason.proxy_failed),
        (
            saying(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x" * 1000),
            Reason.tls_failed,
        ),
    ],
)
def test_one_that_talks_nonsense_has_its_reason(script, reason):
    exchange, _ = through(script, seconds=60.0)  # libcurl reads a proxy's head byte by byte

    assert reason is exchange.reason
    assert (0, b"") == (exchange.status, exchange.body)


def test_one_that_asks_for_a_name_and_talks_on_is_heard_to_the_deadline():
    endless = for_ever(REFUSED + b"Content-Length: 1000000000\r\n\r\n", CHUNK)

    exchange, _ = through(endless)

    assert Reason.proxy_refused is exchange.reason
    assert (0, b"") == (exchange.status, exchange.body)


@pytest.mark.parametrize("said", [b"HTTP/1.1 200 OK\r\n\r\n", b"\x05\xff", b"\x05\x00\x05", b""])
def test_a_socks_proxy_that_is_none_has_failed(said):
    async def script(reader, writer):
        await reader.read(1000)
        writer.write(said)
        await writer.drain()

    exchange, _ = through(script, scheme="socks5h")

    assert exchange.reason in (Reason.proxy_failed, Reason.proxy_refused)
