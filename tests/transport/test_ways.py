"""Ways to a server: another address, another name, a Unix socket, our own address, TLS limits."""

import asyncio
import socket
import ssl
from pathlib import Path

import pytest

from sentinel.transport.curl import Transport
from sentinel.transport.reasons import Reason
from sentinel.transport.shown import http_metrics
from sentinel.transport.wire import Request
from tests.transport.certificates import authority, folder, server, server_that_asks
from tests.transport.servers import OK, fetched, recording, redirect, saying, serving

pytestmark = pytest.mark.needs("openssl")


def asked(url, *scripts, tls=None, times=1, **how):
    """What comes of asking `url` for each of some servers; ``{0}`` is the first one's port."""

    async def main():
        async with Transport() as transport:
            opened = [serving(script, tls) for script in scripts]
            ports = [await each.__aenter__() for each in opened]
            told = {
                name: value.format(*ports) if isinstance(value, str) and "{0}" in value else value
                for name, value in how.items()
            }
            request = Request(url.format(*ports), **told)
            seen = [await transport.fetch(request, transport.now() + 5) for _ in range(times)]
            for each in opened:
                await each.__aexit__(None, None, None)
            return seen[-1]

    return asyncio.run(main())


def test_an_address_in_the_names_place_leaves_the_name_alone():
    script, heard = recording({})

    exchange = asked("http://shop.invalid:{0}/", script, resolve_to="127.0.0.1", times=2)

    assert (None, "127.0.0.1") == (exchange.reason, exchange.address)
    assert [b"Host: shop.invalid:" in head for _, head in heard] == [True, True]


def test_an_address_in_the_names_place_keeps_the_certificates_name():
    asking = {"tls": server("good"), "ca_file": authority(), "resolve_to": "127.0.0.1"}

    good = asked("https://www.shop.example:{0}/", saying(OK), **asking)
    bad = asked("https://elsewhere.example:{0}/", saying(OK), **asking)

    assert (None, Reason.certificate_name) == (good.reason, bad.reason)


def test_what_was_said_of_one_origin_does_not_follow_to_another():
    script, _ = recording({"/": redirect("http://other.invalid/")})

    exchange = asked("http://shop.invalid:{0}/", script, resolve_to="127.0.0.1")

    assert (Reason.dns_failed, "http://other.invalid/") == (exchange.reason, exchange.url)


@pytest.mark.parametrize(
    "names", [("www.shop.example", None), ("other.example", "certificate_name")]
)
def test_another_name_is_asked_for_and_verified(names):
    name, reason = names
    heard = []
    context = server("good")
    context.sni_callback = lambda _socket, name, _context: heard.append(name)
    script, requests = recording({})

    exchange = asked(
        "https://127.0.0.1:{0}/", script, tls=context, ca_file=authority(), server_name=name
    )

    assert (reason, [name]) == (exchange.reason, heard)
    assert exchange.url.startswith("https://127.0.0.1:")
    if not reason:
        assert b"Host: 127.0.0.1:" in requests[0][1]


def test_a_handle_that_served_one_address_serves_the_next():
    async def main():
        first, second = recording({}), recording({})
        async with serving(first[0]) as one, serving(second[0]) as two, Transport() as transport:
            for port in (one, two, one):
                request = Request("http://shop.invalid/", connect_to=f"127.0.0.1:{port}")
                await transport.fetch(request, transport.now() + 5)
            plain = Request("http://shop.invalid/")
            alone = await transport.fetch(plain, transport.now() + 5)
            return len(first[1]), len(second[1]), alone.reason

    assert (2, 1, Reason.dns_failed) == asyncio.run(main())


def test_a_unix_socket_is_asked_as_any_server(tmp_path):
    path = str(tmp_path / "shop.sock")
    script, heard = recording({})

    async def main():
        async with serving(script, path=path), Transport() as transport:
            request = Request("http://shop.invalid/health", unix_socket=path)
            return await transport.fetch(request, transport.now() + 5)

    exchange = asyncio.run(main())

    assert (None, 200, path) == (exchange.reason, exchange.status, exchange.address)
    assert b"Host: shop.invalid\r\n" in heard[0][1]
    assert 0 == http_metrics(exchange)["probe_ip_protocol"]


def test_a_unix_socket_where_nobody_listens(tmp_path):
    exchange = asked("http://shop.invalid/", unix_socket=str(tmp_path / "none.sock"))

    assert Reason.connect_unreachable is exchange.reason


def test_our_own_address_is_the_one_that_was_said():
    peers = []

    async def script(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        peers.append(writer.get_extra_info("peername")[0])
        writer.write(OK)
        await writer.drain()

    exchange = asked("http://localhost:{0}/", script, source_ip="127.0.0.9")

    assert (None, ["127.0.0.9"]) == (exchange.reason, peers)


def test_an_address_that_this_machine_has_not_is_our_own_failure():
    exchange = asked("http://localhost:{0}/", saying(OK), source_ip="203.0.113.9")

    assert (Reason.client_failed, True) == (exchange.reason, exchange.ours)


@pytest.mark.parametrize("field", ["resolve_to", "source_ip"])
def test_what_is_no_address_is_not_asked(field):
    exchange = asked("http://localhost:{0}/", saying(OK), **{field: "shop.example"})

    assert Reason.invalid_request is exchange.reason


@pytest.mark.parametrize("preferred", ["prefer_6", "prefer_4"])
def test_the_other_kind_of_address_is_used_when_the_name_has_none_of_the_preferred(preferred):
    exchange = asked("http://127.0.0.1:{0}/", saying(OK), ip=preferred)

    assert (None, "127.0.0.1") == (exchange.reason, exchange.address)
    assert exchange.duration_s >= exchange.phases["resolve"] >= 0


def lonely_name():
    """A name of this machine that has addresses of one kind only, and which kind that is."""
    names = [
        name
        for line in Path("/etc/hosts").read_text().splitlines()
        for name in line.partition("#")[0].split()[1:]
    ]
    for name in (*names, socket.gethostname()):
        try:
            found = {each[0] for each in socket.getaddrinfo(name, 80)}
        except OSError:
            continue
        if len(found) == 1 and name != "localhost":  # libcurl knows both of that by itself
            return name, "6" if found == {socket.AF_INET6} else "4"
    pytest.skip("every name of this machine has addresses of both kinds")


def test_a_name_that_lacks_the_preferred_kind_is_looked_up_again():
    name, kind = lonely_name()
    other = "4" if kind == "6" else "6"

    only = asked(f"http://{name}:1/", ip=other)
    preferred = asked(f"http://{name}:1/", ip=f"prefer_{other}")

    assert Reason.dns_failed is only.reason
    assert Reason.dns_failed is not preferred.reason
    assert preferred.duration_s > preferred.phases["resolve"] > 0


def test_a_name_without_any_address_fails_once_with_its_whole_time():
    exchange = asked("http://shop.invalid/", ip="prefer_6")

    assert Reason.dns_failed is exchange.reason
    assert exchange.phases["resolve"] == pytest.approx(exchange.duration_s)


@pytest.mark.parametrize(
    ("limits", "version"),
    [
        ({"tls_max_version": "1.2"}, "TLS 1.2"),
        ({"tls_min_version": "1.3"}, "TLS 1.3"),
        ({"tls_min_version": "1.2", "tls_max_version": "1.2"}, "TLS 1.2"),
    ],
)
def test_the_version_of_tls_can_be_limited(limits, version):
    exchange = fetched(saying(OK), tls=server("good"), ca_file=authority(), **limits)

    assert (None, version) == (exchange.reason, exchange.tls_version)


def test_a_server_below_the_least_version_has_no_handshake():
    old = server("good")
    old.maximum_version = ssl.TLSVersion.TLSv1_2

    exchange = fetched(saying(OK), tls=old, ca_file=authority(), tls_min_version="1.3")

    assert Reason.tls_failed is exchange.reason


def test_an_old_version_is_spoken_with_who_asks_for_it():
    old = server("good")
    old.set_ciphers("DEFAULT@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1

    exchange = fetched(saying(OK), tls=old, ca_file=authority(), tls_min_version="1.0")

    assert (None, "TLS 1.1") == (exchange.reason, exchange.tls_version)


def test_certificates_as_text_do_what_files_do():
    def text(name):
        return (folder() / name).read_text()

    mine = {"cert_pem": text("other.pem"), "key_pem": text("other.key")}
    whole = {"cert_pem": text("other.pem") + text("other.key")}

    for how in (mine, whole):
        exchange = fetched(saying(OK), tls=server_that_asks(), ca_pem=text("authority.pem"), **how)
        assert (None, 200, True) == (exchange.reason, exchange.status, exchange.verified)
    assert "PRIVATE" not in repr(Request("https://a/", **mine))


def test_a_key_that_is_none_is_our_own_failure():
    mine = {"cert_pem": (folder() / "other.pem").read_text(), "key_pem": "nonsense"}

    exchange = fetched(saying(OK), tls=server_that_asks(), ca_file=authority(), **mine)

    assert exchange.ours
