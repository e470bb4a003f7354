"""Whom a prober may be sent to, however the address is written."""

import asyncio

import pytest

from sentinel.web.blackbox_allow import AllowList, anywhere


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "fe80::1",
        "fe80::1%eth0",
        "::ffff:169.254.169.254",
        "::ffff:a9fe:a9fe",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::169.254.169.254",
        "::169.254.169.254",
        "2002:a9fe:a9fe::1",
        "fd00:ec2::254",
        "fd20:ce::254",
        "100.100.100.200",
        "168.63.129.16",
        "shop.example",
        "",
    ],
)
def test_link_local_and_metadata_are_nobodys_targets(address: str) -> None:
    assert not anywhere(address)
    assert not AllowList.of(["0.0.0.0/0", "::/0", "169.254.0.0/16"]).allows(address)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "::1", "2001:db8::1", "::ffff:10.0.0.1"]
)
def test_all_else_may_be_probed_by_the_exporter(address: str) -> None:
    assert anywhere(address)


def test_a_site_allows_what_it_names_and_nothing_else() -> None:
    allow = AllowList.of(["10.0.0.0/8", "2001:db8::/32", "/run/shop.sock"])
    assert [True, True, True, False, False] == [
        allow.allows(address)
        for address in ("10.1.2.3", "2001:db8::7", "::ffff:10.1.2.3", "11.0.0.1", "::1")
    ]
    assert [True, False] == [allow.allows_path(path) for path in ("/run/shop.sock", "/run/x.sock")]
    assert not AllowList().allows("10.1.2.3")


def test_a_name_stands_for_its_addresses_once_they_are_known() -> None:
    allow = AllowList.of(["localhost", "nowhere.invalid"])
    assert not allow.allows("127.0.0.1")
    asyncio.run(allow.refresh())
    assert allow.allows("127.0.0.1")
    assert not allow.allows("127.0.0.2")
