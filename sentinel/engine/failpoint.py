"""Switches that turn one stage of the main job off, so that a test can see what misses it.

``SENTINEL_FAILPOINT=page sentinel run`` starts a node that does everything but send pages. It is
read once, when the node starts, and asked in one line a stage. With nothing in the environment
nothing is off. A node with a stage off says so in its log as a warning, and its ``/-/ready``
answers as usual: a failpoint is for rehearsals of failure, never for silence (that is what
silences, maintenance and ``automation off`` are for). See docs/explanation/failpoints.md.
"""

import logging
import os
from enum import StrEnum
from functools import cache

VARIABLE = "SENTINEL_FAILPOINT"

log = logging.getLogger("sentinel.failpoint")


class Stage(StrEnum):
    """The stages of the main job, in their order, with what is left undone when one is off."""

    checks = "checks"  # no probe is checked
    incident = "incident"  # what fires waits in the inbox
    playbook = "playbook"  # no step is claimed
    page = "page"  # no delivery is claimed
    acknowledge = "acknowledge"  # a person's acknowledgement is refused
    recovery = "recovery"  # an alert that ends is not heard
    timeline = "timeline"  # the story is not told
    postmortem = "postmortem"  # the draft is not written


@cache
def stages_off() -> frozenset[Stage]:
    """What the environment switches off: stages separated by commas.

    Raises ValueError for a name that is no stage: a test that switches nothing off would prove
    nothing.
    """
    names = [name.strip() for name in os.environ.get(VARIABLE, "").split(",")]
    unknown = sorted({name for name in names if name} - {stage.value for stage in Stage})
    if unknown:
        raise ValueError(f"{VARIABLE}: no stage {', '.join(unknown)}; there are {', '.join(Stage)}")
    return frozenset(Stage(name) for name in names if name)


def is_off(stage: Stage) -> bool:
    """Whether this stage is switched off in this process."""
    return stage in stages_off()


def warn() -> None:
    """Say in the log which stages are off, if any."""
    if off := stages_off():
        log.warning("stages are switched off by a failpoint", extra={"stages": sorted(off)})
