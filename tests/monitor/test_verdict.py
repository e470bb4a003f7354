"""The verdict against the obvious loop, and the sentences that people rely on."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sentinel.monitor.probe import Attempt
from sentinel.monitor.verdict import (
    Verdict,
    VerdictState,
    change_share,
    fold,
    known_at,
    next_due_at,
    regular_slot,
)
from sentinel.words import Outcome, Seconds
from tests.monitor.builders import LETTERS, NOON, a_probe, a_result, after

histories = st.text(alphabet="owfu", max_size=60)
confirms = st.tuples(st.integers(1, 5), st.integers(0, 4), st.integers(1, 4)).map(
    lambda t: (t[0], t[0] + t[1], t[2])
)


def share(letters: str) -> float:
    """Flapping, said the slow way: 19 places, newest first, weights falling from 1.2 to 0.8."""
    known = [c for c in letters[-20:] if c != "u"]
    weights = [1.2 - 0.4 * place / 18 for place in range(19)]
    newest_first = known[::-1]
    changes = 0.0
    for place in range(min(19, len(known) - 1)):
        if (newest_first[place] == "o") != (newest_first[place + 1] == "o"):
            changes += weights[place]
    return changes / sum(weights)


def oracle(letters: str, down: int, down_of: int, up: int) -> tuple[str, bool, bool]:
    """State, degraded, flapping: from the whole history, looking back with plain loops."""
    state, degraded, flapping, since_recovery = "unknown", False, False, ""
    for i, letter in enumerate(letters):
        flapping = share(letters[: i + 1]) >= 0.25 if flapping else share(letters[: i + 1]) > 0.30
        known = letters[: i + 1].replace("u", "")
        if letter == "u":
            state = "unknown" if state == "ok" else state
            continue
        since_recovery += letter
        last = since_recovery[-down_of:]
        bad = len(last) - last.count("o")
        goods = len(known) - len(known.rstrip("o"))
        mild = len(known) - len(known.rstrip("ow"))
        if state in ("firing", "recovering"):
            if letter == "o":
                state = "recovering"
                if goods >= up and not flapping:
                    state, degraded, since_recovery = "ok", False, ""
            else:
                state = "firing"
                if not degraded and letter == "w" and mild >= up:
                    degraded = True
                if last.count("f") >= down:
                    degraded = False
        elif letter != "o" and bad >= down:
            state, degraded = "firing", last.count("f") < down
        else:
            counting = since_recovery[len(since_recovery) - (down_of - 1) :] if down_of > 1 else ""
            if len(since_recovery) < down_of:
                counting = since_recovery
            if down_of == 1:
                counting = ""
            worrying = letter != "o" or counting.strip("o")
            state = "pending" if worrying else "ok"
    return state, degraded, flapping


@given(histories, confirms)
def test_the_verdict_is_what_the_obvious_loop_says(letters: str, confirm: tuple[int, int, int]):
    down, down_of, up = confirm
    state = after(letters, a_probe(down, down_of, up))
    assert oracle(letters, down, down_of, up) == (state.state, state.degraded, state.flapping)


@given(histories, st.integers(0, 60))
def test_a_restart_between_any_two_results_changes_nothing(letters: str, cut: int):
    probe = a_probe(3, 5, 2)
    stored = json.loads(json.dumps(after(letters[:cut], probe).to_json()))
    state = VerdictState.from_json({**stored, "a key of a later version": 1})
    for slot, letter in enumerate(letters[cut:], start=min(cut, len(letters))):
        state, _ = fold(state, a_result(LETTERS[letter], slot=slot), probe)
    assert after(letters, probe) == state


@given(histories, st.lists(st.integers(0, 60), max_size=60))
def test_a_second_result_of_a_slot_counts_for_nothing(letters: str, again: list[int]):
    probe = a_probe()
    state = VerdictState()
    for slot, letter in enumerate(letters):
        state, _ = fold(state, a_result(LETTERS[letter], slot=slot), probe)
        for old in (each for each in again if each <= slot):
            same, turn = fold(state, a_result("f", slot=old), probe)
            assert (state, None) == (same, turn)
    assert after(letters, probe) == state


@given(histories)
def test_flapping_is_the_weighted_share_of_changes(letters: str):
    assert share(letters) == pytest.approx(change_share(tuple(LETTERS[c] for c in letters[-20:])))


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        ("", Verdict.unknown),
        ("o", Verdict.ok),
        ("of", Verdict.pending),
        ("ofo", Verdict.ok),
        ("off", Verdict.firing),
        ("offo", Verdict.recovering),
        ("offof", Verdict.firing),
        ("offoo", Verdict.ok),
        ("offoof", Verdict.pending),
        ("ou", Verdict.unknown),
        ("offuuu", Verdict.firing),
        ("offouo", Verdict.ok),
        ("ofuf", Verdict.firing),
    ],
)
def test_two_bad_ones_confirm_and_two_good_ones_clear(letters: str, expected: Verdict):
    assert expected == after(letters).state


def test_three_of_five_need_not_be_in_a_row():
    probe = a_probe(3, 5, 2)
    assert Verdict.pending == after("ofoof", probe).state
    assert Verdict.firing == after("ofoff", probe).state
    assert Verdict.ok == after("ofoooo", probe).state


def test_an_unknown_result_neither_confirms_nor_clears():
    firing = after("off")
    state, turn = fold(firing, a_result("u", slot=3, reason="internal"), a_probe())
    assert (Verdict.firing, "refused", None) == (state.state, state.reason, turn)


def test_warnings_alone_fire_degraded_and_failures_make_it_full():
    assert after("oww").degraded
    assert after("ofw").degraded
    assert not after("off").degraded
    assert not after("owwff").degraded
    assert after("offw").degraded is False
    assert after("offww").degraded


def test_a_firing_keeps_its_occurrence_while_it_wavers():
    assert after("off").started_at == after("offoffof").started_at == NOON + timedelta(minutes=2)
    assert after("off").failing_since_at == NOON + timedelta(minutes=1)


def test_a_flapping_probe_fires_once_and_stays_so_until_it_has_settled():
    starts = {after("ffoo" * 10 + "ffoo"[:n]).started_at for n in range(2, 5)}
    earlier = {after("ffoo" * cycles + "ff").started_at for cycles in range(4, 12)}
    assert starts == earlier != {None}
    assert Verdict.recovering == after("ffoo" * 10).state
    settled = after("ffoo" * 10 + "o" * 12)
    assert (Verdict.ok, False) == (settled.state, settled.flapping)


def test_what_turned_is_told_with_before_and_after():
    pending = after("of")
    state, turn = fold(pending, a_result("f", slot=2, reason="reset", text="gone"), a_probe())
    assert turn is not None
    assert (pending, state) == (turn.before, turn.after)
    assert state.reason + state.text == "resetgone"


def test_another_reason_while_firing_is_a_turn_and_the_same_one_is_none():
    firing = after("off")
    assert fold(firing, a_result("f", slot=3), a_probe())[1] is None
    assert fold(firing, a_result("f", slot=3, reason="timeout"), a_probe())[1] is not None


def test_recovery_forgets_why_and_remembers_when():
    state = after("offoo")
    assert state.reason == ""
    assert state.started_at is state.failing_since_at is None
    assert NOON + timedelta(minutes=4) == state.recovered_at == state.last_ok_at


def test_a_result_is_known_when_its_last_attempt_ended():
    slow = a_result("f", duration_s=1.5)
    tries = (Attempt(NOON, 2.0, "reset"), Attempt(NOON + timedelta(seconds=3), 1.5, "reset"))
    assert NOON + timedelta(seconds=1.5) == known_at(slow)
    assert NOON + timedelta(seconds=4.5) == known_at(replace(slow, attempts=tries))


# ------------------------------------------------------------------------------- schedule


@given(
    st.floats(0.5, 86400),
    st.text("abc0-", min_size=1, max_size=12),
    st.floats(0, 1e6),
    st.floats(0, 3e5),
)
def test_slots_never_drift_and_late_ones_are_not_made_up(
    every: float, name: str, start: float, late: float
):
    probe = a_probe(id=name, every_s=Seconds(every))
    first = regular_slot(probe, after=NOON + timedelta(seconds=start))
    step = timedelta(microseconds=round(every * 1_000_000))
    assert NOON + timedelta(seconds=start) < first <= NOON + timedelta(seconds=start) + step
    assert first + step == regular_slot(probe, after=first)
    resumed = regular_slot(probe, after=first + timedelta(seconds=late))
    assert timedelta(0) == (resumed - first) % step
    assert first + timedelta(seconds=late) < resumed <= first + timedelta(seconds=late) + step


def test_starts_of_many_probes_are_spread_over_the_interval():
    slots = [
        regular_slot(a_probe(id=f"shop-{i}", every_s=Seconds(10.0)), after=NOON)
        for i in range(1000)
    ]
    tenths = [int((slot - NOON) / timedelta(seconds=1)) for slot in slots]
    assert all(60 < tenths.count(second) < 140 for second in range(10))


def test_a_pending_or_recovering_probe_is_looked_at_again_sooner():
    probe = a_probe(every_s=Seconds(600.0), recheck_s=Seconds(5.0))
    soon = NOON + timedelta(seconds=5)
    assert soon == next_due_at(probe, after("of"), after=NOON)
    assert soon == next_due_at(probe, after("offo"), after=NOON)
    assert regular_slot(probe, after=NOON) == next_due_at(probe, after("off"), after=NOON)
    granted = NOON + timedelta(seconds=9)
    assert granted == next_due_at(probe, after("of"), after=NOON, recheck_from=granted)


def test_a_recheck_is_never_later_than_the_regular_slot():
    probe = a_probe(every_s=Seconds(4.0), recheck_s=Seconds(10.0))
    assert regular_slot(probe, after=NOON) == next_due_at(
        probe, after("of"), after=NOON, recheck_from=NOON + timedelta(minutes=5)
    )


@pytest.mark.parametrize("broken", [{"state": "asleep"}, {"recent": "ox"}])
def test_a_stored_state_that_is_none_is_refused(broken: dict[str, str]):
    with pytest.raises((ValueError, KeyError)):
        VerdictState.from_json(broken)


def test_recent_outcomes_are_the_last_twenty():
    assert (Outcome.ok,) * 20 == after("f" + "o" * 20).recent
