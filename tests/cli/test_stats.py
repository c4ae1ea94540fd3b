"""`dce stats`: counts first, percentages only with enough of them."""

from pathlib import Path

from dce.cli.stats import first_text
from dce.workspace.judging.picked import stats_of
from dce.workspace.record.picks import Pick, Picked
from tests.cli.conftest import Dce
from tests.cli.scripted_gateway import ScriptedGateway
from tests.cli.test_judge import BAD, GOOD


def test_what_was_picked_is_told(dce: Dce, workspace: Path, gateway: ScriptedGateway) -> None:
    """Nothing yet is said so; after an accept and a restore the counts are there, in text and JSON, without a percentage."""
    assert "nothing was accepted here yet" in dce("stats").err
    gateway.answers = [BAD, GOOD]
    dce("generate", "-n", 2)
    dce("accept", 2)
    dce("restore")
    result = dce("stats")
    assert "picked: 1 response, 1 of them from two or more\nrank 1: 0 of 1 (a random pick: 0.5)" in result.out
    assert "restored: 1 of 1" in result.out
    assert "%" not in result.out
    assert "counts, not as rates" in result.err
    found = dce("stats", "--json").json
    assert (found["total"]["ranks"], found["by_model"][0]["model"]) == ({"2": 1}, "scripted-1b")


def test_enough_picks_have_a_percentage() -> None:
    """From twenty comparable picks on, the share is printed beside the counts."""
    pick = Picked(
        generation=1, slot=1, card="", model="", pick=Pick(rank=1, answers=4, verdict="passed"), is_restored=False
    )
    assert first_text(stats_of([pick] * 19).total) == "19 of 19"
    assert first_text(stats_of([pick] * 20).total) == "20 of 20, 100 %"
