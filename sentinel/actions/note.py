"""A line on the incident's timeline."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from sentinel.expression import Declaration
from sentinel.kinds import ActionWorld, Done, Failed, Outcomes, key
from sentinel.words import shortened

MAX_TEXT = 10_000
"""Characters of a note; the rest is cut, and said to be."""


@dataclass(frozen=True, slots=True)
class Note:
    """Writes a note on the incident's timeline.

    The text is Jinja2 in its hardened sandbox: `{{ incident.id }}`, `{{ labels.service }}`,
    `{{ steps.measure.outputs.ratio }}`, `{{ run.conclusion }}`. What comes from outside stays
    data.
    """

    KIND: ClassVar[str] = "note"
    OUTPUTS: ClassVar[Declaration] = {}
    WRITES: ClassVar[bool] = False

    text: str = key("What to write.", examples=["Switched: {{ run.conclusion }}"], minLength=1)

    async def act(self, inputs: Mapping[str, Any], world: ActionWorld) -> Outcomes:
        """Submit the note."""
        text = str(inputs.get("text", self.text)).strip()
        if not text:
            return Failed("empty", "the note's text came out empty")
        if len(text) > MAX_TEXT:
            text = f"{text[:MAX_TEXT]}… (cut from {len(text)} characters)"
        await world.submit({"command": "note", "text": text})
        return Done(text=shortened(text.splitlines()[0], 300))
