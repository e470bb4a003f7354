"""The command line: ``sentinel NOUN``. One file a noun; each is imported when it is asked for, so
that ``sentinel --version`` answers in a tenth of a second; it imports nothing but this file.
The command line itself is in ``commands``.

This is one of the two doors at which modules are imported inside functions.
"""

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

from sentinel import __version__


class Row(NamedTuple):
    """A command: the module that holds it, its name there, and what it does, for ``--help``."""

    module: str
    name: str
    does: str


COMMANDS: Mapping[str, Row] = {
    "init": Row("sentinel.cli.init", "init", "Begin a workspace of your own."),
    "demo": Row("sentinel.cli.demo", "demo", "See the main job on a small shop, live."),
    "lint": Row("sentinel.cli.lint", "lint", "Find every mistake in every file at once."),
    "import": Row(
        "sentinel.cli.imports", "imports", "Turn another program's configuration into ours."
    ),
    "schema": Row("sentinel.cli.schema", "schema", "Print the JSON Schema of a kind of document."),
    "doctor": Row("sentinel.cli.doctor", "doctor", "Say what is wrong with this installation."),
    "kinds": Row("sentinel.cli.kinds", "kinds", "List what can be watched, done and paged with."),
    "run": Row("sentinel.cli.run", "run", "Watch, decide, act and page."),
    "blackbox": Row(
        "sentinel.cli.blackbox", "blackbox", "Probe for Prometheus in blackbox_exporter's place."
    ),
    "probe": Row("sentinel.cli.probe", "probe", "Check one probe now and show its phases."),
    "probes": Row("sentinel.cli.probe", "probes", "List probes and how they stand."),
    "objectives": Row(
        "sentinel.cli.objectives", "objectives", "What is promised, kept, and left to spend."
    ),
    "incidents": Row("sentinel.cli.incident", "incidents", "List incidents."),
    "incident": Row("sentinel.cli.incident", "incident", "Look at one incident, or act on it."),
    "page": Row("sentinel.cli.admin", "page", "Send a person a test page."),
    "silence": Row("sentinel.cli.admin", "silence", "Mute alerts for a while."),
    "automation": Row("sentinel.cli.admin", "automation", "The kill switch of playbook steps."),
    "playbook": Row(
        "sentinel.cli.playbook", "playbook", "List playbooks, play their tests, run one."
    ),
    "store": Row("sentinel.cli.store", "store", "Back up, restore and prove the store."),
    "token": Row("sentinel.cli.admin", "token", "Bearer tokens for the API."),
    "oncall": Row("sentinel.cli.oncall", "oncall", "Who is on call, and when."),
}
"""Every command. A noun with verbs is a click group in its module."""

ALIASES: Mapping[str, str] = {"check": "lint"}


def load(name: str) -> Any:
    """The command of this name or alias, imported now; None: there is none."""
    row = COMMANDS.get(ALIASES.get(name, name))
    return getattr(import_module(row.module), row.name) if row is not None else None


def main() -> None:
    """Run the command line and exit: 0 ok, 1 refused or failed, 2 usage, 3 findings, 4 unreachable."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"sentinel {__version__}\n")
        return
    from sentinel.cli.commands import sentinel  # not for --version, which needs none of it

    sentinel(prog_name="sentinel")
