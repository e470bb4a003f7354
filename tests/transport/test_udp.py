"""UDP sockets that are used again: what the next question must not notice of the one before."""

import asyncio
import socket
from contextlib import contextmanager

import pytest

from sentinel.transport.sockets import Sockets
from sentinel.transport.udp import MOST_RESTING, UdpSockets


class Made:
    """Sockets that rest, what those that are lent were told, and a peer."""

    def __init__(self):
        self.sockets = Sockets()
        self.udp = UdpSockets(self.sockets)
        self.heard, self.lent = [], []
        self.peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.peer.bind(("127.0.0.1", 0))

    def taken(self, *, place=None, **how):
        """One that is connected, with the peer or whoever is at `place`."""
        own = self.udp.take(socket.AF_INET, self.heard.append, **how)
        self.lent.append(own)
        own.connect(place or self.peer.getsockname())
        return own

    def used(self, own):
        self.udp.give(own, socket.AF_INET)


@contextmanager
def made():
    at = Made()
    try:
        yield at
    finally:
        at.udp.close()
        for own in at.lent:
            at.sockets.drop(own)
        at.sockets.close()
        at.peer.close()


def port(own):
    return own.getsockname()[1]


async def a_turn():
    """The loop looks at its sockets."""
    for _ in range(3):
        await asyncio.sleep(0)


def test_a_socket_is_used_again_and_from_another_port():
    async def main():
        with made() as at:
            seen = []
            for _ in range(20):
                own = at.taken()
                seen.append((own.fileno(), port(own)))
                at.used(own)
            return seen

    numbers, ports = zip(*asyncio.run(main()), strict=True)
    assert (1, True) == (len(set(numbers)), len(set(ports)) > 15)


def test_one_that_rests_has_no_port_and_hears_nobody():
    async def main():
        with made() as at:
            own = at.taken()
            place = own.getsockname()
            at.used(own)
            at.peer.sendto(b"late", place)
            await a_turn()
            again = at.taken()
            with pytest.raises(BlockingIOError):
                again.recv(10)
            return own is again, place[1] != port(again), at.heard

    assert (True, True, []) == asyncio.run(main())


def test_one_in_which_something_is_left_is_not_used_again():
    async def main():
        with made() as at:
            own = at.taken()
            at.peer.sendto(b"twice", own.getsockname())
            at.used(own)
            again = at.taken()
            return own.fileno(), again is own, len(at.sockets)

    assert (-1, False, 1) == asyncio.run(main())


def test_what_comes_while_one_rests_closes_it_and_keeps_nobody_awake():
    """The kernel may still be delivering what was sent before the peer was left."""

    async def main():
        with made() as at:
            own, calm = at.taken(), at.taken()
            at.used(own)
            at.used(calm)
            own.connect(at.peer.getsockname())
            at.peer.sendto(b"late", own.getsockname())
            await a_turn()
            return own.fileno(), calm.fileno() != -1, len(at.sockets), at.heard

    assert (-1, True, 1, []) == asyncio.run(main())


def test_an_error_that_came_last_is_not_the_next_ones():
    async def main():
        with made() as at, socket.socket(type=socket.SOCK_DGRAM) as gone:
            gone.bind(("127.0.0.1", 0))
            place = gone.getsockname()
            gone.close()
            own = at.taken(place=place)
            own.send(b"?")  # nobody listens: the socket has an error now
            at.used(own)
            again = at.taken()
            again.send(b"!")
            return own is again, at.peer.recv(10)

    assert (True, b"!") == asyncio.run(main())


def test_an_address_of_ones_own_stays_with_its_question():
    async def main():
        with made() as at:
            at.used(at.taken())
            own = at.taken(source_ip="127.0.0.2")
            return own.getsockname()[0], len(at.sockets)

    assert ("127.0.0.2", 2) == asyncio.run(main())


def test_no_more_rest_than_may_and_none_when_closed():
    async def main():
        with made() as at:
            many = [at.taken() for _ in range(MOST_RESTING + 3)]
            for each in many[:-1]:
                at.used(each)
            rest = len(at.sockets)
            at.udp.close()
            at.used(many[-1])
            return rest, len(at.sockets), {each.fileno() for each in many}

    assert (MOST_RESTING + 1, 0, {-1}) == asyncio.run(main())


def test_the_other_family_has_its_own():
    async def main():
        with made() as at:
            at.used(at.taken())
            own = at.udp.take(socket.AF_INET6, at.heard.append)
            at.udp.give(own, socket.AF_INET6)
            return own.family, len(at.sockets)

    assert (socket.AF_INET6, 2) == asyncio.run(main())
