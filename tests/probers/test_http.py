"""The `http` kind: what it asks, what expectations see, what metrics and evidence show."""

import asyncio

import pytest

from sentinel.errors import ExpressionFailed
from sentinel.expression import compile_expression
from sentinel.metrics.families import KNOWN
from sentinel.monitor.judge import judge
from sentinel.monitor.probe import Expectation, Probe
from sentinel.probers.http import Basic, Http
from sentinel.transport.curl import Transport
from sentinel.words import Outcome, Secret
from tests.probers.documents import shown
from tests.transport.certificates import authority, server
from tests.transport.servers import NOW, OK, observed, recording, redirect, saying, serving

pytestmark = pytest.mark.needs("openssl")

PAGE = (
    b'<html><h1> Blue\n mug </h1><a class="next" href="/p/2">more</a>'
    b"<li class=product>1</li><li class=product>2</li></html>"
)


def answer(body, *lines, status="200 OK"):
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines]
    return ("\r\n".join(head) + "\r\n\r\n").encode() + body


def check(script, *, tls=None, needed="", seconds=5.0, secrets=None, **fields):
    """What the kind observes of a server that follows `script`."""

    async def main():
        async with serving(script, tls) as port, Transport() as transport:
            url = f"{'https' if tls else 'http'}://localhost:{port}/"
            prober = Http(**{"url": url, "ip": "ipv4", **fields})
            return await observed(
                prober, transport, seconds=seconds, needed=needed, **(secrets or {})
            )

    return asyncio.run(main())


def holds(source, observation):
    expression = compile_expression(
        source,
        Http.NAMES,
        outside=frozenset({"body", "json", "html", "headers"}),
        functions=Http.FUNCTIONS,
    )
    return expression.evaluate(observation.values)


def sent(secrets=None, **fields):
    """The request that went out, as (head lines, body)."""
    script, heard = recording({})
    check(script, secrets=secrets, **fields)
    head, _, body = heard[0][1].decode().partition("\r\n\r\n")
    return head.split("\r\n"), body


@pytest.mark.parametrize(
    ("status", "outcome", "reason"),
    [
        ("200 OK", None, ""),
        ("204 No Content", None, ""),
        ("404 Not Found", Outcome.failed, "unexpected_status"),
        ("503 Service Unavailable", Outcome.failed, "unexpected_status"),
    ],
)
def test_without_expectations_the_status_must_be_good(status, outcome, reason):
    observation = check(saying(answer(b"", status=status)))

    assert (outcome, reason) == (observation.outcome, observation.reason)
    assert status in observation.text


def test_with_expectations_the_status_is_theirs_to_judge():
    observation = check(saying(answer(b"", status="503 Service Unavailable")), needed="status")

    assert ("", None) == (observation.reason, observation.outcome)
    assert holds("status == 503", observation)


@pytest.mark.parametrize(
    "source",
    [
        "status == 200",
        'body.contains("Blue")',
        'headers["content-type"].startsWith("text/html")',
        'headers["x-twice"] == "a, b"',
        'html.text("h1") == "Blue mug"',
        'html.attr("a.next", "href") == "/p/2"',
        'html.attr("a.next", "rel") == null',
        'html.text("h2") == null',
        'html.count("li.product") == 2',
        "json == null",
        "timing.total_s > 0.0 && timing.total_s < 5.0",
        "timing.connect_s + timing.processing_s < timing.total_s",
        "redirects.count == 0",
        "size_bytes > 100",
        'http_version == "1.1"',
        'address == "127.0.0.1"',
        'url.endsWith("/")',
    ],
)
def test_expectations_see_the_whole_answer(source):
    page = answer(PAGE, "Content-Type: text/html; charset=utf-8", "X-Twice: a", "X-Twice: b")

    assert True is holds(source, check(saying(page), needed="status"))


@pytest.mark.parametrize(
    ("body", "source"),
    [
        (b'{"ratio": 0.5, "items": [{"id": "a"}]}', "json.ratio < 0.9 && json.items[0].id == 'a'"),
        (b"[1, 2, 3]", "size(json) == 3"),
        (b"<html>", "json == null"),
        (b"[" * 100_000, "json == null"),
        (b"[" + b"1," * 6000 + b"1]", "json == null"),
    ],
)
def test_json_is_read_when_it_is_json_and_not_too_much(body, source):
    assert True is holds(source, check(saying(answer(body)), needed="json"))


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("text/html; charset=iso-8859-1", b"\xe4", "ä"),
        ("text/html", "ä".encode(), "ä"),
        ("text/html", b"a\xffb", "a\ufffdb"),
        ("text/html; charset=no-such", "ä".encode(), "ä"),
        ("text/html; charset=base64", b"a", "a"),
    ],
)
def test_text_is_read_by_its_charset_and_never_fails(content_type, body, text):
    observation = check(saying(answer(body, f"Content-Type: {content_type}")), needed="body")

    assert text == observation.values["body"]


def test_a_selector_that_is_none_is_the_documents_mistake():
    observation = check(saying(answer(PAGE)), needed="html")

    with pytest.raises(ExpressionFailed, match="CSS selector"):
        holds('html.text("a[")', observation)


def test_the_certificate_can_be_expected_of():
    observation = check(
        saying(OK), tls=server("good"), ca_file=authority(), needed="certificate status"
    )

    assert holds("certificate.verified && certificate.days_left > 14.0", observation)
    assert holds('certificate.names.exists(n, n == "localhost")', observation)
    assert "certificate.days_left" in [sample.name for sample in observation.samples]


def test_without_tls_there_is_no_certificate_to_expect_of():
    observation = check(saying(OK), needed="certificate")

    with pytest.raises(ExpressionFailed) as failed:
        holds("certificate.days_left > 14.0", observation)
    assert "expression_error" == failed.value.reason


def test_a_refused_certificate_is_shown_all_the_same():
    observation = check(saying(OK), tls=server("expired"), ca_file=authority())

    assert (Outcome.failed, "certificate_expired") == (observation.outcome, observation.reason)
    assert observation.metrics["probe_ssl_earliest_cert_expiry"] < NOW.timestamp() + 400 * 86400
    chain = observation.evidence.facts["certificates"]
    assert (2, False) == (len(chain), observation.evidence.facts["verified"])


def test_metrics_are_those_that_blackbox_users_know():
    page = answer(PAGE, "Last-Modified: Sun, 01 Mar 2026 12:00:00 GMT")

    metrics = check(saying(page), tls=server("good"), ca_file=authority()).metrics

    assert metrics.keys() <= KNOWN.keys()
    assert 3668918509 == metrics["probe_ip_addr_hash"]
    assert NOW.timestamp() == metrics["probe_http_last_modified_timestamp_seconds"]
    assert (200, 1.1, 1, 0) == tuple(
        metrics[f"probe_http_{name}"] for name in ("status_code", "version", "ssl", "redirects")
    )
    assert len(PAGE) == metrics["probe_http_content_length"]
    assert {"TLS 1.3": 1} == metrics["probe_tls_version_info"]
    ((_, subject, issuer, names, _),) = metrics["probe_ssl_last_chain_info"]
    assert ("CN=localhost", "CN=Test authority,O=Sentinel tests", "localhost,*.shop.example") == (
        subject.split(",")[0],
        issuer,
        names,
    )
    assert ["resolve", "connect", "tls", "processing", "transfer"] == list(
        metrics["probe_http_duration_seconds"]
    )


def test_a_name_that_fails_to_resolve_has_only_that_phase():
    observation = check(saying(OK), url="http://shop.invalid/")

    assert ["resolve"] == list(observation.metrics["probe_http_duration_seconds"])
    assert (0, 0, 0) == tuple(
        observation.metrics[name]
        for name in ("probe_ip_protocol", "probe_ip_addr_hash", "probe_http_status_code")
    )
    assert observation.network


def test_redirects_are_counted_and_told():
    script, _ = recording({"/": redirect("/b"), "/b": OK})

    observation = check(script, needed="redirects")

    assert holds("redirects.count == 1 && redirects.url.endsWith('/b')", observation)
    assert [302] == [hop["status"] for hop in observation.evidence.facts["redirects"]]


def test_path_and_query_are_data_and_never_syntax():
    lines, _ = sent(path=("a b", "../x", "ä?", ""), query={"q": "mug & co", "n": "1"})

    assert "GET /a%20b/..%2Fx/%C3%A4%3F/?q=mug%20%26%20co&n=1 HTTP/1.1" == lines[0]


@pytest.mark.parametrize("piece", [".", ".."])
def test_a_piece_that_would_climb_is_not_asked(piece):
    script, heard = recording({})

    observation = check(script, path=("a", piece, "b"))

    assert ("invalid_request", Outcome.unknown, []) == (
        observation.reason,
        observation.outcome,
        heard,
    )


@pytest.mark.parametrize(
    ("fields", "header", "body"),
    [
        (
            {"form": {"sku": "mug 1", "n": "2"}},
            "application/x-www-form-urlencoded",
            "sku=mug+1&n=2",
        ),
        (
            {"form": {"user": "ana"}, "secret_form": {"password": Secret("env:PW")}},
            "application/x-www-form-urlencoded",
            "user=ana&password=s3cret",
        ),
        ({"json": {"sku": "mug", "n": 2}}, "application/json", '{"sku": "mug", "n": 2}'),
        ({"body": "a=b", "headers": {"Content-Type": "text/plain"}}, "text/plain", "a=b"),
    ],
)
def test_bodies_are_forms_json_or_as_they_are(fields, header, body):
    lines, content = sent(method="POST", secrets={"PW": "s3cret"}, **fields)

    assert body == content
    assert [f"Content-Type: {header}"] == [
        line for line in lines if line.startswith("Content-Type")
    ]


def test_secrets_reach_the_server_and_nothing_else():
    script, heard = recording({})

    observation = check(
        script,
        basic=Basic("ana", Secret("env:PW")),
        secret_headers={"X-Key": Secret("env:KEY")},
        secrets={"PW": "hunter2", "KEY": "k3y"},
    )

    request = heard[0][1].decode()
    assert ("YW5hOmh1bnRlcjI=" in request, "X-Key: k3y" in request) == (True, True)
    shown = repr(observation)
    assert not [word for word in ("hunter2", "YW5hOmh1bnRlcjI", "k3y") if word in shown]


def test_a_secret_in_the_url_is_revealed_on_the_wire_only():
    script, heard = recording({})

    async def main():
        async with serving(script) as port, Transport() as transport:
            prober = Http(url=f"http://127.0.0.1:{port}/hook?token={{env:TOKEN}}")
            return prober, await observed(prober, transport, TOKEN="t0ken")

    prober, observation = asyncio.run(main())

    assert ("127.0.0.1", "/hook?token=t0ken", "") == (
        prober.host(),
        heard[0][0],
        observation.reason,
    )
    assert "t0ken" not in repr(prober)


@pytest.mark.parametrize(
    ("url", "connect_to", "host"),
    [
        ("https://Shop.example:8443/a", "", "shop.example"),
        ("https://shop.example/", "10.0.0.7:443", "10.0.0.7"),
        ("http://[::1]:80/", "", "::1"),
        ("http://[", "", ""),
    ],
)
def test_the_host_is_the_one_connected_to(url, connect_to, host):
    assert host == Http(url=url, connect_to=connect_to).host()


def test_evidence_holds_heads_and_the_beginning_of_the_body():
    observation = check(saying(answer(b"x" * 40_000, "Server: shop")))

    evidence = observation.evidence
    assert evidence.request.startswith("GET / HTTP\r\nHost: localhost:")
    assert evidence.response.startswith("HTTP/1.1 200 OK\r\n")
    assert "Server: shop" in evidence.response
    assert (16384, 40_000) == (len(evidence.body), evidence.facts["size_bytes"])


def test_a_check_is_judged_with_the_actual_values():
    that = compile_expression("status == 200", Http.NAMES)
    observation = check(saying(answer(b"", status="500 Internal Server Error")), needed="status")
    probe = Probe(id="home", prober=Http(url="http://a/"), expect=(Expectation(that),))

    result = judge(probe, observation, location="local", due_at=NOW, started_at=NOW)

    assert (Outcome.failed, "unexpected_status") == (result.outcome, result.reason)
    assert {"status": 500} == result.judged[0].actual


def test_our_own_failure_says_nothing_about_the_target():
    observation = check(saying(OK), tls=server("good"), ca_file="/nowhere.pem")

    assert (Outcome.unknown, "client_failed") == (observation.outcome, observation.reason)


def test_what_the_pages_show_can_be_declared():
    assert {"http"} == {probe.kind for probe in shown("http").values()}
