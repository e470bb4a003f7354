"""Drafts and exports: whole, honest, and safe to show."""

import json

import pytest
from markdown_it import MarkdownIt

from sentinel.review.export import export_json, export_markdown
from sentinel.review.postmortem import ASK, draft
from sentinel.timeline.codec import decode
from sentinel.timeline.incident_facts import NoteAdded
from tests.review.test_story import golden
from tests.review.told import NAMES, ZONE, Stream, a_night


def test_the_draft_of_the_night() -> None:
    golden("night-postmortem.md", draft(a_night(), timezone=ZONE, names=NAMES).rstrip("\n"))


def test_a_draft_asks_for_what_only_people_know() -> None:
    text = draft(a_night())
    for section in (
        "Contributing factors",
        "Where we were lucky",
        "Decided not to do",
        "How we got here",
    ):
        after = text.partition(section)[2]
        assert ASK in after[:400], section


def test_a_stream_without_an_incident_has_no_draft() -> None:
    with pytest.raises(ValueError, match="no incident"):
        draft(Stream().add(NoteAdded("bo"), note="n").records)


def test_the_export_holds_every_fact_as_it_was_hashed() -> None:
    records = a_night()
    content = json.loads(export_json(records, timezone=ZONE, names=NAMES))
    assert "sentinel-incident/1" == content["format"]
    again = [decode(f["type"], f["v"], json.dumps(f["data"])) for f in content["facts"]]
    assert [record.what for record in records] == again
    assert [record.hash for record in records] == [fact["hash"] for fact in content["facts"]]
    assert len(records) == len(content["story"]["lines"])
    assert 10860.0 - 26.0 == content["figures"]["spans"]["ttr"]["seconds"]


def test_the_export_holds_no_text_that_was_removed() -> None:
    for text in (export_json(a_night()).decode(), export_markdown(a_night()), draft(a_night())):
        assert "tok_live_1234" not in text


def test_markdown_from_outside_becomes_neither_link_nor_markup() -> None:
    hostile = (
        "<img src=x onerror=alert(1)> [click](javascript:alert(1)) | **bold** http://evil.example"
    )
    stream = Stream()
    stream.records = [*a_night()]
    stream.add(NoteAdded("bo"), note=hostile)
    for text in (export_markdown(stream.records), draft(stream.records)):
        html = MarkdownIt("default", {"html": True, "linkify": False}).render(text)
        assert "<img" not in html
        assert "<a " not in html
        assert "<strong>bold" not in html
        assert "evil.example" in html


def test_the_export_of_nothing_says_so() -> None:
    assert "without entries" in export_markdown([])
    assert [] == json.loads(export_json([]))["facts"]
