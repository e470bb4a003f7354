"""What only several documents together can get wrong."""

from collections.abc import Mapping

from sentinel.library.reading import Reading
from sentinel.library.workspace import Documents
from sentinel.monitor.probe import Probe


def cross_check(probes: Mapping[str, Probe], documents: Documents, reading: Reading) -> None:
    """Note what is wrong between documents: circles of ``depends_on``."""
    at = {each.id: each.at for each in documents.get("probes", ())}
    for circle in circles({name: probe.depends_on for name, probe in probes.items()}):
        way = " → ".join(f"`{each}`" for each in (*circle, circle[0]))
        (at[circle[0]] / "depends_on").wrong(
            f"probes depend on one another in a circle: {way}", "remove one of them"
        )


def circles(graph: Mapping[str, tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Every node that can reach itself, in one circle each; each circle once, from its first node
    in alphabetical order. Nodes that are not in the graph lead nowhere."""
    found: dict[frozenset[str], tuple[str, ...]] = {}
    done: set[str] = set()
    for start in sorted(node for node in graph if graph[node]):
        if start not in done:
            _follow(start, graph, done, found)
    return [_from_first(circle) for circle in found.values()]


def _follow(
    start: str,
    graph: Mapping[str, tuple[str, ...]],
    done: set[str],
    found: dict[frozenset[str], tuple[str, ...]],
) -> None:
    """Depth first with a stack of our own; every edge is walked once."""
    way: list[str] = [start]
    waiting = [iter(graph[start])]
    while waiting:
        node = next(waiting[-1], None)
        if node is None:
            waiting.pop()
            done.add(way.pop())
        elif node in way:
            circle = tuple(way[way.index(node) :])
            found.setdefault(frozenset(circle), circle)
        elif node in graph and node not in done:
            way.append(node)
            waiting.append(iter(graph[node]))


def _from_first(circle: tuple[str, ...]) -> tuple[str, ...]:
    at = circle.index(min(circle))
    return (*circle[at:], *circle[:at])
