"""Opening sockets: one connection to the first address that answers, and what failed when none did.

With several addresses the families take turns, each next one begins when the one before has
failed or 200 ms have passed, and whoever is first wins (RFC 8305, "Happy Eyeballs").
"""

import asyncio
import errno
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

import msgspec

from sentinel.transport.lookup import Address
from sentinel.transport.reasons import LOCAL_ERRNOS, Reason
from sentinel.transport.sockets import WRITE, Sockets

NEXT_AFTER_S = 0.2
"""How long an address is given before the next one is tried beside it."""

_UNDER_WAY = (0, errno.EINPROGRESS, errno.EAGAIN)


@dataclass(frozen=True, slots=True)
class Undialled:
    """Why there is no connection: the reason, a sentence, and the address that was tried last."""

    reason: Reason
    text: str
    address: Address | None = None


class Dialled(msgspec.Struct, frozen=True):
    """An open, non-blocking connection (a unix socket's has no address). Close it with
    `Sockets.drop`."""

    socket: socket.socket
    address: Address | None


def opened(
    family: int, kind: int = socket.SOCK_STREAM, protocol: int = 0, *, source_ip: str = ""
) -> socket.socket:
    """A non-blocking socket, from `source_ip` where one is given (numeric, of the family). Raises
    OSError: we have no descriptors left, may not, or the address is not ours."""
    own = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
    if source_ip:
        try:
            own.bind((source_ip, 0))
        except OSError:
            own.close()
            raise
    return own


def begun(address: Address, *, source_ip: str = "") -> socket.socket:
    """A TCP socket that is connecting, or connected already. Raises OSError: `why` has its reason."""
    own = opened(address.family, source_ip=source_ip)
    try:
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        failed = own.connect_ex(address.place)
        if failed not in _UNDER_WAY:
            raise OSError(failed, os.strerror(failed))
    except OSError:
        own.close()
        raise
    return own


def is_open(own: socket.socket) -> bool:
    """Whether a connecting socket is a connection now; False: not yet. Raises OSError when it failed."""
    try:
        own.getpeername()
    except OSError as error:
        if error.errno != errno.ENOTCONN:
            raise
        failed = own.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failed:
            raise OSError(failed, os.strerror(failed)) from error
        return False
    return True


async def dial(
    sockets: Sockets, addresses: Sequence[Address], deadline: float, *, source_ip: str = ""
) -> Dialled | Undialled:
    """Connect to one of the addresses. Only those of `source_ip`'s family are tried, where given."""
    if source_ip:
        family = socket.AF_INET6 if ":" in source_ip else socket.AF_INET
        addresses = [address for address in addresses if address.family == family]
    if not addresses:
        return Undialled(Reason.connect_unreachable, "no address of the source's family")
    if len(addresses) > 1:
        return await _Race(sockets, _in_turns(addresses), source_ip).won(deadline)
    address = addresses[0]
    try:
        own = begun(address, source_ip=source_ip)
    except OSError as error:
        return why(error, address)
    result: Dialled | Undialled | None = None
    try:
        while not is_open(own):  # bounded by the deadline
            if not await sockets.writable(own, deadline):
                result = _too_late(sockets, address)
                break
        else:
            result = Dialled(own, address)
    except OSError as error:
        result = why(error, address)
    finally:
        if not isinstance(result, Dialled):  # cancelled, too
            sockets.drop(own)
    return result


def _too_late(sockets: Sockets, address: Address | None) -> Undialled:
    if sockets.closed:
        return Undialled(Reason.client_failed, "the transport was closed", address)
    where = f" to {address.ip} port {address.port}" if address is not None else ""
    return Undialled(Reason.connect_timeout, f"connecting{where} took too long", address)


def why(error: OSError, address: Address | None) -> Undialled:
    """What an error of connecting says."""
    where = f" {address.ip} port {address.port}" if address is not None else ""
    text = f"could not connect to{where}: {error.strerror or error}"
    return Undialled(of_connecting(error.errno or 0), text, address)


def of_connecting(number: int) -> Reason:
    """The reason for an errno before there was a connection. What says nothing about the other
    side is our own failure."""
    match number:
        case errno.ECONNREFUSED:
            return Reason.connect_refused
        case errno.ETIMEDOUT:
            return Reason.connect_timeout
        case number if number in LOCAL_ERRNOS:
            return Reason.client_failed
        case _:
            return Reason.connect_unreachable


def _in_turns(addresses: Sequence[Address]) -> list[Address]:
    """The same addresses, the families alternating, the first one's first."""
    first = [one for one in addresses if one.family == addresses[0].family]
    other = [one for one in addresses if one.family != addresses[0].family]
    mixed = chain.from_iterable(zip_longest(first, other))
    return [one for one in mixed if one is not None]


class _Race:
    """Connections to the same host, of which one is to be kept."""

    def __init__(self, sockets: Sockets, addresses: list[Address], source_ip: str) -> None:
        self._sockets = sockets
        self._left = addresses[::-1]
        self._source_ip = source_ip
        self._running: dict[socket.socket, Address] = {}
        self._failed = Undialled(Reason.connect_unreachable, "it has no address")

    async def won(self, deadline: float) -> Dialled | Undialled:
        try:
            while self._left or self._running:  # bounded by the addresses and the deadline
                if self._left:
                    self._begin(self._left.pop())
                running = len(self._running)
                winner = self._winner()
                if winner is None and 0 < running == len(self._running):
                    soon = time.monotonic() + NEXT_AFTER_S
                    await self._rung(min(deadline, soon) if self._left else deadline)
                    winner = self._winner()
                if winner is not None:
                    return winner
                if self._sockets.closed or time.monotonic() >= deadline:
                    tried = next(reversed(self._running.values()), self._failed.address)
                    return _too_late(self._sockets, tried)
        finally:
            for own in self._running:
                self._sockets.drop(own)
        return self._failed

    def _begin(self, address: Address) -> None:
        try:
            self._running[begun(address, source_ip=self._source_ip)] = address
        except OSError as error:
            self._failed = why(error, address)

    def _winner(self) -> Dialled | None:
        """The first that is open. Those that failed are put away."""
        for own, address in list(self._running.items()):
            try:
                if is_open(own):
                    del self._running[own]
                    return Dialled(own, address)
            except OSError as error:
                self._failed = why(error, address)
                del self._running[own]
                self._sockets.drop(own)
        return None

    async def _rung(self, until: float) -> None:
        """Wait until something happened to one of them, at most `until`."""
        bell: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def ring(_mask: int = 0) -> None:
            if not bell.done():
                bell.set_result(None)

        for own in self._running:
            self._sockets.watch(own.fileno(), WRITE, ring)
        self._sockets.at(until, ring)
        try:
            await bell
        finally:
            self._sockets.forget(until, ring)
            for own in self._running:
                self._sockets.leave(own.fileno())
