"""Go's templates and patterns, its proxies' exceptions, and its URLs."""

import pytest

from sentinel.blackbox.matching import expanded, found, readable
from sentinel.blackbox.module import ProxyConfig
from sentinel.blackbox.proxying import proxy_for
from sentinel.blackbox.urls import Url, split_host_port


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("${1}-$who", "ana-bo"),
        ("$1x", ""),
        ("${1}x", "anax"),
        ("$0", "ana bo"),
        ("$3|$9|${none}|", "|||"),
        ("$$1", "$1"),
        ("$ ${ ${} $-", "$ ${ ${} $-"),
    ],
)
def test_templates_are_expanded_as_go_does(template, expected):
    match = found(r"(\w+) (?P<who>\w+)( never)?", b"ana bo")

    assert expected == expanded(template, match)


def test_what_is_not_utf8_is_read_as_a_replacement():
    assert "a\ufffdb".encode() == readable(b"a\xffb")
    assert "ä".encode() == readable("ä".encode())


PROXY = "http://proxy:3128"


@pytest.mark.parametrize(
    ("no_proxy", "url", "direct"),
    [
        ("*", "http://shop.example/", True),
        ("shop.example", "http://shop.example/", True),
        ("shop.example", "http://www.shop.example/", True),
        (".shop.example", "http://shop.example/", False),
        (".shop.example", "http://www.shop.example/", True),
        ("*.shop.example", "http://www.shop.example/", True),
        ("op.example", "http://shop.example/", False),
        ("shop.example:81", "http://shop.example/", False),
        ("shop.example:80", "http://shop.example/", True),
        ("192.0.2.0/24", "http://192.0.2.7/", True),
        ("192.0.2.7", "http://192.0.2.7/", True),
        ("192.0.2.8", "http://192.0.2.7/", False),
        ("2001:db8::1", "http://[2001:db8::1]/", True),
        ("nothing", "http://localhost/", True),
        ("nothing", "http://127.0.0.1/", True),
        ("", "http://127.0.0.1/", False),
        ("nonsense/99", "http://192.0.2.7/", False),
    ],
)
def test_who_is_asked_directly(no_proxy, url, direct):
    config = ProxyConfig(proxy_url=PROXY, no_proxy=no_proxy)

    assert ("" if direct else PROXY) == proxy_for(config, Url.parse(url))


def test_the_environment_s_proxies_are_those_of_their_scheme(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "proxy:1")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:2")
    monkeypatch.setenv("NO_PROXY", "inner.example")
    config = ProxyConfig(proxy_from_environment=True)

    asked = [
        proxy_for(config, Url.parse(f"{scheme}://{host}/"))
        for scheme, host in (("http", "a"), ("https", "a"), ("https", "inner.example"))
    ]

    assert ["http://proxy:1", "http://proxy:2", ""] == asked


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("shop:80", "shop", "80"),
        ("[::1]:80", "::1", "80"),
        ("shop:", "shop", ""),
        (":80", "", "80"),
    ],
)
def test_a_place_is_taken_apart(text, host, port):
    assert (host, port) == split_host_port(text)


@pytest.mark.parametrize("text", ["shop", "::1:80", "[::1]", "[::1", "[::1]80", "a]:80"])
def test_what_is_no_place_is_refused(text):
    with pytest.raises(ValueError, match="address"):
        split_host_port(text)


def test_credentials_are_no_part_of_a_url_s_text():
    url = Url.parse("https://ana:s%3Acret@shop.example:444/a?b=c#d")

    assert "https://shop.example:444/a?b=c" == url.text
    assert ("ana:s:cret", "shop.example:444", 444) == (
        url.credentials,
        url.place,
        url.connect_port,
    )
