"""What a certificate is shown as: names as Go prints them, and the chains that count."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sentinel.blackbox.certificates import (
    cipher_name,
    last_chain_expiry,
    leaf,
    system_authorities,
)
from sentinel.blackbox.check import Gauges
from sentinel.blackbox.distinguished import go_name
from sentinel.transport.tls import Certificate

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def certificate(subject, issuer, days):
    return Certificate(
        subject, issuer, (), NOW, NOW + timedelta(days=days), "01", f"{subject}{issuer}{days}"
    )


LEAF = certificate("CN=shop", "CN=middle", 80)
MIDDLE = certificate("CN=middle", "CN=root", 400)
ROOT = certificate("CN=root", "CN=root", 4000)


def days(presented, trusted):
    return (last_chain_expiry(presented, trusted) - NOW.timestamp()) / 86_400


@pytest.mark.parametrize("count", [2, 5000])
def test_a_certificate_is_shown_by_its_names_and_not_its_addresses(count):
    """However many: what is shown of usual ones is remembered."""
    names = tuple(f"{n}.example" for n in range(count))
    odd = replace(LEAF, serial="00ff", subject="CN=shop,O=Acme", names=(*names, "192.0.2.1"))
    for _ in range(2):
        gauges = Gauges()
        leaf(gauges, odd)
        ((labels, value),) = gauges.samples["probe_ssl_last_chain_info"].items()

        assert (",".join(names), 1) == (dict(labels)["subjectalternative"], value)
        assert {"subject": "CN=shop,O=Acme", "serialnumber": "ff"}.items() <= dict(labels).items()


def test_a_chain_ends_with_its_first_certificate_that_does():
    assert 80 == days((LEAF, MIDDLE), (ROOT,))
    assert 50 == days((LEAF, MIDDLE), (replace(ROOT, not_after=NOW + timedelta(days=50)),))


def test_of_several_chains_the_longest_lived_counts():
    old = certificate("CN=old root", "CN=old root", 10)
    crossed = certificate("CN=root", "CN=old root", 20)

    assert 10 == days((LEAF, MIDDLE, crossed), (old,))
    assert 80 == days((LEAF, MIDDLE, crossed), (old, ROOT))


def test_an_unneeded_certificate_that_expires_does_not_count():
    assert 80 == days((LEAF, MIDDLE, certificate("CN=else", "CN=root", 1)), (ROOT,))


def test_certificates_in_a_circle_come_to_an_end():
    circle = [certificate(f"CN={n}", f"CN={(n + 1) % 40}", 9) for n in range(40)]

    assert 9 == days(circle, ())


def test_a_leaf_may_be_trusted_itself():
    own = certificate("CN=self", "CN=self", 7)

    assert 7 == days((own,), (own,))


def test_the_machine_s_authorities_are_read_once():
    assert system_authorities() is system_authorities()


@pytest.mark.parametrize(
    ("rfc4514", "expected"),
    [
        (r"CN=localhost,OU=Shop,O=Acme\, Oy", r"CN=localhost,OU=Shop,O=Acme\, Oy"),
        ("C=FI,CN=shop,O=Acme", "CN=shop,O=Acme,C=FI"),
        ("L=Espoo,ST=Uusimaa,C=FI", "ST=Uusimaa,L=Espoo,C=FI"),
        ("OU=two,OU=one,CN=x", "CN=x,OU=one+OU=two"),
        ("EMAIL=a@b.c,CN=x", "CN=x,1.2.840.113549.1.9.1=#16056140622e63"),
        ("550429=n,CN=x", "CN=x,2.5.4.41=#0c016e"),
        ("CN=#x,O= y ", r"CN=\#x,O=\ y\ "),
    ],
)
def test_names_are_in_the_order_of_go(rfc4514, expected):
    assert expected == go_name(rfc4514)


def test_ciphers_have_the_names_of_the_standard():
    assert "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" == cipher_name("ECDHE-RSA-AES128-GCM-SHA256")
    assert "TLS_AES_256_GCM_SHA384" == cipher_name("TLS_AES_256_GCM_SHA384")
