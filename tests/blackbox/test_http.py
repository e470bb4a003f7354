"""`http` modules on servers that do exactly what a test says."""

import asyncio
import gzip
import time
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from sentinel.blackbox.module import (
    Authorization,
    BasicAuth,
    ExtraHeader,
    HeaderRule,
    Hidden,
    HttpClient,
    IpChoice,
    TlsConfig,
)
from sentinel.transport.curl import Transport
from tests.blackbox.probes import http, once, probed, said, value
from tests.transport.certificates import authority, folder, server
from tests.transport.servers import OK, for_ever, recording, redirect, saying, serving

pytestmark = pytest.mark.needs("openssl")


def answer(body=b"hello", *lines, status="200 OK"):
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines]
    return ("\r\n".join(head) + "\r\n\r\n").encode() + body


def on(script, module, *, tls=None, path="/", host="localhost", seconds=5.0, **how):
    """What the module makes of a server that follows `script`."""

    async def main():
        async with serving(script, tls) as port, Transport() as transport:
            target = f"{'https' if tls else 'http'}://{host}:{port}{path}"
            return await probed(module, target, transport, seconds=seconds, **how)

    return asyncio.run(main())


def heard_by(module, answers=None, **how):
    """The requests that the server got, and what came of it."""
    script, heard = recording(answers or {})
    outcome = on(script, module, **how)
    return outcome, [request.decode("iso-8859-1") for _, request in heard]


def header(request, name):
    """The values of a header of a request as sent."""
    lines = request.partition("\r\n\r\n")[0].split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines)
    return [content.strip() for found, _, content in pairs if found.lower() == name.lower()]


# Families


def test_a_good_answer_shows_all_of_it():
    dated = answer(b"hello", "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT")

    outcome = on(saying(dated), http())

    assert (True, "") == (outcome.success, outcome.reason)
    plain = {
        "probe_http_content_length": 5,
        "probe_http_uncompressed_body_length": 5,
        "probe_http_redirects": 0,
        "probe_http_ssl": 0,
        "probe_http_status_code": 200,
        "probe_http_version": 1.1,
        "probe_http_last_modified_timestamp_seconds": 784111777,
        "probe_failed_due_to_regex": 0,
        "probe_ip_protocol": 4,
        "probe_ip_addr_hash": 3668918509,
    }
    assert plain == {family: value(outcome, family) for family in plain}
    phases = [dict(labels)["phase"] for labels in outcome.samples["probe_http_duration_seconds"]]
    assert ["resolve", "connect", "tls", "processing", "transfer"] == phases
    assert set(outcome.samples) == {
        *plain,
        "probe_http_duration_seconds",
        "probe_dns_lookup_time_seconds",
    }


def test_without_an_address_only_the_lookup_has_a_time():
    outcome = once(http(), "http://nothing.invalid/", seconds=5)

    assert "dns_failed" == outcome.reason
    assert [(("phase", "resolve"),)] == list(outcome.samples["probe_http_duration_seconds"])
    assert 0 == value(outcome, "probe_ip_protocol")


def test_a_target_that_is_no_url_has_no_phases():
    outcome = once(http(), "http://shop.example:port/")

    assert "invalid_target" == outcome.reason
    assert "probe_http_duration_seconds" not in outcome.samples
    assert "probe_ip_protocol" not in outcome.samples


def test_a_target_without_a_scheme_is_asked_in_clear():
    async def main():
        async with serving(saying(OK)) as port, Transport() as transport:
            return await probed(http(), f"localhost:{port}", transport)

    assert asyncio.run(main()).success


def test_the_other_family_is_used_only_where_that_is_allowed():
    fallen_back = once(http(ip=IpChoice("ip6")), "http://127.0.0.1:9/")
    strict = once(http(ip=IpChoice("ip6", fallback=False)), "http://127.0.0.1:9/")

    assert (4, "connect_refused") == (value(fallen_back, "probe_ip_protocol"), fallen_back.reason)
    assert (0, "dns_failed") == (value(strict, "probe_ip_protocol"), strict.reason)


def test_a_chunked_length_is_not_told():
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"

    outcome = on(saying(chunked), http())

    assert -1 == value(outcome, "probe_http_content_length")
    assert 5 == value(outcome, "probe_http_uncompressed_body_length")


# Rules


@pytest.mark.parametrize(
    ("status", "valid", "reason"),
    [
        ("204 No Content", (), ""),
        ("404 Not Found", (), "unexpected_status"),
        ("404 Not Found", (404,), ""),
        ("200 OK", (404,), "unexpected_status"),
    ],
)
def test_the_status_must_be_valid(status, valid, reason):
    body = b"" if status.startswith("204") else b"hello"

    assert reason == on(saying(answer(body, status=status)), http(valid_status_codes=valid)).reason


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        ({"fail_if_header_matches": (HeaderRule("x-one", "^a"),)}, "header_rule"),
        ({"fail_if_header_matches": (HeaderRule("X-One", "^c"),)}, ""),
        ({"fail_if_header_matches": (HeaderRule("X-Two", "c"),)}, "header_missing"),
        ({"fail_if_header_matches": (HeaderRule("X-Two", "c", allow_missing=True),)}, ""),
        ({"fail_if_header_not_matches": (HeaderRule("X-One", "^b"),)}, ""),
        ({"fail_if_header_not_matches": (HeaderRule("X-One", "^c"),)}, "header_rule"),
        ({"fail_if_body_matches_regexp": ("h.l",)}, "body_rule"),
        ({"fail_if_body_matches_regexp": ("^w",)}, ""),
        ({"fail_if_body_not_matches_regexp": ("lo$",)}, ""),
        ({"fail_if_body_not_matches_regexp": ("hello", "you")}, "body_rule"),
    ],
)
def test_header_and_body_rules_set_the_regex_family(block, reason):
    outcome = on(saying(answer(b"hello", "X-One: a", "X-One: b")), http(**block))

    assert reason == outcome.reason
    assert int(bool(reason)) == value(outcome, "probe_failed_due_to_regex")


def test_rules_are_not_looked_at_when_the_status_failed():
    outcome = on(saying(answer(status="500 No")), http(fail_if_body_matches_regexp=("hello",)))

    assert ("unexpected_status", 0) == (
        outcome.reason,
        value(outcome, "probe_failed_due_to_regex"),
    )


def test_bytes_that_are_not_utf8_are_one_character_each():
    outcome = on(saying(answer(b"a\xffb")), http(fail_if_body_not_matches_regexp=("a.b",)))

    assert outcome.success


@pytest.mark.parametrize(
    ("block", "body", "reason"),
    [
        ({"fail_if_body_json_not_matches_cel": "body.n + 1.0 == 3.0"}, b'{"n": 2}', ""),
        ({"fail_if_body_json_not_matches_cel": "body.n == 3"}, b'{"n": 2}', "cel_rule"),
        ({"fail_if_body_json_matches_cel": "body.n == 2"}, b'{"n": 2}', "cel_rule"),
        ({"fail_if_body_json_matches_cel": "body.n == 3"}, b'{"n": 2}', ""),
        ({"fail_if_body_json_matches_cel": "body.n == 3"}, b"[1]", "cel_rule"),
        ({"fail_if_body_json_matches_cel": "body.n == 3"}, b"oh", "cel_rule"),
        ({"fail_if_body_json_matches_cel": "body.m == 3"}, b'{"n": 2}', "cel_rule"),
        ({"fail_if_body_json_matches_cel": "body.n"}, b'{"n": 2}', "cel_rule"),
        ({"fail_if_body_json_matches_cel": "body.n == 3"}, b'{"n":' + b"[" * 9999, "cel_rule"),
    ],
)
def test_json_rules_set_their_own_family(block, body, reason):
    outcome = on(saying(answer(body)), http(**block))

    assert reason == outcome.reason
    assert int(bool(reason)) == value(outcome, "probe_failed_due_to_cel")
    assert 0 == value(outcome, "probe_failed_due_to_regex")


def test_a_body_is_matched_and_read_as_json():
    block = {
        "fail_if_body_not_matches_regexp": ("up",),
        "fail_if_body_json_not_matches_cel": 'body.state == "up"',
    }

    assert on(saying(answer(b'{"state": "up"}')), http(**block)).success


def test_the_version_must_be_valid():
    outcome = on(saying(OK), http(valid_http_versions=("HTTP/2.0",)))

    assert "unexpected_version" == outcome.reason
    assert on(saying(OK), http(valid_http_versions=("HTTP/2.0", "HTTP/1.1"))).success


def test_tls_may_be_demanded():
    assert "not_encrypted" == on(saying(OK), http(fail_if_not_ssl=True)).reason
    assert on(saying(OK), http(fail_if_ssl=True)).success


# Bodies


def test_a_body_is_unpacked_where_the_module_says_so():
    outcome = on(
        saying(answer(gzip.compress(b"hello " * 100))),
        http(compression="gzip", fail_if_body_not_matches_regexp=("(hello ){100}",)),
    )

    assert (True, 600) == (outcome.success, value(outcome, "probe_http_uncompressed_body_length"))


def test_a_body_that_cannot_be_unpacked_fails():
    outcome = on(saying(OK), http(compression="gzip", fail_if_body_not_matches_regexp=("h",)))

    assert "decode_error" == outcome.reason
    assert 0 == value(outcome, "probe_http_uncompressed_body_length")
    assert 1 == value(outcome, "probe_failed_due_to_regex")


def test_a_limit_counts_what_is_unpacked():
    block = {"compression": "gzip", "body_size_limit": 100}
    bomb = answer(gzip.compress(b"0" * 50_000_000))

    outcome = on(saying(bomb), http(**block))

    assert "body_too_large" == outcome.reason
    assert 100 == value(outcome, "probe_http_uncompressed_body_length")
    assert on(saying(answer(gzip.compress(b"0" * 100))), http(**block)).success


def test_an_endless_body_ends_at_the_limit():
    endless = for_ever(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536)

    outcome = on(endless, http(body_size_limit=100_000))

    assert "body_too_large" == outcome.reason
    assert 100_000 == value(outcome, "probe_http_uncompressed_body_length")
    assert 200 == value(outcome, "probe_http_status_code")


def test_a_body_that_breaks_off_fails_and_is_counted():
    outcome = on(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello"), http())

    assert "truncated" == outcome.reason
    assert (100, 5) == (
        value(outcome, "probe_http_content_length"),
        value(outcome, "probe_http_uncompressed_body_length"),
    )


def test_a_slow_drip_ends_in_time():
    began = time.monotonic()

    outcome = on(
        for_ever(b"HTTP/1.1 200 OK\r\n\r\n", b".", every_s=0.05),
        http(fail_if_body_not_matches_regexp=("done",)),
        seconds=0.5,
    )

    assert "timeout" == outcome.reason
    assert (200, 1) == (
        value(outcome, "probe_http_status_code"),
        value(outcome, "probe_failed_due_to_regex"),
    )
    assert time.monotonic() - began < 3


# What is sent


def test_a_request_says_what_the_module_says(tmp_path):
    (tmp_path / "token").write_text(" t0ken\n")
    client = HttpClient(
        authorization=Authorization("Bearer", Hidden(file=str(tmp_path / "token"))),
        http_headers={
            "X-Extra": ExtraHeader(("one",), (Hidden("two"),), (str(tmp_path / "token"),))
        },
    )

    outcome, [request] = heard_by(
        http(
            method="PUT",
            body="content",
            headers={"X-Shop": "acme", "host": "shop.example"},
            client=client,
        )
    )

    assert outcome.success, said(outcome)
    assert request.startswith("PUT / HTTP/1.1\r\n")
    assert request.endswith("\r\n\r\ncontent")
    sent = {name: header(request, name) for name in ("X-Shop", "Host", "Authorization", "X-Extra")}
    assert {
        "X-Shop": ["acme"],
        "Host": ["shop.example"],
        "Authorization": ["Bearer t0ken"],
        "X-Extra": ["one", "two", "t0ken"],
    } == sent
    assert "t0ken" not in said(outcome)


def test_basic_credentials_are_sent_unless_the_module_says_otherwise():
    client = HttpClient(basic_auth=BasicAuth("ana", password=Hidden("secret")))

    _, [plain] = heard_by(http(client=client))
    _, [own] = heard_by(http(client=client, headers={"authorization": "Token x"}))

    assert ["Basic YW5hOnNlY3JldA=="] == header(plain, "Authorization")
    assert ["Token x"] == header(own, "Authorization")


def test_credentials_of_the_target_are_sent_and_not_shown():
    script, heard = recording({})

    async def main():
        async with serving(script) as port, Transport() as transport:
            return await probed(http(), f"http://ana:s%40cret@127.0.0.1:{port}/", transport)

    outcome = asyncio.run(main())

    assert ["Basic YW5hOnNAY3JldA=="] == header(heard[0][1].decode(), "Authorization")
    assert "cret" not in said(outcome)


def test_a_file_that_cannot_be_read_fails_the_probe(tmp_path):
    client = HttpClient(basic_auth=BasicAuth("ana", password=Hidden(file=str(tmp_path / "no"))))

    outcome = once(http(client=client), "http://127.0.0.1:9/")

    assert "file_unreadable" == outcome.reason


def test_the_page_s_hostname_is_the_host_header():
    _, [request] = heard_by(http(), hostname="shop.example")

    assert ["shop.example"] == header(request, "Host")


def test_a_body_comes_from_its_file(tmp_path):
    (tmp_path / "body").write_text("of a file")

    _, [request] = heard_by(http(method="POST", body_file=str(tmp_path / "body")))

    assert request.endswith("\r\n\r\nof a file")


# Redirects


def test_redirects_are_followed_with_cookies():
    outcome, [_, second] = heard_by(
        http(), {"/": redirect("/b", 302, "Set-Cookie: basket=7"), "/b": OK}
    )

    assert (1, 200) == (
        value(outcome, "probe_http_redirects"),
        value(outcome, "probe_http_status_code"),
    )
    assert ["basket=7"] == header(second, "Cookie")


def test_a_redirect_that_is_not_followed_is_judged():
    client = HttpClient(follow_redirects=False)
    script = saying(redirect("/b"))

    failed = on(script, http(client=client))
    valid = on(script, http(client=client, valid_status_codes=(302,)))

    assert ("unexpected_status", 1) == (failed.reason, value(failed, "probe_http_redirects"))
    assert valid.success


def test_at_most_ten_redirects_are_followed():
    outcome, heard = heard_by(http(), {"": redirect("/again")})

    assert (11, 11) == (len(heard), value(outcome, "probe_http_redirects"))
    assert (302, "unexpected_status") == (
        value(outcome, "probe_http_status_code"),
        outcome.reason,
    )


def test_a_redirect_to_nobody_has_no_status():
    async def main():
        async with serving(saying(redirect("http://127.0.0.1:9/"))) as port, Transport() as t:
            return await probed(http(), f"http://localhost:{port}", t)

    outcome = asyncio.run(main())

    assert "connect_refused" == outcome.reason
    assert (0, 1) == (
        value(outcome, "probe_http_status_code"),
        value(outcome, "probe_http_redirects"),
    )


def test_a_post_becomes_a_get_but_after_307():
    _, [_, after_302] = heard_by(http(method="POST", body="b"), {"/": redirect("/b", 302)})
    _, [_, after_307] = heard_by(http(method="POST", body="b"), {"/": redirect("/b", 307)})

    assert after_302.startswith("GET /b ")
    assert not after_302.endswith("\r\n\r\nb")
    assert after_307.startswith("POST /b ")
    assert after_307.endswith("\r\n\r\nb")


def test_credentials_stay_with_the_host_that_they_are_for():
    script, heard = recording({})
    client = HttpClient(
        basic_auth=BasicAuth("ana", password=Hidden("secret")),
        http_headers={"X-Key": ExtraHeader(secrets=(Hidden("k"),)), "X-Open": ExtraHeader(("o",))},
    )

    async def main():
        async with AsyncExitStack() as stack:
            other = await stack.enter_async_context(serving(script))
            leading = saying(redirect(f"http://127.0.0.1:{other}/"))
            port = await stack.enter_async_context(serving(leading))
            transport = await stack.enter_async_context(Transport())
            module = http(client=client, headers={"Cookie": "a=b", "X-Plain": "p"})
            return await probed(module, f"http://localhost:{port}/", transport)

    assert asyncio.run(main()).success
    request = heard[0][1].decode()
    assert [] == header(request, "Authorization") + header(request, "X-Key")
    assert [] == header(request, "Cookie")
    assert (["o"], ["p"]) == (header(request, "X-Open"), header(request, "X-Plain"))


@pytest.mark.parametrize("leads", ["target", "redirect"])
def test_a_refused_address_is_never_connected_to(leads):
    script, heard = recording({})

    async def main():
        asked = []

        def allowed(address):
            asked.append(address)
            return len(asked) < (2 if leads == "redirect" else 1)

        async with AsyncExitStack() as stack:
            other = await stack.enter_async_context(serving(script))
            leading = saying(redirect(f"http://127.0.0.1:{other}/"))
            port = await stack.enter_async_context(serving(leading))
            transport = await stack.enter_async_context(Transport())
            target = f"http://localhost:{port if leads == 'redirect' else other}/"
            return await probed(http(), target, transport, allowed=allowed)

    outcome = asyncio.run(main())

    assert ("address_refused", []) == (outcome.reason, heard)
    assert "may not be probed" in said(outcome)


# TLS


def trusting(**config):
    return HttpClient(tls=TlsConfig(ca_file=authority(), **config))


def test_a_verified_certificate_is_shown():
    outcome = on(saying(OK), http(client=trusting()), tls=server("good"))

    assert outcome.success, said(outcome)
    assert 1 == value(outcome, "probe_http_ssl")
    assert 1 == value(outcome, "probe_tls_version_info", version="TLS 1.3")
    assert 1 == value(outcome, "probe_tls_cipher_info", cipher="TLS_AES_256_GCM_SHA384")
    [labels] = outcome.samples["probe_ssl_last_chain_info"]
    assert "CN=localhost,OU=Shop,O=Acme\\, Oy" == dict(labels)["subject"]
    assert "localhost,*.shop.example" == dict(labels)["subjectalternative"]
    earliest = value(outcome, "probe_ssl_earliest_cert_expiry")
    assert earliest == value(outcome, "probe_ssl_last_chain_expiry_timestamp_seconds")
    assert (
        "encrypted"
        == on(saying(OK), http(client=trusting(), fail_if_ssl=True), tls=server("good")).reason
    )


def test_a_refused_certificate_is_shown_too():
    outcome = on(saying(OK), http(client=trusting()), tls=server("expired"))

    assert "certificate_expired" == outcome.reason
    assert value(outcome, "probe_ssl_earliest_cert_expiry") < time.time()
    assert "probe_ssl_last_chain_info" in outcome.samples
    assert (0, 0) == (
        value(outcome, "probe_http_ssl"),
        value(outcome, "probe_http_status_code"),
    )


def test_without_verification_no_chain_counts():
    client = HttpClient(tls=TlsConfig(insecure_skip_verify=True))

    outcome = on(saying(OK), http(client=client), tls=server("expired"))

    assert outcome.success
    assert -62135596800 == value(outcome, "probe_ssl_last_chain_expiry_timestamp_seconds")


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (http(client=trusting(server_name="other.example")), "certificate_name"),
        (http(client=trusting(), headers={"Host": "other.example"}), "certificate_name"),
        (http(client=trusting(server_name="a.shop.example")), ""),
        (http(client=trusting(), headers={"Host": "a.shop.example"}), ""),
        (http(client=trusting(max_version="TLS12")), ""),
    ],
)
def test_the_name_that_is_verified_can_be_chosen(module, reason):
    assert reason == on(saying(OK), module, tls=server("good")).reason


def test_inline_authorities_are_trusted():
    pem = (folder() / "authority.pem").read_text()
    module = http(client=HttpClient(tls=TlsConfig(ca=pem)))

    assert on(saying(OK), module, tls=server("good")).success
    assert not on(saying(OK), replace(module, http=http().http), tls=server("good")).success
