"""`dce history`: the history from the command line."""

from pathlib import Path

from tests.cli.conftest import Dce


def test_history_lists_cycles_the_newest_first(dce: Dce, workspace: Path) -> None:
    """Without a query every cycle is listed with the statuses of its responses, as lines and as JSON."""
    dce("generate", "-n", "2")
    rows = dce("history", "--json").json
    assert [row["id"] for row in rows] == [1, 0]
    assert rows[0]["responses"] == 2
    assert "2 complete" in dce("history").out.splitlines()[0]


def test_history_finds_words(dce: Dce, workspace: Path) -> None:
    """With a query, the places that contain its words are listed; no match exits with 1."""
    assert dce("history", "retur", "--json").json == [
        {
            "kind": "cycle",
            "cycle": 1,
            "title": "First",
            "generation": None,
            "slot": None,
            "version": None,
            "excerpt": "Make a() return 2.",
        }
    ]
    assert "cycle 1" in dce("history", "make", "return").out
    dce("history", "nowhere", code=1)
    assert dce("history", "nowhere", "--json", code=1).json == []
