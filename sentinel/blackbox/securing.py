"""Beginning TLS on an open connection as a `tls_config` says."""

from sentinel.blackbox import certificates
from sentinel.blackbox.check import Check
from sentinel.blackbox.pemfiles import path_of
from sentinel.blackbox.tlsfiles import TlsMaterial
from sentinel.transport.connection import Connection

_SPELLED = {"": "", "1.0": "TLS 1.0", "1.1": "TLS 1.1", "1.2": "TLS 1.2", "1.3": "TLS 1.3"}


async def secured(
    check: Check, connection: Connection, tls: TlsMaterial, *, name: str, shown: bool = True
) -> str:
    """The reason why the handshake failed, ``""`` when it did not. `name` is asked for and verified
    where the configuration names none. With `shown` the families of TLS are set."""
    lost = await connection.start_tls(
        server_name=tls.server_name or name,
        deadline=check.deadline,
        verify=tls.verify,
        ca_file=path_of(tls.ca_pem),
        cert_file=path_of(tls.cert_pem),
        key_file=path_of(tls.key_pem),
        minimum=_SPELLED[tls.minimum],
        maximum=_SPELLED[tls.maximum],
    )
    exchange = connection.exchange
    if lost is not None:
        check.notes.error("TLS Handshake (client) failed", err=exchange.text or lost)
        if shown:
            certificates.show_refused(check.gauges, exchange)
        return lost
    check.notes.info("TLS Handshake (client) succeeded.")
    if shown:
        certificates.show(check.gauges, exchange, authorities=tls.authorities, cipher=False)
    return ""
