"""`dns` modules against a name server that says what a test tells it."""

import asyncio

import pytest

from sentinel.blackbox.module import DnsModule, IpChoice, Module, RecordRules, TlsConfig
from sentinel.transport.curl import Transport
from tests.blackbox.probes import FOUR, once, probed, said, value
from tests.transport.certificates import authority, server
from tests.transport.nameserver import names, says

pytestmark = pytest.mark.needs("openssl")

SHOP = ("shop.example. 300 IN A 192.0.2.1", "shop.example. 300 IN A 192.0.2.2")


def dns(**block):
    how = {"ip": FOUR, "query_name": "shop.example", "query_type": "A", **block}
    return Module("tested", "dns", dns=DnsModule(**how))


def on(answering, module, *, tls=None, seconds=5.0):
    async def main():
        async with names(answering, tls) as (port, heard), Transport() as transport:
            target = f"localhost:{port}"
            return await probed(module, target, transport, seconds=seconds), heard

    return asyncio.run(main())


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_an_answer_is_counted_by_section(protocol):
    answering = says(*SHOP, "@additional:ns.shop.example. 60 IN A 192.0.2.3")

    outcome, heard = on(answering, dns(transport_protocol=protocol))

    assert outcome.success, said(outcome)
    counts = [value(outcome, f"probe_dns_{s}_rrs") for s in ("answer", "authority", "additional")]
    assert [2, 0, 1] == counts
    assert 1 == value(outcome, "probe_dns_query_succeeded")
    phases = [dict(labels)["phase"] for labels in outcome.samples["probe_dns_duration_seconds"]]
    assert ["resolve", "connect", "request"] == phases
    assert "probe_dns_serial" not in outcome.samples
    assert [protocol] == [how for how, _ in heard]


def test_over_tls_the_certificate_is_verified_and_not_shown():
    trusting = {"transport_protocol": "tcp", "dns_over_tls": True}
    module = dns(tls_config=TlsConfig(ca_file=authority()), **trusting)

    outcome, _ = on(says(*SHOP), module, tls=server("good"))
    refused, _ = on(says(*SHOP), dns(**trusting), tls=server("good"))

    assert outcome.success, said(outcome)
    assert "probe_ssl_earliest_cert_expiry" not in outcome.samples
    assert ("certificate_untrusted", 0) == (
        refused.reason,
        value(refused, "probe_dns_query_succeeded"),
    )


def test_tls_needs_tcp():
    outcome, heard = on(says(*SHOP), dns(dns_over_tls=True))

    assert ("unsupported", []) == (outcome.reason, heard)


def test_a_zone_s_serial_is_shown():
    soa = "shop.example. 60 IN SOA ns.shop.example. who.shop.example. 2026030101 2 3 4 5"

    outcome, _ = on(says(soa), dns(query_type="SOA"))
    empty, _ = on(says(), dns(query_type="SOA"))

    assert 2026030101 == value(outcome, "probe_dns_serial")
    assert 0 == value(empty, "probe_dns_serial")


@pytest.mark.parametrize(
    ("valid", "reason"),
    [((), "unexpected_rcode"), (("NXDOMAIN", "NOERROR"), ""), (("NOERROR",), "unexpected_rcode")],
)
def test_the_response_code_must_be_valid(valid, reason):
    outcome, _ = on(says(rcode=3), dns(valid_rcodes=valid))

    assert (reason, 1) == (outcome.reason, value(outcome, "probe_dns_query_succeeded"))


@pytest.mark.parametrize(
    ("rules", "good"),
    [
        ({"fail_if_matches_regexp": ("192.0.2.2$",)}, False),
        ({"fail_if_matches_regexp": ("192.0.2.3$",)}, True),
        ({"fail_if_not_matches_regexp": ("192.0.2.2$",)}, False),
        ({"fail_if_not_matches_regexp": (r"shop.example.\t300\tIN\tA\t192.0.2.",)}, True),
        ({"fail_if_none_matches_regexp": ("192.0.2.2$",)}, True),
        ({"fail_if_none_matches_regexp": ("192.0.2.3$",)}, False),
        ({"fail_if_all_match_regexp": ("192.0.2.2$",)}, False),
        ({"fail_if_all_match_regexp": ("192.0.2.",)}, True),
    ],
)
def test_records_are_matched_as_a_zone_file_has_them(rules, good):
    outcome, _ = on(says(*SHOP), dns(answer=RecordRules(**rules)))

    assert ("" if good else "record_rule") == outcome.reason


@pytest.mark.parametrize("section", ["answer", "authority", "additional"])
def test_a_pattern_that_must_match_needs_a_record(section):
    rules = RecordRules(fail_if_none_matches_regexp=(".",))

    outcome, _ = on(says(), dns(**{section: rules}))

    assert "record_rule" == outcome.reason


def test_recursion_is_asked_for_as_the_module_says():
    _, [(_, plain)] = on(says(*SHOP), dns())
    _, [(_, without)] = on(says(*SHOP), dns(recursion_desired=False))

    assert (1, 0) == (plain[2] & 1, without[2] & 1)


def test_silence_ends_in_time():
    outcome, _ = on(lambda asked, how: [], dns(), seconds=0.4)

    assert ("timeout", 0) == (outcome.reason, value(outcome, "probe_dns_query_succeeded"))


def test_a_module_of_nothing_asks_for_the_root():
    _, [(_, asked)] = on(says(), dns(query_name="", query_type=""))

    assert b"\0\0\xff\0\x01" == asked[12:17]


def test_a_refused_address_is_not_asked():
    outcome = once(dns(ip=IpChoice()), "127.0.0.1", allowed=lambda address: False)

    assert "address_refused" == outcome.reason
