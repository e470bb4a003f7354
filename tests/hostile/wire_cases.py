"""What a sick server can do within a protocol that it does speak: one table a kind."""

import base64
import hashlib
from collections.abc import Mapping

from tests.hostile.acts import END, Act, Drip, Hear, Hold, Repeat, Reset, Say, acting
from tests.hostile.handshakes import HANDSHAKE, record
from tests.hostile.suite import Case, case
from tests.hostile.targets import WAYS, Aim
from tests.transport.servers import Script

LINE = Hear(b"\n")
ACCEPT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

# WebSocket (RFC 6455, 5.2): frames as a server sends them


def frame(
    opcode: int, content: bytes = b"", *, final: bool = True, size: int | None = None
) -> bytes:
    """One frame; `size` lies about its length."""
    first = bytes([opcode | (0x80 if final else 0)])
    announced = len(content) if size is None else size
    if announced < 126:
        return first + bytes([announced]) + content
    if announced < 1 << 16:
        return first + b"\x7e" + announced.to_bytes(2, "big") + content
    return first + b"\x7f" + announced.to_bytes(8, "big") + content


TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def upgraded(*acts: object) -> Script:
    """Take the upgrade, answer the ping, then act."""

    async def script(reader, writer):
        head = await reader.readuntil(END)
        key = head.lower().partition(b"sec-websocket-key:")[2]
        at = len(head) - len(key)
        key = head[at:].split(b"\r\n")[0].strip()
        accept = base64.b64encode(hashlib.sha1(key + ACCEPT, usedforsecurity=False).digest())
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + END
        )
        ping = await reader.readexactly(2)
        mask = await reader.readexactly(4)
        content = await reader.readexactly(ping[1] & 0x7F)
        told = bytes(byte ^ mask[index % 4] for index, byte in enumerate(content))
        writer.write(frame(PONG, told))
        await acting(*acts)(reader, writer)

    return script


WEBSOCKET = (
    case("a frame of 2^63 bytes", upgraded(Say(frame(TEXT, size=(1 << 63) - 1)), Repeat(b"x")), "protocol_error body_too_large"),
    case("a frame beyond 2^63", upgraded(Say(frame(TEXT, size=(1 << 64) - 1)), Repeat(b"x")), "protocol_error"),
    case("a message of endless parts", upgraded(Say(frame(TEXT, b"x" * 1000, final=False)), Repeat(frame(0, b"x" * 1000, final=False))), "body_too_large protocol_error"),
    case("a message of endless empty parts", upgraded(Say(frame(TEXT, final=False)), Repeat(frame(0, final=False))), "body_too_large"),
    case("endless messages", upgraded(Repeat(frame(TEXT, b"hello"))), "body_too_large"),
    case("endless empty messages", upgraded(Repeat(frame(TEXT))), "body_too_large"),
    case("endless pings", upgraded(Repeat(frame(PING, b"x" * 125))), "body_too_large"),
    case("a ping too long", upgraded(Say(frame(PING, b"x" * 200)), Hold()), "protocol_error"),
    case("a ping in parts", upgraded(Say(frame(PING, final=False)), Hold()), "protocol_error"),
    case("no known opcode", upgraded(Say(frame(11, b"x")), Hold()), "protocol_error"),
    case("a part of nothing", upgraded(Say(frame(0, b"x")), Hold()), "protocol_error"),
    case("reserved bits", upgraded(Say(b"\xf1\x01x"), Hold()), "protocol_error"),
    case("a masked frame", upgraded(Say(b"\x81\x81aaaax"), Hold()), "protocol_error"),
    case("text that is no UTF-8", upgraded(Say(frame(TEXT, b"\xff\xfe\x80")), Hold()), "protocol_error"),
    case("goodbye of one byte", upgraded(Say(frame(CLOSE, b"x")), Hold()), "protocol_error"),
    case("goodbye of no known number", upgraded(Say(frame(CLOSE, b"\xff\xff")), Hold()), "protocol_error"),
    case("reset within a frame", upgraded(Say(frame(TEXT, b"x", size=99)), Reset()), "reset"),
    case("one byte at a time", upgraded(Drip(frame(TEXT, b"x" * 99))), "timeout"),
    case("another accept", acting(Hear(END), Say(b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x" + END), Hold()), "protocol_error"),
)  # fmt: skip

# Redis (RESP)

PONG_ = b"+PONG\r\n"

REDIS = (
    case("a string of 9 GB", acting(LINE, Say(b"$9999999999\r\n"), Repeat(b"x")), "body_too_large protocol_error"),
    case("a string of less than nothing", acting(LINE, Say(b"$-7\r\n"), Hold()), "protocol_error"),
    case("a length beyond all numbers", acting(LINE, Say(b"$" + b"9" * 5000 + b"\r\n"), Hold()), "protocol_error"),
    case("an array of 2^31", acting(LINE, Say(b"*2147483647\r\n"), Repeat(b"*1\r\n")), "protocol_error"),
    case("arrays without a bottom", acting(LINE, Repeat(b"*1\r\n")), "protocol_error"),
    case("an error without an end", acting(LINE, Say(b"-ERR "), Repeat(b"x")), "protocol_error"),
    case("bytes that are no text", acting(LINE, Say(b"+\xff\xfe\x00\r\n"), Hold()), "protocol_error error_reply"),
    case("facts that are none", acting(LINE, Say(PONG_ + b"$7\r\nrole:\xff\xff\r\n:1\r\n"), Hold()), ""),
    case("facts of 20 MB", acting(LINE, Say(PONG_ + b"$20000000\r\n"), Repeat(b"a:b\r\n")), "body_too_large"),
)  # fmt: skip

# Mail

SMTP = (
    case("a greeting without an end", acting(Repeat(b"220-hello\r\n")), "protocol_error"),
    case("a greeting of other codes", acting(Say(b"220-hello\r\n250 hello\r\n"), Hold()), "unexpected_reply protocol_error"),
    case("capabilities without an end", acting(Say(b"220 hello\r\n"), LINE, Repeat(b"250-X\r\n")), "protocol_error"),
    case("a line of a megabyte", acting(Say(b"220 "), Repeat(b"x")), "protocol_error"),
    case("a code of a thousand digits", acting(Say(b"2" * 1000 + b"\r\n"), Hold()), "protocol_error"),
    case("a size beyond all numbers", acting(Say(b"220 hello\r\n"), LINE, Say(b"250-x\r\n250 SIZE " + b"9" * 5000 + b"\r\n"), Hold()), "timeout"),
)  # fmt: skip

IMAP = (
    case("answers without an end", acting(Say(b"* OK hello\r\n"), LINE, Repeat(b"* X\r\n")), "protocol_error body_too_large"),
    case("a literal of 9 MB", acting(Say(b"* OK hello\r\n"), LINE, Say(b"* X {9999999}\r\n"), Repeat(b"x")), "body_too_large"),
    case("literals without an end", acting(Say(b"* OK hello\r\n"), LINE, Say(b"* X {1}\r\n"), Repeat(b"x{1}\r\n")), "protocol_error"),
    case("capabilities that are no text", acting(Say(b"* OK hello\r\n"), LINE, Say(b"* CAPABILITY \xff\xfe\r\na0 OK\r\n"), Hold()), ""),
)  # fmt: skip

# MQTT 3.1.1

CONNACK, SUBACK = b"\x20\x02\x00\x00", b"\x90\x03\x00\x01\x00"

MQTT = (
    case("a length of five bytes", acting(Hear(), Say(b"\x20\xff\xff\xff\xff\x7f"), Hold()), "protocol_error"),
    case("a packet of 256 MB", acting(Hear(), Say(b"\x20\xff\xff\xff\x7f"), Repeat(b"x")), "body_too_large protocol_error"),
    case("an answer of nothing", acting(Hear(), Say(b"\x20\x00"), Hold()), "protocol_error"),
    case("messages without an end", acting(Hear(), Say(CONNACK), Repeat(b"\x30\x05\x00\x01xhi")), "protocol_error body_too_large"),
    case("a topic longer than its packet", acting(Hear(), Say(CONNACK + b"\x30\x03\xff\xffx"), Hold()), "protocol_error timeout"),
)  # fmt: skip

# SSH (RFC 4253)

HELLO = b"SSH-2.0-OpenSSH_9.2p1\r\n"

SSH = (
    case("a packet of 4 GB", acting(Say(HELLO + b"\xff\xff\xff\xff"), Repeat(b"x")), "protocol_error reset"),
    case("a packet of nothing", acting(Say(HELLO + bytes(16)), Hold()), "protocol_error timeout"),
    case("key exchange that is noise", acting(Say(HELLO + b"\x00\x00\x00\x2c\x04\x14" + b"\xff" * 42), Hold()), "protocol_error key_exchange_failed"),
    case("a version of the past", acting(Say(b"SSH-1.5-old\r\n"), Hold()), "protocol_error"),
    case("a version that is no text", acting(Say(b"SSH-2.0-\xff\xfe\r\n"), Hold()), "protocol_error timeout"),
    case("text before the version without an end", acting(Repeat(b"hello\r\n")), "protocol_error"),
    case("packets that mean nothing, for ever", acting(Say(HELLO), Repeat(b"\x00\x00\x00\x0c\x0a\x02" + bytes(10))), "timeout protocol_error"),
)  # fmt: skip

# FTP: the listing comes over a connection of its own

FTP = (
    case("a greeting without an end", acting(Repeat(b"220-hello\r\n")), "body_too_large protocol_error"),
    case("replies of no code", acting(Say(b"220 hello\r\n"), LINE, Repeat(b"999 what\r\n")), "protocol_error login_refused"),
    case("sends the listing elsewhere", acting(Say(b"220 a\r\n230 b\r\n230 b\r\n227 (10,0,0,1,0,1)\r\n" * 4), Hold()), "timeout connect_refused protocol_error reset connect_unreachable listing_refused query_failed"),
)  # fmt: skip

# Databases

MYSQL = (
    case("packets without an end", acting(Repeat(b"\xff\xff\xff\x00" + b"\x0a" * 65_531)), "protocol_error"),
    case("a greeting cut short", acting(Say(b"\x05\x00\x00\x00\x0a8.0\x00"), Hold()), "protocol_error"),
    case("an error without words", acting(Say(b"\x01\x00\x00\x00\xff"), Hold()), "protocol_error query_failed"),
    case("a packet of nothing", acting(Say(b"\x00\x00\x00\x00"), Hold()), "protocol_error"),
)  # fmt: skip

LET_IN = b"R\x00\x00\x00\x08\x00\x00\x00\x00Z\x00\x00\x00\x05I"
BEGUN = b"C\x00\x00\x00\x0aBEGIN\x00C\x00\x00\x00\x08SET\x00Z\x00\x00\x00\x05T"
DECLARED = (
    b"1\x00\x00\x00\x04" b"2\x00\x00\x00\x04" b"n\x00\x00\x00\x04"
    b"C\x00\x00\x00\x13DECLARE CURSOR\x00" b"Z\x00\x00\x00\x05T"
)  # fmt: skip
COLUMN = (
    b"T\x00\x00\x00\x1a\x00\x01a\x00"
    + bytes(6)
    + b"\x00\x00\x00\x19\xff\xff\xff\xff\xff\xff\x00\x00"
)
ROW = b"D\x00\x00\x00\x0e\x00\x01\x00\x00\x00\x04four"
NOTICE = b"N\x00\x00\x00\x17SNOTICE\x00C00000\x00Mx\x00\x00"


def queried(*acts: Act) -> Script:
    """A PostgreSQL without TLS that lets anybody in, takes the query, and acts where rows should come."""
    begun = (Hear(), Say(b"N"), Hear(), Say(LET_IN), Hear(), Say(BEGUN), Hear(), Say(DECLARED))
    return acting(*begun, Hear(), Say(COLUMN), *acts)


POSTGRES = (
    case("a message of 2 GB", acting(Hear(), Say(b"N"), Hear(), Say(b"R\x7f\xff\xff\xff"), Repeat(b"x")), "server_refused protocol_error"),
    case("a way to sign in that nobody knows", acting(Hear(), Say(b"N"), Hear(), Say(b"R\x00\x00\x00\x08\x00\x00\x00\x63"), Hold()), "server_refused"),
    case("notices without an end", acting(Hear(), Say(b"N"), Hear(), Repeat(b"N\x00\x00\x00\x0cSNOTICE\x00")), "server_refused"),
    case("rows without an end", queried(Repeat(ROW)), "body_too_large"),
    case("a row of 1 GB", queried(Say(b"D\x40\x00\x00\x00"), Repeat(b"x")), "body_too_large"),
    case("notices instead of rows", queried(Repeat(NOTICE)), "body_too_large"),
    case("settings instead of rows", queried(Repeat(b"S\x00\x00\x00\x08a\x00b\x00")), "body_too_large"),
    case("notices for everybody", queried(Repeat(b"A\x00\x00\x00\x0c\x00\x00\x00\x01a\x00b\x00")), "body_too_large"),
    case("answers without an end", queried(Repeat(b"C\x00\x00\x00\x0bFETCH \x00")), "body_too_large"),
    case("settings before it lets us in", acting(Hear(), Say(b"N"), Hear(), Say(b"R\x00\x00\x00\x08\x00\x00\x00\x00"), Repeat(b"S\x00\x00\x00\x08a\x00b\x00")), "protocol_error"),
    case("answers without an end to BEGIN", acting(Hear(), Say(b"N"), Hear(), Say(LET_IN), Hear(), Repeat(b"C\x00\x00\x00\x0aBEGIN\x00")), "protocol_error"),
    case("a notice now and then", queried(Repeat(NOTICE, every_s=0.05)), "timeout"),
    case("rows one byte at a time", queried(Drip(ROW * 999)), "timeout"),
    case("silence after TLS was agreed on", acting(Hear(), Say(b"S"), Hear(), Hold()), "timeout"),
    case("HelloRequest for ever", acting(Hear(), Say(b"S"), Hear(), Repeat(record(HANDSHAKE, bytes(4)))), "protocol_error tls_failed"),
    case("an error of noise", acting(Hear(), Say(b"N"), Hear(), Say(b"E\x00\x00\x00\x0c\xff\xff\xff\xff\xff\xff\xff\xff"), Hold()), "server_refused"),
)  # fmt: skip

# HTTP/2 (RFC 9113) and gRPC on it


def h2(
    kind: int, content: bytes = b"", *, flags: int = 0, stream: int = 0, size: int | None = None
) -> bytes:
    """One frame; `size` lies about its length."""
    announced = len(content) if size is None else size
    return announced.to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + content


DATA, HEADERS, RST, SETTINGS, PUSH, PINGS, GOAWAY, WINDOW, CONTINUATION = 0, 1, 3, 4, 5, 6, 7, 8, 9
READY = h2(SETTINGS) + h2(SETTINGS, flags=1)
WELL = h2(HEADERS, b"\x88", flags=4, stream=1)

HTTP2 = (
    case("settings for ever", acting(Hear(), Repeat(h2(SETTINGS))), "protocol_error timeout reset"),
    case("pings for ever", acting(Hear(), Say(READY), Repeat(h2(PINGS, bytes(8)))), "protocol_error timeout reset"),
    case("a frame of 16 MB", acting(Hear(), Say(READY + h2(DATA, size=0xFFFFFF, stream=1)), Repeat(b"x")), "protocol_error"),
    case("headers that continue for ever", acting(Hear(), Say(READY + h2(HEADERS, b"\x88", stream=1)), Repeat(h2(CONTINUATION, b"\x00\x01a\x01b" * 100, stream=1))), "protocol_error headers_too_large"),
    case("headers packed by nobody", acting(Hear(), Say(READY + h2(HEADERS, b"\xff" * 50, flags=4, stream=1)), Hold()), "protocol_error"),
    case("endless hints", acting(Hear(), Say(READY), Repeat(h2(HEADERS, b"\x08\x03103", flags=4, stream=1))), "protocol_error headers_too_large"),
    case("endless data", acting(Hear(), Say(READY + WELL), Repeat(h2(DATA, b"x" * 8192, stream=1))), "body_too_large protocol_error timeout"),
    case("endless data of nothing", acting(Hear(), Say(READY + WELL), Repeat(h2(DATA, stream=1))), "timeout protocol_error"),
    case("a stream of nobody", acting(Hear(), Say(READY + h2(DATA, b"x", stream=99)), Hold()), "protocol_error"),
    case("a stream that is promised", acting(Hear(), Say(READY + h2(PUSH, b"\0\0\0\2\x82", flags=4, stream=1)), Hold()), "protocol_error"),
    case("a stream reset", acting(Hear(), Say(READY + h2(RST, b"\0\0\0\x02", stream=1)), Hold()), "protocol_error"),
    case("goodbye", acting(Hear(), Say(READY + h2(GOAWAY, bytes(7) + b"\x0b")), Hold()), "protocol_error timeout"),
    case("a window of 2^31 too many", acting(Hear(), Say(READY), Repeat(h2(WINDOW, b"\x7f\xff\xff\xff", stream=1))), "protocol_error"),
)  # fmt: skip

GRPC = (
    *HTTP2,
    case("a message of 2 GB", acting(Hear(), Say(READY + WELL + h2(DATA, b"\x00\x7f\xff\xff\xff", stream=1)), Repeat(h2(DATA, b"x" * 8192, stream=1))), "body_too_large protocol_error"),
    case("a message without a status", acting(Hear(), Say(READY + WELL + h2(DATA, b"\0\0\0\0\2\x08\x01", flags=1, stream=1)), Hold()), "call_failed"),
)  # fmt: skip

# DNS over TCP; `test_dns` sends the same over UDP


def answered(*rest: bytes, counts: bytes = b"\0\1\0\1\0\0\0\0", lie: int | None = None) -> Script:
    """Give the question back, and behind it what is no answer."""

    async def script(reader, writer):
        size = int.from_bytes(await reader.readexactly(2), "big")
        asked = await reader.readexactly(size)
        question = asked[12 : asked.index(b"\0", 12) + 5]
        whole = asked[:2] + b"\x81\x80" + counts + question + b"".join(rest)
        announced = len(whole) if lie is None else lie
        writer.write(announced.to_bytes(2, "big") + whole)
        await writer.drain()
        await acting(Hold())(reader, writer)

    return script


A = b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4\x7f\0\0\1"

DNS = (
    case("a name that leads to itself", answered(b"\xc0" + bytes([12 + 18 + 0]) + A[2:]), "protocol_error"),
    case("names that lead to each other", answered(b"\xc0\x20\xc0\x1e" + A[2:]), "protocol_error"),
    case("a name of pointers without an end", answered(b"\xc0\xff" * 200), "protocol_error"),
    case("a label too long", answered(b"\x7f" + b"x" * 127 + A[2:]), "protocol_error"),
    case("a name of 255 labels", answered(b"\1a" * 255 + b"\0" + A[2:]), "protocol_error"),
    case("records that are not there", answered(counts=b"\0\1\xff\xff\xff\xff\xff\xff"), "protocol_error"),
    case("four thousand records", answered(A * 4000, counts=b"\0\1" + (4000).to_bytes(2, "big") + bytes(4)), "protocol_error"),
    case("data longer than the message", answered(A[:-6] + b"\xff\xff\x7f"), "protocol_error"),
    case("an address of three bytes", answered(A[:-6] + b"\0\3\x7f\0\1"), "protocol_error"),
    case("more is promised than comes", answered(A, lie=65_535), "timeout"),
    case("less is promised than comes", answered(A, lie=20), "protocol_error"),
    case("nothing is promised", answered(A, lie=0), "protocol_error"),
)  # fmt: skip

CASES: Mapping[str, tuple[Case, ...]] = {
    "websocket": WEBSOCKET,
    "redis": REDIS,
    "smtp": SMTP,
    "imap": IMAP,
    "mqtt": MQTT,
    "ssh": SSH,
    "sftp": SSH,
    "ftp": FTP,
    "sql mysql": MYSQL,
    "sql postgresql": POSTGRES,
    "grpc": GRPC,
    "dns": DNS,
}


def aim_of(way: str) -> Aim:
    """A prober that speaks the protocol from the first byte on."""
    return WAYS[way]
