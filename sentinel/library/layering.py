"""Documents laid over one another: a template under the probes that use it.

The rule, key by key: a mapping is laid over a mapping; anything else (a scalar, a whole list)
replaces what was there; ``null`` takes away what was there. From the bottom: ``defaults:`` of
the file, the templates in the order in which they are named, the document's own keys. A template
may itself use templates. Every value keeps the place where it was written, so that a problem
points into the template when it is the template's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sentinel.library.declared import Declared
from sentinel.library.reading import At, Reading

MOST_DEEP = 8
"""Templates that use templates that use …"""


@dataclass(frozen=True, slots=True)
class Layer:
    """A mapping and where it stands."""

    body: Mapping[str, Any]
    at: At


def laid_over(under: Layer, over: Layer) -> Layer:
    """`over` on `under`. Depth is bounded by the reader of the files."""
    body: dict[str, Any] = {}
    origins = dict(over.at.origins)
    for key, value in under.body.items():
        if key not in over.body:
            body[key] = value
            origins[key] = (under.at / key).origin()
    for key, value in over.body.items():
        below = under.body.get(key)
        if value is None and key in under.body:
            continue
        body[key] = value
        if isinstance(value, dict) and isinstance(below, dict):
            inner = laid_over(Layer(below, under.at / key), Layer(value, over.at / key))
            body[key] = inner.body
            origins[key] = inner.at.origin()
    return Layer(body, At(over.at.reading, over.at.file, over.at.path, origins))


class Templates:
    """The templates of a workspace."""

    def __init__(self, declared: Sequence[Declared], reading: Reading) -> None:
        self._by_id = {each.id: each for each in declared}
        self._reading = reading

    def laid_under(self, declared: Declared) -> Layer | None:
        """A probe's body with the templates that it uses laid under it, ``use`` itself taken out;
        None when one of them is not there or uses itself, which has been said."""
        own = {k: v for k, v in declared.body.items() if k not in declared.at.origins}
        shared = {k: v for k, v in declared.body.items() if k in declared.at.origins}
        plain = At(self._reading, declared.at.file, declared.at.path)
        layers = self._named(declared.body.get("use"), declared.at / "use", ())
        if layers is None:
            return None
        base = Layer(shared, declared.at)
        for each in (*layers, Layer(own, plain)):
            base = laid_over(base, each)
        return Layer({k: v for k, v in base.body.items() if k != "use"}, base.at)

    def _named(self, use: Any, at: At, way: tuple[str, ...]) -> list[Layer] | None:
        """The layers of the templates that `use` names, those that they use before each."""
        names = [use] if isinstance(use, str) else list(use or ())
        layers: list[Layer] = []
        for index, text in enumerate(names):
            place = at if isinstance(use, str) else at / index
            if not place.reference(text, "template"):
                return None
            below = self._one(text.partition("/")[2], place, way)
            if below is None:
                return None
            layers += below
        return layers

    def _one(self, name: str, at: At, way: tuple[str, ...]) -> list[Layer] | None:
        template = self._by_id.get(name)
        if template is None:
            return None  # it may be declared where we cannot look
        if name in way:
            circle = " → ".join(f"`{each}`" for each in (*way[way.index(name) :], name))
            at.wrong(f"templates use one another in a circle: {circle}", "remove one of them")
            return None
        if len(way) >= MOST_DEEP:
            at.wrong(f"templates are used more than {MOST_DEEP} deep", "use fewer")
            return None
        below = self._named(template.body.get("use"), template.at / "use", (*way, name))
        if below is None:
            return None
        body = {k: v for k, v in template.body.items() if k != "use"}
        return [*below, Layer(body, template.at)]
