"""The `icmp` kind: replies counted, losses told apart, in networks of the tests' own."""

import asyncio

import pytest

from sentinel.expression import compile_expression
from sentinel.kinds import ProbeWorld
from sentinel.metrics.families import KNOWN
from sentinel.probers.icmp import Icmp
from sentinel.transport.curl import Transport
from sentinel.transport.ping import Echo
from sentinel.transport.reasons import Reason
from sentinel.words import Outcome
from tests.probers.documents import shown
from tests.transport import namespaces
from tests.transport.servers import NOW, Secrets

ELSEWHERE = """
from tests.probers.test_icmp import Icmp, check, holds
def show(source="", seconds=5.0, **fields):
    seen = check(seconds=seconds, **fields)
    held = holds(source, seen) if source else ""
    print(seen.outcome, seen.reason or "none", seen.network, held, seen.text, sep="|")
"""


class Pinger:
    """Answers what a test tells it, once for each packet."""

    def __init__(self, *echoes):
        self.echoes = list(echoes)
        self.sent = []

    async def ping(self, address, packet, deadline):
        self.sent.append((address.ip, packet, deadline))
        return self.echoes.pop(0)


class Scripted(Transport):
    """A transport whose pings are a script."""

    def __init__(self, *echoes):
        super().__init__()
        self.scripted = Pinger(*echoes)

    @property
    def pinger(self):
        return self.scripted


def check(*echoes, seconds=5.0, **fields):
    """What the kind observes; of a script where there are echoes."""

    async def main():
        async with Scripted(*echoes) if echoes else Transport() as transport:
            until = transport.now() + seconds
            world = ProbeWorld(now=NOW, deadline=until, transport=transport, secrets=Secrets())
            how = {"host_": "127.0.0.1", "count": len(echoes) or 1, "interval": 0.01}
            return await Icmp(**{**how, **fields}).observe(world)

    return asyncio.run(main())


def holds(source, observation):
    return compile_expression(source, Icmp.NAMES).evaluate(observation.values)


def reply(rtt_s, hop_limit=57):
    return Echo("", rtt_s, "", hop_limit, 56)


LOST = Echo(Reason.timeout, 3.0, "no reply came")


def test_replies_are_counted_and_timed():
    seen = check(reply(0.010), LOST, reply(0.030), reply(0.020, 55))

    assert (None, "") == (seen.outcome, seen.reason)
    assert holds("sent == 4 && received == 3 && loss_ratio == 0.25 && hop_limit == 55", seen)
    assert {"min_s": 0.01, "avg_s": 0.02, "max_s": 0.03} == {
        name: round(value, 6) for name, value in seen.values["rtt"].items() if name != "jitter_s"
    }
    assert 0.015 == pytest.approx(seen.values["rtt"]["jitter_s"])
    assert "3 of 4 answered" in seen.text


@pytest.mark.parametrize(
    ("lost", "outcome", "network"),
    [
        (LOST, Outcome.failed, True),
        (Echo("connect_unreachable", 0.0, "host unreachable"), Outcome.failed, True),
        (Echo("ttl_expired", 0.0, "its hop limit ran out"), Outcome.failed, True),
        (Echo("too_big", 0.0, "1400 bytes"), Outcome.failed, False),
        (Echo("not_permitted", 0.0, "let the group in"), Outcome.unknown, False),
        (Echo("client_failed", 0.0, "full"), Outcome.unknown, False),
    ],
)
def test_a_host_of_which_nothing_came_back_has_its_reason(lost, outcome, network):
    seen = check(lost, lost)

    assert (outcome, lost.reason, network) == (seen.outcome, seen.reason, seen.network)
    assert lost.text == seen.text
    assert 1.0 == seen.values["loss_ratio"]
    assert "rtt" not in seen.values
    assert "probe_icmp_reply_hop_limit" not in seen.metrics


def test_a_packet_that_no_time_is_left_for_is_not_lost():
    seen = check(reply(0.01), reply(0.01), count=9, interval=0.3, seconds=0.5)

    assert holds("sent == 2 && loss_ratio == 0.0", seen)


def test_a_packet_is_what_was_declared():
    async def main():
        async with Scripted(reply(0.01)) as transport:
            until = transport.now() + 5
            world = ProbeWorld(now=NOW, deadline=until, transport=transport, secrets=Secrets())
            prober = Icmp("127.0.0.1", size=9, ttl=3, dont_fragment=True, source_ip="127.0.0.2")
            await prober.observe(world)
            ((ip, packet, deadline),) = transport.scripted.sent
            return ip, packet, until - deadline

    ip, packet, earlier = asyncio.run(main())
    assert ("127.0.0.1", 9, 3, True, "127.0.0.2") == (
        ip, packet.size, packet.ttl, packet.dont_fragment, packet.source_ip,
    )  # fmt: skip
    assert 1.9 < earlier < 2.1, "each packet is waited for 3 s"


def test_metrics_are_blackbox_exporters_and_a_few_more():
    metrics = check(reply(0.01), reply(0.03)).metrics

    assert metrics.keys() <= KNOWN.keys() | {family.name for family in Icmp.METRICS}
    assert {"resolve", "setup", "rtt"} == set(metrics["probe_icmp_duration_seconds"])
    assert (2, 2, 57) == tuple(
        metrics[f"probe_icmp_{name}"]
        for name in ("packets_sent", "packets_received", "reply_hop_limit")
    )
    assert {"min", "avg", "max", "jitter"} == set(metrics["probe_icmp_rtt_seconds"])


def test_a_name_that_is_not_found_has_its_reason():
    seen = check(host_="nowhere.invalid.")

    assert seen.reason in ("dns_failed", "dns_timeout")
    assert 0 == seen.metrics["probe_ip_protocol"]


def test_what_the_pages_show_can_be_declared():
    assert {"icmp"} == {probe.kind for probe in shown("icmp").values()}


@namespaces.own_network
@pytest.mark.parametrize("allowed", [namespaces.ALLOWED, namespaces.FORBIDDEN], ids=["ping", "raw"])
def test_a_real_host_is_pinged(allowed):
    code = """
for ip in ("ipv4", "ipv6"):
    show('received == 3 && hop_limit == 64 && rtt.max_s < 1.0 && size == 200',
         host_="localhost", ip=ip, count=3, size=200)
"""
    lines = namespaces.printed(ELSEWHERE + code, before=allowed).splitlines()

    assert [["None", "none", "False", "True"]] * 2 == [line.split("|")[:4] for line in lines]


@namespaces.own_network
def test_a_real_host_that_is_silent_and_a_system_that_forbids():
    (silent,) = namespaces.printed(
        ELSEWHERE + 'show("loss_ratio == 1.0", host_="10.9.0.9", count=2, wait=0.2)',
        before=namespaces.HOLE,
    ).splitlines()
    (forbidden,) = namespaces.printed(ELSEWHERE + "show()", drop=True).splitlines()

    assert "failed|timeout|True|True|no reply came" == silent
    assert forbidden.startswith("unknown|not_permitted|False|")
    assert "ping_group_range" in forbidden
