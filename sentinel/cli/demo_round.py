"""One round of the main job, each stage proved against the node's API and the mailbox.

A stage is done when the world shows it, never because the demo asked for it: the shop's pages
fail in `/metrics`, the mail is in the mailbox, the link's GET left the incident as it was. What
does not show within the patience raises `Missing`, and the round ends there.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from sentinel.cli.demo_client import Away, path_of
from sentinel.cli.demo_show import Show
from sentinel.cli.demo_world import Mail, World
from sentinel.engine.failpoint import Stage
from sentinel.engine.node import read_workspace
from sentinel.monitor.verdict import regular_slot

SERVICE = "storefront"
FIRST, LATER = "shop-home", "shop-product"
"""The probe that is to see the fault, and one that depends on it and looks less often."""
PLAYBOOK = "shop-down"
STEPS = frozenset({"keep", "home", "database", "say"})
LOOK_EVERY_S = 0.2
BEFORE_LATER = timedelta(seconds=4)
LONGEST_DELAY_S = 12.0
RECOVERY_TIMES = 2
"""Recovery may take this many patiences: a probe that looks every 30 s must see it too."""


class Missing(Exception):
    """A stage did not happen. `stage` is which, the text what was looked for in vain."""

    def __init__(self, stage: Stage, text: str) -> None:
        super().__init__(text)
        self.stage = stage


class Round:
    """Breaks the shop, follows the incident to its end, and mends the shop."""

    def __init__(self, world: World, show: Show, *, patience_s: float) -> None:
        self._world = world
        self._show = show
        self._patience_s = patience_s
        self._incident = ""
        self._mail = Mail((), "", "")
        self._told: dict[str, int] = {}
        self._mails = 0

    def stages(self) -> Iterator[tuple[Stage, str]]:
        """Do one stage after another; each with what proved it. Raises Missing, Away."""
        steps: Mapping[Stage, Callable[[], str]] = {
            Stage.checks: self._checks,
            Stage.incident: self._opens,
            Stage.playbook: self._acts,
            Stage.page: self._pages,
            Stage.acknowledge: self._acknowledges,
            Stage.recovery: self._recovers,
            Stage.timeline: self._tells,
            Stage.postmortem: self._drafts,
        }
        for stage, step in steps.items():
            self._show.begins(stage)
            yield stage, step()

    def look(self) -> None:
        """Show what is new: lines of stories, and mails."""
        for row in reversed(self._api("/incidents")["incidents"]):
            name = row["incident"]
            try:
                lines = self._world.console.text(f"/api/v1/incidents/{name}/story").splitlines()
            except Away:  # the timeline stage says so when its turn comes
                continue
            self._show.story(name, lines[self._told.get(name, 0) :])
            self._told[name] = len(lines)
        mails = self._world.mails()
        for mail in mails[self._mails :]:
            self._show.mail(mail)
        self._mails = len(mails)

    def _api(self, path: str) -> Any:
        return self._world.console.json(f"/api/v1{path}")

    def _until(
        self, stage: Stage, ready: Callable[[], Any], what: str, *, times: float = 1.0
    ) -> Any:
        """Look until `ready` gives something true, and give that. Raises Missing."""
        deadline = time.monotonic() + self._patience_s * times
        while time.monotonic() < deadline:
            self.look()
            if found := ready():
                return found
            time.sleep(LOOK_EVERY_S)
        raise Missing(stage, what)

    # ── the stages ──

    def _checks(self) -> str:
        well = self._until(Stage.checks, self._all_well, "not every probe found its target well")
        self._wait_for_the_moment()
        self._show.says("breaking the shop: every page is answered 500")
        self._world.break_shop(errors=1.0)
        probe = self._until(Stage.checks, self._firing, "no probe of the storefront fires")
        metric = f'probe="{probe}"'
        lines = self._world.console.text("/metrics").splitlines()
        shown = [line for line in lines if line.startswith("probe_success{") and metric in line]
        if not any(float(line.rsplit(" ", 1)[1]) == 0.0 for line in shown):
            raise Missing(Stage.checks, f"/metrics does not show {probe} failing: {shown}")
        return f"{well} probes were well; then {probe} fires, and /metrics shows it"

    def _states(self) -> dict[str, Mapping[str, Any]]:
        return {
            row["probe"]: next(iter(row["locations"].values()), {})
            for row in self._api("/probes")["probes"]
        }

    def _all_well(self) -> int:
        states = [state.get("state") for state in self._states().values()]
        return len(states) if states and set(states) == {"ok"} else 0

    def _wait_for_the_moment(self) -> None:
        """Break it when the probe that leads is due before the one that depends on it, so that the
        round is quick: what a parent mutes need not recover."""
        probes = read_workspace(self._world.workspace).policy.probes
        if FIRST not in probes or LATER not in probes:
            return
        deadline = time.monotonic() + LONGEST_DELAY_S
        while time.monotonic() < deadline:
            now = datetime.now(UTC)
            first, later = (regular_slot(probes[name], after=now) for name in (FIRST, LATER))
            if later - first > BEFORE_LATER:
                return
            self.look()
            time.sleep(LOOK_EVERY_S)

    def _firing(self) -> str:
        rows = [row for row in self._api("/probes")["probes"] if row["service"] == SERVICE]
        states = self._states()
        fires = [row["probe"] for row in rows if states[row["probe"]].get("state") == "firing"]
        return fires[0] if fires else ""

    def _opens(self) -> str:
        def opened() -> str:
            rows = self._api("/incidents?status=triggered")["incidents"]
            found = [r["incident"] for r in rows if r["labels"].get("service") == SERVICE]
            return found[0] if found else ""

        self._incident = self._until(Stage.incident, opened, "no incident opened")
        (joined,) = self._facts("AlertJoined")[:1] or [{}]
        if not joined.get("probe"):
            raise Missing(Stage.incident, "the incident has no alert of a probe")
        title = self._state()["title"]
        return f"{self._incident}: {title}"

    def _acts(self) -> str:
        def finished() -> bool:
            return {
                fact["step"]
                for fact in self._facts("StepFinished")
                if fact["conclusion"] == "succeeded"
            } >= STEPS

        what = f"playbook {PLAYBOOK} did not finish {', '.join(sorted(STEPS))}"
        self._until(Stage.playbook, finished, what)
        if PLAYBOOK not in [fact["playbook"] for fact in self._facts("RunQueued")]:
            raise Missing(Stage.playbook, f"playbook {PLAYBOOK} did not run")
        kept = self._facts("EvidenceKept")
        if not kept:
            raise Missing(Stage.playbook, "the playbook kept no evidence")
        return f"{PLAYBOOK}: {len(STEPS)} steps succeeded, {len(kept)} piece of evidence kept"

    def _pages(self) -> str:
        def delivered() -> Mail | None:
            ours = [mail for mail in self._world.mails() if self._incident in mail.text]
            return ours[0] if ours else None

        self._mail = self._until(Stage.page, delivered, "no mail about the incident came")
        self._until(Stage.page, lambda: self._facts("PageAccepted"), "no page was accepted")
        codes = [fact["code"] for fact in self._facts("PageStarted")]  # two people's, in some hours
        named = [code for code in codes if code in self._mail.subject]
        if not named:
            raise Missing(Stage.page, f"the mail's subject names no code of {', '.join(codes)}")
        return f"mail to {', '.join(self._mail.to)} with code {named[0]}"

    def _acknowledges(self) -> str:
        link = self._link()
        before = self._state()
        page = self._world.console.text(link)
        self._world.console.text(link)
        after = self._state()
        if (before["status"], before["holder"]) != (after["status"], after["holder"]):
            raise Missing(Stage.acknowledge, "looking at the link changed the incident")
        if self._facts("Acknowledged"):
            raise Missing(Stage.acknowledge, "it was acknowledged before anybody pressed")
        self._show.says(f"opened {self._world.console.url}{link} twice: nothing changed")
        fields = button(page)
        if not fields:
            raise Missing(Stage.acknowledge, "the page behind the link has no button")
        self._show.says("pressing its button")
        self._world.console.post_form(link, fields)
        what = "the button's POST did not acknowledge the incident"
        self._until(Stage.acknowledge, lambda: self._state()["status"] == "acknowledged", what)
        (acknowledged,) = self._facts("Acknowledged")[:1]
        holder = self._state()["holder"]
        if acknowledged["via"] != "link" or not self._mail.to[0].startswith(f"{holder}@"):
            raise Missing(Stage.acknowledge, f"not by the link of the paged: {acknowledged}")
        return f"{holder} has it, through the link; two GETs before changed nothing"

    def _link(self) -> str:
        found = re.search(rf"{re.escape(self._world.console.url)}/a/\S+", self._mail.text)
        if found is None:
            raise Missing(Stage.page, "the mail has no link to the console")
        return path_of(found.group())

    def _recovers(self) -> str:
        self._show.says("mending the shop")
        self._world.break_shop()
        what = "the incident was not resolved after the shop was mended"
        self._until(
            Stage.recovery,
            lambda: self._state()["status"] == "resolved",
            what,
            times=RECOVERY_TIMES,
        )
        state = self._states()[FIRST]["state"]
        if state != "ok" or not self._facts("AlertEnded"):
            raise Missing(Stage.recovery, f"resolved, but {FIRST} is {state}")
        concluded = "the playbook's run did not conclude"
        self._until(Stage.recovery, lambda: self._facts("RunConcluded"), concluded)
        return f"{FIRST} is ok, the incident is resolved, the playbook concluded"

    def _tells(self) -> str:
        path = f"/api/v1/incidents/{self._incident}"
        try:
            text = self._world.console.text(f"{path}/story")
        except Away as away:
            raise Missing(Stage.timeline, str(away)) from away
        for word in (self._incident, PLAYBOOK, "acknowledged", "resolved"):
            if word.lower() not in text.lower():
                raise Missing(Stage.timeline, f"the story does not say `{word}`")
        proof = self._world.console.json(f"{path}/verify")
        if proof["findings"] or not proof["facts"]:
            raise Missing(Stage.timeline, f"the chain does not verify: {proof['findings'][:3]}")
        self._show.timeline(self._incident, text)
        return f"{len(text.splitlines())} lines told, {proof['facts']} facts verified"

    def _drafts(self) -> str:
        path = f"/api/v1/incidents/{self._incident}/postmortem"
        try:
            text = self._world.console.text(path)
        except Away as away:
            raise Missing(Stage.postmortem, str(away)) from away
        for word in (f"({self._incident})", "## Impact", "## Timeline", "## Contributing factors"):
            if word not in text:
                raise Missing(Stage.postmortem, f"the draft does not have `{word}`")
        self._show.postmortem(text)
        return f"{len(text.splitlines())} lines drafted"

    def _state(self) -> Any:
        return self._api(f"/incidents/{self._incident}")

    def _facts(self, kind: str) -> list[dict[str, Any]]:
        return [fact["data"] for fact in self._state()["facts"] if fact["type"] == kind]


def button(page: str) -> dict[str, str]:
    """What the acknowledge page's form sends when its button is pressed; empty without one."""
    for form in LexborHTMLParser(page).css("form[method=post]"):
        fields = {
            str(field.attributes.get("name")): str(field.attributes.get("value") or "")
            for field in form.css("input[name]")
        }
        if fields.get("command") == "ack" and form.css_first("button") is not None:
            return fields
    return {}
