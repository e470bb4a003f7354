"""The console's page of who answers: of each rotation who is on call, until when, and who follows."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sentinel.engine.folds import Overlay
from sentinel.engine.node import Node
from sentinel.incident.policy import Policy
from sentinel.oncall.rotation import Rotation
from sentinel.oncall.schedule import OnCall, Shift, on_call, shifts
from sentinel.web.door import visitor
from sentinel.web.render import page

AHEAD = timedelta(days=14)
MOST_SHIFTS = 30
MOST_ROTATIONS = 200


@dataclass(frozen=True, slots=True)
class Duty:
    """A rotation now and over the next two weeks; at most `MOST_SHIFTS` shifts of those."""

    rotation: Rotation
    present: OnCall
    shifts: tuple[Shift, ...]


def _duty(overlay: Overlay, policy: Policy, rotation: Rotation, now: datetime) -> Duty:
    extra = overlay.overrides(rotation.id)
    people = policy.people
    present = on_call(rotation, now, people=people, extra_overrides=extra)
    ahead = shifts(rotation, now, now + AHEAD, people=people, extra_overrides=extra)
    return Duty(rotation, present, ahead[:MOST_SHIFTS])


async def oncall(request: Request) -> Response:
    """Every rotation, in its own time zone; gaps are drawn as gaps."""
    who = await visitor(request)
    if isinstance(who, Response):
        return who
    node: Node = request.app.state.node
    policy, now = node.present.policy, node.clock.now()
    chosen = sorted(policy.rotations.values(), key=lambda each: each.id)[:MOST_ROTATIONS]
    duties = await node.decisions.look(
        lambda overlay: [_duty(overlay, policy, rotation, now) for rotation in chosen]
    )
    return page(request, "oncall.html", duties=duties, ahead=AHEAD, most=MOST_SHIFTS)


ROUTES = [Route("/oncall", oncall, methods=["GET", "HEAD"], name="oncall")]
