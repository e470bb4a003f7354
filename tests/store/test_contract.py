"""What every journal promises, asked of each of them: facts, transactions and the chain."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from sentinel.errors import JournalUnavailable
from sentinel.store.journal import Change, InboxRow, View, Work, WorkKind
from sentinel.timeline import chain
from sentinel.timeline.facts import Fact
from sentinel.timeline.incident_facts import NoteAdded, Redacted, Snoozed
from tests.store.values import MINUTE, NOW, append, note, opened, put

Decide = Callable[[View], tuple[Change, Any]]


async def test_a_fact_reads_back_after_the_store_was_closed_and_opened(where: str) -> None:
    async with opened(where) as journal:
        await append(journal, "incident/a", note("sähke"), Fact(Snoozed("ben", NOW + MINUTE), NOW))
    async with opened(where) as journal:
        first, second = await journal.view(lambda view: view.read("incident/a"))
        after = await journal.view(lambda view: view.read("incident/a", 1))
    assert (first.version, first.what, first.text) == (1, NoteAdded("ana"), {"note": "sähke"})
    assert (first.stream, first.occurred_at, first.recorded_at) == ("incident/a", NOW, NOW)
    assert (second.version, second.what) == (2, Snoozed("ben", NOW + MINUTE))
    assert after == [second]


async def test_everything_in_a_change_is_committed_together(where: str) -> None:
    work = Work("w", WorkKind.wake, NOW, ("a",))
    arrived = InboxRow("1", "alert", {}, NOW)
    change = Change({"incident/a": [note()], "group/g": [note()]}, work=[work], inbox=[arrived])

    def look(view: View) -> tuple[int, int, Work | None, int]:
        return (
            view.version("incident/a"),
            view.version("group/g"),
            view.work("w"),
            len(view.inbox(9)),
        )

    async with opened(where) as journal:
        await put(journal, change)
        assert await journal.view(look) == (1, 1, work, 1)


async def test_what_decide_raises_is_raised_and_nothing_is_written(where: str) -> None:
    class Refused(Exception):
        pass

    def decide(view: View) -> tuple[Change, None]:
        raise Refused("no")

    async with opened(where) as journal:
        with pytest.raises(Refused, match="no"):
            await journal.transact(["incident/a"], decide, now=NOW)
        assert await journal.view(lambda view: view.streams("")) == []


@pytest.mark.parametrize(
    "bad",
    [
        Change({"incident/b": [note()]}),
        Change({"incident/a": [note()], "incident/b": [note()]}),
        Change({"incident/a": [note()]}, redact={"incident/b": [1]}),
        Change({"incident/a": [note()]}, evidence={"0" * 64: b"not of this digest"}),
        Change({"incident/a": [note()]}, work=[Work("w", WorkKind.wake, NOW, body={"x": {1}})]),
    ],
    ids=["unlocked", "one-unlocked", "unlocked-redaction", "wrong-digest", "not-json"],
)
async def test_a_change_that_may_not_be_written_is_not_written_at_all(
    where: str, bad: Change
) -> None:
    async with opened(where) as journal:
        with pytest.raises((ValueError, TypeError)):
            await journal.transact(["incident/a"], lambda _: (bad, None), now=NOW)
        assert await journal.view(lambda view: view.streams("")) == []


async def test_concurrent_decisions_on_one_stream_take_turns(where: str) -> None:
    async with opened(where) as one, opened(where) as other:
        both = [append(node, "incident/a", note()) for node in (one, other) for _ in range(40)]
        seen = await asyncio.gather(*both)
        facts = await one.view(lambda view: view.sealed("incident/a"))
    assert sorted(seen) == list(range(80))
    assert [fact.version for fact in facts] == list(range(1, 81))
    assert chain.verify(facts) == []


async def test_while_one_node_decides_on_a_stream_no_other_does(where: str) -> None:
    begun, go, other_began = threading.Event(), threading.Event(), threading.Event()

    def hold(view: View) -> tuple[Change, bool]:
        begun.set()
        go.wait(10)
        return Change({"incident/b": [note()]}), other_began.wait(0.2)

    def decide(view: View) -> tuple[Change, int]:
        other_began.set()
        return Change({"incident/b": [note()]}), view.version("incident/b")

    async with opened(where) as one, opened(where) as other:
        # The stream is there before, and the one who holds it is not the first of its batch.
        await append(one, "incident/b", note())
        first = asyncio.create_task(append(one, "incident/a", note()))
        held = asyncio.create_task(one.transact(["incident/b"], hold, now=NOW))
        await asyncio.to_thread(begun.wait, 10)
        waiting = asyncio.create_task(other.transact(["incident/b"], decide, now=NOW))
        await asyncio.sleep(0)
        go.set()
        assert not await held
        assert await waiting == 2
        await first


async def test_a_failing_decision_takes_nothing_from_the_others_of_its_batch(where: str) -> None:
    async with opened(where) as journal:
        begun, go = threading.Event(), threading.Event()

        def hold(view: View) -> tuple[Change, str]:
            begun.set()
            go.wait(10)
            return Change(), "held"

        def good(stream: str) -> Decide:
            return lambda view: (Change({stream: [note()]}), view.version("incident/a"))

        def bad(view: View) -> tuple[Change, None]:
            # The fact is written before the evidence is refused.
            return Change({"incident/a": [note()]}, evidence={"0" * 64: b"other bytes"}), None

        async def run(stream: str, decide: Decide) -> Any:
            return await journal.transact([stream], decide, now=NOW)

        held = asyncio.create_task(run("site", hold))
        await asyncio.to_thread(begun.wait, 10)
        batch = [
            asyncio.create_task(run("incident/a", decide))
            for decide in (good("incident/a"), bad, good("incident/a"))
        ]
        await asyncio.sleep(0)
        go.set()
        answers = await asyncio.gather(held, *batch, return_exceptions=True)
        facts = await journal.view(lambda view: view.sealed("incident/a"))
    assert answers[0] == "held"
    assert (answers[1], answers[3]) == (0, 1)
    assert isinstance(answers[2], ValueError)
    assert len(facts) == 2
    assert chain.verify(facts) == []


async def test_a_decision_sees_what_those_before_it_in_its_batch_wrote(where: str) -> None:
    async with opened(where) as journal:
        seen = await asyncio.gather(*(append(journal, "incident/a", note()) for _ in range(30)))
    assert seen == list(range(30))


async def test_streams_locked_in_any_order_never_wait_in_a_circle(where: str) -> None:
    names = ["incident/a", "incident/b", "group/g"]

    def decide(view: View) -> tuple[Change, None]:
        return Change({name: [note()] for name in names}), None

    async with opened(where) as one, opened(where) as other:
        crossed = [
            node.transact(order, decide, now=NOW)
            for _ in range(20)
            for node, order in ((one, names), (other, names[::-1]))
        ]
        await asyncio.wait_for(asyncio.gather(*crossed), 20)
        versions = await one.view(lambda view: [view.version(name) for name in names])
    assert versions == [40, 40, 40]


async def test_a_view_stays_as_it_was_while_others_commit(where: str) -> None:
    async with opened(where) as journal:
        looked, go = threading.Event(), threading.Event()

        def look(view: View) -> tuple[int, int]:
            before = view.version("incident/a")
            looked.set()
            go.wait(10)
            return before, view.version("incident/a")

        looking = asyncio.create_task(journal.view(look))
        await asyncio.to_thread(looked.wait, 10)
        await append(journal, "incident/a", note())
        go.set()
        assert await looking == (0, 0)
        assert await journal.view(lambda view: view.version("incident/a")) == 1


async def test_redaction_removes_text_and_salt_and_the_chain_still_verifies(where: str) -> None:
    async with opened(where) as journal:
        await append(journal, "incident/a", note("ana's phone number"), note("kept"))
        redaction = Change(
            {"incident/a": [Fact(Redacted(1, "ben"), NOW, {"reason": "personal"})]},
            redact={"incident/a": [1]},
        )
        await put(journal, redaction)
        read = await journal.view(lambda view: view.read("incident/a"))
        sealed = await journal.view(lambda view: view.sealed("incident/a"))
    assert [fact.text for fact in read] == [None, {"note": "kept"}, {"reason": "personal"}]
    assert (sealed[0].text, sealed[0].salt) == (None, None)
    assert chain.verify(sealed) == []


async def test_streams_are_listed_by_prefix_in_name_order(where: str) -> None:
    names = ["incident/b", "incident/Z", "incident/ä", "incidents", "group/acme"]
    async with opened(where) as journal:
        await put(journal, Change({name: [note()] for name in names}))
        await journal.transact(["incident/only-locked"], lambda _: (Change(), None), now=NOW)
        found = await journal.view(lambda view: view.streams("incident/"))
        assert found == ["incident/Z", "incident/b", "incident/ä"]
        assert await journal.view(lambda view: view.streams("none")) == []


async def test_work_and_inbox_rows_wake_and_nothing_else_does(where: str) -> None:
    async with opened(where) as journal:
        woken = asyncio.Event()
        journal.woken(woken.set)
        await append(journal, "incident/a", note())
        await asyncio.sleep(0)
        # A new listener may be woken once when it connects; only later wakes count.
        woken.clear()
        await append(journal, "incident/a", note())
        for _ in range(5):
            await asyncio.sleep(0)
        assert not woken.is_set()
        await put(journal, Change(work=[Work("w", WorkKind.wake, NOW)]))
        await asyncio.wait_for(woken.wait(), 5)
        woken.clear()
        await put(journal, Change(inbox=[InboxRow("1", "alert", {}, NOW)]))
        await asyncio.wait_for(woken.wait(), 5)


async def test_a_caller_that_goes_away_does_not_disturb_the_others(where: str) -> None:
    async with opened(where) as journal:
        gone = asyncio.create_task(append(journal, "incident/a", note()))
        await asyncio.sleep(0)
        gone.cancel()
        assert await append(journal, "incident/b", note()) == 0
        assert await journal.view(lambda view: view.version("incident/a")) in (0, 1)


async def test_a_closed_journal_refuses(where: str) -> None:
    async with opened(where) as journal:
        await append(journal, "incident/a", note())
    with pytest.raises(JournalUnavailable):
        await append(journal, "incident/a", note())
    with pytest.raises(JournalUnavailable):
        await journal.view(lambda view: view.version("incident/a"))


async def test_facts_may_hold_what_databases_stumble_over(where: str) -> None:
    text = "a\x00b \ud800 ' \" \\ ? %s \u2028 😀"
    async with opened(where) as journal:
        await append(journal, "incident/a", note(text, by="o'neill ? %"))
        await put(journal, Change(inbox=[InboxRow("1", "alert", {"text": text}, NOW)]))
        (fact,) = await journal.view(lambda view: view.read("incident/a"))
        (arrived,) = await journal.view(lambda view: view.inbox(1))
    clean = text.replace("\ud800", "\ufffd")
    assert fact.text == {"note": clean}
    assert fact.what == NoteAdded("o'neill ? %")
    assert arrived.body == {"text": clean}
