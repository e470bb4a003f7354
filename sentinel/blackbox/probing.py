"""Performing a module on a target, as blackbox_exporter would: its samples, its rules, its notes.

`probe` is the one door. A sick target is a `Probed` that failed, with a reason; nothing that a
target does raises, and nothing outlives `timeout_s` but the closing of sockets.
"""

import asyncio

from sentinel.blackbox.check import Allowed, Check, Clock, Notes, ReadFile
from sentinel.blackbox.dns import probe_dns
from sentinel.blackbox.ended import Ended
from sentinel.blackbox.grpc import probe_grpc
from sentinel.blackbox.http import probe_http
from sentinel.blackbox.icmp import probe_icmp
from sentinel.blackbox.module import Module
from sentinel.blackbox.probed import Probed
from sentinel.blackbox.reasons import Because
from sentinel.blackbox.tcp import probe_tcp, probe_unix
from sentinel.blackbox.websocket import probe_websocket
from sentinel.transport.curl import Transport
from sentinel.transport.reasons import Reason

GRACE_S = 0.5
"""After the deadline every prober has come to its own end; this ends one that has not."""


async def probe(
    module: Module,
    target: str,
    *,
    hostname: str,
    timeout_s: float,
    transport: Transport,
    allowed: Allowed,
    read_file: ReadFile,
    clock: Clock,
) -> Probed:
    """Perform `module` on `target` once.

    `hostname` is the page's parameter (http: the Host header; tcp: the TLS server name, when the
    module gives none). `allowed` is asked about every address after resolution, and on every
    redirect; a refusal fails the probe with ``address_refused``. `read_file` gives what the files
    that the module names hold now; its OSError fails the probe with ``file_unreadable``. `clock` dates
    the assertions of a JWT bearer grant.
    """
    notes = Notes(transport.now)
    deadline = transport.now() + timeout_s
    check = Check(target, hostname, deadline, transport, allowed, read_file, clock, notes)
    notes.info("Beginning probe", probe=module.prober, timeout_seconds=timeout_s)
    try:
        async with asyncio.timeout_at(deadline + GRACE_S):
            reason = await _performed(check, module)
    except TimeoutError:
        reason = Reason.timeout
        notes.error("The probe did not end in time")
    except Ended as ended:
        reason = ended.reason
    except Exception as failure:  # ours: the page must still say that the probe failed
        reason = Because.internal
        notes.error("Sentinel itself failed", err=f"{type(failure).__name__}: {failure}")
    spent = notes.spent_s()
    if reason:
        notes.error("Probe failed", duration_seconds=spent, reason=reason)
    else:
        notes.info("Probe succeeded", duration_seconds=spent)
    return Probed(not reason, spent, check.gauges.samples, notes, str(reason))


async def _performed(check: Check, module: Module) -> str:
    match module.prober:
        case "http":
            return await probe_http(check, module.http)
        case "tcp":
            return await probe_tcp(check, module.tcp)
        case "unix":
            return await probe_unix(check, module.unix)
        case "dns":
            return await probe_dns(check, module.dns)
        case "icmp":
            return await probe_icmp(check, module.icmp)
        case "grpc":
            return await probe_grpc(check, module.grpc)
        case "websocket":
            return await probe_websocket(check, module.websocket)
        case _:
            check.notes.error("Unknown prober", prober=module.prober)
            return Because.unsupported
