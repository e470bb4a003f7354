"""Running ``sentinel`` as people do, in its own process or in this one."""

import os
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner, Result

from sentinel.cli.commands import sentinel
from tests.conftest import ROOT


def run(*words: str) -> Result:
    """The command in this process: exit code, stdout and stderr apart."""
    return CliRunner().invoke(sentinel, words)


def run_alone(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "sentinel", *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
