"""A module of a `blackbox.yml` as a template, and what an address is to its kind."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sentinel.blackbox.module import (
    DnsModule,
    Exchanged,
    GrpcModule,
    Hidden,
    HttpClient,
    HttpModule,
    IcmpModule,
    IpChoice,
    Module,
    RecordRules,
    TcpModule,
    TlsConfig,
    WebsocketModule,
)
from sentinel.expression.tokens import tokens_of
from sentinel.library import spans
from sentinel.library.importing.draft import Keys, secret_of
from sentinel.library.reading import Lookup
from sentinel.transport.wire import BODY_LIMIT

Remark = Callable[[str], None]
GOOD = "status >= 200 && status < 300"
KINDS: Mapping[str, str] = {
    "http": "http",
    "tcp": "tcp",
    "icmp": "icmp",
    "dns": "dns",
    "grpc": "grpc",
    "websocket": "websocket",
}
_VERSIONS = {"HTTP/1.0": "1.0", "HTTP/1.1": "1.1", "HTTP/2.0": "2", "HTTP/2": "2", "HTTP/3.0": "3"}
_RECORD = 'r.name + "\\t" + string(r.ttl) + "\\tIN\\t" + r.type + "\\t" + r.data'
_TLS = {"TLS10": "1.0", "TLS11": "1.1", "TLS12": "1.2", "TLS13": "1.3"}


@dataclass(frozen=True, slots=True)
class _Making:
    """What making a template needs: its id, where remarks go, the kinds installed."""

    id: str
    remark: Remark
    lookup: Lookup


def template_of(module: Module, id: str, remark: Remark, lookup: Lookup) -> dict[str, Any] | None:
    """The template's body; None, and said, when no kind here does what the module does."""
    making = _Making(id, remark, lookup)
    kind = KINDS.get(module.prober, "")
    keys = Keys(kind, lookup, remark, id)
    if not keys.known:
        remark(f"not carried over: there is no kind here for prober `{module.prober}`")
        return None
    expect: list[Any] = []
    match module.prober:
        case "http":
            expect = list(_http(module.http, keys, making))
        case "tcp":
            _tcp(module.tcp, keys, making)
        case "icmp":
            _icmp(module.icmp, keys, making)
        case "dns":
            expect = list(_dns(module.dns, keys, making))
        case "grpc":
            _grpc(module.grpc, keys, making)
        case "websocket":
            _websocket(module.websocket, keys, making)
    timeout = {"timeout": spans.written(module.timeout_s)} if module.timeout_s else {}
    return {**timeout, kind: keys.values, **({"expect": expect} if expect else {})}


def address_of(prober: str, address: str) -> Mapping[str, Any] | None:
    """The keys that an address of a scrape configuration becomes; None when it cannot."""
    match prober:
        case "http" | "websocket":
            scheme = "http" if prober == "http" else "ws"
            return {"url": address if "://" in address else f"{scheme}://{address}"}
        case "tcp" | "grpc":
            host, colon, port = address.rpartition(":")
            good = colon and port.isdecimal() and 0 < int(port) < 65536
            return {"host": host.strip("[]"), "port": int(port)} if good else None
        case "icmp":
            return {"host": address.strip("[]")}
        case "dns":
            return {"servers": [address]}
        case _:
            return None


def discovered_of(prober: str) -> Mapping[str, Any]:
    """The same for addresses that are discovered."""
    match prober:
        case "http":
            return {"url": "${discovered.url}"}
        case "websocket":
            return {"url": "${discovered.address}"}
        case "tcp" | "grpc":
            return {"host": "${discovered.host}", "port": "${discovered.port}"}
        case "dns":
            return {"servers": ["${discovered.address}"]}
        case _:
            return {"host": "${discovered.host}"}


def literal(value: Any) -> str:
    """A text, number or list as CEL writes it."""
    return json.dumps(value, ensure_ascii=False)


# Blocks that several probers share


def _ip(choice: IpChoice, keys: Keys) -> None:
    family = "ipv4" if choice.preferred == "ip4" else "ipv6"
    if not choice.fallback:
        keys.put("ip", family)
    elif f"prefer_{family}" in keys.known.get("ip", ""):
        keys.put("ip", f"prefer_{family}")


def _tls(config: TlsConfig, keys: Keys, making: _Making) -> None:
    if config.insecure_skip_verify:
        keys.put("verify", False)
    for key in ("ca_file", "cert_file", "key_file", "server_name"):
        if value := getattr(config, key):
            keys.put(key, value)
    for key, version in (("tls_min", config.min_version), ("tls_max", config.max_version)):
        if version:
            keys.put(key, _TLS[version])
    if config.ca or config.cert or config.key:
        making.remark("`tls_config` holds certificates: put them into files, and name the files")


def _hidden(hidden: Hidden, key: str, making: _Making) -> str:
    if hidden.file:
        return f"file:{hidden.file}"
    return secret_of(hidden.text, f"{making.id}-{key}", making.remark)


def _client(client: HttpClient, keys: Keys, making: _Making) -> dict[str, str]:
    """Puts the client's keys; gives its further headers."""
    _tls(client.tls, keys, making)
    headers: dict[str, str] = {}
    if client.basic_auth is not None:
        user = client.basic_auth.username or f"{{file:{client.basic_auth.username_file}}}"
        password = _hidden(client.basic_auth.password, "password", making)
        keys.put("basic", {"user": user, "password": password})
    if client.authorization is not None:
        token = _hidden(client.authorization.credentials, "token", making)
        if client.authorization.type.lower() == "bearer":
            keys.put("bearer", token)
        else:
            scheme = client.authorization.type
            keys.put("secret_headers", {"Authorization": f"{scheme} {{{token}}}"})
    if client.oauth2 is not None:
        _oauth2(client, keys, making)
    if client.proxy.proxy_url:
        keys.put("proxy", client.proxy.proxy_url)
    if client.proxy.proxy_from_environment:
        making.remark("`proxy_from_environment` is not carried over: name the proxy")
    if not client.follow_redirects:
        keys.put("follow", False)
    if not client.enable_http2:
        keys.put("http_version", "1.1")
    for name, extra in client.http_headers.items():
        if extra.secrets or extra.files or len(extra.values) > 1:
            making.remark(f"header `{name}` is not carried over: give it as `secret_headers`")
        else:
            headers[name] = "".join(extra.values)
    return headers


def _oauth2(client: HttpClient, keys: Keys, making: _Making) -> None:
    grant = client.oauth2
    if grant is None or grant.grant_type not in ("", "client_credentials"):
        making.remark("`oauth2` is not carried over: only client credentials are known")
        return
    declared = {
        "token_url": grant.token_url,
        "client_id": grant.client_id,
        "client_secret": _hidden(grant.client_secret, "client-secret", making),
    }
    more = {"scopes": list(grant.scopes), "params": dict(grant.endpoint_params)}
    keys.put("oauth2", {**declared, **{key: each for key, each in more.items() if each}})


# One function a prober


def _http(module: HttpModule, keys: Keys, making: _Making) -> Iterator[Any]:
    """Puts the keys; gives the expectations."""
    if module.method and module.method != "GET":
        keys.put("method", module.method)
    further = _client(module.client, keys, making)
    keys.put_headers({**module.headers, **further}, making.id)
    if module.body:
        keys.put("body", module.body)
    if module.body_file:
        making.remark("`body_file` is not carried over: write the body as `body:`")
    if module.compression and module.compression != "identity":
        keys.put("compression", module.compression)
    if module.body_size_limit and module.body_size_limit <= BODY_LIMIT:
        keys.put("max_body_bytes", module.body_size_limit)
    if module.enable_http3:
        keys.put("http_version", "3")
    if module.skip_resolve_phase_with_proxy:
        making.remark("`skip_resolve_phase_with_proxy` needs nothing here: the proxy resolves")
    _ip(module.ip, keys)
    yield _statuses(module.valid_status_codes)
    if module.valid_http_versions:
        known = [_VERSIONS[each] for each in module.valid_http_versions if each in _VERSIONS]
        yield _because(f"http_version in {literal(known)}", "unexpected_version")
    if module.fail_if_ssl:
        yield _because('url.startsWith("http://")', "encrypted")
    if module.fail_if_not_ssl:
        yield _because('url.startsWith("https://")', "not_encrypted")
    yield from _bodies(module)
    yield from _header_rules(module)


def _because(that: str, reason: str) -> Mapping[str, Any]:
    return {"that": that, "reason": reason}


def _statuses(codes: tuple[int, ...]) -> str:
    if not codes:
        return GOOD
    return f"status == {codes[0]}" if len(codes) == 1 else f"status in {literal(list(codes))}"


def _bodies(module: HttpModule) -> Iterator[Any]:
    for each in module.fail_if_body_matches_regexp:
        yield _because(f"!body.matches({literal(each)})", "body_rule")
    for each in module.fail_if_body_not_matches_regexp:
        yield _because(f"body.matches({literal(each)})", "body_rule")
    if module.fail_if_body_json_matches_cel:
        yield _because(f"!({_on_json(module.fail_if_body_json_matches_cel)})", "cel_rule")
    if module.fail_if_body_json_not_matches_cel:
        yield _because(_on_json(module.fail_if_body_json_not_matches_cel), "cel_rule")


def _on_json(source: str) -> str:
    """A condition of theirs, whose ``body`` is the JSON, which is ``json`` here."""
    text, done, before = "", 0, ""
    for token in tokens_of(source):
        if token.kind == "name" and token.text == "body" and before != ".":
            text += source[done : token.column - 1] + "json"
            done = token.column - 1 + len("body")
        before = token.text
    return text + source[done:]


def _header_rules(module: HttpModule) -> Iterator[Any]:
    for rules, sign in (
        (module.fail_if_header_matches, "!"),
        (module.fail_if_header_not_matches, ""),
    ):
        for rule in rules:
            name = literal(rule.header.lower())
            fits = f"{sign}headers[{name}].matches({literal(rule.regexp)})"
            there = f"{name} in headers"
            yield _because(
                f"!({there}) || {fits}" if rule.allow_missing else f"{there} && {fits}",
                "header_rule",
            )


def _turns(exchanged: tuple[Exchanged, ...], keys: Keys, key: str, making: _Making) -> None:
    turns: list[dict[str, str]] = []
    for each in exchanged:
        if each.starttls or each.expect_bytes:
            what = "starttls" if each.starttls else "expect_bytes"
            making.remark(f"`query_response` is not carried over: `{what}` is not known here")
            return
        if each.labels:
            making.remark("labels of `query_response` are not carried over")
        turn = {"expect": each.expect, "send": each.send}
        turns.append({name: text for name, text in turn.items() if text})
    if turns:
        keys.put(key, turns)


def _tcp(module: TcpModule, keys: Keys, making: _Making) -> None:
    _ip(module.ip, keys)
    if module.tls:
        keys.put("tls", True)
        _tls(module.tls_config, keys, making)
    if module.source_ip_address:
        keys.put("source_ip", module.source_ip_address)
    _turns(module.query_response, keys, "lines", making)


def _icmp(module: IcmpModule, keys: Keys, making: _Making) -> None:
    _ip(module.ip, keys)
    named = {
        "source_ip": module.source_ip_address,
        "size": module.payload_size,
        "dont_fragment": module.dont_fragment,
        "ttl": module.ttl,
    }
    for key, value in named.items():
        if value:
            keys.put(key, value)


def _dns(module: DnsModule, keys: Keys, making: _Making) -> Iterator[Any]:
    _ip(module.ip, keys)
    keys.put("name", module.query_name)
    if module.query_type:
        keys.put("type", module.query_type)
    if module.query_class not in ("", "IN"):
        keys.put("class", module.query_class)
    if module.dns_over_tls or module.transport_protocol != "udp":
        keys.put("protocol", "tls" if module.dns_over_tls else module.transport_protocol)
    if not module.recursion_desired:
        keys.put("recursion", False)
    if module.valid_rcodes:
        keys.put("rcodes", list(module.valid_rcodes))
    if module.source_ip_address:
        keys.put("source_ip", module.source_ip_address)
    if module.dns_over_tls:
        _tls(module.tls_config, keys, making)
    for section in ("answer", "authority", "additional"):
        yield from _records(section, getattr(module, section), making)


def _records(section: str, rules: RecordRules, making: _Making) -> Iterator[Any]:
    """The rules over a section's records; a record's text is what the exporter matches."""
    said = (
        (rules.fail_if_matches_regexp, "!", "exists"),
        (rules.fail_if_all_match_regexp, "!", "all"),
        (rules.fail_if_not_matches_regexp, "", "all"),
        (rules.fail_if_none_matches_regexp, "", "exists"),
    )
    for patterns, sign, which in said:
        for each in patterns:
            if '"' in each:
                making.remark("TXT records stand without quotes here: look at the patterns")
            fits = f"({_RECORD}).matches({literal(each)})"
            yield _because(f"{sign}{section}.{which}(r, {fits})", "record_rule")


def _grpc(module: GrpcModule, keys: Keys, making: _Making) -> None:
    _ip(module.ip, keys)
    if module.service:
        keys.put("service", module.service)
    if module.tls:
        keys.put("tls", True)
        _tls(module.tls_config, keys, making)
    if module.metadata:
        keys.put("metadata", {name: ", ".join(values) for name, values in module.metadata.items()})


def _websocket(module: WebsocketModule, keys: Keys, making: _Making) -> None:
    _ip(module.ip, keys)
    further = _client(module.client, keys, making)
    plain = {name: "".join(each.values) for name, each in module.headers.items() if each.values}
    keys.put_headers({**plain, **further}, making.id)
    _turns(module.query_response, keys, "messages", making)
