"""Which address of a name is taken, and the number it is shown as."""

import asyncio
import socket
import time

import pytest

from sentinel.transport.lookup import Lookup, Unfound, written_out
from sentinel.transport.reasons import Reason
from sentinel.transport.resolve import address_hash, resolve

FOUR, SIX = written_out("192.0.2.7", 0)[0], written_out("2001:db8::7", 0)[0]


class Names(Lookup):
    """A lookup that knows what a test tells it."""

    def __init__(self, *found):
        super().__init__(threads=1)
        self.found = found
        self.asked = []

    async def find(self, host, port, deadline, *, ip="any"):
        self.asked.append(host)
        return self.found or Unfound(Reason.dns_failed, "no such name")


def resolved(host, *found, **how):
    lookup = Names(*found)
    try:
        return asyncio.run(resolve(lookup, host, time.monotonic() + 5, **how))
    finally:
        lookup.close()


@pytest.mark.parametrize(
    ("found", "how", "expected"),
    [
        ([FOUR, SIX], {}, SIX),
        ([FOUR, SIX], {"prefer": "ip4"}, FOUR),
        ([SIX, FOUR], {"prefer": "ip4", "fallback": False}, FOUR),
        ([FOUR], {}, FOUR),
        ([SIX], {"prefer": "ip4"}, SIX),
        ([FOUR], {"fallback": False}, None),
        ([SIX], {"prefer": "ip4", "fallback": False}, None),
        ([], {}, None),
    ],
)
def test_the_first_of_the_preferred_family_is_taken(found, how, expected):
    result = resolved("shop.example", *found, **how)

    assert expected == result.address
    assert (None if expected else "dns_failed") == result.reason


def test_an_address_that_is_written_out_is_taken_whatever_is_preferred():
    result = resolved("192.0.2.7", prefer="ip6", fallback=False)

    assert (FOUR, 0.0, 4) == (result.address, result.lookup_s, result.protocol)


def test_localhost_follows_the_preference():
    lookup = Lookup(threads=1)
    try:
        result = asyncio.run(resolve(lookup, "localhost", time.monotonic() + 5, prefer="ip4"))
    finally:
        lookup.close()
    assert socket.AF_INET == result.address.family


def test_addresses_are_hashed_as_blackbox_exporter_does():
    assert (3668918509, 1751717746) == (address_hash("127.0.0.1"), address_hash("::1"))
    assert (6, address_hash("2001:db8::7")) == (
        resolved("shop.example", SIX).protocol,
        resolved("shop.example", SIX).hash,
    )
    assert (0, 0) == (resolved("nowhere").protocol, resolved("nowhere").hash)
