"""A real shop watched by a real node, mails to a real SMTP server, metrics to a real Prometheus."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from examples.shop.mailbox import Mail, MailServer
from sentinel.cli.demo_client import Away, Site
from sentinel.cli.demo_world import Child, mail_address
from tests.children import wait_for
from tests.conftest import ROOT, program

PEOPLE = ("ANA", "BO", "KIM", "LEE", "DEE", "ELI", "OPS_LEAD")
SHIPPED = 'deadline: {cron: "30 5 * * *", timezone: Europe/Helsinki, grace: 20m, skip: [calendar/fi-holidays]}'
EACH_MINUTE = 'deadline: {cron: "* * * * *", timezone: Europe/Helsinki, grace: 10s}'
PARTS = ("probes", "playbooks", "rotations", "sentinel.yaml")
SCRAPED_EVERY = "1s"


def overlay(to: Path) -> Path:
    """The repository's workspace with one thing changed beside the addresses: its feed is due every
    minute instead of every morning, because no test can wait for half past five."""
    to.mkdir()
    for name in PARTS:
        (to / name).symlink_to(ROOT / name)
    (to / "probes").unlink()
    (to / "probes").mkdir()
    for file in (ROOT / "probes").glob("*.yaml"):
        (to / "probes" / file.name).write_text(file.read_text().replace(SHIPPED, EACH_MINUTE))
    assert EACH_MINUTE in (to / "probes" / "feed.yaml").read_text()
    return to


def node(folder: Path, *, port: int, shop: str, vendor: str, smtp_port: int) -> Child:
    """``sentinel run`` as a person starts it: the same workspace, other addresses."""
    addresses = {
        "shop": shop,
        "feeds": f"{shop}/feed",
        "payments": f"{vendor}/payments",
        "status": f"{vendor}/status",
    }
    argv = [sys.executable, "-m", "sentinel", "run", str(overlay(folder / "workspace"))]
    argv += ["--data", str(folder / "data"), "--listen", f"127.0.0.1:{port}"]
    argv += ["--url", f"http://127.0.0.1:{port}", "--until-stdin-closes"]
    argv += [word for name, url in addresses.items() for word in ("--address", f"{name}={url}")]
    mails = {f"{name}_MAIL": mail_address(f"{name}_MAIL", str(smtp_port)) for name in PEOPLE}
    return Child("node", argv, env={**os.environ, **mails}, log=folder / "node.log")


def prometheus(folder: Path, *, port: int, watches: str) -> subprocess.Popen[bytes]:
    """Debian's Prometheus, scraping the node every second."""
    config = folder / "prometheus.yml"
    config.write_text(
        f"global: {{scrape_interval: {SCRAPED_EVERY}}}\n"
        "scrape_configs:\n"
        f"  - {{job_name: sentinel, static_configs: [{{targets: ['{watches}']}}]}}\n"
    )
    argv = [str(program("prometheus")), f"--config.file={config}", "--log.level=error"]
    argv += [f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}"]
    return subprocess.Popen(argv, cwd=folder)


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that runs, asked as its users ask it."""

    console: Site
    shop: Site
    scraper: Site
    mail_server: MailServer

    def fault(self, **faults: Any) -> None:
        """Replace the shop's faults. The feed's writer stands still all through these tests."""
        self.shop.post_json("/faults", {"late_feed": True, **faults})

    def probe(self, name: str) -> Mapping[str, Any]:
        """How a probe stands."""
        rows = self.console.json("/api/v1/probes")["probes"]
        (row,) = [row for row in rows if row["probe"] == name]
        return next(iter(row["locations"].values()), {})

    def success(self, probe: str) -> float | None:
        """What Prometheus has of `probe_success`; None: no sample."""
        query = quote(f'probe_success{{probe="{probe}"}}')
        try:
            found = self.scraper.json(f"/api/v1/query?query={query}")["data"]["result"]
        except Away:  # it is still starting
            return None
        return float(found[0]["value"][1]) if found else None

    def incident(self, probe: str) -> Mapping[str, Any] | None:
        """The open incident in which this probe fires."""
        for row in self.console.json("/api/v1/incidents")["incidents"]:
            if row["status"] not in ("triggered", "acknowledged"):
                continue
            whole: Mapping[str, Any] = self.console.json(f"/api/v1/incidents/{row['incident']}")
            if any(alert["probe"] == probe and alert["firing"] for alert in whole["alerts"]):
                return whole
        return None

    def status(self, incident: str) -> str:
        """The incident's status."""
        return str(self.console.json(f"/api/v1/incidents/{incident}")["status"])

    def facts(self, incident: str, kind: str) -> list[dict[str, Any]]:
        """The facts of one type, oldest first."""
        whole = self.console.json(f"/api/v1/incidents/{incident}")
        return [fact["data"] for fact in whole["facts"] if fact["type"] == kind]

    def mail_about(self, *words: str) -> Mail | None:
        """The newest mail that names all of these."""
        found = [
            mail
            for mail in self.mail_server.mails()
            if all(word in mail.subject + mail.text for word in words)
        ]
        return found[-1] if found else None

    def until(
        self, condition: Callable[[], Any], deadline_s: float, what: str | Callable[[], str]
    ) -> Any:
        """`wait_for`; `what` may be asked at the end for what stood in the way."""
        try:
            return wait_for(condition, deadline_s, what="it")
        except AssertionError as late:
            raise AssertionError(f"{what if isinstance(what, str) else what()}: {late}") from late
