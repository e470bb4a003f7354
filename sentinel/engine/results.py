"""What checks came to: judged, folded into verdicts, shown, and handed to the next commit.

A check that ends is read at once while there are few. From `CROWD` a second on, those that end
within `TOGETHER` are read one after another: a check's measurements are taken by then, its next slot
is long known, and code that runs ten times in a row finds its instructions and data where it left
them. What a probe that is pending or recovering came to is read at once: a page may wait for it.
Starts share a wake-up too, so many that `SHARED` of them come together and none waits longer than
`LONGEST`: after each rest a processor has to find everything anew, which at a thousand checks a
second costs a third of them. Where they come faster, they are as many as come in `SHORTEST`.
"""

import logging
from datetime import datetime, timedelta

from msgspec.structs import replace

from sentinel.engine.batch import verdict_row
from sentinel.engine.blindness import Blindness
from sentinel.engine.checking import Checker, Seen
from sentinel.engine.committer import Committer
from sentinel.engine.evidence import EvidenceKeeper
from sentinel.engine.redaction import Redactor, clean_result
from sentinel.engine.runner import Runner
from sentinel.engine.stall import excused
from sentinel.metrics.registry import Metrics
from sentinel.monitor.probe import CheckResult, Observation
from sentinel.monitor.verdict import fold

log = logging.getLogger(__name__)

CROWD = 20
TOGETHER = timedelta(milliseconds=20)
SOON = TOGETHER / 2
"""A wake-up that comes so soon after the reading is due serves for it, too."""
SHARED = 7
"""More would save little, and each check's own times count what is done for the others."""
LONGEST = timedelta(milliseconds=100)
SHORTEST = timedelta(milliseconds=12)
_SECOND = timedelta(seconds=1)


class Crowd:
    """Whether checks end so often that they are better read together: from `CROWD` in a second,
    told anew each second. `apart` is how long one start may wait for others."""

    def __init__(self) -> None:
        self._until: datetime | None = None
        self._count = 0
        self.here = False
        self.apart = timedelta(0)

    def count(self, now: datetime) -> bool:
        """One more ended now; whether that is a crowd."""
        self._count += 1
        if self._until is None or now >= self._until:
            self.here = self._until is not None and self._count >= CROWD
            shared = min(SHARED * _SECOND / self._count, LONGEST)
            self.apart = max(shared, SHORTEST) if self.here else timedelta(0)
            self._until, self._count = now + _SECOND, 0
        return self.here


class Results:
    """Reads what ended at one location. Used from one event loop."""

    def __init__(
        self,
        *,
        checker: Checker,
        metrics: Metrics,
        redactor: Redactor,
        committer: Committer,
        blindness: Blindness,
    ) -> None:
        self._checker = checker
        self._metrics = metrics
        self._redactor = redactor
        self._committer = committer
        self._blindness = blindness
        redactor.when_learnt(self._clean_labels)
        self._clean_labels()
        self._keeper = EvidenceKeeper(redactor, on_dropped=metrics.evidence_dropped.inc)

    def read(self, runner: Runner, seen: Seen, *, late: bool, now: datetime) -> None:
        """Take in a check that ended; `late` when this node was held up meanwhile, so that its
        timeouts prove nothing."""
        observation = seen.observation
        result = self._checker.judged(runner.probe, seen)
        if late:
            result = excused(result)
        result = clean_result(result, self._redactor)
        before = runner.state
        runner.state, turn = fold(before, result, runner.probe)
        kept = self._keeper.take(observation, result, turned=turn is not None, now=now)
        if kept is not None:
            self._committer.keep(kept.digest, kept.content)
            self._metrics.evidence_bytes.inc(len(kept.content))
            result = replace(result, evidence=kept.digest)
            runner.state = replace(runner.state, evidence=kept.digest)
        learnt = runner.learn(observation, result)
        steady = before.steady and runner.state.steady and not learnt
        self._show(runner, observation, result)
        self._blindness.saw(runner, result, now)
        self._committer.add(runner, result, steady=steady)
        if turn is not None:
            calm = before.calm and runner.state.calm
            self._committer.tell(runner.probe.id, verdict_row(result, now), urgent=not calm)

    def _clean_labels(self) -> None:
        self._metrics.families.clean_labels(self._redactor.short)

    def forget(self, runner: Runner) -> None:
        """Its probe is watched no more."""
        self._keeper.forget(runner.probe.id)
        self._blindness.forget(runner)

    def _show(self, runner: Runner, observation: Observation, result: CheckResult) -> None:
        self._metrics.checks.of[result.outcome] += 1
        try:
            self._metrics.families.show(observation, result, firing=runner.state.fires)
        except (TypeError, ValueError):
            log.exception("a prober's metrics cannot be shown", extra={"probe": runner.probe.id})
