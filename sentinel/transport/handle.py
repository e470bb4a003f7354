"""One libcurl handle, preset for one shape of request, and what it reads into.

Setting some thirty options costs more than a plain transfer's own Python, so handles are
kept by shape: everything of a request but its URL, body, limits and where its origin is
found. A handle never outlives its shape's options, speaks http and https only, opens a new
connection each time, keeps no TLS session, reads no proxy, cookie or credential from the
machine, and follows no redirect by itself (``transport.redirects`` does, hop by hop, so that
each has its own phases, certificate and rules).
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import pycurl

from sentinel.transport.flood import Flood
from sentinel.transport.preset import check, elsewhere, named_otherwise, preset, secure, spoken
from sentinel.transport.reasons import Reason
from sentinel.transport.wire import Request

Reader = Callable[[bytes], int | None]
"""Takes a chunk of a good answer's body; may answer with WRITEFUNC_PAUSE."""

_MOST_CHUNKS = 256
"""Joining a list costs a hundred bytes a chunk, and a hostile server sends chunks of one byte."""
_NEGOTIATED = b"SSL connection using "


def shape(request: Request) -> Hashable:
    """What two requests must have in common to use the same handle."""
    return (
        secure(request),
        request.method,
        request.headers,
        request.body is not None,
        request.verify,
        request.ca_file,
        request.cert_file,
        request.key_file,
        request.ip,
        request.http_version,
        request.compression,
        request.user_agent,
        named_otherwise(request),
        request.unix_socket,
        request.source_ip,
        request.connect_to != "",
        request.resolve_to != "",
        request.proxy,
        request.proxy_headers,
        request.no_proxy,
        request.tls_min_version,
        request.tls_max_version,
        request.ca_pem,
        request.cert_pem,
        request.key_pem,
    )


class Handle:
    """A libcurl handle and the answer it is reading. Not shared while a transfer uses it."""

    __slots__ = (
        "_good",
        "_many",
        "chunks",
        "curl",
        "flood",
        "limit",
        "lines",
        "negotiated",
        "overflow",
        "reader",
        "shape",
        "size",
    )

    def __init__(self, request: Request, key: Hashable) -> None:
        self.shape = key
        self.curl: Any = pycurl.Curl()
        self.flood = Flood()
        self.lines: list[bytes] = []
        self.clear()
        preset(self.curl, request)
        # A list's own append: libcurl bounds lines, their length and their sum by itself.
        self.curl.setopt(pycurl.HEADERFUNCTION, self.lines.append)
        self.curl.setopt(pycurl.WRITEFUNCTION, self.on_body)
        if secure(request):
            self.curl.setopt(pycurl.DEBUGFUNCTION, self.on_debug)
            self.curl.setopt(pycurl.VERBOSE, 1)
            self.curl.setopt(pycurl.SOCKOPTFUNCTION, self.flood.on_socket)

    def clear(self) -> None:
        """Forget the last answer."""
        self.lines.clear()
        self.chunks: list[bytes] = []
        self._many = bytearray()
        self._good: bool | None = None
        self.size = 0
        self.limit = 0
        self.overflow: Reason | None = None
        self.reader: Reader | None = None
        self.negotiated = ""
        self.flood.clear()

    def aim(self, request: Request, *, timeout_s: float, reader: Reader | None) -> None:
        """Set what differs between requests of one shape. Raises pycurl.error or ValueError for
        what libcurl will not take."""
        self.clear()
        self.limit = request.body_limit
        self.reader = reader
        curl = self.curl
        curl.setopt(pycurl.URL, spoken(request).encode())
        curl.setopt(pycurl.TIMEOUT_MS, max(1, int(timeout_s * 1000)))
        if request.body is not None:
            curl.setopt(pycurl.POSTFIELDS, request.body)
        if there := elsewhere(request):
            curl.setopt(pycurl.CONNECT_TO, there)

    def on_body(self, chunk: bytes) -> int | None:
        size = self.size + len(chunk)
        if size > self.limit:
            self.overflow = Reason.body_too_large
            if self.reader is None:
                self.chunks.append(chunk[: self.limit - self.size])
            return 0
        if self.reader is not None and self.good():
            paused = self.reader(chunk)
            if paused is None:
                self.size = size
            return paused
        self.size = size
        self.chunks.append(chunk)
        if len(self.chunks) > _MOST_CHUNKS:
            self._many += b"".join(self.chunks)
            self.chunks.clear()
        return None

    def on_debug(self, kind: int, text: bytes) -> None:
        if kind == pycurl.INFOTYPE_TEXT and text[:21] == _NEGOTIATED:
            self.negotiated = text[21:].decode("ascii", "replace")
        elif kind == pycurl.INFOTYPE_SSL_DATA_IN:
            self.flood.on_tls(text)

    def good(self) -> bool:
        """Whether the answer's status is 2xx; libcurl may not be asked while it reads."""
        if self._good is None:
            status = next((line for line in reversed(self.lines) if line[:5] == b"HTTP/"), b"")
            self._good = status.partition(b" ")[2][:1] == b"2"
        return self._good

    def head(self) -> bytes:
        """The answer's head as it came, without those of 1xx answers before it and the trailers
        after it."""
        lines = self.lines
        if lines and lines[-1] == b"\r\n" and lines.count(b"\r\n") == 1:
            return b"".join(lines)
        starts = [index for index, line in enumerate(lines) if line[:5] == b"HTTP/"]
        last = lines[starts[-1] :] if starts else lines
        return b"".join(last[: last.index(b"\r\n") + 1] if b"\r\n" in last else last)

    def trailers(self) -> bytes:
        """What came after the last head and its body."""
        lines = self.lines
        starts = [index for index, line in enumerate(lines) if line[:5] == b"HTTP/"]
        last = lines[starts[-1] :] if starts else []
        return b"".join(last[last.index(b"\r\n") + 1 :]) if b"\r\n" in last else b""

    def body(self) -> bytes:
        """The decoded body, as far as it came and was not taken by a reader."""
        if self._many:
            return bytes(self._many) + b"".join(self.chunks)
        return self.chunks[0] if len(self.chunks) == 1 else b"".join(self.chunks)

    def pems(self) -> Sequence[str]:
        """The presented chain in PEM, leaf first; also when it was refused."""
        try:
            listed = self.curl.getinfo(pycurl.INFO_CERTINFO)
        except UnicodeDecodeError:  # a name in another encoding: the PEM itself is ASCII
            listed = [
                [(k.decode("ascii", "replace"), v.decode("ascii", "replace")) for k, v in one]
                for one in self.curl.getinfo_raw(pycurl.INFO_CERTINFO)
            ]
        return tuple(value for one in listed for name, value in one if name == "Cert")

    def take_cookies(self) -> list[bytes]:
        """The cookies known after the transfer, as libcurl's lines; the handle forgets them."""
        lines: list[bytes] = self.curl.getinfo_raw(pycurl.INFO_COOKIELIST)
        if lines:
            self.curl.setopt(pycurl.COOKIELIST, "ALL")
        return lines

    def close(self) -> None:
        self.curl.close()


class Pool:
    """Idle handles by shape, at most `limit`; one of the shape that was used longest ago goes first."""

    def __init__(self, limit: int = 256) -> None:
        self._limit = limit
        self._idle: dict[Hashable, list[Handle]] = {}
        self._count = 0

    def take(self, request: Request) -> Handle:
        """A handle for this request's shape. Raises ValueError or pycurl.error when there can be none."""
        key = shape(request)
        idle = self._idle.get(key)
        if not idle:
            check(request)
            return Handle(request, key)
        self._count -= 1
        return idle.pop()

    def give(self, handle: Handle) -> None:
        """Take back a handle whose transfer ended."""
        idle = self._idle.pop(handle.shape, [])  # popped and put: the newest used is last
        idle.append(handle)
        self._idle[handle.shape] = idle
        self._count += 1
        while self._count > self._limit:
            oldest = next(iter(self._idle))  # one at a time: a burst may be of one shape alone
            self._idle[oldest].pop(0).close()
            self._count -= 1
            if not self._idle[oldest]:
                del self._idle[oldest]

    def close(self) -> None:
        for idle in self._idle.values():
            for handle in idle:
                handle.close()
        self._idle.clear()
        self._count = 0
