"""`icmp` modules: one echo request, and its reply."""

from sentinel.blackbox.address import choose
from sentinel.blackbox.check import Check
from sentinel.blackbox.module import IcmpModule
from sentinel.blackbox.reasons import Because
from sentinel.transport.lookup import written_out
from sentinel.transport.ping import NOT_PERMITTED, Packet

DEFAULT_PAYLOAD = len("Prometheus Blackbox Exporter")
"""Bytes that the original sends when the module says nothing."""


async def probe_icmp(check: Check, module: IcmpModule) -> str:
    """The target is a host. Of the payload only the size is the original's: it holds random bytes,
    so that a reply is surely to this request."""
    gauges, notes = check.gauges, check.notes
    for phase in ("resolve", "setup", "rtt"):
        gauges.set("probe_icmp_duration_seconds", 0, phase=phase)
    began = check.transport.now()
    address, reason = await choose(check, check.target, module.ip)
    if reason:
        return reason
    resolved = check.transport.now()
    gauges.set("probe_icmp_duration_seconds", resolved - began, phase="resolve")
    places = written_out(address, 0)
    if not places:
        notes.error("The address cannot be pinged", ip=address)
        return Because.invalid_target
    packet = Packet(
        size=module.payload_size or DEFAULT_PAYLOAD,
        ttl=module.ttl,
        dont_fragment=module.dont_fragment,
        source_ip=module.source_ip_address,
    )
    notes.info("Writing out packet", bytes=packet.size, ttl=packet.ttl)
    echo = await check.transport.pinger.ping(places[0], packet, check.deadline)
    ended = check.transport.now()
    if echo.reason:
        notes.warn("No reply came", err=echo.text or echo.reason)
        return Because.not_permitted if echo.reason == NOT_PERMITTED else echo.reason
    gauges.set("probe_icmp_duration_seconds", ended - resolved - echo.rtt_s, phase="setup")
    gauges.set("probe_icmp_duration_seconds", echo.rtt_s, phase="rtt")
    if echo.hop_limit is not None:
        gauges.set("probe_icmp_reply_hop_limit", echo.hop_limit)
    notes.info("Found matching reply packet")
    return ""
