"""The descriptions of the store's tables match the database file and the export bundle."""

from pathlib import Path
from typing import Any

import pytest

from dce.workspace.record.acceptances import ACCEPTANCES
from dce.workspace.record.archive import CycleRecord
from dce.workspace.record.asked_scripts import ASKED_SCRIPTS
from dce.workspace.record.comparisons import COMPARISONS
from dce.workspace.record.cycles import CYCLES, Cycle
from dce.workspace.record.follow_ups import FOLLOW_UPS
from dce.workspace.record.generations import GENERATIONS
from dce.workspace.record.judgements import JUDGEMENTS
from dce.workspace.record.picks import PICKS
from dce.workspace.record.prompts import PROMPTS
from dce.workspace.record.responses import RESPONSES
from dce.workspace.record.table import Table
from tests.workspace.loop import a_store

BESIDE = {
    "cycles": {"deleted_at"},  # a deleted cycle is not read
    "prompts": {"grammar", "created_at"},  # given beside the prompt
    "responses": {"stream_id", "stream_index"},  # its source while it runs
    "follow_ups": {"created_at"},  # given beside the follow-up
    "comparisons": {"created_at"},  # likewise
    "asked_scripts": {"id", "created_at"},  # likewise
    "picks": {"acceptance"},  # likewise
    "judgements": {"updated_at"},  # given beside the judgement
}
"""Columns that are not part of the rows as they are read."""


@pytest.mark.parametrize(
    "table",
    [CYCLES, PROMPTS, GENERATIONS, RESPONSES, JUDGEMENTS, ACCEPTANCES, FOLLOW_UPS, PICKS, COMPARISONS, ASKED_SCRIPTS],
    ids=lambda table: table.name,
)
def test_a_table_is_described_whole(table: Table[Any], tmp_path: Path) -> None:
    """Every column in the file is read, written and imported, or is listed here as an exception."""
    with a_store(tmp_path) as store:
        columns = {row[1] for row in store.database.rows(f"PRAGMA table_info({table.name})")}
    assert columns == set(table.columns) | BESIDE.get(table.name, set())


def test_a_cycle_goes_into_a_bundle_and_back_whole() -> None:
    """Everything in a cycle except its revision is exported and imported unchanged."""
    cycle = Cycle(
        id=3,
        rev=1,
        title="t",
        context="c",
        ephemeral="e",
        chosen_generation=4,
        chosen_slot=2,
        card="k",
        created_at=1.0,
        updated_at=2.0,
    )
    assert CycleRecord.of(cycle, {"more": 1}).cycle() == cycle


def test_a_description_that_does_not_fit_its_columns_is_refused() -> None:
    """A value with fewer fields than the table has columns is an error, never a row with shifted fields."""
    with pytest.raises(ValueError, match="zip"):
        Table("t", ("a", "b"), lambda _: (1,), lambda *_: None).values(None)
