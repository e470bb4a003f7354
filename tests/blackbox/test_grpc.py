"""`grpc` modules against a real gRPC server."""

import asyncio

import pytest

from sentinel.blackbox.module import GrpcModule, Module, TlsConfig
from sentinel.transport.curl import Transport
from tests.blackbox.probes import FOUR, once, probed, said, value
from tests.probers.test_grpc import server
from tests.transport.certificates import authority
from tests.transport.servers import serving, silent

pytestmark = pytest.mark.needs("openssl")


def grpc(**block):
    return Module("tested", "grpc", grpc=GrpcModule(**{"ip": FOUR, **block}))


@pytest.mark.parametrize(
    ("service", "reason", "code", "serving_status"),
    [
        ("", "", 0, "SERVING"),
        ("shop", "", 0, "SERVING"),
        ("stock", "not_serving", 0, "NOT_SERVING"),
        ("nothing", "call_failed", 5, ""),
    ],
)
def test_a_service_is_as_it_says(service, reason, code, serving_status):
    with server() as port:
        outcome = once(grpc(service=service), f"localhost:{port}")

    assert (reason, code) == (outcome.reason, value(outcome, "probe_grpc_status_code"))
    states = {
        dict(labels)["serving_status"]: number
        for labels, number in outcome.samples["probe_grpc_healthcheck_response"].items()
    }
    names = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
    assert {name: int(name == serving_status) for name in names} == states
    assert 0 == value(outcome, "probe_grpc_ssl")


def test_metadata_is_sent():
    metadata = {"Authorization": ("Bearer t0psecret",)}
    with server(guarded=True) as port:
        refused = once(grpc(), f"localhost:{port}")
        outcome = once(grpc(metadata=metadata), f"localhost:{port}")

    assert (True, 16) == (outcome.success, value(refused, "probe_grpc_status_code"))


def test_over_tls_the_certificate_is_verified_and_shown():
    config = TlsConfig(ca_file=authority())
    with server(tls="good") as port:
        outcome = once(grpc(tls=True, tls_config=config), f"localhost:{port}")
        refused = once(grpc(tls=True), f"localhost:{port}")

    assert outcome.success, said(outcome)
    assert 1 == value(outcome, "probe_grpc_ssl")
    assert "probe_ssl_last_chain_info" in outcome.samples
    assert "probe_ssl_last_chain_expiry_timestamp_seconds" not in outcome.samples
    assert ("certificate_untrusted", 14) == (
        refused.reason,
        value(refused, "probe_grpc_status_code"),
    )


def test_the_call_ends_with_the_probe():
    async def main():
        async with serving(silent) as port, Transport() as transport:
            return await probed(grpc(), f"localhost:{port}", transport, seconds=0.4)

    outcome = asyncio.run(main())

    assert ("timeout", 4) == (outcome.reason, value(outcome, "probe_grpc_status_code"))


def test_nobody_listens():
    outcome = once(grpc(), "127.0.0.1:9")

    assert ("connect_refused", 14) == (outcome.reason, value(outcome, "probe_grpc_status_code"))
