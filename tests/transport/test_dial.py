"""From a name to a connection: lookups, families in turn, and what each failure is called."""

import asyncio
import errno
import socket
import time
from contextlib import contextmanager

import pytest

from sentinel.transport.dial import Dialled, Undialled, dial, of_connecting
from sentinel.transport.lookup import Address, Lookup, Unfound, written_out
from sentinel.transport.reasons import Reason
from sentinel.transport.sockets import Sockets


@contextmanager
def listening(family=socket.AF_INET, host="127.0.0.1"):
    with socket.socket(family) as listener:
        listener.bind((host, 0))
        listener.listen()
        yield listener.getsockname()[1]


@contextmanager
def full():
    """A port whose backlog is full: connecting there hangs."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        try:
            yield port
        finally:
            for each in waiting:
                each.close()


def address(port, ip="127.0.0.1"):
    return written_out(ip, port)[0]


def dialled(*addresses, seconds=5.0, **how):
    """How connecting went: the result, and whether something is still watched."""

    async def main():
        sockets = Sockets()
        try:
            result = await dial(sockets, addresses, time.monotonic() + seconds, **how)
            if isinstance(result, Dialled):
                sockets.drop(result.socket)
            return result, len(sockets)
        finally:
            sockets.close()

    result, watched = asyncio.run(main())
    assert 0 == watched
    return result


def looked_up(host, seconds=5.0, **how):
    async def main():
        lookup = Lookup(threads=1)
        try:
            return await lookup.find(host, 80, time.monotonic() + seconds, **how)
        finally:
            lookup.close()

    return asyncio.run(main())


def test_the_first_that_answers_is_kept():
    with listening() as port:
        result = dialled(address(port))

    assert (port, "127.0.0.1") == (result.address.port, result.address.ip)


def test_the_next_address_is_tried_at_once_when_one_refuses():
    with listening() as port:
        began = time.monotonic()
        result = dialled(address(port, "::1"), address(port))

    assert "127.0.0.1" == result.address.ip
    assert time.monotonic() - began < 0.15


def test_the_next_address_is_tried_beside_one_that_hangs():
    with full() as hanging, listening() as port:
        began = time.monotonic()
        result = dialled(address(hanging), address(port))

    assert port == result.address.port
    assert time.monotonic() - began >= 0.19


def test_families_take_turns():
    with full() as hanging, listening(socket.AF_INET6, "::1") as port:
        began = time.monotonic()
        result = dialled(*[address(hanging)] * 3, address(port, "::1"))

    assert "::1" == result.address.ip
    assert time.monotonic() - began < 0.39


def test_one_that_refuses_while_another_hangs_makes_room_at_once():
    with full() as hanging, listening() as port:
        began = time.monotonic()
        result = dialled(address(hanging), address(port, "::1"), address(port))

    assert port == result.address.port
    assert time.monotonic() - began < 0.39


def test_when_all_fail_the_last_one_says_why():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        result = dialled(address(taken.getsockname()[1]))

    assert Reason.connect_refused is result.reason
    assert "127.0.0.1" in result.text


def test_a_connection_that_does_not_come_about_ends_at_its_deadline():
    with full() as hanging:
        result = dialled(address(hanging), seconds=0.1)

    assert (Reason.connect_timeout, "127.0.0.1") == (result.reason, result.address.ip)


def test_one_connects_from_the_address_asked_for():
    async def main():
        heard = asyncio.get_running_loop().create_future()

        def connected(_reader, writer):
            heard.set_result(writer.get_extra_info("peername")[0])
            writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        sockets = Sockets()
        result = await dial(sockets, [address(port)], time.monotonic() + 5, source_ip="127.0.0.9")
        said = await asyncio.wait_for(heard, 5)
        sockets.drop(result.socket)
        sockets.close()
        server.close()
        await server.wait_closed()
        return said

    assert "127.0.0.9" == asyncio.run(main())


@pytest.mark.parametrize(
    ("source_ip", "reason"),
    [
        ("192.0.2.1", Reason.client_failed),  # not ours
        ("::1", Reason.connect_unreachable),  # of the other family
    ],
)
def test_a_source_that_does_not_fit_is_a_failure(source_ip, reason):
    with listening() as port:
        assert reason is dialled(address(port), source_ip=source_ip).reason


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ECONNREFUSED, Reason.connect_refused),
        (errno.ETIMEDOUT, Reason.connect_timeout),
        (errno.ENETUNREACH, Reason.connect_unreachable),
        (errno.EMFILE, Reason.client_failed),
        (0, Reason.connect_unreachable),
    ],
)
def test_an_errno_has_its_reason(number, reason):
    assert reason is of_connecting(number)


@pytest.mark.parametrize(
    ("host", "ip", "expected"),
    [
        ("127.0.0.1", "any", ["127.0.0.1"]),
        ("127.0.0.1", "6", []),
        ("::1", "any", ["::1"]),
        ("2001:DB8:0::1", "6", ["2001:db8::1"]),
        ("localhost", "any", ["::1", "127.0.0.1"]),
        ("LocalHost.", "4", ["127.0.0.1"]),
        ("shop.localhost", "6", ["::1"]),
        ("shop.example", "any", None),
        ("127.1", "any", None),
        ("1.2.3.4.5", "any", None),
        ("fe80::1%nowhere", "any", None),
        ("fe80::1%1", "any", ["fe80::1%1"]),
        ("fe80::1%²", "any", None),
        ("fe80::1%99999999999", "any", None),
        pytest.param(f"fe80::1%{'9' * 5000}", "any", None, id="endless"),
        ("fe80::1%a\0b", "any", None),
        ("", "any", None),
    ],
)
def test_an_address_written_out_needs_no_lookup(host, ip, expected):
    known = written_out(host, 80, ip)

    assert expected == (known if known is None else [one.ip for one in known])


def test_an_address_of_the_other_family_is_no_address():
    result = looked_up("127.0.0.1", ip="6")

    assert (Reason.dns_failed, True) == (result.reason, "IPv6" in result.text)


@pytest.mark.parametrize("host", ["shop.invalid", "a" * 64 + ".example", "a..b", "\u0fff.invalid"])
def test_a_name_without_an_address_is_a_dns_failure(host):
    result = looked_up(host)

    assert isinstance(result, Unfound)
    assert result.reason in (Reason.dns_failed, Reason.dns_timeout)


def test_a_lookup_that_waits_for_its_turn_ends_at_its_deadline():
    async def main():
        lookup = Lookup(threads=1)
        release = socket.socketpair()
        lookup._threads.submit(release[0].recv, 1)
        try:
            return await lookup.find("shop.invalid", 80, time.monotonic() + 0.05)
        finally:
            release[1].send(b"x")
            lookup.close()
            for each in release:
                each.close()

    assert Reason.dns_timeout is asyncio.run(main()).reason


def test_addresses_are_told_apart_by_family():
    assert Address(socket.AF_INET, "127.0.0.1", ("127.0.0.1", 80)).port == 80
    assert isinstance(dialled(), Undialled)
