"""The `grpc` kind against a real gRPC server, and against servers that only seem to be one."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from sentinel.expression import compile_expression
from sentinel.metrics.families import KNOWN
from sentinel.probers.grpc import Grpc
from sentinel.transport.curl import Transport
from sentinel.words import Outcome, Secret
from tests.probers.documents import shown
from tests.transport.certificates import authority, folder
from tests.transport.servers import observed, serving, silent

pytestmark = pytest.mark.needs("openssl")
STATES = health_pb2.HealthCheckResponse


class Bouncer(grpc.ServerInterceptor):
    """Lets nobody in without the token."""

    def intercept_service(self, continuation, details):
        if ("authorization", "Bearer t0psecret") in details.invocation_metadata:
            return continuation(details)

        def refuse(request, context):
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are yöu?")

        return grpc.unary_unary_rpc_method_handler(refuse)


@contextmanager
def server(*, tls: str = "", guarded: bool = False) -> Iterator[int]:
    """A gRPC server whose `shop` serves and whose `stock` does not; gives its port."""
    with ThreadPoolExecutor(2) as threads:
        serving_grpc = grpc.server(threads, interceptors=[Bouncer()] if guarded else [])
        servicer = health.HealthServicer()
        servicer.set("shop", STATES.SERVING)
        servicer.set("stock", STATES.NOT_SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(servicer, serving_grpc)
        if tls:
            pair = [(folder() / f"{tls}.{end}").read_bytes() for end in ("key", "pem")]
            secured = grpc.ssl_server_credentials([tuple(pair)])
            port = serving_grpc.add_secure_port("127.0.0.1:0", secured)
        else:
            port = serving_grpc.add_insecure_port("127.0.0.1:0")
        serving_grpc.start()
        try:
            yield port
        finally:
            serving_grpc.stop(None).wait()


def check(port, *, needed="", seconds=5.0, **fields):
    async def main():
        async with Transport() as transport:
            how = {"host_": "localhost", "port": port, "ip": "ipv4", **fields}
            return await observed(
                Grpc(**how), transport, seconds=seconds, needed=needed, TOKEN="t0psecret"
            )

    return asyncio.run(main())


def against(script, **fields):
    """One check of a server that says what `script` says."""

    async def main():
        async with serving(script) as port, Transport() as transport:
            seconds = fields.pop("seconds", 5.0)
            return await observed(
                Grpc("localhost", port, ip="ipv4", **fields), transport, seconds=seconds
            )

    return asyncio.run(main())


def holds(source, observation):
    return compile_expression(source, Grpc.NAMES).evaluate(observation.values)


@pytest.mark.parametrize(
    ("service", "reason", "code", "serving_status"),
    [
        ("", "", 0, "SERVING"),
        ("shop", "", 0, "SERVING"),
        ("stock", "not_serving", 0, "NOT_SERVING"),
        ("s" * 300, "service_unknown", 5, None),
    ],
)
def test_a_service_is_as_it_says(service, reason, code, serving_status):
    with server() as port:
        observation = check(port, service=service)

    states = observation.metrics["probe_grpc_healthcheck_response"]
    assert (reason, code) == (observation.reason, observation.metrics["probe_grpc_status_code"])
    assert {serving_status} - {None} == {name for name, value in states.items() if value}
    assert ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"] == list(states)


def test_what_an_expectation_names_it_judges_itself():
    with server() as port:
        judged = check(port, service="stock", needed="serving")
        not_judged = check(port, service="stock", needed="timing")

    assert ("", "not_serving") == (judged.reason, not_judged.reason)
    assert holds('serving == "NOT_SERVING" && status == "OK" && timing.total_s > 0.0', judged)


def test_its_families_are_declared():
    with server() as port:
        metrics = check(port).metrics

    assert metrics.keys() <= KNOWN.keys() | {family.name for family in Grpc.METRICS}
    assert (0, ["resolve", "check"]) == (
        metrics["probe_grpc_ssl"],
        list(metrics["probe_grpc_duration_seconds"]),
    )


def test_metadata_is_sent_and_what_is_secret_is_not_shown():
    told = {"authorization": Secret("Bearer {env:TOKEN}")}
    with server(guarded=True) as port:
        let_in = check(port, secret_metadata=told, metadata={"x-tenant": "acme"})
        kept_out = check(port)

    assert ("", "call_failed") == (let_in.reason, kept_out.reason)
    assert "UNAUTHENTICATED: who are yöu?" in kept_out.text
    assert "Check\r\nx-tenant: acme\r\nauthorization: ***" == let_in.evidence.request


@pytest.mark.parametrize("name", ["X-Upper", "grpc-timeout", "a b", ""])
def test_a_name_that_cannot_be_metadata_is_refused_when_it_is_declared(name):
    with pytest.raises(ValueError, match="metadata"):
        Grpc("a", 1, metadata={name: "x"})


@pytest.mark.parametrize(
    ("name", "fields", "reason"),
    [
        ("good", {}, ""),
        ("good", {"ca_file": ""}, "certificate_untrusted"),
        ("other", {}, "certificate_name"),
        ("other", {"server_name": "other.example"}, ""),
        ("expired", {"verify": False}, ""),
    ],
)
def test_over_tls_the_certificate_is_verified(name, fields, reason):
    with server(tls=name) as port:
        observation = check(port, tls=True, **{"ca_file": authority(), **fields})

    assert reason == observation.reason
    assert "CN=localhost" in observation.evidence.facts["certificates"][0]["subject"]
    if not reason:
        assert {"TLS 1.3": 1} == observation.metrics["probe_tls_version_info"]
        assert 1 == observation.metrics["probe_grpc_ssl"]


def test_tls_spoken_to_a_server_without_it_fails():
    with server() as port:
        assert "tls_failed" == check(port, tls=True).reason


async def page(reader, writer):
    await reader.read(100)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()


async def gone(reader, writer):
    await reader.read(100)


def test_who_does_not_speak_it_has_a_reason():
    late, wrong = against(silent, seconds=0.3), against(page)

    assert (Outcome.failed, "timeout", True) == (late.outcome, late.reason, late.network)
    assert (Outcome.failed, "protocol_error") == (wrong.outcome, wrong.reason)
    assert [4, 14] == [each.metrics["probe_grpc_status_code"] for each in (late, wrong)]
    assert "" != against(gone).reason


def test_nothing_stays_open():
    async def main(port):
        async with Transport() as transport:
            await observed(Grpc("127.0.0.1", port), transport)
            return transport.under_way

    with server() as port:
        assert 0 == asyncio.run(main(port))


def test_what_the_pages_show_can_be_declared():
    assert {"grpc"} == {probe.kind for probe in shown("grpc").values()}
