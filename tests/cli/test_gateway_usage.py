"""`dce gateway usage`: the ledger from the shell."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from dce.cli.main import main
from dce.gateway.access.keys import KeyStore
from dce.gateway.accounting.ledger import Ledger
from tests.gateway.test_ledger import entry

USAGE = ("gateway", "usage")


def run_json(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    assert main([*USAGE, *words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with two keys: ann, with much use an hour ago, and a revoked one, with little use last week."""
    store = KeyStore(tmp_path)
    ann, old = (store.create(name)[0].id for name in ("ann", "old"))
    store.revoke(old)
    store.close()
    ledger = Ledger(tmp_path)
    recently, last_week = time.time() - 3600, time.time() - 7 * 86_400
    for at in range(10):
        tokens = {"prompt_tokens": 0 if at else 1000, "completion_tokens": 200}
        ledger.add(entry(at, key_id=ann, started_at=recently, ttft_s=0.5, **tokens))
    ledger.add(entry(10, key_id=old, started_at=last_week, model="other", completion_tokens=7, outcome="stopped"))
    ledger.close()
    return tmp_path


def test_a_table_by_key(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There is a line for each key with its name and right-aligned whole numbers, and a total."""
    assert main([*USAGE, "--data-dir", str(folder)]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["key", "responses", "prompt", "cached", "answer", "thinking", "finished", "stopped", "lost", "TTFT"]  # fmt: skip
    by_name = {line.split()[0]: line.split()[-9:] for line in lines}
    assert by_name["total"][:4] == ["11", "1,000", "0", "2,007"]
    ann = next(line.split() for line in lines if line.startswith("ann "))
    assert ann[2:] == ["10", "1,000", "0", "2,000", "0", "10", "0", "0", "0.50", "s"]
    assert len({len(line) for line in lines if not line.endswith("–")}) == 1


def test_json_by_everything(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` names each group's kind and has the sums as numbers."""
    where = ("--data-dir", str(folder))
    rows = {row["key"]: row for row in run_json(capsys, *where)}
    assert (rows["ann"]["completion_tokens"], rows["ann"]["responses"], rows["ann"]["ttft_s"]) == (2000, 10, 0.5)
    assert set(rows["old"]) >= {"key_id", "key", "requests", "prompt_tokens", "thinking_tokens", "stopped", "estimated"}
    assert [row["model"] for row in run_json(capsys, *where, "--by", "model")] == ["m", "other"]
    days = run_json(capsys, *where, "--by", "day")
    assert [row["completion_tokens"] for row in days] == [7, 2000]
    assert time.strptime(days[0]["day"], "%Y-%m-%d")


def test_since(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--since 1d` leaves out earlier requests; an empty result is reported and is not an error."""
    where = ("--data-dir", str(folder))
    assert [row["key"] for row in run_json(capsys, *where, "--since", "1d")] == ["ann"]
    assert run_json(capsys, *where, "--since", "30m") == []
    assert main([*USAGE, *where, "--since", "2099-01-01"]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "no usage since 2099-01-01\n")
    assert main([*USAGE, *where, "--since", "soon"]) == 2


def test_a_folder_without_a_ledger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong folder exits with 1 and is named; nothing is created in it."""
    assert run_json(capsys, "--data-dir", str(tmp_path), code=1)["error"]["code"] == "not_found"
    assert list(tmp_path.iterdir()) == []
