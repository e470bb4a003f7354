"""Where two pages differ, but for what later versions changed and what we accept.

The original here is 0.23.0. `ADDED` and `RENAMED` are what its later versions say otherwise, and
what we say with them; `differences` hands back everything else.
"""

from collections.abc import Iterator, Mapping

from tests.blackbox.differential.programs import Labels, Said

TIMES = frozenset(
    {
        "probe_duration_seconds",
        "probe_dns_lookup_time_seconds",
        "probe_http_duration_seconds",
        "probe_dns_duration_seconds",
        "probe_icmp_duration_seconds",
        "probe_grpc_duration_seconds",
    }
)
"""Families whose values are times: only their labels are compared."""
ADDED = frozenset(
    {
        "probe_timeout_seconds",
        "probe_tls_cipher_info",
        "probe_failed_due_to_bytes",
        "probe_failed_due_to_cel",
        "probe_expect_info",
    }
)
"""Families that 0.23.0 does not have and later versions do."""
OURS = frozenset({"sentinel_probe_failure"})
"""The accepted difference `failure-reasons`."""
OF_A_CERTIFICATE = frozenset({"probe_ssl_earliest_cert_expiry", "probe_ssl_last_chain_info"})
AFTER_STARTTLS = frozenset({"probe_tls_version_info", "probe_ssl_last_chain_info"})
"""0.23.0 sets them and forgets to show them."""
RENAMED = {
    "probe_ssl_earliest_cert_expiry": {
        "Returns earliest SSL cert expiry in unixtime",
        "Returns earliest SSL cert expiry date",
        "Returns last SSL chain expiry in unixtime",
    },
    "probe_ssl_last_chain_expiry_timestamp_seconds": {
        "Returns last SSL chain expiry in timestamp seconds",
        "Returns last SSL chain expiry in unixtime",
        "Returns last SSL chain expiry in timestamp",
    },
    "probe_tls_version_info": {
        "Contains the TLS version used",
        "Returns the TLS version used, or NaN when unknown",
        "Returns the TLS version used or NaN when unknown",
    },
}
"""HELP texts that differ between versions, or between probers of one."""

Families = Mapping[str, Mapping[Labels, float]]


def differences(
    ours: Said, theirs: Said, *, differs: str, starttls: bool, varies: frozenset[str] = frozenset()
) -> list[str]:
    """A line for each difference that nobody has accepted. `varies` are families whose values differ
    from run to run."""
    if (ours.status, ours.content_type) != (theirs.status, theirs.content_type):
        return [f"{ours.status} {ours.content_type} for {theirs.status} {theirs.content_type}"]
    mine, other = _comparable(ours), _comparable(theirs)
    tolerated = ADDED | OURS
    if differs == "refused-certificates":
        tolerated |= OF_A_CERTIFICATE
    if starttls:
        tolerated |= AFTER_STARTTLS
    found = [f"only ours: {name}" for name in sorted(mine.keys() - other.keys() - tolerated)]
    found += [f"only theirs: {name}" for name in sorted(other.keys() - mine.keys())]
    for name in sorted(mine.keys() & other.keys()):
        found += _samples(name, mine[name], other[name], varies=TIMES | varies)
        found += _about(name, ours.about[name], theirs.about[name])
    return found


def _comparable(said: Said) -> Families:
    """The samples without what 0.23.0 has no label for, and without an expiry of 0, which it shows
    for `grpc` where there was no certificate and 0.26 does not any more."""
    never = {"probe_ssl_earliest_cert_expiry": {(): 0.0}}
    return {
        name: {
            tuple(label for label in labels if label[0] != "serialnumber"): value
            for labels, value in samples.items()
        }
        for name, samples in said.families.items()
        if never.get(name) != samples
    }


def _samples(
    name: str,
    ours: Mapping[Labels, float],
    theirs: Mapping[Labels, float],
    *,
    varies: frozenset[str],
) -> Iterator[str]:
    if ours.keys() != theirs.keys():
        yield f"{name}: {sorted(ours)} for {sorted(theirs)}"
    elif name not in varies and ours != theirs:
        yield f"{name}: {ours} for {theirs}"


def _about(name: str, ours: tuple[str, str], theirs: tuple[str, str]) -> Iterator[str]:
    if ours[1] != theirs[1]:
        yield f"{name}: TYPE {ours[1]} for {theirs[1]}"
    same = ours[0] == theirs[0] or {ours[0], theirs[0]} <= RENAMED.get(name, set())
    if not same:
        yield f"{name}: HELP {ours[0]!r} for {theirs[0]!r}"
