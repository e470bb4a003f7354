"""Targets that break every rule, probed by both programs: the same verdict, families and values, in time."""

from collections.abc import Callable, Iterator, Sequence

import pytest

from tests.blackbox.differential.case import FOUR, HTTP, REFUSED, Case
from tests.blackbox.differential.comparing import differences
from tests.blackbox.differential.programs import EXPORTER, Programs
from tests.blackbox.differential.stage import SICK

pytestmark = [pytest.mark.slow, pytest.mark.needs(EXPORTER, "openssl", "nginx")]

TIMEOUT_S = 1.0
LATEST_S = TIMEOUT_S + 2.5
"""When even a busy machine has answered."""
COUNTED = frozenset({"probe_http_uncompressed_body_length"})
VARIES = {
    "http-endless_body": COUNTED,
    "http-endless_body-matched": COUNTED,
    "http-drip": COUNTED,
    "http-drip-matched": COUNTED,
    "http-gzip-for-bytes-5000": COUNTED,
}
"""Bytes that came before the end of time, or that lie in a buffer."""
NEVER_ALIKE = {"cookies"}
"""What an accepted difference is about: `limits`."""


def http(name: str, target: str, **block: object) -> Case:
    return Case(
        f"http-{name}", (), False, "http", {**FOUR, **block}, target,
        timeout=f"{TIMEOUT_S}s",
    )  # fmt: skip


def other(name: str, prober: str, target: str, **block: object) -> Case:
    return Case(
        f"{prober}-{name}", (), False, prober, {**FOUR, **block}, target,
        timeout=f"{TIMEOUT_S}s",
    )  # fmt: skip


def sick() -> Iterator[Case]:
    for name in sorted(SICK.keys() - NEVER_ALIKE):
        yield http(name, f"http://localhost:<{name}>/")
        yield http(
            f"{name}-matched", f"http://localhost:<{name}>/", fail_if_body_not_matches_regexp=["ok"]
        )
        yield other(
            name,
            "tcp",
            f"localhost:<{name}>",
            query_response=[{"send": "GET / HTTP/1.0\r\n\r"}, {"expect": "^never"}],
        )
    yield http("nobody", "http://127.0.0.1:<nobody>/")
    yield http("no-such-name", "http://nothing.invalid/")
    yield http("other-scheme", "ftp://localhost/")
    for number, target in enumerate(
        ("http://", "http://:80/", "http://[::1", "http://a b/", "http://localhost:port/",
         "http://localhost:99999/", "http://localhost/%zz", "http://user:pa ss@localhost:<http>/ok",
         "//localhost:<http>/ok", "localhost:<http>/ok?a=b c", "http://LOCALHOST:<http>/ok", "HTTP://localhost:<http>/ok",
         "http://localhost:<http>", "http://localhost:<http>?x=1", "http://localhost:<http>/ok#part", "http://127.1:<http>/ok")
    ):  # fmt: skip
        yield http(f"target-{number}", target)
    for kind in ("", "_self", "_expired", "_asks"):
        yield http(f"tls{kind}", f"https://localhost:<https{kind}>/ok")
        trusting = {"tls_config": {"ca_file": "<ca_path>"}}
        yield http(f"tls{kind}-trusted", f"https://localhost:<https{kind}>/ok", **trusting)
        yield other(f"tls{kind}", "tcp", f"localhost:<https{kind}>", tls=True)
        skipping = {"tls_config": {"insecure_skip_verify": True}}
        yield http(f"tls{kind}-skipped", f"https://localhost:<https{kind}>/ok", **skipping)
    yield http("tls-to-plain", "https://localhost:<http>/ok")
    yield http("plain-to-tls", "http://localhost:<https>/ok")
    yield http("tls-silent", "https://localhost:<silent>/")
    yield http(
        "tls-by-address", "https://127.0.0.1:<https>/ok", tls_config={"ca_file": "<ca_path>"}
    )
    stay = {"follow_redirects": False}
    yield http("stays", f"{HTTP}/to?u=/ok", **stay)
    yield http("stays-valid", f"{HTTP}/to?u=/ok", **stay, valid_status_codes=[302])
    yield http(
        "stays-matched",
        f"{HTTP}/to?u=/ok",
        **stay,
        valid_status_codes=[302],
        fail_if_body_not_matches_regexp=["hello"],
    )
    for status in (300, 301, 302, 303, 304, 305, 307, 308):
        yield http(f"to-{status}", f"{HTTP}/to/{status}?u=/ok", method="POST", body="content")
    yield http("to-a-cookie", f"{HTTP}/cookie?u=/wants%3Fh%3DCookie%26v%3Dbasket%253D7")
    yield http(
        "to-tls", f"{HTTP}/to?u=https://localhost:<https>/ok", tls_config={"ca_file": "<ca_path>"}
    )
    yield http("to-bad-tls", f"{HTTP}/to?u=https://localhost:<https_self>/ok")
    yield http("head", f"{HTTP}/bytes/100", method="HEAD")
    yield http("chunked", f"{HTTP}/chunked")
    yield http("packed", f"{HTTP}/gzip", headers={"Accept-Encoding": "gzip"})
    for kind, page in (
        ("gzip", "br"),
        ("br", "gzip"),
        ("deflate", "ok"),
        ("br", "ok"),
        ("identity", "gzip"),
        ("gzip", "bytes/5000"),
    ):
        yield http(f"{kind}-for-{page.replace('/', '-')}", f"{HTTP}/{page}", compression=kind)
    yield http("limited-chunked", f"{HTTP}/chunked", body_size_limit="4B")
    yield http("limited-endless", "http://localhost:<endless_body>/", body_size_limit="1MB")
    yield http("limited-gzip", f"{HTTP}/gzip", compression="gzip", body_size_limit="4B")
    for number, target in enumerate(
        (
            "localhost",
            "::1:80",
            "[::1]:<tcp>",
            "localhost:0",
            "localhost:http",
            "nothing.invalid:80",
            "127.0.0.1:<nobody>",
            ":<tcp>",
        )
    ):
        yield other(f"target-{number}", "tcp", target)
    hello = [{"expect": "^hello"}]
    yield other("tls-to-plain", "tcp", "localhost:<tcp>", tls=True, query_response=hello)
    yield other("plain-to-tls", "tcp", "localhost:<tcps>", query_response=hello)
    for name in ("silent", "garbage", "other", "nothing"):
        for protocol in ("udp", "tcp"):
            yield other(
                f"{name}-{protocol}",
                "dns",
                "localhost:<dns>",
                query_name=f"{name}.example",
                query_type="A",
                transport_protocol=protocol,
            )
    for number, target in enumerate(
        ("nothing.invalid", "127.0.0.1:<nobody>", "localhost:port", "::1", "[::1]")
    ):
        yield other(f"target-{number}", "dns", target, query_name="shop.example", query_type="A")
    yield other(
        "nobody-tcp",
        "dns",
        "127.0.0.1:<nobody>",
        query_name="shop.example",
        transport_protocol="tcp",
    )
    for number, target in enumerate(("nothing.invalid", "192.0.2.1", "", "localhost:80")):
        if target:
            yield other(f"target-{number}", "icmp", target)
    yield other("nobody", "grpc", "127.0.0.1:<nobody>")
    yield other("no-grpc", "grpc", "localhost:<http>")
    yield other("no-such-name", "grpc", "nothing.invalid:80")
    yield other("tls-to-plain", "grpc", "localhost:<grpc>", tls=True)


CASES = tuple(sick())


@pytest.fixture(scope="module")
def programs(start_both: Callable[[Sequence[Case]], Programs]) -> Programs:
    return start_both(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_sick_target_is_seen_as_in_the_original(programs: Programs, case: Case) -> None:
    said = programs.ours(case)
    original = programs.theirs(case)

    varies = VARIES.get(case.name, frozenset())
    found = differences(said, original, differs=REFUSED, starttls=False, varies=varies)
    assert "" == "\n".join(found), said.text + original.text
    assert said.took_s < LATEST_S
