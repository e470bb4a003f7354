"""Every key of the module schema, once where it lets a probe pass and once where it makes it fail.

A case is a module and a target; ``<name>`` stands for a port, path or text of the stage. `known`
says whether the original of version 0.23.0 knows the key: if not, ours alone is asked.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

FOUR = {"preferred_ip_protocol": "ip4"}


@dataclass(frozen=True)
class Case:
    """`keys` are those it stands for. `differs` names the accepted difference that it shows."""

    name: str
    keys: tuple[str, ...]
    passes: bool
    prober: str
    block: Mapping[str, Any]
    target: str
    known: bool = True
    hostname: str = ""
    timeout: str = "3s"
    differs: str = ""
    module: Mapping[str, Any] = field(default_factory=dict)


def pair(
    key: str,
    good: tuple[Mapping[str, Any], str],
    bad: tuple[Mapping[str, Any], str],
    *,
    known: bool = True,
    also: tuple[str, ...] = (),
    differs: str = "",
    bad_differs: str = "",
    timeout: str = "3s",
) -> Iterator[Case]:
    """A key's two cases. Blocks ask for IPv4 unless they say otherwise; unix has no such key."""
    prober = key.partition(".")[0]
    base = {} if prober == "unix" else FOUR
    for passes, (block, target) in ((True, good), (False, bad)):
        yield Case(
            f"{key}-{'passes' if passes else 'fails'}",
            (key, *also),
            passes,
            prober,
            {**base, **block},
            target,
            known=known,
            differs=differs if passes else (bad_differs or differs),
            timeout=timeout,
        )


OK, GONE = "http://localhost:<http>/ok", "http://localhost:<http>/status/404"
HTTP, HTTPS = "http://localhost:<http>", "https://localhost:<https>"
TRUST = {"tls_config": {"ca_file": "<ca_path>"}}
REFUSED = "refused-certificates"


def general() -> Iterator[Case]:
    yield Case("prober-passes", ("prober",), True, "http", FOUR, OK)
    yield Case("prober-fails", ("prober",), False, "tcp", FOUR, "localhost:<nobody>")
    yield Case("timeout-passes", ("timeout",), True, "http", FOUR, OK, timeout="700ms")
    yield Case(
        "timeout-fails", ("timeout",), False, "http", FOUR, "localhost:<silent>", timeout="300ms"
    )


def families(prober: str, target: str) -> Iterator[Case]:
    """The two keys of every prober that connects to an address."""
    for key in ("preferred_ip_protocol", "ip_protocol_fallback"):
        good = {"preferred_ip_protocol": "ip4" if key[0] == "p" else "ip6"}
        bad = {"preferred_ip_protocol": "ip6", "ip_protocol_fallback": False}
        known = prober != "websocket"
        yield from pair(f"{prober}.{key}", (good, target), (bad, target), known=known)


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


def wants(header: str, value: str, *, scheme: str = "http") -> str:
    where = HTTP if scheme == "http" else HTTPS
    return f"{where}/wants?h={header}&v={value.replace(' ', '%20')}"


BASIC, BEARER = "Basic YW5hOnNlY3JldA==", "Bearer t0ken"
PASSWORDS = (("password", "secret", "other"), ("password_file", "<password_file>", "<wrong_file>"))


def signed(block: str, *, prefix: str, basic: str, bearer: str, known: bool) -> Iterator[Case]:
    """The credentials of a client block; `block` is where it stands (``http_config`` or none)."""

    def within(client: Mapping[str, Any]) -> Mapping[str, Any]:
        return {block: client, **SAYING[block]} if block else client

    def both(key: str, good: Any, bad: Any, target: str, *, old: bool = True) -> Iterator[Case]:
        good_block, bad_block = within(good), within(bad)
        yield from pair(
            f"{prefix}.{key}", (good_block, target), (bad_block, target), known=known and old
        )

    for key, good, bad in PASSWORDS:
        yield from both(
            f"basic_auth.{key}",
            {"basic_auth": {"username": "ana", key: good}},
            {"basic_auth": {"username": "ana", key: bad}},
            basic,
        )
    for key, good, bad in (
        ("username", "ana", "bo"),
        ("username_file", "<user_file>", "<wrong_file>"),
    ):
        yield from both(
            f"basic_auth.{key}",
            {"basic_auth": {key: good, "password": "secret"}},
            {"basic_auth": {key: bad, "password": "secret"}},
            basic,
            old=key == "username",
        )
    for key, good, bad in (
        ("credentials", "t0ken", "other"),
        ("credentials_file", "<token_file>", "<wrong_file>"),
    ):
        yield from both(
            f"authorization.{key}",
            {"authorization": {key: good}},
            {"authorization": {key: bad}},
            bearer,
        )
    yield from both(
        "authorization.type",
        {"authorization": {"type": "Bearer", "credentials": "t0ken"}},
        {"authorization": {"type": "Token", "credentials": "t0ken"}},
        bearer,
    )
    for key, good, bad in (
        ("bearer_token", "t0ken", "other"),
        ("bearer_token_file", "<token_file>", "<wrong_file>"),
    ):
        yield from both(key, {key: good}, {key: bad}, bearer)
    for key, good, bad in (
        ("values", ["t0ken"], ["other"]),
        ("secrets", ["t0ken"], ["other"]),
        ("files", ["<token_file>"], ["<wrong_file>"]),
    ):
        yield from both(
            f"http_headers.{key}",
            {"http_headers": {"X-Who": {key: good}}},
            {"http_headers": {"X-Who": {key: bad}}},
            wants("X-Who", "t0ken") if not block else "ws://localhost:<ws>/",
            old=False,
        )


SAYING: Mapping[str, Mapping[str, Any]] = {
    "http_config": {
        "query_response": [{"expect": "^(Basic YW5hOnNlY3JldA==|Bearer t0ken|welcome t0ken)$"}]
    }
}
MATERIAL = (
    ("ca_file", "<ca_path>", "<self_cert_path>", True),
    ("ca", "<ca_pem>", "<self_cert_pem>", False),
    ("server_name", "a.shop.example", "other.example", True),
)


def secured(
    prober: str,
    where: Mapping[str, str],
    extra: Mapping[str, Any],
    *,
    nest: str = "",
    known: bool = True,
    asks: bool = True,
) -> Iterator[Case]:
    """`tls_config` of a prober. `where` are targets by the server's kind, `extra` what makes it
    speak TLS, `nest` the block that the configuration stands in."""

    def config(**tls: Any) -> Mapping[str, Any]:
        if not nest:
            return {**extra, "tls_config": tls}
        inner = {**extra.get(nest, {}), "tls_config": tls}
        return {**extra, nest: inner}

    trust = {"ca_file": "<ca_path>"}
    if prober == "unix":
        trust["server_name"] = "localhost"
    prefix = f"{prober}.{nest}.tls_config" if nest else f"{prober}.tls_config"

    def both(key: str, good: Any, bad: Any, *, at: tuple[str, str], old: bool = True) -> Any:
        shown = prober not in ("dns", "websocket")
        differs = REFUSED if shown and "version" not in key else ""
        return pair(
            f"{prefix}.{key}",
            (config(**good), where[at[0]]),
            (config(**bad), where[at[1]]),
            known=known and old,
            bad_differs=differs,
        )

    for key, good, bad, old in MATERIAL:
        named = {**trust, key: good}, {**trust, key: bad}
        if key == "ca":
            for each in named:
                del each["ca_file"]
        yield from both(key, *named, at=("", ""), old=old)
    yield from both(
        "insecure_skip_verify",
        {"insecure_skip_verify": True},
        {**trust, "insecure_skip_verify": False},
        at=("_self", "_self"),
    )
    versions = ("12", "13") if f"_{12}" in where else ("", "")
    if versions[0]:
        yield from both(
            "min_version",
            {**trust, "min_version": "TLS12"},
            {**trust, "min_version": "TLS13"},
            at=("_12", "_12"),
        )
        yield from both(
            "max_version",
            {**trust, "max_version": "TLS13"},
            {**trust, "max_version": "TLS12"},
            at=("_13", "_13"),
            old=False,
        )
    if asks:
        for cert, key_, old in (("cert_file", "key_file", True), ("cert", "key", False)):
            end = "path" if old else "pem"
            good = {**trust, cert: f"<good_cert_{end}>", key_: f"<good_key_{end}>"}
            bad = {**trust, cert: f"<self_cert_{end}>", key_: f"<self_key_{end}>"}
            for key in (cert, key_):
                yield from both(key, good, bad, at=("_asks", "_asks"), old=old)


def kinds(template: str) -> Mapping[str, str]:
    """Targets by the kind of server: ``%s`` is where the kind stands."""
    return {kind: template % kind for kind in ("", "_self", "_expired", "_asks", "_12", "_13")}


def proxied() -> Iterator[Case]:
    via = {"proxy_url": "http://127.0.0.1:<proxy>"}
    through = wants("X-Through", "proxy")
    dead = {"proxy_url": "http://127.0.0.1:<nobody>"}
    yield from pair("http.proxy_url", (via, through), (dead, OK))
    yield from pair(
        "http.no_proxy",
        ({**dead, "no_proxy": "127.0.0.1"}, OK),
        ({**dead, "no_proxy": "192.0.2.1"}, "http://192.0.2.2/"),
        known=False,
    )
    yield from pair(
        "http.proxy_from_environment",
        ({"proxy_from_environment": True}, OK),
        ({"proxy_from_environment": True}, "http://192.0.2.2/"),
        known=False,
    )
    out = {**via, **TRUST}
    yield from pair(
        "http.proxy_connect_header",
        ({**out, "proxy_connect_header": {"X-Out": ["yes"]}}, f"{HTTPS}/ok"),
        ({**out, "proxy_connect_header": {"X-Out": ["no"]}}, f"{HTTPS}/ok"),
        known=False,
    )
    skip = {"skip_resolve_phase_with_proxy": True}
    yield from pair(
        "http.skip_resolve_phase_with_proxy",
        ({**skip, **via}, f"{HTTP}/lacks?h=X-Nothing"),
        ({**skip, **dead}, "http://nothing.invalid/"),
    )


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
    yield from asked(
        "starttls",
        [*begin, {"send": "EHLO me\r"}, {"expect": "^250 said EHLO me"}],
        [*begin[:1], {"send": "EHLO me\r"}, {"expect": "^250 said EHLO me"}],
        at=mail,
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
    guarded = "ws://localhost:<ws_guarded>/"
    yield from signed(
        "http_config", prefix="websocket.http_config", basic=guarded, bearer=guarded, known=False
    )
    speak = {"query_response": [{"expect": "^welcome"}]}
    tls = kinds("wss://localhost:<wss%s>/")
    yield from secured("websocket", tls, speak, nest="http_config", known=False)


def every() -> tuple[Case, ...]:
    """All cases."""
    found = [
        *general(),
        *families("http", "http://127.0.0.1:<http>/ok"),
        *http_rules(),
        *http_requests(),
        *signed(
            "",
            prefix="http",
            basic=wants("Authorization", BASIC),
            bearer=wants("Authorization", BEARER),
            known=True,
        ),
        *secured("http", kinds("https://localhost:<https%s>/ok"), {}),
        *proxied(),
        *connections(),
        *icmp(),
        *dns(),
        *grpc(),
        *websocket(),
    ]
    return tuple(found)
