"""``sentinel kinds``."""

import json

from sentinel import kinds
from tests.cli.running import run


def test_it_lists_every_kind_with_what_it_does() -> None:
    rows = json.loads(run("kinds", "--json").stdout)
    assert [(family, name) for family in kinds.FAMILIES for name in kinds.names(family)] == [
        (row["family"], row["kind"]) for row in rows
    ]
    assert all(row["does"] for row in rows)


def test_elsewhere_than_on_a_terminal_it_is_tab_separated() -> None:
    lines = run("kinds").stdout.splitlines()
    assert any(line.startswith("probers\thttp\t") for line in lines)
