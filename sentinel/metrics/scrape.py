"""The page of one blackbox probe, as blackbox_exporter prints it.

Families sorted by name with HELP and TYPE (all are gauges), labels sorted by name, samples by their
labels' values, numbers as Go prints them (``200``, ``1.1``, ``3.668918509e+09``). Names and HELP texts
are the original's; `FAILURE` is ours.
"""

from collections.abc import Iterator, Mapping

from sentinel.blackbox.probed import Labels, Probed
from sentinel.metrics.written import escape, number_text

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

FAILURE = "sentinel_probe_failure"
"""Why a probe failed; absent when it succeeded. The original has no such family."""

HELP: Mapping[str, str] = {
    "probe_dns_additional_rrs": "Returns number of entries in the additional resource record list",
    "probe_dns_answer_rrs": "Returns number of entries in the answer resource record list",
    "probe_dns_authority_rrs": "Returns number of entries in the authority resource record list",
    "probe_dns_duration_seconds": "Duration of DNS request by phase",
    "probe_dns_lookup_time_seconds": "Returns the time taken for probe dns lookup in seconds",
    "probe_dns_query_succeeded": "Displays whether or not the query was executed successfully",
    "probe_dns_serial": "Returns the serial number of the zone",
    "probe_duration_seconds": "Returns how long the probe took to complete in seconds",
    "probe_expect_info": "Explicit content matched",
    "probe_failed_due_to_bytes": "Indicates if probe failed due to bytes",
    "probe_failed_due_to_cel": "Indicates if probe failed due to CEL expression not matching",
    "probe_failed_due_to_regex": "Indicates if probe failed due to regex",
    "probe_grpc_duration_seconds": "Duration of gRPC request by phase",
    "probe_grpc_healthcheck_response": "Response HealthCheck response",
    "probe_grpc_ssl": "Indicates if SSL was used for the connection",
    "probe_grpc_status_code": "Response gRPC status code",
    "probe_http_content_length": "Length of http content response",
    "probe_http_duration_seconds": "Duration of http request by phase, summed over all redirects",
    "probe_http_last_modified_timestamp_seconds": (
        "Returns the Last-Modified HTTP response header in unixtime"
    ),
    "probe_http_redirects": "The number of redirects",
    "probe_http_ssl": "Indicates if SSL was used for the final redirect",
    "probe_http_status_code": "Response HTTP status code",
    "probe_http_uncompressed_body_length": "Length of uncompressed response body",
    "probe_http_version": "Returns the version of HTTP of the probe response",
    "probe_icmp_duration_seconds": "Duration of icmp request by phase",
    "probe_icmp_reply_hop_limit": "Replied packet hop limit (TTL for ipv4)",
    "probe_ip_addr_hash": (
        "Specifies the hash of IP address. It's useful to detect if the IP address changes."
    ),
    "probe_ip_protocol": "Specifies whether probe ip protocol is IP4 or IP6",
    "probe_ssl_earliest_cert_expiry": "Returns last SSL chain expiry in unixtime",
    "probe_ssl_last_chain_expiry_timestamp_seconds": "Returns last SSL chain expiry in timestamp",
    "probe_ssl_last_chain_info": "Contains SSL leaf certificate information",
    "probe_success": "Displays whether or not the probe was a success",
    "probe_timeout_seconds": "Returns how long the probe timeout is in seconds",
    "probe_tls_cipher_info": "Returns the TLS cipher negotiated during handshake",
    "probe_tls_version_info": "Returns the TLS version used or NaN when unknown",
    "probe_websocket_connection_upgraded": (
        "Indicates if the websocket connection was successfully upgraded"
    ),
    "probe_websocket_duration_seconds": "Duration of websocket request by phase",
    "probe_websocket_failed_due_to_regex": "Indicates if probe failed due to regex",
    "probe_websocket_status_code": "Response HTTP status code",
    FAILURE: "1 for the reason why the probe failed; absent when it succeeded",
}

_HEADS: Mapping[str, str] = {
    name: f"# HELP {name} {about}\n# TYPE {name} gauge\n{name}" for name, about in HELP.items()
}


def page_of(probed: Probed, *, timeout_s: float) -> str:
    """What a scrape of this probe is answered; `timeout_s` is what the probe had."""
    families: dict[str, Mapping[Labels, float]] = {
        **probed.samples,
        "probe_success": {(): probed.success},
        "probe_duration_seconds": {(): probed.duration_s},
        "probe_timeout_seconds": {(): timeout_s},
    }
    if probed.reason:
        families[FAILURE] = {(("reason", probed.reason),): 1}
    return "".join(_pieces(families))


def _pieces(families: Mapping[str, Mapping[Labels, float]]) -> Iterator[str]:
    for name in sorted(families):
        samples = families[name]
        if not samples:
            continue
        head = _HEADS.get(name) or f"# TYPE {name} gauge\n{name}"
        if len(samples) == 1 and () in samples:
            yield f"{head} {go_number(samples[()])}\n"
            continue
        rows = sorted((sorted(labels), value) for labels, value in samples.items())
        for labels, value in rows:
            inner = ",".join(f'{key}="{escape(text)}"' for key, text in labels)
            yield f"{head}{{{inner}}} {go_number(value)}\n"
            head = name


def go_number(value: float) -> str:
    """A number as Go's shortest form prints it: no ``.0``, an exponent from 1e+06 on."""
    if value < 0:
        return f"-{go_number(-value).removeprefix('+')}"
    return number_text(value).removesuffix(".0")
