"""`websocket` modules against a real WebSocket server."""

import asyncio

import pytest
from websockets.asyncio.server import serve

from sentinel.blackbox.module import (
    BasicAuth,
    Exchanged,
    ExtraHeader,
    Hidden,
    HttpClient,
    Module,
    TlsConfig,
    WebsocketModule,
)
from sentinel.transport.curl import Transport
from tests.blackbox.probes import FOUR, once, probed, said, value
from tests.transport.certificates import authority, server
from tests.transport.servers import OK, saying, serving

pytestmark = pytest.mark.needs("openssl")


def websocket(*entries, **block):
    how = {"ip": FOUR, "query_response": entries, **block}
    return Module("tested", "websocket", websocket=WebsocketModule(**how))


async def prices(socket):
    await socket.send(f"welcome {socket.request.headers.get('X-Who', '')}")
    async for message in socket:
        await socket.send(f"you said {message}")


def on(module, *, tls=None, path="/prices"):
    async def main():
        async with serve(prices, "127.0.0.1", 0, ssl=tls) as running, Transport() as transport:
            port = running.sockets[0].getsockname()[1]
            scheme = "wss" if tls else "ws"
            return await probed(module, f"{scheme}://localhost:{port}{path}", transport)

    return asyncio.run(main())


def test_an_upgrade_is_enough():
    outcome = on(websocket())

    assert outcome.success, said(outcome)
    assert (101, 1) == (
        value(outcome, "probe_websocket_status_code"),
        value(outcome, "probe_websocket_connection_upgraded"),
    )
    assert "probe_websocket_failed_due_to_regex" not in outcome.samples


def test_messages_are_expected_and_sent():
    outcome = on(
        websocket(
            Exchanged(expect=r"^welcome (\w+)", send="hello ${1}", labels=(("who", "$1"),)),
            Exchanged(expect="^you said hello ana$"),
            headers={"X-Who": ExtraHeader(("ana",))},
        )
    )

    assert outcome.success, said(outcome)
    assert 0 == value(outcome, "probe_websocket_failed_due_to_regex")
    assert 1 == value(outcome, "probe_expect_info", who="ana")


def test_a_message_that_does_not_fit_fails():
    outcome = on(websocket(Exchanged(expect="^goodbye")))

    assert ("unexpected_line", 1) == (
        outcome.reason,
        value(outcome, "probe_websocket_failed_due_to_regex"),
    )


def test_over_tls_the_certificate_is_verified_and_not_shown():
    client = HttpClient(tls=TlsConfig(ca_file=authority()))

    outcome = on(websocket(client=client), tls=server("good"))

    assert outcome.success, said(outcome)
    assert "certificate_untrusted" == on(websocket(), tls=server("good")).reason
    assert "probe_ssl_earliest_cert_expiry" not in outcome.samples


def test_a_server_of_another_kind_is_not_upgraded():
    async def main():
        async with serving(saying(OK)) as port, Transport() as transport:
            return await probed(websocket(), f"ws://localhost:{port}/", transport)

    outcome = asyncio.run(main())

    assert ("not_upgraded", 200, 0) == (
        outcome.reason,
        value(outcome, "probe_websocket_status_code"),
        value(outcome, "probe_websocket_connection_upgraded"),
    )


def test_credentials_are_sent_and_not_shown():
    async def main():
        async def guarded(socket):
            await socket.send(socket.request.headers["Authorization"])

        client = HttpClient(basic_auth=BasicAuth("ana", password=Hidden("secret")))
        module = websocket(Exchanged(expect="Basic YW5hOnNlY3JldA=="), client=client)
        async with serve(guarded, "127.0.0.1", 0) as running, Transport() as transport:
            port = running.sockets[0].getsockname()[1]
            return await probed(module, f"ws://localhost:{port}/", transport)

    assert asyncio.run(main()).success


@pytest.mark.parametrize("target", ["localhost", "ftp://localhost/", "ws://"])
def test_a_target_is_a_url(target):
    assert "invalid_target" == once(websocket(), target).reason
