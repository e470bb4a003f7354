"""Raw connections: plain and over TLS, from the beginning or later, and how each ends."""

import asyncio
import ssl

import pytest

from sentinel.transport.curl import Transport
from sentinel.transport.reasons import Reason
from tests.transport.certificates import authority, folder, server, server_that_asks
from tests.transport.servers import fetched, saying, serving, silent

pytestmark = pytest.mark.needs("openssl")


async def echo(reader, writer):
    """Send back what comes, until the other side has said all."""
    while chunk := await reader.read(65536):
        writer.write(chunk)
        await writer.drain()


def talked(script, talk, *, context=None, seconds=5.0, **how):
    """Connect to a server that follows `script`; what `talk(connection, deadline)` gives. Nothing
    may be left behind."""

    async def main():
        async with serving(script, context) as port, Transport() as transport:
            deadline = transport.now() + seconds
            how.setdefault("tls", context is not None)
            connection = await transport.connect("localhost", port, deadline, ip="4", **how)
            try:
                return await talk(connection, deadline)
            finally:
                connection.close()
                connection.close()
                assert 0 == transport.under_way

    return asyncio.run(main())


async def exchange_of(connection, _deadline):
    return connection.exchange


def test_a_plain_connection_says_where_it_went():
    exchange = talked(silent, exchange_of)

    assert (None, "127.0.0.1", None) == (exchange.reason, exchange.address, exchange.verified)
    assert ["resolve", "connect", "tls"] == list(exchange.phases)
    assert exchange.duration_s >= exchange.phases["connect"] > 0 == exchange.phases["tls"]


@pytest.mark.parametrize("tls", [False, True])
def test_much_is_said_and_heard(tls):
    how = {"context": server("good"), "ca_file": authority()} if tls else {}

    content = bytes(range(256)) * 256

    async def talk(connection, deadline):
        heard = b""
        for _ in range(8):
            assert await connection.send(content, deadline) is None
            for _ in range(len(content)):
                if len(heard) % len(content) == 0 and heard:
                    break
                heard += await connection.receive(deadline)
            assert content == heard
            heard = b""
        return True

    assert talked(echo, talk, **how)


@pytest.mark.parametrize("tls", [False, True])
def test_a_peer_that_closes_has_closed(tls):
    async def brief(reader, writer):
        writer.write(b"bye")

    async def talk(connection, deadline):
        return [await connection.receive(deadline) for _ in range(3)]

    how = {"context": server("good"), "ca_file": authority()} if tls else {}

    assert [b"bye", b"", b""] == talked(brief, talk, **how)


@pytest.mark.parametrize("tls", [False, True])
def test_a_peer_that_says_nothing_is_waited_for_until_the_deadline(tls):
    async def talk(connection, deadline):
        return await connection.receive(deadline)

    how = {"context": server("good"), "ca_file": authority()} if tls else {}

    assert Reason.timeout is talked(silent, talk, seconds=0.3, **how)


def test_a_peer_that_does_not_listen_is_waited_for_until_the_deadline():
    async def talk(connection, deadline):
        return await connection.send(b"x" * 50_000_000, deadline)

    assert Reason.timeout is talked(silent, talk, seconds=0.3)


@pytest.mark.parametrize("name", ["good", "expired", "other", "self"])
def test_a_certificate_is_judged_as_over_https(name):
    exchange = talked(echo, exchange_of, context=server(name), ca_file=authority())
    https = fetched(saying(b""), tls=server(name), ca_file=authority())

    reason = https.reason if https.reason != Reason.empty_reply else None
    assert (reason, https.verified) == (exchange.reason, exchange.verified)
    assert https.pems == exchange.pems
    assert exchange.encrypted
    if name == "good":
        assert (https.tls_version, https.tls_cipher) == (exchange.tls_version, exchange.tls_cipher)


def test_unverified_all_the_same_shows_the_chain():
    exchange = talked(echo, exchange_of, context=server("expired"), verify=False)

    assert (None, None, 2) == (exchange.reason, exchange.verified, len(exchange.pems))


def test_tls_may_begin_later():
    certificate = server("good")

    async def mail(reader, writer):
        writer.write(b"220 ready\r\n")
        assert await reader.readline() == b"STARTTLS\r\n"
        writer.write(b"220 go on\r\n")
        await writer.start_tls(certificate)
        writer.write(b"secret " + await reader.readline())

    async def talk(connection, deadline):
        heard = [await connection.receive(deadline)]
        await connection.send(b"STARTTLS\r\n", deadline)
        heard.append(await connection.receive(deadline))
        before = connection.exchange
        lost = await connection.start_tls(
            server_name="www.shop.example", ca_file=authority(), deadline=deadline
        )
        await connection.send(b"EHLO\r\n", deadline)
        return [*heard, lost, await connection.receive(deadline)], before, connection.exchange

    heard, before, after = talked(mail, talk)

    assert [b"220 ready\r\n", b"220 go on\r\n", None, b"secret EHLO\r\n"] == heard
    assert (None, True, "TLS 1.3") == (before.verified, after.verified, after.tls_version)
    assert after.phases["tls"] > 0 == before.phases["tls"]
    assert after.duration_s == pytest.approx(before.duration_s + after.phases["tls"])


def test_a_refused_certificate_ends_the_conversation():
    async def talk(connection, deadline):
        lost = await connection.start_tls(server_name="localhost", deadline=deadline)
        with pytest.raises(ValueError, match="not open"):
            await connection.send(b"password", deadline)
        return lost, connection.exchange

    lost, exchange = talked(echo, talk, context=server("good"), tls=False)

    assert (Reason.certificate_untrusted, lost) == (lost, exchange.reason)
    assert 2 == len(exchange.certificates)


def test_another_name_than_the_hosts_can_be_asked_for():
    shop = {"ca_file": authority(), "server_name": "www.shop.example"}

    assert talked(echo, exchange_of, context=server("good"), **shop).verified
    address = {"ca_file": authority(), "server_name": "127.0.0.2"}
    refused = talked(echo, exchange_of, context=server("good"), **address)
    assert Reason.certificate_name is refused.reason


def test_plain_text_instead_of_a_handshake():
    exchange = talked(saying_at_once(b"220 hello\r\n"), exchange_of, tls=True)

    assert (Reason.tls_failed, None) == (exchange.reason, exchange.verified)


def saying_at_once(content):
    async def script(reader, writer):
        writer.write(content)
        await reader.read(1000)

    return script


def test_a_handshake_that_hangs_is_a_timeout_spent_on_tls():
    exchange = talked(silent, exchange_of, tls=True, seconds=0.3)

    assert Reason.timeout is exchange.reason
    assert exchange.phases["tls"] >= 0.25


def test_what_is_offered_may_be_agreed_on():
    context = server("good")
    context.set_alpn_protocols(["imap", "h2"])

    async def talk(connection, _deadline):
        return connection.protocol

    how = {"context": context, "ca_file": authority()}

    assert "h2" == talked(echo, talk, alpn=("h2", "http/1.1"), **how)
    assert "" == talked(echo, talk, **how)


def test_a_lower_version_than_asked_for_is_refused():
    old = server("good")
    old.maximum_version = ssl.TLSVersion.TLSv1_2

    how = {"context": old, "ca_file": authority()}

    assert "TLS 1.2" == talked(echo, exchange_of, **how).tls_version
    assert Reason.tls_failed is talked(echo, exchange_of, minimum="TLS 1.3", **how).reason


def test_a_client_certificate_is_shown():
    mine = {"cert_file": str(folder() / "other.pem"), "key_file": str(folder() / "other.key")}

    async def talk(connection, deadline):
        lost = await connection.send(b"x", deadline)
        return lost or await connection.receive(deadline)

    how = {"context": server_that_asks(), "ca_file": authority()}

    assert b"x" == talked(echo, talk, **how, **mine)
    # asyncio's servers end such a handshake without an alert, at a moment of their own.
    assert talked(echo, talk, **how) in (Reason.tls_failed, Reason.reset, b"")


@pytest.mark.parametrize("missing", ["ca_file", "cert_file"])
def test_a_missing_file_is_our_failure(missing):
    exchange = talked(echo, exchange_of, context=server("good"), **{missing: "/nowhere.pem"})

    assert (Reason.client_failed, True) == (exchange.reason, exchange.ours)


def test_a_changed_authority_is_read_again(tmp_path):
    file = tmp_path / "authority.pem"
    how = {"context": server("good"), "ca_file": str(file)}
    file.write_text((folder() / "self.pem").read_text())

    before = talked(echo, exchange_of, **how)
    file.write_text((folder() / "authority.pem").read_text())
    after = talked(echo, exchange_of, **how)

    assert (Reason.certificate_untrusted, None) == (before.reason, after.reason)


def test_a_unix_socket_is_a_peer_too(tmp_path):
    path = str(tmp_path / "door")

    async def hello(reader, writer):
        writer.write(b"hello")
        await reader.read(1000)
        writer.close()
        await writer.wait_closed()

    async def main():
        server_ = await asyncio.start_unix_server(hello, path)
        async with Transport() as transport:
            deadline = transport.now() + 5
            connection = await transport.connect("", 0, deadline, unix_path=path)
            heard = await connection.receive(deadline)
            connection.close()
            nobody = await transport.connect("", 0, deadline, unix_path=path + "-other")
            server_.close()
            await server_.wait_closed()
            return heard, connection.exchange, nobody.exchange

    heard, exchange, nobody = asyncio.run(main())

    assert (b"hello", None, "") == (heard, exchange.reason, exchange.address)
    assert Reason.connect_unreachable is nobody.reason


@pytest.mark.parametrize(
    ("host", "port", "reasons"),
    [
        ("shop.invalid", 80, {Reason.dns_failed, Reason.dns_timeout}),
        ("127.0.0.1", 0, {Reason.invalid_request}),
        ("127.0.0.1", 70_000, {Reason.invalid_request}),
        ("127.0.0.1", 1, {Reason.connect_refused}),
    ],
)
def test_nobody_there_has_a_reason(host, port, reasons):
    async def main():
        async with Transport() as transport:
            connection = await transport.connect(host, port, transport.now() + 5)
            connection.close()
            late = await transport.connect(host, port, transport.now() - 1)
            return connection.exchange, late.exchange.reason

    exchange, late = asyncio.run(main())

    assert exchange.reason in reasons
    assert exchange.text
    assert Reason.timeout is late


def test_closing_the_transport_tells_those_who_talk():
    async def main():
        async with serving(silent) as port:
            transport = Transport()
            transport.start()
            deadline = transport.now() + 30
            connection = await transport.connect("127.0.0.1", port, deadline)
            waiting = asyncio.ensure_future(connection.receive(deadline))
            await asyncio.sleep(0)
            await transport.close()
            return await waiting

    assert Reason.client_failed is asyncio.run(main())
