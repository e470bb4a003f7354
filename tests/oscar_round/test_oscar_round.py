"""The whole main job against a real django-oscar shop: the same workspace, other addresses.

The tests share one shop, one node and one Prometheus, and run in their order: the feed's writer
stands still from the beginning, so that it is late by the time the last test asks.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.shop.mailbox import Mail, MailServer
from sentinel.cli.demo_client import Away, Site, path_of
from sentinel.cli.demo_round import button
from sentinel.cli.demo_world import free_port
from tests.conftest import ROOT, Start
from tests.oscar_round.scene import Scene, node, prometheus

pytestmark = [pytest.mark.slow, pytest.mark.needs("prometheus")]
OSCAR = ROOT / "examples" / "django-oscar" / "shop.py"
SOON_S = 60.0
LATER_S = 120.0
"""For a probe that looks every 30 s and was muted by its parent until an interval after that recovered."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("round")


@pytest.fixture(scope="module")
def vendor(start_once: Start) -> str:
    argv = [sys.executable, "-m", "examples.shop.vendor", "--port", "0"]
    return start_once(argv, cwd=ROOT).address


@pytest.fixture(scope="module")
def shop(start_once: Start, vendor: str, folder: Path) -> str:
    argv = [sys.executable, OSCAR, "start", folder / "oscar", "0", "--vendor", vendor]
    argv += ["--venv", ROOT / ".venv-oscar", "--feed-every", "1"]
    return start_once(argv, ready_s=400).address


@pytest.fixture(scope="module")
def scene(folder: Path, shop: str, vendor: str) -> Iterator[Scene]:
    """Everything up and every probe well; then the feed stands still."""
    port, scrape_port = free_port(0), free_port(0)
    mails = MailServer(folder / "mail" / "box")
    mails.start()
    console = Site(f"http://127.0.0.1:{port}")
    running = node(folder, port=port, shop=shop, vendor=vendor, smtp_port=mails.port)
    scraper = prometheus(folder, port=scrape_port, watches=f"127.0.0.1:{port}")
    try:
        running.until(lambda: is_ready(console))
        made = Scene(console, Site(shop), Site(f"http://127.0.0.1:{scrape_port}"), mails)
        made.until(lambda: well(made), SOON_S, lambda: f"every probe is well, not {sick(made)}")
        made.fault()
        yield made
    finally:
        scraper.terminate()
        scraper.wait(20)
        running.end()
        mails.stop()


def is_ready(console: Site) -> bool:
    try:
        return bool(console.text("/-/ready"))
    except Away:
        return False


def well(scene: Scene) -> bool:
    """All probes but the heartbeat's: django-oscar has no nightly job."""
    return not sick(scene)


def sick(scene: Scene) -> dict[str, list[tuple[str, str, str]]]:
    """The others, each with its verdicts, reasons and texts."""
    found = {
        row["probe"]: [(s["state"], s["reason"], s["text"]) for s in row["locations"].values()]
        for row in scene.console.json("/api/v1/probes")["probes"]
        if row["probe"] != "nightly-job"
    }
    return {name: at for name, at in found.items() if [state for state, *_ in at] != ["ok"]}


def acknowledged_by_its_link(scene: Scene, mail: Mail, incident: str) -> Any:
    """Open the link (which changes nothing), press its button; the fact that it left."""
    link = path_of(re.findall(rf"{re.escape(scene.console.url)}/a/\S+", mail.text)[0])
    page = scene.console.text(link)
    assert "triggered" == scene.status(incident)
    before = len(scene.facts(incident, "Acknowledged"))

    assert 303 == scene.console.post_form(link, button(page))

    acknowledged = scene.facts(incident, "Acknowledged")
    assert before + 1 == len(acknowledged)
    assert "acknowledged" == scene.status(incident)
    return acknowledged[-1]


def test_prometheus_sees_every_probe_well(scene: Scene) -> None:
    names = [row["probe"] for row in scene.console.json("/api/v1/probes")["probes"]]
    names.remove("nightly-job")

    scene.until(lambda: all(scene.success(name) == 1.0 for name in names), 30, "a scrape of all")


def test_a_shop_that_answers_500_pages_and_recovers(scene: Scene) -> None:
    scene.fault(errors=1.0)
    incident = scene.until(lambda: scene.incident("shop-home"), SOON_S, "an incident")["incident"]
    mail = scene.until(lambda: scene.mail_about(incident, "CRITICAL"), 20, "a mail")

    fact = acknowledged_by_its_link(scene, mail, incident)

    assert mail.to == (f"{fact['by']}@acme.example",)
    assert "link" == fact["via"]
    scene.until(lambda: scene.success("shop-home") == 0.0, 10, "Prometheus sees it")
    wanted = {"keep", "home", "database", "say"}
    finished = {fact["step"] for fact in scene.facts(incident, "StepFinished")}
    assert wanted <= finished
    scene.fault()
    scene.until(lambda: scene.status(incident) == "resolved", 2 * SOON_S, "resolved")
    scene.until(lambda: scene.success("shop-home") == 1.0, 10, "Prometheus sees it well")
    story = scene.console.text(f"/api/v1/incidents/{incident}/story")
    assert "has it: acknowledged through the link" in story
    assert [] == scene.console.json(f"/api/v1/incidents/{incident}/verify")["findings"]
    draft = scene.console.text(f"/api/v1/incidents/{incident}/postmortem")
    assert f"({incident})" in draft.splitlines()[0]


def test_a_slow_database_is_a_warning_that_wakes_nobody_at_high_urgency(scene: Scene) -> None:
    scene.fault(slow_database_s=2.0)

    incident = scene.until(lambda: scene.incident("shop-home"), SOON_S, "an incident")

    assert ("warning", "low") == (incident["severity"], incident["urgency"])
    assert "slow" == scene.probe("shop-home")["reason"]
    assert 1.0 == scene.success("shop-home"), "slow is not down"
    scene.until(lambda: scene.mail_about(incident["incident"], "WARNING"), 20, "a mail")
    scene.fault()
    scene.until(lambda: scene.status(incident["incident"]) == "resolved", SOON_S, "resolved")


def test_a_missing_basket_button_pages_again(scene: Scene) -> None:
    scene.fault(missing_button=True)
    found = scene.until(
        lambda: scene.incident("shop-product"),
        LATER_S,
        lambda: f"an incident of {scene.probe('shop-product')}",
    )
    incident = found["incident"]
    mail = scene.until(lambda: scene.mail_about(incident, "no_basket_button"), 80, "a mail")

    acknowledged_by_its_link(scene, mail, incident)

    scene.until(lambda: scene.success("shop-product") == 0.0, 10, "Prometheus sees it")
    assert 1.0 == scene.success("shop-home")
    scene.fault()
    scene.until(lambda: scene.status(incident) == "resolved", SOON_S, "resolved")


def test_a_late_feed_asks_the_data_team_and_wakes_nobody_yet(scene: Scene) -> None:
    late = scene.until(lambda: scene.incident("google-feed"), 150, "an incident")

    assert "feed_late" == scene.probe("google-feed")["reason"]
    assert "feed-late" in [run["playbook"] for run in late["runs"].values()]
    asked = scene.until(
        lambda: [
            wait
            for wait in scene.facts(late["incident"], "StepWaiting")
            if wait["step"] == "export"
        ],
        20,
        "the checklist of the playbook",
    )
    assert {"bo", "lee"} == set(asked[0]["asked"])
    pages = scene.facts(late["incident"], "PageQueued")
    assert [] == [page for page in pages if page["purpose"] == "page"]
    scene.until(lambda: scene.success("google-feed") == 0.0, 10, "Prometheus sees it")
    scene.shop.post_json("/faults", {})
    scene.until(lambda: scene.status(late["incident"]) == "resolved", 100, "resolved")
