"""Asking: what goes onto the wire, what comes back, and how handles are shared."""

import asyncio
import gzip

import pytest

from sentinel.transport.curl import CookieJar
from sentinel.transport.handle import Pool
from sentinel.transport.reasons import Reason
from sentinel.transport.wire import USER_AGENT, Request
from tests.transport.servers import OK, fetched, for_ever, opened, recording, saying, serving


def asked(**how):
    """The request as the server saw it."""
    script, heard = recording({})
    fetched(script, **how)
    return heard[0][1].decode().split("\r\n")


def test_a_plain_request_says_who_asks_and_nothing_else():
    lines = asked(path="/a?b=c")

    assert lines[0] == "GET /a?b=c HTTP/1.1"
    assert sorted(line.partition(":")[0] for line in lines[1:-2]) == [
        "Accept",
        "Host",
        "User-Agent",
    ]
    assert f"User-Agent: {USER_AGENT}" in lines


def test_nothing_is_taken_from_the_environment(monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("default login a password b\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/")

    lines = asked()

    assert not [line for line in lines if line.startswith(("Authorization", "Proxy"))]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_body_is_sent_as_it_is(method):
    lines = asked(method=method, body=b"a=\x00b", headers=(("X-Empty", ""),))

    assert f"{method} / HTTP/1.1" == lines[0]
    assert lines[-1] == "a=\x00b"
    assert {"Content-Length: 4", "X-Empty:"} <= {line.strip() for line in lines}
    assert not [line for line in lines if line.startswith(("Expect", "Content-Type"))]


def test_an_empty_body_is_sent_as_such():
    assert "Content-Length: 0" in asked(method="POST", body=b"")


def test_head_reads_no_body():
    exchange = fetched(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), method="HEAD")

    assert (exchange.reason, exchange.body) == (None, b"")


@pytest.mark.parametrize(
    "how",
    [
        {"headers": (("X-A", "b\r\nX-Evil: 1"),)},
        {"headers": (("X-A: b\r\nX-Evil", "1"),)},
        {"method": "GET / HTTP/1.1\r\nX-Evil: 1\r\n\r\nGET"},
        {"user_agent": "a\nX-Evil: 1"},
    ],
)
def test_nothing_can_smuggle_a_header_in(how):
    script, heard = recording({})

    exchange = fetched(script, **how)

    assert (Reason.invalid_request, []) == (exchange.reason, heard)


@pytest.mark.parametrize(
    "url", ["", "shop", "ftp://127.0.0.1/", "file:///etc/passwd", "http://", "http://a b/"]
)
def test_what_is_no_web_address_is_not_asked(url):
    async def main():
        async with opened() as transport:
            return await transport.fetch(Request(url), transport.now() + 2)

    assert asyncio.run(main()).reason in (
        Reason.invalid_request,
        Reason.dns_failed,
        Reason.dns_timeout,
    )


def test_compressed_bodies_are_decoded_and_counted_as_sent():
    packed = gzip.compress(b"hello " * 1000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)

    exchange = fetched(saying(head, packed), compression="gzip, br")

    assert (b"hello " * 1000, len(packed)) == (exchange.body, exchange.size_bytes)


def test_connect_to_keeps_the_name():
    script, heard = recording({})

    async def main():
        async with serving(script) as port, opened() as transport:
            request = Request("http://shop.example/", connect_to=f"127.0.0.1:{port}")
            return await transport.fetch(request, transport.now() + 5)

    exchange = asyncio.run(main())

    assert (exchange.status, exchange.address) == (200, "127.0.0.1")
    assert b"Host: shop.example\r\n" in heard[0][1]


def test_a_handle_forgets_the_request_before():
    script, heard = recording({})

    async def main():
        async with serving(script) as port, opened() as transport:
            for request in (
                Request(f"http://127.0.0.1:{port}/1", "POST", (("X-A", "b"),), b"body"),
                Request(f"http://127.0.0.1:{port}/2", "POST", (("X-A", "b"),), b""),
                Request(f"http://127.0.0.1:{port}/3"),
            ):
                await transport.fetch(request, transport.now() + 5)

    asyncio.run(main())

    assert [b"body" in request for _, request in heard] == [True, False, False]
    assert [b"X-A: b" in request for _, request in heard] == [True, True, False]


def test_a_jar_keeps_cookies_between_fetches():
    script, heard = recording(
        {"/login": OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: s=1; Path=/\r\n\r\n")}
    )

    async def main():
        jar = CookieJar()
        async with serving(script) as port, opened() as transport:
            for path in ("login", "basket"):
                url = f"http://127.0.0.1:{port}/{path}"
                await transport.fetch(Request(url), transport.now() + 5, jar=jar)

    asyncio.run(main())

    assert [b"Cookie: s=1" in request for _, request in heard] == [False, True]


def test_idle_handles_are_bounded_and_the_oldest_shape_goes_first():
    pool = Pool(limit=2)
    requests = [Request("http://a/", headers=(("X", str(n)),)) for n in range(3)]
    handles = [pool.take(request) for request in requests]
    for handle in handles:
        pool.give(handle)

    again = [pool.take(request) for request in reversed(requests)]

    assert [handles[2], handles[1]] == again[:2]
    assert again[2] is not handles[0]


def test_after_a_burst_of_one_shape_the_pool_is_full():
    pool = Pool(limit=2)
    request = Request("http://a/")
    handles = [pool.take(request) for _ in range(4)]
    for handle in handles:
        pool.give(handle)

    again = [pool.take(request) for _ in range(3)]

    assert {*handles[2:]} == {*again[:2]}
    assert again[2] not in handles


def test_a_sink_takes_the_body_piece_by_piece_and_the_server_waits():
    part = b"x" * 65536
    sent = 0

    async def endless(reader, writer):
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(part) * 400))
        for _ in range(400):
            writer.write(part)
            sent += len(part)
            await writer.drain()

    async def main():
        taken, largest, ahead = 0, 0, 0

        async def sink(chunk):
            nonlocal taken, largest, ahead
            await asyncio.sleep(0.0005)
            taken += len(chunk)
            largest = max(largest, len(chunk))
            ahead = max(ahead, sent - taken)

        async with serving(endless) as port, opened() as transport:
            request = Request(f"http://127.0.0.1:{port}/", body_limit=1 << 30)
            exchange = await transport.fetch(request, transport.now() + 20, sink=sink)
        return exchange, taken, largest, ahead

    exchange, taken, largest, ahead = asyncio.run(main())

    assert (None, b"", len(part) * 400) == (exchange.reason, exchange.body, taken)
    assert largest <= 256 * 1024 + 16 * 1024
    assert ahead < len(part) * 300  # what socket buffers hold, not the whole


def test_a_sink_sees_only_a_good_answer():
    taken = []

    async def main():
        async def sink(chunk):
            taken.append(chunk)

        script = saying(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone")
        async with serving(script) as port, opened() as transport:
            request = Request(f"http://127.0.0.1:{port}/")
            return await transport.fetch(request, transport.now() + 5, sink=sink)

    assert (taken, asyncio.run(main()).body) == ([], b"gone")


def test_what_a_sink_raises_ends_the_transfer():
    async def main():
        async def sink(chunk):
            raise LookupError("enough")

        script = for_ever(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 1000)
        async with serving(script) as port, opened() as transport:
            with pytest.raises(LookupError):
                await transport.fetch(
                    Request(f"http://127.0.0.1:{port}/"), transport.now() + 5, sink=sink
                )
            return transport.under_way

    assert asyncio.run(main()) == 0


def test_a_sink_that_hangs_does_not_outlive_the_deadline():
    async def main():
        async def sink(chunk):
            await asyncio.Event().wait()

        script = for_ever(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 1000)
        async with serving(script) as port, opened() as transport:
            request = Request(f"http://127.0.0.1:{port}/")
            return await transport.fetch(request, transport.now() + 0.4, sink=sink)

    assert Reason.timeout is asyncio.run(main()).reason


def test_private_headers_are_masked_in_evidence():
    request = Request(
        "https://ana:secret@shop.example/a?b=c",
        headers=(("Authorization", "Bearer t"), ("X-Key", "k"), ("Accept", "*/*")),
        private=frozenset({"x-key"}),
    )

    assert [
        "GET /a?b=c HTTP",
        "Host: shop.example",
        f"User-Agent: {USER_AGENT}",
        "Authorization: ***",
        "X-Key: ***",
        "Accept: */*",
    ] == request.head().split("\r\n")
