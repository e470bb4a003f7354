"""The `dns` kind: answers, drift, several servers; against scripts and against bind9."""

import asyncio
import subprocess
from pathlib import Path

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest

from sentinel.expression import compile_expression
from sentinel.kinds import ProbeWorld
from sentinel.metrics.families import KNOWN
from sentinel.probers.answers import compared_data
from sentinel.probers.dns import Dns
from sentinel.transport.curl import Transport
from sentinel.words import Outcome
from tests import children
from tests.conftest import program
from tests.ports import free_for_both
from tests.probers.documents import shown
from tests.transport.certificates import authority, server
from tests.transport.nameserver import names, response, says
from tests.transport.servers import NOW, Secrets

HOME = "shop.example. 300 IN A 192.0.2.7"
SECOND = "shop.example. 60 IN A 192.0.2.8"


def world(transport, *, seconds=5.0, kept=None):
    until = transport.now() + seconds
    return ProbeWorld(now=NOW, deadline=until, transport=transport, secrets=Secrets(), kept=kept)


def check(*answering, tls=None, seconds=5.0, kept=None, **fields):
    """What the kind observes of name servers on loopback that follow these scripts."""

    async def main(left, ports):
        if left:
            async with names(left[0], tls) as (port, _):
                return await main(left[1:], [*ports, port])
        async with Transport() as transport:
            servers = tuple(f"127.0.0.1:{port}" for port in ports)
            prober = Dns(**{"name": "shop.example", "servers": servers, "tries": 1, **fields})
            return await prober.observe(world(transport, seconds=seconds, kept=kept))

    return asyncio.run(main(list(answering), []))


def holds(source, observation):
    return compile_expression(source, Dns.NAMES).evaluate(observation.values)


def test_an_answer_is_what_expectations_see():
    observation = check(
        says(
            "shop.example. 300 IN CNAME www.shop.example.",
            "www.shop.example. 60 IN A 192.0.2.7",
            "@authority:shop.example. 5 IN NS ns1.shop.example.",
            "@additional:ns1.shop.example. 5 IN A 192.0.2.1",
            flags=dns.flags.AA | dns.flags.AD,
        )
    )

    assert ("", None) == (observation.reason, observation.outcome)
    assert holds('rcode == "NOERROR" && answers == ["192.0.2.7"] && ttl == 60', observation)
    assert holds(
        'answer.exists(r, r.type == "CNAME" && r.data == "www.shop.example.")', observation
    )
    assert holds('authority[0].data == "ns1.shop.example." && additional[0].ttl == 5', observation)
    assert holds("flags.authoritative && flags.authenticated && !flags.truncated", observation)
    assert holds('!changed && agree && sent == 1 && protocol == "udp"', observation)
    assert holds("servers[0].ok && timing.request_s < 5.0 && timing.total_s > 0.0", observation)
    assert "serial" not in set(observation.values)
    assert ["resolve", "connect", "request"] == list(observation.phases)


@pytest.mark.parametrize(
    ("answering", "fields", "reason", "text"),
    [
        (says(rcode=dns.rcode.NXDOMAIN), {}, "rcode_nxdomain", "answered NXDOMAIN"),
        (says(rcode=dns.rcode.SERVFAIL), {}, "rcode_servfail", "SERVFAIL"),
        (says(rcode=dns.rcode.REFUSED), {"rcodes": ("NOERROR", "NXDOMAIN")}, "rcode_refused", ""),
        (says(rcode=dns.rcode.NXDOMAIN), {"rcodes": ("nxdomain",)}, "", ""),
        (says(HOME), {"rcodes": ("NXDOMAIN",)}, "rcode_noerror", ""),
        (says(), {}, "no_records", "no A record of shop.example"),
        (says("shop.example. 5 IN TXT x"), {}, "no_records", ""),
        (says("shop.example. 5 IN TXT x"), {"type": "ANY"}, "", ""),
        (says(), {"records": ()}, "", ""),
        (says(HOME), {"records": ()}, "records_differ", "unexpected 192.0.2.7"),
        (says(HOME, SECOND), {"records": ("192.0.2.8", "192.0.2.7")}, "", ""),
        (says(HOME), {"records": ("192.0.2.8",)}, "records_differ", "missing 192.0.2.8; unexpected 192.0.2.7"),
        (lambda _, __: [], {"seconds": 0.2}, "timeout", "no answer came"),
        (lambda asked, _: [asked[:2] + b"\x80\x00\0\1\0\1\0\0\0\0" + asked[12:30]], {"edns_size": 0}, "protocol_error", "no DNS message"),
    ],
)  # fmt: skip
def test_an_answer_is_well_or_has_its_reason(answering, fields, reason, text):
    observation = check(answering, **fields)

    assert (reason, Outcome.failed if reason else None) == (observation.reason, observation.outcome)
    assert text in observation.text


def test_why_a_resolver_refused_is_in_the_text():
    def bogus(asked, _protocol):
        message = dns.message.make_response(dns.message.from_wire(asked))
        message.set_rcode(dns.rcode.SERVFAIL)
        message.use_edns(options=[dns.edns.EDEOption(6, "signature expired")])
        return [message.to_wire()]

    assert "extended error 6 signature expired" in check(bogus).text


def test_what_came_and_went_since_the_last_good_check():
    before = check(says(HOME, SECOND))
    same = check(says(SECOND, HOME), kept=before.keep)
    other = check(says(HOME, "shop.example. 5 IN A 192.0.2.9"), kept=before.keep)
    another_question = check(says(HOME), kept=before.keep, name="www.shop.example")

    assert holds("!changed", same)
    assert holds('changed && added == ["192.0.2.9"] && removed == ["192.0.2.8"]', other)
    assert (["192.0.2.9"], 1) == (
        other.evidence.facts["added"],
        other.metrics["probe_dns_changed"],
    )
    assert holds("!changed", another_question)
    assert holds("!changed", check(says(HOME), kept=b"kept by another version"))


def test_what_a_server_says_again_comes_to_the_same_and_what_it_says_anew_does_not():
    said = [[HOME], [HOME], [SECOND], [HOME], [], [HOME]]

    def answering(asked, _protocol):
        return [response(asked, *said.pop(0))]

    async def main():
        async with names(answering) as (port, _), Transport() as transport:
            prober = Dns(name="shop.example", servers=(f"127.0.0.1:{port}",))
            seen, kept = [], None
            while said:
                seen.append(await prober.observe(world(transport, kept=kept)))
                kept = seen[-1].keep if not seen[-1].reason else kept
            return seen

    seen = asyncio.run(main())
    assert ["", "", "", "", "no_records", ""] == [each.reason for each in seen]
    assert [False, False, True, True, True, False] == [each.values["changed"] for each in seen]
    assert [300, 300, 60, 300] == [each.metrics["probe_dns_ttl_seconds"] for each in seen[:4]]
    assert seen[0].text == seen[1].text == seen[3].text
    assert len({each.duration_s for each in seen}) == len(seen), "each has its own time"


@pytest.mark.parametrize(
    ("type_", "one", "other"),
    [
        (1, "192.0.2.7", "192.0.2.7 "),
        (28, "2001:DB8:0::7", "2001:db8::7"),
        (15, "10 Mail.shop.example.", "10  mail.shop.example"),
        (2, ".", "."),
        (16, '"v=spf1 " "-all"', "v=spf1 -all"),
        (16, r'"say \"hi\" \195\164"', 'say "hi" ä'),
        (43, "1 2 3 ABCD", "1 2 3 abcd"),
    ],
)
def test_data_is_compared_by_what_it_means(type_, one, other):
    assert compared_data(one, type_) == compared_data(other, type_)
    assert compared_data(one, type_) != compared_data(f"{other}x", type_)


def test_the_server_that_is_not_well_decides_and_each_is_shown():
    observation = check(
        says("shop.example. 5 IN SOA ns. root. 7 1 1 1 1"),
        says(rcode=dns.rcode.SERVFAIL),
        says("shop.example. 5 IN SOA ns. root. 8 1 1 1 1"),
        type="SOA",
    )

    assert "rcode_servfail" == observation.reason
    assert [True, False, True] == list(observation.metrics["probe_dns_server_success"].values())
    assert [7, None, 8] == [each.get("serial") for each in observation.evidence.facts["servers"]]


def test_servers_that_disagree_are_told_apart():
    seen = check(says(HOME), says(SECOND))

    assert "" == seen.reason
    assert holds("!agree && servers.size() == 2", seen)
    assert holds("agree", check(says(HOME), says(HOME)))
    assert holds(
        "serial == 7", check(says("shop.example. 5 IN SOA ns. root. 7 1 1 1 1"), type="SOA")
    )


def truncating(asked, protocol):
    return [response(asked, HOME) if protocol == "tcp" else response(asked, flags=dns.flags.TC)]


def test_a_truncated_answer_is_asked_for_over_tcp():
    observation = check(truncating)

    assert holds('protocol == "tcp" && sent == 2 && answers.size() == 1', observation)


@pytest.mark.needs("openssl")
def test_dns_over_tls_shows_its_certificate():
    how = {"protocol": "tls", "ca_file": authority(), "server_name": "localhost"}
    observation = check(says(HOME), tls=server("good"), **how)
    refused = check(says(HOME), tls=server("other"), **how)

    assert "" == observation.reason
    assert holds("certificate.verified && certificate.days_left > 1.0", observation)
    assert {"TLS 1.3": 1} == observation.metrics["probe_tls_version_info"]
    assert ("certificate_name", False) == (refused.reason, refused.evidence.facts["verified"])


def test_metrics_are_declared_and_absent_where_there_is_nothing_to_say():
    observation = check(says(HOME, "@authority:shop.example. 5 IN NS ns1.shop.example."))
    known = KNOWN.keys() | {family.name for family in Dns.METRICS}

    assert observation.metrics.keys() <= known
    assert (1, 1, 0, 1, 300) == tuple(
        observation.metrics[f"probe_dns_{name}"]
        for name in ("answer_rrs", "authority_rrs", "additional_rrs", "query_succeeded", "ttl_seconds")
    )  # fmt: skip
    assert (4, 3668918509) == (
        observation.metrics["probe_ip_protocol"],
        observation.metrics["probe_ip_addr_hash"],
    )
    silent = check(lambda _, __: [], seconds=0.2).metrics
    assert (0, False) == (silent["probe_dns_query_succeeded"], "probe_dns_serial" in silent)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "a..b"},
        {"type": "NOPE"},
        {"type": "AXFR"},
        {"class_": "XX"},
        {"rcodes": ("OK",)},
        {"servers": ("a:b",)},
        {"servers": ("",)},
        {"servers": ("a:70000",)},
        {"servers": ("[::1",)},
    ],
)
def test_what_cannot_be_asked_is_refused_when_it_is_declared(fields):
    with pytest.raises(ValueError, match="`"):
        Dns(**{"name": "shop.example", **fields})


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("NS1.example", "ns1.example"),
        ("192.0.2.1:5353", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:53", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
    ],
)
def test_a_server_is_written_as_people_write_it(text, host):
    assert host == Dns("shop.example", servers=(text,)).host()


def test_what_the_pages_show_can_be_declared():
    assert {"dns"} == {probe.kind for probe in shown("dns").values()}


ZONE = """$TTL 300
@ IN SOA ns1.shop.test. root.shop.test. {serial} 7200 3600 1209600 300
@ IN NS ns1.shop.test.
ns1 IN A 127.0.0.1
@ IN A 192.0.2.7
www IN CNAME shop.test.
@ IN MX 10 mail.shop.test.
@ IN TXT "v=spf1 -all"
@ IN CAA 0 issue "ca.test"
_sip._tcp IN SRV 10 20 5060 sip.shop.test.
many IN TXT "{long}"
"""
CONFIGURED = """options {{ directory "{folder}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
 pid-file none; session-keyfile "{folder}/session.key"; recursion no; allow-query {{ any; }}; minimal-responses no; }};
controls {{ }};
zone "shop.test" {{ type primary; file "{folder}/shop.test.zone"; }};
"""


@pytest.fixture(scope="module")
def bind9(tmp_path_factory):
    """The port of an authoritative server of ``shop.test``."""
    folder: Path = tmp_path_factory.mktemp("bind9")
    port = free_for_both()
    long = '" "'.join(["x" * 200] * 20)
    (folder / "shop.test.zone").write_text(ZONE.format(serial=2026030101, long=long))
    (folder / "named.conf").write_text(CONFIGURED.format(folder=folder, port=port))
    argv = [program("bind9"), "-g", "-c", str(folder / "named.conf")]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            children.wait_for(lambda: "" == asked(port, type="SOA", tries=1).reason, 20)
            yield port
        finally:
            running.terminate()


def asked(port, **fields):
    async def main():
        async with Transport() as transport:
            prober = Dns(**{"name": "shop.test", "servers": (f"127.0.0.1:{port}",), **fields})
            return await prober.observe(world(transport))

    return asyncio.run(main())


@pytest.mark.slow
@pytest.mark.needs("bind9")
@pytest.mark.parametrize(
    ("fields", "reason", "source"),
    [
        ({}, "", 'answers == ["192.0.2.7"] && flags.authoritative && !flags.recursion_available'),
        ({"name": "www.shop.test"}, "", 'answer[0].data == "shop.test." && answers == ["192.0.2.7"]'),
        ({"type": "SOA"}, "", "serial == 2026030101 && authority[0].type == 'NS'"),
        ({"type": "MX", "records": ("10 mail.shop.test",)}, "", "!changed"),
        ({"type": "TXT", "records": ("v=spf1 -all",)}, "", "ttl == 300"),
        ({"type": "CAA"}, "", "answers == ['0 issue \"ca.test\"']"),
        ({"name": "_sip._tcp.shop.test", "type": "SRV"}, "", 'answers == ["10 20 5060 sip.shop.test."]'),
        ({"name": "many.shop.test", "type": "TXT", "edns_size": 512}, "", 'protocol == "tcp" && answers[0].size() == 4000'),
        ({"protocol": "tcp"}, "", 'protocol == "tcp"'),
        ({"type": "ANY"}, "", "answers.size() > 4"),
        ({"name": "gone.shop.test"}, "rcode_nxdomain", ""),
        ({"name": "other.test"}, "rcode_refused", ""),
        ({"type": "AAAA"}, "no_records", ""),
    ],
)  # fmt: skip
def test_bind9_is_understood(bind9, fields, reason, source):
    observation = asked(bind9, **fields)

    assert reason == observation.reason, observation.text
    assert not source or holds(source, observation)
