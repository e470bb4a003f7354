"""Our own lane and libcurl's are asked the same and must say the same, but for how long it took."""

import asyncio
import gc
import ssl

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentinel.transport import plan as plans
from sentinel.transport.curl import CookieJar, Transport
from sentinel.transport.plan import planned
from sentinel.transport.reasons import Reason
from sentinel.transport.secure import Tls
from sentinel.transport.talk import Talk
from sentinel.transport.wire import Request
from tests.transport.answers import ANSWERS
from tests.transport.certificates import authority, folder, server
from tests.transport.servers import OK, for_ever, recording, redirect, saying, serving


def said(exchange):
    """All of an exchange that does not depend on the moment."""
    phases = [name for name, seconds in exchange.phases.items() if seconds > 0]
    return {
        "reason": exchange.reason,
        "text": exchange.text,
        "status": exchange.status,
        "http_version": exchange.http_version,
        "head": exchange.head,
        "body": exchange.body,
        "size_bytes": exchange.size_bytes,
        "address": exchange.address,
        "verified": exchange.verified,
        "tls": (exchange.tls_version, exchange.tls_cipher, exchange.pems),
        "phases": (list(exchange.phases), phases if exchange.status else []),
        "redirected": (exchange.redirected, exchange.url),
    }


def differences(one, other):
    """What two exchanges do not agree about, shortened to be read."""
    before, after = said(one), said(other)
    return {
        name: (repr(before[name])[:200], repr(after[name])[:200])
        for name in before
        if before[name] != after[name]
    }


async def both(request):
    """The same request over each lane: libcurl's exchange, and ours."""
    async with Transport(lane="curl") as curl, Transport(lane="own") as own:
        deadline = curl.now() + 5
        return await curl.fetch(request, deadline), await own.fetch(request, deadline)


async def heard_as(answer, *, context=None, scheme="http", **how):
    """How two lanes hear the same answer: their differences, and the reason that libcurl gives."""
    async with serving(saying(answer), context) as port:
        url = f"{scheme}://localhost:{port}/"
        one, other = await both(Request(url, follow=False, ip="4", **how))
        return differences(one, other), one.reason


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_every_answer_is_heard_alike(method):
    async def main():
        found = {}
        async with Transport(lane="curl") as curl, Transport(lane="own") as own:
            for name, answer in ANSWERS.items():
                async with serving(saying(answer)) as port:
                    request = Request(f"http://127.0.0.1:{port}/", method, follow=False)
                    deadline = curl.now() + 5
                    one = await curl.fetch(request, deadline)
                    other = await own.fetch(request, deadline)
                    if wrong := differences(one, other):
                        found[name] = wrong
        return found

    assert {} == asyncio.run(main())


PARTS = st.sampled_from(
    [
        *(
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.0 200 OK\r\n",
            b"HTTP/1.1 204 No\r\n",
            b"HTTP/1.1 100 Go\r\n",
        ),
        *(b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Content-Length: 11\r\n"),
        *(b"Transfer-Encoding: chunked\r\n", b"X: y\r\n", b"X: y\n", b" folded\r\n", b"junk\r\n"),
        *(
            b"\r\n",
            b"\n",
            b"\0",
            b":",
            b"5\r\nhello\r\n",
            b"0\r\n\r\n",
            b"0\r\nT: u\r\n\r\n",
        ),
        *(b"hello", b" ", b"\t", b"A", b"\xff"),
    ]
)


@pytest.mark.slow
@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(PARTS, max_size=12), st.sampled_from(["GET", "HEAD"]))
def test_whatever_is_answered_is_heard_alike(parts, method):
    """But for the head of what is no answer, of which libcurl keeps now a line more, now one less."""
    found, reason = asyncio.run(heard_as(b"".join(parts), method=method))
    if reason is not None:
        found.pop("head", None)

    assert {} == found


def test_a_body_beyond_the_limit_is_cut_alike():
    answer = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 70_000
    found, _ = asyncio.run(heard_as(answer, body_limit=5_000))

    assert {"size_bytes"} >= set(found)  # libcurl counts the piece that was too much as it pleases


@pytest.mark.parametrize(
    "how",
    [
        {"path": "/a/b?c=d&e=%20f"},
        {"path": "?x=y"},
        {"path": "/%C3%A4/~a-b_c.d!$&'()*+,;=:@"},
        {"method": "HEAD"},
        {"method": "DELETE", "follow": False},
        {"method": "OPTIONS", "follow": False},
        {"method": "POST", "body": b"a=\x00b", "follow": False},
        {"method": "PUT", "body": b"", "follow": False},
        {"body": b"x" * 50_000},
        {"headers": (("X-A", "b"), ("x-a", "c d"), ("Accept-Encoding", "gzip"))},
        {"headers": (("Accept", "a/b"), ("User-Agent", "me"), ("Authorization", "Bearer t"))},
        {"headers": (("Range", "bytes=0-1"), ("Referer", "r"), ("Content-Type", "x/y"))},
        {"user_agent": ""},
        {"user_agent": "Me/1 (x; y)"},
        {"http_version": "1.1"},
    ],
)
def test_a_request_is_written_alike(how):
    path = how.pop("path", "/")
    script, heard = recording({})

    async def main():
        async with serving(script) as port:
            request = Request(f"http://127.0.0.1:{port}{path}", **how)
            assert planned(request) is not None
            return differences(*await both(request))

    assert {} == asyncio.run(main())
    assert heard[0] == heard[1]


@pytest.mark.parametrize("place", ["connect_to", "resolve_to"])
@pytest.mark.parametrize(
    "url", ["http://shop.example:{}/", "http://[2001:db8::1]:{}/", "http://x_y.a-b:{}/"]
)
def test_who_is_asked_elsewhere_is_asked_alike(place, url):
    script, heard = recording({})

    async def main():
        async with serving(script) as port:
            to = {"connect_to": f"127.0.0.1:{port}", "resolve_to": "127.0.0.1"}[place]
            request = Request(url.format(port), **{place: to})
            assert planned(request) is not None
            return differences(*await both(request))

    assert {} == asyncio.run(main())
    assert heard[0] == heard[1]


@pytest.mark.parametrize(
    "request_",
    [
        Request("http://a@shop.example/"),
        Request("http://Shop.example/"),
        Request("http://127.1/"),
        Request("http://010.0.0.1/"),
        Request("http://[0:0::1]/"),
        Request("http://shop.example:080/"),
        Request("http://shop.example:70000/"),
        Request("http://shop.example/a/../b"),
        Request("http://shop.example/%c3%a4"),
        Request("http://shop.example/a b"),
        Request("http://shop.example/#top"),
        Request("http://b\u00fccher.example/"),
        Request("ftp://shop.example/"),
        Request("http://shop.example/", http_version="1.0"),
        Request("https://shop.example/", http_version="2"),
        Request("http://shop.example/", compression="gzip"),
        Request("http://shop.example/", proxy="http://127.0.0.1:3128"),
        Request("http://shop.example/", unix_socket="/run/shop"),
        Request("http://shop.example/", source_ip="127.0.0.2"),
        Request("https://shop.example/", server_name="Other.example"),
        Request("https://shop.example/", server_name="[::1]"),
        Request("https://shop.example/", server_name="127.1"),
        Request("https://shop.example/", server_name="b\u00fccher.example"),
        Request("https://shop.example/", tls_min_version="1.1"),
        Request("https://shop.example/", tls_min_version="1.0", tls_max_version="1.1"),
        Request("https://shop.example/", cert_pem="-----BEGIN CERTIFICATE-----"),
        Request("https://shop.example/", key_pem="-----BEGIN PRIVATE KEY-----"),
        Request("http://shop.example/", "POST", body=b"x"),
        Request("http://shop.example/", "HEAD", body=b"x"),
        Request("http://shop.example/", body=b"x" * plans.MOST_SENT),
        Request("http://shop.example/", headers=(("Host", "b"),)),
        Request("http://shop.example/", headers=(("Cookie", "a=b"),)),
        Request("http://shop.example/", headers=(("Connection", "close"),)),
        Request("http://shop.example/", headers=(("X-A", ""),)),
        Request("http://shop.example/", headers=(("X-A", " b"),)),
        Request("http://shop.example/", headers=(("X-A", "\u00e4"),)),
        Request("http://shop.example/", headers=(("X-A", "b\r\nX: c"),)),
        Request("http://shop.example/", "GET /\r\n"),
    ],
)
def test_what_is_out_of_the_ordinary_goes_over_libcurl(request_):
    assert planned(request_) is None


@pytest.mark.needs("openssl")
@pytest.mark.parametrize("name", ["good", "expired", "other", "self"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("verify", [True, False])
def test_a_certificate_is_judged_alike(name, version, verify):
    context = server(name)
    context.maximum_version = version
    how = {"ca_file": authority(), "verify": verify, "context": context, "scheme": "https"}

    assert {} == asyncio.run(heard_as(OK, **how))[0]


@pytest.mark.needs("openssl")
def test_an_authority_that_is_not_ours_is_refused_alike():
    found, _ = asyncio.run(heard_as(OK, context=server("good"), scheme="https"))

    assert {} == found


def text_of(name):
    """The PEM text of a certificate."""
    return (folder() / f"{name}.pem").read_text()


REMARKED = "# T\u00fcrk\u00e7e, and -----BEGIN OTHER-----\n{0}\n# the same again\n{0}"
TRUST = {
    "the authority": lambda: {"ca_pem": text_of("authority")},
    "the authority among remarks": lambda: {"ca_pem": REMARKED.format(text_of("authority"))},
    "the leaf alone": lambda: {"ca_pem": text_of("good").partition("-----BEGIN C")[0]},
    "another one": lambda: {"ca_pem": text_of("self")},
    "another text, the right file": lambda: {"ca_pem": text_of("self"), "ca_file": authority()},
    "the right text, no file": lambda: {"ca_pem": text_of("authority"), "ca_file": "/nowhere"},
    "another text, another name": lambda: {"ca_pem": text_of("self"), "server_name": "a.example"},
    "another text, not verified": lambda: {"ca_pem": text_of("self"), "verify": False},
    "no text at all": lambda: {"ca_pem": "no certificate"},
    "no text, not verified": lambda: {"ca_pem": "no certificate", "verify": False},
    "half a text": lambda: {"ca_pem": text_of("authority")[:300]},
}


@pytest.mark.needs("openssl")
@pytest.mark.parametrize("name", ["good", "expired", "other"])
@pytest.mark.parametrize("trust", TRUST)
def test_authorities_in_text_are_trusted_alike(name, trust):
    how = {**TRUST[trust](), "context": server(name), "scheme": "https"}

    assert {} == asyncio.run(heard_as(OK, **how))[0]


@pytest.mark.needs("openssl")
@pytest.mark.parametrize("name", ["good", "other", "expired", "self"])
@pytest.mark.parametrize("trusted", ["authority", "expired", ""])
@pytest.mark.parametrize(
    "called",
    [
        *("localhost", "www.shop.example", "shop.example", "a.b.shop.example", "other.example"),
        *("127.0.0.1", "127.0.0.2", "::1"),
    ],
)
def test_a_server_that_is_called_otherwise_is_judged_alike(name, trusted, called):
    """A name that is wrong wins over all else that is."""
    how = {"server_name": called, "verify": bool(trusted)}
    how |= {"ca_pem": text_of(trusted) if trusted else ""}

    assert {} == asyncio.run(heard_as(OK, context=server(name), scheme="https", **how))[0]


@pytest.mark.needs("openssl")
@pytest.mark.parametrize("place", [{}, {"resolve_to": "127.0.0.1"}, {"connect_to": True}])
@pytest.mark.parametrize("called", ["www.shop.example", "127.0.0.1"])
def test_a_server_that_is_called_otherwise_is_asked_alike(place, called):
    """The name goes into the handshake, the URL's host into the request."""
    script, heard = recording({})
    context, names = server("good"), []
    context.sni_callback = lambda _wrapped, name, _context: names.append(name)

    async def main():
        async with serving(script, context) as port:
            to = {"connect_to": f"127.0.0.1:{port}"} if "connect_to" in place else place
            host = "shop.example" if place else "localhost"
            how = {"server_name": called, "ca_file": authority(), "ip": "4", **to}
            request = Request(f"https://{host}:{port}/a?b", **how)
            assert planned(request) is not None
            return differences(*await both(request))

    assert {} == asyncio.run(main())
    assert heard[0] == heard[1]
    assert [called if called[0] == "w" else None] * 2 == names


@pytest.mark.needs("openssl")
@pytest.mark.parametrize("url", ["https://shop.example:443/", "https://shop.example/?a"])
def test_a_port_that_is_written_out_is_asked_for_as_libcurl_writes_it(url):
    there = {"connect_to": "127.0.0.1:9", "server_name": "other.example"}
    named, plain = planned(Request(url, **there)), planned(Request(url, connect_to="127.0.0.1:9"))

    assert url.split("/")[2] == named.content.split(b"Host: ")[1].split(b"\r\n")[0].decode()
    assert "shop.example" == plain.content.split(b"Host: ")[1].split(b"\r\n")[0].decode()


SPOKEN = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.needs("openssl")
@pytest.mark.parametrize("least", ["", "1.2", "1.3"])
@pytest.mark.parametrize("most", ["", "1.2", "1.3"])
@pytest.mark.parametrize("spoken", SPOKEN)
@pytest.mark.parametrize("verify", [True, False])
def test_versions_are_agreed_on_alike(least, most, spoken, verify):
    """But for the words, when there is none that both speak: each library has its own."""
    context = server("good")
    context.minimum_version = context.maximum_version = spoken
    how = {"ca_file": authority(), "tls_min_version": least, "tls_max_version": most}
    how |= {"context": context, "scheme": "https", "verify": verify}

    found, reason = asyncio.run(heard_as(OK, **how))
    if reason is not None:
        found.pop("text", None)

    assert {} == found


def showing(name):
    """Another certificate."""

    def change(context):
        context.load_cert_chain(folder() / f"{name}.pem", folder() / f"{name}.key")

    return change


def preferring_http_2(context):
    context.set_alpn_protocols(["h2"])


def steps(context, *, most=5, changes=None, **how):
    """Ask several times over TLS, the server changing before some steps: each exchange with how many
    handshakes it took, and what our lane knows in the end."""
    hellos = []
    how.setdefault("ca_file", authority())

    def noticed(wrapped, _name, _context):
        hellos.append(wrapped)

    context.sni_callback = noticed

    async def main():
        exchanges = []
        async with serving(saying(OK), context) as port, Transport() as transport:
            request = Request(f"https://localhost:{port}/", ip="4", **how)
            for step in range(most):
                if change := (changes or {}).get(step):
                    change(context)
                before = len(hellos)
                exchange = await transport.fetch(request, transport.now() + 5)
                exchanges.append((exchange, len(hellos) - before))
            lane = transport._lane
            known = list(lane._known.values())
        return exchanges, known

    return asyncio.run(main())


@pytest.mark.needs("openssl")
def test_over_tls_libcurl_is_first_and_ours_follows():
    exchanges, known = steps(server("good"))

    assert [(None, 1)] * 5 == [(exchange.reason, asked) for exchange, asked in exchanges]
    assert ["proven"] == [each.name for each in known]


@pytest.mark.needs("openssl")
def test_a_certificate_that_turns_bad_is_bad_at_once_where_our_lane_is_proven():
    exchanges, _ = steps(server("good"), changes={3: showing("expired")})

    told = [(exchange.reason, asked) for exchange, asked in exchanges]
    assert [(None, 1)] * 3 + [(Reason.certificate_expired, 1)] * 2 == told


@pytest.mark.needs("openssl")
def test_what_both_refuse_is_soon_asked_once_and_may_be_mended():
    exchanges, _ = steps(
        server("good"), changes={1: showing("expired"), 3: showing("good")}, most=6
    )

    told = [(exchange.reason, asked) for exchange, asked in exchanges]
    expired = Reason.certificate_expired
    assert [(None, 1), (expired, 2), (expired, 1), (None, 1), (None, 1), (None, 1)] == told


@pytest.mark.needs("openssl")
def test_what_only_our_lane_refuses_is_left_to_libcurl():
    """A certificate with no names but the old one in its subject."""
    exchanges, known = steps(server("self"), ca_file=str(folder() / "self.pem"))

    told = [(exchange.reason, asked) for exchange, asked in exchanges]
    assert [(None, 1), (None, 2), (None, 1), (None, 1), (None, 1)] == told
    assert ["elsewhere"] == [each.name for each in known]


@pytest.mark.needs("openssl")
def test_a_server_that_prefers_http_2_is_asked_by_libcurl():
    """asyncio's servers speak no HTTP/2, so that there is no answer; who asked is what counts."""
    changes = {0: preferring_http_2}
    exchanges, known = steps(server("good"), changes=changes, most=2)

    assert [(False, 1), (False, 1)] == [(e.reason is None, asked) for e, asked in exchanges]
    assert [] == known


@pytest.mark.needs("openssl")
def test_a_server_that_begins_to_speak_http_2_is_handed_over_at_once():
    exchanges, known = steps(server("good"), changes={2: preferring_http_2}, most=4)

    told = [(exchange.reason is None, asked) for exchange, asked in exchanges]
    assert [(True, 1), (True, 1), (False, 2), (False, 1)] == told
    assert [] == known


@pytest.mark.needs("openssl")
def test_who_never_was_well_is_only_asked_by_libcurl():
    exchanges, known = steps(server("self"))

    assert [1] * 5 == [asked for _, asked in exchanges]
    assert [] == known


async def unsworn(reader, writer):
    """No TLS at all."""
    await reader.read(1000)
    writer.write(b"HTTP/1.1 400 No\r\n\r\n")


LEFT = {
    "well": (saying(OK), "good", {}),
    "refused": (saying(OK), "expired", {}),
    "another name": (saying(OK), "good", {"server_name": "other.example"}),
    "no answer": (saying(), "good", {}),
    "half an answer": (saying(OK[:-2]), "good", {}),
    "no TLS": (unsworn, "", {}),
    "too late": (for_ever(OK[:-5], b"", every_s=5), "good", {}),
}


@pytest.mark.needs("openssl")
@pytest.mark.parametrize("how", LEFT)
def test_nothing_of_a_conversation_waits_for_the_cyclic_collector(how):
    """Which a node runs every few minutes: thousands of connections would wait for it."""
    script, name, more = LEFT[how]

    async def main():
        context = server(name) if name else None
        async with serving(script, context) as port, Transport(lane="own") as transport:
            where = f"https://localhost:{port}/"
            request = Request(where, ca_file=authority(), ip="4", **more)
            gc.collect()
            gc.disable()
            try:
                await transport.fetch(request, transport.now() + 0.2)
                return [each for each in gc.get_objects() if isinstance(each, Talk | Tls)]
            finally:
                gc.enable()

    assert [] == asyncio.run(main())


def cookies_on_the_way(cookie, *, lane, times=2):
    """What was asked, with the cookies that were sent, where the first page sets one and leads on."""
    answers = {
        "/a/": redirect("/a/b", 302, f"Set-Cookie: {cookie}"),
        "/a/b": redirect("/c"),
        "/c": OK,
    }
    script, heard = recording(answers)

    async def main():
        async with serving(script) as port, Transport(lane=lane) as transport:
            for _ in range(times):
                request = Request(f"http://127.0.0.1:{port}/a/")
                exchange = await transport.fetch(request, transport.now() + 5)
                assert (200, 2) == (exchange.status, exchange.redirected)

    asyncio.run(main())
    sent = [request.decode().partition("Cookie: ")[2].partition("\r\n")[0] for _, request in heard]
    return [(path, cookies) for (path, _), cookies in zip(heard, sent, strict=True)]


@pytest.mark.parametrize(
    "cookie",
    [
        *("s=1", "s=1; Path=/", "s=1; path=/a", "s=1; Path=/other", "s=", 's="a b"', "s=a=b"),
        *(
            "s=1; HttpOnly; SameSite=Lax",
            "s=1;",
            "s=1; ; path=/",
            "s",
            "=1",
            "s 1=2",
            "s=1; path=x",
        ),
        *("__Host-s=1; path=/", "s=1; Secure", "s=1; Max-Age=0", "s=1; Max-Age=60", "s=\u00e4"),
        *(
            "s=1; Domain=127.0.0.1",
            "s=1; Domain=example.com",
            "s=1; expires=Thu, 01 Jan 1970 00:00:00 GMT",
        ),
    ],
)
def test_cookies_go_the_same_way(cookie):
    one = cookies_on_the_way(cookie, lane="curl")
    other = cookies_on_the_way(cookie, lane="auto")

    assert one == other[-len(one) :]
    assert len(other) - len(one) in (0, 1)  # of what is not simple, the first page is asked again


def test_a_simple_cookie_costs_no_second_request():
    assert 3 == len(cookies_on_the_way("s=1; Path=/; HttpOnly", lane="own", times=1))
    assert 4 == len(cookies_on_the_way("s=1; Max-Age=60", lane="own", times=1))
    assert 7 == len(cookies_on_the_way("s=1; Max-Age=60", lane="own", times=2))


def test_a_visitor_keeps_cookies_whatever_the_lane():
    script, heard = recording({"/": OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: s=1\r\n\r\n")})

    async def main():
        jar = CookieJar()
        async with serving(script) as port, Transport(lane="own") as transport:
            for _ in range(2):
                url = f"http://127.0.0.1:{port}/"
                await transport.fetch(Request(url), transport.now() + 5, jar=jar)

    asyncio.run(main())

    assert [False, True] == [b"s=1" in request for _, request in heard]


def test_a_large_request_is_answered_before_it_was_heard():
    """The server answers and closes without reading the body."""

    async def hasty(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno")
        await writer.drain()
        await reader.read()

    async def main():
        async with serving(hasty) as port, Transport(lane="own") as transport:
            request = Request(f"http://127.0.0.1:{port}/", "POST", body=b"x" * 60_000, follow=False)
            assert planned(request) is not None
            return await transport.fetch(request, transport.now() + 5)

    exchange = asyncio.run(main())

    assert (413, b"no", None) == (exchange.status, exchange.body, exchange.reason)


def test_a_name_with_several_addresses_is_asked_at_the_one_that_answers():
    async def main():
        async with serving(saying(OK)) as port, Transport(lane="own") as transport:
            request = Request(f"http://localhost:{port}/")  # ::1 first, where nobody listens
            return await transport.fetch(request, transport.now() + 5)

    exchange = asyncio.run(main())

    assert (200, "127.0.0.1") == (exchange.status, exchange.address)
