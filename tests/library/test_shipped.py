"""The workspace at the root of the repository: it reads without a finding, and watches a real shop."""

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sentinel.engine.checking import Checker, Memory, needed_roots
from sentinel.engine.secrets import LiveSecrets
from sentinel.engine.wallclock import WallClock
from sentinel.library.catalog import Catalog, load
from sentinel.library.lint import lint
from sentinel.monitor.probe import CheckResult
from sentinel.oncall.schedule import shifts
from sentinel.playbook.declared import play
from sentinel.transport.curl import Transport
from tests.conftest import ROOT, Start
from tests.examples.customer import Customer

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PINGED = frozenset({"nightly-job"})
"""Probes that others ping: asking them shows nothing."""


@pytest.fixture(scope="module")
def addresses(start_once: Start) -> Mapping[str, str]:
    argv = [sys.executable, "-m", "examples.shop.vendor", "--port", "0"]
    vendor = start_once(argv, cwd=ROOT).address
    argv = [sys.executable, "-m", "examples.shop", "--port", "0", "--vendor", vendor]
    shop = start_once([*argv, "--feed-every", "0.2"], cwd=ROOT).address
    return {
        "shop": shop,
        "feeds": f"{shop}/feed",
        "payments": f"{vendor}/payments",
        "status": f"{vendor}/status",
    }


@pytest.fixture(scope="module")
def catalog(addresses: Mapping[str, str]) -> Catalog:
    loaded = load(ROOT, addresses=addresses)
    assert loaded.catalog is not None, loaded.problems
    return loaded.catalog


@pytest.fixture
def broken(addresses: Mapping[str, str]) -> Iterator[Callable[..., None]]:
    parts = {
        "shop": Customer(addresses["shop"]),
        "vendor": Customer(addresses["status"].removesuffix("/status")),
    }

    def break_it(part: str, **faults: Any) -> None:
        answer = parts[part].post_json("/faults", faults)
        assert answer.status == 200, answer.text

    yield break_it
    for part in parts:
        break_it(part)


def checked(catalog: Catalog, *names: str) -> dict[str, CheckResult]:
    """One check of each probe, now, one after another."""

    async def go() -> dict[str, CheckResult]:
        found = {}
        async with Transport() as transport:
            checker = Checker(
                location="local",
                clock=WallClock(),
                transport=transport,
                secrets=LiveSecrets(ROOT),
            )
            for name in names:
                probe = catalog.policy.probes[name]
                _, found[name] = await checker.check(
                    probe, due_at=NOW, memory=Memory(), needed=needed_roots(probe)
                )
        return found

    return asyncio.run(go())


def test_the_workspace_reads_without_a_finding() -> None:
    assert () == lint(ROOT, now=NOW)


SOMEWHERE = load(ROOT)


def test_every_playbook_has_a_declared_test_for_each_of_its_ends() -> None:
    catalog = SOMEWHERE.catalog
    assert catalog is not None
    played = {
        f"{name}: {test.name}": play(playbook, test).problems
        for name, playbook in catalog.policy.playbooks.items()
        for test in playbook.tests
    }
    assert catalog.policy.playbooks.keys() == {name.partition(":")[0] for name in played}
    assert dict.fromkeys(played, ()) == played


def test_somebody_is_on_call_at_every_moment_of_a_year() -> None:
    catalog = SOMEWHERE.catalog
    assert catalog is not None
    for rotation in catalog.policy.rotations.values():
        year = shifts(rotation, NOW, NOW + timedelta(days=365), people=catalog.policy.people)
        gaps = [each for each in year if not each.people]
        assert [] == gaps, rotation.id


def test_every_alert_of_the_shipped_probes_finds_its_playbook() -> None:
    catalog = SOMEWHERE.catalog
    assert catalog is not None
    policy = catalog.policy
    for probe in policy.probes.values():
        labels = {
            "alertname": probe.id,
            "service": probe.service,
            "client": probe.client,
            **({"vendor": probe.vendor} if probe.vendor else {}),
        }
        bound = {"labels": labels, "severity": int(probe.severity), "incident": {}, "now": NOW}
        matching = [p.id for p in policy.playbooks.values() if p.when.evaluate(bound) is True]
        assert matching or probe.service in ("search", "operations"), probe.id


@pytest.mark.slow
def test_every_probe_is_well_on_a_shop_that_is(catalog: Catalog) -> None:
    names = sorted(catalog.policy.probes.keys() - PINGED)
    found = checked(catalog, *names)
    assert dict.fromkeys(names, "ok") == {
        name: f"{result.outcome.value} {result.reason} {result.text}".split(" ")[0]
        for name, result in found.items()
    }, {name: (result.reason, result.text) for name, result in found.items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "faults", "probe", "reason"),
    [
        ("shop", {"errors": 1.0}, "shop-home", "unexpected_status"),
        ("shop", {"missing_button": True}, "shop-product", "no_basket_button"),
        ("shop", {"missing_button": True}, "shop-checkout", "no_basket_button"),
        ("shop", {"failing_checkout": True}, "shop-order", "order_refused"),
        ("vendor", {"state": "down"}, "acmepay-api", "unexpected_status"),
        ("vendor", {"state": "degraded"}, "acmepay-api", "slow"),
        ("vendor", {"state": "degraded"}, "acmepay-status", "degraded_performance"),
    ],
)
def test_each_fault_is_seen_by_the_probe_that_is_for_it(
    catalog: Catalog,
    broken: Callable[..., None],
    part: str,
    faults: Mapping[str, Any],
    probe: str,
    reason: str,
) -> None:
    broken(part, **faults)
    result = checked(catalog, probe)[probe]
    assert reason == result.reason, result.text
