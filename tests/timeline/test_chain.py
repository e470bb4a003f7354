"""Whoever changes a stored fact is found out; whoever redacts one by the rule is not accused."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sentinel.timeline import chain
from sentinel.timeline.chain import Sealed
from sentinel.timeline.facts import Fact
from sentinel.timeline.incident_facts import Acknowledged, NoteAdded

NOW = datetime(2026, 11, 22, 2, 30, tzinfo=UTC)


def stream_of(count: int) -> list[Sealed]:
    sealed: list[Sealed] = []
    for version in range(1, count + 1):
        fact = Fact(NoteAdded("ana"), NOW, {"note": f"sähke {version}"})
        sealed.append(
            chain.seal(
                fact,
                stream="incident/7k3m9q2v",
                version=version,
                prev=sealed[-1].hash if sealed else chain.FIRST_PREV,
                recorded_at=NOW + timedelta(seconds=version),
                salt=bytes([version]) * 16,
            )
        )
    return sealed


def test_an_untouched_stream_has_nothing_broken() -> None:
    assert chain.verify(stream_of(5)) == []


def test_anybody_can_recompute_a_hash_with_a_json_library() -> None:
    (first,) = stream_of(1)
    assert first.text is not None
    assert first.salt is not None
    text_hash = hashlib.sha256(first.salt + first.text.encode()).hexdigest()
    array = [
        "0" * 64,
        "incident/7k3m9q2v",
        1,
        "NoteAdded",
        1,
        1795314600000000,
        1795314601000000,
        {"by": "ana"},
        text_hash,
    ]
    line = json.dumps(array, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(line.encode()).hexdigest() == first.hash


@pytest.mark.parametrize(
    "change",
    [
        {"stream": "incident/other"},
        {"type": "Closed"},
        {"v": 2},
        {"occurred_at": 1},
        {"recorded_at": 1},
        {"data": '{"by":"mallory"}'},
        {"data": '{"by": "ana"}'},
        {"text_hash": "f" * 64},
        {"hash": "f" * 64},
        {"text": '{"note":"nothing happened"}'},
        {"salt": b"x" * 16},
        {"text": None},
        {"salt": None},
    ],
    ids=lambda change: "-".join(change),
)
def test_a_changed_fact_is_found(change: dict[str, Any]) -> None:
    facts = stream_of(4)
    facts[1] = replace(facts[1], **change)
    assert 2 in {broken.version for broken in chain.verify(facts)}


def test_a_removed_fact_is_found_where_it_is_missing() -> None:
    facts = stream_of(4)
    del facts[1]
    broken = chain.verify(facts)
    assert {3} == {one.version for one in broken}
    assert "version 2 was expected here" in str(broken[0])


def test_two_facts_that_changed_places_are_found() -> None:
    facts = stream_of(3)
    facts[0], facts[1] = facts[1], facts[0]
    assert chain.verify(facts)


def test_a_redacted_fact_still_verifies_and_reads_as_redacted() -> None:
    facts = stream_of(3)
    facts[1] = chain.redacted(facts[1])
    assert chain.verify(facts) == []
    assert chain.read(facts[1]).text is None
    assert chain.read(facts[2]).text == {"note": "sähke 3"}


def test_a_fact_reads_back_as_it_was_given() -> None:
    fact = Fact(Acknowledged("ana", "link", NOW + timedelta(hours=1)), NOW)
    sealed = chain.seal(
        fact,
        stream="incident/a",
        version=1,
        prev=chain.FIRST_PREV,
        recorded_at=NOW,
        salt=b"0" * 16,
    )
    read = chain.read(sealed)
    assert (fact.what, NOW, {}, sealed.hash) == (read.what, read.occurred_at, read.text, read.hash)


def test_a_short_salt_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes, not 4"):
        chain.seal(
            Fact(NoteAdded("ana"), NOW),
            stream="s",
            version=1,
            prev=chain.FIRST_PREV,
            recorded_at=NOW,
            salt=b"abcd",
        )
