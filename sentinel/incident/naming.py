"""The names by which expressions and people know an incident."""

from typing import Any

from sentinel.incident.state import IncidentState

MOST_ALERTS = 500


def title(state: IncidentState) -> str:
    """One line for an incident: ``acme storefront: acme-home (unexpected_status)``."""
    where = " ".join(
        part for part in (state.labels.get("client"), state.labels.get("service")) if part
    )
    firing = state.firing() or list(state.alerts.values())
    if not firing:
        return where or state.incident
    worst = max(firing, key=lambda alert: alert.severity)
    what = worst.origin + (f" ({worst.reason})" if worst.reason else "")
    more = f" and {len(firing) - 1} more" if len(firing) > 1 else ""
    return f"{where}: {what}{more}" if where else f"{what}{more}"


def incident_bindings(state: IncidentState) -> dict[str, Any]:
    """``incident`` in expressions: JSON-able, at most 500 alerts."""
    alerts = [
        {
            "labels": dict(alert.labels),
            "severity": int(alert.severity),
            "probe": alert.probe,
            "reason": alert.reason,
            "firing": alert.firing,
        }
        for alert in list(state.alerts.values())[:MOST_ALERTS]
    ]
    return {
        "id": state.incident,
        "title": title(state),
        "status": state.status.value,
        "severity": int(state.severity),
        "urgency": state.urgency.value,
        "opening": state.opening,
        "labels": dict(state.labels),
        "alerts": alerts,
    }
