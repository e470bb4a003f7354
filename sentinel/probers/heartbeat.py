"""Jobs that tell us that they live: what did not come is what matters."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

import msgspec

from sentinel.expression import Declaration
from sentinel.kinds import Pings, ProbeWorld, key
from sentinel.localtime import check_cron, cron_before, zone
from sentinel.monitor.probe import Evidence, Observation, Sample
from sentinel.words import Outcome, Seconds, Secret

SHOWN = 20
"""Pings in evidence."""


class Remembered(msgspec.Struct, frozen=True):
    """What is kept of a good check: since when pings are expected, and the last success."""

    first_at: datetime
    success_at: datetime | None = None

    @classmethod
    def of(cls, kept: bytes | None, now: datetime) -> "Remembered":
        try:
            return msgspec.msgpack.decode(kept, type=cls) if kept else cls(now)
        except msgspec.DecodeError:  # kept by another version
            return cls(now)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a job; `ended_at` is None while it runs, as far as we were told."""

    started_at: datetime
    ended_at: datetime | None = None
    good: bool = False


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Waits for a job to say that it ran, and fails when it does not.

    The job asks for `/ping/SECRET` when it succeeded; `/ping/SECRET/start` when it begins,
    `/fail` or its exit code when it ends badly, `/log` to say something that counts for nothing.
    When it is expected, `every` says (so long after the last success) or `cron` (after each firing,
    in its time zone, as cron itself would run it); `grace` is how much later is still in time. A
    job that was never heard of is expected since the first check.

    The check fails when a success is overdue (`overdue`), when the last thing heard was a failure
    (`reported_failure`), or when a run has lasted longer than `max_duration` (`runs_too_long`).
    Every run is timed, also when runs overlap: an end belongs to the run begun last, and a run that
    never ends is reported until one begun after its time was up succeeds. An expectation that names
    `overdue`, `failed` or `too_long` replaces that rule.

    Expectations may use `overdue`, `late` (within its grace), `late_s`, `failed`, `exit_code` (-1
    when none was said), `never` (no success yet), `last_ping_age_s`, `last_success_age_s`,
    `running` (runs under way), `run_s` (how long the oldest has lasted), `too_long` and
    `last_duration_s`.
    """

    KIND: ClassVar[str] = "heartbeat"
    NAMES: ClassVar[Declaration] = {
        "overdue": "bool",
        "late": "bool",
        "late_s": "double",
        "failed": "bool",
        "exit_code": "int",
        "never": "bool",
        "last_ping_age_s": "double",
        "last_success_age_s": "double",
        "running": "int",
        "run_s": "double",
        "too_long": "bool",
        "last_duration_s": "double",
    }

    secret: Secret | None = key(
        "What stands in the address that the job asks for. Without it only this machine may ping, "
        "by the probe's id.",
        default=None,
        examples=["env:NIGHTLY_EXPORT_PING"],
    )
    every: Seconds | None = key("A success is expected this often.", default=None, examples=["1h"])
    cron: str = key("A success is expected after each firing.", default="", examples=["30 2 * * *"])
    timezone: str = key("Where `cron` is read.", default="UTC", examples=["Europe/Helsinki"])
    grace: Seconds = key(
        "How much later is still in time.", default=Seconds(300.0), examples=["20m"]
    )
    max_duration: Seconds | None = key(
        "How long a run may last, from `/start` to its end.", default=None, examples=["45m"]
    )

    def __post_init__(self) -> None:
        if (self.every is None) == (not self.cron):
            raise ValueError("give either `every:` or `cron:`")
        if self.cron:
            check_cron(self.cron)
        zone(self.timezone)

    def host(self) -> str:
        """It talks to nobody."""
        return ""

    async def observe(self, world: ProbeWorld) -> Observation:
        """Look at what was heard."""
        now = world.now
        heard = sorted((ping for ping in world.pings if ping.at <= now), key=lambda ping: ping.at)
        before = Remembered.of(world.kept, now)
        successes = [ping.at for ping in heard if ping.what == "success"]
        success_at = max(
            [*successes, *([before.success_at] if before.success_at else [])], default=None
        )
        values = self._values(now, heard, before.first_at, success_at)
        reason, text = _verdict(values, world.needed)
        return Observation(
            values=values,
            duration_s=0.0,
            reason=reason,
            text=text,
            outcome=Outcome.failed if reason else None,
            samples=[
                Sample(name, values[name], "s")
                for name in ("last_success_age_s", "last_duration_s")
            ],
            evidence=Evidence(facts={"pings": [_shown(ping) for ping in heard[-SHOWN:]]}),
            metrics=_metrics(success_at, values),
            keep=msgspec.msgpack.encode(Remembered(before.first_at, success_at)),
        )

    def _values(
        self, now: datetime, heard: Sequence[Pings], first_at: datetime, success_at: datetime | None
    ) -> dict[str, Any]:
        results = [ping for ping in heard if ping.what in ("success", "fail")]
        last = results[-1] if results else None
        due_at = self._due_at(now, success_at or first_at)
        late_s = max((now - due_at).total_seconds(), 0.0) if due_at else 0.0
        runs = list(paired(heard))
        open_ = [run for run in runs if run.ended_at is None and not self._given_up(run, runs)]
        run_s = max(((now - run.started_at).total_seconds() for run in open_), default=0.0)
        ended = [(run.ended_at - run.started_at).total_seconds() for run in runs if run.ended_at]
        return {
            "overdue": late_s > self.grace,
            "late": late_s > 0,
            "late_s": late_s,
            "failed": last is not None and last.what == "fail",
            "exit_code": last.exit_code if last and last.exit_code is not None else -1,
            "never": success_at is None,
            "last_ping_age_s": (now - (heard[-1].at if heard else first_at)).total_seconds(),
            "last_success_age_s": (now - (success_at or first_at)).total_seconds(),
            "running": len(open_),
            "run_s": run_s,
            "too_long": self.max_duration is not None and run_s > self.max_duration,
            "last_duration_s": ended[-1] if ended else 0.0,
        }

    def _due_at(self, now: datetime, since: datetime) -> datetime | None:
        """The instant at which a success was due that has not come; None when none is due.

        With `cron` the first look is at the last firing whose grace is over, so that an overdue
        one stays so when the next is due; then at one within its grace.
        """
        if self.every is not None:
            due_at = since + timedelta(seconds=self.every)
            return due_at if due_at <= now else None
        for at in (now - timedelta(seconds=self.grace), now):
            due = cron_before(self.cron, self.timezone, at)
            if due is not None and due > since:
                return due
        return None

    def _given_up(self, run: Run, runs: Sequence[Run]) -> bool:
        """Whether a run without an end is no longer asked about: one begun after its time was up
        succeeded. Without `max_duration` any later one does."""
        up_at = run.started_at + timedelta(seconds=self.max_duration or 0.0)
        return any(each.good and each.started_at > up_at for each in runs)


def paired(heard: Sequence[Pings]) -> Iterator[Run]:
    """Runs in order of their end, then those without one by start. An end belongs to the run begun
    last: the one that hangs is then the one that is left over. An end without a start is no run."""
    open_: list[datetime] = []
    for ping in heard:
        if ping.what == "start":
            open_.append(ping.at)
        elif ping.what in ("success", "fail") and open_:
            yield Run(open_.pop(), ping.at, good=ping.what == "success")
    yield from (Run(at) for at in open_)


def _verdict(values: Mapping[str, Any], needed: frozenset[str]) -> tuple[str, str]:
    """The first rule that does not hold and that no expectation replaces."""
    if values["failed"] and "failed" not in needed:
        code = f" with exit code {values['exit_code']}" if values["exit_code"] >= 0 else ""
        return "reported_failure", f"the job said that it failed{code}"
    if values["overdue"] and "overdue" not in needed:
        return "overdue", f"a success was due {_span(values['late_s'])} ago and has not come"
    if values["too_long"] and "too_long" not in needed:
        return "runs_too_long", f"a run has lasted {_span(values['run_s'])} and has not ended"
    if values["never"]:
        return "", "nothing was heard yet, and nothing is due"
    return "", f"last success {_span(values['last_success_age_s'])} ago"


def _span(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"), (rest, "s"))
    shown = [f"{number} {unit}" for number, unit in parts if number]
    return " ".join(shown[:2]) or "0 s"


def _shown(ping: Pings) -> Mapping[str, Any]:
    return {"at": ping.at.isoformat(), "what": ping.what, "exit_code": ping.exit_code}


def _metrics(success_at: datetime | None, values: Mapping[str, Any]) -> Mapping[str, Any]:
    shown: dict[str, Any] = {"probe_heartbeat_overdue": int(values["overdue"])}
    if success_at is not None:
        shown["probe_heartbeat_last_success_timestamp_seconds"] = success_at.timestamp()
    return shown
