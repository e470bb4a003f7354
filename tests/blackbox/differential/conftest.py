"""Both programs, started once for each set of cases."""

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.blackbox.differential.case import Case
from tests.blackbox.differential.programs import Programs, configuration, ours, theirs
from tests.blackbox.differential.stage import Stage, on_stage


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="package")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The servers that are probed."""
    with on_stage(tmp_path_factory.mktemp("stage")) as stage:
        yield stage


@pytest.fixture(scope="module")
def start_both(stage: Stage) -> Iterator[Callable[[Sequence[Case]], Programs]]:
    """Starts both with the modules of these cases: the original with those that it knows."""
    with ExitStack() as stack:

        def start(cases: Sequence[Case]) -> Programs:
            modules = {case.name: stage.said(case.module) for case in cases}
            known = {case.name: modules[case.name] for case in cases if case.known}
            home: Path = stage.home
            mine = configuration(modules, home / "ours.yml")
            other = configuration(known, home / "theirs.yml")
            base = stack.enter_context(ours(mine, _free_port(), home / "ours.log"))
            original = stack.enter_context(theirs(other, _free_port(), home / "theirs.log"))
            return Programs(stage, base, original)

        yield start
