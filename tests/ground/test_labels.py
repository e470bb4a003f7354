"""Labels: fingerprints as Alertmanager computes them, and the one matching rule."""

import pytest

from sentinel.labels import Matchers, check, fingerprint, matches

ALERT = {
    "alertname": "InstanceDown",
    "code": "200",
    "instance": "127.0.0.1:9090",
    "job": "prometheus",
    "monitor": "codelab-monitor",
    "severity": "critical",
}


@pytest.mark.parametrize(
    ("expected", "labels"),
    [
        ("791cec13fcba0368", ALERT),
        ("791cec13fcba0368", dict(reversed(ALERT.items()))),
        ("8df98227bdd81384", {**ALERT, "instance": "localhost:9090"}),
        ("cbf29ce484222325", {}),
    ],
)
def test_fingerprints_are_those_of_alertmanager(expected: str, labels: dict[str, str]):
    assert expected == fingerprint(labels)


def test_a_fingerprint_separates_names_from_values():
    assert fingerprint({"ab": "c"}) != fingerprint({"a": "bc"})
    assert fingerprint({"a": "b", "c": "d"}) != fingerprint({"a": "bcd"})


@pytest.mark.parametrize(
    ("expected", "matchers"),
    [
        (True, {}),
        (True, {"job": "prometheus"}),
        (False, {"job": "prom"}),
        (False, {"job": "prometheus", "code": "500"}),
        (True, {"code": ("200", "302")}),
        (False, {"code": ("301", "302")}),
        (False, {"code": ()}),
        (True, {"code": ("500", "~2..")}),
        (True, {"instance": "~127[.].*:9090"}),
        (False, {"instance": "~127[.]"}),
        (False, {"instance": "~:9090"}),
        (False, {"job": "~prom|etheus"}),
        (True, {"job": "~prom.*|node"}),
        (True, {"vendor": ""}),
        (False, {"job": ""}),
        (True, {"vendor": "~.*"}),
        (False, {"vendor": "~.+"}),
        (True, {"vendor": "~|acmepay"}),
    ],
)
def test_all_matchers_must_hold_on_whole_values(expected: bool, matchers: Matchers):
    assert expected is matches(matchers, ALERT)


@pytest.mark.parametrize(
    ("message", "matchers"),
    [
        ("service: missing \\)", {"service": "~(shop"}),
        ("service: invalid perl operator", {"service": ("ok", "~(?=shop)")}),
        ("service: invalid escape sequence", {"service": r"~(a)\1"}),
        ("service: the pattern is longer than 1000", {"service": "~" + "a" * 1001}),
        ("service: ", {"service": "~((a{1000}){1000}){1000}"}),
    ],
)
def test_a_pattern_that_cannot_be_read_names_its_label(message: str, matchers: Matchers):
    with pytest.raises(ValueError, match=message):
        check(matchers)


def test_a_literal_is_never_read_as_a_pattern():
    check({"service": "(shop"})
    assert matches({"service": "sh.p"}, {"service": "sh.p"})
    assert not matches({"service": "sh.p"}, {"service": "shop"})
