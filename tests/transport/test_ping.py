"""Echo requests: over raw and ping sockets, and what each trouble on the way is called."""

import asyncio
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.transport.curl import Transport
from sentinel.transport.icmpwire import Heard, read, read_packet, request
from sentinel.transport.lookup import written_out
from tests.transport import namespaces

FAMILIES = [socket.AF_INET, socket.AF_INET6]
PLAIN = """
import asyncio, time
from sentinel.transport.curl import Transport
from sentinel.transport.lookup import written_out
from sentinel.transport.ping import Packet
from tests.transport.test_ping import pinged, show
"""


async def pinged(ip, *packets, seconds=2.0):
    """How each packet went, all of them sent at once."""
    async with Transport() as transport:
        (to,) = written_out(ip, 0)
        until = transport.now() + seconds
        sent = [transport.pinger.ping(to, packet, until) for packet in packets]
        return await asyncio.gather(*sent)


def show(ip, *packets, seconds=2.0):
    """Print how each went; for programs that run elsewhere."""
    for echo in asyncio.run(pinged(ip, *packets, seconds=seconds)):
        print(echo.reason or "reply", echo.hop_limit, echo.size, echo.text, sep="|")


def elsewhere(code, **how):
    return namespaces.printed(PLAIN + code, **how).splitlines()


SIZES = "Packet(0), Packet(3), Packet(56, ttl=7), Packet(9000, dont_fragment=True)"
REPLIES = ["reply|64|0|", "reply|64|3|", "reply|64|56|", "reply|64|9000|"]


@namespaces.own_network
@pytest.mark.parametrize("ip", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("allowed", [namespaces.ALLOWED, namespaces.FORBIDDEN], ids=["ping", "raw"])
def test_a_reply_comes_over_ping_sockets_and_over_raw_ones(ip, allowed):
    assert REPLIES == elsewhere(f'show("{ip}", {SIZES})', before=allowed)


@namespaces.own_network
def test_where_neither_is_allowed_it_says_what_would_allow_it():
    code = 'show("127.0.0.1", Packet())'
    (line,) = elsewhere(code, before=namespaces.FORBIDDEN, drop=True)

    assert line.startswith("not_permitted|None|0|")
    assert "ping_group_range" in line
    assert "CAP_NET_RAW" in line


ROUTER = """
unshare --net sh -c 'ip link set lo up; echo 1 > /proc/sys/net/ipv4/ip_forward
  echo 1 > /proc/sys/net/ipv6/conf/all/forwarding; exec sleep 20' > /dev/null 2>&1 & router=$!
trap "kill $router" EXIT
for i in $(seq 100); do test "$(readlink /proc/$router/ns/net)" != "$(readlink /proc/$$/ns/net)" && break; sleep 0.01; done
ip link add near type veth peer name far
ip link set far netns $router
ip addr add 10.9.0.1/24 dev near; ip -6 addr add fd09::1/64 dev near nodad; ip link set near up
ip route add default via 10.9.0.2; ip -6 route add default via fd09::2
inside="nsenter --net=/proc/$router/ns/net"
$inside ip addr add 10.9.0.2/24 dev far; $inside ip -6 addr add fd09::2/64 dev far nodad
$inside ip link set far up
$inside ip link add beyond type veth peer name nowhere
$inside ip link set nowhere up; $inside ip link set beyond mtu 1400 up
$inside ip route add 10.77.0.0/24 dev beyond; $inside ip -6 route add fd77::/64 dev beyond
$inside ip route add unreachable 10.88.0.0/24; $inside ip -6 route add unreachable fd88::/64
"""
WAYS = """
for far in {far}:
    show(far, {packet}, seconds=5.0)
"""


@namespaces.own_network
@pytest.mark.parametrize("allowed", [namespaces.ALLOWED, namespaces.FORBIDDEN], ids=["ping", "raw"])
@pytest.mark.parametrize(
    ("far", "packet", "reason", "text"),
    [
        (["10.77.0.9", "fd77::9"], "Packet(ttl=1)", "ttl_expired", "hop limit"),
        (["10.88.0.9", "fd88::9"], "Packet()", "connect_unreachable", "unreachable|no route"),
        (["10.77.0.9", "fd77::9"], "Packet(1450, dont_fragment=True)", "too_big", "1400"),
    ],
)
def test_trouble_on_the_way_has_its_reason(allowed, far, packet, reason, text):
    lines = elsewhere(WAYS.format(far=far, packet=packet), before=allowed + ROUTER)

    assert [reason] * 2 == [line.split("|")[0] for line in lines]
    assert all(any(word in line for word in text.split("|")) for line in lines)


@namespaces.own_network
def test_a_way_that_the_system_itself_does_not_know_is_unreachable():
    before = f"{namespaces.ALLOWED}; ip route add unreachable 10.88.0.0/24"
    code = 'show("10.88.0.9", Packet()); show("127.0.0.1", Packet(source_ip="::1"))'

    assert ["connect_unreachable"] * 2 == [
        line.split("|")[0] for line in elsewhere(code, before=before)
    ]


@namespaces.own_network
def test_silence_is_a_timeout_and_nothing_is_left_behind():
    code = """
async def main():
    async with Transport() as transport:
        (to,) = written_out("10.9.0.9", 0)
        started = time.monotonic()
        echo = await transport.pinger.ping(to, Packet(), started + 0.2)
        line, = transport.pinger._lines.values()
        print(echo.reason, 0.15 < time.monotonic() - started < 2, line.waiting)
asyncio.run(main())
"""
    assert ["timeout True {}"] == elsewhere(code, before=namespaces.HOLE)


@namespaces.own_network
def test_hundreds_at_once_each_get_their_own_reply():
    code = """
packets = [Packet(size) for size in range(20, 420)]
echoes = asyncio.run(pinged("127.0.0.1", *packets))
print([echo.size for echo in echoes] == list(range(20, 420)), {echo.reason for echo in echoes})
"""
    assert ["True {''}"] == elsewhere(code, before=namespaces.ALLOWED)


@namespaces.own_network
def test_a_transport_that_closes_tells_who_waits():
    code = """
async def main():
    transport = Transport()
    transport.start()
    (to,) = written_out("10.9.0.9", 0)
    waiting = asyncio.ensure_future(transport.pinger.ping(to, Packet(), transport.now() + 60))
    await asyncio.sleep(0)
    await transport.close()
    print((await waiting).reason)
asyncio.run(main())
"""
    assert ["client_failed"] == elsewhere(code, before=namespaces.HOLE)


def ipv4(message, ttl=57):
    return bytes((0x45, 0, 0, 0, 0, 0, 0, 0, ttl, 1, 0, 0)) + b"\x0a\x09\x00\x02" * 2 + message


def echoed(family, payload=b"12345678rest"):
    kind = b"\x81" if family == socket.AF_INET6 else b"\x00"
    asked = request(family, 7, 9, payload)
    if family == socket.AF_INET6:
        return kind + asked[1:]
    whole = int.from_bytes(asked[2:4], "big") + 0x0800
    return kind + asked[1:2] + (whole % 0xFFFF).to_bytes(2, "big") + asked[4:]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_reply_is_read(family):
    heard = read(family, echoed(family), hop_limit=3)

    assert Heard(7, 9, nonce=b"12345678", size=12, hop_limit=3) == heard


def test_a_packet_is_read_with_its_hop_limit():
    assert 57 == read_packet(ipv4(echoed(socket.AF_INET))).hop_limit


def test_a_reply_that_was_damaged_is_none():
    assert None is read(socket.AF_INET, echoed(socket.AF_INET)[:-1] + b"X", hop_limit=3)


def test_a_request_is_no_reply_to_itself():
    for family in FAMILIES:
        assert None is read(family, request(family, 7, 9, b"12345678"), hop_limit=3)


@given(st.sampled_from(FAMILIES), st.binary(max_size=120), st.integers(0, 255))
def test_any_bytes_are_read_without_an_error(family, content, kind):
    for message in (content, bytes((kind,)) + content):
        read(family, message, hop_limit=None)
        read_packet(message)
