"""HTTPS with certificates good and bad: the reason, and the facts of what was presented."""

import ssl

import pytest

from sentinel.transport.reasons import Reason
from tests.transport.certificates import authority, folder, server, server_that_asks
from tests.transport.servers import OK, fetched, recording, redirect, saying, silent

pytestmark = pytest.mark.needs("openssl")


def test_a_good_certificate_is_verified_and_its_chain_known():
    exchange = fetched(saying(OK), tls=server("good"), ca_file=authority())

    assert (exchange.reason, exchange.verified, exchange.status) == (None, True, 200)
    assert ["OU=Shop" in exchange.certificates[0].subject, 2] == [True, len(exchange.certificates)]
    assert (exchange.tls_version, exchange.tls_cipher.startswith("TLS_")) == ("TLS 1.3", True)
    assert exchange.phases["tls"] > 0


@pytest.mark.parametrize(
    ("name", "trusted", "reason"),
    [
        ("good", False, Reason.certificate_untrusted),
        ("self", True, Reason.certificate_untrusted),
        ("expired", True, Reason.certificate_expired),
        ("other", True, Reason.certificate_name),
    ],
)
def test_a_refused_certificate_has_its_reason_and_its_facts(name, trusted, reason):
    how = {"ca_file": authority()} if trusted else {}

    exchange = fetched(saying(OK), tls=server(name), **how)

    assert (reason, False, 0) == (exchange.reason, exchange.verified, exchange.status)
    assert "CN=localhost" in exchange.certificates[0].subject
    assert not exchange.network


def test_unverified_asks_all_the_same_and_says_so():
    exchange = fetched(saying(OK), tls=server("expired"), verify=False)

    assert (exchange.reason, exchange.verified, exchange.status) == (None, None, 200)
    assert "CN=localhost" in exchange.certificates[0].subject


def test_an_alert_instead_of_a_handshake():
    async def alert(reader, writer):
        await reader.read(1000)
        writer.write(b"\x15\x03\x03\x00\x02\x02\x28")  # fatal, handshake_failure
        await writer.drain()

    assert Reason.tls_failed is fetched_plain(alert).reason


def test_plain_text_instead_of_a_handshake():
    async def plain(reader, writer):
        await reader.read(1000)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    assert Reason.tls_failed is fetched_plain(plain).reason


def test_a_handshake_that_hangs_is_a_timeout_spent_on_tls():
    async def hang(reader, writer):
        await silent(reader, writer)

    exchange = fetched_plain(hang, seconds=0.4)

    assert Reason.timeout is exchange.reason
    assert exchange.phases["tls"] > exchange.phases["connect"]


def test_a_connection_closed_within_the_handshake():
    async def close(reader, writer):
        await reader.read(1000)

    assert fetched_plain(close).reason in (Reason.tls_failed, Reason.reset)


def test_no_client_certificate_where_one_is_wanted():
    exchange = fetched(saying(OK), tls=server_that_asks(), ca_file=authority())

    # asyncio's servers end such a handshake without an alert, at a moment of their own.
    assert exchange.reason in (Reason.tls_failed, Reason.reset, Reason.empty_reply)


def test_a_client_certificate_is_shown():
    mine = {"cert_file": str(folder() / "other.pem"), "key_file": str(folder() / "other.key")}

    exchange = fetched(saying(OK), tls=server_that_asks(), ca_file=authority(), **mine)

    assert (exchange.reason, exchange.status) == (None, 200)


def test_a_missing_authority_file_is_our_failure():
    exchange = fetched(saying(OK), tls=server("good"), ca_file="/nowhere/authority.pem")

    assert (Reason.client_failed, True) == (exchange.reason, exchange.ours)


def test_the_negotiated_version_is_told():
    old = server("good")
    old.maximum_version = ssl.TLSVersion.TLSv1_2

    exchange = fetched(saying(OK), tls=old, ca_file=authority())

    assert exchange.tls_version == "TLS 1.2"


def test_every_hop_is_asked_over_its_own_handshake():
    script, heard = recording({"/": redirect("/next"), "/next": OK})

    exchange = fetched(script, tls=server("good"), ca_file=authority())

    assert [path for path, _ in heard] == ["/", "/next"]
    assert exchange.phases["tls"] > exchange.redirects[0].phases["tls"] > 0


def fetched_plain(script, seconds=5.0):
    """A server without TLS, asked over TLS."""
    return fetched(script, seconds=seconds, scheme="https")
