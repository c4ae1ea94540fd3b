"""`dce follow-up`: a new answer from an earlier one, on the command line."""

from pathlib import Path

import pytest

from tests.cli.conftest import Dce
from tests.cli.scripted_gateway import ScriptedGateway, answer_of
from tests.cli.test_judge import BAD, CHECKS, GOOD


@pytest.fixture
def generated(dce: Dce, workspace: Path, gateway: ScriptedGateway) -> Path:
    """A workspace with one generation: a wrong answer, a question, a right answer."""
    gateway.answers = [BAD, "Which value should it return?", GOOD]
    dce("generate", "-n", 3)
    gateway.requests.clear()
    return workspace


def test_a_reply_is_made_and_shown(dce: Dce, generated: Path, gateway: ScriptedGateway) -> None:
    """A reply becomes response 4; board and show tell what it was made from, and `--request` prints the message as sent."""
    gateway.answers = [GOOD]
    result = dce("follow-up", 2, "-m", "Two.")
    assert "complete" in result.out
    assert "dce diff 4 2" in result.err
    (body,) = [body for _, path, body in gateway.requests if path == "/api/dce/proxy"]
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    assert body["messages"][0]["content"] == (generated / ".dce/prompt.md").read_text()
    assert dce("show", 4, "--request").out == body["messages"][2]["content"]
    assert body["messages"][2]["content"].startswith("Two.\n\n")
    assert "follow-ups: 4 (reply to 2)" in dce("board").out
    rows = {row["slot"]: row for row in dce("board", "--json").json}
    assert rows[4]["made_from"] == {"slot": 2, "version": 1, "kind": "reply", "other": 0, "other_version": 0}
    assert rows[2]["made_from"] is None
    shown = dce("show", 4, "--json").json
    assert (shown["made_from"]["slot"], shown["request"]) == (2, body["messages"][2]["content"])
    assert "reply to 2" in dce("show", 4).err


def test_a_follow_up_is_one_of_the_answers(dce: Dce, generated: Path, gateway: ScriptedGateway) -> None:
    """Diff, regenerate and accept take a follow-up like any other response, and history counts it."""
    gateway.answers = [GOOD]
    dce("follow-up", 1, "--with", 3)
    assert "return 2" in dce("diff", 4).out
    dce("regenerate", "latest", 4)
    assert "v2" in dce("show", 4).err
    dce("accept", 4)
    assert "return 2" in (generated / "src" / "a.py").read_text()
    assert dce("history", "--json").json[0]["statuses"] == {"complete": 4}


def test_a_reply_is_checked_along(dce: Dce, generated: Path, gateway: ScriptedGateway) -> None:
    """Once the user has agreed to the checks, they run on a reply too, as on the responses of a generation."""
    (generated / ".dce" / "checks.toml").write_text(CHECKS)
    dce("run-checks", "--yes", code=None)
    gateway.answers = [GOOD]
    events = dce("follow-up", 2, "-m", "Two.", "--json").events
    assert [(event["slot"], event["failed"]) for event in events if event["event"] == "checks_finished"] == [(4, 0)]
    (generated / ".dce" / "checks.toml").write_text(CHECKS.replace("!= 2", "!= 3"))
    assert "do not run as responses complete" in dce("follow-up", 2, "-m", "Two.").err
    for words in (("follow-up", 9, "-m", "x"), ("regenerate", "latest", 9), ("continue", "latest", 1)):
        assert dce(*words, code=None).err.startswith("error [client"), words  # the error is all that is said


def test_failing_checks_are_repaired(dce: Dce, generated: Path, gateway: ScriptedGateway) -> None:
    """The failing check is sent, the new answer is checked, and the exit code says whether it breaks nothing."""
    (generated / "src" / "a.py").write_text("def a():\n    return 2\n")
    (generated / ".dce" / "checks.toml").write_text(CHECKS)
    assert "consent_needed" in dce("follow-up", 1, "--failing", code=3).err
    gateway.answers = [BAD]
    result = dce("follow-up", 1, "--failing", "--rounds", 2, "--yes", code=1)
    assert "not repaired after 2 rounds" in result.err
    gateway.answers = [GOOD]
    events = dce("follow-up", 1, "--failing", "--json").events
    assert [event["failed"] for event in events if event["event"] == "checks_finished"] == [0]
    bodies = [body for _, path, body in gateway.requests if path == "/api/dce/proxy"]
    assert len(bodies) == 3
    assert "Check `a` ended with exit code 1" in bodies[0]["messages"][2]["content"]
    assert "nothing fails with response 6" in dce("follow-up", 6, "--failing", code=3).err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("1",), 2),
        (("1", "-m", " "), 2),
        (("1", "-m", "x", "--rounds", "2"), 2),
        (("1", "--failing", "--rounds", "11"), 2),
        (("9", "-m", "x"), 1),
        (("1", "--with", "1"), 3),
        (("1", "-m", "x", "-g", "7"), 1),
    ],
)
def test_what_cannot_be_asked(
    dce: Dce, generated: Path, gateway: ScriptedGateway, words: tuple[str, ...], code: int
) -> None:
    """Bad input ends with the exit code of its kind, and nothing is sent or stored."""
    assert dce("follow-up", *words, code=code).err
    assert gateway.requests == []
    assert len(dce("board", "--json").json) == 3


def test_a_refused_request_is_an_answer_with_its_error(dce: Dce, generated: Path, gateway: ScriptedGateway) -> None:
    """A server that does not take the key: exit 3 names the hop, and no slot is made."""
    result = dce("follow-up", 1, "-m", "x", "--key", "dce_wrong", code=3)
    assert "[gateway · invalid_key]" in result.err
    assert len(dce("board", "--json").json) == 3


def test_a_conversation_that_is_too_long(dce: Dce, generated: Path, gateway: ScriptedGateway) -> None:
    """If prompt, answer and message do not fit the model's context, nothing is sent."""
    gateway.answers = [answer_of("long " * 9_000)]
    dce("regenerate", "latest", 1)
    gateway.requests.clear()
    assert "prompt_too_long" in dce("follow-up", 1, "-m", "Shorter.", code=3).err
    assert [path for _, path, _ in gateway.requests if path == "/api/dce/proxy"] == []
