"""What a libcurl handle knows when its transfer has ended, as an `Exchange`."""

from typing import Any

import pycurl

from sentinel.transport.flood import WORDS
from sentinel.transport.handle import Handle
from sentinel.transport.preset import secure
from sentinel.transport.reasons import Reason, of_curl, of_proxy, of_verification
from sentinel.transport.wire import Exchange, Request

_VERSIONS = {1: "1.0", 2: "1.1", 3: "2", 30: "3"}
_NEGOTIATED_PARTS = 2
_WHOLE = (b"\r\n\r\n", b"\n\n", b"\n\r\n")
_BETWEEN = frozenset({Reason.proxy_failed, Reason.proxy_refused})


def read(handle: Handle, request: Request, code: int, text: str) -> Exchange:
    """The exchange of one hop; `code` and `text` are libcurl's for how it ended (0: well)."""
    curl = handle.curl
    info = curl.getinfo
    encrypted = handle.negotiated != "" or secure(request)
    phases, duration = _phases(curl, secure=encrypted)
    version, cipher = _negotiated(handle.negotiated)
    reason = _reason(handle, request, code, text, phases=phases) if code else None
    status = info(pycurl.RESPONSE_CODE) if handle.lines else 0
    head = handle.head() if status else b""
    head = head[: head.rfind(b"\n") + 1]
    if reason in (None, Reason.truncated) and status and not head.endswith(_WHOLE):
        # libcurl takes the connection's end for that of the head, and half a line for a line.
        reason, text = Reason.truncated, "the connection was closed within the response head"
        if 100 <= status < 200 and status != 101:
            reason, text = Reason.empty_reply, "Empty reply from server"
    between = reason in _BETWEEN
    return Exchange(
        url=request.url,
        reason=reason,
        text=_text(reason, WORDS if handle.flood.came else text, request) if reason else "",
        status=status,
        http_version=_VERSIONS.get(info(pycurl.INFO_HTTP_VERSION), "") if handle.lines else "",
        head=head,
        body=handle.body(),
        phases=phases,
        duration_s=duration,
        address=request.unix_socket or info(pycurl.PRIMARY_IP) or "",
        port=info(pycurl.PRIMARY_PORT),
        verified=_verified(code, request, phases) if encrypted and not between else None,
        tls_version=version,
        tls_cipher=cipher,
        size_bytes=info(pycurl.SIZE_DOWNLOAD_T),
        pems=handle.pems() if encrypted else (),
        trailers=handle.trailers() if request.http_version == "2-only" else b"",
    )


def _phases(curl: Any, *, secure: bool) -> tuple[dict[str, float], float]:
    """Seconds by phase, and in all. libcurl's marks count from the start and are 0 when not
    reached; the phase in which it ended early has lasted until the end. Through a SOCKS proxy that is
    given addresses, the name is resolved after connecting."""
    info = curl.getinfo
    total = info(pycurl.TOTAL_TIME)
    resolved = info(pycurl.NAMELOOKUP_TIME)
    if not resolved:
        return {"resolve": total}, total
    connected = info(pycurl.CONNECT_TIME)
    secured = info(pycurl.APPCONNECT_TIME)
    asked = info(pycurl.PRETRANSFER_TIME)
    answered = info(pycurl.STARTTRANSFER_TIME)
    connect = tls = processing = transfer = 0.0
    if not connected:
        connect = total - resolved
    elif secure and not secured:
        connect = max(0.0, connected - resolved)
        tls = total - connected
    elif not asked:
        connect = max(0.0, connected - resolved)
    else:
        connect = max(0.0, connected - resolved)
        tls = secured - connected if secured else 0.0
        processing = (answered or total) - asked
        transfer = total - answered if answered else 0.0
    return {
        "resolve": resolved,
        "connect": connect,
        "tls": tls,
        "processing": processing,
        "transfer": transfer,
    }, total


def _reason(
    handle: Handle, request: Request, code: int, text: str, *, phases: dict[str, float]
) -> Reason:
    if handle.overflow is not None:
        return handle.overflow
    if handle.flood.came:
        return Reason.tls_failed
    info = handle.curl.getinfo
    if request.proxy and info(pycurl.USED_PROXY):
        between = of_proxy(
            code,
            scheme=request.proxy.partition(":")[0].lower(),
            tunnelled=secure(request) and request.proxy[:4].lower() == "http",
            answered=info(pycurl.HTTP_CONNECTCODE),
            said=info(pycurl.PROXY_ERROR),
            connected=info(pycurl.CONNECT_TIME) > 0,
        )
        if between is not None:
            return between
    if code == pycurl.E_PEER_FAILED_VERIFICATION:
        return of_verification(info(pycurl.SSL_VERIFYRESULT), text)
    return of_curl(
        code,
        system_error=info(pycurl.OS_ERRNO),
        resolved=len(phases) > 1,
        connected=info(pycurl.CONNECT_TIME) > 0,
        text=text,
    )


def _text(reason: Reason, text: str, request: Request) -> str:
    match reason:
        case Reason.body_too_large:
            return f"the body is larger than {request.body_limit} bytes"
        case Reason.headers_too_large:
            return f"the response head is too large: {text}"
        case _:
            return text or reason.replace("_", " ")  # libcurl has no words for some decoders


def _verified(code: int, request: Request, phases: dict[str, float]) -> bool | None:
    """Whether the chain and the name were found good; None when nothing was looked at."""
    if not request.verify:
        return None
    if code == pycurl.E_PEER_FAILED_VERIFICATION:
        return False
    return True if not code or phases.get("processing") else None


def _negotiated(text: str) -> tuple[str, str]:
    """``TLSv1.3 / TLS_AES_256_GCM_SHA384 / …`` as (``TLS 1.3``, ``TLS_AES_256_GCM_SHA384``)."""
    parts = text.split(" / ")
    if len(parts) < _NEGOTIATED_PARTS:
        return "", ""
    return parts[0].replace("TLSv", "TLS "), parts[1]
