"""The vendor's public status page, in the shape of Atlassian Statuspage's API v2.

Every page is made from the vendor's state and the moment it came about; times are UTC with
milliseconds, as Statuspage writes them.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_PAGE_ID = "acmepay0page"
_INCIDENT_ID = "acmepay0inc1"
_OPENED_AT = datetime(2024, 1, 8, tzinfo=UTC)

_COMPONENT = {
    "operational": "operational",
    "degraded": "degraded_performance",
    "down": "major_outage",
}
_INDICATOR = {
    "operational": ("none", "All Systems Operational"),
    "degraded": ("minor", "Partially Degraded Service"),
    "down": ("critical", "Major Service Outage"),
}
_INCIDENT = {
    "degraded": ("minor", "Elevated error rates and latency", "Some requests are slow or fail."),
    "down": ("critical", "API unavailable", "All requests fail. We are looking into it."),
}


def page(part: str, state: str, since: datetime, address: str) -> Mapping[str, Any] | None:
    """One of the JSON pages, say ``summary``; None for a page that Statuspage does not have."""
    head = {
        "page": {
            "id": _PAGE_ID,
            "name": "AcmePay",
            "url": f"{address}/status",
            "time_zone": "Etc/UTC",
            "updated_at": _written(since),
        }
    }
    indicator, description = _INDICATOR[state]
    status = {"status": {"indicator": indicator, "description": description}}
    components = {"components": _components(state, since)}
    incidents = {"incidents": _incidents(state, since, address)}
    planned: Mapping[str, Any] = {"scheduled_maintenances": []}
    pages = {
        "summary": {**head, **components, **incidents, **planned, **status},
        "status": {**head, **status},
        "components": {**head, **components},
        "incidents": {**head, **incidents},
        "incidents/unresolved": {**head, **incidents},
        "scheduled-maintenances": {**head, **planned},
        "scheduled-maintenances/active": {**head, **planned},
        "scheduled-maintenances/upcoming": {**head, **planned},
    }
    return pages.get(part)


def _components(state: str, since: datetime) -> list[Mapping[str, Any]]:
    return [
        _component(1, "API", _COMPONENT[state], since),
        _component(2, "Dashboard", "operational", _OPENED_AT),
    ]


def _component(position: int, name: str, status: str, since: datetime) -> Mapping[str, Any]:
    return {
        "id": f"acmepay0cmp{position}",
        "name": name,
        "status": status,
        "created_at": _written(_OPENED_AT),
        "updated_at": _written(since),
        "position": position,
        "description": None,
        "showcase": True,
        "start_date": None,
        "group_id": None,
        "page_id": _PAGE_ID,
        "group": False,
        "only_show_if_degraded": False,
    }


def _incidents(state: str, since: datetime, address: str) -> list[Mapping[str, Any]]:
    if state not in _INCIDENT:
        return []
    impact, name, body = _INCIDENT[state]
    at = _written(since)
    update = {
        "id": "acmepay0upd1",
        "status": "investigating",
        "body": body,
        "incident_id": _INCIDENT_ID,
        "created_at": at,
        "updated_at": at,
        "display_at": at,
        "affected_components": [
            {
                "code": "acmepay0cmp1",
                "name": "API",
                "old_status": "operational",
                "new_status": _COMPONENT[state],
            }
        ],
        "deliver_notifications": True,
        "custom_tweet": None,
        "tweet_id": None,
    }
    incident = {
        "id": _INCIDENT_ID,
        "name": name,
        "status": "investigating",
        "created_at": at,
        "updated_at": at,
        "monitoring_at": None,
        "resolved_at": None,
        "impact": impact,
        "shortlink": f"{address}/status/incidents/{_INCIDENT_ID}",
        "started_at": at,
        "page_id": _PAGE_ID,
        "incident_updates": [update],
        "components": _components(state, since)[:1],
    }
    return [incident]


def _written(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
