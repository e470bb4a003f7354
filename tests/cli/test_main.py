"""The door: what every command has in common."""

import subprocess
import sys

import pytest

from sentinel import __version__
from sentinel.cli.main import COMMANDS
from tests.cli.running import run, run_alone


def test_the_version_is_on_stdout() -> None:
    done = run_alone("--version")
    assert (0, f"sentinel {__version__}\n", "") == (done.returncode, done.stdout, done.stderr)


def test_help_lists_every_command_and_loads_none() -> None:
    script = (
        "import sys; sys.argv = ['sentinel', '--help']\n"
        "from sentinel.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'yaml', 'jsonschema', 'cel', 'pycurl', 'rich', 'sqlite3', 'asyncio'} & set(sys.modules)\n"
        "print('loaded:', sorted(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    for name in COMMANDS:
        assert f"\n  {name} " in done.stdout
    assert "loaded: []" in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_there_and_has_help(name: str) -> None:
    done = run(name, "--help")
    assert 0 == done.exit_code, done.output
    assert "Usage: " in done.stdout


def test_an_unknown_command_is_a_mistake_in_usage() -> None:
    done = run("lnit")
    assert (2, "") == (done.exit_code, done.stdout)
    assert "No such command" in done.stderr
