"""Tokens for client credentials: fetched once, kept while good, renewed after a 401, never shown."""

import asyncio
import base64
import json
from contextlib import asynccontextmanager
from urllib.parse import parse_qs

import pytest

from sentinel.transport.curl import Transport
from sentinel.transport.oauth2 import Grant, NoToken, Tokens, fetch_signed, tokens_of
from sentinel.transport.reasons import Reason
from sentinel.transport.wire import Request
from tests.transport.servers import recording, redirect, serving


class Authority:
    """A token endpoint at /token and an API at /, which takes the tokens that are `good`."""

    def __init__(self, **answer):
        self.answer = answer
        self.status = "200 OK"
        self.content_type = "application/json"
        self.takes = "header"
        self.asked = []
        self.good = set()
        self.seen = []
        self.gate = None

    async def script(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = head.split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:] if line)
        body = await reader.readexactly(int(headers.get("Content-Length", 0)))
        if lines[0].startswith("POST /token"):
            status, kind, said = await self.granted(headers, parse_qs(body.decode()))
        else:
            status, kind, said = self.served(headers.get("Authorization", ""))
        content = said.encode()
        told = f"Content-Type: {kind}\r\nContent-Length: {len(content)}"
        writer.write(f"HTTP/1.1 {status}\r\n{told}\r\n\r\n".encode() + content)
        await writer.drain()

    async def granted(self, headers, form):
        self.asked.append((headers, form))
        if self.gate is not None:
            await self.gate.wait()
        if ("Authorization" in headers) != (self.takes == "header"):
            return "401 Unauthorized", "application/json", '{"error": "invalid_client"}'
        token = f"token-{len(self.asked)}"
        self.good.add(token)
        fields = {"access_token": token, "token_type": "Bearer", "expires_in": 3600, **self.answer}
        said = "&".join(f"{name}={value}" for name, value in fields.items())
        form = "form" in self.content_type
        return self.status, self.content_type, said if form else json.dumps(fields)

    def served(self, authorization):
        token = authorization.removeprefix("Bearer ")
        self.seen.append(token)
        return ("200 OK" if token in self.good else "401 Unauthorized"), "text/plain", "hello"


@asynccontextmanager
async def around(authority):
    async with serving(authority.script) as port, Transport() as transport:
        yield transport, f"http://localhost:{port}"


def grant_of(base, **how):
    return Grant(Request(f"{base}/token"), "shop", "s3cret&", **how)


def signed(authority, times=1, seconds=5.0, between=None, **how):
    """What comes of asking the API so many times, one after the other."""

    async def main():
        seen = []
        async with around(authority) as (transport, base):
            for _ in range(times):
                seen.append(
                    await fetch_signed(
                        transport,
                        Request(f"{base}/"),
                        grant_of(base, **how),
                        transport.now() + seconds,
                    )
                )
                if between is not None:
                    between(authority)
        return seen

    return asyncio.run(main())


def test_a_token_is_asked_for_as_the_standard_says_and_sent():
    authority = Authority()

    ((exchange, token),) = signed(authority, scopes=("read", "stock"), params=(("audience", "a"),))

    assert (200, "token-1", ["token-1"]) == (exchange.status, token, authority.seen)
    headers, form = authority.asked[0]
    pair = base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode()
    assert "shop:s3cret%26" == pair
    assert {
        "grant_type": ["client_credentials"],
        "scope": ["read stock"],
        "audience": ["a"],
    } == form


def test_a_token_is_kept_while_it_is_good():
    authority = Authority()

    signed(authority, times=3)

    assert (1, ["token-1"] * 3) == (len(authority.asked), authority.seen)


def test_a_kept_token_that_is_refused_is_renewed_once():
    authority = Authority()

    exchanges = signed(authority, times=2, between=lambda each: each.good.clear())

    assert [200, 200] == [exchange.status for exchange, _ in exchanges]
    assert ["token-1", "token-1", "token-2"] == authority.seen


def test_a_fresh_token_that_is_refused_is_the_servers_answer():
    authority = Authority(access_token="other")

    ((exchange, _),) = signed(authority)

    assert (401, ["other"], 1) == (exchange.status, authority.seen, len(authority.asked))


@pytest.mark.parametrize("life", [1e-9, "1e-9"])
def test_a_token_past_its_life_is_not_used(life):
    authority = Authority(expires_in=life)

    signed(authority, times=2)

    assert ["token-1", "token-2"] == authority.seen


@pytest.mark.parametrize("life", [None, 0, "soon", "1e999", [1], "60"])
def test_a_life_that_is_none_is_an_hour(life):
    authority = Authority(expires_in=life)

    signed(authority, times=2)

    assert ["token-1", "token-1"] == authority.seen


@pytest.mark.parametrize(("sent_in", "asked"), [("auto", 2), ("body", 1)])
def test_a_server_that_wants_the_secret_in_the_form_gets_it(sent_in, asked):
    authority = Authority()
    authority.takes = "body"

    ((exchange, _),) = signed(authority, sent_in=sent_in)

    assert (200, asked) == (exchange.status, len(authority.asked))
    assert ["s3cret&"] == authority.asked[-1][1]["client_secret"]


def test_many_at_once_ask_for_one_token():
    authority = Authority()

    async def main():
        authority.gate = asyncio.Event()
        async with around(authority) as (transport, base):
            asking = [
                asyncio.ensure_future(
                    fetch_signed(
                        transport, Request(f"{base}/"), grant_of(base), transport.now() + 5
                    )
                )
                for _ in range(20)
            ]
            async with asyncio.timeout(5):
                while not authority.asked:
                    await asyncio.sleep(0)
            authority.gate.set()
            return [exchange.status for exchange, _ in await asyncio.gather(*asking)]

    assert [200] * 20 == asyncio.run(main())
    assert 1 == len(authority.asked)


def test_who_waits_for_another_ones_token_waits_to_the_own_deadline():
    authority = Authority()

    async def main():
        authority.gate = asyncio.Event()
        async with around(authority) as (transport, base):
            tokens, grant = tokens_of(transport), grant_of(base)
            first = asyncio.ensure_future(tokens.token(transport, grant, transport.now() + 5))
            async with asyncio.timeout(5):
                while not authority.asked:
                    await asyncio.sleep(0)
            second = await tokens.token(transport, grant, transport.now() + 0.05)
            authority.gate.set()
            return await first, second

    first, second = asyncio.run(main())

    assert ("token-1", True) == (first, isinstance(second, NoToken))


def test_an_assertion_stands_in_the_place_of_the_secret():
    authority = Authority()
    authority.takes = "body"
    made = []

    def claim():
        made.append("claim")
        return "a.b.c"

    async def main():
        async with around(authority) as (transport, base):
            request, grant = Request(f"{base}/"), grant_of(base, params=(("scope", "x"),))
            for _ in range(2):
                await fetch_signed(transport, request, grant, transport.now() + 5, claim=claim)

    asyncio.run(main())

    headers, form = authority.asked[0]
    assert (["claim"], 1) == (made, len(authority.asked))
    assert "Authorization" not in headers
    assert {
        "grant_type": ["urn:ietf:params:oauth:grant-type:jwt-bearer"],
        "assertion": ["a.b.c"],
        "scope": ["x"],
    } == form


def test_a_form_answer_is_read_too():
    authority = Authority()
    authority.content_type = "application/x-www-form-urlencoded"

    ((exchange, token),) = signed(authority)

    assert (200, "token-1") == (exchange.status, token)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"status": "403 Forbidden", "error": "access_denied"}, "access_denied"),
        ({"status": "503 Service Unavailable"}, "503 Service Unavailable"),
        ({"status": "302 Found"}, "302 Found"),
        ({"access_token": ""}, "holds none"),
        ({"access_token": 3}, "holds none"),
        ({"access_token": "a\r\nX-Other: b"}, "holds none"),
        ({"access_token": "x" * 20_000}, "holds none"),
        ({"token_type": "mac"}, "no bearer token"),
    ],
)
def test_without_a_token_nothing_is_asked(changes, said):
    status = changes.pop("status", "200 OK")
    authority = Authority(**changes)
    authority.status = status

    ((exchange, token),) = signed(authority)

    assert (Reason.oauth2_failed, "", []) == (exchange.reason, token, authority.seen)
    assert said in exchange.text
    assert "localhost" in exchange.text
    assert "s3cret" not in exchange.text


def test_the_secret_does_not_follow_a_redirect():
    script, heard = recording({"/token": redirect("/elsewhere", 307)})

    async def main():
        async with serving(script) as port, Transport() as transport:
            base = f"http://localhost:{port}"
            request, grant = Request(f"{base}/"), grant_of(base)
            return await fetch_signed(transport, request, grant, transport.now() + 5)

    assert Reason.oauth2_failed is asyncio.run(main())[0].reason
    assert ["/token"] == [path for path, _ in heard]


def test_an_endpoint_that_cannot_be_reached_is_told_with_its_reason():
    async def main():
        async with Transport() as transport:
            grant = Grant(Request("http://auth.invalid/token"), "shop", "s3cret")
            return await fetch_signed(
                transport, Request("http://shop.invalid/"), grant, transport.now() + 5
            )

    exchange, token = asyncio.run(main())

    assert (Reason.oauth2_failed, "", False) == (exchange.reason, token, exchange.network)
    assert "auth.invalid: dns_failed" in exchange.text
    assert exchange.duration_s > 0


def test_an_endpoint_that_hangs_ends_at_the_deadline():
    async def hang(reader, writer):
        await reader.read()

    async def main():
        async with serving(hang) as port, Transport() as transport:
            grant = Grant(Request(f"http://localhost:{port}/token"), "shop", "s3cret")
            request = Request(f"http://localhost:{port}/")
            return await fetch_signed(transport, request, grant, transport.now() + 0.2)

    exchange, _ = asyncio.run(main())

    assert (Reason.oauth2_failed, True) == (exchange.reason, "timeout" in exchange.text)


def test_neither_secret_nor_token_is_in_a_repr():
    grant = Grant(Request("http://a/"), "shop", "s3cret", params=(("password", "h1dden"),))

    assert [] == [word for word in ("s3cret", "h1dden") if word in repr(grant)]


def test_tokens_do_not_gather_without_end():
    async def main():
        async with around(Authority()) as (transport, base):
            tokens = Tokens(most=3)
            grants = [grant_of(base, scopes=(str(number),)) for number in range(5)]
            for grant in grants:
                await tokens.token(transport, grant, transport.now() + 5)
            return [bool(tokens.kept(grant)) for grant in grants]

    assert [False, False, True, True, True] == asyncio.run(main())
