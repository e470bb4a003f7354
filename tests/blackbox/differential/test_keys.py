"""Every key of a module, performed by both programs."""

from collections.abc import Callable, Sequence

import pytest

from sentinel.library.modules import schema_keys
from tests.blackbox.differential.case import Case
from tests.blackbox.differential.cases import every
from tests.blackbox.differential.comparing import differences
from tests.blackbox.differential.programs import EXPORTER, Programs

pytestmark = [pytest.mark.slow, pytest.mark.needs(EXPORTER, "openssl", "nginx")]

CASES = every()


@pytest.fixture(scope="module")
def programs(start_both: Callable[[Sequence[Case]], Programs]) -> Programs:
    return start_both(CASES)


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
