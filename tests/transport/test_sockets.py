"""The one epoll set: readiness, deadlines, and what happens when both come at once."""

import asyncio
import socket
import time
from contextlib import contextmanager, suppress

from sentinel.transport.sockets import READ, WRITE, Sockets


@contextmanager
def made():
    """A set, and two sockets that are connected with each other."""
    one, other = socket.socketpair()
    for each in (one, other):
        each.setblocking(False)
    sockets = Sockets()
    try:
        yield sockets, one, other
    finally:
        for each in (one, other):
            sockets.drop(each)
        sockets.close()


def test_a_coroutine_waits_until_bytes_come():
    async def main():
        with made() as (sockets, one, other):
            asyncio.get_running_loop().call_soon(other.send, b"x")
            came = await sockets.readable(one, time.monotonic() + 5)
            return came, one.recv(10), len(sockets)

    assert (True, b"x", 0) == asyncio.run(main())


def test_a_full_socket_is_waited_for_until_it_is_read():
    async def main():
        with made() as (sockets, one, other):
            sent = 0
            with suppress(BlockingIOError):
                while True:
                    sent += one.send(b"x" * 65536)
            too_full = await sockets.writable(one, time.monotonic() + 0.02)
            while sent:
                sent -= len(other.recv(1 << 20))
            return too_full, await sockets.writable(one, time.monotonic() + 5)

    assert (False, True) == asyncio.run(main())


def test_a_deadline_is_never_early_and_hardly_late():
    async def main():
        with made() as (sockets, one, _):
            began = time.monotonic()
            came = await sockets.readable(one, began + 0.05)
            return came, time.monotonic() - began, len(sockets)

    came, lasted_s, watched = asyncio.run(main())

    assert (False, 0) == (came, watched)
    assert 0.05 <= lasted_s < 1.0


def test_a_deadline_that_has_passed_waits_for_nothing():
    async def main():
        with made() as (sockets, one, other):
            other.send(b"x")
            return await sockets.readable(one, time.monotonic() - 1)

    assert asyncio.run(main()) is False


def test_deadlines_come_in_their_order_and_forgotten_ones_never():
    async def main():
        with made() as (sockets, _, _):
            ended = asyncio.Event()
            called = []
            now = time.monotonic()

            def first():
                called.append(1)
                sockets.forget(now + 0.05, doomed)

            def doomed():
                called.append("doomed")

            def last():
                called.append(3)
                ended.set()

            sockets.at(now + 0.08, last)
            sockets.at(now + 0.05, doomed)
            sockets.at(now + 0.02, first)
            sockets.at(now + 0.02, first)
            await asyncio.wait_for(ended.wait(), 5)
            return called

    assert [1, 3] == asyncio.run(main())


def test_one_of_two_that_expire_together_may_forget_the_other():
    async def main():
        with made() as (sockets, _, _):
            called, until = [], time.monotonic() + 0.02
            ended = asyncio.Event()

            def one():
                called.append("one")
                sockets.forget(until, other)

            def other():
                called.append("other")
                sockets.forget(until, one)

            sockets.at(until, one)
            sockets.at(until, other)
            sockets.at(until + 0.02, ended.set)
            await asyncio.wait_for(ended.wait(), 5)
            return called

    assert 1 == len(asyncio.run(main()))


def test_what_a_batch_says_of_a_closed_socket_is_not_told_to_its_successor():
    """The number of a socket that is closed within a batch is given to the next one opened."""

    async def main():
        one, other = socket.socketpair()
        first, second = socket.socketpair()
        sockets = Sockets()
        told = []
        ended = asyncio.Event()
        fresh = []

        def replaced(number):
            pair = socket.socketpair()
            fresh.extend(pair)
            successor = next((each for each in pair if each.fileno() == number), None)
            assert successor is not None
            sockets.watch(number, READ, lambda mask: told.append(mask))
            asyncio.get_running_loop().call_later(0.02, ended.set)

        def ready(own, peer):
            def call(_mask):
                number = peer.fileno()
                sockets.drop(own)
                sockets.drop(peer)
                replaced(number)

            return call

        sockets.watch(one.fileno(), READ, ready(one, first))
        sockets.watch(first.fileno(), READ, ready(first, one))
        other.send(b"x")
        second.send(b"x")
        await asyncio.wait_for(ended.wait(), 5)
        for each in (*fresh, other, second):
            sockets.drop(each)
        sockets.close()
        return told

    assert [] == asyncio.run(main())


def test_a_cancelled_wait_leaves_nothing_behind():
    async def main():
        with made() as (sockets, one, _):
            waiting = asyncio.ensure_future(sockets.readable(one, time.monotonic() + 30))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            return waiting.cancelled(), len(sockets)

    assert (True, 0) == asyncio.run(main())


def test_a_callback_is_called_again_for_what_it_left():
    async def main():
        with made() as (sockets, one, other):
            other.send(b"abc")
            ended, read = asyncio.Event(), []

            def ready(_mask):
                read.append(one.recv(1))
                if len(read) == 3:
                    ended.set()

            sockets.watch(one.fileno(), READ | WRITE, ready)
            sockets.watch(one.fileno(), READ, ready)
            await asyncio.wait_for(ended.wait(), 5)
            sockets.leave(one.fileno())
            sockets.leave(one.fileno())
            return read

    assert [b"a", b"b", b"c"] == asyncio.run(main())


def test_closing_the_set_tells_those_who_wait():
    async def main():
        with made() as (sockets, one, _):
            waiting = asyncio.ensure_future(sockets.readable(one, time.monotonic() + 30))
            await asyncio.sleep(0)
            sockets.close()
            return await waiting, await sockets.readable(one, time.monotonic() + 30)

    assert (False, False) == asyncio.run(main())
