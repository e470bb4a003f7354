"""A line on the timeline."""

from pathlib import Path

from sentinel.actions.note import Note
from sentinel.kinds import Done, Failed
from tests.actions.conftest import run_with


def test_the_rendered_text_is_submitted(tmp_path: Path) -> None:
    note = Note("Switched: {{ run.conclusion }}")
    outcome, kept = run_with(tmp_path, lambda w, _: note.act({"text": "Switched: done"}, w))
    assert isinstance(outcome, Done)
    assert kept.commands == [{"command": "note", "text": "Switched: done"}]


def test_a_long_text_is_cut_and_says_so(tmp_path: Path) -> None:
    _, kept = run_with(tmp_path, lambda w, _: Note("x").act({"text": "x" * 20_000}, w))
    assert kept.commands[0]["text"].endswith("… (cut from 20000 characters)")


def test_an_empty_text_is_not_noted(tmp_path: Path) -> None:
    outcome, kept = run_with(tmp_path, lambda w, _: Note("x").act({"text": " \n"}, w))
    assert isinstance(outcome, Failed)
    assert kept.commands == []
