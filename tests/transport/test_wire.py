"""Requests and exchanges as values: what they say, and what they keep to themselves."""

import pytest

from sentinel.transport.reasons import Reason
from sentinel.transport.wire import BODY_LIMIT, LARGEST_BODY, Exchange, Request
from tests.transport.servers import fetched, for_ever, saying


@pytest.mark.parametrize(
    ("lines", "length"),
    [
        (b"Content-Length: 5", 5),
        (b"content-length:  17 ", 17),
        (b"Content-Length: 5\r\nContent-Length: 5", 5),
        (b"Content-Length: 5\r\nContent-Length: 6", -1),
        (b"Content-Length: -5", -1),
        (b"Content-Length: \xb2", -1),
        (b"Transfer-Encoding: chunked", -1),
    ],
)
def test_the_length_is_the_one_that_was_told(lines, length):
    exchange = Exchange("http://a/", head=b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n\r\n")

    assert length == exchange.content_length


def test_what_is_secret_is_not_in_a_repr():
    request = Request(
        "http://a/",
        proxy="http://ana:s3cret@p:1",
        proxy_headers=(("X-Pass", "s3cret"),),
        key_pem="s3cret",
        cert_pem="s3cret",
        ca_pem="s3cret",
    )

    assert "s3cret" not in repr(request)


def test_a_body_may_be_as_large_as_the_caller_says():
    size = BODY_LIMIT * 8
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()

    exchange = fetched(saying(head, bytes(size)), body_limit=LARGEST_BODY, seconds=20.0)

    assert (None, size) == (exchange.reason, len(exchange.body))


def test_an_endless_body_ends_at_what_the_caller_says():
    script = for_ever(b"HTTP/1.1 200 OK\r\n\r\n", bytes(65536))

    exchange = fetched(script, body_limit=BODY_LIMIT * 8, seconds=20.0)

    assert (Reason.body_too_large, BODY_LIMIT * 8) == (exchange.reason, len(exchange.body))
