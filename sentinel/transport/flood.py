"""What keeps a hostile server from holding libcurl, and with it the whole loop, within TLS.

OpenSSL passes over messages that say nothing (HelloRequest during a handshake, session tickets
after it) without returning to its caller for as long as more of them are there to be read. A server
that sends them faster than they are read would never let go, and no timer of libcurl or ours would
run. libcurl reports each message while OpenSSL reads, so they are counted there; beyond a limit that
no honest server comes near the socket is shut down, OpenSSL finds its end, and the transfer fails.
"""

import os
import socket
from contextlib import suppress

import pycurl

MOST_MESSAGES = 2_000
"""Of TLS in one transfer, without the records of its data. A handshake has about twenty, and a
server sends a few session tickets."""

WORDS = "the server sent messages of TLS without end"

_RECORD_HEAD = 5
_MAJOR_VERSION = 3
"""The second byte of a record's head (RFC 8446, 5.1), which in a message is a length's first."""
_SHORTEST_MESSAGE = 4


class Flood:
    """Watches one transfer of a libcurl handle: give it every socket and every report of TLS."""

    __slots__ = ("_count", "_sockets")

    def __init__(self) -> None:
        self._count = 0
        self._sockets: list[tuple[int, int]] = []

    def clear(self) -> None:
        """A new transfer begins."""
        self._count = 0
        self._sockets.clear()

    def on_socket(self, fd: int, _purpose: int) -> int:
        """libcurl's SOCKOPTFUNCTION. A number of a socket is used again by others once this one is
        closed, so its inode is kept too."""
        self._sockets.append((fd, os.fstat(fd).st_ino))
        return int(pycurl.SOCKOPT_OK)

    def on_tls(self, content: bytes) -> None:
        """What libcurl's DEBUGFUNCTION is told as INFOTYPE_SSL_DATA_IN: messages, and the heads (5
        bytes) and kinds (1 byte) of records."""
        size = len(content)
        if size < _SHORTEST_MESSAGE or (size == _RECORD_HEAD and content[1] == _MAJOR_VERSION):
            return
        self._count += 1
        if self._count > MOST_MESSAGES:
            self._cut()

    @property
    def came(self) -> bool:
        """Whether there were too many, and the transfer ended by that."""
        return self._count > MOST_MESSAGES

    def _cut(self) -> None:
        for fd, inode in self._sockets:
            with suppress(OSError):  # closed meanwhile, which is as good
                if os.fstat(fd).st_ino == inode:
                    mine = socket.socket(fileno=os.dup(fd))
                    try:
                        mine.shutdown(socket.SHUT_RDWR)
                    finally:
                        mine.close()
        self._sockets.clear()
