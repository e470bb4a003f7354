"""The metric families that built-in kinds show, with the HELP texts of blackbox_exporter where it has
them: dashboards and rules written for it keep working."""

from collections.abc import Mapping

from sentinel.monitor.probe import MetricFamily

EVERY_CHECK = (
    MetricFamily("probe_success", "Displays whether or not the probe was a success"),
    MetricFamily(
        "probe_duration_seconds", "Returns how long the probe took to complete in seconds"
    ),
    MetricFamily("probe_timeout_seconds", "Returns how long the probe timeout is in seconds"),
    MetricFamily(
        "sentinel_check_outcome",
        "1 for what the last check came to, 0 for the other outcomes",
        ("outcome",),
    ),
    MetricFamily("sentinel_probe_firing", "1 while the verdict is firing or recovering, else 0"),
    MetricFamily("sentinel_probe_labels", "The labels that a probe's document adds, always 1"),
    MetricFamily(
        "sentinel_probe_failure",
        "1 for the reason why the last check was not ok; absent when it was",
        ("reason",),
    ),
    MetricFamily(
        "sentinel_probe_checks_total", "Checks of the probe, by what they came to", ("outcome",)
    ),
)

_CHAIN = ("fingerprint_sha256", "subject", "issuer", "subjectalternative", "serialnumber")

KNOWN: Mapping[str, MetricFamily] = {
    family.name: family
    for family in (
        *EVERY_CHECK,
        MetricFamily(
            "probe_dns_lookup_time_seconds",
            "Returns the time taken for probe dns lookup in seconds",
        ),
        MetricFamily("probe_ip_protocol", "Specifies whether probe ip protocol is IP4 or IP6"),
        MetricFamily(
            "probe_ip_addr_hash",
            "Specifies the hash of IP address. It's useful to detect if the IP address changes.",
        ),
        MetricFamily(
            "probe_http_duration_seconds",
            "Duration of http request by phase, summed over all redirects",
            ("phase",),
        ),
        MetricFamily("probe_http_content_length", "Length of http content response"),
        MetricFamily("probe_http_uncompressed_body_length", "Length of uncompressed response body"),
        MetricFamily("probe_http_redirects", "The number of redirects"),
        MetricFamily("probe_http_ssl", "Indicates if SSL was used for the final redirect"),
        MetricFamily("probe_http_status_code", "Response HTTP status code"),
        MetricFamily("probe_http_version", "Returns the version of HTTP of the probe response"),
        MetricFamily(
            "probe_http_last_modified_timestamp_seconds",
            "Returns the Last-Modified HTTP response header in unixtime",
        ),
        MetricFamily("probe_failed_due_to_regex", "Indicates if probe failed due to regex"),
        MetricFamily("probe_ssl_earliest_cert_expiry", "Returns last SSL chain expiry in unixtime"),
        MetricFamily(
            "probe_ssl_last_chain_expiry_timestamp_seconds",
            "Returns last SSL chain expiry in timestamp",
        ),
        MetricFamily(
            "probe_ssl_last_chain_info", "Contains SSL leaf certificate information", _CHAIN
        ),
        MetricFamily(
            "probe_tls_version_info",
            "Returns the TLS version used or NaN when unknown",
            ("version",),
        ),
        MetricFamily(
            "probe_tls_cipher_info",
            "Returns the TLS cipher negotiated during handshake",
            ("cipher",),
        ),
        MetricFamily(
            "probe_journey_step_duration_seconds",
            "Duration of each step of a journey that was reached",
            ("step",),
        ),
        MetricFamily(
            "probe_journey_step_success",
            "Displays whether or not each step of a journey that was reached held",
            ("step",),
        ),
        MetricFamily("probe_feed_items", "Number of items that the feed holds"),
        MetricFamily(
            "probe_feed_invalid_items", "Number of items that do not meet the feed's profile"
        ),
        MetricFamily("probe_feed_size_bytes", "Size of the feed as it came over the wire"),
        MetricFamily(
            "probe_feed_change_ratio",
            "Items now over items of the last good feed, minus one",
        ),
        MetricFamily(
            "probe_vendor_component_up",
            "1 while the vendor says that the component is operational, else 0",
            ("component",),
        ),
        MetricFamily(
            "probe_vendor_incidents_open", "Incidents that the vendor's status page shows as open"
        ),
        MetricFamily(
            "probe_heartbeat_last_success_timestamp_seconds",
            "When the last success was pinged, in unixtime",
        ),
        MetricFamily("probe_heartbeat_overdue", "1 while a ping is overdue, else 0"),
    )
}
