"""A claimed step is done: its texts rendered, its action run in a real world, its answer a value.

Never raises: an action that breaks or outlives its deadline is an answer too, and of one
that writes nobody then knows whether it did it. Notes and evidence are gathered and
committed together with the outcome, so a crash in between leaves neither twice.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast

from sentinel.clock import Clock
from sentinel.engine.redaction import Redactor
from sentinel.engine.texts import render_text
from sentinel.engine.world import World
from sentinel.incident.steps import StepClaim
from sentinel.kinds import Action, Done, Failed, Secrets, Unsure
from sentinel.playbook.decision import Found, StepResult
from sentinel.transport.curl import Transport
from sentinel.words import CUT, shortened

GRACE_S = 2.0
"""How long beyond its deadline an action may take to say that it timed out."""
LOOK_UP_S = 10.0
"""How long looking an unsure attempt up may take."""
MAX_EVIDENCE = 1 << 20

log = logging.getLogger("sentinel.acting")

Said = TypeVar("Said", StepResult, Found, StepResult | Found)


@dataclass(slots=True)
class Acted:
    """What an action came to, with what must be committed along with it."""

    result: StepResult | Found
    found: Found | None = None
    """What looking up an unsure attempt showed, where its action can."""
    notes: list[str] = field(default_factory=list)
    evidence: dict[str, bytes] = field(default_factory=dict)
    kept: list[tuple[str, str, int]] = field(default_factory=list)
    """(digest, name, size in bytes) of each piece of evidence."""


class Acting:
    """Runs actions. `check` checks a declared probe now."""

    def __init__(
        self,
        *,
        clock: Clock,
        transport: Transport,
        secrets: Secrets,
        redactor: Redactor,
        folder: Path,
        check: Callable[[str], Awaitable[Mapping[str, Any]]],
    ) -> None:
        self._clock = clock
        self._transport = transport
        self._secrets = secrets
        self._redactor = redactor
        self._folder = folder
        self._check = check

    async def act(self, claim: StepClaim) -> Acted:
        """Do one attempt, or look up what became of a lost one. Of what it says, texts are as clean
        as evidence; its values are without the secrets that are known, and else as they came, since
        later steps act on them."""
        acted = await self._acted(claim)
        acted.result = self._clean(acted.result)
        acted.found = acted.found and self._clean(acted.found)
        return acted

    def _clean(self, result: Said) -> Said:
        text = self._redactor.text(result.text)
        return replace(result, text=text, values=self._redactor.known(result.values))

    async def _acted(self, claim: StepClaim) -> Acted:
        acted = Acted(StepResult("failed", "internal"))
        now = self._clock.now()
        left_s = max((claim.deadline_at - now).total_seconds(), 0.0)
        world = self._world(claim, acted, now=now, left_s=left_s)
        inputs, problem = _texts(claim)
        if problem:
            acted.notes.append(problem)
        action = cast("Action", claim.does)
        try:
            async with asyncio.timeout(left_s + GRACE_S):
                if claim.lost:
                    acted.result = await action.look_up(inputs, world)  # type: ignore[attr-defined]
                else:
                    acted.result = _result(await action.act(inputs, world))
        except TimeoutError:
            acted.result = _unknown(claim, "deadline", "the action outlived its deadline")
        except Exception as broken:
            log.exception("an action broke", extra={"step": claim.step, "run": claim.run})
            acted.result = _unknown(claim, "internal", _told(broken))
        if isinstance(acted.result, StepResult) and acted.result.kind == "unsure":
            acted.found = await self._look_up(claim, acted, inputs)
        return acted

    async def _look_up(
        self, claim: StepClaim, acted: Acted, inputs: Mapping[str, Any]
    ) -> Found | None:
        """Whether an unsure attempt took effect; None where the action cannot tell (rule 22)."""
        if not hasattr(claim.does, "look_up"):
            return None
        world = self._world(claim, acted, now=self._clock.now(), left_s=LOOK_UP_S)
        try:
            async with asyncio.timeout(LOOK_UP_S + GRACE_S):
                found: Found = await claim.does.look_up(inputs, world)
                return found
        except TimeoutError:
            return Found("unknown", text="looking it up took too long")
        except Exception as broken:
            log.exception("a look-up broke", extra={"step": claim.step, "run": claim.run})
            return Found("unknown", text=_told(broken))

    def _world(self, claim: StepClaim, acted: Acted, *, now: datetime, left_s: float) -> World:
        async def keep(name: str, content: bytes) -> str:
            text = content[:MAX_EVIDENCE].decode("utf-8", "replace")
            cut = CUT if len(content) >= MAX_EVIDENCE else ""
            clean = self._redactor.text(f"{text}{cut}").encode()
            digest = sha256(clean).hexdigest()
            acted.evidence[digest] = clean
            acted.kept.append((digest, name, len(clean)))
            return digest

        async def submit(command: Mapping[str, Any]) -> None:
            if command.get("command") != "note":
                raise ValueError(f"a step may submit notes, not `{command.get('command')}`")
            acted.notes.append(self._redactor.text(str(command.get("text", ""))))

        return World(
            key=claim.key,
            deadline=self._transport.now() + left_s,
            now=now,
            transport=self._transport,
            secrets=self._secrets,
            folder=self._folder,
            checks=self._check,
            keeps=keep,
            submits=submit,
        )


def _told(broken: Exception) -> str:
    return shortened(f"{type(broken).__name__}: {broken}", 300)


def _texts(claim: StepClaim) -> tuple[Mapping[str, Any], str]:
    """The inputs with texts for people rendered; a template that fails stays as written, and the
    failure is a note."""
    texts = getattr(claim.does, "TEXTS", ("text",) if claim.does.KIND == "note" else ())
    inputs = dict(claim.inputs)
    for name in texts:
        if not isinstance(inputs.get(name), str):
            continue
        rendered, error = render_text(inputs[name], claim.bound)
        inputs[name] = rendered
        if error:
            return inputs, f"the text of step {claim.step} could not be rendered: {error}"
    return inputs, ""


def _result(outcome: Done | Failed | Unsure) -> StepResult:
    match outcome:
        case Done():
            return StepResult(
                "done", text=outcome.text, values=outcome.values, evidence=outcome.evidence
            )
        case Failed():
            return StepResult(
                "failed",
                outcome.reason,
                outcome.text,
                retryable=outcome.retryable,
                retry_after_s=outcome.retry_after_s,
                values=outcome.values,
                evidence=outcome.evidence,
            )
        case Unsure():
            return StepResult("unsure", outcome.reason, outcome.text, evidence=outcome.evidence)


def _unknown(claim: StepClaim, reason: str, text: str) -> StepResult | Found:
    """Of an action that writes nobody knows now; one that only reads simply failed."""
    if claim.lost:
        return Found("unknown", text=text)
    if claim.does.WRITES:
        return StepResult("unsure", reason, text)
    return StepResult("failed", reason, text, retryable=reason == "deadline")
