"""Hosts that answer to a ping: whether, how fast, and how many packets were lost."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any, ClassVar, Literal

import msgspec

from sentinel.expression import Declaration
from sentinel.kinds import ProbeWorld, key
from sentinel.monitor.probe import Evidence, Later, MetricFamily, Observation, Sample
from sentinel.transport.lookup import Address, Unfound, written_out
from sentinel.transport.ping import MOST_PAYLOAD, TTL_EXPIRED, Echo, Packet
from sentinel.transport.reasons import NETWORK
from sentinel.transport.resolve import address_hash
from sentinel.transport.wire import IpVersion
from sentinel.words import Outcome, Seconds

MOST_PACKETS = 100
MOST_SHOWN = 20
_SHOWN = {"min": "min_s", "avg": "avg_s", "max": "max_s", "jitter": "jitter_s"}
_SAMPLES = {key: f"rtt.{key}" for key in _SHOWN.values()}

_FAMILIES: Mapping[str, IpVersion] = {"any": "any", "ipv4": "4", "ipv6": "6"}


@dataclass(frozen=True, slots=True)
class Icmp:
    """Sends echo requests (ping) and counts the replies.

    The check fails when no reply came at all; what less is too little, an expectation says:
    `'loss_ratio < 0.2'`. Packets are sent `interval` apart, whether or not the one before was
    answered, and each is waited for at most `wait`; with several addresses the first is pinged.

    It needs either a group in `net.ipv4.ping_group_range` (then no privilege at all) or
    CAP_NET_RAW; with neither the check is unknown, `not_permitted`.

    Expectations may use `sent`, `received`, `loss_ratio` (0.0 to 1.0), `rtt` (`min_s`, `avg_s`,
    `max_s`, and `jitter_s`, the mean difference of one to the next), `hop_limit` (of the last
    reply; IPv4: its TTL), `size`, `timing` and `address`.
    """

    KIND: ClassVar[str] = "icmp"
    NAMES: ClassVar[Declaration] = {
        "sent": "int",
        "received": "int",
        "loss_ratio": "double",
        "rtt": {"min_s": "double", "avg_s": "double", "max_s": "double", "jitter_s": "double"},
        "hop_limit": "int",
        "size": "int",
        "timing": {"total_s": "double", "resolve_s": "double", "rtt_s": "double"},
        "address": "string",
    }
    METRICS: ClassVar[tuple[MetricFamily, ...]] = (
        MetricFamily(
            "probe_icmp_duration_seconds", "Duration of icmp request by phase", ("phase",)
        ),
        MetricFamily("probe_icmp_reply_hop_limit", "Replied packet hop limit (TTL for ipv4)"),
        MetricFamily("probe_icmp_packets_sent", "Number of echo requests that the check sent"),
        MetricFamily("probe_icmp_packets_received", "Number of echo replies that came"),
        MetricFamily(
            "probe_icmp_rtt_seconds",
            "Round trips of the check: min, avg, max, and jitter, one from the next",
            ("stat",),
        ),
    )

    host_: str = key("Host name or address to ping.", examples=["gw.acme.example", "10.0.0.1"])
    count: int = key(
        "How many packets to send; 5 or more where `loss_ratio` is to mean something.",
        default=1,
        minimum=1,
        maximum=MOST_PACKETS,
    )
    interval: Seconds = key("From one packet to the next.", default=Seconds(0.2), minimum=0.01)
    wait: Seconds = key(
        "How long to wait for each reply, within the timeout.", default=Seconds(3.0), minimum=0.01
    )
    size: int = key("Bytes of payload.", default=56, minimum=0, maximum=MOST_PAYLOAD)
    ttl: int = key(
        "Hop limit of what is sent; 0 is the system's.", default=0, minimum=0, maximum=255
    )
    dont_fragment: bool = key(
        "Let no router take a packet apart: `too_big` says that one would have to.", default=False
    )
    source_ip: str = key("Address of this machine to send from.", default="")
    ip: Literal["any", "ipv4", "ipv6"] = key("Which addresses to use.", default="any")

    _packet: Packet = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        packet = _packet(self.size, self.ttl, self.dont_fragment, self.source_ip)
        object.__setattr__(self, "_packet", packet)

    def host(self) -> str:
        """The host that is pinged."""
        return self.host_.lower()

    async def observe(self, world: ProbeWorld) -> Observation:
        """Send every packet once."""
        transport = world.transport
        started = transport.now()
        family = _FAMILIES[self.ip]
        found: Sequence[Address] | Unfound | None = written_out(self.host_, 0, family)
        if not found:
            found = await transport.lookup.find(self.host_, 0, world.deadline, ip=family)
        resolve_s = transport.now() - started
        if isinstance(found, Unfound):
            return _unfound(self, found, resolve_s)
        address = found[0]
        echoes: Sequence[Echo]
        if self.count == 1:
            until = min(world.deadline, started + resolve_s + self.wait)
            echoes = (await transport.pinger.ping(address, self._packet, until),)
        else:
            echoes = await self._echoes(address, world)
        duration_s = transport.now() - started
        return _observed(
            self, _counted(echoes, address.ip, resolve_s=resolve_s, duration_s=duration_s)
        )

    async def _echoes(self, address: Address, world: ProbeWorld) -> Sequence[Echo]:
        turns = (self._in_turn(address, world, turn) for turn in range(self.count))
        return [echo for echo in await asyncio.gather(*turns) if echo is not None]

    async def _in_turn(self, address: Address, world: ProbeWorld, turn: int) -> Echo | None:
        """The packet whose turn it is; None when no time is left to send it."""
        begins_after_s = turn * self.interval
        if turn and world.transport.now() + begins_after_s >= world.deadline:
            return None
        await asyncio.sleep(begins_after_s)
        return await self._pinged(address, world)

    async def _pinged(self, address: Address, world: ProbeWorld) -> Echo:
        until = min(world.deadline, world.transport.now() + self.wait)
        return await world.transport.pinger.ping(address, self._packet, until)


@lru_cache(maxsize=1024)
def _packet(size: int, ttl: int, dont_fragment: bool, source_ip: str) -> Packet:
    """Most probes send the same."""
    return Packet(size, ttl, dont_fragment, source_ip)


class _Count(msgspec.Struct, frozen=True):
    """What became of the packets; at least one was sent. Times are in seconds; `phases` are named
    as blackbox_exporter names them, of several packets the means; `rtt` is empty when no reply
    came."""

    echoes: Sequence[Echo]
    replies: Sequence[Echo]
    address: str
    duration_s: float
    phases: Mapping[str, float]
    rtt: Mapping[str, float]

    @property
    def loss_ratio(self) -> float:
        return 1.0 - len(self.replies) / len(self.echoes)

    def values(self) -> dict[str, Any]:
        """The names that expectations use. Without a reply there is no round trip and no hop limit."""
        seen: dict[str, Any] = {
            "sent": len(self.echoes),
            "received": len(self.replies),
            "loss_ratio": self.loss_ratio,
            "timing": {
                "total_s": self.duration_s,
                "resolve_s": self.phases["resolve"],
                "rtt_s": self.phases["rtt"],
            },
            "address": self.address,
        }
        if self.replies:
            last = self.replies[-1]
            seen |= {"rtt": self.rtt, "size": last.size}
            if last.hop_limit is not None:
                seen["hop_limit"] = last.hop_limit
        return seen


def _counted(
    echoes: Sequence[Echo], address: str, *, resolve_s: float, duration_s: float
) -> _Count:
    if len(echoes) == 1:
        return _counted_one(echoes, address, resolve_s, duration_s)
    replies = [echo for echo in echoes if not echo.reason]
    heard = replies or echoes
    phases = {
        "resolve": resolve_s,
        "setup": sum([echo.setup_s for echo in heard]) / len(heard),
        "rtt": sum([echo.rtt_s for echo in heard]) / len(heard),
    }
    times = [echo.rtt_s for echo in replies]
    rtt: dict[str, float] = {}
    if times:
        apart = [abs(later - earlier) for earlier, later in pairwise(times)]
        rtt = {
            "min_s": min(times),
            "avg_s": phases["rtt"],
            "max_s": max(times),
            "jitter_s": sum(apart) / len(apart) if apart else 0.0,
        }
    return _Count(echoes, replies, address, duration_s, phases, rtt)


def _counted_one(
    echoes: Sequence[Echo], address: str, resolve_s: float, duration_s: float
) -> _Count:
    """The same of one packet: nearly every check sends one."""
    (echo,) = echoes
    rtt_s = echo.rtt_s
    phases = {"resolve": resolve_s, "setup": echo.setup_s, "rtt": rtt_s}
    if echo.reason:
        return _Count(echoes, (), address, duration_s, phases, {})
    rtt = {"min_s": rtt_s, "avg_s": rtt_s, "max_s": rtt_s, "jitter_s": 0.0}
    return _Count(echoes, echoes, address, duration_s, phases, rtt)


def _unfound(icmp: Icmp, found: Unfound, resolve_s: float) -> Observation:
    return Observation(
        values={},
        duration_s=resolve_s,
        reason=found.reason,
        text=found.text,
        network=found.reason in NETWORK,
        outcome=Outcome.failed,
        phases={"resolve": resolve_s},
        samples=[Sample("timing.total_s", resolve_s, "s")],
        evidence=Evidence(request=f"ping {icmp.host_}"),
        metrics={
            "probe_dns_lookup_time_seconds": resolve_s,
            "probe_ip_protocol": 0,
            "probe_ip_addr_hash": 0,
            "probe_icmp_duration_seconds": {"resolve": resolve_s},
        },
    )


def _observed(icmp: Icmp, count: _Count) -> Observation:
    failed = None if count.replies else count.echoes[-1]
    reason = failed.reason if failed is not None else ""
    return Observation(
        values=count.values(),
        duration_s=count.duration_s,
        reason=reason,
        text=failed.text if failed is not None else _told(count),
        network=reason in NETWORK or reason == TTL_EXPIRED,
        outcome=_outcome(failed),
        phases=count.phases,
        address=count.address,
        samples=[
            Sample("timing.total_s", count.duration_s, "s"),
            Sample("loss_ratio", count.loss_ratio),
            *[Sample(_SAMPLES[key], value, "s") for key, value in count.rtt.items()],
        ],
        evidence=Later(
            lambda: Evidence(
                request=f"ping {icmp.host_} {icmp.size} bytes, {icmp.count} times",
                facts={
                    "address": count.address,
                    "phases": count.phases,
                    "packets": _packets(count),
                },
            )
        ),
        metrics=_metrics(count),
    )


def _outcome(failed: Echo | None) -> Outcome | None:
    if failed is None:
        return None
    return Outcome.unknown if failed.ours else Outcome.failed


def _told(count: _Count) -> str:
    milliseconds = count.phases["rtt"] * 1000
    return f"{len(count.replies)} of {len(count.echoes)} answered, {milliseconds:.2f} ms"


def _packets(count: _Count) -> list[dict[str, Any]]:
    return [
        {"reason": echo.reason or "reply", "rtt_s": echo.rtt_s, "text": echo.text}
        for echo in count.echoes[:MOST_SHOWN]
    ]


def _metrics(count: _Count) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "probe_dns_lookup_time_seconds": count.phases["resolve"],
        "probe_ip_protocol": 6 if ":" in count.address else 4,
        "probe_ip_addr_hash": address_hash(count.address),
        "probe_icmp_duration_seconds": count.phases,
        "probe_icmp_packets_sent": len(count.echoes),
        "probe_icmp_packets_received": len(count.replies),
    }
    if count.replies:
        rtt, last = count.rtt, count.replies[-1]
        shown["probe_icmp_rtt_seconds"] = {stat: rtt[key] for stat, key in _SHOWN.items()}
        if last.hop_limit is not None:
            shown["probe_icmp_reply_hop_limit"] = last.hop_limit
    return shown
