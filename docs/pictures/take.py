"""Take the README's picture from a real run: ``python docs/pictures/take.py``.

It starts the demo's world, breaks the shop, lets the paged person acknowledge, and photographs the
incident page with Debian's chromium. ``--all DIR`` keeps every page of the console, at desk and at
phone width, to look at.
"""

import argparse
import sys
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from urllib.parse import urljoin

from playwright.sync_api import Browser, sync_playwright
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sentinel.cli.demo_round import Round
from sentinel.cli.demo_show import Show
from sentinel.cli.demo_world import REPOSITORY, World, world
from sentinel.engine.failpoint import Stage

HERE = Path(__file__).resolve().parent
DESK, PHONE = {"width": 1200, "height": 800}, {"width": 390, "height": 844}
PATIENCE_S = 60.0
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")


def main() -> None:
    """Run the round as far as the acknowledgement and photograph it."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--all", type=Path, metavar="DIR", help="every page at two widths")
    everything = asked.parse_args().all
    with world(REPOSITORY) as started, sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=list(ARGUMENTS))
        round_ = Round(started, Show(Console(stderr=True)), patience_s=PATIENCE_S)
        stages = round_.stages()
        _go_on_to(stages, Stage.page)
        if everything is not None:
            _take_all(browser, started, everything, "triggered")
        _go_on_to(stages, Stage.acknowledge)
        _take(browser, started, _incident(started), HERE / "incident.png", DESK, whole=False)
        if everything is not None:
            _take_all(browser, started, everything, "acknowledged")
            _go_on_to(stages, Stage.postmortem)
            _take_all(browser, started, everything, "resolved")
        browser.close()


def _go_on_to(stages: Iterator[tuple[Stage, str]], last: Stage) -> None:
    for _ in takewhile(lambda done: done[0] is not last, stages):
        continue


def _incident(started: World) -> str:
    return f"/incidents/{started.console.json('/api/v1/incidents')['incidents'][-1]['incident']}"


def _take_all(browser: Browser, started: World, folder: Path, when: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    link = started.mails()[0].text.split("/a/", 1)[1].split()[0]
    pages = {"list": "/", "incident": _incident(started), "ack": f"/a/{link}"}
    pages |= {
        name: f"/{name}" for name in ("probes", "objectives", "oncall", "silences", "overrides")
    }
    pages["probe"] = "/probes/shop-home"
    for name, path in pages.items():
        for at, size in (("desk", DESK), ("phone", PHONE)):
            _take(browser, started, path, folder / f"{when}-{name}-{at}.png", size, whole=True)


def _take(
    browser: Browser, started: World, path: str, to: Path, size: dict[str, int], *, whole: bool
) -> None:
    page = browser.new_page(viewport={"width": size["width"], "height": size["height"]})
    page.goto(urljoin(started.console.url, path), wait_until="load")
    wide = page.evaluate("document.documentElement.scrollWidth")
    if wide > size["width"]:
        print(f"{path} is {wide} px wide on a screen of {size['width']}", file=sys.stderr)
    page.screenshot(path=to, full_page=whole)
    page.close()


if __name__ == "__main__":
    main()
