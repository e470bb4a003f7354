"""A `blackbox.yml` is taken or refused as blackbox_exporter does it, and says what it said there."""

import contextlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.blackbox.module import (
    Authorization,
    BasicAuth,
    ExtraHeader,
    HeaderRule,
    Hidden,
    IpChoice,
    Module,
    RecordRules,
    TlsConfig,
)
from sentinel.library.modules import ModulesRefused, read_modules, schema_keys
from sentinel.library.modules_dump import dump_modules
from sentinel.library.modules_units import duration_text, nanoseconds, size_bytes, size_text
from tests.conftest import program

EXPORTER = "prometheus-blackbox-exporter"
HTTP = "modules: {a: {prober: http, http: {%s}}}"


def module(text: str, name: str = "a") -> Module:
    return read_modules("blackbox.yml", text.encode()).modules[name]


def refusal(text: str) -> str:
    with pytest.raises(ModulesRefused) as refused:
        read_modules("blackbox.yml", text.encode())
    return str(refused.value)


TAKEN = (
    "modules: {}",
    "modules: ~",
    "---\n",
    "modules: {}\n---\nnope: 1",
    "modules: {a: ~}",
    "modules: {a: {prober: dns}}",
    "modules: {1: {prober: http}, true: {prober: tcp}}",
    "modules:\n  a: &s {prober: http}\n  b: {<<: *s, timeout: 5s}",
    "modules: {a: {prober: http, timeout: 1h2m3.5s, http: ~}}",
    "modules: {a: {prober: http, timeout: '0'}}",
    "modules: {a: {prober: tcp, tcp: {query_response: [~, {}]}}}",
    "modules: {a: {prober: icmp, icmp: {ttl: 1.5}}}",
    HTTP % "fail_if_ssl: yes",
    HTTP % "fail_if_ssl: 'on'",
    HTTP % "method: 5.50",
    HTTP % "valid_status_codes: [0x10, 0o17, 017, 1_000, 200.9, ~]",
    HTTP % "body_size_limit: 1KB2B",
    HTTP % "body_size_limit: 0",
    HTTP % "fail_if_body_matches_regexp: ['', ~, 1]",
    HTTP % "no_follow_redirects: true, follow_redirects: true",
    HTTP % "proxy_url: 'http://a', proxy_connect_header: {a: [b]}",
    HTTP % "headers: {Accept-Encoding: 'br, gzip;q=0.5'}, compression: gzip",
    HTTP % "method: !foo GET",
)

REFUSED = {
    "": "blackbox.yml:1:1: EOF",
    "# nothing\n": "blackbox.yml:1:1: EOF",
    "x": "`x` is not a mapping",
    "nope: 1": "blackbox.yml:1:1: the key `nope` is not known here",
    "modules: []": "blackbox.yml:1:10: a list is not a mapping",
    "modules: {a: {prober: http}, a: {prober: tcp}}": "1:30: the key `a` stands here a second time",
    "modules: {a: {prober: http, prober: tcp}}": "1:29: the key `prober` stands here a second time",
    "modules: {a: {prober: http, HTTP: {}}}": "the key `HTTP` is not known here",
    "modules: {a: {prober: http, timeout: 5}}": "1:38: `5` is not a duration",
    "modules: {a: {prober: http, timeout: 0}}": "`0` is a number, a duration needs its unit",
    "modules: {a: {prober: http, timeout: 1d}}": "`1d` is not a duration",
    "modules: {a: {prober: http, timeout: ''}}": "`` is not a duration",
    "modules: {a: {prober: dns, dns: {}}}": "query name must be set for DNS module",
    "modules: {a: {prober: dns, dns: {query_name: x, query_type: Q}}}": "query type 'Q' is not valid",
    "modules: {a: {prober: dns, dns: {query_name: x, query_class: Q}}}": "query class 'Q' is not valid",
    "modules: {a: {prober: icmp, icmp: {ttl: 256}}}": '1:36: "ttl" cannot exceed 255',
    "modules: {a: {prober: icmp, icmp: {ttl: -1}}}": '"ttl" cannot be negative',
    "modules: {a: {prober: tcp, tcp: {query_response: [{expect: '['}]}}}": (
        '1:60: "Could not compile regular expression" regexp="["'
    ),
    "modules: {a: {prober: tcp, tcp: {tls_config: {min_version: TLS9}}}}": "unknown TLS version: TLS9",
    HTTP % "valid_status_codes: 200": "`200` is not a list",
    HTTP % "valid_status_codes: ['200']": "`200` is not a whole number",
    HTTP % "fail_if_ssl: 'true'": "`true` is neither true nor false",
    HTTP % "method: [a]": "a list is not a text",
    HTTP % "body_size_limit: 100": "unknown unit `` in `100`",
    HTTP % "body_size_limit: 10mb": "unknown unit `mb` in `10mb`",
    HTTP % "fail_if_body_matches_regexp: ['(?<=a)b']": 'regexp="(?<=a)b"',
    HTTP % "fail_if_header_matches: [{header: a}]": "regexp must be set for HTTP header matchers",
    HTTP
    % "fail_if_header_matches: [{regexp: a}]": "header name must be set for HTTP header matchers",
    HTTP
    % "bearer_token: a, bearer_token_file: b": "at most one of bearer_token & bearer_token_file",
    HTTP % "bearer_token: a, basic_auth: {}": "at most one of basic_auth, oauth2, bearer_token &",
    HTTP
    % "bearer_token: a, authorization: {}": "authorization is not compatible with bearer_token",
    HTTP % "authorization: {type: Basic}": 'cannot be set to "basic", use "basic_auth" instead',
    HTTP % "basic_auth: {password: a, password_file: b}": "at most one of basic_auth password",
    HTTP % "oauth2: {token_url: b}": "oauth2 client_id must be configured",
    HTTP % "proxy_url: '::'": 'parse "::"',
    HTTP % "proxy_connect_header: {a: [b]}": "if proxy_connect_header is configured, proxy_url or",
    HTTP % "headers: {accept-encoding: br}, compression: gzip": (
        'invalid configuration "accept-encoding: br", "compression: gzip"'
    ),
    "modules:\n  a: {": "YAML cannot read this",
    "modules:\n  a: {}\n\tb: {}": "blackbox.yml:3:1: YAML cannot read this: found",
}

NEWER = {
    "modules: {a: {prober: nope}}": "1:15: prober 'nope' is invalid",
    "modules: {a: {}}": "prober '' is invalid",
    "modules: {a: {prober: tcp, tcp: {tls_config: {cert_file: x}}}}": "exactly one of key or key_file",
    "modules: {a: {prober: tcp, tcp: {tls_config: {key_file: x}}}}": "exactly one of cert or cert_file",
    "modules: {a: {prober: tcp, tcp: {query_response: [{expect: a, expect_bytes: b}]}}}": "at most one of",
    HTTP % "body: a, body_file: b": "setting body and body_file both are not allowed",
    HTTP % "fail_if_body_json_matches_cel: 'body.a =='": "Could not compile CEL program",
    HTTP % "fail_if_body_json_matches_cel: 'answer.a == 1'": "`answer` is not a name here",
    HTTP % "valid_http_versions: [HTTP/3.0]": "HTTP/3 cannot be used as a valid HTTP version when",
    HTTP % "enable_http3: true": "when enable_http3 is true, enable_http2 must be set to false",
    HTTP
    % "enable_http3: true, enable_http2: false, valid_http_versions: [HTTP/1.1]": "used together",
    HTTP
    % "http_headers: {user-agent: {values: [x]}}": 'setting header "User-Agent" is not allowed',
    HTTP % "basic_auth: {password_ref: x}": "`password_ref` needs a secret manager",
}
"""Rules of later versions than Debian's."""

HOPELESS = {
    HTTP % "compression: zip": "`zip` is not a compression",
    HTTP % "method: 'a b'": "`a b` is not a method",
    HTTP % 'headers: {X: "a\\r\\nb"}': "the value of header `X` has a line break",
    "modules: {a: {prober: tcp, tcp: {source_ip_address: here}}}": "`here` is not an address",
    "modules: {a: {prober: dns, dns: {query_name: x, transport_protocol: quic}}}": "neither udp nor tcp",
    "modules: {a: {prober: dns, dns: {query_name: x, validate_answer_rrs: {fail_if_matches_regexp: ['[']}}}}": (
        "Could not compile"
    ),
}
"""What the original loads although it can never succeed."""


@pytest.mark.parametrize("text", TAKEN)
def test_takes_what_the_exporter_takes(text: str) -> None:
    assert read_modules("blackbox.yml", text.encode()).modules is not None


@pytest.mark.parametrize("text", [*REFUSED, *NEWER, *HOPELESS])
def test_refuses_with_the_reason_and_the_place(text: str) -> None:
    assert {**REFUSED, **NEWER, **HOPELESS}[text] in refusal(text)


@pytest.mark.slow
@pytest.mark.needs(EXPORTER)
def test_the_exporter_itself_takes_and_refuses_the_same_files(tmp_path: Path) -> None:
    exporter = program(EXPORTER)
    assert exporter
    file = tmp_path / "blackbox.yml"

    def takes(text: str) -> bool:
        file.write_text(text)
        argv = [exporter, "--config.check", f"--config.file={file}"]
        return subprocess.run(argv, capture_output=True, timeout=20, check=False).returncode == 0

    assert [True] * len(TAKEN) == [takes(text) for text in TAKEN]
    assert [] == [text for text in REFUSED if takes(text)]


def test_says_everything_that_is_wrong_at_once() -> None:
    text = "modules:\n  a: {prober: http, timeout: 5, http: {nope: 1, valid_status_codes: 200}}\n  b: {prober: x}"
    places = [line.split(": ")[0] for line in refusal(text).splitlines()]
    assert [
        "blackbox.yml:2:30",
        "blackbox.yml:2:69",
        "blackbox.yml:2:40",
        "blackbox.yml:3:7",
    ] == places


def test_guesses_which_key_was_meant() -> None:
    assert "did you mean `valid_status_codes`?" in refusal(HTTP % "valid_status_code: [200]")


def test_keeps_a_bomb_of_aliases_small() -> None:
    many = ", ".join(["*b"] * 400)
    lists = f"modules: {{a: {{prober: tcp, tcp: {{query_response: [&c {{labels: [&b {{name: a}}, {many}]}}, {', '.join(['*c'] * 500)}]}}}}}}"
    doubled = lists.replace("tcp:", "unix: {query_response: []}, tcp:", 1)
    assert "unfolds to more than" in refusal(doubled)
    assert "more than 64 levels" in refusal("[" * 100_000)
    assert "merge keys lead in a circle" in refusal("modules: {a: &a {prober: http, <<: *a}}")


def test_a_module_that_says_nothing_has_the_defaults_of_each_prober() -> None:
    plain = module("modules: {a: {prober: http}}")
    assert (0.0, IpChoice("", True), True) == (
        plain.timeout_s,
        plain.http.ip,
        plain.http.client.follow_redirects,
    )
    assert (64, True) == (plain.icmp.ttl, plain.dns.recursion_desired)
    assert not plain.grpc.ip.fallback, "DefaultModule leaves grpc out"
    assert module("modules: {a: {prober: grpc, grpc: {}}}").grpc.ip.fallback


def test_a_null_module_has_no_prober_and_no_defaults() -> None:
    nothing = module("modules: {a: ~}")
    assert ("", False, {}) == (nothing.prober, nothing.http.ip.fallback, nothing.raw)


def test_values_keep_what_yaml_wrote() -> None:
    http = module(
        HTTP
        % "valid_status_codes: [0x10, 017, 200.9], method: 5.50, headers: {a: 1.0, b: ~, yes: no},"
        " preferred_ip_protocol: ip5, body_size_limit: 1.5MB, fail_if_not_ssl: y"
    ).http
    assert (16, 15, 200) == http.valid_status_codes
    assert ("5.50", {"a": "1.0", "b": "", "yes": "no"}) == (http.method, http.headers)
    assert (IpChoice("ip4", True), 1_572_864, True) == (
        http.ip,
        http.body_size_limit,
        http.fail_if_not_ssl,
    )


def test_blocks_become_values() -> None:
    text = """
modules:
  a:
    prober: http
    timeout: 1500ms
    http:
      basic_auth: {username: u, password: p}
      tls_config: {ca_file: ca.pem, cert: PEM, key: KEY, min_version: TLS12}
      http_headers: {X-A: {values: [one, two], secrets: [three], files: [four]}}
      fail_if_header_matches: [{header: Via, regexp: "x.*", allow_missing: yes}]
    tcp:
      query_response: [{expect: "^(a)", send: "${1}", labels: [{name: who, value: "${1}"}]}, {starttls: true}]
    dns: {query_name: shop.example, validate_answer_rrs: {fail_if_all_match_regexp: [a]}}
    grpc: {metadata: {authorization: [x, y]}}
"""
    one = module(text)
    client = one.http.client
    assert 1.5 == one.timeout_s
    assert BasicAuth("u", "", Hidden("p")) == client.basic_auth
    assert (
        TlsConfig(ca_file="ca.pem", cert="PEM", key=Hidden("KEY"), min_version="TLS12")
        == client.tls
    )
    assert ExtraHeader(("one", "two"), (Hidden("three"),), ("four",)) == client.http_headers["X-A"]
    assert (HeaderRule("Via", "x.*", True),) == one.http.fail_if_header_matches
    first, second = one.tcp.query_response
    assert (("^(a)", "${1}", (("who", "${1}"),)), True) == (
        (first.expect, first.send, first.labels),
        second.starttls,
    )
    assert RecordRules(fail_if_all_match_regexp=("a",)) == one.dns.answer
    assert {"authorization": ("x", "y")} == one.grpc.metadata


def test_deprecated_keys_become_todays() -> None:
    read = read_modules(
        "blackbox.yml", (HTTP % "no_follow_redirects: true, bearer_token: t").encode()
    )
    client = read.modules["a"].http.client
    assert (False, Authorization("Bearer", Hidden("t"))) == (
        client.follow_redirects,
        client.authorization,
    )
    assert ["a"] == [name for name, _ in read.warnings]
    file = module(HTTP % "bearer_token_file: t.txt").http.client.authorization
    assert Authorization("Bearer", Hidden(file="t.txt")) == file


def test_the_dump_masks_secrets_and_leaves_zeroes_out() -> None:
    text = HTTP % (
        "basic_auth: {username: u, password: hush}, proxy_url: 'http://u:hush@proxy:3128/',"
        " headers: {Authorization: shown}, body: 'x: y', valid_status_codes: [200]"
    )
    one = module(text.replace("prober: http", "prober: http, timeout: 90s"))
    printed = dump_modules({"a": one.raw})
    assert "hush" not in printed
    assert "hush" not in repr(one)
    expected = """\
modules:
    a:
        prober: http
        timeout: 1m30s
        http:
            valid_status_codes:
                - 200
            ip_protocol_fallback: true
            headers:
                Authorization: shown
            body: "x: y"
            basic_auth:
                username: u
                password: <secret>
            follow_redirects: true
            enable_http2: true
            proxy_url: http://u:xxxxx@proxy:3128/
        tcp:
            ip_protocol_fallback: true
        icmp:
            ip_protocol_fallback: true
            ttl: 64
        dns:
            ip_protocol_fallback: true
            recursion_desired: true
        websocket:
            http_config:
                follow_redirects: true
                enable_http2: true
            ip_protocol_fallback: true
"""
    assert expected == printed


def test_a_dump_without_secrets_is_the_same_module_again() -> None:
    text = HTTP % (
        "headers: {a: 'yes', b: '1', c: \"x\\ny\\\\\", 'd e': \"it's\"}, fail_if_header_matches:"
        " [{header: Via, regexp: '[x]', allow_missing: true}], body_size_limit: 1KB"
    )
    text = text.replace("'d e'", "de").replace('"x\\ny\\\\"', '"x y\\\\ # z"')
    one = module(text)
    raw = {
        **one.raw,
        "dns": {"query_name": "."},
    }  # as the original, it prints a block that it refuses
    again = module(dump_modules({"a": raw}))
    assert one.http == again.http
    assert one.raw["http"] == again.raw["http"]


def test_lists_every_key_that_takes_a_value() -> None:
    keys = schema_keys()
    assert len(keys) == len(set(keys))
    assert {
        "prober",
        "timeout",
        "http.fail_if_body_matches_regexp",
        "http.tls_config.ca_file",
        "http.fail_if_header_matches.allow_missing",
        "http.oauth2.tls_config.min_version",
        "http.http_headers.secrets",
        "tcp.query_response.labels.name",
        "dns.validate_answer_rrs.fail_if_none_matches_regexp",
        "grpc.metadata",
        "websocket.http_config.basic_auth.username",
    } <= set(keys)
    assert not any(key.startswith("unix.ip") or "_ref" in key for key in keys)


@given(st.integers(0, 10**18))
def test_durations_are_read_as_they_are_printed(nanoseconds_: int) -> None:
    assert nanoseconds_ == nanoseconds(duration_text(nanoseconds_))


@given(st.integers(0, 2**50))
def test_sizes_are_read_as_they_are_printed(size: int) -> None:
    assert size == size_bytes(size_text(size))


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=200)
    | st.text(alphabet="{}[]:,&*<'\"!-\n a10s#~|>?%@`", max_size=80).map(str.encode)
)
def test_nothing_but_a_refusal_comes_of_rubbish(content: bytes) -> None:
    for each in (
        content,
        b"modules: {a: " + content,
        b"modules: {a: {prober: http, http: " + content,
    ):
        with contextlib.suppress(ModulesRefused):
            read_modules("blackbox.yml", each)
