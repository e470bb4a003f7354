"""Every key of a module, performed by both programs."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from sentinel.library.modules import schema_keys
from tests.blackbox.differential.cases import Case, every
from tests.blackbox.differential.comparing import differences
from tests.blackbox.differential.programs import (
    EXPORTER,
    Said,
    ask,
    configuration,
    ours,
    theirs,
)
from tests.blackbox.differential.stage import Stage, on_stage

pytestmark = [pytest.mark.slow, pytest.mark.needs(EXPORTER, "openssl", "nginx")]

CASES = every()


class Programs:
    """Both, with the modules of all cases."""

    def __init__(self, stage: Stage, base: str, original: str) -> None:
        self.stage = stage
        self._base = base
        self._original = original

    def ours(self, case: Case) -> Said:
        return self._ask(self._base, case)

    def theirs(self, case: Case) -> Said:
        return self._ask(self._original, case)

    def _ask(self, base: str, case: Case) -> Said:
        more = {"hostname": case.hostname} if case.hostname else {}
        return ask(base, module=case.name, target=self.stage.said(case.target), **more)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    home = tmp_path_factory.mktemp("stage")
    with ExitStack() as stack:
        stage = stack.enter_context(on_stage(home))
        modules = {
            case.name: stage.said(
                {"prober": case.prober, "timeout": case.timeout, case.prober: dict(case.block)}
            )
            for case in CASES
        }
        known = {case.name: modules[case.name] for case in CASES if case.known}
        mine = configuration(modules, home / "ours.yml")
        other = configuration(known, home / "theirs.yml")
        base = stack.enter_context(ours(mine, free_port(), home / "ours.log"))
        original = stack.enter_context(theirs(other, free_port(), home / "theirs.log"))
        yield Programs(stage, base, original)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_key_does_what_it_does_in_the_original(programs: Programs, case: Case) -> None:
    said = programs.ours(case)

    assert case.passes == said.success, said.text
    if case.known:
        original = programs.theirs(case)
        starttls = "starttls" in str(case.block)
        found = differences(said, original, differs=case.differs, starttls=starttls)
        assert "" == "\n".join(found), original.text


def test_every_key_has_a_case_that_passes_and_one_that_fails() -> None:
    covered = {(key, case.passes) for case in CASES for key in case.keys}
    wanted = {(key, passes) for key in schema_keys() for passes in (True, False)}

    assert [] == sorted(f"{key}: {passes}" for key, passes in wanted - covered)
    assert [] == sorted(key for key, _ in covered - wanted)
