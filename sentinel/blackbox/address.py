"""Which address of a name is probed: blackbox_exporter's choice, and what is not allowed.

The preferred family wins (`ip6` when none is named), the other one is used when there is none
of it and `ip_protocol_fallback` is on. One address is taken and connected to, whatever its
neighbours would say: a probe is about one address, and its hash tells when that changed.
"""

import re
from collections.abc import Sequence

from sentinel.blackbox.check import Check
from sentinel.blackbox.module import IpChoice
from sentinel.blackbox.reasons import Because
from sentinel.blackbox.urls import is_address
from sentinel.transport.lookup import Unfound
from sentinel.transport.reasons import Reason
from sentinel.transport.resolve import address_hash

_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_FAMILY = {"ip4": 4, "ip6": 6}


async def choose(check: Check, host: str, choice: IpChoice) -> tuple[str, str]:
    """The address to connect to as text and ``""``, or ``""`` and the reason why there is none.

    Sets ``probe_dns_lookup_time_seconds``, ``probe_ip_protocol`` (0 until there is an address) and
    ``probe_ip_addr_hash``.
    """
    gauges, notes = check.gauges, check.notes
    gauges.set("probe_ip_protocol", 0)
    gauges.set("probe_ip_addr_hash", 0)
    notes.info("Resolving target address", target=host, ip_protocol=choice.preferred or "ip6")
    began = check.transport.now()
    addresses = await resolved(check, host)
    gauges.set("probe_dns_lookup_time_seconds", check.transport.now() - began)
    if isinstance(addresses, Reason):
        notes.error("Resolution with IP protocol failed", target=host, err=addresses)
        return "", addresses
    ordered = preferred(addresses, choice)
    if not ordered:
        notes.error("Resolution with IP protocol failed", target=host, err="unable to find ip")
        return "", Reason.dns_failed
    address = ordered[0]
    notes.info("Resolved target address", target=host, ip=address)
    gauges.set("probe_ip_protocol", version_of(address))
    gauges.set("probe_ip_addr_hash", address_hash(address))
    return (address, "") if permitted(check, address) else ("", Because.address_refused)


def permitted(check: Check, address: str) -> bool:
    """Whether `address` may be connected to; a note when not."""
    if check.allowed(address):
        return True
    check.notes.error("This address may not be probed", ip=address)
    return False


async def resolved(check: Check, host: str) -> tuple[str, ...] | Reason:
    """Every address of `host`, in the order of RFC 6724. A host that ends like a number and is no
    whole address (``127.1``, ``2130706433``) has none: the system's resolver would make one of it."""
    if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]) and not is_address(host):
        return Reason.dns_failed
    found = await check.transport.lookup.find(host, 0, check.deadline)
    if isinstance(found, Unfound):
        return found.reason
    return tuple(address.ip for address in found)


def preferred(addresses: Sequence[str], choice: IpChoice) -> tuple[str, ...]:
    """`addresses` with those of the preferred family first, the others after them when they may be
    fallen back on."""
    wanted = _FAMILY[choice.preferred or "ip6"]
    first = tuple(address for address in addresses if version_of(address) == wanted)
    others = tuple(address for address in addresses if version_of(address) != wanted)
    return first + others if choice.fallback else first


def version_of(address: str) -> int:
    """4 or 6."""
    return 6 if ":" in address else 4
