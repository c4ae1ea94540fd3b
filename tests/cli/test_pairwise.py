"""`dce judge`: advice on the responses at the top, asked for and printed."""

from pathlib import Path

import pytest

from dce.cli.board import judge_text
from dce.workspace.judging.judged import Judged
from tests.cli.conftest import Dce
from tests.cli.scripted_gateway import ScriptedGateway
from tests.cli.test_judge import BAD, GOOD


@pytest.fixture
def generated(dce: Dce, workspace: Path, gateway: ScriptedGateway) -> Path:
    """A workspace with two different answers that nothing tells apart."""
    gateway.answers = [GOOD, BAD]
    dce("generate", "-n", 2)
    gateway.answers = ["The first one.\nVERDICT: A"]
    gateway.requests.clear()
    return workspace


def test_the_judge_says_when_it_is_unsure(dce: Dce, generated: Path, gateway: ScriptedGateway) -> None:
    """Two requests for a pair; a judge that names the first one each time is unsure, and the board says so beside an unchanged rank."""
    before = [row["slot"] for row in dce("board", "--json").json]
    result = dce("judge")
    assert "1 and 2: unsure, its answer depends on the order" in result.out
    assert len([path for _, path, _ in gateway.requests if path == "/api/dce/proxy"]) == 2
    assert "is unsure which of 1 and 2 is best; this does not change the rank" in dce("board").out
    rows = dce("board", "--json").json
    assert [row["slot"] for row in rows] == before
    assert rows[0]["judged"] == {"wins": 0, "losses": 0, "unsure": 1, "card": "", "model": "scripted-1b"}
    found = dce("judge", "latest", "--json").json
    assert list(found) == ["card", "model", "slots", "preferred", "judged", "comparisons"]  # as docs/reference/json.md
    assert (found["preferred"], found["slots"], found["comparisons"][0]["why"]) == (None, [1, 2], "order")


def test_any_card_can_judge(dce: Dce, generated: Path, gateway: ScriptedGateway) -> None:
    """`--card`, or the setting judge_card, names the judge; an unknown card is an error that lists the known ones."""
    dce("settings", "cards", "add", "strict", "--temperature", "0.1")
    assert dce("judge", "--card", "strict", "--json").json["card"] == "strict"
    dce("settings", "set", "judge_card", "strict")
    assert "the judge (strict)" in dce("judge").out
    assert "strict" in dce("judge", "--card", "nobody", code=1).err


def test_nothing_is_asked_without_need(dce: Dce, generated: Path, gateway: ScriptedGateway) -> None:
    """Generating and checking ask no judge; a judge with nothing to compare makes no request."""
    assert dce("board", "--json").json[0]["judged"] is None
    gateway.answers = [GOOD]
    dce("generate", "-n", 2)
    gateway.requests.clear()
    assert "nothing to compare" in dce("judge", code=3).err
    assert [path for _, path, _ in gateway.requests if path == "/api/dce/proxy"] == []


def test_a_preference_needs_to_beat_all() -> None:
    """One answer that beats every other is preferred; a circle, or one open pair, is unsure."""

    def said(wins: int, losses: int, unsure: int = 0) -> Judged:
        return Judged(wins=wins, losses=losses, unsure=unsure, card="c", model="m")

    assert judge_text({1: said(0, 2), 2: said(2, 0), 3: said(1, 1)}) == "the judge (c) prefers 2 to 1, 3"
    assert "unsure which of 1, 2 and 3" in judge_text({1: said(1, 1), 2: said(1, 1), 3: said(1, 1)})
    assert "unsure which of 1, 2 and 3" in judge_text({1: said(1, 0, 1), 2: said(0, 0, 2), 3: said(0, 1, 1)})
