"""Documents come into force: as a fact on ``site``, as bodies by digest, as rows by time.

Runs and rounds pin bodies by digest, and past shifts are computed from the documents active
then (rule 23). A reload that changes who is on call at this instant is a fact on the
rotation's stream (rule 28).
"""

from dataclasses import dataclass, replace

from sentinel.engine.deciding import Deciding, Decisions
from sentinel.library.catalog import Catalog, difference
from sentinel.oncall.schedule import people_at
from sentinel.store.journal import Activation, Document, WorkKind
from sentinel.timeline.facts import Fact
from sentinel.timeline.site_facts import DocumentsActivated, NodeStarted, OnCallChanged


@dataclass(frozen=True, slots=True)
class Changed:
    """A rotation whose people at this instant a reload changed."""

    rotation: str
    before: tuple[str, ...]
    after: tuple[str, ...]


async def activate(
    decisions: Decisions,
    catalog: Catalog,
    *,
    node: str,
    version: str,
    before: Catalog | None = None,
) -> list[Changed]:
    """Put a catalogue in force. `node` is named when it starts with this; "" on a reload. `before`
    is what this process had in force. Gives whose turn changed by it."""
    rotations = [f"override/{name}" for name in catalog.policy.rotations]

    def body(deciding: Deciding) -> list[Changed]:
        if node:
            deciding.append("site", Fact(NodeStarted(node, version), deciding.now))
        _store(deciding, catalog)
        return _changed_shifts(deciding, before, catalog) if before is not None else []

    return await decisions.run(["site", *rotations], body)


def _store(deciding: Deciding, catalog: Catalog) -> None:
    active = {(each.kind, each.id): each.digest for each in deciding.view.activations(deciding.now)}
    wanted = catalog.documents.digests()
    new = {name: digest for name, digest in wanted.items() if active.get(name) != digest}
    gone = [name for name in active if name not in wanted]
    if not new and not gone:
        return
    for (kind, id), digest in new.items():
        _, content = catalog.documents[kind, id]
        deciding.documents.append(Document(digest, kind, id, content))
        deciding.activations.append(Activation(deciding.now, kind, id, digest))
    for kind, id in gone:
        deciding.activations.append(Activation(deciding.now, kind, id, None))
    added = sum(name not in active for name in new)
    counts = DocumentsActivated(catalog.digest, added, len(new) - added, len(gone))
    deciding.append("site", Fact(counts, deciding.now))


def _changed_shifts(deciding: Deciding, before: Catalog, after: Catalog) -> list[Changed]:
    """Who is on call at this instant, then and now, where the reload changed it."""
    found: list[Changed] = []
    if not difference(before, after):
        return found
    for name, rotation in after.policy.rotations.items():
        earlier = before.policy.rotations.get(name)
        if earlier is None:
            continue
        extra = deciding.overlay.overrides(name)
        now = deciding.now
        old = people_at(earlier, now, people=before.policy.people, extra_overrides=extra).people
        new = people_at(rotation, now, people=after.policy.people, extra_overrides=extra).people
        if old != new:
            deciding.append(f"override/{name}", Fact(OnCallChanged(old, new), now))
            found.append(Changed(name, old, new))
    return found


async def free_leases(decisions: Decisions, *, node: str) -> None:
    """A node starts: what its predecessor held may be taken at once, without waiting for the lease.

    The predecessor is whoever had this `node`'s name. Where no other node can work on the journal,
    whoever held a row is dead whatever its name was: the name of a machine may be another after each
    start. Where others can, what they hold they may be doing, and their leases run out by
    themselves."""
    shared = decisions.journal.shared

    def body(deciding: Deciding) -> None:
        for kind in (WorkKind.step, WorkKind.delivery):
            for row in deciding.view.works(kind):
                if row.owner and (not shared or row.owner == node):
                    deciding.work[row.key] = replace(row, lease_until_at=deciding.now)

    await decisions.run([], body)
