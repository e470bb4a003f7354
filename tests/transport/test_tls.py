"""What certificates say, compared with what openssl reads in them."""

import ssl
from datetime import UTC, datetime, timedelta

import pytest

from sentinel.transport.tls import chain, parse
from tests.transport.certificates import folder, openssl

pytestmark = pytest.mark.needs("openssl")


def pems(name):
    text = (folder() / f"{name}.pem").read_text()
    return [
        part + "-----END CERTIFICATE-----\n"
        for part in text.split("-----END CERTIFICATE-----\n")[:-1]
    ]


def told(name, *what):
    lines = openssl("x509", "-in", folder() / f"{name}.pem", "-noout", *what).strip()
    return lines.partition("=")[2]


@pytest.mark.parametrize("name", ["good", "expired", "other", "self", "authority"])
def test_the_facts_are_those_that_openssl_reads(name):
    leaf = chain(pems(name))[0]

    assert told(name, "-subject", "-nameopt", "RFC2253") == leaf.subject
    assert told(name, "-issuer", "-nameopt", "RFC2253") == leaf.issuer
    assert int(told(name, "-serial"), 16) == int(leaf.serial, 16)
    assert told(name, "-fingerprint", "-sha256").replace(":", "").lower() == leaf.fingerprint
    for at, option in ((leaf.not_before, "-startdate"), (leaf.not_after, "-enddate")):
        known = datetime.strptime(told(name, option), "%b %d %H:%M:%S %Y %Z")
        assert known.replace(tzinfo=UTC) == at


def test_names_and_addresses_are_listed():
    leaf, authority = chain(pems("good"))

    assert leaf.names == ("localhost", "*.shop.example", "127.0.0.1")
    assert (authority.names, leaf.issuer) == ((), "CN=Test authority,O=Sentinel tests")


def test_days_left_are_negative_when_it_has_expired():
    leaf = chain(pems("good"))[0]

    assert leaf.days_left(leaf.not_after - timedelta(hours=12)) == 0.5
    assert leaf.days_left(leaf.not_after + timedelta(days=1)) == -1.0


def test_what_cannot_be_read_is_left_out_of_the_chain():
    good = pems("good")

    broken = "-----BEGIN CERTIFICATE-----\nMIIBAAAA\n-----END CERTIFICATE-----\n"

    assert chain(good) == chain([good[0], broken, "", good[1]])


def test_every_damaged_byte_is_a_fact_or_a_value_error():
    der = ssl.PEM_cert_to_DER_cert(pems("good")[0])

    for at in range(0, len(der), 3):
        for damaged in (der[:at], der[:at] + bytes([der[at] ^ 0xFF]) + der[at + 1 :]):
            try:
                parse(damaged)
            except ValueError:
                continue
