"""Whom ``/probe`` may be sent to: a page that connects wherever it is told is a way into a network.

`anywhere` is the rule of ``sentinel blackbox``, which is a prober and nothing else: any address, as
the original, but those on which machines tell their own secrets. `AllowList` is the rule inside a
node: what the site names and nothing besides, and never the former. Both are asked about addresses,
after resolution and again on every redirect, so that a name cannot lead where its address may not.
"""

import asyncio
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from time import monotonic

REMEMBERED_S = 300.0
"""How long an address counts as a host's after its name last led there."""
LOOKED_UP_EVERY_S = 10.0
_LOOKUP_S = 2.0
_MOST_ADDRESSES = 1_000

_SECRETS_ARE_TOLD_AT = tuple(
    ip_network(text)
    for text in (
        "169.254.0.0/16",  # link-local (RFC 3927); metadata of AWS, Azure, Google, OpenStack
        "fe80::/10",  # link-local (RFC 4291)
        "fd00:ec2::/32",  # metadata of AWS over IPv6
        "fd20:ce::254/128",  # metadata of Google over IPv6
        "100.100.100.200/32",  # metadata of Alibaba
        "192.0.0.192/32",  # metadata of Oracle, first generation
        "168.63.129.16/32",  # Azure's wire server
    )
)
_TRANSLATED = tuple(
    ip_network(text)
    for text in (
        "64:ff9b::/96",  # NAT64 (RFC 6052)
        "64:ff9b:1::/48",  # NAT64 of one's own network (RFC 8215)
        "::/96",  # compatible with IPv4 (RFC 4291, 2.5.5.1); `::1` itself is not meant
    )
)
"""Where the last four bytes are IPv4."""


@lru_cache(maxsize=16_384)
def anywhere(address: str) -> bool:
    """Any address but link-local ones and those of cloud metadata, however they are written; and any
    path of a unix socket."""
    if address.startswith("/"):
        return True
    known = _address(address)
    return known is not None and not any(known in each for each in _SECRETS_ARE_TOLD_AT)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """The address meant: IPv4 within IPv6 is taken out, a zone is left away."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:  # RFC 3056
            return address.sixtofour
        if int(address) > 1 and any(address in each for each in _TRANSLATED):
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


@dataclass(slots=True)
class AllowList:
    """What a site allows: networks, hosts by name, and paths of unix sockets.

    A name stands for the addresses that it had within the last five minutes; `refresh` looks them
    up, at most every ten seconds.
    """

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    hosts: tuple[str, ...] = ()
    paths: frozenset[str] = frozenset()
    _seen: dict[IPv4Address | IPv6Address, float] = field(default_factory=dict)
    _looked_at: float | None = None

    @classmethod
    def of(cls, entries: Iterable[str]) -> "AllowList":
        """The list of a site's entries; each was found to be a network, a path or a host."""
        networks, hosts, paths = [], [], set()
        for each in entries:
            if each.startswith("/"):
                paths.add(each)
                continue
            try:
                networks.append(ip_network(each))
            except ValueError:
                hosts.append(each)
        return cls(tuple(networks), tuple(hosts), frozenset(paths))

    def allows(self, address: str) -> bool:
        """Whether this address may be probed now."""
        if not anywhere(address):
            return False
        known = _address(address)
        if known is None:
            return False
        if any(known in network for network in self.networks):
            return True
        last = self._seen.get(known)
        return last is not None and monotonic() - last <= REMEMBERED_S

    def allows_path(self, path: str) -> bool:
        """Whether this unix socket may be probed."""
        return path in self.paths

    async def refresh(self) -> None:
        """Look the hosts up again where it is time. A name that leads nowhere adds nothing."""
        now = monotonic()
        if not self.hosts or (self._looked_at and now - self._looked_at < LOOKED_UP_EVERY_S):
            return
        self._looked_at = now
        loop = asyncio.get_running_loop()
        lookups = (loop.getaddrinfo(host, None, type=socket.SOCK_STREAM) for host in self.hosts)
        try:
            async with asyncio.timeout(_LOOKUP_S):
                found = await asyncio.gather(*lookups, return_exceptions=True)
        except TimeoutError:
            self._looked_at = None
            return
        self._forget(now)
        for answer in found:
            for row in answer if isinstance(answer, list) else ():
                address = _address(str(row[4][0]))
                if address is not None:
                    self._seen[address] = now

    def _forget(self, now: float) -> None:
        kept = {a: at for a, at in self._seen.items() if now - at <= REMEMBERED_S}
        self._seen = kept if len(kept) <= _MOST_ADDRESSES else {}
