"""Values that one step of a walk takes and a later one uses: used only after they were taken."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from sentinel.expression import Expression
from sentinel.library.reading import At
from sentinel.monitor.probe import Expectation
from sentinel.playbook.playbook import Reference


def check_captures(walk: Any, at: At) -> None:
    """Say which ``capture.NAME`` of a walk's steps no earlier step takes. `walk` has `steps`, each
    with `capture`, and perhaps `cleanup`, which may use whatever was captured."""
    captured: list[str] = []
    for index, step in enumerate(walk.steps):
        _check(step, at / "steps" / index, captured)
        captured += step.capture
    for index, step in enumerate(getattr(walk, "cleanup", ())):
        _check(step, at / "cleanup" / index, captured)
        captured += step.capture


def _check(step: Any, at: At, captured: list[str]) -> None:
    for field in dataclasses.fields(step):
        for name in sorted(set(_captures_named(getattr(step, field.name)))):
            if name not in captured:
                at_field = at / field.name
                at_field.unknown(name, captured, "captured by a step before this one")


def _captures_named(value: Any) -> Iterator[str]:
    """The names after ``capture.`` in every expression inside a value."""
    if isinstance(value, Expression):
        for name in value.names:
            root, _, below = name.partition(".")
            if root == "capture" and below:
                yield below.partition(".")[0]
    elif isinstance(value, Reference | Expectation):
        yield from _captures_named(value.expression if isinstance(value, Reference) else value.that)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _captures_named(each)
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _captures_named(each)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from _captures_named(getattr(value, field.name))
