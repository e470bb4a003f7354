"""`grpc` modules: the health service of the target is asked (grpc.health.v1.Health/Check)."""

from sentinel.blackbox import certificates
from sentinel.blackbox.address import choose
from sentinel.blackbox.check import Check
from sentinel.blackbox.ended import Ended
from sentinel.blackbox.module import GrpcModule
from sentinel.blackbox.reasons import Because
from sentinel.blackbox.tlsfiles import material
from sentinel.blackbox.urls import Url
from sentinel.transport.grpc import SERVING, Code, Health
from sentinel.transport.grpc import check as ask
from sentinel.transport.wire import Request


async def probe_grpc(check: Check, module: GrpcModule) -> str:
    """The target is ``host:port`` or a URL; its port is 80, or 443 over TLS, where it has none. The
    call ends at the probe's deadline, which the original forgets."""
    gauges = check.gauges
    gauges.set("probe_grpc_ssl", 0)
    gauges.set("probe_grpc_status_code", 0)
    gauges.set("probe_grpc_duration_seconds", 0, phase="resolve")
    url = _aim(check, module)
    tls = material(check, module.tls_config)
    began = check.transport.now()
    address, reason = await choose(check, url.host, module.ip)
    if reason:
        return reason
    resolved = check.transport.now()
    gauges.set("probe_grpc_duration_seconds", resolved - began, phase="resolve")
    request = Request(
        url.text,
        resolve_to=address,
        verify=tls.verify,
        ca_pem=tls.ca_pem,
        cert_pem=tls.cert_pem,
        key_pem=tls.key_pem,
        server_name=tls.server_name if module.tls else "",
        tls_min_version=tls.minimum,
        tls_max_version=tls.maximum,
    )
    metadata = [
        (name.lower(), value) for name, values in module.metadata.items() for value in values
    ]
    health = await ask(
        check.transport, request, check.deadline, service=module.service, metadata=metadata
    )
    spent = check.transport.now() - resolved
    gauges.set("probe_grpc_duration_seconds", spent, phase="check")
    exchange = health.exchange
    if module.tls and exchange.reason is None:
        gauges.set("probe_grpc_ssl", 1)
        certificates.show_call(gauges, exchange)
    elif module.tls:
        certificates.show_refused(gauges, exchange)
    return _judged(check, health)


def _aim(check: Check, module: GrpcModule) -> Url:
    target = check.target
    if not target.startswith(("http://", "https://")):
        target = f"http://{target}"
    try:
        given = Url.parse(target)
    except ValueError as wrong:
        check.notes.error("Could not parse target URL", err=wrong)
        raise Ended(Because.invalid_target) from wrong
    return Url("https" if module.tls else "http", given.host, given.port, "/")


def _judged(check: Check, health: Health) -> str:
    gauges, notes = check.gauges, check.notes
    gauges.set("probe_grpc_status_code", health.code)
    for status in SERVING:
        serving = int(health.serving == status)
        gauges.set("probe_grpc_healthcheck_response", serving, serving_status=status)
    if health.code is not Code.OK:
        said = health.message or health.exchange.text
        notes.error("can't connect grpc server:", code=health.code.name, err=said)
        return health.exchange.reason or Because.call_failed
    if health.serving != "SERVING":
        notes.error("The service does not serve", serving_status=health.serving)
        return Because.not_serving
    notes.debug("connect the grpc server successfully")
    return ""
