"""`tcp` and `unix` modules: connecting, dialogues, and what peers can do to them."""

import asyncio
import time

import pytest

from sentinel.blackbox.module import Exchanged, Hidden, Module, TcpModule, TlsConfig
from sentinel.transport.curl import Transport
from tests.blackbox.probes import once, probed, said, tcp, value
from tests.transport.certificates import authority, folder, server, server_that_asks
from tests.transport.servers import serving, silent

pytestmark = pytest.mark.needs("openssl")


def on(script, module, *, tls=None, seconds=5.0, **how):
    async def main():
        async with serving(script, tls) as port, Transport() as transport:
            return await probed(module, f"localhost:{port}", transport, seconds=seconds, **how)

    return asyncio.run(main())


def greeting(*parts):
    """Say the parts, close."""

    async def script(reader, writer):
        for part in parts:
            writer.write(part)
            await writer.drain()

    return script


async def echo(reader, writer):
    """Greet, and say back what comes, line by line."""
    writer.write(b"hello 4711 ana\r\n")
    while line := await reader.readline():
        writer.write(b"you said " + line)


def asking(*entries, **block):
    return tcp(query_response=entries, **block)


def test_a_connection_is_enough():
    outcome = on(silent, tcp())

    assert (True, 0, 0) == (
        outcome.success,
        value(outcome, "probe_failed_due_to_regex"),
        value(outcome, "probe_failed_due_to_bytes"),
    )
    assert "probe_ssl_earliest_cert_expiry" not in outcome.samples


def test_nobody_listens():
    outcome = once(tcp(), "127.0.0.1:9")

    assert ("connect_refused", 0) == (outcome.reason, value(outcome, "probe_failed_due_to_regex"))


@pytest.mark.parametrize("target", ["localhost", "::1:80", "[::1]", "[::1]80"])
def test_a_target_needs_a_port(target):
    outcome = once(tcp(), target)

    assert "invalid_target" == outcome.reason
    assert "probe_ip_protocol" not in outcome.samples


@pytest.mark.parametrize("port", ["0", "70000", "-1", "nothing"])
def test_a_port_is_a_number(port):
    outcome = once(tcp(), f"127.0.0.1:{port}")

    assert ("invalid_target", 4) == (outcome.reason, value(outcome, "probe_ip_protocol"))


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.0.0.1", "127.0.0.0x1"])
def test_a_number_is_no_address(host):
    assert "dns_failed" == once(tcp(), f"{host}:80").reason


def test_captures_are_sent_and_labelled():
    outcome = on(
        echo,
        asking(
            Exchanged(expect=r"^hello (\d+) (?P<who>\w+)", send="${1}:$who:$3"),
            Exchanged(expect="said 4711:(ana):$", labels=(("who", "it is ${1}"), ("n", "1"))),
        ),
    )

    assert outcome.success, said(outcome)
    assert 1 == value(outcome, "probe_expect_info", who="it is ana", n="1")


def test_lines_are_read_until_one_fits():
    assert on(greeting(b"220-a\r\n220-b\r\n", b"220 c"), asking(Exchanged(expect="^220 "))).success


def test_no_line_fits():
    outcome = on(greeting(b"500 no\r\n"), asking(Exchanged(expect="^220 ")))

    assert ("unexpected_line", 1) == (outcome.reason, value(outcome, "probe_failed_due_to_regex"))


def test_waiting_for_a_line_in_vain_is_no_matter_of_a_pattern():
    began = time.monotonic()

    outcome = on(silent, asking(Exchanged(expect="^220 ")), seconds=0.4)

    assert ("timeout", 0) == (outcome.reason, value(outcome, "probe_failed_due_to_regex"))
    assert time.monotonic() - began < 3


def test_a_line_has_an_end():
    outcome = on(greeting(b"x" * 70_000 + b"\n220 hello\r\n"), asking(Exchanged(expect="220")))

    assert ("unexpected_line", 0) == (outcome.reason, value(outcome, "probe_failed_due_to_regex"))


def test_a_chatterbox_is_left():
    async def chatter(reader, writer):
        while True:
            writer.write(b"bla\r\n" * 10_000)
            await writer.drain()

    assert "unexpected_line" == on(chatter, asking(Exchanged(expect="^220")), seconds=10).reason


@pytest.mark.parametrize(
    ("sent", "reason", "failed"),
    [
        (b"\x01AB", "", 0),
        (b"\x01AC", "unexpected_bytes", 1),
        (b"\x01A", "unexpected_bytes", 0),
    ],
)
def test_bytes_are_taken_as_they_come(sent, reason, failed):
    outcome = on(
        greeting(b"hello\n" + sent[:1], sent[1:]),
        asking(Exchanged(expect="hello"), Exchanged(expect_bytes="\x01AB")),
    )

    assert reason == outcome.reason
    assert failed == value(outcome, "probe_failed_due_to_bytes")


def test_tls_is_verified_and_shown():
    config = TlsConfig(ca_file=authority())

    outcome = on(silent, tcp(tls=True, tls_config=config), tls=server("good"))

    assert outcome.success, said(outcome)
    assert 1 == value(outcome, "probe_tls_version_info", version="TLS 1.3")
    assert "probe_tls_cipher_info" not in outcome.samples


@pytest.mark.parametrize(
    ("config", "hostname", "reason"),
    [
        ({"server_name": "a.shop.example"}, "", ""),
        ({"server_name": "other.example"}, "", "certificate_name"),
        ({}, "a.shop.example", ""),
        ({}, "other.example", "certificate_name"),
        ({"server_name": "a.shop.example"}, "other.example", ""),
    ],
)
def test_the_name_is_the_module_s_then_the_page_s(config, hostname, reason):
    module = tcp(tls=True, tls_config=TlsConfig(ca_file=authority(), **config))

    assert reason == on(silent, module, tls=server("good"), hostname=hostname).reason


def test_a_refused_certificate_is_shown_too():
    outcome = on(silent, tcp(tls=True), tls=server("self"))

    assert "certificate_untrusted" == outcome.reason
    assert "probe_ssl_last_chain_info" in outcome.samples


def test_a_refused_address_is_never_connected_to():
    outcome = once(tcp(), "127.0.0.1:9", allowed=lambda address: address != "127.0.0.1")

    assert "address_refused" == outcome.reason


# STARTTLS


def upgrading(context):
    """A mail server that speaks TLS when asked to."""

    async def script(reader, writer):
        writer.write(b"220 mail.shop.example ESMTP\r\n")
        while line := await reader.readline():
            if line.startswith(b"STARTTLS"):
                writer.write(b"220 go ahead\r\n")
                await writer.start_tls(context)
            else:
                writer.write(b"250 said %b" % line)

    return script


MAIL = (
    Exchanged(expect="^220 ", send="STARTTLS\r"),
    Exchanged(expect="^220 ", starttls=True),
    Exchanged(send="EHLO prober\r"),
    Exchanged(expect="^250 said EHLO"),
)


@pytest.mark.parametrize(
    ("name", "config", "reason"),
    [
        ("good", {}, ""),
        ("good", {"server_name": "other.example"}, "certificate_name"),
        ("expired", {}, "certificate_expired"),
        ("expired", {"insecure_skip_verify": True}, ""),
        ("good", {"max_version": "TLS12"}, ""),
    ],
)
def test_tls_may_begin_in_the_middle(name, config, reason):
    module = asking(*MAIL, tls_config=TlsConfig(ca_file=authority(), **config))

    outcome = on(upgrading(server(name)), module)

    assert reason == outcome.reason, said(outcome)
    assert "probe_ssl_last_chain_info" in outcome.samples
    version = "TLS 1.2" if config.get("max_version") else "TLS 1.3"
    assert (None if reason else 1) == value(outcome, "probe_tls_version_info", version=version)


def test_a_client_certificate_is_shown_to_who_asks():
    pair = TlsConfig(
        ca=(folder() / "authority.pem").read_text(),
        cert=(folder() / "good.pem").read_text(),
        key=Hidden((folder() / "good.key").read_text()),
    )
    entries = (Exchanged(expect="^hello"),)
    without = TlsConfig(ca_file=authority())

    assert on(echo, asking(*entries, tls=True, tls_config=pair), tls=server_that_asks()).success
    refused = on(echo, asking(*entries, tls=True, tls_config=without), tls=server_that_asks())
    assert not refused.success


# Unix sockets


def test_a_unix_socket_is_talked_to(tmp_path):
    path = str(tmp_path / "socket")

    async def main():
        async def answer(reader, writer):
            await echo(reader, writer)
            writer.close()

        server_ = await asyncio.start_unix_server(answer, path)
        async with server_, Transport() as transport:
            block = TcpModule(query_response=(Exchanged(expect="^hello"),))
            module = Module("tested", "unix", unix=block)
            return await probed(module, path, transport), await probed(
                module, path, transport, allowed=lambda path: False
            )

    outcome, refused = asyncio.run(main())

    assert outcome.success, said(outcome)
    assert "probe_ip_protocol" not in outcome.samples
    assert "address_refused" == refused.reason


def test_a_unix_socket_that_is_not_there(tmp_path):
    module = Module("tested", "unix", unix=TcpModule())

    assert not once(module, str(tmp_path / "nothing")).success
