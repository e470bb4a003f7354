"""A vendor's status page is read for the components that matter, and silence is not an outage."""

import json
from datetime import timedelta
from typing import Any

import pytest

from sentinel.monitor.probe import Observation
from sentinel.probers.vendor_status import VendorStatus
from sentinel.words import Outcome, Seconds
from tests.probers.conftest import NOW, Shelf, observed

API = {"id": "b13yz5g2cw10", "name": "API", "group": False, "group_id": "g1", "position": 1}
HOOKS = {"id": "4230lsnqdsld", "name": "Webhooks", "group": False, "group_id": "g1", "position": 2}
GROUP = {"id": "g1", "name": "Payments", "group": True, "components": [API["id"], HOOKS["id"]]}
INCIDENT = {
    "id": "p31zjtct2jer",
    "name": "Elevated error rates",
    "status": "investigating",
    "impact": "major",
    "created_at": "2026-03-01T11:40:00.000Z",
    "updated_at": "2026-03-01T11:45:00.000Z",
    "resolved_at": None,
    "monitoring_at": None,
    "shortlink": "https://stspg.example/p31z",
    "incident_updates": [{"status": "investigating", "body": "We are looking into it."}],
}


def a_page(
    api: str = "operational",
    hooks: str = "operational",
    indicator: str = "none",
    incidents: tuple[dict[str, Any], ...] = (),
    planned: tuple[dict[str, Any], ...] = (),
    updated_at: str = "2026-03-01T11:45:00.000Z",
) -> Shelf:
    body = {
        "page": {
            "id": "y2j98763l56x",
            "name": "AcmePay",
            "url": "https://status.acmepay.example",
            "time_zone": "Etc/UTC",
            "updated_at": updated_at,
        },
        "components": [GROUP, API | {"status": api}, HOOKS | {"status": hooks}],
        "incidents": list(incidents),
        "scheduled_maintenances": list(planned),
        "status": {"indicator": indicator, "description": "All Systems Operational"},
    }
    return Shelf(body=json.dumps(body).encode(), headers={"Content-Type": "application/json"})


def seen(shelf: Shelf, *components: str, needed: bool = False, **how: Any) -> Observation:
    return observed(
        lambda url: VendorStatus(url=url, components=components, **how),
        shelf,
        timeout_s=1.0,
        needed=frozenset({"status"}) if needed else frozenset(),
    )


def test_all_is_well() -> None:
    shelf = a_page()
    well = seen(shelf, "API")
    assert shelf.heads[0].startswith("GET /api/v2/summary.json ")
    assert (well.reason, well.outcome, well.text) == ("", None, "operational")
    assert well.values["status"] == "ok"
    assert set(well.values) == set(VendorStatus.NAMES)


@pytest.mark.parametrize(
    ("word", "status", "reason", "outcome"),
    [
        ("degraded_performance", "degraded", "degraded_performance", Outcome.warn),
        ("partial_outage", "outage", "partial_outage", Outcome.failed),
        ("major_outage", "outage", "major_outage", Outcome.failed),
        ("under_maintenance", "maintenance", "", None),
        ("a_new_word", "degraded", "degraded_performance", Outcome.warn),
    ],
)
def test_each_word_of_a_component_means_something(
    word: str, status: str, reason: str, outcome: Outcome | None
) -> None:
    told = seen(a_page(api=word), "api")
    assert (told.values["status"], told.reason, told.outcome) == (status, reason, outcome)
    assert told.values["components"] == {"API": word}
    assert told.metrics["probe_vendor_component_up"] == {"API": 0}


def test_only_the_components_that_matter_count() -> None:
    told = seen(a_page(hooks="major_outage", indicator="critical"), API["id"])  # type: ignore[arg-type]
    assert (told.values["status"], told.reason) == ("ok", "")


def test_the_worst_of_several_counts() -> None:
    told = seen(a_page(api="degraded_performance", hooks="partial_outage"), "API", "Webhooks")
    assert told.values["status"] == "outage"
    assert told.text == "API: degraded performance; Webhooks: partial outage"


@pytest.mark.parametrize(
    ("indicator", "status"),
    [("none", "ok"), ("minor", "degraded"), ("major", "outage"), ("critical", "outage")],
)
def test_without_components_the_page_counts(indicator: str, status: str) -> None:
    assert seen(a_page(indicator=indicator)).values["status"] == status


def test_expectations_replace_the_verdict() -> None:
    told = seen(a_page(api="major_outage"), "API", needed=True)
    assert (told.reason, told.outcome) == ("", None)


def test_open_incidents_that_touch_the_components_are_told() -> None:
    mine = INCIDENT | {"components": [API]}
    others = INCIDENT | {"id": "x", "name": "Slow hooks", "components": [HOOKS]}
    over = INCIDENT | {"id": "y", "name": "Old", "status": "resolved", "components": [API]}
    told = seen(a_page(api="partial_outage", incidents=(mine, others, over)), "API")
    assert told.values["incident_count"] == 1
    assert told.values["incidents"] == [
        {
            "name": "Elevated error rates",
            "status": "investigating",
            "impact": "major",
            "started_at": "2026-03-01T11:40:00.000Z",
            "url": "https://stspg.example/p31z",
        }
    ]
    assert told.text == "API: partial outage; Elevated error rates (investigating)"
    assert told.metrics["probe_vendor_incidents_open"] == 1


@pytest.mark.parametrize(("status", "under_way"), [("scheduled", False), ("in_progress", True)])
def test_maintenance_is_told(status: str, under_way: bool) -> None:
    planned = {
        "id": "m",
        "name": "Database upgrade",
        "status": status,
        "impact": "maintenance",
        "scheduled_for": "2026-03-01T11:00:00.000Z",
        "scheduled_until": "2026-03-01T13:00:00.000Z",
        "components": [API],
    }
    told = seen(a_page(planned=(planned,)), "API")
    assert told.values["maintenance"] is under_way
    assert told.values["maintenances"][0]["name"] == "Database upgrade"


@pytest.mark.parametrize(
    ("shelf", "reason"),
    [
        (Shelf(status="503 Service Unavailable", body=b"down"), "unexpected_status"),
        (Shelf(body=b"<html>Welcome</html>"), "not_a_status_page"),
        (Shelf(body=b'{"page": {"name": "x"}}'), "not_a_status_page"),
        (Shelf(body=b"{", stalls=True), "timeout"),
    ],
)
def test_a_page_that_cannot_be_read_says_nothing_about_the_vendor(
    shelf: Shelf, reason: str
) -> None:
    told = seen(shelf, "API")
    assert (told.reason, told.outcome) == (reason, Outcome.unknown)


def test_nobody_listening_says_nothing_about_the_vendor() -> None:
    told = observed(lambda _: VendorStatus(url="http://127.0.0.1:1"))
    assert (told.reason, told.outcome) == ("connect_refused", Outcome.unknown)


def test_a_component_that_is_not_there_is_our_mistake() -> None:
    told = seen(a_page(), "Webhook")
    assert (told.reason, told.outcome) == ("no_such_component", Outcome.unknown)
    assert told.text == "the page has no component `Webhook`: did you mean `Webhooks`?"


def test_an_old_page_is_unknown_where_that_is_asked_for() -> None:
    old = (NOW - timedelta(days=3)).isoformat()
    assert seen(a_page(updated_at=old), "API").outcome is None
    told = seen(a_page(updated_at=old), "API", stale_after=Seconds(86_400.0))
    assert (told.reason, told.outcome) == ("stale", Outcome.unknown)
