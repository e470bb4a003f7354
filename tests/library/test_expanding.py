"""What a list of addresses comes to; nothing is fetched here."""

import json
from pathlib import Path
from typing import Any

import pytest

from sentinel.library.catalog import check_alone, load
from sentinel.library.discovery import Found, ListRefused, read_found
from sentinel.library.expanding import Discovery, expanded
from sentinel.monitor.probe import Probe
from tests.library.samples import Samples, workspace

DECLARED = """\
clients: {acme: {}}
probes:
  shops:
    discover: {file: shops.json, every: 30s}
    client: acme
    page: {url: '${discovered.url}', path: [health]}
"""


def discovery(root: Path, text: str = DECLARED) -> Discovery:
    loaded = load(workspace(root, {"probes/shops.yaml": text}), lookup=Samples())
    assert loaded.catalog is not None, "\n".join(map(str, loaded.problems))
    assert {} == loaded.catalog.policy.probes
    return loaded.catalog.discoveries["shops"]


def probes(root: Path, *found: Found, text: str = DECLARED) -> dict[str, Probe]:
    came = expanded(discovery(root, text), found)
    assert () == tuple(came.left_out)
    return dict(came.probes)


def left_out(root: Path, *found: Found, text: str = DECLARED) -> list[str]:
    return list(expanded(discovery(root, text), found).left_out)


class TestIds:
    def test_they_are_the_address_as_far_as_an_id_may_be(self, tmp_path: Path) -> None:
        found = probes(tmp_path, Found("shop.fi"), Found("10.0.0.7:8443"))

        assert {
            "shops-shop-fi": "http://shop.fi",
            "shops-10-0-0-7-8443": "http://10.0.0.7:8443",
        } == {name: probe.prober.host() for name, probe in found.items()}

    def test_what_is_more_than_a_host_and_port_has_its_hash(self, tmp_path: Path) -> None:
        first = probes(tmp_path, Found("https://shop.fi/a?b=1"))
        other = probes(tmp_path, Found("https://shop.fi/A/b=1"), Found("https://shop.fi/a?b=1"))

        assert 2 == len(other)
        assert next(iter(first)) in other
        assert next(iter(first)).startswith("shops-shop-fi-a-b-1-")

    def test_two_that_would_be_called_alike_are_told_apart(self, tmp_path: Path) -> None:
        found = probes(
            tmp_path, Found("shop.fi", {"page": "home"}), Found("shop.fi", {"page": "cart"})
        )

        assert 2 == len(found)

    def test_a_label_may_name_them(self, tmp_path: Path) -> None:
        text = DECLARED.replace("every: 30s", "name: '${discovered.labels.shop}'")

        assert ["shops-north-1"] == list(
            probes(tmp_path, Found("10.0.0.7", {"shop": "North 1"}), text=text)
        )

    def test_a_declared_probe_keeps_its_id(self, tmp_path: Path) -> None:
        text = DECLARED + "  shops-shop-fi: {page: {at: shop}}\n"
        loaded = load(workspace(tmp_path, {"probes/shops.yaml": text}), lookup=Samples())
        assert loaded.catalog is not None

        came = expanded(loaded.catalog.discoveries["shops"], [Found("shop.fi")])

        assert {} == came.probes
        assert ["shop.fi: `shops-shop-fi` is declared at probes/shops.yaml:7:3"] == came.left_out


class TestValues:
    TEXT = """\
clients: {acme: {}, other: {}}
probes:
  shops:
    discover: {file: shops.json}
    client: '${discovered.labels.client}'
    labels: {port: '${string(discovered.port)}', team: ours}
    page: {url: '${"https://" + discovered.host + "/"}'}
    expect: ['body.contains(discovered.labels.word)']
"""

    def test_they_fill_in_what_the_declaration_says(self, tmp_path: Path) -> None:
        labels = {"client": "other", "word": 'x") || true || ("', "team": "theirs", "__m": "x"}
        probe = probes(tmp_path, Found("shop.fi:8443", labels), text=self.TEXT)[
            "shops-shop-fi-8443"
        ]

        assert ("other", "https://shop.fi/") == (probe.client, probe.prober.host())
        assert {"port": "8443", "team": "ours", "word": labels["word"]} == probe.labels
        assert probe.expect[0].that.evaluate({"body": "y"}) is False
        assert "probes/shops.yaml:3:3" == str(probe.place)

    @pytest.mark.parametrize(
        ("labels", "why"),
        [
            ({"word": "x"}, "client"),
            ({"client": "nobody", "word": "x"}, "`nobody` is not one of the clients"),
            ({"client": "acme"}, "`word` is not a name of `discovered`"),
        ],
    )
    def test_one_that_does_not_fit_is_left_out_and_the_others_are_not(
        self, tmp_path: Path, labels: dict[str, str], why: str
    ) -> None:
        good = Found("good.fi", {"client": "acme", "word": "x"})

        came = expanded(discovery(tmp_path, self.TEXT), [Found("shop.fi", labels), good])

        assert ["shops-good-fi"] == list(came.probes)
        assert 1 == len(came.left_out)
        assert why in came.left_out[0]


@pytest.mark.parametrize(
    ("address", "labels", "why"),
    [
        ("", {}, "it holds what no address may hold"),
        ("shop.fi\nHost: evil", {}, "it holds what no address may hold"),
        ("https://{env:PAYMENT_KEY}.evil.example/", {}, "it holds what no address may hold"),
        ("env:PAYMENT_KEY", {}, "it names a secret"),
        ("https://ana:pass@shop.fi/", {}, "it holds credentials"),
        ("ftp://shop.fi/", {}, "its scheme is neither http nor https"),
        ("file:///etc/passwd", {}, "it names a secret"),
        ("shop.fi:99999", {}, "its port is out of range"),
        ("https://shop.fi:99999/", {}, "it is no URL"),
        ("shop.fi/path", {}, "it is neither a host, a host and port, nor a URL"),
        ("shop.fi", {"a": "env:PAYMENT_KEY"}, "its label `a` names a secret or a value of ours"),
        ("shop.fi", {"a": "{file:/etc/passwd}"}, "its label `a` names a secret or a value of ours"),
        (
            "shop.fi",
            {"a": "{en", "b": "v:PAYMENT_KEY}"},
            "its label `a` names a secret or a value of ours",
        ),
        ("shop.fi", {"a": "${capture.x}"}, "its label `a` names a secret or a value of ours"),
        ("shop.fi", {"a": "\x1b[2J"}, "its label `a` holds control characters"),
        ("shop.fi", {"a": 5}, "its label `a` is no text of at most 2048 characters"),
        ("shop.fi", {"a-b": "x"}, "`a-b` is no name of a label"),
    ],
)
def test_what_a_list_may_not_say(
    tmp_path: Path, address: str, labels: dict[str, Any], why: str
) -> None:
    assert [f"{address}: {why}"] == left_out(tmp_path, Found(address, labels))


class TestList:
    def test_it_has_prometheus_form(self) -> None:
        groups = [
            {"targets": ["a:1", "b:1"], "labels": {"x": "1"}},
            {"targets": ["a:1"]},
            {"targets": ["a:1"], "labels": {"x": "1"}},
        ]
        expected = [Found("a:1", {"x": "1"}), Found("b:1", {"x": "1"}), Found("a:1")]

        assert expected == read_found(json.dumps(groups).encode(), most=10)
        text = "- targets: [a:1, 'b:1']\n  labels: {x: '1'}\n- targets: ['a:1']\n"
        assert expected == read_found(text.encode(), most=10, yaml=True)

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (b"", "not JSON"),
            (b"<html>", "not JSON"),
            (b"[" * 100_000, "not JSON"),
            (b"{}", "not a list"),
            (b'["a"]', "no `targets`"),
            (b'[{"targets": "a"}]', "no `targets`"),
            (b'[{"targets": [1]}]', "no text"),
            (b'[{"targets": ["a"], "labels": []}]', None),
            (b'[{"targets": ["a"], "labels": [1]}]', "labels"),
            (b'[{"targets": ["a", "b", "c"]}]', "more than 2 addresses"),
            (b"x" * (2 * 1024 * 1024 + 1), "larger than 2 MiB"),
        ],
    )
    def test_what_is_not_of_the_form_is_refused(self, content: bytes, why: str | None) -> None:
        if why is None:
            assert [Found("a")] == read_found(content, most=2)
            return
        with pytest.raises(ListRefused, match=why):
            read_found(content, most=2)

    def test_a_yaml_bomb_is_refused(self) -> None:
        bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
            f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n"
            for a, b in zip("abcdefgh", "bcdefghi", strict=True)
        )
        with pytest.raises(ListRefused, match="unfold"):
            read_found(bomb.encode(), most=2, yaml=True)


def test_a_declaration_is_tried_when_it_is_read() -> None:
    text = (
        "probes:\n"
        "  a: {discover: {file: x.json}, client: '${discovered.labels.client}', page: {url: '${discovered.url}'}}\n"
        "  b: {discover: {file: x.json}, every: '${discovered.labels.every}', page: {url: '${discovered.uri}'}}\n"
        "  c: {discover: {file: x.json}, evry: 5m, page: {url: '${discovered.url}'}, expect: ['sttus == 200']}\n"
        "  d: {discover: {}, page: {url: '${discovered.url}'}}\n"
        "  e: {discover: {file: x.json, bearer: 'env:X'}, page: {url: '${discovered.url}'}}\n"
        "  f: {discover: {file: x.json}, matrix: {a: [b]}, page: {url: '${discovered.url}'}}\n"
        "  g: {discover: {file: x.json, every: 10ms}, page: {url: '${discovered.url}'}}\n"
    )

    assert [
        "a.yaml:3:85: `discovered` has no `uri`; did you mean `url`?",
        "a.yaml:4:33: unknown key `evry`, did you mean `every`?",
        "a.yaml:4:87: `sttus` is not a name here; did you mean `status`?",
        "a.yaml:5:7: neither `file:` nor `url:` is given here, write one of `file:`, `url:` and `at:`",
        "a.yaml:6:32: a file needs no token, remove it",
        "a.yaml:7:33: `matrix:` and `discover:` are both given, keep one of them",
        "a.yaml:8:39: a list is read once a second at most, write 1s or more",
    ] == [str(each) for each in check_alone("a.yaml", text.encode(), lookup=Samples())]
