"""A claimed delivery on its way: the message composed, the address revealed, the notifier asked.

Never raises for a notifier that fails: what came of it is a value, and the reason is safe to
keep (no address, no credential).
"""

from collections.abc import Sequence

from sentinel.clock import Clock
from sentinel.engine import links
from sentinel.engine.messages import compose
from sentinel.engine.present import Present
from sentinel.errors import Failure
from sentinel.incident.runs import asked_of
from sentinel.incident.sending import Claim, Sent
from sentinel.incident.state import IncidentState
from sentinel.kinds import Accepted, Notifier, Refused, Uncertain
from sentinel.words import Seconds, Secret

SEND_WITHIN = Seconds(10.0)
"""How long one send may take (rule 21)."""


class Posting:
    """Sends deliveries through the notifier; signs their links."""

    def __init__(self, present: Present, notifier: Notifier, clock: Clock, link_key: bytes) -> None:
        self._present = present
        self._notifier = notifier
        self._clock = clock
        self._link_key = link_key

    def link(self, delivery: str, person: str, purpose: str) -> str:
        """The address of the page behind a delivery, for this person."""
        action = "approval" if purpose == "approval" else "page"
        expires_at = self._clock.now() + links.VALID_FOR
        token = links.sign(self._link_key, links.Link(delivery, person, action, expires_at))
        return f"{self._present.policy.url}/a/{token}"

    async def send(self, claim: Claim, states: Sequence[IncidentState]) -> tuple[Sent, str, str]:
        """Send; (what it came to, stable reason, text for the timeline)."""
        person = self._present.policy.people.get(claim.person)
        address = person.methods.get(claim.method) if person else self._chat(claim.person)
        if address is None:
            return Sent.refused, "no_method", f"{claim.person} has no method {claim.method}"
        message = compose(
            claim,
            states,
            link=self._link_for(claim, states),
            timezone=person.timezone if person else "UTC",
            asked=self._asked(claim, states),
        )
        try:
            outcome = await self._notifier.send(address, message, deadline_s=SEND_WITHIN)
        except Failure as failure:
            return Sent.refused, failure.reason.value, str(failure)
        match outcome:
            case Accepted(receipt=receipt):
                return Sent.accepted, "", receipt
            case Refused(reason=reason, text=text):
                return Sent.refused, reason, text
            case Uncertain(reason=reason, text=text):
                return Sent.uncertain, reason, text

    def _chat(self, name: str) -> Secret | None:
        """The address under ``tell:`` that stands in a person's place; None: not there any more."""
        family, _, place = name.partition("/")
        escalation, _, rest = place.partition("/")
        declared = self._present.policy.escalations.get(escalation)
        if family != "chat" or declared is None:
            return None
        level, _, index = rest.partition("/")
        levels = declared.levels[int(level) - 1 : int(level)]
        return levels[0].tell[int(index)] if levels and int(index) < len(levels[0].tell) else None

    def _link_for(self, claim: Claim, states: Sequence[IncidentState]) -> str:
        """People get a link that acts for them; a chat gets the incident's page, which acts for nobody."""
        if claim.person in self._present.policy.people:
            return self.link(claim.delivery, claim.person, claim.purpose)
        return f"{self._present.policy.url}/incidents/{states[0].incident}"

    def _asked(self, claim: Claim, states: Sequence[IncidentState]) -> str:
        """What the approvers are asked, from the run's own playbook."""
        asked = [
            self._present.question(run.digest, step)
            for state in states
            for run, step in asked_of(state)
        ]
        return "\n".join(asked)
