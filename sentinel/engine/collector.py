"""How Python's cyclic collector behaves in a node that watches thousands of probes.

A node holds some hundred thousand objects that live as long as it does, and makes some hundred a
check that die by reference count. Left at its defaults the collector walks the former again and
again for the sake of the latter: measured with 10,000 probes and 1,000 checks a second, a quarter
of the watcher's CPU, and pauses of 0.1 to 0.3 s in which no check starts.
"""

import gc

YOUNG = 100_000
"""Net new objects before the youngest generation is looked at: a second's results and more."""
MIDDLE = 20
OLD = 20


def settle_collector() -> None:
    """Call once all documents are loaded, and after each reload: what is there now is not walked
    again, and what comes is walked seldom. Cycles are still found, some minutes later."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
