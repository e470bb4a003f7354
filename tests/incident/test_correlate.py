"""Which incident an alert goes to (rules 9, 10)."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.incident.correlate import Group, Route, Way, fold_group, group_key, route
from sentinel.incident.policy import Grouping
from sentinel.timeline.site_facts import GroupOpened, GroupReleased, GroupResolved
from sentinel.words import Severity
from tests.engine.kernel import START
from tests.incident.desk import report

BY = Grouping()
FILLED = Grouping(fill={"client": "unassigned", "service": "label/team"})


def test_an_alert_is_known_by_its_labels_and_by_nothing_else() -> None:
    one = report(severity=Severity.critical, reason="x", started_at=START + timedelta(1))
    assert report().fingerprint == one.fingerprint
    assert report().fingerprint != report(labels={"path": "/"}).fingerprint


def test_the_group_is_client_service_and_urgency() -> None:
    labels = {"client": "acme", "service": "feed", "alertname": "x"}
    assert "acme/feed/high" == group_key(labels, Severity.error, BY)
    assert "acme/feed/low" == group_key(labels, Severity.warning, BY)


@pytest.mark.parametrize("by", [("client",), ("urgency",), ("client", "service")])
def test_urgency_parts_alerts_whatever_the_site_groups_by(by: tuple[str, ...]) -> None:
    grouping = Grouping(by=by)
    labels = {"client": "acme", "service": "feed"}
    high, low = (group_key(labels, s, grouping) for s in (Severity.error, Severity.warning))
    assert high != low


def test_a_missing_label_is_filled_then_the_alertname_then_the_fingerprint() -> None:
    assert "unassigned/web/high" == group_key({"team": "web"}, Severity.error, FILLED)
    assert "disk/disk/high" == group_key({"alertname": "disk"}, Severity.error, BY)
    strangers = [group_key({"host": host}, Severity.error, BY) for host in ("a", "b")]
    assert strangers[0] != strangers[1]
    assert all(part for key in strangers for part in key.split("/"))


names = st.text(alphabet="ab/%2F5", max_size=4)


@given(st.tuples(names, names), st.tuples(names, names))
def test_no_value_can_pose_as_another_group(one: tuple[str, str], two: tuple[str, str]) -> None:
    keys = [
        group_key({"client": c, "service": s, "alertname": "n"}, Severity.error, BY)
        for c, s in (one, two)
    ]
    filled = [tuple(part or "n" for part in pair) for pair in (one, two)]
    assert (filled[0] == filled[1]) == (keys[0] == keys[1])


def test_a_group_opens_joins_takes_back_for_a_while_and_opens_anew() -> None:
    until_at = START + timedelta(minutes=30)
    group = Group()
    assert Route(Way.opens) == route(group, START)
    group = fold_group(group, GroupOpened("one"))
    assert Route(Way.joins, "one") == route(group, START)
    group = fold_group(group, GroupResolved("one", until_at))
    assert Route(Way.returns, "one") == route(group, until_at - timedelta(microseconds=1))
    assert Route(Way.opens) == route(group, until_at)
    assert Route(Way.opens) == route(fold_group(group, GroupReleased("one")), START)


def test_an_escaped_slash_is_not_a_slash() -> None:
    keys = {
        group_key({"client": client, "service": "x"}, Severity.error, BY)
        for client in ("a/b", "a%2Fb", "a%252Fb")
    }
    assert 3 == len(keys)
