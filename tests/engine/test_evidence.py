"""What evidence looks like, and how much of it there may be."""

import base64
import hashlib
import json
import weakref
from datetime import timedelta

import pytest

from sentinel.engine.evidence import EvidenceKeeper, canonical, render
from sentinel.engine.redaction import Redactor
from sentinel.monitor.probe import Evidence, Judged, Later
from sentinel.words import Outcome
from tests.monitor.builders import NOON, a_result, an_observation

SEEN = Evidence("GET /", "HTTP/1.1 500", b"oops", {"certificate": {"days_left": 3}})


class Count:
    dropped = 0

    def __call__(self) -> None:
        self.dropped += 1


def a_keeper(**bounds: int) -> tuple[EvidenceKeeper, Count]:
    count = Count()
    return EvidenceKeeper(Redactor(), on_dropped=count, **bounds), count


def failing(keeper: EvidenceKeeper, minute: int, *, probe: str = "acme-home", body: bytes = b"x"):  # type: ignore[no-untyped-def]
    return keeper.take(
        an_observation(evidence=Evidence(body=body)),
        a_result("f", slot=minute, probe=probe),
        turned=False,
        now=NOON + timedelta(minutes=minute),
    )


def test_content_is_stored_under_the_hash_of_its_bytes_and_the_same_twice_is_the_same():
    kept = [failing(a_keeper()[0], 0) for _ in range(2)]
    assert kept[0] is not None
    assert kept[0] == kept[1]
    assert hashlib.sha256(kept[0].content).hexdigest() == kept[0].digest
    assert json.loads(kept[0].content)["body"] == "x"


def test_a_changed_reason_is_kept_though_the_verdict_did_not_turn():
    keeper, _ = a_keeper()
    reasons = ["timeout", "timeout", "reset", "reset", "timeout"]
    kept = [
        keeper.take(
            an_observation(evidence=SEEN),
            a_result("f", slot=0, reason=reason),
            turned=False,
            now=NOON + timedelta(seconds=second),
        )
        for second, reason in enumerate(reasons)
    ]
    assert [True, False, True, False, True] == [each is not None for each in kept]


def test_unknown_and_good_checks_keep_nothing():
    keeper, _ = a_keeper()
    for letter in "uo":
        taken = keeper.take(an_observation(evidence=SEEN), a_result(letter), turned=True, now=NOON)
        assert taken is None


def test_an_hour_has_an_allowance():
    keeper, count = a_keeper(hour_bytes=1_000)
    kept = [failing(keeper, minute, probe=f"p{minute}") for minute in range(60)]
    spent = sum(len(each.content) for each in kept if each)
    assert 0 < spent <= 1_000
    assert sum(each is None for each in kept) == count.dropped
    assert failing(keeper, 125, probe="later") is not None


def test_what_waits_in_memory_is_bounded():
    keeper, _ = a_keeper(held_bytes=100_000)
    for minute in (0, 1):
        for number in range(50):
            failing(keeper, minute, probe=f"p{number}", body=b"y" * 16_000)
    back = [
        keeper.take(an_observation(), a_result(slot=2, probe=f"p{n}"), turned=True, now=NOON)
        for n in range(50)
    ]
    assert 3 <= sum(each is not None for each in back) <= 6


def test_a_removed_probe_leaves_nothing_behind():
    keeper, _ = a_keeper()
    failing(keeper, 0)
    failing(keeper, 1)
    keeper.forget("acme-home")
    assert keeper.take(an_observation(), a_result(slot=2), turned=True, now=NOON) is None


def test_a_body_is_cut_and_one_that_is_no_text_is_base64():
    def body(content: bytes) -> dict[str, str]:
        shown = render(an_observation(evidence=Evidence(body=content)), a_result("f"), Redactor())
        return {name: value for name, value in shown.items() if name.startswith("body")}

    assert body(b"a" * 99_999) == {"body": "a" * 16 * 1024 + "…"}
    assert list(body(bytes(range(256)))) == ["body_base64"]
    assert body("žluťoučký".encode()) == {"body": "žluťoučký"}
    assert body(b"") == {}


@pytest.mark.parametrize("kept", [4, 9, 15])
def test_what_is_cut_is_cut_with_no_half_of_a_secret_left(kept: int):
    redactor = Redactor(["s3cret-of-the-shop"])
    most = 16 * 1024
    said = "a" * (most - kept) + "s3cret-of-the-shop"
    noise = bytes(range(128, 256)) * 64 + b"s3cret-of-the-shop" + b"\0" * most
    for seen in (Evidence(said, said, said.encode()), Evidence(body=noise)):
        shown = canonical(render(an_observation(evidence=seen), a_result("f"), redactor)).decode()
        assert "s3cr" not in shown
        assert base64.b64encode(b"s3cret-of-the-shop").decode()[4:-4] not in shown


def test_the_difference_names_what_was_there_and_what_is():
    keeper, _ = a_keeper()
    good = Judged("status == 200", Outcome.ok, "", {"status": 200})
    keeper.take(
        an_observation(evidence=Evidence(facts={"certificate": {"days_left": 30, "serial": "a"}})),
        a_result(judged=(good,)),
        turned=False,
        now=NOON,
    )
    sick = Judged("status == 200", Outcome.failed, "unexpected_status", {"status": 500})
    failed = a_result("f", slot=1, judged=(sick,))
    kept = keeper.take(an_observation(evidence=SEEN), failed, turned=True, now=NOON)
    assert kept is not None
    differs = json.loads(kept.content)["differs"]
    assert differs["values.status"] == [200, 500]
    assert differs["facts.certificate.serial"] == ["a", None]
    assert differs["facts.certificate.days_left"] == [30, 3]
    assert "address" not in differs


def test_what_a_good_check_looked_like_is_made_once_in_five_minutes():
    keeper, _ = a_keeper()
    made: list[int] = []

    def looks(minute: int) -> Later:
        return Later(lambda: made.append(minute) or Evidence(facts={"minute": minute}))

    for minute in range(13):
        now = NOON + timedelta(minutes=minute)
        keeper.take(an_observation(evidence=looks(minute)), a_result(), turned=False, now=now)
    assert made == [0, 5, 10]
    kept = keeper.take(an_observation(evidence=SEEN), a_result("f"), turned=True, now=now)
    assert kept is not None
    assert json.loads(kept.content)["differs"]["facts.minute"] == [10, None]


class Page:
    """What a whole answer hangs on."""


def test_a_failure_that_waits_in_memory_is_its_evidence_and_not_the_whole_page():
    keeper, _ = a_keeper()
    failing(keeper, 0)
    page = Page()
    gone = weakref.ref(page)
    seen = Later(lambda page=page: Evidence("GET /", facts={"page": str(type(page))}))
    waits = an_observation(values={"body": page}, evidence=seen)
    keeper.take(waits, a_result("f", slot=1), turned=False, now=NOON + timedelta(minutes=1))
    del page, waits, seen
    assert gone() is None
    kept = keeper.take(an_observation(), a_result(slot=2), turned=True, now=NOON)
    assert kept is not None
    assert b"Page" in kept.content


def test_facts_too_large_to_keep_are_left_out_with_their_size():
    huge = Evidence(facts={"rows": ["x" * 100] * 1000})
    shown = render(an_observation(evidence=huge), a_result("f"), Redactor())
    assert "bytes of facts" in shown["facts"]["left_out"]
