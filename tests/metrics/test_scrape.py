"""The page of one probe is printed as blackbox_exporter prints it."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from sentinel.blackbox.probed import Probed
from sentinel.metrics.packing import gzipped
from sentinel.metrics.scrape import HELP, go_number, page_of

PROBED = Probed(
    False,
    0.25,
    {
        "probe_http_duration_seconds": {(("phase", "tls"),): 0, (("phase", "connect"),): 1.5e-05},
        "probe_ssl_last_chain_info": {(("subject", 'CN="a"\n'), ("fingerprint_sha256", "ab")): 1},
        "probe_ip_addr_hash": {(): 3668918509},
        "probe_dns_serial": {},
    },
    reason="timeout",
)


def test_families_are_sorted_and_so_are_labels_and_samples() -> None:
    expected = f"""\
# HELP probe_duration_seconds {HELP["probe_duration_seconds"]}
# TYPE probe_duration_seconds gauge
probe_duration_seconds 0.25
# HELP probe_http_duration_seconds Duration of http request by phase, summed over all redirects
# TYPE probe_http_duration_seconds gauge
probe_http_duration_seconds{{phase="connect"}} 1.5e-05
probe_http_duration_seconds{{phase="tls"}} 0
# HELP probe_ip_addr_hash {HELP["probe_ip_addr_hash"]}
# TYPE probe_ip_addr_hash gauge
probe_ip_addr_hash 3.668918509e+09
# HELP probe_ssl_last_chain_info Contains SSL leaf certificate information
# TYPE probe_ssl_last_chain_info gauge
probe_ssl_last_chain_info{{fingerprint_sha256="ab",subject="CN=\\"a\\"\\n"}} 1
# HELP probe_success Displays whether or not the probe was a success
# TYPE probe_success gauge
probe_success 0
# HELP probe_timeout_seconds Returns how long the probe timeout is in seconds
# TYPE probe_timeout_seconds gauge
probe_timeout_seconds 9.5
# HELP sentinel_probe_failure 1 for the reason why the probe failed; absent when it succeeded
# TYPE sentinel_probe_failure gauge
sentinel_probe_failure{{reason="timeout"}} 1
"""
    assert expected == page_of(PROBED, timeout_s=9.5)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (True, "1"),
        (1.1, "1.1"),
        (999_999, "999999"),
        (1e6, "1e+06"),
        (-62135596800, "-6.21355968e+10"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (float("nan"), "NaN"),
        (float("inf"), "+Inf"),
        (float("-inf"), "-Inf"),
    ],
)
def test_numbers_are_gos(value: float, text: str) -> None:
    assert text == go_number(value)


@given(st.floats(allow_nan=False))
def test_a_number_is_read_back_as_it_was(value: float) -> None:
    assert value == float(go_number(value))


def test_a_parser_reads_the_page_and_gzip_packs_it() -> None:
    page = page_of(PROBED, timeout_s=1)
    names = [family.name for family in text_string_to_metric_families(page)]
    assert sorted(names) == names
    assert page == gzip.decompress(gzipped(page.encode())).decode()
