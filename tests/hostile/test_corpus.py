"""Nasty bytes for every parser: each reads them, or refuses them in its own words, and soon."""

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile.parsers import PARSERS, Parser, refused

NASTY: dict[str, bytes] = {
    "nothing": b"",
    "a NUL": b"\0",
    "many NULs": bytes(10_000),
    "all bytes": bytes(range(256)),
    "all bits": b"\xff" * 10_000,
    "half of a character": b"abc\xc3",
    "a surrogate": b"\xed\xa0\x80",
    "a byte order mark": b"\xef\xbb\xbf",
    "of UTF-16": b"\xff\xfe<\0r\0s\0s\0>\0",
    "lines without an end": b"x" * 200_000,
    "ends without lines": b"\r\n" * 50_000,
    "bare carriage returns": b"\r" * 10_000,
    "a number of thousands of digits": b"9" * 5_000,
    "noughts": b"0" * 5_000,
    "a large exponent": b"1e999999999",
    "not a number": b"NaN Infinity -Infinity",
    "digits of elsewhere": "١٢٣ ²³ ⅷ 𝟘".encode(),
    "brackets": b"[" * 100_000,
    "braces": b'{"a":' * 100_000,
    "elements": b"<a>" * 100_000,
    "a document type": b'<!DOCTYPE a [<!ENTITY b "c">]><rss><item><id>&b;</id></item></rss>',
    "laughs": b'<!DOCTYPE a [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><rss>&b;</rss>',
    "aliases": b"a: &a [x,x,x]\nb: &b [*a,*a,*a]\nc: &c [*b,*b,*b]\nd: [*c,*c,*c]\n",
    "an alias of itself": b"a: &a [*a]\n",
    "a tag": b"a: !!python/object/apply:os.system [id]\n",
    "a key of no kind": b"? [a, b]\n: c\n? {d: e}\n: f\n",
    "merged keys": b"a: &a {b: c}\nd:\n  <<: [*a, *a]\n",
    "a JSON number": b'{"a": ' + b"9" * 5_000 + b"}",
    "a JSON key twice": b'{"a": 1, "a": 2}',
    "a lone surrogate": b'{"a": "\\ud800"}',
    "a text that is none": b'{"page":{"name":"\xff"},"status":{"indicator":"\xff"}}',
    "a status that is none": b'{"status":"\xff"}',
    "quotes": b'"' * 10_001,
    "commas": b"," * 10_000,
    "performance data": b"|" * 1_000 + b"a=1;;;;;;" * 1_000,
    "quoted labels": b"OK | 'a''b'=1 '=2 ''=3 c==4 d='5'",
    "a year beyond all": b"99999-12-31T00:00:00Z",
    "a zone beyond all": b"2026-03-01T00:00:00+99:99",
    "pointers": b"\0\0\x81\x80\0\1\0\1\0\0\0\0" + b"\xc0\x0c" * 100,
    "lengths": b"\x30\x84\xff\xff\xff\xff" * 10,
    "nested lengths": b"\x30\x80" * 1_000,
    "a huge chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 99,
    "a length of noughts": b"HTTP/1.1 200 OK\r\nContent-Length: " + b"0" * 5_000 + b"\r\n\r\nhello",
    "headers without sense": b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\nDate: \xff\r\n: \r\n\r\n",
    "a date of sense": b"HTTP/1.1 200 OK\r\nLast-Modified: Mon, 99 Xyz 99999 99:99:99\r\n\r\n",
    "brackets in a URL": b"http://[::1",
    "a port of no sense": b"http://a:99999999999/",
    "a user who is a host": b"http://a@b:c@d/",
}

SOON_S = 5.0
"""A generous bound for one of these, on a machine with other things to do: it finds what never ends."""


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_reads_what_it_should(name: str) -> None:
    parser = PARSERS[name]

    certificate = name == "certificate"  # a real one is read in `tests/transport/test_tls.py`
    assert [certificate] * len(parser.seeds) == [refused(parser, seed) for seed in parser.seeds]


@pytest.mark.parametrize("name", PARSERS)
def test_nasty_bytes_are_read_or_refused_soon(name: str) -> None:
    parser = PARSERS[name]
    for nasty, content in NASTY.items():
        for whole in (content, *(seed + content for seed in parser.seeds)):
            began = time.monotonic()
            refused(parser, whole)
            assert time.monotonic() - began < SOON_S, nasty


@pytest.mark.parametrize("name", PARSERS)
def test_a_seed_cut_anywhere_is_read_or_refused(name: str) -> None:
    parser = PARSERS[name]
    for seed in parser.seeds:
        for at in range(len(seed)):
            refused(parser, seed[:at])
            refused(parser, seed[:at] + seed[at + 1 :])


@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_bytes_are_read_or_refused(name: str, data: st.DataObject) -> None:
    refused(PARSERS[name], data.draw(altered(PARSERS[name])))


def altered(parser: Parser) -> st.SearchStrategy[bytes]:
    """Bytes of all kinds, and seeds in which some were replaced."""
    pieces = st.sampled_from([*NASTY.values()]).map(lambda nasty: nasty[:50]) | st.binary(
        max_size=20
    )

    def spliced(seed: bytes) -> st.SearchStrategy[bytes]:
        place = st.integers(0, len(seed))
        return st.tuples(place, place, pieces).map(
            lambda cut: seed[: min(cut[:2])] + cut[2] + seed[max(cut[:2]) :]
        )

    return st.binary(max_size=300) | st.sampled_from(parser.seeds).flatmap(spliced)
