"""The auditor: what the log says must be there is found missing, told and mended (rule 15)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from sentinel.engine.audit import audit
from sentinel.incident.state import IncidentState, PageStatus
from sentinel.kinds import Done
from sentinel.store.journal import Change, WorkKind
from tests.engine.kernel import Kernel, playbook, policy
from tests.engine.test_response import play
from tests.playbook.builders import step


@dataclass(frozen=True, slots=True)
class Effect:
    """An action that counts how often it is done."""

    KIND: ClassVar[str] = "effect"
    OUTPUTS: ClassVar[Mapping[str, object]] = {}
    WRITES: ClassVar[bool] = True
    done: ClassVar[list[str]] = []

    async def act(self, inputs: Mapping[str, Any], world: Any) -> Done:
        self.done.append(world.key)
        return Done()


@pytest.fixture
def done() -> list[str]:
    Effect.done.clear()
    return Effect.done


async def lose(one: Kernel, kind: WorkKind) -> list[str]:
    """Delete the rows of a kind, as a mistake of ours or of a person with SQL would."""
    gone = [row.key for row in await one.journal.view(lambda view: view.works(kind))]
    change = Change(work_done=gone)
    await one.journal.transact([], lambda view: (change, None), now=one.clock.now())
    return gone


async def told(one: Kernel) -> list[str]:
    return [state.labels["alertname"] for state in await one.incidents()]


def test_a_lost_wake_up_is_mended_within_a_minute_and_pages_somebody() -> None:
    async def score(one: Kernel) -> None:
        await one.alert()
        (key,) = await lose(one, WorkKind.wake)
        await one.advance(seconds=61)
        assert None is not await one.journal.view(lambda view: view.work(key))
        assert ["home", "sentinel-audit"] == await told(one)
        await one.advance(minutes=5)
        assert "push://bo" in one.notifier.to

    play(score)


def test_a_lost_delivery_is_sent_all_the_same() -> None:
    async def score(one: Kernel) -> None:
        one.performer.paused = True
        await one.alert()
        assert 2 == len(await lose(one, WorkKind.delivery))  # now, and what follows if unread
        one.performer.paused = False
        await one.advance(seconds=61)
        assert one.notifier.to[0] == "push://ana"
        assert "sentinel-audit" not in one.notifier.sent[0][1].body
        assert ["home", "sentinel-audit"] == await told(one)
        pages = (await one.incidents())[0].paging.pages.values()
        assert PageStatus.accepted in {page.status for page in pages}

    play(score)


def test_a_lost_step_is_done_once(done: list[str]) -> None:
    restart = step("restart", Effect(), writes=True, repeatable=True)
    book = playbook("mend", 'labels.alertname == "home"', steps=(restart,))

    async def score(one: Kernel) -> None:
        one.performer.paused = True
        await one.alert()
        assert 1 == len(await lose(one, WorkKind.step))
        one.performer.paused = False
        (found,) = await audit(one.decisions)
        assert "step restart has nobody to do it" == found.text
        await one.advance(seconds=61)
        assert 1 == len(done)
        (run,) = (await one.incidents())[0].runs.values()
        assert run.steps["restart"].ended

    play(score, policy(playbooks={"mend": book}))


def test_a_fold_that_is_not_the_streams_is_told_and_dropped() -> None:
    async def score(one: Kernel) -> None:
        await one.alert()
        incident = (await one.only()).incident
        stream = f"incident/{incident}"

        def spoil(view: Any) -> Any:
            overlay = one.decisions.folds.over(view)
            overlay.knows(stream, IncidentState(incident=incident), view.version(stream))
            return overlay

        one.decisions.folds.keep(await one.journal.view(spoil))
        assert (await one.only()).labels == {}
        (fault,) = await audit(one.decisions)
        assert stream == fault.subject
        states = await one.incidents()
        assert "home" == states[0].labels["alertname"]
        await one.clock.settle()
        assert ["home", "sentinel-audit"] == await told(one)

    play(score)


def test_what_holds_is_not_reported(done: list[str]) -> None:
    async def score(one: Kernel) -> None:
        await one.alert()
        await one.alert(service="feed")
        for _ in range(20):
            await one.clock.advance(timedelta(seconds=31))
        assert ["home", "home"] == await told(one)
        assert 2 == len(done)

    book = playbook("mend", steps=(step("restart", Effect(), writes=True, repeatable=True),))
    play(score, policy(playbooks={"mend": book}))
