"""The collector is told to leave alone what stays, in a process of its own."""

import subprocess
import sys

SCRIPT = """
import gc
from sentinel.engine.collector import YOUNG, settle_collector
stays = [[] for _ in range(1000)]
settle_collector()
assert gc.get_freeze_count() > 1000
assert gc.get_threshold()[0] == YOUNG
class Cycle:
    died = 0
    def __del__(self):
        Cycle.died += 1
for _ in range(YOUNG * 2):
    cycle = Cycle()
    cycle.itself = cycle
assert Cycle.died > YOUNG // 2, Cycle.died
"""


def test_what_stays_is_frozen_and_cycles_are_still_found():
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
