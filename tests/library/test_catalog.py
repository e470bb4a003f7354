"""A workspace becomes values, digests and differences."""

import gc
import re
from dataclasses import replace
from datetime import UTC, datetime, time
from pathlib import Path

import pytest

from sentinel.library.catalog import Catalog, Difference, difference, load, read_one
from sentinel.library.document import Level
from sentinel.monitor.objective import Objective, Promise
from sentinel.monitor.probe import Confirm, Retry
from sentinel.oncall.escalation import Level as EscalationLevel
from sentinel.oncall.rotation import Layer, Override, Turn, TurnUnit, Window
from sentinel.playbook.playbook import (
    OnFailure,
    PagePolicy,
    Reference,
    WaitApproval,
    WaitHealthy,
)
from sentinel.words import Outcome, Seconds, Secret, Severity, Urgency
from tests.library.samples import SITE, Samples, workspace


def catalog(root: Path, **addresses: str) -> Catalog:
    loaded = load(root, addresses=addresses, lookup=Samples())
    assert loaded.catalog is not None, "\n".join(map(str, loaded.problems))
    return loaded.catalog


def errors(root: Path, **addresses: str) -> list[str]:
    return [str(each) for each in load(root, addresses=addresses, lookup=Samples()).problems]


PROBES = """\
defaults:
  probes: {client: acme, every: 30s}
clients: {acme: {name: Acme Oy, timezone: Europe/Helsinki, services: {storefront: {tier: 1, objective: {availability: 99.9, window: 30d}}}}}
probes:
  shop-home:
    service: storefront
    page: {at: shop, path: [a b, ""], headers: {X-Key: "env:KEY"}}
    expect:
      - 'status == 200'
      - {that: 'timing.total_s < 1.5', else: warn, reason: slow}
    retry: {times: 1, after: 250ms, only_on: any}
    confirm: {down: 3 of 5, up: 4, every: 5s}
    severity: critical
    depends_on: [shop-dns]
    labels: {page: home}
  shop-dns:
    every: 1m
    page: {url: "https://dns.acme.example"}
"""


def test_a_probe_is_as_it_was_declared(tmp_path: Path) -> None:
    probe = catalog(workspace(tmp_path, {"probes/shop.yaml": PROBES})).policy.probes["shop-home"]
    assert "https://shop.acme.example" == probe.prober.host()
    assert ("a b", "") == probe.prober.path  # type: ignore[attr-defined]
    assert ["status == 200", "timing.total_s < 1.5"] == [each.that.source for each in probe.expect]
    assert [(Outcome.failed, ""), (Outcome.warn, "slow")] == [
        (each.otherwise, each.reason) for each in probe.expect
    ]
    assert (30.0, 10.0) == (probe.every_s, probe.timeout_s)
    assert Retry(1, 0.25, "any") == probe.retry
    assert Confirm(3, 5, 4, 5.0) == probe.confirm
    assert (Severity.critical, "acme", "storefront") == (
        probe.severity,
        probe.client,
        probe.service,
    )
    assert ({"page": "home"}, ("shop-dns",), ("local",), 1) == (
        probe.labels,
        probe.depends_on,
        probe.locations,
        probe.agree,
    )
    assert "probes/shop.yaml:5:3" == str(probe.place)


def test_what_a_probe_does_not_say_has_the_documented_default(tmp_path: Path) -> None:
    text = "probes: {fast: {page: {at: shop}, every: 5s}, plain: {page: {at: shop}}}"
    probes = catalog(workspace(tmp_path, {"probes/a.yaml": text})).policy.probes
    assert (60.0, 10.0, Retry(), Confirm(2, 2, 2, 10.0), Severity.error) == (
        probes["plain"].every_s,
        probes["plain"].timeout_s,
        probes["plain"].retry,
        probes["plain"].confirm,
        probes["plain"].severity,
    )
    assert (5.0, 5.0) == (probes["fast"].timeout_s, probes["fast"].confirm.every_s)


def test_same_expressions_are_compiled_once_and_same_expectations_are_one(tmp_path: Path) -> None:
    text = """\
probes:
  a: {page: {at: shop}, expect: ['status == 200']}
  b: {page: {at: shop}, expect: ['status == 200']}
  c: {page: {at: shop}, expect: [{that: 'status == 200', else: warn, reason: odd}]}
"""
    probes = catalog(workspace(tmp_path, {"probes/a.yaml": text})).policy.probes
    assert probes["a"].expect is probes["b"].expect
    assert probes["a"].expect[0].that is probes["c"].expect[0].that
    assert (Outcome.warn, "odd") == (probes["c"].expect[0].otherwise, probes["c"].expect[0].reason)


def test_a_deadline_skips_the_dates_of_its_calendars(tmp_path: Path) -> None:
    text = """\
calendars: {holidays: {dates: [2026-12-24, 2026-12-25]}}
probes:
  feed:
    feed: {url: "https://a.example/feed"}
    deadline: {cron: "30 5 * * 1-6", timezone: Europe/Helsinki, grace: 20m, skip: [calendar/holidays]}
    expect: ['overdue == false']
"""
    deadline = catalog(workspace(tmp_path, {"probes/a.yaml": text})).policy.probes["feed"].deadline
    assert deadline is not None
    assert ("30 5 * * 1-6", "Europe/Helsinki", 1200.0, {"2026-12-24", "2026-12-25"}) == (
        deadline.cron,
        deadline.timezone,
        deadline.grace_s,
        deadline.skip,
    )


PLAYBOOK = """\
teams: {payments: {people: [ana, bo], skills: [psp]}}
probes: {checkout: {page: {at: shop}}}
playbooks:
  vendor-degraded:
    owner: team/payments
    when: 'severity >= error && has(labels.vendor)'
    order: 50
    page: {escalation: escalation/storefront, after: 2m}
    limits: {key: ['labels.client'], at_once: 2, then: skip, cooldown: 30m, runs: 3 in 24h, targets: 5, failures: 4}
    steps:
      - {id: measure, call: {url: "https://pay.example/ratio", form: {vendor: "${labels.vendor}"}}, outputs: {ratio: 'json.ratio'}}
      - {id: ok_to_switch, when: 'steps.measure.outputs.ratio < 0.9', approval: {by: escalation/storefront, timeout: 10m}}
      - {id: switch, needs: [ok_to_switch], command: {argv: [pspctl, "${labels.vendor}"]}, key: ['incident.id'], rollback: {command: {argv: [pspctl, restore]}}}
      - {id: verify, needs: [switch], healthy: {probe: checkout, ok: 3}, timeout: 8m, on_failure: rollback}
    finally: [{id: tell, when: 'steps.measure.outputs.ratio < 2.0', note: {text: "{{ run.conclusion }}"}}]
    tests:
      - name: nobody approves
        given: {labels: {vendor: acmepay}, severity: error, outputs: {measure: {ratio: 0.61}}, outcomes: {ok_to_switch: failed}}
        expect: {conclusion: failed, not_called: [switch]}
"""


def test_a_playbook_is_as_it_was_declared(tmp_path: Path) -> None:
    made = catalog(workspace(tmp_path, {"playbooks/a.yaml": PLAYBOOK})).policy
    playbook = made.playbooks["vendor-degraded"]
    assert (50, PagePolicy("storefront", 120.0)) == (playbook.order, playbook.page)
    limits = playbook.limits
    assert (2, "skip", 1800.0, 3, 86400.0, 5, 4) == (
        limits.at_once,
        limits.then,
        limits.cooldown_s,
        limits.runs,
        limits.runs_in_s,
        limits.targets,
        limits.failures,
    )
    measure, ask, switch, verify = playbook.steps
    assert isinstance(measure.does.form["vendor"], Reference)  # type: ignore[union-attr]
    assert "json.ratio" == measure.outputs["ratio"].source
    assert (False, True) == (measure.writes, switch.writes)
    assert (WaitApproval("escalation/storefront"), 600.0) == (ask.does, ask.timeout_s)
    assert (("ok_to_switch",), "switch.undo") == (switch.needs, switch.rollback.id)  # type: ignore[union-attr]
    assert (WaitHealthy("checkout", 3), 480.0, OnFailure.rollback) == (
        verify.does,
        verify.timeout_s,
        verify.on_failure,
    )
    assert "playbooks/a.yaml:13:9" == str(switch.place)
    assert ["tell"] == [step.id for step in playbook.lastly]
    (test,) = playbook.tests
    assert ("failed", ("switch",), {"ok_to_switch": Outcome.failed}) == (
        test.conclusion,
        test.not_called,
        test.outcomes,
    )
    assert {"payments": ("ana", "bo")} == made.teams


ROTATION = """\
people:
  cy:
    name: Cy
    timezone: Europe/Lisbon
    methods: {push: "env:CY_PUSH", mail: "mailto://mail.acme.example?to=cy@acme.example"}
    rules: {high: [{via: push}, {via: mail, after: 3m}]}
    away: [{from: 2026-12-24, to: 2027-01-02}]
rotations:
  night:
    timezone: Europe/Helsinki
    layers:
      - {id: day, people: [ana, cy], turn: 1d, turns: active-days, anchor: "2026-01-05 09:00", only: [{days: [Mon-Wed, Fri], from: "22:00", to: "06:00"}], valid: {from: 2026-01-05}}
      - {id: rest, timezone: UTC, rank: -1, people: [bo], turn: 1mo, anchor: 2026-01-31}
    overrides: [{from: "2026-03-29 03:30", to: "2026-03-30 00:00", replace: ana, with: bo, reason: swap}, {from: 2026-04-01, to: 2026-04-02, with: cy}]
    on_gap: [person/cy]
escalations:
  night:
    levels: [{page: [rotation/night], ack_within: 2m}, {page: [rotation/night+1, person/cy], tell: ["env:CHAT"]}]
    repeat: 3
    page_again_after_ack: 2h
"""


def test_rotations_escalations_and_people_are_as_they_were_declared(tmp_path: Path) -> None:
    policy = catalog(workspace(tmp_path, {"rotations/a.yaml": ROTATION})).policy
    rotation = policy.rotations["night"]
    assert (
        Layer(
            id="day",
            people=("ana", "cy"),
            timezone="Europe/Helsinki",
            anchor=datetime(2026, 1, 5, 9),
            turn=Turn(1, TurnUnit.day, active_days=True),
            rank=0,
            only=(Window(frozenset({0, 1, 2, 4}), time(22), time(6)),),
            valid_from=datetime(2026, 1, 5),
        ),
        Layer(
            id="rest",
            people=("bo",),
            timezone="UTC",
            anchor=datetime(2026, 1, 31),
            turn=Turn(1, TurnUnit.month),
            rank=-1,
        ),
    ) == rotation.layers
    # 03:30 does not exist in Helsinki that night: the override begins when the clock has jumped.
    assert (
        Override(
            datetime(2026, 3, 29, 1, 0, tzinfo=UTC),
            datetime(2026, 3, 29, 21, 0, tzinfo=UTC),
            "ana",
            "bo",
            "swap",
            0,
            "night/0",
        ),
        Override(
            datetime(2026, 3, 31, 21, 0, tzinfo=UTC),
            datetime(2026, 4, 1, 21, 0, tzinfo=UTC),
            "",
            "cy",
            "",
            1,
            "night/1",
        ),
    ) == rotation.overrides
    assert ("person/cy",) == rotation.on_gap
    escalation = policy.escalations["night"]
    assert (
        EscalationLevel(("rotation/night",), 120.0),
        EscalationLevel(("rotation/night+1", "person/cy"), 300.0, (Secret("env:CHAT"),)),
    ) == escalation.levels
    assert (3, 7200.0) == (escalation.repeat, escalation.page_again_after_ack_s)
    cy = policy.people["cy"]
    assert Secret("env:CY_PUSH") == cy.methods["push"]
    assert [("push", 0.0), ("mail", 180.0)] == [(s.via, s.after_s) for s in cy.steps(Urgency.high)]
    assert [("push", 0.0), ("mail", 0.0)] == [(s.via, s.after_s) for s in cy.steps(Urgency.low)]


def test_a_service_has_an_objective_for_each_thing_promised(tmp_path: Path) -> None:
    more = (
        ", latency: {under: 800ms, share: 95}, maintenance: counted, alert: false}}, search: {}}}}"
    )
    made = catalog(workspace(tmp_path, {"probes/shop.yaml": PROBES.replace("}}}}}", more)}))
    services = made.clients["acme"].services
    available = Objective(
        "acme",
        "storefront",
        Promise.availability,
        0.999,
        Seconds(30 * 86400.0),
        counts_maintenance=True,
        alerts=False,
    )
    quick = replace(available, promise=Promise.latency, share=0.95, under_s=Seconds(0.8))
    assert (available, quick) == services["storefront"].objectives
    assert () == services["search"].objectives


def test_the_site_and_the_directory_are_as_they_were_declared(tmp_path: Path) -> None:
    text = (
        SITE.replace(
            "site:\n",
            """site:
  url: "https://sentinel.acme.example/"
  severity_of: {page: critical}
  group: {by: [client, urgency], fill: {client: nobody}, reopen_within: 10m}
  keep: {samples: {raw: 3d, "5m": 30d}, evidence: 60d, facts: forever}
""",
        )
        + """\
vendors: {acmepay: {name: AcmePay, status: {at: shop, components: [API]}, sla: {availability: 99.95}}}
maintenance: {deploy: {match: {client: acme, service: [a, ~b.*]}, cron: "0 3 * * 2", lasts: 45m, automation: allowed}}
users: {ana: {person: ana, roles: [responder]}}
locations: {eu: {}}
"""
    )
    made = catalog(workspace(tmp_path, {"sentinel.yaml": text}))
    assert ("https://sentinel.acme.example", "storefront") == (
        made.policy.url,
        made.policy.unmatched,
    )
    assert (("person/ana",), 900.0) == (made.policy.fallback.page, made.policy.fallback.every_s)
    assert {"page": Severity.critical} == made.policy.severity_of
    assert (("client", "urgency"), {"client": "nobody"}, 600.0) == (
        made.policy.grouping.by,
        made.policy.grouping.fill,
        made.policy.grouping.reopen_within_s,
    )
    assert (3, 30, 60) == (
        made.site.keep.results_for.days,
        made.site.keep.rollups_for.days,
        made.site.keep.evidence_for.days,
    )
    vendor = made.vendors["acmepay"]
    assert ("https://shop.acme.example", ("API",)) == (vendor.statuspage, vendor.components)
    assert vendor.availability == pytest.approx(0.9995)
    window = made.policy.maintenance["deploy"]
    assert {"client": "acme", "service": ("a", "~b.*")} == window.matchers
    assert (2700.0, True) == (window.lasts_s, window.automation_allowed)
    assert ("ana", ("responder",)) == (made.users["ana"].person, made.users["ana"].roles)
    assert ["eu"] == list(made.locations)


def test_an_address_given_on_the_command_line_replaces_the_declared_one(tmp_path: Path) -> None:
    root = workspace(tmp_path, {"probes/a.yaml": "probes: {a: {page: {at: shop}}}"})
    made = catalog(root, shop="http://127.0.0.1:1")
    assert "http://127.0.0.1:1" == made.policy.probes["a"].prober.host()
    assert {"shop": "http://127.0.0.1:1"} == made.site.addresses
    assert [
        "sentinel.yaml:1:1: `--address shp` replaces no address, did you mean `shop`?"
    ] == errors(root, shp="http://127.0.0.1:1")


def test_a_document_has_the_keys_of_its_files_defaults_and_its_own_win(tmp_path: Path) -> None:
    files = {
        "probes/a.yaml": "defaults: {probes: {every: 5m, labels: {a: x}}}\nprobes: {a: {page: {at: shop}}, b: {page: {at: shop}, every: 1m}}",
        "probes/b.yaml": "probes: {c: {page: {at: shop}}}",
    }
    made = catalog(workspace(tmp_path, files))
    assert {"a": 300.0, "b": 60.0, "c": 60.0} == {
        name: probe.every_s for name, probe in made.policy.probes.items()
    }
    assert {"page": {"at": "shop"}, "every": "5m", "labels": {"a": "x"}} == made.documents[
        "probes", "a"
    ][1]


def test_the_digest_is_of_the_body_and_not_of_its_place_or_order(tmp_path: Path) -> None:
    first = catalog(
        workspace(tmp_path / "1", {"probes/a.yaml": "probes: {a: {page: {at: shop}, every: 1m}}"})
    )
    second = catalog(
        workspace(
            tmp_path / "2", {"probes/b.yaml": "# moved\nprobes: {a: {every: 1m, page: {at: shop}}}"}
        )
    )
    assert first.policy.probes["a"].digest == second.policy.probes["a"].digest
    assert first.digest == second.digest
    assert not difference(first, second)
    assert 64 == len(first.policy.probes["a"].digest)


def test_a_difference_names_what_was_added_changed_and_removed(tmp_path: Path) -> None:
    old = catalog(
        workspace(
            tmp_path / "1",
            {"probes/a.yaml": "probes: {a: {page: {at: shop}}, b: {page: {at: shop}}}"},
        )
    )
    new = catalog(
        workspace(
            tmp_path / "2",
            {"probes/a.yaml": "probes: {a: {page: {at: shop}, every: 2m}, c: {page: {at: shop}}}"},
        )
    )
    assert Difference(
        added={"probes": ("c",)}, changed={"probes": ("a",)}, removed={"probes": ("b",)}
    ) == difference(old, new)
    assert {"probes", "people", "site", "escalations", "rotations"} == set(
        difference(None, new).added
    )


def test_a_stored_body_becomes_the_same_value_again(tmp_path: Path) -> None:
    made = catalog(
        workspace(tmp_path, {"playbooks/a.yaml": PLAYBOOK, "rotations/a.yaml": ROTATION})
    )
    for kind, name, value in (
        ("playbooks", "vendor-degraded", made.policy.playbooks["vendor-degraded"]),
        ("rotations", "night", made.policy.rotations["night"]),
        ("escalations", "night", made.policy.escalations["night"]),
    ):
        again = read_one(kind, name, made.documents[kind, name][1], lookup=Samples())
        assert value.digest == again.digest
        assert _placeless(value) == _placeless(again)


def _placeless(value: object) -> str:
    return re.sub(r"place=Place\([^)]*\)", "", repr(value))


def test_a_stored_body_that_cannot_be_read_any_more_is_refused() -> None:
    with pytest.raises(ValueError, match="is not a name here"):
        read_one("playbooks", "a", {"when": "no_such_name"}, lookup=Samples())


def test_a_finding_alone_keeps_no_workspace_from_being_activated(tmp_path: Path) -> None:
    text = "people: {cy: {methods: {mail: 'mailto://cy:pw@mail.example'}}}"
    loaded = load(workspace(tmp_path, {"rotations/a.yaml": text}), lookup=Samples())
    assert loaded.catalog is not None
    assert [Level.finding] == [each.level for each in loaded.problems]


def test_without_a_site_nobody_would_be_paged(tmp_path: Path) -> None:
    root = workspace(tmp_path, {"sentinel.yaml": "probes: {a: {page: {url: 'https://a'}}}"})
    assert [
        "sentinel.yaml:1:1: there is no `site:`, add one; it says who is paged when no playbook matches"
    ] == errors(root)


def test_a_folder_without_files_is_no_workspace(tmp_path: Path) -> None:
    assert [
        f"sentinel.yaml:1:1: there is no workspace in {tmp_path}, make one with `sentinel init`"
    ] == errors(tmp_path)


def test_a_file_with_another_ending_is_said_and_not_read(tmp_path: Path) -> None:
    root = workspace(tmp_path, {"probes/a.yml": "probes: {}"})
    assert ["probes/a.yml:1:1: this file is not read, name it .yaml, not .yml"] == errors(root)


def test_networks_are_checked(tmp_path: Path) -> None:
    text = SITE.replace("site:\n", "site:\n  intake: {allow: [10.0.0.0/8, 10.0.0.1/8, nowhere]}\n")
    assert ["sentinel.yaml:2:32", "sentinel.yaml:2:44"] == [
        each.split(": ")[0] for each in errors(workspace(tmp_path, {"sentinel.yaml": text}))
    ]


def test_one_id_in_two_files_is_refused_where_the_second_stands(tmp_path: Path) -> None:
    text = "probes: {a: {page: {at: shop}}}"
    root = workspace(tmp_path, {"probes/a.yaml": text, "probes/b.yaml": text})
    assert [
        "probes/b.yaml:1:10: `a` of the probes is declared a second time, the first is at probes/a.yaml:1:10"
    ] == errors(root)


def test_every_problem_of_every_file_is_said_at_once(tmp_path: Path) -> None:
    files = {
        "probes/a.yaml": "probes: {a: {page: {at: shp}}}",
        "probes/b.yaml": "probes: [",
        "playbooks/c.yaml": "playbooks: {c: {when: 'nothing == 1'}}",
    }
    paths = [each.split(":")[0] for each in errors(workspace(tmp_path, files))]
    assert ["playbooks/c.yaml", "probes/a.yaml", "probes/b.yaml"] == paths


def test_what_an_unreadable_file_may_declare_is_not_called_missing(tmp_path: Path) -> None:
    files = {
        "probes/a.yaml": "probes: {shop: {page: {at: shop}, depends_on: [dns]}}",
        "probes/b.yaml": "probes: {dns: [",
    }
    assert ["probes/b.yaml"] == [each.split(":")[0] for each in errors(workspace(tmp_path, files))]


def test_without_a_readable_site_no_address_is_called_missing(tmp_path: Path) -> None:
    files = {"sentinel.yaml": "site: [", "probes/a.yaml": "probes: {a: {page: {at: shop}}}"}
    assert ["sentinel.yaml"] == [each.split(":")[0] for each in errors(workspace(tmp_path, files))]


def test_the_collector_is_as_before_afterwards(tmp_path: Path) -> None:
    assert gc.isenabled()
    load(workspace(tmp_path, {}), lookup=Samples())
    assert gc.isenabled()


def test_histograms_are_shown_where_the_site_asks_for_them(tmp_path: Path) -> None:
    def site(metrics: str) -> dict[str, str]:
        return {"sentinel.yaml": SITE.replace("site:\n", f"site:\n  metrics: {metrics}\n", 1)}

    assert () == catalog(workspace(tmp_path / "a", {})).site.buckets
    asked = catalog(workspace(tmp_path / "b", site("{histograms: true, buckets: [0.5, 1]}")))
    assert (0.5, 1.0) == asked.site.buckets
    assert 10 == len(catalog(workspace(tmp_path / "c", site("{histograms: true}"))).site.buckets)
    assert [
        "sentinel.yaml:2:40: the buckets do not ascend, write them like [0.1, 0.5, 1, 5]"
    ] == errors(workspace(tmp_path / "d", site("{histograms: true, buckets: [1, 0.5]}")))
