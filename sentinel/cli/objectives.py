"""``sentinel objectives``: what is promised, how much of it was kept, and what is left to spend."""

from typing import Any

import click

from sentinel.cli.arguments import reaching
from sentinel.cli.client import Client
from sentinel.cli.output import print_json, print_table
from sentinel.monitor.objective import span_word

HEADINGS = ("client", "service", "objective", "promised", "kept", "budget left", "burn 1h", "burn 3d",
            "alert")  # fmt: skip


@click.command()
@click.option("--json", "as_json", is_flag=True)
@reaching
def objectives(client: Client, as_json: bool) -> None:
    """Every objective of the running node and how it stands."""
    found = client.get("/api/v1/objectives")["objectives"]
    if as_json:
        print_json(found)
        return
    print_table(HEADINGS, [_row(each) for each in found])


def _row(each: dict[str, Any]) -> list[str]:
    """A line of the table. Of shares as many digits as tell 99.99 % from 99.9 %."""
    promised = f"{each['share'] * 100:g}% of {span_word(each['window_s'])}"
    if "under_s" in each:
        promised += f" under {each['under_s'] * 1000:g}ms"
    rates = each["burn_rates"]
    return [
        each["client"],
        each["service"],
        each["objective"],
        promised,
        "—" if each["ratio"] is None else f"{each['ratio'] * 100:.3f}%",
        "—" if each["budget_left"] is None else f"{each['budget_left'] * 100:.1f}%",
        *("—" if rates[span] is None else f"{rates[span]:.1f}" for span in ("1h", "3d")),
        ", ".join(each["firing"]),
    ]
