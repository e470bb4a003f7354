"""What checks came to: judged, folded into verdicts, shown, and handed to the next commit."""

import logging
from datetime import datetime

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
from sentinel.monitor.verdict import fold
from sentinel.words import OK

log = logging.getLogger(__name__)


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
        steady = result.outcome is OK and before.steady and not learnt
        self._metrics.checks.of[result.outcome] += 1
        try:
            self._metrics.families.show(observation, result, firing=runner.state.fires)
        except (TypeError, ValueError):
            log.exception("a prober's metrics cannot be shown", extra={"probe": runner.probe.id})
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
