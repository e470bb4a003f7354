"""Documents come into force, and a reload that moves a shift is seen (rules 23, 28)."""

from pathlib import Path
from typing import Any

from sentinel.engine.activation import activate
from sentinel.library.catalog import Catalog
from sentinel.timeline.site_facts import DocumentsActivated, OnCallChanged
from tests.engine.kernel import Kernel
from tests.engine.test_response import play
from tests.library.samples import workspace
from tests.library.test_catalog import catalog

ROTATION = """\
rotations:
  shop: {layers: [{id: all, people: [%s], anchor: "2026-01-05 09:00"}]}
"""


def of(root: Path, people: str) -> Catalog:
    root.mkdir(exist_ok=True)
    return catalog(workspace(root, {"rotations/shop.yaml": ROTATION % people}))


async def facts(one: Kernel, stream: str) -> list[Any]:
    records = await one.journal.view(lambda view: list(view.read(stream)))
    return [record.what for record in records]


def reload(before: Catalog, after: Catalog, check: Any) -> None:
    async def score(one: Kernel) -> None:
        await activate(one.decisions, before, node="n", version="1")
        await activate(one.decisions, after, node="", version="1", before=before)
        check(await facts(one, "override/shop"), await facts(one, "site"))

    play(score)


def test_a_reload_that_changes_who_is_on_call_now_is_a_fact_of_the_rotation(tmp_path: Path) -> None:
    def check(rotation: list[Any], site: list[Any]) -> None:
        assert [OnCallChanged(("ana",), ("bo",))] == rotation
        activated = [fact for fact in site if isinstance(fact, DocumentsActivated)]
        assert [(0, 1, 0)] == [(f.added, f.changed, f.removed) for f in activated[1:]]

    reload(of(tmp_path / "a", "ana"), of(tmp_path / "b", "bo"), check)


def test_a_reload_that_changes_nobody_says_nothing(tmp_path: Path) -> None:
    def check(rotation: list[Any], site: list[Any]) -> None:
        assert [] == rotation
        assert 1 == sum(isinstance(fact, DocumentsActivated) for fact in site)

    reload(of(tmp_path / "a", "ana"), of(tmp_path / "b", "ana"), check)
