"""What a step sends may come back in all that it says: nothing of that is kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from sentinel.engine.acting import MAX_EVIDENCE, Acted, Acting
from sentinel.engine.redaction import Redactor
from sentinel.incident.steps import StepClaim
from sentinel.kinds import ActionWorld, Done, Failed, Outcomes, Unsure
from sentinel.playbook.decision import Found
from sentinel.testing import KnownSecrets, ManualClock
from sentinel.transport.curl import Transport
from sentinel.words import Secret
from tests.engine.watching import NOON, played
from tests.web.asgi import WORKSPACE, World, play

SECRET = "s3cret-of-the-shop"
SAID = {"status": 401, "json": {"you_sent": [SECRET]}}
TEXT = f"what is {SECRET}?"


@dataclass(frozen=True)
class Telling:
    """Says what it knows, in every way that an action has."""

    does: Any
    KIND: ClassVar[str] = "telling"
    WRITES: ClassVar[bool] = True

    async def act(self, inputs: Mapping[str, Any], world: ActionWorld) -> Outcomes:
        told = world.secrets.reveal(Secret("env:SHOP"))
        await world.store_evidence("exchange", TEXT.encode())
        await world.store_evidence("long", b"a" * (MAX_EVIDENCE - 9) + told.encode())
        await world.submit({"command": "note", "text": TEXT})
        if isinstance(self.does, Exception):
            raise self.does
        outcome: Outcomes = self.does
        return outcome

    async def look_up(self, inputs: Mapping[str, Any], world: ActionWorld) -> Found:
        return Found("done", SAID, TEXT)


async def acted(does: Any) -> Acted:
    claim = StepClaim(
        "run", "tell", 1, 1, "key", Telling(does), {}, {}, NOON + timedelta(minutes=1)
    )
    async with Transport() as transport:
        acting = Acting(
            clock=ManualClock(NOON),
            transport=transport,
            secrets=KnownSecrets({"env:SHOP": SECRET}),
            redactor=Redactor([SECRET]),
            folder=Path(),
            check=lambda probe: pytest.fail(probe),
        )
        return await acting.act(claim)


@pytest.mark.parametrize(
    "does",
    [
        Done(SAID, TEXT),
        Failed("status", TEXT, values=SAID),
        Unsure("reset", TEXT),
        ValueError(TEXT),
    ],
    ids=lambda does: type(does).__name__,
)
@played
async def test_nothing_that_an_action_says_holds_its_secret(does: Any):
    came_to = await acted(does)
    kept = b"".join(came_to.evidence.values())

    assert "what is ***?" in came_to.result.text
    assert ["what is ***?"] == came_to.notes
    assert "s3cret" not in f"{came_to.result} {came_to.found}"
    assert b"s3cret" not in kept
    assert b"what is ***?" in kept


@played
async def test_what_is_no_secret_is_what_later_steps_get():
    said = {"status": 200, "json": {"order": "ana@acme.example", "ratio": 0.5}}

    assert said == (await acted(Done(said))).result.values


ACTING = """
playbooks:
  switch:
    when: 'true'
    steps:
      - {id: a, http: {url: "https://psp.example/", secret_headers: {X-Key: "Bearer {env:BEAT}"}}}
"""


def test_a_node_knows_the_secrets_of_its_playbooks_from_the_beginning_and_from_a_reload_on(
    tmp_path: Path,
) -> None:
    without = WORKSPACE.replace("env:BEAT", "env:ANA")

    async def at_first(world: World) -> None:
        assert "***" == world.node.redactor.text("beat-secret-1")

    async def later(world: World) -> None:
        assert "beat-secret-1" == world.node.redactor.text("beat-secret-1")
        (tmp_path / "sentinel.yaml").write_text(without + ACTING)
        assert () == tuple(await world.node.reload())
        assert "***" == world.node.redactor.text("beat-secret-1")

    play(tmp_path, later, without)
    play(tmp_path, at_first, without + ACTING)
