"""The health codec: what goes out is what protobuf reads, what comes in is understood or refused."""

import pytest
from grpc_health.v1 import health_pb2
from hypothesis import given
from hypothesis import strategies as st

from sentinel.transport.grpc import SERVING, Code, asked, understood
from sentinel.transport.reasons import Reason
from sentinel.transport.wire import Exchange

HEAD = b"HTTP/2 200 \r\ncontent-type: application/grpc\r\n\r\n"


def framed(message: bytes) -> bytes:
    return b"\x00" + len(message).to_bytes(4, "big") + message


def answer(body=b"", *, head=HEAD, trailers=b"grpc-status: 0\r\n", status=200, reason=None):
    exchange = Exchange("http://a/", reason, head=head, trailers=trailers, status=status, body=body)
    return understood(exchange)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_a_request_is_what_protobuf_makes_of_it(service):
    expected = health_pb2.HealthCheckRequest(service=service).SerializeToString()

    assert framed(expected) == asked(service)


def test_a_name_beyond_reason_is_refused():
    with pytest.raises(ValueError, match="1000 bytes"):
        asked("x" * 1001)


@pytest.mark.parametrize("state", range(5))
def test_a_state_is_read_and_an_unheard_one_is_unknown(state):
    message = health_pb2.HealthCheckResponse(status=state).SerializeToString()
    expected = SERVING[state] if state < 4 else "UNKNOWN"

    assert (Code.OK, expected) == (answer(framed(message)).code, answer(framed(message)).serving)


def test_fields_of_a_later_protocol_are_passed_over():
    later = b"\x12\x03abc\x19" + b"\0" * 8 + b"\x25" + b"\0" * 4 + b"\x28\x96\x01"

    assert "SERVING" == answer(framed(later + b"\x08\x01")).serving


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00\x00\x00\x00",
        framed(b"\x08\x01")[:-1],
        framed(b"\x08\x01") + b"\x00",
        b"\x01" + framed(b"\x08\x01")[1:],
        framed(b"\x08"),
        framed(b"\x08" + b"\xff" * 11),
        framed(b"\x12\x7fabc"),
        framed(b"\x0b"),
        framed(b"\x00\x00"),
        framed(b"\x10\x00" * 100),
    ],
)
def test_a_message_that_is_none_is_a_broken_answer(body):
    health = answer(body)

    assert (Reason.protocol_error, Code.INTERNAL, "") == (
        health.exchange.reason,
        health.code,
        health.serving,
    )


@given(st.binary(max_size=64))
def test_any_bytes_are_understood_or_refused(message):
    health = answer(framed(message))

    assert health.serving in SERVING or health.exchange.reason is Reason.protocol_error


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ({"trailers": b"grpc-status: 5\r\ngrpc-message: no%20such%C3%A4\r\n"}, 5, "no suchä"),
        ({"trailers": b"grpc-status: 99\r\n"}, 2, ""),
        ({"trailers": b"", "head": b"HTTP/2 200\r\ngrpc-status: 12\r\n\r\n"}, 12, ""),
        ({"trailers": b""}, 2, "no gRPC status; content type `application/grpc`"),
        ({"trailers": b"", "status": 503}, 14, "HTTP 503 Service Unavailable, no gRPC status"),
        ({"trailers": b"", "status": 418}, 2, "HTTP 418 I'm a Teapot, no gRPC status"),
    ],
)
def test_how_a_call_ended_is_told(given, code, message):
    assert (code, message) == (answer(**given).code, answer(**given).message)


def test_without_an_answer_the_code_is_a_clients():
    assert 14 == answer(reason=Reason.connect_refused).code
    assert 4 == answer(reason=Reason.timeout).code
