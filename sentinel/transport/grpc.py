"""Asking a gRPC server for its health, over libcurl's HTTP/2.

The service is ``grpc.health.v1.Health`` with its one unary call ``Check`` (gRPC Health Checking
Protocol); the wire is "gRPC over HTTP/2". One message of one field goes each way, so the codec is
here whole and strict, and neither a gRPC nor a protobuf library is needed. Without TLS HTTP/2 is
spoken from the first byte on, over TLS ``h2`` alone is offered (ALPN), as every gRPC client does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from urllib.parse import unquote, urljoin

from msgspec.structs import replace as restructured

from sentinel.transport.curl import Transport
from sentinel.transport.reasons import Reason
from sentinel.transport.wire import Exchange, Request, phrase
from sentinel.words import shortened

PATH = "/grpc.health.v1.Health/Check"
SERVING = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
"""What a service can be, in the order of their numbers on the wire."""
MOST_SERVICE = 1000
"""Bytes of a service's name."""
_MOST_MESSAGE = 4096
_MOST_FIELDS = 64
_FRAME = 5
_HTTP_OK = 200


class Code(IntEnum):
    """How a call ended (``google.rpc.Code``)."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


_CODES = {str(code.value): code for code in Code}
# What an answer that is not gRPC's comes to (gRPC, "HTTP to gRPC Status Code Mapping").
_OF_HTTP: Mapping[int, Code] = {
    400: Code.INTERNAL,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.UNIMPLEMENTED,
    429: Code.UNAVAILABLE,
    502: Code.UNAVAILABLE,
    503: Code.UNAVAILABLE,
    504: Code.UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class Health:
    """What a server said. With ``exchange.reason`` it said nothing that could be understood.

    `code` is the call's end: the server's own, else what a gRPC client would make of the failure.
    `message` is the server's, in UTF-8. `serving` is one of `SERVING`, ``""`` unless `code` is OK.
    """

    exchange: Exchange
    code: Code
    message: str = ""
    serving: str = ""


async def check(
    transport: Transport,
    request: Request,
    deadline: float,
    *,
    service: str = "",
    metadata: Sequence[tuple[str, str]] = (),
) -> Health:
    """Ask how a service is; ``""`` is the server as a whole. Never raises for a sick server.

    `request` says where and with which TLS; its path, method, headers and body are replaced. The
    server is told the time that is left. `metadata` are lower-case names with values in order.
    """
    left_ms = max(1, int((deadline - transport.now()) * 1000))
    headers = (
        ("Content-Type", "application/grpc"),
        ("TE", "trailers"),
        ("grpc-timeout", f"{min(left_ms, 99_999_999)}m"),
        *metadata,
    )
    asking = replace(
        request,
        url=urljoin(request.url, PATH),
        method="POST",
        headers=headers,
        body=asked(service),
        follow=False,
        http_version="2-only",
        compression="",
        body_limit=_MOST_MESSAGE,
    )
    return understood(await transport.fetch(asking, deadline))


def asked(service: str) -> bytes:
    """The framed request message. Raises ValueError for a name that is too long."""
    name = service.encode()
    if len(name) > MOST_SERVICE:
        raise ValueError(f"a service's name has at most {MOST_SERVICE} bytes")
    message = b"\x0a" + _varint(len(name)) + name if name else b""
    return b"\x00" + len(message).to_bytes(4, "big") + message


def understood(exchange: Exchange) -> Health:
    """What the answer means."""
    if exchange.reason is not None:
        late = exchange.reason in (Reason.timeout, Reason.connect_timeout, Reason.dns_timeout)
        return Health(exchange, Code.DEADLINE_EXCEEDED if late else Code.UNAVAILABLE)
    said = exchange.trailer("grpc-status") or exchange.header("grpc-status")
    if not said:
        kind = shortened(exchange.header("content-type"), 100)
        if exchange.status != _HTTP_OK:
            code = _OF_HTTP.get(exchange.status, Code.UNKNOWN)
            return Health(exchange, code, f"HTTP {phrase(exchange.status)}, no gRPC status")
        return Health(exchange, Code.UNKNOWN, f"no gRPC status; content type `{kind}`")
    code = _CODES.get(said, Code.UNKNOWN)
    message = exchange.trailer("grpc-message") or exchange.header("grpc-message")
    if code is not Code.OK:
        return Health(exchange, code, unquote(message, errors="replace"))
    try:
        return Health(exchange, code, serving=_serving(exchange.body))
    except ValueError as wrong:
        broken = restructured(exchange, reason=Reason.protocol_error, text=str(wrong))
        return Health(broken, Code.INTERNAL)


def _serving(body: bytes) -> str:
    """The framed response message. Raises ValueError when it is none."""
    if len(body) < _FRAME or body[0] or len(body) != _FRAME + int.from_bytes(body[1:5], "big"):
        raise ValueError("the answer is not one whole, uncompressed gRPC message")
    number, at = 0, _FRAME
    for _ in range(_MOST_FIELDS):
        if at == len(body):
            return SERVING[number] if number < len(SERVING) else SERVING[0]
        tag, at = _read_varint(body, at)
        if tag == 0x08:  # the field that counts; of two the later one
            number, at = _read_varint(body, at)
        else:
            at = _skipped(body, tag, at)
    raise ValueError("the answer's message has too many fields")


def _skipped(body: bytes, tag: int, at: int) -> int:
    """Where a field that nobody asked for ends (Protocol Buffers, wire types)."""
    match tag & 7:
        case 0:
            _, at = _read_varint(body, at)
        case 1:
            at += 8
        case 2:
            size, at = _read_varint(body, at)
            at += size
        case 5:
            at += 4
        case _:
            raise ValueError("the answer's message has a field of no known wire type")
    if at > len(body) or tag < 8:
        raise ValueError("the answer's message is cut short")
    return at


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first, all but the last marked."""
    out = bytearray()
    while number > 0x7F:  # bounded by the number
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))


def _read_varint(body: bytes, at: int) -> tuple[int, int]:
    number = 0
    for index in range(10):  # 64 bits
        if at + index >= len(body):
            raise ValueError("the answer's message is cut short")
        byte = body[at + index]
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return number, at + index + 1
    raise ValueError("the answer's message holds a number of more than 64 bits")
