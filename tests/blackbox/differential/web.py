"""A site whose pages say what a request was, and a proxy: enough of HTTP to tell a probe's keys apart.

Paths: ``/ok``, ``/status/N``, ``/json``, ``/bytes/N``, ``/gzip`` (``/br``, ``/deflate``),
``/chunked``, ``/to?u=URL`` (a redirect, ``/to/307`` with that status), ``/method/M``,
``/wants?h=NAME&v=VALUE`` (200 if a header has that value, else 401), ``/starts?…`` (begins with it), ``/said?b=BODY``, and
``/token?…`` (OAuth 2: the client must be ana with ``secret``, and the form hold the query's pairs).
"""

import asyncio
import gzip
import json
import zlib
from base64 import b64decode, urlsafe_b64decode
from collections import Counter
from contextlib import suppress
from urllib.parse import parse_qs, unquote_plus, urlsplit

import brotli

TEXT = b"hello you"
PACKED = {
    "gzip": gzip.compress(TEXT),
    "br": brotli.compress(TEXT),
    "deflate": zlib.compress(TEXT, wbits=-15),
}


COUNTED: Counter[str] = Counter()
"""How often each URL was asked for."""


class Asked:
    """A request as it came."""

    def __init__(self, head: str, body: bytes) -> None:
        line, _, rest = head.partition("\r\n")
        self.method, self.url, _ = line.split(" ", 2)
        pairs = (each.partition(":") for each in rest.split("\r\n") if each)
        self.headers = [(name.lower(), value.strip()) for name, _, value in pairs]
        self.body = body

    def has(self, name: str, value: str) -> bool:
        return (name.lower(), value) in self.headers

    def first(self, name: str) -> str:
        return next((value for each, value in self.headers if each == name), "")


async def heard(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("iso-8859-1")
    asked = Asked(head, b"")
    if asked.first("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            asked.body += await reader.readexactly(size)
            await reader.readline()
    elif asked.first("content-length"):
        asked.body = await reader.readexactly(int(asked.first("content-length")))
    return asked


def answer(status: int, body: bytes = TEXT, **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def good(well: bool) -> bytes:
    return answer(200 if well else 401)


def page(asked: Asked) -> bytes:
    parts = urlsplit(asked.url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    word, _, rest = parts.path.strip("/").partition("/")
    match word:
        case "status":
            return answer(int(rest))
        case "json":
            return answer(200, b'{"state": "up", "n": 2}', content_type="application/json")
        case "bytes":
            return answer(200, b"x" * int(rest))
        case "gzip" | "br" | "deflate":
            return answer(200, PACKED[word], content_encoding=word)
        case "chunked":
            lines = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            return lines + b"%x\r\n%b\r\n0\r\n\r\n" % (len(TEXT), TEXT)
        case "to":
            return answer(int(rest or 302), location=query["u"])
        case "method":
            return good(asked.method == rest)
        case "wants":
            return good(asked.has(query["h"], query["v"]))
        case "lacks":
            return good(not asked.first(query["h"]))
        case "starts":
            return good(asked.first(query["h"].lower()).startswith(query["v"]))
        case "said":
            return good(asked.body.decode() == query["b"])
        case "cookie":
            return answer(302, location=query["u"], set_cookie="basket=7; Path=/")
        case "token":
            return token(asked, query)
    dated = "Sun, 06 Nov 1994 08:49:37 GMT"
    return answer(200, x_one="a", last_modified=dated)


def token(asked: Asked, wanted: dict[str, str]) -> bytes:
    form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
    if "assertion" in form:
        return assertion(form, wanted)
    who = (form.get("client_id", ""), form.get("client_secret", ""))
    scheme, _, given = asked.first("authorization").partition(" ")
    if scheme.lower() == "basic":
        user, _, secret = b64decode(given).decode().partition(":")
        who = (unquote_plus(user), unquote_plus(secret))
    if who != ("ana", "secret") or any(form.get(name) != each for name, each in wanted.items()):
        return answer(401, b'{"error": "invalid_client"}', content_type="application/json")
    return handed_out()


def assertion(form: dict[str, str], wanted: dict[str, str]) -> bytes:
    """As well signed as it says: whether it is, other tests tell."""
    claims: dict[str, str] = {}
    for part in form["assertion"].split(".")[:2]:
        claims |= json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    if any(str(claims.get(name)) != each for name, each in wanted.items()):
        return answer(400, b'{"error": "invalid_grant"}', content_type="application/json")
    return handed_out()


def handed_out() -> bytes:
    said = {"access_token": "t0ken", "token_type": "Bearer", "expires_in": 3600}
    return answer(200, json.dumps(said).encode(), content_type="application/json")


async def site(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One request, one answer."""
    asked = await heard(reader)
    COUNTED[asked.url] += 1
    said = page(asked)
    if asked.method == "HEAD":
        said = said.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    writer.write(said)
    await writer.drain()


async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Fetch for others, and tunnel. Who asks to CONNECT with ``X-Out: no`` is refused; what goes
    through in clear has ``X-Through: proxy``."""
    asked = await heard(reader)
    if asked.method == "CONNECT":
        if asked.has("X-Out", "no"):
            writer.write(answer(403))
            return
        host, _, port = asked.url.rpartition(":")
        await tunnelled(reader, writer, host.strip("[]"), int(port), b"HTTP/1.1 200 OK\r\n\r\n")
        return
    parts = urlsplit(asked.url)
    to_reader, to_writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    lines = [f"{asked.method} {path} HTTP/1.1", "X-Through: proxy"]
    lines += [f"{name}: {value}" for name, value in asked.headers]
    to_writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + asked.body)
    try:
        await poured(to_reader, writer)
    finally:
        to_writer.close()


async def tunnelled(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    host: str,
    port: int,
    before: bytes = b"",
) -> None:
    """Everything on to a server, and back; `before` is said when it was reached."""
    from_there, to_there = await asyncio.open_connection(host, port)
    try:
        writer.write(before)
        await asyncio.gather(poured(reader, to_there), poured(from_there, writer))
    finally:
        to_there.close()


async def poured(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """All that comes, to the end."""
    with suppress(OSError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
        else:
            writer.close()
