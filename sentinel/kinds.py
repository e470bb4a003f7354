"""The contracts of the families, and how a kind is found.

A kind is one file: a frozen dataclass whose fields are its YAML keys, whose docstring is
its documentation and whose one coroutine is its behaviour, registered by one entry-point
line in ``pyproject.toml`` (groups ``sentinel.probers``, ``sentinel.actions``,
``sentinel.notifiers``). Built-ins have no privilege. Its name is the same as file, YAML
key, entry point, metric label, test file, example and docs page.

Fields are declared with `key`, from which ``library.schema`` makes the JSON Schema and
the docs. Field types that schemas understand: ``str int float bool Seconds Secret
Expression``, ``Mapping[str, T]``, ``tuple[T, ...]``, ``Literal[...]``, ``T | None`` and
nested frozen dataclasses declared the same way.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from sentinel.errors import ExtraMissing
from sentinel.monitor.probe import Observation, ProberSpec
from sentinel.playbook.playbook import ActionSpec
from sentinel.words import Seconds, Secret, Urgency

if TYPE_CHECKING:
    from sentinel.transport.curl import Transport

Family = Literal["probers", "actions", "notifiers"]
FAMILIES: tuple[Family, ...] = ("probers", "actions", "notifiers")


def key(
    description: str,
    *,
    default: Any = dataclasses.MISSING,
    default_factory: Any = dataclasses.MISSING,
    examples: Sequence[Any] = (),
    reads_secrets: bool = False,
    accepts: Callable[[str], object] | None = None,
    **schema: Any,
) -> Any:
    """Declare a field of a kind: its description, default, examples and further JSON Schema
    keywords (``minimum=0``, ``pattern="…"``). Without a default the key is required.
    `reads_secrets`: it is text in which ``{env:NAME}`` is revealed; elsewhere, but for `Secret`,
    such a reference is a finding. `accepts` raises ValueError for a text that cannot stand here,
    saying why: it is called when the document is read."""
    metadata = {
        "description": description,
        "examples": list(examples),
        "reads_secrets": reads_secrets,
        "accepts": accepts,
        "schema": schema,
    }
    if default_factory is not dataclasses.MISSING:
        return dataclasses.field(default_factory=default_factory, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


class Secrets(Protocol):
    """Reveals a secret at the sink, and nowhere else."""

    def reveal(self, secret: Secret) -> str:
        """The text with every reference replaced. Raises SecretMissing, naming the source only."""
        ...


@dataclass(frozen=True, slots=True)
class Pings:
    """What others sent for one heartbeat probe, newest last, at most 100 within its period.

    `what` is ``success``, ``start``, ``fail`` or ``log``; `exit_code` only where given.
    """

    at: datetime
    what: str
    exit_code: int | None = None


class ProbeWorld(msgspec.Struct, frozen=True, gc=False):
    """All that a prober may touch: exactly now, deadline, transport, secrets, kept, pings.

    `kept` are the bytes that the last good check kept (None: never); `kept_at` when that
    was. `pings` is newest last, and empty but for heartbeats. `find` gives another prober
    kind's class (a journey finds ``http`` through it); `needed` are the roots that
    expectations name, so that nothing else need be computed. (A Struct, since one is made for every
    check.)
    """

    now: datetime
    deadline: float
    """On the transport's monotonic clock."""
    transport: "Transport"
    secrets: Secrets
    kept: bytes | None = None
    kept_at: datetime | None = None
    pings: Sequence[Pings] = ()
    needed: frozenset[str] = frozenset()


class Prober(ProberSpec, Protocol):
    """Performs one check. Never raises for a sick target, never outlives `world.deadline`."""

    async def observe(self, world: ProbeWorld) -> Observation: ...


@dataclass(frozen=True, slots=True)
class Done:
    """The action did it; `values` are what ``outputs`` expressions see (JSON, at most 64 KiB)."""

    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    text: str = ""
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """The action did not do it, for certain. `reason` is stable, `retryable` marks transient ones
    (connect, timeout before sending, 429, 5xx)."""

    reason: str
    text: str = ""
    retryable: bool = False
    retry_after_s: float | None = None
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Unsure:
    """It may have happened: the answer was lost, or time ran out under way."""

    reason: str
    text: str = ""
    evidence: str = ""


Outcomes = Done | Failed | Unsure


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How a program run by ``ActionWorld.run`` ended; output is cut at 64 KiB each."""

    exit_code: int | None
    """None when it was killed at the deadline."""
    stdout: str
    stderr: str


class ActionWorld(Protocol):
    """All that an action may touch. Deadlines are on the monotonic clock."""

    key: str
    """Idempotency key: the same for every attempt that means the same effect."""
    deadline: float
    now: datetime
    transport: "Transport"
    secrets: Secrets

    async def run(self, argv: Sequence[str], env: Mapping[str, str]) -> CommandResult:
        """Run a program, no shell, own process group, killed at the deadline."""
        ...

    async def check(self, probe: str) -> Mapping[str, Any]:
        """Check a declared probe now: ``{outcome, reason, text, duration_s, values}``."""
        ...

    async def store_evidence(self, name: str, content: bytes) -> str:
        """Keep bytes with the incident; gives their SHA-256. Redacted before they are stored."""
        ...

    async def submit(self, command: Mapping[str, Any]) -> None:
        """Send a command about this incident (``{"command": "note", "text": …}``)."""
        ...


class Action(ActionSpec, Protocol):
    """What a playbook step does. `inputs` are its fields rendered for this run."""

    async def act(self, inputs: Mapping[str, Any], world: ActionWorld) -> Outcomes: ...


@dataclass(frozen=True, slots=True)
class Message:
    """What a delivery says. `code` is the visible code, the same on every send of it.

    `link` opens the acknowledge page; `short` fits 160 characters with code and link.
    """

    title: str
    body: str
    short: str
    code: str
    link: str
    urgency: Urgency


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took it. That is not proof of delivery, and is never called so."""

    receipt: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider did not take it, for certain."""

    reason: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Uncertain:
    """No answer in time: it may have been delivered."""

    reason: str
    text: str = ""


class Notifier(Protocol):
    """Sends one message to one recipient, in a process of its own, within `deadline_s`."""

    async def send(
        self, address: Secret, message: Message, *, deadline_s: Seconds
    ) -> Accepted | Refused | Uncertain: ...


@cache
def _entries(family: Family) -> Mapping[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=f"sentinel.{family}")}


def names(family: Family) -> tuple[str, ...]:
    """The kinds of a family that are installed, in alphabetical order."""
    return tuple(sorted(_entries(family)))


@cache
def find(family: Family, name: str) -> Callable[..., Any]:
    """The kind's class. Raises KeyError for an unknown name, ExtraMissing when its package is absent."""
    entry = _entries(family)[name]
    try:
        kind: Callable[..., Any] = entry.load()
    except ModuleNotFoundError as missing:
        extra = (entry.extras or [name])[0]
        raise ExtraMissing(
            f"kind `{name}` needs the package `{missing.name}`: pip install 'sentinel[{extra}]'"
        ) from missing
    return kind
