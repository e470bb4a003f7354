"""``sentinel init``: a newcomer's first minute."""

import json
from pathlib import Path

import pytest

from sentinel.library.catalog import load
from tests.cli.running import run


def test_what_it_writes_lints_clean(tmp_path: Path) -> None:
    done = run("init", str(tmp_path / "shop"))
    assert 0 == done.exit_code, done.output
    assert (0, "nothing wrong\n") == (
        (linted := run("lint", str(tmp_path / "shop"))).exit_code,
        linted.stderr,
    )


def test_what_it_writes_watches_pages_and_reacts(tmp_path: Path) -> None:
    run("init", str(tmp_path))
    catalog = load(tmp_path, addresses={"shop": "http://127.0.0.1:1"}).catalog
    assert catalog is not None
    assert "127.0.0.1" == catalog.policy.probes["shop-home"].prober.host()
    assert "everybody" == catalog.policy.unmatched
    assert ["keep", "verify"] == [step.id for step in catalog.policy.playbooks["shop-down"].steps]
    assert catalog.policy.people["me"].methods


def test_editors_find_the_schema_from_every_file(tmp_path: Path) -> None:
    run("init", str(tmp_path))
    files = sorted(tmp_path.rglob("*.yaml"))
    assert 4 == len(files)
    for file in files:
        modeline = file.read_text().splitlines()[0]
        path = modeline.removeprefix("# yaml-language-server: $schema=")
        assert "properties" in json.loads((file.parent / path).read_text())


@pytest.mark.parametrize("there", ["sentinel.yaml", "probes/shop.yaml"])
def test_nothing_is_overwritten_and_then_nothing_is_written(tmp_path: Path, there: str) -> None:
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).write_text("mine")
    done = run("init", str(tmp_path))
    assert (1, "") == (done.exit_code, done.stdout)
    assert "is there already; nothing was written" in done.stderr
    assert [tmp_path / there] == [path for path in tmp_path.rglob("*") if path.is_file()]
