"""Whether a certificate is for the name that was asked for, in libcurl's words where it is not.

Trust is decided by the library that shakes hands; this only finds the better of two reasons when a
certificate was refused. One of somebody else's server is mostly unknown besides (a web server's
own makeshift one, say): libcurl then tells of the name, and so must every other way to it.
RFC 6125 with libcurl's choices: a wildcard is a whole first label and stands for one label, and
the common name counts where there is no alternative name at all.
"""

import re
from ipaddress import ip_address

from sentinel.transport.tls import Certificate

_ATTRIBUTE = re.compile(r"([A-Za-z0-9]+)=((?:\\.|[^,+\\])*)(?:[,+]|$)", re.DOTALL)
_LEAST_LABELS = 3
"""Of a name with a wildcard: ``*.example`` is for nobody."""


def misnamed(certificate: Certificate, name: str) -> str:
    """Why the certificate is not for `name`, a host or an address without brackets; ``""`` when it is."""
    common = [value for key, value in _ATTRIBUTE.findall(certificate.subject) if key == "CN"]
    if common and not certificate.names:
        said = re.sub(r"\\(.)", r"\1", common[0], flags=re.DOTALL)
        if _fits(said, name):
            return ""
        return (
            f"certificate subject name '{said}' does not match target hostname '{_written(name)}'"
        )
    if any(_fits(each, name) for each in certificate.names):
        return ""
    return no_name_fits(name)


def no_name_fits(name: str) -> str:
    """The sentence for a certificate with other names."""
    kind = f"IPv{ip_address(name).version} address" if _is_address(name) else "hostname"
    return f"no alternative certificate subject name matches target {kind} '{_written(name)}'"


def _written(name: str) -> str:
    return f"[{name}]" if ":" in name else name


def _fits(pattern: str, name: str) -> bool:
    pattern, name = pattern.lower().removesuffix("."), name.lower().removesuffix(".")
    if pattern == name:
        return True
    star, _, rest = pattern.partition(".")
    if star != "*" or pattern.count(".") < _LEAST_LABELS - 1 or _is_address(name):
        return False
    return name.partition(".")[2] == rest


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
