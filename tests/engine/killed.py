"""The whole story in a bare kernel process that can be killed anywhere, and one that goes on.

``python -m tests.engine.killed FOLDER`` plays the story once uncrashed and counts its commits
and its effects; then, for every commit and every effect, a forked kernel kills itself right
after it (SIGKILL), a second one starts on the same file and plays to the end, and what the
stream and the world then hold is checked. Prints one JSON object.
"""

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from sentinel.engine.activation import free_leases
from sentinel.expression import compile_expression
from sentinel.incident import commands as cmd
from sentinel.incident.runs import asked_of
from sentinel.incident.state import IncidentState, PageStatus, Status
from sentinel.kinds import Accepted, Done, Message, Refused
from sentinel.playbook.playbook import Limits, OnFailure, Step
from sentinel.timeline import paging_facts as pag
from sentinel.timeline import run_facts as run
from sentinel.timeline.chain import verify
from sentinel.words import Seconds, Secret
from tests.engine.kernel import START, Kernel, kernel, playbook, policy

ENDS_WITHIN = 120
"""Turns of ten seconds in which the story is over, however often it was interrupted."""


class Mortal:
    """Counts commits and effects; kills the process right after the wanted one."""

    def __init__(self, folder: Path, *, commit: int = 0, effect: int = 0) -> None:
        self._world = folder / "world.jsonl"
        self._commit, self._effect = commit, effect
        self.commits = self.effects = 0

    def committed(self) -> None:
        self.commits += 1
        if self.commits == self._commit:
            os.kill(os.getpid(), signal.SIGKILL)

    def touched(self, **what: str) -> None:
        """The world was touched, and remembers."""
        with self._world.open("a") as world:
            world.write(json.dumps(what) + "\n")
        self.effects += 1
        if self.effects == self._effect:
            os.kill(os.getpid(), signal.SIGKILL)


MORTAL: Mortal | None = None


def touched(**what: str) -> None:
    if MORTAL is not None:
        MORTAL.touched(**what)


@dataclass(frozen=True, slots=True)
class Effect:
    """An action that touches the world and says under which key."""

    KIND: ClassVar[str] = "effect"
    OUTPUTS: ClassVar[Mapping[str, object]] = {}
    WRITES: ClassVar[bool] = True

    name: str

    async def act(self, inputs: Mapping[str, Any], world: Any) -> Done:
        touched(step=self.name, key=world.key)
        return Done()


class Provider:
    """Refuses pushes, takes mail."""

    async def send(
        self, address: Secret, message: Message, *, deadline_s: Seconds
    ) -> Accepted | Refused:
        touched(to=address.template, code=message.code)
        return Refused("rejected") if address.template.startswith("push") else Accepted()


KEY = compile_expression("incident.id", {"incident": "dyn"})
BOOK = playbook(
    "mend",
    limits=Limits(at_once=1),
    steps=(
        Step("keyed", Effect("keyed"), writes=True, key=(KEY,), needs=()),
        Step("once", Effect("once"), writes=True, repeatable=False, on_failure=OnFailure.handled),
        Step("last", Effect("last"), needs=("keyed",)),
    ),
    lastly=(Step("tell", Effect("tell")),),
)


class Counting:
    """A journal that tells after each commit."""

    def __init__(self, inner: Any, mortal: Mortal) -> None:
        self._inner, self._mortal = inner, mortal

    async def transact(self, streams: Any, decide: Callable[..., Any], *, now: Any) -> Any:
        wrote = False

        def noted(view: Any) -> Any:
            nonlocal wrote
            change, answer = decide(view)
            wrote = change != type(change)()
            return change, answer

        found = await self._inner.transact(streams, noted, now=now)
        if wrote:
            self._mortal.committed()
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


async def story(folder: Path, mortal: Mortal, *, start_s: int) -> Kernel:
    """Play from wherever the file stands to the end."""
    one = kernel(
        policy(playbooks={"mend": BOOK}),
        path=folder / "kernel.db",
        start=START + timedelta(seconds=start_s),
        new_id=f"k{start_s:07d}",
    )
    one.folder = folder
    counting = Counting(one.journal, mortal)
    one.journal = one.decisions.journal = counting  # type: ignore[assignment]
    one.performer.posting._notifier = Provider()  # type: ignore[assignment]
    await free_leases(one.decisions, node="node")
    await one.start()
    for _ in range(ENDS_WITHIN):
        if await _act(one):
            break
        await one.advance(seconds=10)
    await one.advance(seconds=30)
    return one


async def _act(one: Kernel) -> bool:
    """What the world outside does now; True when the story is over."""
    found = await one.incidents()
    waiting = await one.journal.view(lambda view: len(view.inbox(10)))
    if not found and not waiting:
        await one.alert()
        return False
    for state in found:
        await _answer(one, state)
        age = one.clock.now() - START
        if state.status is Status.triggered and age > timedelta(seconds=40):
            await one.responder.command(state.incident, cmd.Acknowledge(), by="ana", via="link")
        elif state.status is Status.acknowledged and all(r.ended for r in state.runs.values()):
            await one.alert(ended="recovered")
    return bool(found) and all(state.status is Status.resolved for state in found)


async def _answer(one: Kernel, state: IncidentState) -> None:
    """A person looks at the world and says what became of a step nobody knows about."""
    for each, step in asked_of(state):
        happened = any(what.get("step") == step for what in world_of(one))
        answer = "done" if happened else "not_done"
        by = each.steps[step].asked[0]
        await one.responder.command(
            state.incident, cmd.Answer(each.id, step, answer), by=by, via="link"
        )


def world_of(one: Kernel) -> list[dict[str, str]]:
    return _world(one.folder)


def _world(folder: Path) -> list[dict[str, str]]:
    path = folder / "world.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


async def faults(one: Kernel, folder: Path) -> list[str]:
    """What the law forbids and yet holds at the end."""
    found: list[str] = []
    states = await one.incidents()
    if len(states) != 1:
        return [f"{len(states)} incidents"]
    state = states[0]
    facts = await one.facts(state.incident)
    found += _doubled(facts)
    if state.status is not Status.resolved:
        found.append(f"the incident is {state.status}")
    live = [p.page for p in state.paging.pages.values()
            if p.purpose == "page" and p.status in (PageStatus.queued, PageStatus.started)]  # fmt: skip
    found += [f"page {page} never concluded" for page in live]
    world = _world(folder)
    if not any("to" in what for what in world):
        found.append("nobody was paged")
    steps = Counter(what["step"] for what in world if "step" in what)
    if steps["once"] != 1:
        found.append(f"`once` was done {steps['once']} times")
    keys = {what["key"] for what in world if what.get("step") == "keyed"}
    if len(keys) != 1:
        found.append(f"`keyed` had {len(keys)} keys")
    found += [f"`{name}` was never done" for name in ("keyed", "last", "tell") if not steps[name]]
    if not all(each.ended for each in state.runs.values()):
        found.append("a run never ended")
    sealed = await one.journal.view(lambda view: view.sealed(state.stream()))
    return found + [str(broken) for broken in verify(sealed)]


def _doubled(facts: list[Any]) -> list[str]:
    once: Counter[tuple[str, ...]] = Counter()
    for fact in facts:
        match fact:
            case pag.PageQueued() | pag.PageAccepted() | pag.PageFailed():
                once[(type(fact).__name__, fact.page)] += 1
            case run.RunQueued() | run.RunStarted() | run.RunConcluded():
                once[(type(fact).__name__, fact.run)] += 1
            case run.StepFinished() if fact.conclusion:
                once[("StepFinished", fact.step)] += 1
            case _:
                continue
    return [f"{' '.join(name)} stands {count} times" for name, count in once.items() if count > 1]


def in_child(play: Callable[[], Any]) -> int:
    """Run in a forked process; its wait status."""
    pid = os.fork()
    if pid == 0:
        play()
        os._exit(0)
    return os.waitpid(pid, 0)[1]


def once(folder: Path, *, commit: int = 0, effect: int = 0) -> dict[str, Any]:
    """One interruption and one recovery; what was found."""
    folder.mkdir(parents=True)
    report = folder / "report.json"

    def play(start_s: int, mortal: Mortal) -> None:
        global MORTAL
        MORTAL = mortal

        async def whole() -> None:
            one = await story(folder, mortal, start_s=start_s)
            counts = {"commits": mortal.commits, "effects": mortal.effects}
            report.write_text(json.dumps({**counts, "faults": await faults(one, folder)}))
            await one.stop()

        asyncio.run(whole())

    killed = in_child(lambda: play(0, Mortal(folder, commit=commit, effect=effect)))
    if os.WIFSIGNALED(killed):
        in_child(lambda: play(3, Mortal(folder)))
    return json.loads(report.read_text()) if report.exists() else {"faults": ["it did not end"]}


def main(folder: Path) -> None:
    whole = once(folder / "whole")
    found = {"whole": whole, "faults": list(whole["faults"])}
    for kind in ("commit", "effect"):
        for number in range(1, whole.get(f"{kind}s", 0) + 1):
            came = once(folder / f"{kind}{number}", **{kind: number})
            found["faults"] += [
                f"killed after {kind} {number}: {fault}" for fault in came["faults"]
            ]
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
