"""What can be had is kept; what cannot is named."""

import asyncio
import json
from pathlib import Path

import pytest

from sentinel.actions.evidence import Evidence
from sentinel.kinds import Done, Failed, Outcomes
from tests.actions.conftest import SEEN, Kept, a_server, a_world, answer


def collected(folder: Path, probe: str, given: bytes) -> tuple[Outcomes, Kept]:
    async def main() -> tuple[Outcomes, Kept]:
        async with a_server(given) as server, a_world(folder) as (world, kept):
            return await Evidence(probe=probe, url=server.url).act({}, world), kept

    return asyncio.run(main())


def test_probe_and_answer_are_kept_whatever_the_status(tmp_path: Path) -> None:
    outcome, kept = collected(tmp_path, "acme-checkout", answer("503 Oops", "the cupboard is bare"))
    assert isinstance(outcome, Done)
    (probe, seen), (name, page) = kept.evidence
    assert (probe, name) == ("probe acme-checkout", "answer")
    assert json.loads(seen) == SEEN
    assert b"503 Oops" in page
    assert page.endswith(b"the cupboard is bare")
    assert [one["size_bytes"] for one in outcome.values["kept"]] == [len(seen), len(page)]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    outcome, _ = collected(tmp_path, "gone", answer("200 OK"))
    assert isinstance(outcome, Done)
    assert list(outcome.values["missing"]) == ["probe gone"]


def test_nothing_at_all_is_a_failure(tmp_path: Path) -> None:
    outcome, _ = collected(tmp_path, "gone", b"")
    assert isinstance(outcome, Failed)
    assert outcome.reason == "nothing_kept"


def test_nothing_to_keep_is_refused_at_load() -> None:
    with pytest.raises(ValueError, match="nothing to keep"):
        Evidence()
