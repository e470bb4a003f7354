"""The auditor: an open incident that nothing would wake is found, told and mended (rule 15)."""

from sentinel.store.journal import Change
from tests.engine.kernel import Kernel
from tests.engine.test_response import play


def test_a_lost_wake_up_is_mended_within_a_minute_and_pages_somebody() -> None:
    async def score(one: Kernel) -> None:
        await one.alert()
        key = f"wake/{(await one.only()).incident}"
        gone = Change(work_done=[key])
        await one.journal.transact([], lambda view: (gone, None), now=one.clock.now())
        await one.advance(seconds=61)
        assert None is not await one.journal.view(lambda view: view.work(key))
        names = [state.labels["alertname"] for state in await one.incidents()]
        assert ["home", "sentinel-audit"] == names
        await one.advance(minutes=5)
        assert "push://bo" in one.notifier.to

    play(score)
