"""The tables, cell by cell: what is not written here is refused."""

from itertools import product

import pytest

from sentinel.playbook.table import (
    RUN_ENDS,
    RunEvent,
    RunStatus,
    StepEvent,
    StepStatus,
    run_after,
    step_after,
)

# from: event → to, as in the reference; a blank cell is an illegal event
STEPS = """
pending: ready → ready · waits → waiting · asks → waiting_human
pending: condition_false → skipped · condition_error → failed · need_lost → omitted
ready: claimed → running · limit → failed · cancelled → cancelled
running: succeeded → succeeded · output_schema → failed · retried → retrying · failed → failed
running: deadline → timed_out · cancelled → cancelled · unsure → indeterminate
retrying: claimed → running · cancelled → cancelled · deadline → timed_out
waiting: succeeded → succeeded · deadline → timed_out · cancelled → cancelled
waiting_human: answered → waiting_human · asks → waiting_human · succeeded → succeeded
waiting_human: rejected → failed · cancelled → cancelled · ready → ready · person_skipped → skipped
indeterminate: succeeded → succeeded · ready → ready · asks → waiting_human
succeeded: undone → rolled_back · undo_failed → rollback_failed
"""
RUNS = """
queued: started → running · refused → refused · cancelled → cancelled
running: cancelling → cancelling · unwinding → unwinding · finalizing → finalizing
cancelling: finalizing → finalizing · unwinding → unwinding
cancelling: cancelled → cancelled · timed_out → timed_out
unwinding: finalizing → finalizing · failed → failed · timed_out → timed_out · stuck → stuck
finalizing: succeeded → succeeded · failed → failed · cancelled → cancelled
finalizing: timed_out → timed_out · stuck → stuck
"""


def cells(table: str) -> dict[tuple[str, str], str]:
    return {
        (line.partition(":")[0], move.partition(" → ")[0]): move.partition(" → ")[2]
        for line in table.strip().splitlines()
        for move in line.partition(": ")[2].split(" · ")
    }


@pytest.mark.parametrize("status", StepStatus)
def test_a_step_goes_only_where_the_table_leads(status: StepStatus) -> None:
    for event in StepEvent:
        wanted = cells(STEPS).get((status, event))
        if wanted is None:
            with pytest.raises(ValueError, match=f"{status} cannot take `{event}`"):
                step_after(status, event)
        else:
            assert wanted == step_after(status, event)


@pytest.mark.parametrize("status", RunStatus)
def test_a_run_goes_only_where_the_table_leads(status: RunStatus) -> None:
    for event in RunEvent:
        wanted = cells(RUNS).get((status, event))
        if wanted is None:
            with pytest.raises(ValueError, match=f"{status} cannot take `{event}`"):
                run_after(status, event)
        else:
            assert wanted == run_after(status, event)


def test_nothing_follows_the_end_of_a_run() -> None:
    for status, event in product(RUN_ENDS, RunEvent):
        with pytest.raises(ValueError, match="cannot take"):
            run_after(status, event)
