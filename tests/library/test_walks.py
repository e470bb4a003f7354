"""Kinds that hold others or refer to the site: journeys, vendors, probes named by actions."""

from pathlib import Path

import pytest

from sentinel.library.catalog import Catalog, load
from sentinel.playbook.playbook import Reference
from tests.library.samples import SITE, workspace

JOURNEY = """\
probes:
  shop:
    journey:
      at: shop
      steps:
        - {id: search, http: {path: [search]}, expect: ['status == 200'], capture: {sku: 'html.attr("a", "data-sku")'}}
        - {id: add, http: {method: POST, path: [basket, "${capture.%s}"], form: {n: "${capture.sku + 'x'}"}}, expect: ['body.contains(capture.sku)']}
      cleanup:
        - {id: clear, http: {method: POST, path: [clear, "${capture.sku}"]}}
    expect: ['steps.add.total_s < 1.0']
"""


def loaded(root: Path, text: str) -> Catalog:
    found = load(workspace(root, {"probes/a.yaml": text}))
    assert found.catalog is not None, found.problems
    return found.catalog


def problems(root: Path, text: str) -> list[str]:
    return [str(each) for each in load(workspace(root, {"probes/a.yaml": text})).problems]


def test_a_journeys_steps_are_probers_with_references(tmp_path: Path) -> None:
    journey = loaded(tmp_path, JOURNEY % "sku").policy.probes["shop"].prober
    assert "shop.acme.example" == journey.host()
    search, add = journey.steps  # type: ignore[attr-defined]
    assert 'html.attr("a", "data-sku")' == search.capture["sku"].source
    assert "basket" == add.http.path[0]
    assert isinstance(add.http.path[1], Reference)
    assert "capture.sku + 'x'" == add.http.form["n"].expression.source
    assert ["body.contains(capture.sku)"] == [each.that.source for each in add.expect]


def test_a_value_that_no_earlier_step_captures_is_refused(tmp_path: Path) -> None:
    assert [
        "probes/a.yaml:7:27: `skuu` is not captured by a step before this one, did you mean `sku`?"
    ] == problems(tmp_path, JOURNEY % "skuu")


def test_a_step_cannot_use_what_it_captures_itself(tmp_path: Path) -> None:
    text = JOURNEY.replace("path: [search]", 'path: ["${capture.sku}"]') % "sku"
    assert ["probes/a.yaml:6:30: `sku` is not captured by a step before this one"] == problems(
        tmp_path, text
    )


def test_a_step_sees_what_its_own_kind_declares(tmp_path: Path) -> None:
    text = JOURNEY.replace("'status == 200'", "'items > 3'") % "sku"
    assert ["`items` is not a name here"] == [
        each.split(": ")[1].split(";")[0] for each in problems(tmp_path, text)
    ]


VENDOR = "vendors: {acmepay: {status: %s}}\nprobes: {page: {vendor_status: {vendor: acmepay}}}"


def test_a_vendors_page_and_components_are_those_it_declares(tmp_path: Path) -> None:
    status = '{statuspage: "https://status.acmepay.example", components: [API]}'
    prober = loaded(tmp_path, VENDOR % status).policy.probes["page"].prober
    assert ("status.acmepay.example", ("API",)) == (prober.host(), prober.components)  # type: ignore[attr-defined]


def test_a_vendors_page_may_be_one_of_the_sites_addresses(tmp_path: Path) -> None:
    prober = loaded(tmp_path, VENDOR % "{at: shop}").policy.probes["page"].prober
    assert "shop.acme.example" == prober.host()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (VENDOR % "{}", "the vendor `acmepay` declares no status page"),
        ("probes: {page: {vendor_status: {vendor: acme}}}", "`acme` is not one of the vendors"),
        ("probes: {page: {vendor_status: {}}}", "neither `url:` nor `at:` is given here"),
        ("probes: {page: {http: {path: [a]}}}", "neither `url:` nor `at:` is given here"),
        ("probes: {page: {feed: {profile: google}}}", "neither `url:` nor `at:` is given here"),
        ("probes: {beat: {heartbeat: {grace: 5m}}}", "give either `every:` or `cron:`"),
    ],
)
def test_what_a_kind_cannot_be_without_is_asked_for(tmp_path: Path, text: str, said: str) -> None:
    (problem,) = problems(tmp_path, text)
    assert said in problem


@pytest.mark.parametrize(
    "step",
    ["probe: {id: shp}", "evidence: {probe: shp}", "healthy: {probe: shp}"],
)
def test_a_step_names_a_declared_probe(tmp_path: Path, step: str) -> None:
    text = (
        "probes: {shop: {http: {at: shop}}}\n"
        f"playbooks: {{p: {{when: 'true', steps: [{{id: a, {step}}}]}}}}"
    )
    (problem,) = problems(tmp_path, text)
    assert "`shp` is not one of the probes, did you mean `shop`?" in problem


def test_at_stands_wherever_an_address_may(tmp_path: Path) -> None:
    text = SITE + (
        "playbooks: {p: {when: 'true', steps: [{id: a, evidence: {at: shop}},"
        " {id: b, http: {at: shop, path: [x]}}]}}"
    )
    (tmp_path / "sentinel.yaml").write_text(text)
    catalog = load(tmp_path).catalog
    assert catalog is not None
    assert ["https://shop.acme.example"] * 2 == [
        step.does.url  # type: ignore[union-attr]
        for step in catalog.policy.playbooks["p"].steps
    ]
