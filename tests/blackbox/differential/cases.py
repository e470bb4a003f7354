"""Every key of the module schema, once where it lets a probe pass and once where it makes it fail."""

from collections.abc import Iterator
from typing import Any

from tests.blackbox.differential.case import (
    FOUR,
    GONE,
    HTTP,
    HTTPS,
    OK,
    REFUSED,
    TRUST,
    Case,
    families,
    kinds,
    pair,
    secured,
    wants,
)
from tests.blackbox.differential.clients import clients


def general() -> Iterator[Case]:
    yield Case("prober-passes", ("prober",), True, "http", FOUR, OK)
    yield Case("prober-fails", ("prober",), False, "tcp", FOUR, "localhost:<nobody>")
    yield Case("timeout-passes", ("timeout",), True, "http", FOUR, OK, timeout="700ms")
    yield Case(
        "timeout-fails", ("timeout",), False, "http", FOUR, "localhost:<silent>", timeout="300ms"
    )


def hostnames() -> Iterator[Case]:
    """The page's parameter `hostname`, which is no key."""
    name, trust = "a.shop.example", TRUST
    for passes, header in ((True, name), (False, "other.example")):
        target = wants("Host", header)
        yield Case(f"hostname-{passes}", (), passes, "http", FOUR, target, hostname=name)
        yield Case(f"hostname-tls-{passes}", (), passes, "http", {**FOUR, **trust},
                   "https://127.0.0.1:<https>/ok", hostname=header, differs="" if passes else REFUSED)  # fmt: skip
        yield Case(f"hostname-tcp-{passes}", (), passes, "tcp", {**FOUR, **trust, "tls": True},
                   "localhost:<tcps>", hostname=header, known=False)  # fmt: skip


def http_rules() -> Iterator[Case]:
    for key, good, bad in (
        ("valid_status_codes", [404, 418], [200, 201]),
        ("valid_http_versions", ["HTTP/1.1"], ["HTTP/2.0"]),
    ):
        target = GONE if key == "valid_status_codes" else OK
        yield from pair(f"http.{key}", ({key: good}, target), ({key: bad}, target))
    for key, good, bad in (
        ("fail_if_body_matches_regexp", ["hello me"], ["^he", "x"]),
        ("fail_if_body_not_matches_regexp", ["hello", "you$"], ["hello", "me$"]),
    ):
        yield from pair(f"http.{key}", ({key: good}, OK), ({key: bad}, OK))
    for key, good, bad in (
        ("fail_if_body_json_matches_cel", "body.n > 2", "body.n == 2"),
        ("fail_if_body_json_not_matches_cel", 'body.state == "up"', 'body.state == "down"'),
    ):
        page = f"{HTTP}/json"
        yield from pair(f"http.{key}", ({key: good}, page), ({key: bad}, page), known=False)
    for rule, good, bad in (
        ("fail_if_header_matches", "^b", "^a"),
        ("fail_if_header_not_matches", "^a", "^b"),
    ):
        for part in ("header", "regexp"):
            blocks = [{rule: [{"header": "x-one", "regexp": each}]} for each in (good, bad)]
            yield from pair(f"http.{rule}.{part}", (blocks[0], OK), (blocks[1], OK))
        missing = {"header": "X-None", "regexp": "."}
        yield from pair(
            f"http.{rule}.allow_missing",
            ({rule: [{**missing, "allow_missing": True}]}, OK),
            ({rule: [missing]}, OK),
        )
    trusting = {**TRUST}
    for key, good_at, bad_at in (
        ("fail_if_ssl", OK, f"{HTTPS}/ok"),
        ("fail_if_not_ssl", f"{HTTPS}/ok", OK),
    ):
        block = {key: True, **trusting}
        yield from pair(f"http.{key}", (block, good_at), (block, bad_at))


def http_requests() -> Iterator[Case]:
    said = f"{HTTP}/said?b=content"
    yield from pair(
        "http.method",
        ({"method": "PUT"}, f"{HTTP}/method/PUT"),
        ({"method": "POST"}, f"{HTTP}/method/PUT"),
    )
    yield from pair(
        "http.headers",
        ({"headers": {"X-Who": "ana", "Host": "shop.example"}}, wants("Host", "shop.example")),
        ({"headers": {"X-Who": "bo"}}, wants("X-Who", "ana")),
    )
    post = {"method": "POST"}
    yield from pair(
        "http.body", ({**post, "body": "content"}, said), ({**post, "body": "other"}, said)
    )
    yield from pair(
        "http.body_file",
        ({**post, "body_file": "<body_file>"}, f"{HTTP}/said?b=of+a+file"),
        ({**post, "body_file": "<home>/nothing"}, said),
        known=False,
    )
    yield from pair(
        "http.compression",
        ({"compression": "gzip", "fail_if_body_not_matches_regexp": ["you"]}, f"{HTTP}/gzip"),
        ({"compression": "gzip"}, OK),
    )
    for kind in ("br", "deflate"):
        block = {"compression": kind, "headers": {"Accept-Encoding": kind}}
        yield Case(f"compression-{kind}", (), True, "http", {**FOUR, **block}, f"{HTTP}/{kind}")
    limit = {"body_size_limit": "10B"}
    yield from pair(
        "http.body_size_limit", (limit, f"{HTTP}/bytes/10"), (limit, f"{HTTP}/bytes/11")
    )
    for key in ("no_follow_redirects", "follow_redirects"):
        follow, stay = (key != "no_follow_redirects"), (key == "no_follow_redirects")
        to = f"{HTTP}/to?u=/ok"
        yield from pair(f"http.{key}", ({key: follow}, to), ({key: stay}, to))
    two = {"valid_http_versions": ["HTTP/2.0"], **TRUST}
    yield from pair(
        "http.enable_http2",
        ({**two, "enable_http2": True}, "https://localhost:<h2>/"),
        ({**two, "enable_http2": False}, "https://localhost:<h2>/"),
    )
    three = {"enable_http3": True, "enable_http2": False, **TRUST}
    yield Case("http3-fails", ("http.enable_http3",), False, "http", {**FOUR, **three},
               "https://localhost:<https>/ok", known=False, timeout="1s")  # fmt: skip
    yield Case("http3-passes", ("http.enable_http3",), True, "http",
               {**FOUR, **TRUST, "enable_http3": False}, f"{HTTPS}/ok", known=False)  # fmt: skip


def tcp(prober: str, plain: str, mail: str) -> Iterator[Case]:
    """`query_response`, which tcp and unix have in common."""
    trust = {"ca_file": "<ca_path>", "server_name": "localhost"}
    known = prober == "tcp"

    def asked(key: str, good: Any, bad: Any, *, at: str = plain, old: bool = True) -> Any:
        both = [{"query_response": each, "tls_config": trust} for each in (good, bad)]
        name = f"{prober}.query_response.{key}"
        return pair(name, (both[0], at), (both[1], at), known=known and old, timeout="1s")

    hello = {"expect": r"^hello (\d+) (\w+)"}
    yield from asked("expect", [hello], [hello, {"send": "go"}, {"expect": "^goodbye"}])
    yield from asked(
        "send",
        [{**hello, "send": "${2}-${1}"}, {"expect": "^you said ana-4711$"}],
        [{**hello, "send": "${1}-${2}"}, {"expect": "^you said ana-4711$"}],
    )
    yield from asked(
        "expect_bytes", [{"expect_bytes": "hello"}], [{"expect_bytes": "howdy"}], old=False
    )
    for part in ("name", "value"):
        label = {"labels": [{"name": "who", "value": "$2"}]}
        wrong = [{**hello, **label}, {"send": "go"}, {"expect": "never"}]
        yield from asked(f"labels.{part}", [{**hello, **label}], wrong, old=False)
    begin = [{"expect": "^220 ", "send": "STARTTLS\r"}, {"expect": "^220 ", "starttls": True}]
    entries = [*begin, {"send": "EHLO me\r"}, {"expect": "^250 said EHLO me"}]
    at_once = [{"expect": "^hello", "starttls": True}]
    yield from pair(
        f"{prober}.query_response.starttls",
        ({"query_response": entries, "tls_config": trust}, mail),
        ({"query_response": at_once, "tls_config": trust}, plain),
        known=known,
    )


def connections() -> Iterator[Case]:
    yield from families("tcp", "127.0.0.1:<tcp>")
    yield from tcp("tcp", "localhost:<tcp>", "localhost:<mail>")
    yield from tcp("unix", "<unix>", "<unix_mail>")
    speak = {"tls": True, "query_response": [{"expect": "^hello"}]}
    yield from secured("tcp", kinds("localhost:<tcps%s>"), speak)
    yield from secured("unix", kinds("<unixs%s>"), speak, known=False)
    for prober, good, bad, known in (
        ("tcp", "localhost:<tcps>", "localhost:<tcp>", True),
        ("unix", "<unixs>", "<unix>", False),
    ):
        block = {"tls": True, "tls_config": {"ca_file": "<ca_path>", "server_name": "localhost"}}
        yield from pair(f"{prober}.tls", (block, good), (block, bad), known=known)
    source = "source_ip_address"
    yield from pair(
        f"tcp.{source}",
        ({source: "127.0.0.1"}, "localhost:<tcp>"),
        ({source: "192.0.2.9"}, "localhost:<tcp>"),
    )


def icmp() -> Iterator[Case]:
    yield from families("icmp", "127.0.0.1")
    for key, good, bad in (
        ("source_ip_address", "127.0.0.1", "192.0.2.9"),
        ("payload_size", 1400, 65000),
        ("dont_fragment", True, True),
        ("ttl", 3, 3),
    ):
        strict = {"preferred_ip_protocol": "ip6", "ip_protocol_fallback": False}
        failing = {key: bad} if key == "source_ip_address" else {key: bad, **strict}
        yield from pair(f"icmp.{key}", ({key: good}, "127.0.0.1"), (failing, "127.0.0.1"))


def dns() -> Iterator[Case]:
    server, question = "localhost:<dns>", {"query_name": "shop.example", "query_type": "A"}

    def asked(key: str, good: Any, bad: Any, *, at: str = server) -> Iterator[Case]:
        both = [{**question, **each} for each in (good, bad)]
        return pair(f"dns.{key}", (both[0], at), (both[1], at), timeout="1s")

    for case in families("dns", "127.0.0.1:<dns>"):
        yield Case(**{**case.__dict__, "block": {**question, **case.block}})
    yield from asked("query_name", {}, {"query_name": "nothing.example"})
    over = {"query_name": "over.example"}
    yield from asked(
        "transport_protocol",
        {**over, "transport_protocol": "tcp"},
        {**over, "transport_protocol": "udp"},
    )
    for key, name, good, bad in (
        ("query_type", "type.example", "AAAA", "A"),
        ("query_class", "class.example", "CH", "IN"),
        ("recursion_desired", "recursive.example", True, False),
        ("valid_rcodes", "nothing.example", ["NXDOMAIN", "NOERROR"], ["NOERROR"]),
        ("source_ip_address", "shop.example", "127.0.0.1", "192.0.2.9"),
    ):
        named = {"query_name": name}
        yield from asked(key, {**named, key: good}, {**named, key: bad})
    trust = {"transport_protocol": "tcp", "dns_over_tls": True, **TRUST}
    yield from pair(
        "dns.dns_over_tls",
        ({**question, **trust}, "localhost:<dot>"),
        ({**question, **trust, "transport_protocol": "udp"}, "localhost:<dot>"),
    )
    tls = {**question, "transport_protocol": "tcp", "dns_over_tls": True}
    yield from secured("dns", kinds("localhost:<dot%s>"), tls)
    for section, all_match, some, none in (
        ("answer", "192.0.2", "192.0.2.1$", "192.0.9"),
        ("authority", "ns.shop", "ns.shop", "other"),
        ("additional", r"ns\.shop\.example\.\t60\tIN\tA\t192", "53$", "54$"),
    ):
        for rule, good, bad in (
            ("fail_if_matches_regexp", none, some),
            ("fail_if_all_match_regexp", all_match, none),
            ("fail_if_not_matches_regexp", all_match, none),
            ("fail_if_none_matches_regexp", some, none),
        ):
            key = f"validate_{section}_rrs"
            yield from asked(f"{key}.{rule}", {key: {rule: [good]}}, {key: {rule: [bad]}})
    yield Case(
        "soa", (), True, "dns", {**FOUR, "query_name": "soa.example", "query_type": "SOA"}, server
    )


def grpc() -> Iterator[Case]:
    yield from families("grpc", "127.0.0.1:<grpc>")
    where = "localhost:<grpc>"
    yield from pair("grpc.service", ({"service": "shop"}, where), ({"service": "stock"}, where))
    yield Case("grpc-unknown", (), False, "grpc", {**FOUR, "service": "nothing"}, where)
    speak = {"tls": True}
    yield from pair(
        "grpc.tls", ({**speak, **TRUST}, "localhost:<grpcs>"), ({}, "localhost:<grpcs>")
    )
    yield from secured("grpc", kinds("localhost:<grpcs%s>"), speak)
    yield from pair(
        "grpc.metadata",
        ({"metadata": {"authorization": ["Bearer t0psecret"]}}, "localhost:<grpc_guarded>"),
        ({"metadata": {"authorization": ["Bearer other"]}}, "localhost:<grpc_guarded>"),
        known=False,
    )


def websocket() -> Iterator[Case]:
    yield from families("websocket", "ws://127.0.0.1:<ws>/")
    where = "ws://localhost:<ws>/"

    def asked(key: str, good: Any, bad: Any, **block: Any) -> Iterator[Case]:
        both = [{"query_response": each, **block} for each in (good, bad)]
        name = f"websocket.query_response.{key}"
        return pair(name, (both[0], where), (both[1], where), known=False, timeout="1s")

    hello = {"expect": "^(wel)come"}
    yield from asked("expect", [hello], [{"expect": "goodbye"}])
    yield from asked(
        "send",
        [{**hello, "send": "${1}"}, {"expect": "^you said wel$"}],
        [{**hello, "send": "${2}"}, {"expect": "^you said wel$"}],
    )
    for part in ("name", "value"):
        label = {"labels": [{"name": "what", "value": "$1"}]}
        yield from asked(f"labels.{part}", [{**hello, **label}], [{**hello, **label}, hello])
    for key, value in (("values", "t0ken"), ("secrets", "t0ken"), ("files", "<token_file>")):
        header = {"headers": {"X-Who": {key: [value]}}}
        good = {"query_response": [{"expect": "welcome t0ken"}]}
        bad = {"query_response": [{"expect": "welcome other"}]}
        yield from pair(
            f"websocket.headers.{key}",
            ({**header, **good}, where),
            ({**header, **bad}, where),
            known=False,
        )
    yield from asked("expect_bytes", [{"expect_bytes": "welcome "}], [{"expect_bytes": "welcome"}])
    for key in ("http_config.follow_redirects", "http_config.enable_http2"):
        yield from no_matter(key, False, True)
    yield from no_matter("query_response.starttls", True, False)
    speak = {"query_response": [{"expect": "^welcome"}]}
    tls = kinds("wss://localhost:<wss%s>/")
    yield from secured("websocket", tls, speak, nest="http_config", known=False)


def no_matter(key: str, good: Any, bad: Any) -> Iterator[Case]:
    """A key of `websocket` that changes nothing: read, and neither in the way nor a help."""
    top, _, inner = key.partition(".")
    where = "ws://localhost:<ws>/"
    for passes, value, expect in ((True, good, "^welcome"), (False, bad, "^goodbye")):
        block: dict[str, Any] = {"query_response": [{"expect": expect}]}
        if top == "http_config":
            block[top] = {inner: value}
        else:
            block["query_response"][0][inner] = value
        name = f"websocket.{key}-{'passes' if passes else 'fails'}"
        yield Case(name, (f"websocket.{key}",), passes, "websocket", {**FOUR, **block}, where,
                   known=False)  # fmt: skip


def every() -> tuple[Case, ...]:
    """All cases."""
    found = [
        *general(),
        *hostnames(),
        *families("http", "http://127.0.0.1:<http>/ok"),
        *http_rules(),
        *http_requests(),
        *secured("http", kinds("https://localhost:<https%s>/ok"), {}),
        *clients(),
        *connections(),
        *icmp(),
        *dns(),
        *grpc(),
        *websocket(),
    ]
    return tuple(found)
