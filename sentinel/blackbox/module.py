"""What a `blackbox.yml` says, as values: one module is one way to probe whatever is given to it.

The keys, defaults and their meaning are blackbox_exporter's (its CONFIGURATION.md and
``config/config.go``), so that a file written for it works unchanged. `library.modules` reads
them; a value here has been checked. Secrets are kept apart from what may be shown: their
repr is ``***``, and ``/config`` prints ``<secret>``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sentinel.words import Seconds

TlsVersion = Literal["", "TLS10", "TLS11", "TLS12", "TLS13"]


@dataclass(frozen=True, slots=True, repr=False)
class Hidden:
    """A secret as the file holds it: in clear, or in a file that is read anew at every probe."""

    text: str = ""
    file: str = ""

    def __repr__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self.text or self.file)


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """`tls_config`. A PEM is given inline or as a file, never both; key is a secret when inline."""

    ca: str = ""
    ca_file: str = ""
    cert: str = ""
    cert_file: str = ""
    key: Hidden = Hidden()
    key_file: str = ""
    server_name: str = ""
    insecure_skip_verify: bool = False
    min_version: TlsVersion = ""
    max_version: TlsVersion = ""


@dataclass(frozen=True, slots=True)
class BasicAuth:
    """`basic_auth`."""

    username: str = ""
    username_file: str = ""
    password: Hidden = Hidden()


@dataclass(frozen=True, slots=True)
class Authorization:
    """`authorization`, and the older `bearer_token`, `bearer_token_file`."""

    type: str = "Bearer"
    credentials: Hidden = Hidden()


@dataclass(frozen=True, slots=True)
class ProxyConfig:
    """Where requests go through; `connect_header` are those of the CONNECT request. The URL may hold
    a password, so it is not shown."""

    proxy_url: str = field(default="", repr=False)
    no_proxy: str = ""
    proxy_from_environment: bool = False
    connect_header: Mapping[str, tuple[Hidden, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Oauth2:
    """`oauth2`: client credentials (RFC 6749, 4.4), or a JWT bearer grant (RFC 7523)."""

    client_id: str
    token_url: str
    client_secret: Hidden = Hidden()
    scopes: tuple[str, ...] = ()
    endpoint_params: Mapping[str, str] = field(default_factory=dict)
    tls: TlsConfig = TlsConfig()
    proxy: ProxyConfig = ProxyConfig()
    grant_type: str = ""
    certificate_key_id: str = ""
    certificate_key: Hidden = Hidden()
    signature_algorithm: str = "RS256"
    issuer: str = ""
    audience: str = ""
    claims: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExtraHeader:
    """An entry of `http_headers`: all its values, secrets and files are sent, in that order."""

    values: tuple[str, ...] = ()
    secrets: tuple[Hidden, ...] = ()
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HttpClient:
    """The client block of Prometheus' common library, inline in `http`, `http_config` in `websocket`."""

    basic_auth: BasicAuth | None = None
    authorization: Authorization | None = None
    oauth2: Oauth2 | None = None
    tls: TlsConfig = TlsConfig()
    follow_redirects: bool = True
    enable_http2: bool = True
    proxy: ProxyConfig = ProxyConfig()
    http_headers: Mapping[str, ExtraHeader] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IpChoice:
    """`preferred_ip_protocol` (``ip4``, ``ip6``; empty is ip6) and `ip_protocol_fallback`."""

    preferred: Literal["", "ip4", "ip6"] = ""
    fallback: bool = True


@dataclass(frozen=True, slots=True)
class HeaderRule:
    """An entry of `fail_if_header_matches` or `fail_if_header_not_matches`; `regexp` is RE2."""

    header: str
    regexp: str
    allow_missing: bool = False


@dataclass(frozen=True, slots=True)
class HttpModule:
    """The `http` block. `body_size_limit` is in bytes, 0 is none."""

    ip: IpChoice = IpChoice()
    client: HttpClient = HttpClient()
    valid_status_codes: tuple[int, ...] = ()
    valid_http_versions: tuple[str, ...] = ()
    skip_resolve_phase_with_proxy: bool = False
    fail_if_ssl: bool = False
    fail_if_not_ssl: bool = False
    method: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    body_file: str = ""
    fail_if_body_matches_regexp: tuple[str, ...] = ()
    fail_if_body_not_matches_regexp: tuple[str, ...] = ()
    fail_if_body_json_matches_cel: str = ""
    fail_if_body_json_not_matches_cel: str = ""
    fail_if_header_matches: tuple[HeaderRule, ...] = ()
    fail_if_header_not_matches: tuple[HeaderRule, ...] = ()
    compression: Literal["", "gzip", "br", "deflate", "identity"] = ""
    body_size_limit: int = 0
    enable_http3: bool = False


@dataclass(frozen=True, slots=True)
class Exchanged:
    """An entry of `query_response`: expect, then send, then STARTTLS, in this order."""

    expect: str = ""
    expect_bytes: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    send: str = ""
    starttls: bool = False


@dataclass(frozen=True, slots=True)
class TcpModule:
    """The `tcp` block, and the `unix` block, which has no `ip` and no `source_ip_address`."""

    ip: IpChoice = IpChoice()
    source_ip_address: str = ""
    query_response: tuple[Exchanged, ...] = ()
    tls: bool = False
    tls_config: TlsConfig = TlsConfig()


@dataclass(frozen=True, slots=True)
class IcmpModule:
    """The `icmp` block. `payload_size` 0 sends the default text; `ttl` 0 leaves the system's."""

    ip: IpChoice = IpChoice()
    source_ip_address: str = ""
    payload_size: int = 0
    dont_fragment: bool = False
    ttl: int = 0


@dataclass(frozen=True, slots=True)
class RecordRules:
    """`validate_answer_rrs` and its sisters; RE2 over a record's presentation text."""

    fail_if_matches_regexp: tuple[str, ...] = ()
    fail_if_all_match_regexp: tuple[str, ...] = ()
    fail_if_not_matches_regexp: tuple[str, ...] = ()
    fail_if_none_matches_regexp: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DnsModule:
    """The `dns` block."""

    ip: IpChoice = IpChoice()
    source_ip_address: str = ""
    transport_protocol: Literal["udp", "tcp"] = "udp"
    dns_over_tls: bool = False
    tls_config: TlsConfig = TlsConfig()
    query_name: str = ""
    query_type: str = ""
    query_class: str = ""
    recursion_desired: bool = True
    valid_rcodes: tuple[str, ...] = ()
    answer: RecordRules = RecordRules()
    authority: RecordRules = RecordRules()
    additional: RecordRules = RecordRules()


@dataclass(frozen=True, slots=True)
class GrpcModule:
    """The `grpc` block."""

    ip: IpChoice = IpChoice()
    service: str = ""
    tls: bool = False
    tls_config: TlsConfig = TlsConfig()
    metadata: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WebsocketModule:
    """The `websocket` block."""

    ip: IpChoice = IpChoice()
    client: HttpClient = HttpClient()
    headers: Mapping[str, ExtraHeader] = field(default_factory=dict)
    query_response: tuple[Exchanged, ...] = ()


@dataclass(frozen=True, slots=True)
class Module:
    """One module: its prober, its timeout (0: only the scrape's counts), and each prober's block.

    All blocks are there, as in the original: only the one named by `prober` is used. `raw` is
    the module as the file says it, with defaults and masked secrets, for ``/config`` and debug.
    """

    name: str
    prober: str
    timeout_s: Seconds = Seconds(0.0)
    http: HttpModule = HttpModule()
    tcp: TcpModule = TcpModule()
    unix: TcpModule = TcpModule()
    icmp: IcmpModule = IcmpModule()
    dns: DnsModule = DnsModule()
    grpc: GrpcModule = GrpcModule()
    websocket: WebsocketModule = WebsocketModule()
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False)
