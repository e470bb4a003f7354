"""Why a conversation did not come to its end: a closed set of stable codes.

Every error of libcurl maps to exactly one of them (`of_curl`), so that a reason can be
alerted on, counted and compared between `http`, `tcp`, `journey` and `feed`. A reason that
is `network` lies between us and the target; the others were said by the target itself, or
are ours.
"""

import errno
from enum import StrEnum

import pycurl


class Reason(StrEnum):
    """Stable codes; they are written into results, facts and metrics and never renamed."""

    dns_failed = "dns_failed"
    dns_timeout = "dns_timeout"
    connect_refused = "connect_refused"
    connect_unreachable = "connect_unreachable"
    connect_timeout = "connect_timeout"
    tls_failed = "tls_failed"
    certificate_untrusted = "certificate_untrusted"
    certificate_expired = "certificate_expired"
    certificate_not_yet_valid = "certificate_not_yet_valid"
    certificate_name = "certificate_name"
    proxy_failed = "proxy_failed"
    proxy_refused = "proxy_refused"
    oauth2_failed = "oauth2_failed"
    timeout = "timeout"
    reset = "reset"
    empty_reply = "empty_reply"
    truncated = "truncated"
    too_many_redirects = "too_many_redirects"
    redirect_refused = "redirect_refused"
    body_too_large = "body_too_large"
    headers_too_large = "headers_too_large"
    protocol_error = "protocol_error"
    decode_error = "decode_error"
    invalid_request = "invalid_request"
    client_failed = "client_failed"


NETWORK = frozenset(
    {
        Reason.dns_failed,
        Reason.dns_timeout,
        Reason.connect_refused,
        Reason.connect_unreachable,
        Reason.connect_timeout,
        Reason.tls_failed,
        Reason.proxy_failed,
        Reason.proxy_refused,
        Reason.timeout,
        Reason.reset,
        Reason.empty_reply,
        Reason.truncated,
    }
)
"""Reasons that lie between us and the target: retried inside a check, counted for blindness."""

OURS = frozenset({Reason.client_failed})
"""Reasons that say nothing about the target: a check that meets one is *unknown*."""

LOCAL_ERRNOS = frozenset(
    {
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.ENOBUFS,
        errno.EPERM,
        errno.EADDRNOTAVAIL,  # no port of our own is left, or the source address is not ours
    }
)
"""Errors of connecting that lie with this machine, whoever was to be connected to."""

# Numbers are libcurl's (curl/curl.h, CURLcode); those above 90 have no name in pycurl.
_BY_CODE = {
    1: Reason.invalid_request,  # UNSUPPORTED_PROTOCOL: only http and https are asked
    3: Reason.invalid_request,  # URL_MALFORMAT
    5: Reason.proxy_failed,  # COULDNT_RESOLVE_PROXY
    6: Reason.dns_failed,  # COULDNT_RESOLVE_HOST
    7: Reason.connect_unreachable,  # COULDNT_CONNECT; refused is told apart by errno
    8: Reason.protocol_error,  # WEIRD_SERVER_REPLY
    16: Reason.protocol_error,  # HTTP2
    18: Reason.truncated,  # PARTIAL_FILE
    22: Reason.protocol_error,  # HTTP_RETURNED_ERROR
    28: Reason.timeout,  # OPERATION_TIMEDOUT; the phase decides, see `of_curl`
    35: Reason.tls_failed,  # SSL_CONNECT_ERROR
    47: Reason.too_many_redirects,
    52: Reason.empty_reply,  # GOT_NOTHING
    55: Reason.reset,  # SEND_ERROR
    56: Reason.reset,  # RECV_ERROR
    60: Reason.certificate_untrusted,  # PEER_FAILED_VERIFICATION; see `of_verification`
    61: Reason.decode_error,  # BAD_CONTENT_ENCODING
    63: Reason.body_too_large,  # FILESIZE_EXCEEDED
    65: Reason.reset,  # SEND_FAIL_REWIND
    80: Reason.tls_failed,  # SSL_SHUTDOWN_FAILED
    83: Reason.certificate_untrusted,  # SSL_ISSUER_ERROR
    90: Reason.certificate_untrusted,  # SSL_PINNEDPUBKEYNOTMATCH
    91: Reason.certificate_untrusted,  # SSL_INVALIDCERTSTATUS
    92: Reason.protocol_error,  # HTTP2_STREAM
    95: Reason.protocol_error,  # HTTP3
    96: Reason.tls_failed,  # QUIC_CONNECT_ERROR
    97: Reason.proxy_failed,  # PROXY; `of_proxy` tells what it said
    98: Reason.tls_failed,  # SSL_CLIENTCERT
    100: Reason.headers_too_large,  # TOO_LARGE: a header line beyond libcurl's own limit
    101: Reason.tls_failed,  # ECH_REQUIRED
}
"""Codes that are not here (no memory, bad option, local file) are our own failure."""

# CURLPX_*: what the SOCKS proxy, or libcurl of it, says; the first ones are about the target.
_BY_SOCKS_REPLY = {
    19: Reason.connect_refused,
    21: Reason.connect_unreachable,
    22: Reason.connect_unreachable,
    24: Reason.connect_unreachable,
    27: Reason.dns_failed,
    12: Reason.proxy_refused,  # NO_AUTH
    23: Reason.proxy_refused,  # REPLY_NOT_ALLOWED
    33: Reason.proxy_refused,  # USER_REJECTED
}

# X509_V_ERR_* of OpenSSL (openssl/x509_vfy.h).
_BY_VERIFY_RESULT = {
    9: Reason.certificate_not_yet_valid,
    10: Reason.certificate_expired,
    62: Reason.certificate_name,
    64: Reason.certificate_name,
}


def of_curl(code: int, *, system_error: int, resolved: bool, connected: bool, text: str) -> Reason:
    """The reason for libcurl's error `code`.

    `system_error` is the errno of the last failed call (0: none), `resolved` and `connected`
    say how far the conversation came, `text` is libcurl's own message.
    """
    match code:
        case pycurl.E_OPERATION_TIMEDOUT if not resolved:
            return Reason.dns_timeout
        case pycurl.E_OPERATION_TIMEDOUT if not connected:
            return Reason.connect_timeout
        case pycurl.E_COULDNT_CONNECT if system_error == errno.ECONNREFUSED:
            return Reason.connect_refused
        case pycurl.E_COULDNT_CONNECT if system_error == errno.ETIMEDOUT:
            return Reason.connect_timeout
        case pycurl.E_COULDNT_CONNECT if system_error in LOCAL_ERRNOS:
            return Reason.client_failed
        case pycurl.E_SEND_ERROR if not connected:
            return Reason.connect_unreachable  # QUIC: the first datagram came back as ICMP
        case pycurl.E_SSL_CONNECT_ERROR if system_error in (errno.ECONNRESET, errno.EPIPE):
            return Reason.reset
        case pycurl.E_RECV_ERROR | pycurl.E_SEND_ERROR if "alert" in text:
            return (
                Reason.tls_failed
            )  # TLS 1.3 refuses a client after the client's handshake is done
        case pycurl.E_RECV_ERROR if "response headers" in text:
            return Reason.headers_too_large
        case pycurl.E_RECV_ERROR if not (system_error or "failure" in text or "SSL" in text):
            return Reason.protocol_error  # read well, understood badly
        case pycurl.E_UNSUPPORTED_PROTOCOL if "HTTP/0.9" in text or "in response" in text:
            return Reason.protocol_error  # no status line, or one of a version that does not exist
        case pycurl.E_UNSUPPORTED_PROTOCOL if "in HTTP response" in text:
            return Reason.protocol_error  # a status below 100
        case _:
            return _BY_CODE.get(code, Reason.client_failed)


def of_proxy(
    code: int, *, scheme: str, tunnelled: bool, answered: int, said: int, connected: bool
) -> Reason | None:
    """The reason when it lies with the proxy that was used; None when it lies beyond.

    `scheme` is the proxy's, `tunnelled` whether the target was asked through CONNECT, `answered`
    the status of that (0: none), `said` a SOCKS proxy's reply as libcurl numbers it, `connected`
    whether the proxy was reached.
    """
    match code:
        case 5:
            return Reason.proxy_failed
        case 97:
            return _BY_SOCKS_REPLY.get(said, Reason.proxy_failed)
        case pycurl.E_COULDNT_CONNECT | pycurl.E_OPERATION_TIMEDOUT if not connected:
            return Reason.proxy_failed
        case _ if answered and not 200 <= answered < 300:
            return Reason.proxy_refused
        case pycurl.E_SSL_CONNECT_ERROR | pycurl.E_PEER_FAILED_VERIFICATION:
            before = scheme == "https" and not answered
            return Reason.proxy_failed if before else None
        case 8 | pycurl.E_GOT_NOTHING | pycurl.E_SEND_ERROR | pycurl.E_RECV_ERROR:
            return Reason.proxy_failed if tunnelled and not answered else None
        case _:
            return None


def of_verification(result: int, text: str) -> Reason:
    """The reason for a certificate that was refused: OpenSSL's verify `result`, and libcurl's
    `text`, since libcurl compares the name itself, which OpenSSL knows nothing of."""
    if "subject name" in text:
        return Reason.certificate_name
    return _BY_VERIFY_RESULT.get(result, Reason.certificate_untrusted)
