"""What every journal promises, asked of each of them: the rows beside the facts."""

import asyncio
import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest

from sentinel.store.journal import (
    Activation,
    Change,
    Document,
    InboxRow,
    IncidentRow,
    Keep,
    PresentAlert,
    ProbeState,
    View,
    Work,
    WorkKind,
)
from sentinel.timeline.facts import Fact
from sentinel.timeline.incident_facts import EvidenceKept
from sentinel.words import Severity
from tests.store.values import DAY, MINUTE, NOW, SECOND, opened, put, result

WAKE, STEP, AGREE = WorkKind.wake, WorkKind.step, WorkKind.agree


def work(key: str, **fields: object) -> Work:
    return replace(Work(key, WAKE, NOW, (), {"x": 1}), **fields)  # type: ignore[arg-type]


async def test_a_work_row_reads_back_as_it_was_written(where: str) -> None:
    lease_until_at = NOW + MINUTE
    body = {"at": NOW, "deep": [{"until_at": NOW, "count_at": 7}], "n": 1.5, "none": None}
    full = Work("w", STEP, NOW, ("a", "b"), body, 2, "node-1", 3, lease_until_at)
    bare = Work("standing", AGREE, None)
    async with opened(where) as journal:
        await put(journal, Change(work=[full, bare]))
        found = await journal.view(lambda view: (view.work("w"), view.work("standing")))
        assert found == (full, bare)
        assert await journal.view(lambda view: view.work("none")) is None


async def test_a_work_row_replaces_the_one_of_its_key_and_done_ones_are_gone(where: str) -> None:
    def look(view: View) -> list[list[str]]:
        of = [view.work_of("a"), view.work_of("b"), view.works(WAKE)]
        return [[row.key for row in rows] for rows in of]

    async with opened(where) as journal:
        rows = [work("w2", incidents=("a",)), work("w1", incidents=("a", "b")), work("other")]
        await put(journal, Change(work=rows))
        assert await journal.view(look) == [["w1", "w2"], ["w1"], ["other", "w1", "w2"]]
        await put(journal, Change(work=[work("w1", incidents=("b",))], work_done=["w2", "none"]))
        assert await journal.view(look) == [[], ["w1"], ["other", "w1"]]


async def test_due_gives_what_may_be_taken_earliest_first(where: str) -> None:
    past, future = NOW - MINUTE, NOW + MINUTE
    rows = [
        work("late", due_at=past),
        work("now"),
        work("later", due_at=NOW + SECOND),
        work("standing", due_at=None),
        work("held", due_at=past, owner="n", lease_until_at=future),
        work("lapsed", due_at=past, owner="n", lease_until_at=NOW - SECOND),
        work("held-for-ever", due_at=past, owner="n"),
        work("retried", due_at=NOW + 2 * SECOND, owner="n", lease_until_at=past),
        work("step", kind=STEP),
    ]

    def due(view: View) -> list[list[str]]:
        asked = [
            view.due(NOW, [WAKE], 9),
            view.due(NOW, [WAKE], 2),
            view.due(NOW, [WAKE, STEP], 9),
            view.due(future, [WAKE], 9),
            view.due(NOW, [], 9),
        ]
        return [[row.key for row in found] for found in asked]

    async with opened(where) as journal:
        await put(journal, Change(work=rows))
        assert await journal.view(due) == [
            ["late", "lapsed", "now"],
            ["late", "lapsed"],
            ["late", "lapsed", "now", "step"],
            ["late", "lapsed", "now", "later", "retried", "held"],
            [],
        ]


async def test_next_due_is_when_the_first_row_may_be_taken(where: str) -> None:
    lease_until_at = NOW + MINUTE
    async with opened(where) as journal:
        assert await journal.view(lambda view: view.next_due([WAKE])) is None
        held = work("held", owner="n", lease_until_at=lease_until_at)
        await put(journal, Change(work=[held, work("standing", due_at=None)]))
        assert await journal.view(lambda view: view.next_due([WAKE])) == lease_until_at
        await put(journal, Change(work=[work("soon", due_at=NOW + SECOND)]))
        assert await journal.view(lambda view: view.next_due([WAKE, STEP])) == NOW + SECOND
        assert await journal.view(lambda view: view.next_due([STEP])) is None


async def test_each_row_is_claimed_by_one_node_only(where: str) -> None:
    keys = {f"w{number:02}" for number in range(30)}

    def claim(node: str, view: View) -> tuple[Change, list[str]]:
        taken = [
            replace(row, owner=node, epoch=row.epoch + 1, lease_until_at=NOW + MINUTE)
            for row in view.due(NOW, [WAKE], 3)
        ]
        return Change(work=taken), [row.key for row in taken]

    async with opened(where) as one, opened(where) as other:
        await put(one, Change(work=[work(key) for key in keys]))
        claims = [
            node.transact([], lambda view, name=name: claim(name, view), now=NOW)
            for _ in range(10)
            for name, node in (("one", one), ("other", other))
        ]
        taken = [key for keys in await asyncio.gather(*claims) for key in keys]
        epochs = await one.view(lambda view: {row.epoch for row in view.works(WAKE)})
    assert sorted(taken) == sorted(keys)
    assert epochs == {1}


async def test_commands_come_first_and_then_the_oldest(where: str) -> None:
    rows = [
        InboxRow("a2", "alert", {"n": 2}, NOW + SECOND),
        InboxRow("v1", "verdict", {}, NOW),
        InboxRow("c2", "command", {}, NOW + 2 * SECOND),
        InboxRow("a1", "alert", {"at": NOW}, NOW - SECOND),
        InboxRow("c1", "command", {}, NOW + SECOND),
    ]

    def look(view: View) -> list[str]:
        return [row.id for row in view.inbox(4)]

    async with opened(where) as journal:
        await put(journal, Change(inbox=rows))
        await put(journal, Change(inbox=[InboxRow("c1", "command", {"again": True}, NOW)]))
        assert await journal.view(look) == ["c1", "c2", "a1", "v1"]
        (first, *_) = await journal.view(lambda view: view.inbox(1))
        assert first == rows[4]
        await put(journal, Change(inbox_taken=["c1", "c2", "a1"]))
        assert await journal.view(look) == ["v1", "a2"]


async def test_present_alerts_are_one_per_fingerprint(where: str) -> None:
    alert = PresentAlert(
        "f" * 16,
        "probe",
        {"client": "acme"},
        Severity.critical,
        NOW,
        NOW + MINUTE,
        incident="7k3m9q2v",
        muted_by="silence/x",
        probe="acme-home",
        reason="timeout",
        summary="acme-home is down",
    )
    later = replace(alert, ends_at=None, incident="")
    older = PresentAlert("e" * 16, "person", {}, Severity.info, NOW - MINUTE, None)
    async with opened(where) as journal:
        await put(journal, Change(alerts=[alert, older]))
        assert await journal.view(lambda view: view.alert("f" * 16)) == alert
        await put(journal, Change(alerts=[later]))
        assert await journal.view(lambda view: view.alerts()) == [older, later]
        await put(journal, Change(alerts_gone=["f" * 16, "none"]))
        assert await journal.view(lambda view: view.alert("f" * 16)) is None


async def test_an_older_slot_never_overwrites_a_probes_state(where: str) -> None:
    state = ProbeState("acme-home", "local", NOW, {"verdict": "ok", "since_at": 5})
    newer = replace(state, slot_at=NOW + SECOND, state={"verdict": "firing"})
    async with opened(where) as journal:
        for one in (state, newer, state, replace(newer, state={"verdict": "late twin"})):
            await put(journal, Change(probe_states=[one]))
        assert await journal.view(lambda view: view.probe_states()) == [newer]


async def test_kept_bytes_stay_with_the_state_that_names_them(where: str) -> None:
    kept = ProbeState("p", "local", NOW, {}, b"\0bytes", NOW)
    again = replace(kept, slot_at=NOW + SECOND)
    fresh = replace(kept, slot_at=NOW + 2 * SECOND, kept=b"new", kept_at=NOW + 2 * SECOND)
    late = replace(kept, slot_at=NOW - SECOND, kept=b"old", kept_at=NOW - SECOND)
    elsewhere = ProbeState("p", "eu", NOW, {})
    async with opened(where) as journal:
        for state in (kept, again, fresh, late, elsewhere):
            await put(journal, Change(probe_states=[state]))
        assert await journal.view(lambda view: view.probe_states("p")) == [elsewhere, fresh]
        assert await journal.view(lambda view: view.probe_states("q")) == []


def incident(id_: str, minutes: int, status: str = "triggered") -> IncidentRow:
    opened_at = NOW + minutes * MINUTE
    return IncidentRow(
        id_, status, Severity.error, "title", {"client": "acme"}, opened_at, opened_at
    )


async def test_incidents_are_listed_newest_first_by_status_and_time(where: str) -> None:
    rows = [incident("a", 0), incident("b", 2, "resolved"), incident("c", 1)]

    def look(view: View) -> list[list[str]]:
        asked = [
            view.incidents(),
            view.incidents(status=["triggered", "closed"]),
            view.incidents(limit=1),
            view.incidents(before=NOW + MINUTE),
        ]
        return [[row.incident for row in found] for found in asked]

    full = replace(rows[1], title="Łódź \0", resolved_at=NOW + MINUTE, holder="ana", version=9)
    async with opened(where) as journal:
        await put(journal, Change(incidents=rows))
        assert await journal.view(look) == [["b", "c", "a"], ["c", "a"], ["b"], ["a"]]
        await put(journal, Change(incidents=[full]))
        found = await journal.view(lambda view: (view.incident("b"), view.incident("none")))
        assert found == (replace(full, title="Łódź \ufffd"), None)


async def test_activations_are_those_in_force_at_an_instant(where: str) -> None:
    changes = [
        Activation(NOW, "probes", "home", "d1"),
        Activation(NOW, "probes", "cart", "d2"),
        Activation(NOW + MINUTE, "probes", "home", "d3"),
        Activation(NOW + 2 * MINUTE, "probes", "home", None),
        Activation(NOW + 3 * MINUTE, "probes", "home", "d1"),
    ]
    document = Document("d1", "probes", "home", {"http": {"url": "https://x"}, "n": [1, 2]})
    async with opened(where) as journal:
        await put(journal, Change(activations=changes, documents=[document, document]))
        found = [
            await journal.view(lambda view, at=NOW + n * MINUTE: view.activations(at))
            for n in (-1, 0, 1, 2, 3)
        ]
        stored = await journal.view(lambda view: (view.document("d1"), view.document("none")))
    cart = changes[1]
    assert found == [[], [cart, changes[0]], [cart, changes[2]], [cart], [cart, changes[4]]]
    assert stored == (document, None)


async def test_evidence_is_kept_while_young_or_while_a_fact_names_it(where: str) -> None:
    bodies = {hashlib.sha256(body).hexdigest(): body for body in (b"young", b"old", b"named")}
    young, old, named = bodies

    def there(view: View) -> list[bytes | None]:
        return [view.evidence(digest) for digest in (young, old, named)]

    async with opened(where) as journal:
        fact = Fact(EvidenceKept(named, "page.png", 5, "ana"), NOW)
        await put(journal, Change({"incident/a": [fact]}, evidence=bodies))
        assert await journal.view(there) == [b"young", b"old", b"named"]
        await put(journal, Change(evidence={young: b"young"}), NOW + 20 * DAY)
        assert await journal.prune(NOW + 31 * DAY, Keep()) == 1
        assert await journal.view(there) == [b"young", None, b"named"]


@pytest.mark.parametrize("kept_for", [timedelta(0), DAY])
async def test_pruning_never_takes_a_fact_a_document_or_work(where: str, kept_for: object) -> None:
    keep = Keep(*[kept_for] * 3)  # type: ignore[list-item]
    change = Change(
        {"incident/a": [Fact(EvidenceKept("d", "n", 1, "ana"), NOW)]},
        work=[work("w")],
        inbox=[InboxRow("1", "alert", {}, NOW)],
        documents=[Document("d1", "probes", "home", {})],
        results=[result(due_at=NOW)],
    )

    def look(view: View) -> tuple[object, ...]:
        return view.read("incident/a"), view.work("w"), view.inbox(1), view.document("d1")

    async with opened(where) as journal:
        await put(journal, change)
        before = await journal.view(look)
        await journal.prune(NOW + 9999 * DAY, keep)
        assert await journal.view(look) == before
        assert await journal.view(lambda view: view.results("acme-home", NOW, NOW + DAY)) == []
