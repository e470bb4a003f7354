"""Every parser that reads from the network or a file, as one function of bytes, with seeds.

Each may raise what `refusals` names and nothing else. `tests.hostile.test_corpus` gives them nasty
bytes and Hypothesis' own, `python -m tests.fuzz` whatever atheris finds.
"""

import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sentinel.errors import ExpressionFailed
from sentinel.library.catalog import check_alone
from sentinel.library.discovery import ListRefused, read_found, unfit
from sentinel.library.importing.draft import ImportRefused
from sentinel.library.importing.gatus import read_gatus
from sentinel.library.importing.kuma import read_kuma
from sentinel.library.modules import ModulesRefused, read_modules
from sentinel.library.reading import InstalledKinds
from sentinel.monitor.products import REQUIRED, Profile, instant_of, price_of, problems
from sentinel.probers.perfdata import printed
from sentinel.probers.promql import _answer as answer_of
from sentinel.probers.promql import series_of
from sentinel.probers.rdap import domain_facts, server_of
from sentinel.probers.sqlurl import database_url
from sentinel.probers.ssh import version_parts
from sentinel.probers.vendor_status import _summary, chosen_components
from sentinel.transport import icmpwire, redirects
from sentinel.transport.dnswire import parse as parse_dns
from sentinel.transport.grpc import understood
from sentinel.transport.http1 import Answer
from sentinel.transport.jsonpath import json_paths
from sentinel.transport.lines import Ended, Lines
from sentinel.transport.mqtt import published, read_packet
from sentinel.transport.page import header_map, html_attr, html_count, html_text, json_value
from sentinel.transport.resp import read_reply
from sentinel.transport.rows import Unreadable, reader_for
from sentinel.transport.shown import http_metrics
from sentinel.transport.structured import json_ld_all, product
from sentinel.transport.tls import chain
from sentinel.transport.tls import parse as parse_certificate
from sentinel.transport.unfold import Unfolder
from sentinel.transport.wire import Exchange, Request

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MOST = 1 << 20
GOOGLE = Profile(tuple(REQUIRED), frozenset(), True)
KINDS = InstalledKinds()


@dataclass(frozen=True, slots=True)
class Parser:
    """A parser under test: how it is called, what it may raise, and what it reads well."""

    read: Callable[[bytes], Any]
    refusals: tuple[type[Exception], ...] = ()
    seeds: tuple[bytes, ...] = ()


class Said:
    """A connection that says these bytes, a few at a time, and closes."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def receive(self, deadline: float) -> bytes:
        piece, self._content = self._content[:1000], self._content[1000:]
        return piece


def _lines(read: Callable[[Lines], Any]) -> Callable[[bytes], Any]:
    def reading(content: bytes) -> Any:
        awaiting = read(Lines(Said(content), 0.0))  # type: ignore[arg-type]
        try:
            awaiting.send(None)
        except StopIteration as ended:
            return ended.value
        raise AssertionError("it waits, though everything is there")

    return reading


def _text(read: Callable[[str], Any]) -> Callable[[bytes], Any]:
    return lambda content: read(content.decode("utf-8", "replace"))


def _answer(content: bytes) -> Answer:
    answer = Answer(method="GET", limit=MOST)
    for at in range(0, len(content), 997):
        if answer.done:
            break
        answer.feed(content[at : at + 997])
    if not answer.done:
        answer.close()
    assert len(answer.body) <= MOST
    exchange = Exchange("http://a/", status=answer.status, head=answer.head, body=answer.body)
    http_metrics(exchange)
    header_map(exchange)
    repr((exchange.content_length, exchange.headers, redirects.location_of(exchange)))
    return answer


def _rows(content: bytes) -> int:
    reader = reader_for("auto", content[:2000])
    rows = list(reader.take(content)) + list(reader.end())
    for row in rows[:100]:
        problems(row.fields, GOOGLE, NOW)
    return len(rows)


def _unfolded(content: bytes) -> int:
    unfolder = Unfolder(MOST)
    size = sum(map(len, unfolder.take(content))) + sum(map(len, unfolder.end()))
    assert size <= MOST
    return size


def _page(html: str) -> None:
    html_attr(html, "a.product", "href")
    html_text(html, "h1")
    html_count(html, "li > a")
    json_ld_all(html, "Product")
    product(html)


def _redirect(content: str) -> None:
    head = f"HTTP/1.1 302 Moved\r\nLocation: {content}\r\n\r\n".encode()
    exchange = Exchange("https://shop.example/a/b?c", status=302, head=head)
    url = redirects.location_of(exchange)
    following = redirects.following(Request(exchange.url), 302, url)
    assert not isinstance(following, Request) or following.url.startswith(("http:", "https:"))


def _vendor(content: bytes) -> object:
    read = _summary(Exchange("http://a/", status=200, body=content))
    return read if isinstance(read, str) else chosen_components(read, ["API"])


def _promql(content: bytes) -> object:
    said = answer_of(Exchange("http://a/", status=200, body=content))
    return said if isinstance(said, tuple) else series_of(said.data)


def _json_path(content: bytes) -> object:
    return json_paths(json_value(content), "$..price")


def _found(content: bytes) -> list[str]:
    return [unfit(each) for each in read_found(content, most=100)]


def _found_yaml(content: bytes) -> list[str]:
    return [unfit(each) for each in read_found(content, most=100, yaml=True)]


def _grpc(content: bytes) -> object:
    head = b"HTTP/2 200\r\ngrpc-status: 0\r\n\r\n"
    return understood(Exchange("http://a/", status=200, head=head, body=content))


def _icmp(content: bytes) -> object:
    return icmpwire.read_packet(content), icmpwire.read(6, content, hop_limit=None)


async def _mqtt(lines: Lines) -> object:
    return published(await read_packet(lines, "a message"))


DNS = bytes.fromhex(
    "1234818000010001000000000473686f70076578616d706c650000010001c00c0001000100000e1000047f000001"
)
PRODUCT = (
    b'<script type="application/ld+json">{"@type":"Product","offers":{"price":"9.99"}}</script>'
)
RSS = b"<rss xmlns:g='http://base.google.com/ns/1.0'><channel><item><g:id>1</g:id><g:price>9.99 EUR</g:price></item></channel></rss>"
VENDOR = b'{"page":{},"status":{"indicator":"none"},"components":[{"id":"1","name":"API"}]}'
RDAP = json.dumps(
    {
        "objectClassName": "domain",
        "ldhName": "shop.example",
        "events": [{"eventAction": "expiration", "eventDate": "2027-01-01T00:00:00Z"}],
    }
).encode()
PROMQL = b'{"status":"success","data":{"resultType":"vector","result":[{"value":[1.5,"2"]}]}}'
PROBE = b"probes:\n  home: {http: {url: https://shop.example}, every: 1m}\n"
MODULES = b"modules:\n  web: {prober: http, timeout: 5s, http: {valid_status_codes: [200]}}\n"
GATUS = b'endpoints: [{name: a, url: "https://a.example", conditions: ["[STATUS] == 200"]}]'
KUMA = (
    b'{"version":"1","monitorList":[{"id":1,"name":"a","type":"http","url":"https://a.example"}]}'
)

PARSERS: Mapping[str, Parser] = {
    "http1": Parser(_answer, (), (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",)),
    "dns": Parser(parse_dns, (ValueError,), (DNS,)),
    "certificate": Parser(parse_certificate, (ValueError,), (bytes.fromhex("3003020101"),)),
    "chain": Parser(_text(lambda text: chain([text])), (), (b"-----BEGIN-----\nMAMCAQE=\n-",)),
    "rows": Parser(_rows, (Unreadable,), (RSS, b"id,price\n1,9.99 EUR\n", b'{"id": "1"}\n')),
    "unfold": Parser(_unfolded, (Unreadable,), (gzip.compress(RSS, mtime=0), RSS)),
    "redirect": Parser(_text(_redirect), (), (b"/next", b"https://b.example/", b"//c.example")),
    "page": Parser(_text(_page), (ExpressionFailed,), (PRODUCT, b"<li><a class=product href=x>")),
    "json": Parser(_json_path, (ExpressionFailed,), (b'{"a": [{"price": 1}]}',)),
    "perfdata": Parser(_text(printed), (), (b"OK - fine | a=1s;2;3;0;4 'b c'=5%\nmore | d=6MB",)),
    "resp": Parser(_lines(lambda lines: read_reply(lines, "a reply")), (Ended,), (b"*1\r\n$2\r\nhi\r\n",)),
    "mqtt": Parser(_lines(_mqtt), (Ended,), (b"\x30\x05\x00\x01xhi",)),
    "grpc": Parser(_grpc, (), (b"\0\0\0\0\2\x08\x01",)),
    "icmp": Parser(_icmp, (), (b"E" + bytes(19) + b"\0\0\0\0\0\1\0\1",)),
    "ssh": Parser(_text(version_parts), (), (b"SSH-2.0-OpenSSH_9.2p1 Debian",)),
    "vendor_status": Parser(_vendor, (), (VENDOR,)),
    "promql": Parser(_promql, (), (PROMQL,)),
    "rdap": Parser(domain_facts, (ValueError,), (RDAP,)),
    "rdap bootstrap": Parser(
        lambda content: server_of(content, "shop.example"),
        (ValueError,),
        (b'{"services": [[["example"], ["https://rdap.example/"]]]}',),
    ),
    "price": Parser(_text(price_of), (), (b"9.99 EUR", b"EUR 1.299,00")),
    "instant": Parser(_text(instant_of), (), (b"2026-03-01T12:00:00Z", b"Sun, 1 Mar 2026 12:00 GMT")),
    "database url": Parser(_text(database_url), (ValueError,), (b"postgresql://a:{env:B}@c/d",)),
    "document": Parser(lambda content: check_alone("a.yaml", content), (), (PROBE,)),
    "modules": Parser(lambda content: read_modules("b.yml", content), (ModulesRefused,), (MODULES,)),
    "http_sd": Parser(_found, (ListRefused,), (b'[{"targets": ["a:1"], "labels": {"b": "c"}}]',)),
    "file_sd": Parser(_found_yaml, (ListRefused,), (b"- targets: [a:1]\n  labels: {b: c}\n",)),
    "gatus": Parser(lambda content: read_gatus("g.yaml", content, KINDS), (ImportRefused,), (GATUS,)),
    "kuma": Parser(lambda content: read_kuma("k.json", content, KINDS), (ImportRefused,), (KUMA,)),
}  # fmt: skip


def refused(parser: Parser, content: bytes) -> bool:
    """Whether the parser refuses these bytes. Raises what it must not raise."""
    try:
        parser.read(content)
    except parser.refusals:
        return True
    return False
