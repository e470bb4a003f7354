"""A module's values, read and checked, into the dataclasses that are probed."""

from collections.abc import Mapping
from typing import Any

from sentinel.blackbox.module import (
    Authorization,
    BasicAuth,
    DnsModule,
    Exchanged,
    ExtraHeader,
    GrpcModule,
    HeaderRule,
    Hidden,
    HttpClient,
    HttpModule,
    IcmpModule,
    IpChoice,
    Module,
    Oauth2,
    ProxyConfig,
    RecordRules,
    TcpModule,
    TlsConfig,
    WebsocketModule,
)
from sentinel.words import Seconds

Values = Mapping[str, Any]


def module(name: str, values: Values, raw: Values) -> Module:
    """The module of these values; `raw` is what is shown of it."""
    return Module(
        name=name,
        prober=values["prober"],
        timeout_s=Seconds(values["timeout"] / 1e9),
        http=_http(values["http"]),
        tcp=_tcp(values["tcp"]),
        unix=_unix(values["unix"]),
        icmp=_icmp(values["icmp"]),
        dns=_dns(values["dns"]),
        grpc=_grpc(values["grpc"]),
        websocket=_websocket(values["websocket"]),
        raw=raw,
    )


def _ip(values: Values) -> IpChoice:
    """Any word but ``ip6`` and none means IPv4, as in the original."""
    preferred = values["preferred_ip_protocol"]
    return IpChoice(
        preferred if preferred in ("", "ip6") else "ip4", values["ip_protocol_fallback"]
    )


def _tls(values: Values) -> TlsConfig:
    return TlsConfig(**values)


def _hidden(values: Values, key: str) -> Hidden:
    return Hidden(values[key].text, values[f"{key}_file"])


def _proxy(values: Values) -> ProxyConfig:
    return ProxyConfig(
        proxy_url=values["proxy_url"],
        no_proxy=values["no_proxy"],
        proxy_from_environment=values["proxy_from_environment"],
        connect_header=values["proxy_connect_header"],
    )


def _client(values: Values) -> HttpClient:
    basic, oauth2 = values["basic_auth"], values["oauth2"]
    return HttpClient(
        basic_auth=None
        if basic is None
        else BasicAuth(basic["username"], basic["username_file"], _hidden(basic, "password")),
        authorization=_authorization(values),
        oauth2=None if oauth2 is None else _oauth2(oauth2),
        tls=_tls(values["tls_config"]),
        follow_redirects=values["follow_redirects"],
        enable_http2=values["enable_http2"],
        proxy=_proxy(values),
        http_headers=_extra_headers(values["http_headers"]),
    )


def _authorization(values: Values) -> Authorization | None:
    given = values["authorization"]
    return None if given is None else Authorization(given["type"], _hidden(given, "credentials"))


def _oauth2(values: Values) -> Oauth2:
    return Oauth2(
        client_id=values["client_id"],
        token_url=values["token_url"],
        client_secret=_hidden(values, "client_secret"),
        scopes=values["scopes"],
        endpoint_params=values["endpoint_params"],
        tls=_tls(values["tls_config"]),
        proxy=_proxy(values),
        grant_type=values["grant_type"],
        certificate_key_id=values["client_certificate_key_id"],
        certificate_key=_hidden(values, "client_certificate_key"),
        signature_algorithm=values["signature_algorithm"] or "RS256",
        issuer=values["iss"] or values["client_id"],
        audience=values["audience"] or values["token_url"],
        claims=values["claims"],
    )


def _extra_headers(values: Values) -> dict[str, ExtraHeader]:
    return {name: ExtraHeader(**given) for name, given in values.items()}


def _header_rules(values: tuple[Values, ...]) -> tuple[HeaderRule, ...]:
    return tuple(HeaderRule(**each) for each in values)


def _http(values: Values) -> HttpModule:
    same = {
        name: values[name]
        for name in (
            "valid_status_codes",
            "valid_http_versions",
            "skip_resolve_phase_with_proxy",
            "fail_if_ssl",
            "fail_if_not_ssl",
            "method",
            "headers",
            "body",
            "body_file",
            "fail_if_body_matches_regexp",
            "fail_if_body_not_matches_regexp",
            "fail_if_body_json_matches_cel",
            "fail_if_body_json_not_matches_cel",
            "compression",
            "body_size_limit",
            "enable_http3",
        )
    }
    return HttpModule(
        ip=_ip(values),
        client=_client(values),
        fail_if_header_matches=_header_rules(values["fail_if_header_matches"]),
        fail_if_header_not_matches=_header_rules(values["fail_if_header_not_matches"]),
        **same,
    )


def _exchanged(values: tuple[Values, ...]) -> tuple[Exchanged, ...]:
    return tuple(
        Exchanged(
            expect=each["expect"],
            expect_bytes=each["expect_bytes"],
            labels=tuple((label["name"], label["value"]) for label in each["labels"]),
            send=each["send"],
            starttls=each["starttls"],
        )
        for each in values
    )


def _tcp(values: Values) -> TcpModule:
    return TcpModule(
        ip=_ip(values),
        source_ip_address=values["source_ip_address"],
        query_response=_exchanged(values["query_response"]),
        tls=values["tls"],
        tls_config=_tls(values["tls_config"]),
    )


def _unix(values: Values) -> TcpModule:
    return TcpModule(
        query_response=_exchanged(values["query_response"]),
        tls=values["tls"],
        tls_config=_tls(values["tls_config"]),
    )


def _icmp(values: Values) -> IcmpModule:
    return IcmpModule(
        ip=_ip(values),
        source_ip_address=values["source_ip_address"],
        payload_size=values["payload_size"],
        dont_fragment=values["dont_fragment"],
        ttl=values["ttl"],
    )


def _dns(values: Values) -> DnsModule:
    return DnsModule(
        ip=_ip(values),
        source_ip_address=values["source_ip_address"],
        transport_protocol=values["transport_protocol"] or "udp",
        dns_over_tls=values["dns_over_tls"],
        tls_config=_tls(values["tls_config"]),
        query_name=values["query_name"],
        query_type=values["query_type"],
        query_class=values["query_class"],
        recursion_desired=values["recursion_desired"],
        valid_rcodes=values["valid_rcodes"],
        answer=RecordRules(**values["validate_answer_rrs"]),
        authority=RecordRules(**values["validate_authority_rrs"]),
        additional=RecordRules(**values["validate_additional_rrs"]),
    )


def _grpc(values: Values) -> GrpcModule:
    return GrpcModule(
        ip=_ip(values),
        service=values["service"],
        tls=values["tls"],
        tls_config=_tls(values["tls_config"]),
        metadata=values["metadata"],
    )


def _websocket(values: Values) -> WebsocketModule:
    return WebsocketModule(
        ip=_ip(values),
        client=_client(values["http_config"]),
        headers=_extra_headers(values["headers"]),
        query_response=_exchanged(values["query_response"]),
    )
