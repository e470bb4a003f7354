"""Following redirects: what goes along, what stays behind, and what each hop took."""

import asyncio

import pytest

from sentinel.transport.reasons import Reason
from sentinel.transport.redirects import following
from sentinel.transport.wire import Request
from tests.transport.servers import OK, fetched, opened, recording, redirect, serving

SHOP = "https://shop.example/basket"
SECRETS = (("Authorization", "Bearer t"), ("X-Api-Key", "k"), ("Cookie", "a=b"), ("Accept", "*/*"))


@pytest.mark.parametrize(
    ("status", "method", "expected"),
    [
        (301, "POST", ("GET", None)),
        (302, "POST", ("GET", None)),
        (303, "PUT", ("GET", None)),
        (303, "HEAD", ("HEAD", None)),
        (301, "PUT", ("PUT", b"a=b")),
        (307, "POST", ("POST", b"a=b")),
        (308, "POST", ("POST", b"a=b")),
    ],
)
def test_the_method_that_follows_is_that_of_rfc_9110(status, method, expected):
    content = {} if method == "HEAD" else {"headers": (("Content-Type", "x"),), "body": b"a=b"}
    request = Request(SHOP, method, **content)

    after = following(request, status, SHOP + "/2")

    assert expected == (after.method, after.body)
    assert ("Content-Type" in dict(after.headers)) is (after.body is not None)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://shop.example/x", ["Authorization", "X-Api-Key", "Cookie", "Accept"]),
        ("https://SHOP.example:443/x", ["Authorization", "X-Api-Key", "Cookie", "Accept"]),
        ("https://shop.example:8443/x", ["Accept"]),
        ("http://shop.example/x", ["Accept"]),
        ("https://evil.example/x", ["Accept"]),
        ("https://shop.example.evil.example/x", ["Accept"]),
    ],
)
def test_credentials_stay_with_their_origin(url, kept):
    request = Request(
        SHOP,
        headers=SECRETS,
        private=frozenset({"x-api-key"}),
        cert_file="a.pem",
        connect_to="10.0.0.1:443",
    )

    after = following(request, 302, url)

    assert kept == [name for name, _ in after.headers]
    same = len(kept) > 1
    assert ("a.pem" if same else "", "10.0.0.1:443" if same else "") == (
        after.cert_file,
        after.connect_to,
    )


@pytest.mark.parametrize(
    ("url", "refused"),
    [
        ("https://shop.example/x", False),
        ("http://shop.example/", False),
        ("https://evil.example/", True),
    ],
)
def test_a_body_follows_only_to_the_same_host(url, refused):
    after = following(Request(SHOP, "POST", body=b"password=x"), 307, url)

    assert refused is (after is Reason.redirect_refused)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://a/", "javascript:alert(1)", "https://", "http://a:b/"]
)
def test_only_http_and_https_are_followed(url):
    assert Reason.redirect_refused is following(Request(SHOP), 302, url)


def test_relative_locations_begin_at_the_page_and_are_encoded():
    script, heard = recording({"/a/b": redirect("../c d?q=\u00e4#top", 302), "": OK})

    exchange = fetched(script, path="/a/b")

    assert [path for path, _ in heard] == ["/a/b", "/c%20d?q=%C3%A4"]
    assert exchange.url.endswith("/c%20d?q=%C3%A4")


def test_each_hop_is_told_and_phases_are_summed():
    script, _ = recording({"/": redirect("/1"), "/1": redirect("/2", 301), "/2": OK})

    exchange = fetched(script)

    assert [hop.status for hop in exchange.redirects] == [302, 301]
    assert (exchange.redirected, exchange.status, exchange.body) == (2, 200, b"hello")
    hops = sum(hop.phases["connect"] for hop in exchange.redirects)
    assert exchange.phases["connect"] > hops > 0
    assert exchange.duration_s > sum(hop.duration_s for hop in exchange.redirects)


def test_one_that_is_not_to_be_followed_is_counted():
    script, heard = recording({"": redirect("/1")})

    exchange = fetched(script, follow=False)

    assert (exchange.status, exchange.redirected, len(heard), exchange.reason) == (302, 1, 1, None)


def test_no_more_than_asked_for():
    script, heard = recording({"": redirect("/again")})

    exchange = fetched(script, max_redirects=3)

    assert (Reason.too_many_redirects, 4) == (exchange.reason, len(heard))


def test_a_redirect_without_a_location_is_the_answer():
    script, heard = recording({"": b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"})

    exchange = fetched(script)

    assert (exchange.status, exchange.reason, len(heard)) == (302, None, 1)


def test_cookies_go_along_within_one_fetch_and_not_into_the_next():
    script, heard = recording({"/": redirect("/1", 302, "Set-Cookie: session=s1"), "/1": OK})

    async def main():
        async with serving(script) as port, opened() as transport:
            for _ in range(2):
                await transport.fetch(Request(f"http://127.0.0.1:{port}/"), transport.now() + 5)

    asyncio.run(main())

    sent = [b"session=s1" in request for _, request in heard]
    assert sent == [False, True, False, True]


def test_the_deadline_is_for_all_hops_together():
    async def slow(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.15)
        writer.write(redirect("/again"))

    exchange = fetched(slow, seconds=0.4)

    assert Reason.timeout is exchange.reason
    assert len(exchange.redirects) == 2
