"""The bytes of facts. A golden file is one released fact: never change one, add another."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sentinel.timeline import codec
from sentinel.timeline.incident_facts import NoteAdded
from sentinel.timeline.run_facts import StepFinished
from sentinel.words import Outcome
from tests.timeline.facts import AT, GOLDEN, KINDS, filled, golden_files, stored


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.__name__))
def test_the_newest_golden_file_reads_and_writes_the_same_bytes(kind: type) -> None:
    files = golden_files(kind.__name__)
    assert files, "new fact? python -m tests.timeline.facts"
    type_, v, data = stored(files[-1])
    read = codec.decode(type_, v, data)
    assert read == filled(kind), "another field? python -m tests.timeline.facts"
    assert codec.encode(read) == (type_, v, data)


@pytest.mark.parametrize("path", sorted(GOLDEN.iterdir()), ids=lambda path: str(path.name))
def test_every_golden_file_can_be_read_for_ever(path: Path) -> None:
    type_, v, data = stored(path)
    assert type(codec.decode(type_, v, data)).__name__ == type_ == path.name.split(".")[0]


def test_the_codec_knows_every_fact() -> None:
    assert {kind.__name__ for kind in KINDS} == set(codec.TYPES)


def test_an_old_version_is_lifted_step_by_step() -> None:
    def written_to_by(data: codec.Data) -> codec.Data:
        return {"who": data["author"]}

    def who_to_by(data: codec.Data) -> codec.Data:
        return {"by": data["who"]}

    lifted = codec.Codec(
        [NoteAdded], {("NoteAdded", 1): written_to_by, ("NoteAdded", 2): who_to_by}
    )
    assert NoteAdded("ana") == lifted.decode("NoteAdded", 1, '{"author":"ana"}')
    assert NoteAdded("ana") == lifted.decode("NoteAdded", 2, '{"who":"ana"}')
    assert lifted.encode(NoteAdded("ana")) == ("NoteAdded", 3, '{"by":"ana"}')


@pytest.mark.parametrize(
    ("type_", "version", "data"),
    [
        ("Teleported", 1, "{}"),
        ("NoteAdded", 2, '{"by":"ana"}'),
        ("NoteAdded", 0, '{"by":"ana"}'),
        ("NoteAdded", 1, '{"by":7}'),
        ("NoteAdded", 1, "{}"),
        ("NoteAdded", 1, "{"),
        ("Snoozed", 1, '{"by":"ana","until_at":999999999999999999999}'),
    ],
)
def test_what_cannot_be_read_says_which_fact(type_: str, version: int, data: str) -> None:
    with pytest.raises(codec.FactUnreadable, match=f"{type_} v{version}"):
        codec.decode(type_, version, data)


def test_a_missing_field_takes_its_default_and_an_unknown_one_is_passed_over() -> None:
    read = codec.decode("GuardReleased", 1, '{"run":"r1","not_yet_known":1}')
    assert (read.run, read.remedied) == ("r1", None)  # type: ignore[union-attr]


def test_numbers_from_outside_are_never_read_as_instants() -> None:
    outputs = {"expires_at": 1_700_000_000, "nested": {"ends_at": 5}}
    fact = StepFinished("r", "s", 1, "succeeded", Outcome.ok, "succeeded", outputs=outputs)
    assert fact == codec.decode(*codec.encode(fact))


def test_what_json_cannot_hold_becomes_what_it_can() -> None:
    outputs = {"nan": float("nan"), "lone": "a\ud800b", "when": AT, "big": 2**80}
    fact = StepFinished("r", "s", 1, "succeeded", Outcome.ok, "succeeded", outputs=outputs)
    read = codec.decode(*codec.encode(fact))
    assert isinstance(read, StepFinished)
    assert {"nan": None, "lone": "a\ufffdb", "when": AT.isoformat(), "big": 2**80} == read.outputs


def test_canonical_json_is_that_of_any_json_library_with_sorted_keys_and_no_spaces() -> None:
    value = {"b": [1.5, 1e16, True, None], "a": "ä\u2028\n", "c": {}}
    expected = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert expected == codec.canonical(value)


@pytest.mark.parametrize("count", [0, -1, 1, 1_774_747_800_123_456, -62_135_596_800_000_000])
def test_instants_are_exact_to_the_microsecond(count: int) -> None:
    assert count == codec.micros(codec.instant(count))


def test_an_instant_in_another_zone_is_the_same_instant() -> None:
    from_helsinki = datetime.fromisoformat("2026-03-29T04:30:00.123456+03:00")
    assert codec.micros(AT) == codec.micros(from_helsinki)
    assert timedelta(0) == codec.instant(codec.micros(from_helsinki)).utcoffset()


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(TypeError):
        codec.micros(datetime(2026, 1, 1))
    assert codec.micros(datetime(1970, 1, 1, tzinfo=UTC)) == 0
