"""``sentinel demo``: the main job on a small real shop, live, on one screen.

It starts the example shop, its payment vendor, a mailbox and a node over a copy of the workspace,
breaks the shop, and follows what happens: failing checks, incident, playbook, page,
acknowledgement, recovery, timeline, postmortem. Each stage counts only when the node's API and the
mailbox show it.
"""

import signal
import sys
import time
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from sentinel.cli.demo_client import Away
from sentinel.cli.demo_round import Missing, Round
from sentinel.cli.demo_show import Show
from sentinel.cli.demo_world import REPOSITORY, USUAL_PORT, NotStarted, World, world
from sentinel.cli.output import Exit, say
from sentinel.engine.failpoint import Stage

PATIENCE_S = 25.0
PLAY_LOOKS_EVERY_S = 0.5


@click.command()
@click.argument(
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=REPOSITORY,
)
@click.option("--once", is_flag=True, help="one round unattended; exit 0 if every stage happened")
@click.option(
    "--patience",
    type=click.FloatRange(1, 600),
    default=PATIENCE_S,
    show_default=True,
    help="seconds that a stage may take",
)
@click.option("--port", default=USUAL_PORT, show_default=True, help="of the console; 0: any")
def demo(folder: Path, once: bool, patience: float, port: int) -> None:
    """Watch a shop break, and everything that follows. FOLDER: a workspace other than Sentinel's
    own, with the same probes."""
    if not (REPOSITORY / "examples" / "shop").is_dir():
        say("the demo runs from a clone of the repository: the example shop is not installed")
        sys.exit(Exit.refused)
    signal.signal(signal.SIGTERM, _leave)
    show = Show(Console(highlight=False, soft_wrap=False))
    try:
        with world(folder, port=port) as started:
            missing = _round(started, show, patience)
            if not once:
                _stay(started, show, patience)
    except (NotStarted, Away) as failed:
        say(f"demo: {failed}")
        sys.exit(Exit.refused)
    except KeyboardInterrupt:
        say("the demo has ended; nothing is left behind")
        return
    if missing is not None:
        sys.exit(Exit.refused)


def _leave(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM ends the demo the way an error would: everything it started is ended first."""
    sys.exit(Exit.refused)


def _round(started: World, show: Show, patience_s: float) -> Stage | None:
    """One round, its table printed; the stage that is missing, if any."""
    show.opening(console=started.console.url, shop=started.shop.url)
    done: dict[Stage, str] = {}
    missing, why = None, ""
    try:
        for stage, proof in Round(started, show, patience_s=patience_s).stages():
            done[stage] = proof
    except Missing as failed:
        missing, why = failed.stage, str(failed)
    show.results(done, missing, why)
    if missing is not None:
        say(f"demo: the stage `{missing}` is missing: {why}")
    return missing


def _stay(started: World, show: Show, patience_s: float) -> None:
    """Show what happens until Ctrl-C."""
    show.play(console=started.console.url, shop=started.shop.url, vendor=started.vendor.url)
    following = Round(started, show, patience_s=patience_s)
    while True:
        following.look()
        time.sleep(PLAY_LOOKS_EVERY_S)
