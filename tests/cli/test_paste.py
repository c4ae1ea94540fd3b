"""`dce paste`: answers pasted by hand become responses like any other."""

import io
from pathlib import Path

import pytest

from tests.cli.conftest import Dce

ANSWER = "<summary>Done</summary>\n<plan>1. Return 2.</plan>\n"


@pytest.fixture
def answer(tmp_path: Path) -> Path:
    """A file with an answer."""
    path = tmp_path / "answer.txt"
    path.write_text(ANSWER)
    return path


def test_the_first_answer_begins_a_generation(dce: Dce, workspace: Path, answer: Path) -> None:
    """Without a generation, one is created with the prompt stored; later answers go into it, and a filled slot gets a new version."""
    told = dce("paste", "3", answer, "--json").json["response"]
    assert (told["generation"], told["slot"], told["version"], told["status"]) == (1, 3, 1, "complete")
    assert told["text"] == ANSWER
    assert (workspace / ".dce/prompt.md").exists()
    answer.write_text("another")
    assert dce("paste", "1", answer, "--json").json["response"]["generation"] == 1
    assert dce("paste", "3", answer, "--json").json["response"]["version"] == 2
    assert dce("show", "3", "--version", "1").out == ANSWER
    board = dce("board", "--json").json
    assert {row["slot"] for row in (board["rows"] if isinstance(board, dict) else board)} == {1, 3}
    assert dce("history", "--json").json[0]["statuses"] == {"complete": 2}


def test_a_changed_prompt_begins_another_generation(dce: Dce, workspace: Path, answer: Path) -> None:
    """An answer belongs to the prompt that was copied: later edits count only after `dce prompt` has written them."""
    dce("prompt")
    dce("cycle", "edit", "-m", "Make a() return 3.")
    dce("paste", "1", answer)
    assert dce("export", workspace / "h.dce").code == 0
    assert "Make a() return 2." in (workspace / "h.dce").read_text()
    assert dce("paste", "2", answer, "--json").json["response"]["generation"] == 1
    dce("prompt")
    assert dce("paste", "1", answer, "--json").json["response"]["generation"] == 2
    assert dce("paste", "2", answer, "-g", "1", "--json").json["response"]["generation"] == 1
    assert workspace.exists()


def test_the_prompt_is_no_answer(dce: Dce, workspace: Path, answer: Path) -> None:
    """The prompt itself, a long part of it, a variant of it, or an empty text is refused, and no generation is created."""
    dce("prompt")
    prompt = (workspace / ".dce/prompt.md").read_text()
    for text in (prompt, prompt.replace("\n", "\r\n"), "Here:\n" + prompt, prompt[100:1200], " \n"):
        answer.write_text(text, newline="")
        dce("paste", "1", answer, code=3)
    answer.write_text("x")
    dce("paste", "0", answer, code=3)
    dce("paste", "21", answer, code=3)
    dce("board", code=1)


def test_a_slot_of_a_server_can_be_pasted_over(dce: Dce, workspace: Path, answer: Path) -> None:
    """Pasting is equivalent to generating: a slot that a server wrote gets the pasted text as its next version."""
    dce("generate", "-n", "2")
    told = dce("paste", "2", answer, "-g", "latest", "--json").json["response"]
    assert (told["generation"], told["version"]) == (1, 2)
    assert dce("show", "2").out == ANSWER
    assert workspace.exists()


def test_the_slot_is_the_next_empty_one(
    dce: Dce, workspace: Path, answer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a slot the first empty one is filled, then the next; a file alone or standard input is enough."""
    dce("paste", "2", answer)
    assert dce("paste", answer, "--json").json["response"]["slot"] == 1
    assert dce("paste", answer, "--json").json["response"]["slot"] == 3
    for words, slot in ((["paste", "-"], 4), (["paste"], 5)):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(ANSWER.encode())))
        assert dce(*words, "--json").json["response"]["slot"] == slot
    for _ in range(15):
        dce("paste", answer)
    assert "all 20 slots" in dce("paste", answer, code=3).err
    dce("paste", "two", answer, code=2)
    assert workspace.exists()


def test_bare_code_is_pasted_as_a_file(dce: Dce, workspace: Path, answer: Path) -> None:
    """With --as the text is that file's content, with or without a code fence around it, and can be accepted."""
    answer.write_text("```python\ndef a():\n    return 2\n```")
    told = dce("paste", answer, "--as", "./src/a.py", "--json").json
    assert [(file["path"], file["content"]) for file in told["reading"]["files"]] == [
        ("src/a.py", "def a():\n    return 2\n")
    ]
    dce("accept", "1")
    assert (workspace / "src" / "a.py").read_text() == "def a():\n    return 2\n"
    dce("prompt")
    nonce = (workspace / ".dce/prompt.md").read_text().partition('nonce="')[2].partition('"')[0]
    answer.write_text(f'x\n</file nonce="{nonce}">\n<file path="b.py" nonce="{nonce}">\ny\n')
    assert "one file" in dce("paste", answer, "--as", "c.py", code=3).err
    dce("paste", answer, "--as", 'a".py', code=3)
    dce("paste", answer, "--as", "./", code=3)
