"""Every error of libcurl has a reason, and the same one every time."""

import errno

import pycurl
import pytest

from sentinel.transport.reasons import NETWORK, OURS, Reason, of_curl, of_proxy, of_verification

CODES = sorted(
    {value for name, value in vars(pycurl).items() if name.startswith("E_") and value > 0}
)


def reason(code, *, system_error=0, resolved=True, connected=True, text=""):
    return of_curl(
        code, system_error=system_error, resolved=resolved, connected=connected, text=text
    )


@pytest.mark.parametrize("code", [*CODES, 100, 101, 9999])
def test_every_code_has_a_reason(code):
    assert reason(code) in set(Reason)


@pytest.mark.parametrize(
    ("code", "how", "expected"),
    [
        (pycurl.E_OPERATION_TIMEDOUT, {"resolved": False, "connected": False}, Reason.dns_timeout),
        (pycurl.E_OPERATION_TIMEDOUT, {"connected": False}, Reason.connect_timeout),
        (pycurl.E_OPERATION_TIMEDOUT, {}, Reason.timeout),
        (pycurl.E_COULDNT_CONNECT, {"system_error": errno.ECONNREFUSED}, Reason.connect_refused),
        (pycurl.E_COULDNT_CONNECT, {"system_error": errno.ETIMEDOUT}, Reason.connect_timeout),
        (
            pycurl.E_COULDNT_CONNECT,
            {"system_error": errno.EHOSTUNREACH},
            Reason.connect_unreachable,
        ),
        (pycurl.E_SSL_CONNECT_ERROR, {"system_error": errno.ECONNRESET}, Reason.reset),
        (pycurl.E_RECV_ERROR, {"text": "OpenSSL SSL_read: tlsv13 alert"}, Reason.tls_failed),
        (pycurl.E_RECV_ERROR, {"text": "Recv failure: reset"}, Reason.reset),
        (
            pycurl.E_RECV_ERROR,
            {"text": "chunk hex-length char not a hex digit"},
            Reason.protocol_error,
        ),
        (pycurl.E_SEND_ERROR, {"connected": False}, Reason.connect_unreachable),
        (pycurl.E_OUT_OF_MEMORY, {}, Reason.client_failed),
        (pycurl.E_SSL_CACERT_BADFILE, {}, Reason.client_failed),
    ],
)
def test_what_happened_decides_between_reasons(code, how, expected):
    assert expected is reason(code, **how)


@pytest.mark.parametrize(
    ("result", "text", "expected"),
    [
        (9, "", Reason.certificate_not_yet_valid),
        (10, "", Reason.certificate_expired),
        (18, "", Reason.certificate_untrusted),
        (1, "SSL: no alternative certificate subject name matches", Reason.certificate_name),
    ],
)
def test_a_refused_certificate_says_why(result, text, expected):
    assert expected is of_verification(result, text)


def between(code, *, scheme="http", tunnelled=True, answered=0, said=0, connected=True):
    return of_proxy(
        code,
        scheme=scheme,
        tunnelled=tunnelled,
        answered=answered,
        said=said,
        connected=connected,
    )


@pytest.mark.parametrize(
    ("code", "how", "expected"),
    [
        (5, {"connected": False}, Reason.proxy_failed),
        (pycurl.E_COULDNT_CONNECT, {"connected": False}, Reason.proxy_failed),
        (pycurl.E_OPERATION_TIMEDOUT, {"connected": False}, Reason.proxy_failed),
        (pycurl.E_OPERATION_TIMEDOUT, {}, None),
        (pycurl.E_COULDNT_CONNECT, {"answered": 407}, Reason.proxy_refused),
        (pycurl.E_RECV_ERROR, {}, Reason.proxy_failed),
        (pycurl.E_RECV_ERROR, {"answered": 200}, None),
        (pycurl.E_RECV_ERROR, {"tunnelled": False}, None),
        (pycurl.E_PEER_FAILED_VERIFICATION, {"scheme": "https"}, Reason.proxy_failed),
        (pycurl.E_PEER_FAILED_VERIFICATION, {"scheme": "https", "answered": 200}, None),
        (pycurl.E_PEER_FAILED_VERIFICATION, {"scheme": "socks5", "tunnelled": False}, None),
        (97, {"said": 19}, Reason.connect_refused),
        (97, {"said": 12}, Reason.proxy_refused),
        (97, {"said": 2}, Reason.proxy_failed),
        (pycurl.E_COULDNT_RESOLVE_HOST, {"scheme": "socks5"}, None),
    ],
)
def test_a_proxys_own_failure_is_told_from_the_targets(code, how, expected):
    assert expected is between(code, **how)


def test_no_reason_is_both_the_networks_and_ours():
    assert frozenset() == NETWORK & OURS
