"""The same sick targets through `/probe`'s probing: it fails within its timeout, and says why."""

import asyncio

import pytest

from sentinel.blackbox.module import (
    DnsModule,
    Exchanged,
    GrpcModule,
    HttpModule,
    Module,
    TcpModule,
    TlsConfig,
    WebsocketModule,
)
from sentinel.transport.curl import Transport
from tests.blackbox.probes import FOUR, probed
from tests.hostile import http_cases, line_cases, tls_cases
from tests.hostile.suite import LATE_S, MOST_GROWN, TIMEOUT_S, Case, forget_peak, peak, resident
from tests.hostile.targets import HOST
from tests.transport.certificates import authority
from tests.transport.servers import serving

pytestmark = pytest.mark.slow

SECONDS = 2.0
EXPECTS = (Exchanged(expect="^ready"),)
TRUSTING = TlsConfig(ca_file=authority(), server_name="localhost")

WEB = Module("web", "http", http=HttpModule(ip=FOUR, body_size_limit=1 << 20))
MODULES = {
    "http": ("http://{}/", WEB),
    "tcp": ("{}", Module("tcp", "tcp", tcp=TcpModule(ip=FOUR, query_response=EXPECTS))),
    "dns": (
        "{}",
        Module(
            "dns",
            "dns",
            dns=DnsModule(
                ip=FOUR, query_name="shop.example", query_type="A", transport_protocol="tcp"
            ),
        ),
    ),
    "grpc": ("{}", Module("grpc", "grpc", grpc=GrpcModule(ip=FOUR))),
    "websocket": ("ws://{}/", Module("ws", "websocket", websocket=WebsocketModule(ip=FOUR))),
}
OVER_TLS = Module(
    "tls", "tcp", tcp=TcpModule(ip=FOUR, tls=True, tls_config=TRUSTING, query_response=EXPECTS)
)


def failures(cases: tuple[Case, ...], module: Module, target: str) -> dict[str, str]:
    """The cases that did not fail within their time with a reason."""

    async def one(each: Case, transport: Transport) -> str:
        seconds = TIMEOUT_S if each.waits else SECONDS
        async with serving(each.script) as port, asyncio.timeout(seconds + LATE_S):
            aimed = target.format(f"{HOST}:{port}")
            outcome = await probed(module, aimed, transport, seconds=seconds)
        if outcome.success or not outcome.reason or outcome.reason == "internal":
            return f"success {outcome.success}, reason {outcome.reason}"
        return ""

    async def main() -> dict[str, str]:
        async with Transport() as transport:
            forget_peak()
            before = resident()
            found = {each.sickness: await one(each, transport) for each in cases if not each.waits}
            patient = [each for each in cases if each.waits]
            ended = await asyncio.gather(*(one(each, transport) for each in patient))
            found |= dict(zip([each.sickness for each in patient], ended, strict=True))
            assert peak() - before < 2 * MOST_GROWN
        return {sickness: wrong for sickness, wrong in found.items() if wrong}

    return asyncio.run(main())


@pytest.mark.parametrize("prober", MODULES)
def test_whatever_a_target_says_the_probe_fails_with_a_reason(prober: str) -> None:
    target, module = MODULES[prober]

    assert {} == failures(line_cases.cases_of(prober), module, target)


def test_whatever_a_web_server_answers_the_probe_fails_unless_it_is_well() -> None:
    sick = tuple(each for each in http_cases.HTTP if "" not in each.reasons)

    assert {} == failures(sick, WEB, "http://{}/")


def test_whatever_breaks_tls_the_probe_fails_with_a_reason() -> None:
    assert {} == failures(tls_cases.cases_of("tcp"), OVER_TLS, "{}")
