"""What is in force now: the catalogue's policy, and documents pinned by earlier decisions.

A reload replaces the policy in one assignment; decisions under way keep the one they began
with. Documents pinned by runs and rounds are read back from the store by digest (rule 23).
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sentinel.incident.plan import Health, people_who_may_be_paged
from sentinel.incident.policy import Policy
from sentinel.incident.state import IncidentState
from sentinel.library.catalog import read_one
from sentinel.monitor.silence import automation_paused
from sentinel.oncall.escalation import Escalation
from sentinel.oncall.rotation import Rotation
from sentinel.playbook.needs import step_named
from sentinel.playbook.playbook import Playbook, WaitApproval, WaitChecklist
from sentinel.store.journal import View
from sentinel.words import Outcome

Pinned = Playbook | Escalation | Rotation

HEALTH_LOOKS_AT = 100
"""Checks looked at for a ``healthy`` wait."""


class PinnedDocuments(Mapping[str, Pinned]):
    """Documents by digest: those in force, those seen before, else read from the store."""

    def __init__(self, known: dict[str, Pinned], view: View) -> None:
        self._known = known
        self._view = view

    def __getitem__(self, digest: str) -> Pinned:
        if digest not in self._known:
            stored = self._view.document(digest)
            if stored is None:
                raise KeyError(digest)
            self._known[digest] = read_one(stored.kind, stored.id, stored.body)
        return self._known[digest]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


class Present:
    """The policy in force. Replace `policy` to activate another."""

    def __init__(self, policy: Policy) -> None:
        self._known: dict[str, Pinned] = {}
        self._pageable: frozenset[str] = frozenset()
        """All that any decision may page, as ``person/ID``: asked for at every decision."""
        self.policy = policy
        self.activate(policy)

    def activate(self, policy: Policy) -> None:
        """From now on decisions read this one."""
        self.policy = policy
        self._known |= {each.digest: each for each in policy.playbooks.values()}
        self._known |= {each.digest: each for each in policy.escalations.values()}
        people = people_who_may_be_paged(policy, _references(policy))
        self._pageable = frozenset(f"person/{person}" for person in people)

    def references(self, state: IncidentState) -> frozenset[str]:
        """Everybody this incident may page: by its escalation, else by any playbook's."""
        planned = state.paging.escalation
        return self._pageable | {f"escalation/{planned}"} if planned else self._pageable

    def question(self, digest: str, step: str) -> str:
        """What an approval or checklist step asks people, as its playbook says it."""
        playbook = self._known.get(digest)
        if not isinstance(playbook, Playbook):
            return f"May step `{step}` go on?"
        declared = step_named(playbook, step)
        does = declared.does if declared is not None else None
        match does:
            case WaitApproval(text=text) if text:
                return f"{playbook.id}: {text}"
            case WaitChecklist(items=items):
                return "\n".join(
                    [f"{playbook.id}: please do, and tick:", *(f"- {i}" for i in items)]
                )
            case WaitApproval():
                return f"{playbook.id}: may step `{step}` go on?"
            case _:
                return f"{playbook.id}: step `{step}` was interrupted. Did it take effect?"

    def pinned(self, view: View) -> Mapping[str, Pinned]:
        """Documents by digest, as one transaction can read them."""
        return PinnedDocuments(self._known, view)

    def health(self, view: View) -> Health:
        """How many checks of a probe in a row were good since an instant, newest first."""

        def count(probe: str, since: datetime) -> int:
            far = datetime.max.replace(tzinfo=since.tzinfo)
            results = view.results(probe, since, far, HEALTH_LOOKS_AT)
            good = 0
            for result in results:
                if result.outcome is not Outcome.ok:
                    break
                good += 1
            return good

        return count

    def paused_by(self, now: datetime) -> Callable[[Mapping[str, Any]], str]:
        """Which maintenance pauses automation on labels at `now`; "" when none."""
        maintenance = tuple(self.policy.maintenance.values())
        return lambda labels: automation_paused(labels, now, maintenance)


def _references(policy: Policy) -> set[str]:
    """Whom the fallback, the unmatched and every playbook page or ask."""
    found = {*policy.fallback.page, f"escalation/{policy.unmatched}"}
    for playbook in policy.playbooks.values():
        if playbook.page is not None:
            found.add(f"escalation/{playbook.page.escalation}")
        found |= {by for step in playbook.steps if (by := getattr(step.does, "by", ""))}
    return found
