"""Random playbooks in a random world: what must hold whatever happens, and after every crash."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.playbook.attempt import may_repeat
from sentinel.playbook.decision import Claimed, Found, StepResult
from sentinel.playbook.needs import step_named
from sentinel.playbook.playbook import (
    OnFailure,
    Playbook,
    Step,
    StepRetry,
    WaitApproval,
    WaitChecklist,
    WaitHealthy,
    WaitSpan,
)
from sentinel.playbook.run import advance
from sentinel.playbook.table import StepStatus
from sentinel.timeline.run_facts import (
    RunConcluded,
    RunTurned,
    StepAnswered,
    StepFinished,
    StepReady,
    StepStarted,
    StepWaiting,
)
from sentinel.words import Seconds
from tests.playbook.builders import Call, Play, playbook, ref, replayed, step

NAMES = ["a", "b", "c", "d"]
ENDS = {"succeeded", "failed", "cancelled", "timed_out", "stuck"}


@st.composite
def steps(draw: st.DrawFn, name: str, earlier: list[str]) -> Step:
    does = draw(
        st.sampled_from(
            [
                Call("x"),
                Call("x"),
                Call(ref("incident.title")),
                WaitSpan(Seconds(60)),
                WaitHealthy("home", 2),
                WaitApproval("team/payments"),
                WaitChecklist(("one", "two")),
            ]
        )
    )
    writes = isinstance(does, Call) and draw(st.booleans())
    keyed = draw(st.booleans())
    needs = (
        draw(st.none() | st.lists(st.sampled_from(earlier), unique=True, max_size=2))
        if earlier
        else None
    )
    return step(
        name,
        does,
        when=draw(st.sampled_from([None, None, "true", "severity < error", "incident.gone"])),
        needs=None if needs is None else tuple(needs),
        writes=writes,
        key=("incident.id",) if keyed and writes else (),
        repeatable=draw(st.booleans()),
        retry=StepRetry(times=draw(st.integers(0, 2)), base_s=Seconds(5)),
        timeout_s=Seconds(draw(st.sampled_from([30, 300]))),
        on_failure=draw(st.sampled_from(OnFailure)),
        continue_on_error=draw(st.booleans()),
        rollback=draw(st.sampled_from([None, step("undo", Call("undo"), writes=True)])),
    )


@st.composite
def playbooks(draw: st.DrawFn) -> Playbook:
    count = draw(st.integers(1, 4))
    normal = [draw(steps(NAMES[i], NAMES[:i])) for i in range(count)]
    lastly = [draw(steps(name, [])) for name in ["y", "z"][: draw(st.integers(0, 2))]]
    return playbook(
        *normal, lastly=tuple(lastly), timeout_s=Seconds(600), lastly_timeout_s=Seconds(120)
    )


RESULTS = [
    StepResult("done"),
    StepResult("failed", "http_404"),
    StepResult("failed", "http_503", retryable=True),
    StepResult("unsure", "timeout"),
]
FOUND = [None, None, Found("done"), Found("not_done"), Found("unknown")]
WORDS = ["approved", "refused", "ticked", "done", "not_done", "skip"]
moves = st.lists(
    st.one_of(
        st.tuples(st.just("do"), st.sampled_from(RESULTS), st.sampled_from(FOUND)),
        st.tuples(st.just("do"), st.just(RESULTS[0]), st.none()),
        st.tuples(st.just("claim"), st.none(), st.none()),
        st.tuples(st.just("lose"), st.none(), st.sampled_from(FOUND)),
        st.tuples(st.just("say"), st.sampled_from(WORDS), st.integers(0, 1)),
        st.tuples(st.just("later"), st.sampled_from([1, 31, 70, 700]), st.none()),
        st.tuples(st.just("title"), st.sampled_from(["t", "u"]), st.none()),
        st.tuples(st.just("health"), st.sampled_from([0, 2]), st.none()),
        st.tuples(st.just("cancel"), st.sampled_from(["command", "resolved"]), st.booleans()),
    ),
    max_size=25,
)


def of(play: Play, status: StepStatus) -> list[str]:
    return [name for name, state in play.run.steps.items() if state.status is status]


def move(play: Play, what: str, first: object, second: object) -> None:
    """One thing happens in the world, if it can."""
    running = [name for name in of(play, StepStatus.running) if not play.run.step(name).ended]
    match what:
        case "do" | "claim":
            if what == "do" and running:
                play.report(running[0], first, second)  # type: ignore[arg-type]
                return
            for name in play.ready():
                if isinstance(play.claim(name), Claimed) and what == "do":
                    play.report(name, first, second)  # type: ignore[arg-type]
                break
        case "lose" if running:
            play.lose(running[0], second)  # type: ignore[arg-type]
        case "say":
            for name in of(play, StepStatus.waiting_human)[:1]:
                play.say(name, str(first), item=second)
        case "later":
            play.later(seconds=float(first))  # type: ignore[arg-type]
        case "title":
            play.incident["title"] = first
        case "health":
            play.health = lambda probe, since: int(first)  # type: ignore[call-overload]
        case "cancel" if second or first == "resolved":
            play.cancel(str(first), force=bool(second) and first == "command")


def to_the_end(play: Play) -> None:
    """Nothing comes from outside any more but lost leases and the clock: the run must end."""
    for _ in range(400):
        if play.run.ended:
            return
        for name in of(play, StepStatus.running):
            if not play.run.step(name).ended:
                play.lose(name)
        if not play.run.ended and play.wake_at is not None:
            play.now = max(play.now, play.wake_at)
            play.take(advance(play.run, play.playbook, play.context))
    raise AssertionError(f"it did not end: {play.statuses()}")


def played(plan: Playbook, script: list[tuple[str, object, object]]) -> Play:
    play = Play(plan)
    for each in script:
        move(play, *each)
        again = advance(play.run, play.playbook, play.context)
        settled = advance(again.run, play.playbook, play.context)
        assert () == settled.facts
    to_the_end(play)
    return play


@settings(max_examples=150, deadline=None)
@given(playbooks(), moves)
def test_whatever_happens_a_run_keeps_its_promises(
    plan: Playbook, script: list[tuple[str, object, object]]
) -> None:
    play = played(plan, script)
    whats = [fact.what for fact in play.facts]
    assert str(play.run.phase) in ENDS
    assert 1 == sum(isinstance(what, RunConcluded) for what in whats)
    finally_ran_once(play, whats)
    nothing_began_after_the_end_of_normal_steps(plan, whats)
    no_step_ran_after_it_succeeded(whats)
    no_unrepeatable_write_ran_twice_unless_known_undone(plan, whats)
    undone_backwards(whats)
    what_ran_was_what_was_approved(plan, whats)
    assert play.run == replayed(play.facts)


def finally_ran_once(play: Play, whats: list[object]) -> None:
    turned = [w for w in whats if isinstance(w, RunTurned) and w.to == "finalizing"]
    if play.run.reason == "forced":
        assert len(turned) <= 1
        return
    assert 1 == len(turned)
    for step_ in play.playbook.lastly:
        assert play.run.step(step_.id).ended
        keys = {w.key for w in whats if isinstance(w, StepReady) and w.step == step_.id}
        assert len(keys) <= 1


def nothing_began_after_the_end_of_normal_steps(plan: Playbook, whats: list[object]) -> None:
    normal = {step_.id for step_ in plan.steps}
    turned = False
    for what in whats:
        turned = turned or isinstance(what, RunTurned)
        if turned and isinstance(what, StepReady | StepStarted | StepWaiting):
            assert what.step not in normal


def no_step_ran_after_it_succeeded(whats: list[object]) -> None:
    over: set[str] = set()
    for what in whats:
        if isinstance(what, StepStarted):
            assert what.step not in over
        if isinstance(what, StepFinished) and what.conclusion:
            over.add(what.step)


def no_unrepeatable_write_ran_twice_unless_known_undone(
    plan: Playbook, whats: list[object]
) -> None:
    touched: set[str] = set()
    for what in whats:
        if isinstance(what, StepAnswered) and what.answer == "not_done":
            touched.discard(what.step)
        if isinstance(what, StepFinished) and what.reason == "found_not_done":
            touched.discard(what.step)
        if isinstance(what, StepStarted) and what.node:
            declared = step_named(plan, what.step)
            assert declared is not None
            if not may_repeat(declared):
                assert what.step not in touched
            touched.add(what.step)


def undone_backwards(whats: list[object]) -> None:
    done = [w.step for w in whats if isinstance(w, StepFinished) and w.state == "succeeded"]
    undone = [w.step for w in whats if isinstance(w, StepFinished) and w.state == "rolled_back"]
    assert sorted(undone, key=done.index, reverse=True) == undone


def what_ran_was_what_was_approved(plan: Playbook, whats: list[object]) -> None:
    binds: dict[str, dict[str, str]] = {}
    for what in whats:
        if isinstance(what, StepWaiting) and what.kind == "approval":
            binds[what.step] = dict(what.binds)
        if isinstance(what, StepStarted) and what.node:
            for bound in binds.values():
                assert bound.get(what.step, "") in ("", what.inputs_digest)


@settings(max_examples=60, deadline=None)
@given(playbooks(), moves, st.integers(0, 25))
def test_after_a_crash_at_any_commit_the_run_comes_to_the_same_end(
    plan: Playbook, script: list[tuple[str, object, object]], crash: int
) -> None:
    crash = min(crash, len(script))
    play = Play(plan)
    for each in script[:crash]:
        move(play, *each)
    back = after_a_crash(play)
    for one in (play.later(), back):
        for each in script[crash:]:
            move(one, *each)
        to_the_end(one)
    assert play.facts == back.facts


def after_a_crash(play: Play) -> Play:
    """Another process: it has the log, and finds the same world."""
    back = Play(play.playbook)
    back.facts, back.run = list(play.facts), replayed(play.facts)
    back.now, back.epoch, back.health = play.now, play.epoch, play.health
    back.incident = dict(play.incident)
    return back.later()


def test_a_scripted_run_cut_at_every_commit_ends_the_same() -> None:
    plan = playbook(
        step("measure", outputs={"ratio": "json.ratio"}),
        step("ok", WaitApproval("team/payments"), timeout_s=Seconds(600)),
        step("switch", needs=("ok",), writes=True, key=("incident.id",), rollback=step("undo")),
        step("verify", WaitHealthy("home", 3), needs=("switch",), on_failure=OnFailure.rollback),
        lastly=(step("tell"),),
    )
    script = [
        lambda play: play.claimed("measure"),
        lambda play: play.report("measure", StepResult("done", values={"json": {"ratio": 0.5}})),
        lambda play: play.say("ok", "approved"),
        lambda play: play.claimed("switch"),
        lambda play: play.report("switch", StepResult("done")),
        lambda play: play.later(seconds=60),
        lambda play: play.claimed("switch.undo"),
        lambda play: play.report("switch.undo", StepResult("done")),
        lambda play: play.claimed("tell"),
        lambda play: play.report("tell", StepResult("done")),
    ]
    whole = Play(plan)
    for each in script:
        each(whole)
    assert ("failed", "not_healthy") == (whole.run.status, whole.run.reason)
    for cut in range(len(script)):
        play = Play(plan)
        for each in script[:cut]:
            each(play)
        back = after_a_crash(play)
        for each in script[cut:]:
            each(back)
        assert whole.facts == back.facts
