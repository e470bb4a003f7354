"""Programs of one's own, without a shell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import msgspec

from sentinel.expression import Declaration
from sentinel.kinds import ActionWorld, CommandResult, Done, Failed, Outcomes, Unsure, key
from sentinel.playbook.playbook import Reference
from sentinel.transport.process import MAX_OUTPUT
from sentinel.words import CUT, Secret, shortened

MAX_ARGUMENT = 32 * 1024
"""Bytes of one argument; Linux takes 128 KiB."""

TEMPORARY = 75
"""Exit code that says that another attempt may succeed (EX_TEMPFAIL of sysexits.h)."""

_KEPT = 16 * 1024
"""Characters of each output that expressions may see; both together stay within 64 KiB."""


@dataclass(frozen=True, slots=True)
class Command:
    """Runs a program. There is no shell: each argument is one argument, whatever is in it.

    The program runs in the workspace, with PATH, HOME, LANG, TZ and TMPDIR, what `env` adds, and
    SENTINEL_KEY, the same for every attempt that means the same effect. At the step's timeout it
    is asked to end (SIGTERM, its children too) and killed a second later; what it did by then is
    unknown. A value from outside that begins with `-` is refused unless a literal `--` stands
    before it, because it would be read as an option.

    Exit code 0 succeeds; 75 (EX_TEMPFAIL) may be retried; any other fails with `exit_code`.
    Outputs: `exit_code`, `stdout` and `stderr` (the first 16 KiB), and `json`, what standard
    output says when it is one JSON value.
    """

    KIND: ClassVar[str] = "command"
    OUTPUTS: ClassVar[Declaration] = {
        "exit_code": "int",
        "stdout": "string",
        "stderr": "string",
        "json": "dyn",
    }
    WRITES: ClassVar[bool] = True

    argv: tuple[str, ...] = key(
        "The program and its arguments.",
        examples=[["pspctl", "route", "--", "${labels.vendor}", "0"]],
        minItems=1,
        maxItems=100,
    )
    env: Mapping[str, Secret] = key(
        "Further environment variables; secrets by reference.",
        default_factory=dict,
        examples=[{"PSP_TOKEN": "env:PSP_TOKEN"}],
    )

    def __post_init__(self) -> None:
        if not self.argv or not isinstance(self.argv[0], str):
            raise ValueError("the program's name, the first of `argv`, is written out")

    async def act(self, inputs: Mapping[str, Any], world: ActionWorld) -> Outcomes:
        """Run it once."""
        rendered = replace(self, **inputs)
        problem = refused(self.argv, rendered.argv)
        if problem:
            return Failed("invalid_input", problem)
        env = {name: _revealed(value, world) for name, value in rendered.env.items()}
        try:
            result = await world.run([text(each) for each in rendered.argv], _keyed(env, world.key))
        except FileNotFoundError as missing:
            return Failed("no_such_program", str(missing))
        return await _outcome(result, world)


def refused(declared: Sequence[object], rendered: Sequence[object]) -> str:
    """What is wrong with the arguments; ``""`` when nothing is.

    `declared` are the arguments as written, where a `Reference` stands for a value from outside.
    """
    literal_end = False
    for position, (written, value) in enumerate(zip(declared, rendered, strict=True)):
        outside = isinstance(written, Reference)
        if not isinstance(value, str | int | float):
            return f"argument {position} is {type(value).__name__}, not one text or number"
        argument = text(value)
        if "\0" in argument or len(argument.encode()) > MAX_ARGUMENT:
            return f"argument {position} holds a NUL byte or is longer than {MAX_ARGUMENT} bytes"
        if outside and argument.startswith("-") and not literal_end:
            return (
                f"argument {position} begins with `-`: write `--` before it, or refuse such values"
            )
        literal_end = literal_end or argument == "--"
    return ""


def text(value: object) -> str:
    """A scalar as an argument: true and false in small letters, as in YAML and JSON."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _revealed(value: object, world: ActionWorld) -> str:
    return world.secrets.reveal(value) if isinstance(value, Secret) else text(value)


def _keyed(env: Mapping[str, str], effect: str) -> Mapping[str, str]:
    return {**env, "SENTINEL_KEY": effect.replace("\0", "")}


async def _outcome(result: CommandResult, world: ActionWorld) -> Outcomes:
    cut = CUT if len(result.stdout.encode()) >= MAX_OUTPUT else ""
    said = f"{result.stdout}{cut}\n--- standard error ---\n{result.stderr}"
    evidence = await world.store_evidence("output", said.encode())
    line = shortened(next(iter(reversed(result.stderr.strip().splitlines())), ""), 300)
    if result.exit_code is None:
        return Unsure("timeout", f"killed at the step's timeout; {line}".rstrip("; "), evidence)
    values = {
        "exit_code": result.exit_code,
        "stdout": result.stdout[:_KEPT],
        "stderr": result.stderr[:_KEPT],
        "json": _json(result.stdout),
    }
    if result.exit_code == 0:
        return Done(values, line, evidence)
    return Failed(
        "exit_code",
        f"exit code {result.exit_code}: {line}".rstrip(": "),
        retryable=result.exit_code == TEMPORARY,
        values=values,
        evidence=evidence,
    )


def _json(stdout: str) -> Any:
    """The value, when it is one and short enough for an output; else None."""
    if len(stdout) > _KEPT:
        return None
    try:
        return msgspec.json.decode(stdout)
    except (ValueError, RecursionError):
        return None
