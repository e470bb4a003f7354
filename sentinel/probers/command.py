"""Programs that check something and say so by their exit code: Nagios' plug-ins, or scripts.

The protocol is that of the Monitoring Plugins Development Guidelines: exit code 0 is ok, 1
warning, 2 critical, 3 unknown; the first line is for people; performance data follow a ``|``.
"""

import shlex
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from msgspec.structs import replace

from sentinel.expression import Declaration
from sentinel.kinds import ProbeWorld, key
from sentinel.monitor.probe import Evidence, MetricFamily, Observation, Sample
from sentinel.probers.perfdata import Printed, printed
from sentinel.transport.process import Ended, Program, run
from sentinel.transport.shown import EVIDENCE_BODY
from sentinel.words import Outcome, Seconds, Secret, shortened

PLUGINS = ":".join(
    (
        "/usr/lib/nagios/plugins",
        "/usr/lib64/nagios/plugins",
        "/usr/lib/monitoring-plugins",
        "/usr/libexec/monitoring-plugins",
        "/usr/local/nagios/libexec",
        "/usr/local/libexec/nagios",
    )
)
"""Where distributions put plug-ins: searched after PATH."""

_SHARE_OF_GRACE = 0.1
_TEXT = 300
_SAID = {
    1: ("plugin_warning", Outcome.warn),
    2: ("plugin_critical", Outcome.failed),
    3: ("plugin_unknown", Outcome.unknown),
}


@dataclass(frozen=True, slots=True)
class Command:
    """Runs a Nagios plug-in, or any program that speaks by its exit code.

    There is no shell: each argument is one argument. The program gets no standard input, a small
    environment (PATH, HOME, TZ, TMPDIR, LC_ALL=C and what `env` adds), and limits on processor
    time, memory, open files and files' size; it writes no core. Shortly before the probe's timeout
    it is asked to end (SIGTERM, its children too), then killed: reason `timeout`. What it leaves
    behind when it ends is killed too. 64 KiB of each output are read.

    Whoever may write documents may run programs as the user that Sentinel runs as. Nothing from
    outside comes into the arguments, the environment or the choice of the program. Arguments are
    seen by everybody on the machine: give passwords by `env`.

    Without `expect`, or with one that does not name `exit_code`, exit code 1 warns
    (`plugin_warning`), 2 fails (`plugin_critical`), 3 is unknown (`plugin_unknown`), and so is any
    other (`exit_code`) and an end by a signal (`killed`). With an expectation that names
    `exit_code`, the exit code is yours to judge. A program that is not there (`no_such_program`)
    or cannot be started (`not_started`) is unknown too.

    Expectations may use `exit_code`, `output` (the first line, without performance data),
    `long_output`, `stderr`, `perfdata` (label to number, in seconds and bytes where the plug-in
    gives multiples of these), `limits` (label to `warn`, `crit`, `min` and `max`, where given; of
    a range the upper end), `units` (label to unit) and `timing`.
    """

    KIND: ClassVar[str] = "command"
    NAMES: ClassVar[Declaration] = {
        "exit_code": "int",
        "output": "string",
        "long_output": "string",
        "stderr": "string",
        "perfdata": "map",
        "limits": "map",
        "units": "map",
        "timing": {"total_s": "double"},
    }
    METRICS: ClassVar[tuple[MetricFamily, ...]] = (
        MetricFamily("probe_command_exit_code", "Exit code of the program, negative for a signal"),
        MetricFamily(
            "probe_command_perfdata",
            "Performance data of the plug-in, in base units",
            ("label", "unit"),
        ),
        MetricFamily(
            "probe_command_perfdata_limit",
            "Thresholds and ends that the plug-in gives with its performance data",
            ("label", "limit"),
        ),
    )

    argv: tuple[str, ...] = key(
        "The program and its arguments. A name without a slash is looked for along PATH, then where "
        "distributions put plug-ins; one with a slash is absolute.",
        examples=[["check_disk", "-w", "10%", "-c", "5%", "-p", "/srv"]],
        minItems=1,
        maxItems=100,
    )
    env: Mapping[str, Secret] = key(
        "Further environment variables, by reference.",
        default_factory=dict,
        examples=[{"PGPASSWORD": "env:SHOP_DB_PASSWORD"}],
    )
    folder: str = key("The working directory, absolute.", default="/", examples=["/srv/checks"])
    cpu: Seconds = key("Processor time that it may use.", default=Seconds(30.0))
    memory_mib: int = key(
        "Address space that it may have, in MiB.", default=1024, minimum=16, maximum=1 << 20
    )
    open_files: int = key("Files that it may have open.", default=256, minimum=16, maximum=65536)

    def __post_init__(self) -> None:
        if not self.argv or not self.argv[0]:
            raise ValueError("`argv` names no program")
        if "/" in self.argv[0] and not self.argv[0].startswith("/"):
            raise ValueError(f"`{self.argv[0]}` is neither a bare name nor an absolute path")
        if not self.folder.startswith("/"):
            raise ValueError(f"the folder `{self.folder}` is not an absolute path")
        if any("\0" in word for word in self.argv):
            raise ValueError("an argument holds a NUL character")

    def host(self) -> str:
        """None: what the program talks to is its own affair."""
        return ""

    async def observe(self, world: ProbeWorld) -> Observation:
        """Run it once."""
        left_s = max(world.deadline - world.transport.now(), 0.0)
        grace_s = min(1.0, left_s * _SHARE_OF_GRACE)
        request = shlex.join(self.argv)
        try:
            ended = await run(self._program(world), world.deadline - grace_s, grace_s=grace_s)
        except OSError as error:
            reason = "no_such_program" if isinstance(error, FileNotFoundError) else "not_started"
            return Observation(
                {},
                0.0,
                reason,
                str(error),
                outcome=Outcome.unknown,
                evidence=Evidence(request=request),
            )
        return self._judged(_observed(ended, printed(ended.stdout), request), ended, world.needed)

    def _program(self, world: ProbeWorld) -> Program:
        revealed = {name: world.secrets.reveal(value) for name, value in self.env.items()}
        return Program(
            self.argv,
            {"LC_ALL": "C", **revealed},
            Path(self.folder),
            limits={
                "cpu": max(1, round(self.cpu)),
                "as": self.memory_mib << 20,
                "nofile": self.open_files,
            },
            further_path=PLUGINS,
            may_leave=False,
        )

    @staticmethod
    def _judged(seen: Observation, ended: Ended, needed: frozenset[str]) -> Observation:
        if ended.killed:
            text = f"not ended after {ended.duration_s:.1f} s; {seen.text}".rstrip("; ")
            return replace(seen, reason="timeout", text=text, outcome=Outcome.failed)
        if ended.exit_code < 0:
            text = f"ended by {_signal_name(-ended.exit_code)}; {seen.text}".rstrip("; ")
            return replace(seen, reason="killed", text=text, outcome=Outcome.unknown)
        if ended.exit_code == 0 or "exit_code" in needed:
            return seen
        if ended.exit_code in _SAID:
            reason, outcome = _SAID[ended.exit_code]
            return replace(seen, reason=reason, outcome=outcome)
        text = f"exit code {ended.exit_code}; {seen.text}".rstrip("; ")
        return replace(seen, reason="exit_code", text=text, outcome=Outcome.unknown)


def _observed(ended: Ended, said: Printed, request: str) -> Observation:
    known = [datum for datum in said.data if datum.value is not None]
    perfdata = {datum.label: datum.value for datum in known}
    limits = {datum.label: dict(datum.limits()) for datum in known}
    units = {datum.label: datum.unit for datum in known}
    samples = [Sample("timing.total_s", ended.duration_s, "s")]
    samples += [
        Sample(f"perfdata.{datum.label}", datum.value, datum.unit)
        for datum in known
        if datum.value is not None
    ]
    values: dict[str, Any] = {
        "exit_code": ended.exit_code,
        "output": said.text,
        "long_output": said.long_text,
        "stderr": ended.stderr,
        "perfdata": perfdata,
        "limits": limits,
        "units": units,
        "timing": {"total_s": ended.duration_s},
    }
    return Observation(
        values=values,
        duration_s=ended.duration_s,
        text=shortened(said.text or ended.stderr.strip().partition("\n")[0], _TEXT),
        phases={"run": ended.duration_s},
        samples=samples,
        evidence=Evidence(
            request=request,
            response=shortened(ended.stdout, EVIDENCE_BODY),
            facts={
                "exit_code": ended.exit_code,
                "stderr": shortened(ended.stderr, EVIDENCE_BODY),
                "malformed_perfdata": said.malformed,
            },
        ),
        metrics={
            "probe_command_exit_code": ended.exit_code,
            "probe_command_perfdata": {(label, units[label]): n for label, n in perfdata.items()},
            "probe_command_perfdata_limit": {
                (label, name): most
                for label, given in limits.items()
                for name, most in given.items()
            },
        },
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
