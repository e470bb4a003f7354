"""Which names a certificate is for: wildcards, addresses, and what it is without any name."""

from datetime import UTC, datetime

import pytest

from sentinel.transport.naming import misnamed
from sentinel.transport.tls import Certificate

AT = datetime(2026, 3, 1, tzinfo=UTC)


def certificate(*names, subject="CN=shop.example,O=Acme"):
    return Certificate(subject, "CN=CA", names, AT, AT, "01", "ab")


@pytest.mark.parametrize(
    ("names", "asked"),
    [
        (["shop.example"], "SHOP.example."),
        (["other.example", "*.Shop.example"], "www.shop.example"),
        (["192.0.2.1", "2001:db8::1"], "2001:db8::1"),
        ([], "shop.example"),
    ],
)
def test_a_certificate_is_for_its_names(names, asked):
    assert "" == misnamed(certificate(*names), asked)


@pytest.mark.parametrize(
    ("names", "asked"),
    [
        (["*.shop.example"], "a.b.shop.example"),
        (["*.shop.example"], "shop.example"),
        (["*.example"], "shop.example"),
        (["w*.shop.example"], "www.shop.example"),
        (["*.0.2.1"], "192.0.2.1"),
        (["other.example"], "shop.example"),  # the common name counts without others only
        ([], "other.example"),
    ],
)
def test_a_certificate_is_for_no_other(names, asked):
    assert asked in misnamed(certificate(*names), asked)


def test_a_common_name_is_read_whole_and_told():
    odd = certificate(subject=r"OU=a\,CN=b,CN=Acme\, \"Oy\"+O=CN=c")

    said = "certificate subject name 'Acme, \"Oy\"' does not match target hostname '[::1]'"
    assert said == misnamed(odd, "::1")


def test_without_any_name_the_words_are_of_names():
    said = "no alternative certificate subject name matches target IPv4 address '192.0.2.1'"

    assert said == misnamed(certificate(subject="O=Acme"), "192.0.2.1")
