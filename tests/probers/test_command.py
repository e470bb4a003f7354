"""The `command` kind: real plug-ins, and programs that behave as programs do."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from sentinel.expression import compile_expression
from sentinel.probers.command import Command
from sentinel.transport.curl import Transport
from sentinel.words import Outcome, Secret
from tests.children import wait_for
from tests.probers.documents import shown
from tests.transport.servers import observed, serving

plugins = pytest.mark.needs("monitoring-plugins-basic")


def check(*argv, seconds=10.0, needed="", **fields):
    async def main():
        async with Transport() as transport:
            prober = Command(tuple(map(str, argv)), **fields)
            return await observed(
                prober, transport, seconds=seconds, needed=needed, TOKEN="t0psecret"
            )

    return asyncio.run(main())


def script(text, **how):
    return check("sh", "-c", text, **how)


def holds(source, observation):
    return compile_expression(source, Command.NAMES).evaluate(observation.values)


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.parametrize(
    ("code", "outcome", "reason"),
    [
        (0, None, ""),
        (1, Outcome.warn, "plugin_warning"),
        (2, Outcome.failed, "plugin_critical"),
        (3, Outcome.unknown, "plugin_unknown"),
        (4, Outcome.unknown, "exit_code"),
        (127, Outcome.unknown, "exit_code"),
    ],
)
def test_the_exit_code_says_how_it_is(code, outcome, reason):
    observation = script(f"echo 'ORDERS - 3 waiting | waiting=3;5;10;0'; exit {code}")

    assert (outcome, reason) == (observation.outcome, observation.reason)
    assert "ORDERS - 3 waiting" in observation.text
    assert code == observation.metrics["probe_command_exit_code"]


def test_an_exit_code_that_is_named_is_judged_by_the_document():
    observation = script("exit 4", needed="exit_code")

    assert (None, "") == (observation.outcome, observation.reason)
    assert holds("exit_code == 4", observation)


def test_perfdata_become_names_samples_and_metrics():
    observation = script("echo 'OK | size=2KB;4;8 /srv=93%;;;;'; echo more; echo why >&2")

    assert holds('perfdata.size == 2048.0 && perfdata["/srv"] > 90.0', observation)
    assert holds('limits.size.warn == 4096.0 && units["/srv"] == "%"', observation)
    assert holds('long_output == "more" && stderr.startsWith("why")', observation)
    assert ("perfdata.size", 2048.0, "B") in [
        (each.name, each.value, each.unit) for each in observation.samples
    ]
    assert {("size", "B"): 2048.0, ("/srv", "%"): 93.0} == observation.metrics[
        "probe_command_perfdata"
    ]
    limits = observation.metrics["probe_command_perfdata_limit"]
    assert {("size", "warn"): 4096.0, ("size", "crit"): 8192.0} == limits
    assert set(observation.metrics) == {family.name for family in Command.METRICS}


@plugins
def test_a_real_plugin_is_found_and_understood():
    observation = check("check_disk", "-w", "1", "-c", "1", "-p", "/")

    assert "" == observation.reason
    assert holds('output.startsWith("DISK OK") && perfdata["/"] > 0.0', observation)
    assert holds('units["/"] == "B" && limits["/"].max > limits["/"].warn', observation)


@plugins
def test_a_real_plugin_that_reaches_a_service_and_then_does_not():
    async def greet(reader, writer):
        writer.write(b"220 hello\r\n")
        await reader.read()

    async def main():
        async with Transport() as transport:
            async with serving(greet) as port:
                argv = ("check_tcp", "-H", "127.0.0.1", "-p", str(port), "-w", "5", "-c", "9")
                up = await observed(Command(argv), transport)
            return up, await observed(Command(argv), transport)

    up, down = asyncio.run(main())

    assert ("", True) == (up.reason, holds("perfdata.time < 5.0 && limits.time.crit == 9.0", up))
    assert (Outcome.failed, "plugin_critical") == (down.outcome, down.reason)
    assert "refused" in down.text


def test_at_the_timeout_it_and_its_children_are_killed(tmp_path):
    pids = tmp_path / "pids"
    started = time.monotonic()
    observation = script(
        f"trap '' TERM; echo going; sleep 600 & echo $$ $! > {pids}; wait; sleep 600", seconds=0.6
    )

    assert (Outcome.failed, "timeout") == (observation.outcome, observation.reason)
    assert "going" in observation.text
    assert time.monotonic() - started < 5.0
    for pid in pids.read_text().split():
        wait_for(lambda pid=pid: not alive(pid))


def test_what_it_leaves_behind_is_killed(tmp_path):
    pid = tmp_path / "pid"
    observation = script(f"sleep 600 & echo $! > {pid}; echo done")

    assert "" == observation.reason
    assert observation.duration_s < 5
    wait_for(lambda: not alive(pid.read_text().strip()))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kill -SEGV $$", "SIGSEGV"),
        pytest.param("while :; do :; done", "SIGXCPU", marks=pytest.mark.slow),
    ],
)
def test_an_end_by_a_signal_is_unknown(text, said):
    observation = script(text, cpu=1.0)

    assert (Outcome.unknown, "killed") == (observation.outcome, observation.reason)
    assert said in observation.text


def test_limits_hold():
    observation = script("ulimit -v; ulimit -n; ulimit -c; ulimit -t", memory_mib=64, open_files=20)

    assert ["65536", "20", "0", "30"] == [
        observation.values["output"],
        *observation.values["long_output"].split(),
    ]


def test_an_endless_output_is_cut():
    observation = script("head -c 3000000 /dev/zero | tr '\\0' x")

    assert ("", 64 * 1024) == (observation.reason, len(observation.values["output"]))


def test_it_sees_little_of_the_node(monkeypatch):
    monkeypatch.setenv("ANA_PUSH", "hunter2")
    observation = script("cat; env; pwd", env={"PSP_TOKEN": Secret("env:TOKEN")})
    seen = observation.values["output"] + "\n" + observation.values["long_output"]

    assert "PSP_TOKEN=t0psecret" in seen
    assert "LC_ALL=C" in seen
    assert "ANA_PUSH" not in seen
    assert seen.endswith("\n/")
    assert "t0psecret" not in observation.evidence.request


def test_no_shell_reads_the_arguments():
    assert "$(id); `id` && x | y" in check("printf", "%s", "$(id); `id` && x | y").evidence.response


@pytest.mark.parametrize(
    ("argv", "fields", "reason"),
    [
        (("no-such-program-here",), {}, "no_such_program"),
        (("true",), {"folder": "/no/such/folder"}, "no_such_program"),
        (("true",), {"folder": os.__file__}, "not_started"),
    ],
)
def test_what_cannot_be_started_is_unknown(argv, fields, reason):
    observation = check(*argv, **fields)

    assert (Outcome.unknown, reason) == (observation.outcome, observation.reason)


@pytest.mark.parametrize(
    ("argv", "fields", "said"),
    [
        ((), {}, "no program"),
        (("bin/check",), {}, "absolute"),
        (("true", "a\0b"), {}, "NUL"),
        (("true",), {"folder": "checks"}, "absolute"),
    ],
)
def test_a_wrong_declaration_is_refused(argv, fields, said):
    with pytest.raises(ValueError, match=said):
        Command(argv, **fields)


def test_what_the_pages_show_can_be_declared():
    assert {"command"} == {probe.kind for probe in shown("command").values()}
