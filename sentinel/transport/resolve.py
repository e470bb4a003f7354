"""One address for a name, chosen as blackbox_exporter chooses it.

It looks up all addresses and takes the first one of the preferred family. When there is none, the
first of the other family is taken where `fallback` allows it. Written out addresses are taken as
they are, whatever is preferred. `address_hash` is what it shows of the address.
"""

import socket
import time
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Literal

from sentinel.transport.lookup import Address, Lookup, Unfound, written_out
from sentinel.transport.reasons import Reason

Preference = Literal["ip4", "ip6"]


@dataclass(frozen=True, slots=True)
class Resolved:
    """`address` is None with a `reason` (`dns_failed`, `dns_timeout`) and a sentence; `lookup_s`
    how long looking up took (0.0 for an address that was written out)."""

    address: Address | None
    lookup_s: float
    reason: Reason | None = None
    text: str = ""

    @property
    def protocol(self) -> int:
        """``probe_ip_protocol``: 4, 6, or 0 while there is no address."""
        if self.address is None:
            return 0
        return 6 if self.address.family == socket.AF_INET6 else 4

    @property
    def hash(self) -> int:
        """``probe_ip_addr_hash``; 0 while there is no address."""
        return address_hash(self.address.ip) if self.address is not None else 0


async def resolve(
    lookup: Lookup,
    host: str,
    deadline: float,
    *,
    port: int = 0,
    prefer: Preference = "ip6",
    fallback: bool = True,
) -> Resolved:
    """The address to talk to. `host` is a name, or an address without brackets."""
    given = written_out(host, port)
    if given is not None and len(given) == 1:
        return Resolved(given[0], 0.0)
    started = time.monotonic()
    found = await lookup.find(host, port, deadline)
    lookup_s = time.monotonic() - started
    if isinstance(found, Unfound):
        return Resolved(None, lookup_s, found.reason, found.text)
    wanted = socket.AF_INET if prefer == "ip4" else socket.AF_INET6
    fitting = [address for address in found if address.family == wanted]
    if not fitting and not fallback:
        text = f"{host} has no {prefer} address, and no other may be used"
        return Resolved(None, lookup_s, Reason.dns_failed, text)
    return Resolved((fitting or found)[0], lookup_s)


def has_route(address: Address) -> bool:
    """Whether this machine knows a way to it at all; nothing is sent. A machine without IPv6 has
    none to any such address."""
    with socket.socket(address.family, socket.SOCK_DGRAM) as own:
        try:
            own.connect((address.place[0], address.port or 9, *address.place[2:]))
        except OSError:
            return False
    return True


@lru_cache(maxsize=4096)
def address_hash(ip: str) -> int:
    """FNV-1a, 32 bits, over the 4 or 16 bytes of an address: 127.0.0.1 → 3668918509."""
    digest = 2166136261
    for byte in ip_address(ip.partition("%")[0]).packed:
        digest = (digest ^ byte) * 16777619 & 0xFFFFFFFF
    return digest
