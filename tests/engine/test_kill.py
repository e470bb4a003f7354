"""kill -9 after every commit and every effect of the whole story, and on again (rule 33)."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_killed_after_any_commit_or_effect_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.engine.killed", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["whole"]["commits"] > 15
    assert found["whole"]["effects"] > 5
    assert found["faults"] == []
