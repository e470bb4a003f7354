"""From a host to its addresses, by the system's own resolver, without holding up the loop.

The system decides (`/etc/hosts`, `nsswitch`, `resolv.conf`), as for every other program on the
machine. Nothing is remembered between two lookups: a check measures the lookup of its own. An
address that is written out costs no lookup, and ``localhost`` is never asked for (RFC 6761).
A lookup that has begun cannot be broken off; its thread is left behind, and at most
`MOST_THREADS` of them are at work. Who comes later waits, until the deadline.
"""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

from sentinel.transport.reasons import Reason
from sentinel.transport.wire import IpVersion

MOST_THREADS = 256
"""Lookups under way at once. Many, since each may wait for one sick name server."""
MOST_ADDRESSES = 64
"""Addresses of one name that are looked at; the rest is left out."""
_MOST_DIGITS = 10
"""Of the number of an interface, which has 32 bits."""

_FAMILIES = {
    "any": socket.AF_UNSPEC,
    "4": socket.AF_INET,
    "6": socket.AF_INET6,
    "prefer_4": socket.AF_INET,  # who prefers asks a second time when there is none
    "prefer_6": socket.AF_INET6,
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where to connect to: the family, the address as text (with its zone, where IPv6 has one), and
    what `socket.connect` takes."""

    family: socket.AddressFamily
    ip: str
    place: tuple[str, int] | tuple[str, int, int, int]

    @property
    def port(self) -> int:
        return self.place[1]


@dataclass(frozen=True, slots=True)
class Unfound:
    """Why a name has no address: `dns_failed` or `dns_timeout`, and a sentence."""

    reason: Reason
    text: str


class Lookup:
    """The threads that look names up. Close it when nobody waits any more."""

    def __init__(self, *, threads: int = MOST_THREADS) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="lookup")

    async def find(
        self, host: str, port: int, deadline: float, *, ip: IpVersion = "any"
    ) -> Sequence[Address] | Unfound:
        """All addresses of a host, in the order in which they are to be tried (RFC 6724 and the
        system's configuration); at least one. `host` is a name, or an address without brackets."""
        known = written_out(host, port, ip)
        if known is not None:
            return known or Unfound(Reason.dns_failed, _nothing(host, ip))
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(deadline):
                found = await loop.run_in_executor(self._threads, _ask, host, port, _FAMILIES[ip])
        except TimeoutError:
            return Unfound(Reason.dns_timeout, f"looking up {host} took too long")
        except (OSError, UnicodeError, ValueError) as error:
            return Unfound(Reason.dns_failed, _failed(host, error))
        addresses = _distinct(found, port)
        return addresses or Unfound(Reason.dns_failed, _nothing(host, ip))

    def close(self) -> None:
        """Begin no lookup any more. Those under way end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)


@lru_cache(maxsize=32_768)
def written_out(host: str, port: int, ip: IpVersion = "any") -> Sequence[Address] | None:
    """The addresses of a host that needs no lookup: an address, or ``localhost``. Empty when they
    are not of the family asked for, None when the host must be looked up."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        both = _address("::1", port), _address("127.0.0.1", port)
        return tuple(one for one in both if one is not None and _fits(one, ip))
    written = _address(host, port)
    if written is None:
        return None
    return (written,) if _fits(written, ip) else ()


def _address(host: str, port: int) -> Address | None:
    text, _, zone = host.partition("%")
    try:
        if ":" not in host:
            return Address(socket.AF_INET, socket.inet_ntoa(_four(host)), (host, port))
        packed = socket.inet_pton(socket.AF_INET6, text)
        scope = _scope(zone)
    except (OSError, ValueError):  # no address, no interface; no text that either can be
        return None
    ip = socket.inet_ntop(socket.AF_INET6, packed)
    return Address(socket.AF_INET6, f"{ip}%{zone}" if zone else ip, (ip, port, 0, scope))


def _four(host: str) -> bytes:
    """The four numbers of an IPv4 address; no other way of writing one is taken."""
    return socket.inet_pton(socket.AF_INET, host)


def _scope(zone: str) -> int:
    if not zone:
        return 0
    if zone.isascii() and zone.isdigit() and len(zone) <= _MOST_DIGITS and int(zone) < 2**32:
        return int(zone)
    return socket.if_nametoindex(zone)


def _fits(address: Address, ip: IpVersion) -> bool:
    return ip == "any" or address.family == _FAMILIES[ip]


_Found = Sequence[tuple[socket.AddressFamily, int, int, str, tuple[object, ...]]]


def _ask(host: str, port: int, family: socket.AddressFamily) -> _Found:
    """What the system says; runs on a thread."""
    name = host if host.isascii() else host.encode("idna").decode("ascii")
    return socket.getaddrinfo(name, port, family, socket.SOCK_STREAM, socket.IPPROTO_TCP)


def _distinct(found: _Found, port: int) -> tuple[Address, ...]:
    """Each address once, in the order in which it came."""
    seen: dict[str, Address] = {}
    for family, _, _, _, place in found[:MOST_ADDRESSES]:
        ip = str(place[0])
        if family == socket.AF_INET:
            seen.setdefault(ip, Address(socket.AF_INET, ip, (ip, port)))
        elif family == socket.AF_INET6:
            scope = place[3]
            if isinstance(scope, int):
                six = Address(socket.AF_INET6, ip, (ip.partition("%")[0], port, 0, scope))
                seen.setdefault(ip, six)
    return tuple(seen.values())


def _failed(host: str, error: Exception) -> str:
    said = error.strerror if isinstance(error, OSError) and error.strerror else "no such name"
    return f"could not resolve host: {host[:253]} ({said})"


def _nothing(host: str, ip: IpVersion) -> str:
    family = "" if ip == "any" else f"IPv{ip} "
    return f"could not resolve host: {host[:253]} (it has no {family}address)"
