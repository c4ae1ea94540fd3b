"""Sums of the ledger are the sums of its rows, by whatever they are grouped."""

import sqlite3
from collections import defaultdict
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dce.gateway.accounting.ledger import FILE, Ledger
from dce.gateway.accounting.ledger_usage import By, usage
from dce.wire.errors import DceError
from tests.gateway.test_ledger import HOUR, NOW, entry

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "key_id": st.sampled_from(["k1", "k2", ""]),
            "model": st.sampled_from(["m", "a'; DROP TABLE responses; --"]),
            "request_id": st.sampled_from(["r1", "r2"]),
            "responses": st.integers(1, 20),
            "prompt_tokens": st.integers(0, 10_000),
            "completion_tokens": st.integers(0, 2**40),
            "outcome": st.sampled_from(["finished", "stopped", "lost"]),
            "exactness": st.sampled_from(["exact", "running", "estimated"]),
            "started_at": st.integers(0, 100).map(lambda hours: NOW - hours * HOUR),
        }
    ),
    max_size=20,
)
GROUPS: dict[By, Any] = {
    "key": lambda row: row["key_id"],
    "model": lambda row: row["model"],
    "day": lambda row: datetime.fromtimestamp(row["started_at"], UTC).strftime("%Y-%m-%d"),
}


@settings(max_examples=40, deadline=None)
@given(ROWS, st.sampled_from(list(GROUPS)), st.integers(0, 100))
def test_sums_are_those_of_the_rows(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], by: By, since_hours: int
) -> None:
    """Each group's tokens and ends are what the rows since then say; no group is missing and none is made up."""
    folder = tmp_path_factory.mktemp("ledger")
    ledger = Ledger(folder)
    for at, row in enumerate(rows):
        ledger.add(entry(at, **row))
    ledger.close()
    since = NOW - since_hours * HOUR
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["started_at"] >= since:
            groups[GROUPS[by](row)].append(row)
    found = {row.group: row for row in usage(folder, by, since)}
    assert set(found) == set(groups)
    for name, mine in groups.items():
        sums = found[name]
        assert sums.responses == sum(each["responses"] for each in mine) == sums.finished + sums.stopped + sums.lost
        assert sums.requests == len({each["request_id"] for each in mine})
        assert sums.prompt_tokens == sum(each["prompt_tokens"] for each in mine)
        assert sums.completion_tokens == sum(each["completion_tokens"] for each in mine)
        assert sums.lost == sum(each["responses"] for each in mine if each["outcome"] == "lost")
        assert sums.estimated == sum(each["responses"] for each in mine if each["exactness"] == "estimated")


def test_the_mean_time_to_the_first_token(tmp_path: Path) -> None:
    """Responses without a first token do not count in the mean."""
    ledger = Ledger(tmp_path)
    for at, ttft_s in enumerate((1.0, 2.0, None)):
        ledger.add(entry(at, ttft_s=ttft_s))
    ledger.close()
    assert [row.ttft_s for row in usage(tmp_path, "key")] == [1.5]


def test_it_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    """A gateway in the middle of a write hinders nobody from reading what was written before."""
    ledger = Ledger(tmp_path)
    ledger.add(entry(0))
    ledger.close()
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as writing:
        writing.execute("BEGIN IMMEDIATE")
        writing.execute("DELETE FROM responses")
        assert [row.responses for row in usage(tmp_path, "model")] == [1]


def test_no_ledger_is_said_and_none_is_made(tmp_path: Path) -> None:
    """A wrong data folder is an error that names it; a file that is no database, too."""
    with pytest.raises(DceError, match="no ledger in"):
        usage(tmp_path, "key")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / FILE).write_bytes(b"x" * 4096)
    with pytest.raises(DceError, match="cannot be read"):
        usage(tmp_path, "key")
