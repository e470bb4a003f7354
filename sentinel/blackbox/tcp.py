"""`tcp` and `unix` modules: a connection, over TLS where asked, and a dialogue."""

from sentinel.blackbox import certificates
from sentinel.blackbox.address import choose
from sentinel.blackbox.check import Check
from sentinel.blackbox.dialogue import Dialogue
from sentinel.blackbox.ended import Ended
from sentinel.blackbox.module import TcpModule
from sentinel.blackbox.reasons import Because
from sentinel.blackbox.tlsfiles import TlsMaterial, material
from sentinel.blackbox.urls import port_number, split_host_port
from sentinel.transport.connection import Connection


async def probe_tcp(check: Check, module: TcpModule) -> str:
    """The target is ``host:port``. The page's `hostname` is the TLS server name where the module
    gives none."""
    _begin(check)
    host, port = _place(check)
    address, reason = await choose(check, host, module.ip)
    if reason:
        return reason
    tls = material(check, module.tls_config)
    name = tls.server_name or check.hostname or host
    check.notes.info(f"Dialing TCP {'with' if module.tls else 'without'} TLS")
    connection = await check.transport.connect(
        address,
        port,
        check.deadline,
        tls=module.tls,
        verify=tls.verify,
        ca_file=module.tls_config.ca_file,
        server_name=name,
    )
    try:
        return await _talk(check, module, connection, tls, name)
    finally:
        connection.close()


async def probe_unix(check: Check, module: TcpModule) -> str:
    """The target is the path of a socket on this machine."""
    _begin(check)
    check.notes.error("Unix sockets need the transport's")
    return Because.unsupported


def _begin(check: Check) -> None:
    check.gauges.set("probe_failed_due_to_regex", 0)
    check.gauges.set("probe_failed_due_to_bytes", 0)


def _place(check: Check) -> tuple[str, int]:
    try:
        host, port = split_host_port(check.target)
        return host, port_number(port)
    except ValueError as wrong:
        check.notes.error("Error splitting target address and port", err=wrong)
        raise Ended(Because.invalid_target) from wrong


async def _talk(
    check: Check, module: TcpModule, connection: Connection, tls: TlsMaterial, name: str
) -> str:
    exchange = connection.exchange
    if exchange.reason:
        check.notes.error("Error dialing TCP", err=exchange.text or exchange.reason)
        certificates.show_refused(check.gauges, exchange)
        return exchange.reason
    check.notes.info("Successfully dialed")
    if module.tls:
        certificates.show(check.gauges, exchange, authorities=tls.authorities, cipher=False)

    async def start_tls() -> str:
        check.notes.error("TLS Handshake (client) failed")
        return Because.unsupported

    return await Dialogue(check, connection, start_tls).have(module.query_response)
