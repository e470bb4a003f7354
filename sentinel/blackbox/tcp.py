"""`tcp` and `unix` modules: a connection, over TLS where asked, and a dialogue."""

from sentinel.blackbox.address import choose, permitted
from sentinel.blackbox.check import Check
from sentinel.blackbox.dialogue import Dialogue
from sentinel.blackbox.ended import Ended
from sentinel.blackbox.module import TcpModule
from sentinel.blackbox.reasons import Because
from sentinel.blackbox.securing import secured
from sentinel.blackbox.tlsfiles import material
from sentinel.blackbox.urls import numbered, split_host_port
from sentinel.transport.connection import Connection


async def probe_tcp(check: Check, module: TcpModule) -> str:
    """The target is ``host:port``. The page's `hostname` is the TLS server name where the module
    gives none."""
    _begin(check)
    host, written = _place(check)
    address, reason = await choose(check, host, module.ip)
    if reason:
        return reason
    port = numbered(check, written)
    check.notes.info(f"Dialing TCP {'with' if module.tls else 'without'} TLS")
    connection = await check.transport.connect(
        address, port, check.deadline, source_ip=module.source_ip_address
    )
    return await _talked(check, module, connection, name=check.hostname or host)


async def probe_unix(check: Check, module: TcpModule) -> str:
    """The target is the path of a socket on this machine; `allowed` is asked about the path."""
    _begin(check)
    if not permitted(check, check.target):
        return Because.address_refused
    check.notes.info(f"Dialing unix {'with' if module.tls else 'without'} TLS")
    connection = await check.transport.connect("", 0, check.deadline, unix_path=check.target)
    return await _talked(check, module, connection, name="")


def _begin(check: Check) -> None:
    check.gauges.set("probe_failed_due_to_regex", 0)
    check.gauges.set("probe_failed_due_to_bytes", 0)


def _place(check: Check) -> tuple[str, str]:
    try:
        return split_host_port(check.target)
    except ValueError as wrong:
        check.notes.error("Error splitting target address and port", err=wrong)
        raise Ended(Because.invalid_target) from wrong


async def _talked(check: Check, module: TcpModule, connection: Connection, *, name: str) -> str:
    """Talk over the connection, and close it."""
    try:
        if connection.exchange.reason:
            lost = connection.exchange
            check.notes.error("Error dialing", err=lost.text or lost.reason)
            return lost.reason or ""
        check.notes.info("Successfully dialed")

        async def start_tls() -> str:
            tls = material(check, module.tls_config)
            return await secured(check, connection, tls, name=name)

        reason = await start_tls() if module.tls else ""
        return reason or await Dialogue(check, connection, start_tls).have(module.query_response)
    finally:
        connection.close()
