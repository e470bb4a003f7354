"""Both lanes must say the same: tests of these modules run over each."""

from collections.abc import Iterator

import pytest

from tests.transport import servers

BOTH = ("test_fetch", "test_hostile_servers", "test_https", "test_redirects")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test of those modules once for each lane."""
    if metafunc.module.__name__.rpartition(".")[2] in BOTH:
        metafunc.parametrize("lane", ["curl", "own"], indirect=True)


@pytest.fixture(autouse=True)
def lane(request: pytest.FixtureRequest) -> Iterator[None]:
    """What `servers.opened` opens."""
    servers.lane = getattr(request, "param", "auto")
    yield
    servers.lane = "auto"
