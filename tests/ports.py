"""Ports of loopback for servers that want the same number twice."""

import socket

_MOST_TRIES = 100


def bound_pair() -> tuple[socket.socket, socket.socket]:
    """A TCP and a UDP socket bound to one port: the number that one of them gets from the kernel
    may be another program's for the other, so it is asked for until it is free for both."""
    for _ in range(_MOST_TRIES):
        tcp, udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind(("127.0.0.1", 0))
        try:
            udp.bind(tcp.getsockname())
        except OSError:
            tcp.close()
            udp.close()
        else:
            return tcp, udp
    raise OSError("no port of loopback is free for TCP and UDP")


def free_for_both() -> int:
    """A port that nobody has, for TCP nor for UDP."""
    tcp, udp = bound_pair()
    with tcp, udp:
        return int(tcp.getsockname()[1])
