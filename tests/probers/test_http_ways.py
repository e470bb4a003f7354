"""The `http` kind against real servers: versions, proxies, sockets, certificates, tokens."""

import asyncio
import gzip
import json
import zlib
from base64 import b64decode

import pytest

from sentinel.probers.http import Basic, Http
from sentinel.probers.http_signing import OAuth2
from sentinel.transport.curl import Transport
from sentinel.words import Outcome, Secret
from tests.probers import http_servers
from tests.probers.test_http import answer, check, holds, sent
from tests.transport.certificates import authority, folder
from tests.transport.servers import observed, recording, saying, serving

pytestmark = pytest.mark.needs("openssl")


@pytest.fixture(scope="module")
def nginx(tmp_path_factory):
    at = tmp_path_factory.mktemp("nginx")
    with http_servers.nginx(at) as ports:
        yield {**ports, "socket": str(at / "web.sock")}


@pytest.fixture(scope="module")
def quic(tmp_path_factory):
    with http_servers.hypercorn(tmp_path_factory.mktemp("hypercorn")) as port:
        yield port


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    with http_servers.tinyproxy(tmp_path_factory.mktemp("proxy")) as port:
        yield f"http://localhost:{port}"


@pytest.fixture(scope="module")
def locked_proxy(tmp_path_factory):
    at = tmp_path_factory.mktemp("locked")
    with http_servers.tinyproxy(at, "BasicAuth ana s3cret") as port:
        yield port


@pytest.fixture(scope="module")
def socks():
    with http_servers.microsocks() as port:
        yield f"socks5h://localhost:{port}"


def seen(url, *, needed="status body", secrets=None, **fields):
    """What the kind observes at a URL."""

    async def main():
        async with Transport() as transport:
            prober = Http(**{"url": url, "ca_file": authority(), **fields})
            return await observed(prober, transport, needed=needed, **(secrets or {}))

    return asyncio.run(main())


# Versions


@pytest.mark.needs("nginx")
@pytest.mark.parametrize(
    ("scheme", "port", "asked", "spoken"),
    [
        ("https", "tls", "auto", "2"),
        ("https", "tls", "2", "2"),
        ("https", "tls", "1.1", "1.1"),
        ("http", "plain2", "2", "2"),
        ("http", "plain", "auto", "1.1"),
    ],
)
def test_the_version_asked_for_is_spoken(nginx, scheme, port, asked, spoken):
    observation = seen(f"{scheme}://localhost:{nginx[port]}/who", http_version=asked)

    assert ("", spoken) == (observation.reason, observation.values["http_version"])
    assert float(spoken) == observation.metrics["probe_http_version"]


@pytest.mark.slow
def test_http_3_is_spoken_over_quic(quic):
    observation = seen(f"https://localhost:{quic}/", http_version="3", needed="body certificate")

    assert "" == observation.reason
    assert ("3", "3") == (observation.values["body"], observation.values["http_version"])
    assert holds("certificate.verified && certificate.days_left > 1.0", observation)
    assert observation.phases["tls"] > 0


@pytest.mark.slow
def test_a_refused_certificate_over_quic_is_a_reason(quic):
    observation = seen(f"https://localhost:{quic}/", http_version="3", ca_file="")

    assert (Outcome.failed, "certificate_untrusted") == (observation.outcome, observation.reason)


def test_where_nobody_speaks_quic_there_is_no_connection():
    port = http_servers.free_port()

    assert "connect_unreachable" == seen(f"https://127.0.0.1:{port}/", http_version="3").reason


# Proxies


@pytest.mark.needs("nginx", "tinyproxy")
@pytest.mark.parametrize(("scheme", "port"), [("http", "plain"), ("https", "tls")])
def test_a_proxy_is_asked(nginx, proxy, scheme, port):
    observation = seen(f"{scheme}://localhost:{nginx[port]}/who", proxy=Secret(proxy))

    assert ("", 200) == (observation.reason, observation.values["status"])
    assert "localhost" in observation.values["body"]
    assert ("Via" in observation.evidence.response) == (scheme == "http")


@pytest.mark.needs("nginx", "microsocks")
@pytest.mark.parametrize(("scheme", "port"), [("http", "plain"), ("https", "tls")])
def test_a_socks_proxy_is_asked(nginx, socks, scheme, port):
    observation = seen(f"{scheme}://localhost:{nginx[port]}/who", proxy=Secret(socks))

    assert ("", 200) == (observation.reason, observation.values["status"])
    assert min(observation.phases.values()) >= 0


@pytest.mark.needs("nginx", "microsocks")
def test_a_socks_proxy_may_be_given_addresses(nginx, socks):
    proxy = Secret(socks.replace("socks5h", "socks5"))

    observation = seen(f"http://localhost:{nginx['plain']}/who", proxy=proxy, ip="ipv4")

    assert "" == observation.reason
    assert min(observation.phases.values()) >= 0


@pytest.mark.needs("tinyproxy")
@pytest.mark.parametrize("url", ["https://localhost:1/", "https://shop.invalid/"])
def test_a_proxy_that_cannot_reach_the_shop_says_no(proxy, url):
    observation = seen(url, proxy=Secret(proxy))

    assert ("proxy_refused", True) == (observation.reason, observation.network)
    assert "500" in observation.text


@pytest.mark.needs("microsocks")
def test_a_socks_proxy_says_what_is_wrong_with_the_shop(socks):
    assert "connect_refused" == seen("http://127.0.0.1:1/", proxy=Secret(socks)).reason


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h"])
def test_a_proxy_that_is_not_there_has_failed(scheme):
    proxy = f"{scheme}://127.0.0.1:{http_servers.free_port()}"

    observation = seen("https://shop.invalid/", proxy=Secret(proxy))

    assert ("proxy_failed", True) == (observation.reason, observation.network)


@pytest.mark.parametrize("url", ["http://proxy.invalid:3128", "socks5h://proxy.invalid"])
def test_a_proxy_without_an_address_has_failed(url):
    assert "proxy_failed" == seen("http://shop.invalid/", proxy=Secret(url)).reason


def test_a_proxy_that_speaks_something_else_has_failed():
    async def main():
        async with serving(saying(b"220 mail ESMTP\r\n\r\n")) as port, Transport() as transport:
            prober = Http("https://shop.invalid/", proxy=Secret(f"http://127.0.0.1:{port}"))
            return await observed(prober, transport)

    assert "proxy_failed" == asyncio.run(main()).reason


@pytest.mark.needs("nginx", "tinyproxy")
@pytest.mark.parametrize(("login", "reason"), [("ana:{env:PW}@", ""), ("", "proxy_refused")])
def test_a_proxy_may_want_a_password_that_nobody_sees(nginx, locked_proxy, login, reason):
    proxy = Secret(f"http://{login}localhost:{locked_proxy}")

    observation = seen(f"https://localhost:{nginx['tls']}/", proxy=proxy, secrets={"PW": "s3cret"})

    assert reason == observation.reason
    assert "s3cret" not in repr(observation)


def test_a_proxys_password_is_revealed_anew_at_each_check():
    script, heard = recording({})

    async def main():
        async with serving(script) as port, Transport() as transport:
            prober = Http(
                "http://shop.invalid/", proxy=Secret(f"http://ana:{{env:PW}}@127.0.0.1:{port}")
            )
            for password in ("one", "two"):
                await observed(prober, transport, PW=password)

    asyncio.run(main())

    sent_along = [head.partition(b"Proxy-Authorization: Basic ")[2][:16] for _, head in heard]
    assert [b"ana:one", b"ana:two"] == [b64decode(each.split()[0]) for each in sent_along]


@pytest.mark.needs("nginx")
def test_some_hosts_are_asked_without_the_proxy(nginx):
    nowhere = Secret(f"http://127.0.0.1:{http_servers.free_port()}")

    observation = seen(
        f"http://localhost:{nginx['plain']}/who", proxy=nowhere, no_proxy=("localhost",)
    )

    assert "" == observation.reason


def test_a_proxy_of_an_unknown_kind_is_not_asked():
    observation = seen("http://shop.invalid/", proxy=Secret("ftp://ana:s3cret@127.0.0.1:21"))

    assert ("invalid_request", Outcome.unknown) == (observation.reason, observation.outcome)
    assert "s3cret" not in observation.text


def test_what_only_the_shop_may_hear_is_not_told_the_proxy():
    heard = []

    async def script(reader, writer):
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async def main():
        async with serving(script) as port, Transport() as transport:
            prober = Http(
                "https://shop.invalid/",
                proxy=Secret(f"http://127.0.0.1:{port}"),
                basic=Basic("ana", Secret("env:PW")),
                headers={"X-Shop": "mug"},
            )
            return await observed(prober, transport, PW="s3cret")

    assert "proxy_refused" == asyncio.run(main()).reason
    assert heard[0].startswith(b"CONNECT shop.invalid:443 HTTP/1.1\r\n")
    assert [] == [word for word in (b"uthorization", b"X-Shop") if word in heard[0]]


# Sockets, certificates, names


@pytest.mark.needs("nginx")
def test_a_unix_socket_is_asked(nginx):
    observation = seen("http://shop.example/who", unix_socket=nginx["socket"])

    assert ("", "shop.example ", nginx["socket"]) == (
        observation.reason,
        observation.values["body"],
        observation.address,
    )


@pytest.mark.needs("nginx")
def test_a_client_certificate_is_shown_to_who_demands_one(nginx):
    url = f"https://localhost:{nginx['mutual']}/"
    mine = {"cert_file": str(folder() / "other.pem"), "key_file": str(folder() / "other.key")}

    assert 400 == seen(url).values["status"]
    assert "CN=localhost" in seen(url, **mine).values["body"]


@pytest.mark.needs("nginx")
def test_a_server_is_asked_by_another_name(nginx):
    observation = seen(f"https://127.0.0.1:{nginx['tls']}/", server_name="www.shop.example")

    assert ("", "HTTP/2.0 www.shop.example") == (observation.reason, observation.values["body"])


@pytest.mark.needs("nginx")
def test_the_version_of_tls_can_be_limited(nginx):
    observation = seen(f"https://localhost:{nginx['tls']}/", tls_max="1.2")

    assert {"TLS 1.2": 1} == observation.metrics["probe_tls_version_info"]


@pytest.mark.parametrize(
    "fields",
    [
        {"basic": Basic("ana", Secret("env:PW")), "bearer": Secret("env:T")},
        {"unix_socket": "/run/a.sock", "proxy": Secret("http://a:1")},
    ],
)
def test_what_excludes_each_other_is_refused(fields):
    with pytest.raises(ValueError, match="exclude each other"):
        Http("http://a/", **fields)


def test_no_host_is_connected_to_at_a_socket():
    assert "" == Http("http://shop.example/", unix_socket="/run/a.sock").host()


# Compression


@pytest.mark.needs("nginx")
@pytest.mark.parametrize(("accepted", "smaller"), [("none", False), ("gzip", True), ("any", True)])
def test_a_compressed_page_is_decoded_and_counted_as_sent(nginx, accepted, smaller):
    observation = seen(
        f"http://localhost:{nginx['plain']}/large.txt", compression=accepted, needed="body"
    )

    assert "shop " * 20_000 == observation.values["body"]
    assert smaller == (observation.values["size_bytes"] < 10_000)
    assert 100_000 == observation.metrics["probe_http_uncompressed_body_length"]


@pytest.mark.parametrize(
    ("encoding", "encoded"),
    [
        ("gzip", gzip.compress(b"a mug", mtime=0)),
        ("deflate", zlib.compress(b"a mug")),
        ("br", b"\x0b\x02\x80a mug\x03"),
    ],
)
def test_every_encoding_that_can_be_asked_for_is_decoded(encoding, encoded):
    script = saying(answer(encoded, f"Content-Encoding: {encoding}"))

    observation = check(script, compression=encoding, needed="body")

    assert ("", "a mug") == (observation.reason, observation.values["body"])


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
def test_what_is_not_compressed_as_it_says_is_a_reason(encoding):
    script = saying(answer(b"\xff not compressed \xff", f"Content-Encoding: {encoding}"))

    assert "decode_error" == check(script, compression="any").reason


@pytest.mark.parametrize(
    ("encoding", "bomb"),
    [
        ("gzip", gzip.compress(bytes(64 << 20))),
        ("deflate", zlib.compress(bytes(64 << 20), 9)),
        ("gzip, gzip", gzip.compress(gzip.compress(bytes(64 << 20)))),
    ],
)
def test_a_bomb_is_decoded_to_the_limit_and_no_further(encoding, bomb):
    script = saying(answer(bomb, f"Content-Encoding: {encoding}"))

    observation = check(script, compression="any")

    assert "body_too_large" == observation.reason
    assert len(observation.evidence.body) <= 16 << 10


# Tokens


def signing(script, authorized, **answered):
    """The kind, signing in at one server for another; what both heard."""
    token, asked = recording({"": answer(json.dumps(answered).encode())})

    async def main():
        async with serving(token) as one, serving(script) as two, Transport() as transport:
            signed = OAuth2(f"http://localhost:{one}/token", "shop", Secret("env:CLIENT"))
            prober = Http(f"http://localhost:{two}/", oauth2=signed, **authorized)
            return await observed(prober, transport, CLIENT="s3cret", needed="")

    return asyncio.run(main()), asked


def test_a_token_signs_in_and_is_never_shown():
    async def echo(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(head, "X-Echo: t0ken-value"))
        await writer.drain()

    observation, asked = signing(echo, {}, access_token="t0ken-value", token_type="bearer")

    assert ("", 1) == (observation.reason, len(asked))
    assert b"Authorization: Bearer ***" in observation.evidence.body
    assert observation.evidence.request.endswith("\r\nAuthorization: ***")
    assert [] == [word for word in ("t0ken", "s3cret") if word in repr(observation)]


def test_no_token_is_a_reason_and_nothing_is_asked():
    script, heard = recording({})

    observation, _ = signing(script, {}, error="invalid_client")

    assert ("oauth2_failed", Outcome.failed, []) == (
        observation.reason,
        observation.outcome,
        heard,
    )
    assert "Authorization" not in observation.evidence.request


# What was declared and never tested


def test_a_redirect_that_is_not_followed_is_the_answer():
    script, heard = recording(
        {"": b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"}
    )

    observation = check(script, follow=False, needed="status redirects")

    assert ["/"] == [path for path, _ in heard]
    assert holds("status == 302 && redirects.count == 1", observation)


@pytest.mark.parametrize("method", ["HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method_is_sent_as_it_is(method):
    lines, _ = sent(method=method)

    assert f"{method} / HTTP/1.1" == lines[0]


def test_a_bearer_token_and_headers_are_sent():
    lines, _ = sent(
        bearer=Secret("env:T"), headers={"Accept-Language": "fi"}, secrets={"T": "t0ken"}
    )

    assert {"Authorization: Bearer t0ken", "Accept-Language: fi"} <= set(lines)


def test_cookies_of_one_check_follow_its_redirects_and_end_with_it():
    script, heard = recording(
        {
            "/": b"HTTP/1.1 302 Found\r\nLocation: /b\r\nSet-Cookie: cart=1\r\nContent-Length: 0\r\n\r\n"
        }
    )

    async def main():
        async with serving(script) as port, Transport() as transport:
            prober = Http(f"http://localhost:{port}/")
            for _ in range(2):
                await observed(prober, transport)

    asyncio.run(main())

    assert [False, True, False, True] == [b"Cookie: cart=1" in head for _, head in heard]


@pytest.mark.parametrize(
    "source",
    [
        'json.path("$.items[?@.stock > 0].sku") == "mug-1"',
        'json.paths("$.items[*].sku") == ["mug-1", "cup-1"]',
        'json.path("$.none") == null',
        'size(json.paths("$..stock")) == 2',
    ],
)
def test_json_is_queried_by_path(source):
    body = b'{"items": [{"sku": "mug-1", "stock": 3}, {"sku": "cup-1", "stock": 0}]}'

    assert True is holds(source, check(saying(answer(body)), needed="json"))


@pytest.mark.parametrize(
    "source",
    [
        'html.json_ld("Product").name == "Mug"',
        'html.json_ld("Recipe") == null',
        'size(html.json_ld_all("Product")) == 1',
        'html.product().price == 12.9 && html.product().currency == "EUR"',
        'html.product().availability == "in_stock"',
    ],
)
def test_structured_data_can_be_expected_of(source):
    page = (
        b'<script type="application/ld+json">{"@type": "Product", "name": "Mug", "offers": '
        b'{"price": "12.90", "priceCurrency": "EUR", "availability": "https://schema.org/InStock"}}'
        b"</script>"
    )

    assert True is holds(source, check(saying(answer(page)), needed="html"))
