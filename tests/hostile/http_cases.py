"""What a sick web server can do, and what `Transport.fetch` calls it, whichever lane it took."""

import gzip
from collections.abc import Iterator, Mapping

from tests.hostile.acts import (
    END,
    Drip,
    Hear,
    Hold,
    Pour,
    Repeat,
    Reset,
    Say,
    acting,
    brotli_bomb,
    deflate_bomb,
    gzip_bomb,
    many_times_gzipped,
)
from tests.hostile.suite import Case, case
from tests.transport.servers import Script, redirect

ASKED = Hear(END)
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
LETTERS = b"b" * 65536
MANY_COOKIES = b"".join(b"Set-Cookie: cookie%d=value\r\n" % number for number in range(1_000))
COOKIES = b"".join(b"Set-Cookie: cookie%d=value\r\n" % number for number in range(10_000))


def encoded(name: bytes) -> Say:
    return Say(HEAD + b"Content-Encoding: " + name + b"\r\n\r\n")


def _from_page_to_page(extra: bytes = b"") -> Script:
    """Each page leads to the next one, and there is always a next one."""

    async def script(reader, writer):
        head = await reader.readuntil(END)
        last = head.split(b" ")[1].rpartition(b"/")[2]
        page = int(last) if last.isdigit() else 0
        location = b"HTTP/1.1 302 Moved\r\nLocation: /%d\r\nContent-Length: 0\r\n" % (page + 1)
        cookies = extra.replace(b"cookie", b"cookie%d_" % page)
        writer.write(location + cookies + b"\r\n")
        await writer.drain()

    return script


def _chunks(size: int = 1 << 30) -> Iterator[bytes]:
    for _ in range(size // len(LETTERS)):
        yield b"10000\r\n" + LETTERS + b"\r\n"


def bad_gzip() -> bytes:
    """Compressed well, but not what its own checksum says."""
    whole = bytearray(many_times_gzipped(1))
    whole[-5] ^= 1
    return bytes(whole)


HTTP: tuple[Case, ...] = (
    # before and within the head
    case("reset instead of an answer", acting(ASKED, Reset()), "reset"),
    case("closed instead of an answer", acting(ASKED), "empty_reply"),
    case("reset within the head", acting(ASKED, Say(HEAD), Reset()), "reset"),
    case("closed within the head", acting(ASKED, Say(HEAD)), "truncated"),
    case("no answer", acting(ASKED, Hold()), "timeout"),
    case("one byte of the head at a time", acting(ASKED, Drip(HEAD * 99)), "timeout"),
    case("endless headers", acting(ASKED, Say(HEAD), Repeat(b"X-A: bbbb\r\n")), "headers_too_large"),
    case("endless header line", acting(ASKED, Say(HEAD + b"X-A: "), Repeat(b"b")), "headers_too_large"),
    case("endless status line", acting(ASKED, Say(b"HTTP/1.1 200 "), Repeat(b"K")), "headers_too_large"),
    case("endless folded header", acting(ASKED, Say(HEAD + b"X-A: b\r\n"), Repeat(b" b\r\n")), "headers_too_large"),
    case("a header line of 200 KB", acting(ASKED, Say(HEAD + b"X-A: " + b"b" * 200_000 + END)), "headers_too_large"),
    case("a header line of 64 KB", acting(ASKED, Say(HEAD + b"X-A: " + b"b" * 65_000 + END)), ""),
    case("endless early hints", acting(ASKED, Repeat(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")), "headers_too_large"),
    case("endless 100 Continue", acting(ASKED, Repeat(b"HTTP/1.1 100 Continue\r\n\r\n")), "headers_too_large"),
    case("ten thousand cookies", acting(ASKED, Say(HEAD + COOKIES + b"\r\n")), "headers_too_large"),
    case("NUL in a header", acting(ASKED, Say(HEAD + b"X-A: a\0b" + END)), "protocol_error"),
    case("NUL for ever", acting(ASKED, Repeat(b"\0")), "protocol_error"),
    case("a header without a colon", acting(ASKED, Say(HEAD + b"nonsense" + END)), "protocol_error"),
    case("HTTP/0.9", acting(ASKED, Say(b"<html>hello</html>")), "protocol_error"),
    case("endless HTTP/0.9", acting(ASKED, Repeat(b"<html>hello</html>")), "protocol_error"),
    case("HTTP of the future", acting(ASKED, Say(b"HTTP/7.3 200 OK" + END)), "protocol_error"),
    case("a status of five digits", acting(ASKED, Say(b"HTTP/1.1 20000 OK" + END)), ""),
    case("another protocol", acting(ASKED, Say(b"SSH-2.0-OpenSSH_9.2p1\r\n")), "protocol_error"),
    case("switched without being asked", acting(ASKED, Say(b"HTTP/1.1 101 Switching" + END), Repeat(b"x")), "body_too_large"),
    # lengths
    case("a length and no body", acting(ASKED, Say(HEAD + b"Content-Length: 99999\r\n\r\n"), Hold()), "timeout"),
    case("a length too long", acting(ASKED, Say(HEAD + b"Content-Length: 9\r\n\r\nhalf")), "truncated"),
    case("a length too short", acting(ASKED, Say(HEAD + b"Content-Length: 2\r\n\r\nhello"), Repeat(b"x")), ""),
    case("a negative length", acting(ASKED, Say(HEAD + b"Content-Length: -4\r\n\r\nhello")), "protocol_error"),
    case("two lengths", acting(ASKED, Say(HEAD + b"Content-Length: 5\r\nContent-Length: 7\r\n\r\nhello")), "protocol_error"),
    case("a length of words", acting(ASKED, Say(HEAD + b"Content-Length: five\r\n\r\nhello")), "protocol_error"),
    case("a length beyond all numbers", acting(ASKED, Say(HEAD + b"Content-Length: " + b"9" * 40 + END), Repeat(LETTERS)), "body_too_large"),
    case("a length of five thousand digits", acting(ASKED, Say(HEAD + b"Content-Length: " + b"9" * 5000 + END), Say(b"hello")), ""),
    case("a length of five thousand noughts", acting(ASKED, Say(HEAD + b"Content-Length: " + b"0" * 5000 + b"5" + END), Say(b"hello")), ""),
    case("a date of five thousand digits", acting(ASKED, Say(HEAD + b"Last-Modified: " + b"9" * 5000 + END), Say(b"hello")), ""),
    case("a gigantic length", acting(ASKED, Say(HEAD + b"Content-Length: 99999999999\r\n\r\n"), Repeat(LETTERS)), "body_too_large"),
    # bodies
    case("endless body", acting(ASKED, Say(HEAD + b"\r\n"), Repeat(LETTERS)), "body_too_large"),
    case("one byte of the body at a time", acting(ASKED, Say(HEAD + b"\r\n"), Drip(LETTERS)), "timeout"),
    case("reset within the body", acting(ASKED, Say(HEAD + b"Content-Length: 9\r\n\r\nhalf"), Reset()), "reset"),
    case("endless chunks", acting(ASKED, Say(CHUNKED), Pour(_chunks)), "body_too_large"),
    case("endless chunks of one byte", acting(ASKED, Say(CHUNKED), Repeat(b"1\r\nb\r\n")), "body_too_large"),
    case("a chunk beyond all numbers", acting(ASKED, Say(CHUNKED + b"f" * 17 + b"\r\n"), Repeat(LETTERS)), "protocol_error"),
    case("a gigantic chunk", acting(ASKED, Say(CHUNKED + b"7fffffffffffffff\r\n"), Repeat(LETTERS)), "body_too_large"),
    case("a negative chunk", acting(ASKED, Say(CHUNKED + b"-5\r\nhello\r\n")), "protocol_error"),
    case("a chunk without a size", acting(ASKED, Say(CHUNKED + b"zz\r\n")), "protocol_error"),
    case("a chunk longer than it said", acting(ASKED, Say(CHUNKED + b"2\r\nhello\r\n0\r\n\r\n")), "protocol_error"),
    case("endless chunk extension", acting(ASKED, Say(CHUNKED + b"5;"), Repeat(b"x")), "timeout"),
    case("no last chunk", acting(ASKED, Say(CHUNKED + b"5\r\nhello\r\n")), "truncated"),
    case("reset within a chunk", acting(ASKED, Say(CHUNKED + b"5\r\nhel"), Reset()), "reset"),
    case("endless trailers", acting(ASKED, Say(CHUNKED + b"0\r\n"), Repeat(b"X-A: bbbb\r\n")), "headers_too_large"),
    # redirects
    case("redirect loop", acting(ASKED, Say(redirect("/"))), "too_many_redirects"),
    case("endless redirects", _from_page_to_page(), "too_many_redirects"),
    case("a thousand cookies from page to page", _from_page_to_page(MANY_COOKIES), "too_many_redirects"),
    case("redirect to a file", acting(ASKED, Say(redirect("file:///etc/passwd"))), "redirect_refused"),
    case("redirect to gopher", acting(ASKED, Say(redirect("gopher://127.0.0.1:1/"))), "redirect_refused"),
    case("redirect to a script", acting(ASKED, Say(redirect("javascript:alert(1)"))), "redirect_refused"),
    case("redirect to no URL", acting(ASKED, Say(redirect("http://[::1"))), "redirect_refused"),
    case("redirect to a URL of 60 KB", acting(ASKED, Say(redirect("/" + "x" * 60_000))), "too_many_redirects"),
    case("redirect with an endless body", acting(ASKED, Say(b"HTTP/1.1 302 Moved\r\nLocation: /\r\n\r\n"), Repeat(LETTERS)), "body_too_large"),
    # what is only for people
    case("a header that is no UTF-8", acting(ASKED, Say(HEAD + b"X-\xc3\xa4: \xff\r\nContent-Length: 0" + END)), ""),
    case("a body that is no UTF-8", acting(ASKED, Say(HEAD + b"Content-Length: 3\r\n\r\n\xff\xfe\x80")), ""),
    case("JSON that is no UTF-8", acting(ASKED, Say(HEAD + b'\r\n{"a": "\xff"}')), ""),
    case("JSON a million deep", acting(ASKED, Say(HEAD + b"\r\n" + b"[" * 1_000_000)), ""),
    case("HTML a hundred thousand deep", acting(ASKED, Say(HEAD + b"\r\n" + b"<div>" * 100_000)), ""),
)  # fmt: skip
"""These end alike for every kind that asks a web server, but for what `EXCEPTIONS` says."""

COMPRESSED: tuple[Case, ...] = (
    case("a bomb of gzip", acting(ASKED, encoded(b"gzip"), Say(gzip_bomb())), "body_too_large"),
    case("a bomb of deflate", acting(ASKED, encoded(b"deflate"), Say(deflate_bomb())), "body_too_large"),
    case("a bomb of brotli", acting(ASKED, encoded(b"br"), Say(brotli_bomb())), "body_too_large"),
    case("a bomb within a bomb", acting(ASKED, encoded(b"gzip, gzip"), Say(gzip.compress(gzip_bomb()))), "body_too_large"),
    case("compressed ten times", acting(ASKED, encoded(b"gzip, " * 9 + b"gzip"), Say(many_times_gzipped(10))), "decode_error"),
    case("compressed by nobody knows what", acting(ASKED, encoded(b"snappy"), Say(b"hello")), "decode_error"),
    case("not compressed at all", acting(ASKED, encoded(b"gzip"), Say(b"hello")), "decode_error"),
    case("compressed and cut short", acting(ASKED, encoded(b"gzip"), Say(many_times_gzipped(1)[:-9])), ""),
    case("compressed and damaged", acting(ASKED, encoded(b"gzip"), Say(bad_gzip())), "decode_error"),
    case("brotli that is none", acting(ASKED, encoded(b"br"), Say(b"\xff" * 99)), "decode_error"),
)  # fmt: skip
"""For kinds that ask for compression."""


_OTHER_WORDS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "feed": {"": frozenset({"empty", "no_items"}), "body_too_large": frozenset({"too_large"})},
    "vendor_status": {"": frozenset({"not_a_status_page"})},
    "promql": {"": frozenset({"not_prometheus"})},
    "domain": {"": frozenset({"not_rdap"})},
}
"""What a kind calls a page that came well and is not what it reads, and the like."""

_SEEN_BY: Mapping[tuple[str, str], frozenset[str]] = {
    ("feed", "JSON that is no UTF-8"): frozenset({"", "no_items"}),
    ("feed", "HTML a hundred thousand deep"): frozenset({"too_deep"}),
}


def cases_of(way: str) -> tuple[Case, ...]:
    """The table in a kind's own words."""
    if way == "http compressed":
        return COMPRESSED
    words = _OTHER_WORDS.get(way, {})
    return tuple(
        Case(
            each.sickness,
            each.script,
            _SEEN_BY.get((way, each.sickness))
            or frozenset().union(*(words.get(one, {one}) for one in each.reasons)),
        )
        for each in HTTP
    )


WAYS = (
    "http",
    "http own lane",
    "http compressed",
    "journey",
    "feed",
    "vendor_status",
    "promql",
    "domain",
)
