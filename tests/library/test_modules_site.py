"""``site.blackbox``: a file of modules beside the documents, and whom they may probe."""

from pathlib import Path

from sentinel.library.catalog import Loaded, load
from sentinel.library.modules_site import SiteBlackbox

SITE = """
site:
  unmatched: escalation/main
  fallback: {page: [person/ana]}
  blackbox: {modules: blackbox.yml, allow: [%s]}
people:
  ana: {name: Ana, methods: {push: "env:ANA"}}
escalations:
  main: {levels: [{page: [person/ana]}]}
"""


def loaded(folder: Path, *, allow: str = "", modules: str | None = None) -> Loaded:
    (folder / "sentinel.yaml").write_text(SITE % allow)
    if modules is not None:
        (folder / "blackbox.yml").write_text(modules)
    return load(folder)


def test_the_modules_come_with_the_documents(tmp_path: Path) -> None:
    allow = '10.0.0.0/8, "2001:db8::/32", shop.example, /run/shop.sock'
    catalog = loaded(tmp_path, allow=allow, modules="modules: {ok: {prober: http}}").catalog
    assert catalog is not None
    assert ["ok"] == list(catalog.modules)
    expected = ("10.0.0.0/8", "2001:db8::/32", "shop.example", "/run/shop.sock")
    assert SiteBlackbox("blackbox.yml", expected) == catalog.site.blackbox


def test_a_mistake_in_the_modules_is_one_of_the_workspace(tmp_path: Path) -> None:
    found = loaded(tmp_path, modules="modules:\n  ok: {prober: http, timeout: 5}")
    assert found.catalog is None
    assert ["blackbox.yml:2:31"] == [str(each.place) for each in found.problems]


def test_a_file_that_is_not_there_is_said_at_the_site(tmp_path: Path) -> None:
    found = loaded(tmp_path)
    assert found.catalog is None
    assert "`blackbox.yml` cannot be read: No such file" in str(found.problems[0])
    assert str(found.problems[0]).startswith("sentinel.yaml:5:23:")


def test_what_is_no_network_host_or_path_is_refused(tmp_path: Path) -> None:
    found = loaded(tmp_path, allow='10.0.0.1/8, "https://shop.example/"', modules="modules: {}")
    assert ["sentinel.yaml:5:45", "sentinel.yaml:5:57"] == [str(p.place) for p in found.problems]


def test_without_it_there_are_no_modules(tmp_path: Path) -> None:
    (tmp_path / "sentinel.yaml").write_text(SITE.replace("blackbox:", "intake: {} #"))
    catalog = load(tmp_path).catalog
    assert catalog is not None
    assert (None, {}) == (catalog.site.blackbox, catalog.modules)
