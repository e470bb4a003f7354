"""`icmp` modules on loopback."""

import socket

import pytest

from sentinel.blackbox.module import IcmpModule, IpChoice, Module
from tests.blackbox.probes import FOUR, once, said, value


def may_ping() -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP).close()
        except OSError:
            continue
        return True
    return False


def icmp(**block):
    return Module("tested", "icmp", icmp=IcmpModule(**{"ip": FOUR, **block}))


def test_a_reply_has_its_times_and_hop_limit():
    if not may_ping():
        assert "not_permitted" == once(icmp(), "127.0.0.1").reason
        return

    outcome = once(icmp(payload_size=100, ttl=5), "127.0.0.1")

    assert outcome.success, said(outcome)
    phases = [dict(labels)["phase"] for labels in outcome.samples["probe_icmp_duration_seconds"]]
    assert ["resolve", "setup", "rtt"] == phases
    assert value(outcome, "probe_icmp_duration_seconds", phase="rtt") > 0
    assert 0 < value(outcome, "probe_icmp_reply_hop_limit") < 256


def test_without_an_address_there_is_no_reply():
    outcome = once(icmp(ip=IpChoice("ip6", fallback=False)), "127.0.0.1")

    assert "dns_failed" == outcome.reason
    assert "probe_icmp_reply_hop_limit" not in outcome.samples
    assert 0 == value(outcome, "probe_icmp_duration_seconds", phase="rtt")


@pytest.mark.parametrize("target", ["127.0.0.1", "localhost"])
def test_a_refused_address_is_not_pinged(target):
    outcome = once(icmp(), target, allowed=lambda address: address != "127.0.0.1")

    assert "address_refused" == outcome.reason
