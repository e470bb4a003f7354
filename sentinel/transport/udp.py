"""UDP sockets that are used again, each time from another random port.

A question over UDP is asked from a port that was drawn for it alone (RFC 5452, 9.2). Making a socket
for each costs as much as asking. Linux gives a connected one its port back when it is connected to
no family at all (connect(2), `AF_UNSPEC`); from then on it hears nobody, and the next connect draws a
new port, source address and route. A socket in which anything is left by then is closed instead, so
that nothing that was said to one question is heard by the next.
"""

import ctypes
import os
import socket
import struct
from collections.abc import Iterator

from sentinel.transport.dial import opened
from sentinel.transport.sockets import READ, Ready, Sockets

MOST_RESTING = 64
_LIBC = ctypes.PyDLL(None)  # neither call waits, so the interpreter's lock is kept
_connect, _recv = _LIBC.connect, _LIBC.recv
_connect.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint)
_recv.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_recv.restype = ctypes.c_ssize_t
_NOBODY = ctypes.create_string_buffer(bytes(16), 16)
"""A socket address without a family."""
_AN_OCTET = ctypes.create_string_buffer(1)
_NUMBERS = "256H"
_LOOKING = socket.MSG_PEEK | socket.MSG_DONTWAIT


class UdpSockets:
    """All UDP sockets of a node. Belongs to the loop of its `Sockets`; close it before them."""

    def __init__(self, sockets: Sockets) -> None:
        self.sockets = sockets
        self.unguessable = _drawn()
        """Numbers of 16 bits that nobody can guess, for the ids of messages; without an end."""
        self._resting: dict[int, list[socket.socket]] = {}
        self._closed = False

    def take(self, family: int, ready: Ready, *, source_ip: str = "") -> socket.socket:
        """A non-blocking socket that is watched for what comes, and has neither peer nor port, or
        the port that came with `source_ip`. It goes back by `give`, or is closed by `Sockets.drop`.
        Raises OSError: we have no descriptors left, or the address is not ours."""
        resting = self._resting.get(family)
        if resting and not source_ip:
            own = resting.pop()
            self.sockets.tell(own.fileno(), ready)
        else:
            own = opened(family, socket.SOCK_DGRAM, source_ip=source_ip)
            self.sockets.watch(own.fileno(), READ, ready)
        return own

    def give(self, own: socket.socket, family: int) -> None:
        """It is needed no more, and heard what it waited for. Not for one with a `source_ip`, which
        keeps its port."""
        resting = self._resting.setdefault(family, [])
        if self._closed or len(resting) == MOST_RESTING or not _nobodys(own) or not _empty(own):
            self.sockets.drop(own)
        else:
            self.sockets.tell(own.fileno(), self._stirred)
            resting.append(own)

    def close(self) -> None:
        """Close all that rest, and from now on all that are given."""
        self._closed = True
        for resting in self._resting.values():
            for own in resting:
                self.sockets.drop(own)
        self._resting.clear()

    def _stirred(self, _mask: int) -> None:
        """Something came into one that rests: it was on its way when its peer was left."""
        for resting in self._resting.values():
            for own in [each for each in resting if not _empty(each)]:
                resting.remove(own)
                self.sockets.drop(own)


def _drawn() -> Iterator[int]:
    """Drawn from the system's generator many at a time: a call for each costs more than a number."""
    while True:
        yield from struct.unpack(_NUMBERS, os.urandom(struct.calcsize(_NUMBERS)))


def _nobodys(own: socket.socket) -> bool:
    """Leave the peer and the port; whether that worked."""
    return bool(_connect(own.fileno(), _NOBODY, len(_NOBODY)) == 0)


def _empty(own: socket.socket) -> bool:
    """Whether nothing came that was not read. An error that came is forgotten."""
    return bool(_recv(own.fileno(), _AN_OCTET, 1, _LOOKING) < 0)
