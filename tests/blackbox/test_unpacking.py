"""Compressed bodies: whole, broken, joined, and far too large."""

import gzip
import os
import zlib

import brotli
import pytest

from sentinel.blackbox.unpacking import unpack

LIMIT = 10_000_000
CONTENT = os.urandom(300_000) + b"a" * 3_000_000
PACK = {
    "gzip": gzip.compress,
    "br": lambda content: brotli.compress(content, quality=3),
    "deflate": lambda content: zlib.compress(content, wbits=-15),
}


@pytest.mark.parametrize("kind", PACK)
def test_what_was_packed_is_unpacked(kind):
    for content in (b"", b"x", CONTENT):
        unpacked = unpack(PACK[kind](content), kind, limit=LIMIT, whole=True)

        assert (len(content), "") == (unpacked.counted, unpacked.problem)
        assert content == unpacked.body


@pytest.mark.parametrize("kind", PACK)
def test_no_more_than_the_limit_is_unpacked(kind):
    unpacked = unpack(PACK[kind](CONTENT), kind, limit=1000, whole=True)

    assert (1000, True, 1000) == (unpacked.counted, unpacked.too_large, len(unpacked.body))


@pytest.mark.parametrize("kind", PACK)
def test_a_stream_that_stops_is_a_problem_unless_the_body_broke_off(kind):
    half = PACK[kind](CONTENT)[:200_000]

    assert "stops in the middle" in unpack(half, kind, limit=LIMIT, whole=True).problem
    assert "" == unpack(half, kind, limit=LIMIT, whole=False).problem


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("body", [b"", b"hello, this is not packed at all", b"\xff" * 100])
def test_what_is_not_packed_is_a_problem(kind, body):
    unpacked = unpack(body, kind, limit=LIMIT, whole=True)

    assert (b"", True) == (unpacked.body, bool(unpacked.problem))


@pytest.mark.parametrize("size", [10, 65_536, 200_000])
def test_joined_gzip_files_are_one(size):
    parts = [os.urandom(size), b"", b"more"]

    unpacked = unpack(b"".join(map(gzip.compress, parts)), "gzip", limit=LIMIT, whole=True)

    assert (b"".join(parts), "") == (unpacked.body, unpacked.problem)
