"""`dce generate` with checks: they run on each response as it completes, if the user has agreed, and can end the rest."""

from pathlib import Path

import pytest

from tests.cli.conftest import Dce
from tests.cli.scripted_gateway import ScriptedGateway, answer_of
from tests.cli.test_judge import BAD, CHECKS, GOOD


@pytest.fixture
def agreed(dce: Dce, workspace: Path) -> Path:
    """A workspace with checks whose commands the user has agreed to. They fail on the workspace as it is."""
    (workspace / ".dce" / "checks.toml").write_text(CHECKS)
    dce("run-checks", "--workspace", "--yes", code=1)
    return workspace


def test_enough_stops_the_rest(dce: Dce, agreed: Path, gateway: ScriptedGateway) -> None:
    """A complete response is checked while another is still written; as it passes, that one is stopped."""
    gateway.answers, gateway.held = [GOOD, BAD], frozenset({1})
    done = dce("generate", "-n", 2, "--enough", 1)
    assert gateway.stopped
    assert "[ 1] checks       ✓ 1" in done.out
    assert "1 complete · 1 stopped" in done.out
    assert "enough responses pass (1): the rest was stopped" in done.err
    rows = {row["slot"]: row["checks"] for row in dce("board", "--json").json}
    assert rows[1]["passed"] == 1
    assert rows[2] is None


def test_agreed_checks_run_by_themselves(dce: Dce, agreed: Path, gateway: ScriptedGateway) -> None:
    """Once the user has agreed, a generation ends with verdicts; a retried response gets its own."""
    gateway.answers = [GOOD, BAD, answer_of("Nothing.")]
    events = dce("generate", "-n", 3, "--json").events
    verdicts = {event["slot"]: event["failed"] for event in events if event["event"] == "checks_finished"}
    assert verdicts == {1: 0, 2: 1}
    gateway.answers = [GOOD]
    events = dce("regenerate", 1, 2, "--json").events
    assert [event["version"] for event in events if event["event"] == "checks_finished"] == [2]


def test_checks_need_consent_and_can_be_off(dce: Dce, workspace: Path, gateway: ScriptedGateway) -> None:
    """Without consent a generation runs without checks and says so; --check refuses before anything is sent; --no-check and
    `when = "asked"` are silent."""
    file = workspace / ".dce" / "checks.toml"
    assert "no checks" in dce("generate", "-n", 1, "--check", code=1).err
    file.write_text(CHECKS)
    assert "consent_needed" in dce("generate", "-n", 1, "--check", code=3).err
    assert not any(path == "/api/dce/proxy" for _, path, _ in gateway.requests)
    said = dce("generate", "-n", 1)
    assert "you have not agreed to their commands yet" in said.err
    dce("run-checks", "--workspace", "--yes", code=1)
    assert "checks " not in dce("generate", "-n", 1, "--no-check").out
    file.write_text(f'{CHECKS}[run]\nwhen = "asked"\n')
    assert "checks " not in dce("generate", "-n", 1).out
    file.write_text("[run]\nenough = 99\n")
    said = dce("generate", "-n", 1)
    assert "the checks do not run" in said.err
    assert "[run] `enough` must be from 0 to 20" in said.err


def test_checks_that_cannot_run_fail_no_generation(dce: Dce, agreed: Path, gateway: ScriptedGateway) -> None:
    """If the checks cannot run here, the responses are there all the same, and the reason is told."""
    (agreed / ".dce" / "checks.toml").write_text('[[check]]\nname = "js"\ncommand = ["no-such-runner"]\n')
    dce("run-checks", "--workspace", "--yes", code=1)
    gateway.answers = [GOOD]
    done = dce("generate", "-n", 1)
    assert "1 complete" in done.out
    assert "the checks ended: the checks cannot run here: js: no-such-runner: not found" in done.err
