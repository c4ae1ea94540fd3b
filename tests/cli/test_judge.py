"""From a prompt to a changed workspace and back: generate, stop, regenerate, board, show, diff, run-checks, accept, restore."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dce.cli.board import fitting
from tests.cli.conftest import Dce
from tests.cli.scripted_gateway import ScriptedGateway, answer_of
from tests.doctor.test_tree import closed_port

A_2 = "def a():\n    return 2\n"
GOOD = answer_of("a() returns 2.", **{"src/a__py": A_2})
BAD = answer_of("a() returns 3.", **{"src/a__py": "def a():\n    return 3\n"})
EVIL = answer_of("Done.", **{"../evil__py": "x\n"})

CHECKS = """
[[check]]
name = "a"
command = ["python", "-c", "import sys; sys.path.insert(0, 'src'); import a; sys.exit(a.a() != 2)"]
"""


@pytest.fixture
def generated(dce: Dce, workspace: Path, gateway: ScriptedGateway) -> Path:
    """A workspace with one generation: a right answer, a wrong one, one outside the workspace, and an empty one."""
    gateway.answers = [GOOD, BAD, EVIL, "I would rather not."]
    dce("generate", "-n", 4)
    return workspace


def test_generate_plain(dce: Dce, workspace: Path) -> None:
    """Without a terminal, progress is printed as lines: one for each change of status, totals, and the next verbs."""
    result = dce("generate", "-n", 3)
    assert result.out.count("complete") == 4
    assert "generation 1 · 3 responses · scripted-1b" in result.out or "generation 1 · 3 responses" in result.out
    assert "dce board" in result.err


def test_generate_json(dce: Dce, workspace: Path, gateway: ScriptedGateway) -> None:
    """With --json each event is a line; the request carries n and the written prompt."""
    events = dce("generate", "-n", 2, "--max-tokens", 99, "--json").events
    assert events[0]["event"] == "generation_started"
    assert events[-1]["event"] == "generation_ended"
    assert {event["slot"] for event in events if event["event"] == "slot_text"} == {1, 2}
    (body,) = [body for method, path, body in gateway.requests if path == "/api/dce/proxy"]
    assert (body["n"], body["max_tokens"]) == (2, 99)
    assert body["messages"][0]["content"] == (workspace / ".dce/prompt.md").read_text()


def test_generate_with_a_wrong_key(dce: Dce, workspace: Path) -> None:
    """A refused key exits with 3 and names the hop gateway; no generation is left behind."""
    result = dce("generate", "--key", "dce_wrong", "--json", code=3)
    assert result.json["error"]["code"] == "invalid_key"
    assert dce("board", code=1).code == 1


def test_generate_without_a_gateway(dce: Dce, workspace: Path) -> None:
    """If the gateway is down, the exit code is 4 and the error gives the next step."""
    result = dce("generate", "--url", f"http://127.0.0.1:{closed_port()}", code=4)
    assert "[gateway · gateway_unreachable]" in result.err
    assert "next: " in result.err


def test_interrupt(dce: Dce, workspace: Path, gateway: ScriptedGateway) -> None:
    """On Ctrl-C in a real process the gateway is told, the slots are `stopped` with their text, exit 130, no traceback."""
    gateway.is_paused = True
    process = subprocess.Popen(
        [sys.executable, "-m", "dce", "generate", "-n", "2", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["event"] == "slot_text":
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 130, err
    assert b"Traceback" not in err
    assert gateway.stopped
    assert json.loads(out.splitlines()[-1])["statuses"] == {"stopped": 2}
    assert dce("show", 1).out.startswith("he")


def test_stop_from_another_process(dce: Dce, workspace: Path, gateway: ScriptedGateway) -> None:
    """`dce stop GENERATION SLOT` ends one response while the others finish."""
    gateway.is_paused = True
    found: list[int] = []

    def stop() -> None:
        assert gateway.is_half_sent.wait(100)
        # A separate process, as in another terminal; the stream's id may be stored a moment after the first text.
        for _ in range(20):
            done = subprocess.run(
                [sys.executable, "-m", "dce", "stop", "latest", "2"], capture_output=True, check=False, timeout=100
            )
            found.append(done.returncode)
            if done.returncode == 0:
                return
        gateway.resume.set()

    thread = threading.Thread(target=stop)
    thread.start()
    events = dce("generate", "-n", 3, "--json").events
    thread.join()
    assert found[-1] == 0
    assert events[-1]["statuses"] == {"complete": 2, "stopped": 1}
    assert dce("stop", 1, 2, code=1).code == 1


def test_locked_workspace(dce: Dce, workspace: Path, gateway: ScriptedGateway) -> None:
    """While one process generates, another is refused with the holder's process id."""
    gateway.is_paused = True
    result: list[subprocess.CompletedProcess[bytes]] = []

    def generate() -> None:
        assert gateway.is_half_sent.wait(100)
        command = [sys.executable, "-m", "dce", "generate", "-n", "1", "--json"]
        result.append(subprocess.run(command, capture_output=True, check=False, timeout=100))
        gateway.resume.set()

    thread = threading.Thread(target=generate)
    thread.start()
    dce("generate", "-n", 1)
    thread.join()
    assert result[0].returncode == 3
    error = json.loads(result[0].stdout)["error"]
    assert error["code"] == "workspace_locked"
    assert str(os.getpid()) in error["message"]


def test_board(dce: Dce, generated: Path) -> None:
    """The board ranks every response and has the promised fields."""
    rows = dce("board", "--json").json
    assert [row["rank"] for row in rows] == [1, 2, 3, 4]
    assert list(rows[0]) == [
        "slot",
        "status",
        "tokens",
        "ttft_s",
        "tokens_per_s",
        "elapsed_s",
        "parse",
        "files",
        "checks",
        "cluster",
        "rank",
        "flags",
        "prompt_read",
        "made_from",
        "judged",
        "test_changes",
        "problems",
        "why",
        "evidence",
        "class",
        "is_stale",
        "accepted",
    ]
    by_slot = {row["slot"]: row for row in rows}
    assert by_slot[1]["files"] == [
        {"path": "src/a.py", "change": "modified", "added": 1, "removed": 1, "flags": [], "written_path": ""}
    ]
    assert "outside_workspace" in by_slot[3]["flags"]
    assert by_slot[4]["parse"] == "failed"
    text = dce("board", "latest").out
    assert "~ src/a.py +1 -1" in text
    assert text.splitlines()[1].split()[:3] == ["rank", "#", "status"]
    assert dce("board", 9, code=1).code == 1
    assert dce("board", "first", code=2).code == 2


def test_a_prompt_that_was_read_in_part_is_told(dce: Dce, generated: Path) -> None:
    """The board and the response name both figures, as text and as JSON; a response to the whole prompt says nothing of it."""
    assert dce("show", 1, "--json").json["prompt_read"] is None
    with contextlib.closing(sqlite3.connect(generated / ".dce" / "dce.db")) as db, db:
        db.execute("UPDATE generations SET prompt_tokens = 100000")
        db.execute("UPDATE responses SET prompt_tokens = iif(slot = 1, 2048, 100000)")
    [row] = [row for row in dce("board", "--json").json if "prompt_cut" in row["flags"]]
    assert (row["slot"], row["prompt_read"]) == (1, {"read": 2048, "sent": 100000, "is_exact": False})
    words = "the server read 2,048 of ≈100,000 tokens of the prompt"
    assert f"1: {words}" in dce("board").out
    shown = dce("show", 1)
    assert words in shown.out + shown.err
    assert dce("show", 1, "--json").json["prompt_read"] == row["prompt_read"]
    assert words not in dce("show", 2).err


def test_a_narrow_terminal_gets_fewer_columns() -> None:
    """Everything is shown if it fits; as the terminal narrows, figures go first; status, checks, files and flags always stay."""
    head = ("rank", "#", "status", "parse", "checks", "class", "tokens", "tok/s", "TTFT", "time", "files", "flags")
    row = (
        "1",
        "2",
        "complete",
        "ok",
        "✗ 1 of 3",
        "B",
        "128",
        "25.2",
        "1.3s",
        "6.3s",
        "~ a.py +2 -2\n~ b.py +1 -1",
        "-",
    )
    widths = [len([*fitting([head, row], width)]) for width in range(1, 140)]
    assert widths == sorted(widths)
    assert (widths[0], widths[-1]) == (5, 12)
    assert [head[at] for at in fitting([head, row], 1)] == ["#", "status", "checks", "files", "flags"]
    assert "TTFT" not in [head[at] for at in fitting([head, row], 80)]


def test_show(dce: Dce, generated: Path) -> None:
    """A response is shown exactly, in parts, or as JSON."""
    assert dce("show", 4).out == "I would rather not."
    assert dce("show", 1, "--file", "src/a.py").out == A_2
    assert "summary:\na() returns 2." in dce("show", 1, "--parsed").out
    assert dce("show", 1, "--json").json["reading"]["files"][0]["path"] == "src/a.py"
    assert "src/a.py" in dce("show", 1, "--file", "src/x.py", code=1).err
    assert dce("show", 9, code=1).code == 1
    assert dce("show", 1, "--parsed", "--thinking", code=2).code == 2


def test_diff(dce: Dce, generated: Path) -> None:
    """`diff` against the workspace or another response prints a format that `patch` reads."""
    assert dce("diff", 1).out.startswith("--- a/src/a.py\n+++ b/src/a.py\n@@ ")
    between = dce("diff", 1, 2).out
    assert "-    return 2\n+    return 3\n" in between
    assert dce("diff", 1, 1).err.strip() == "no difference"
    assert "contains files" in dce("diff", 4).err
    (row,) = dce("diff", 3, "--json").json
    assert (row["diff"], "refused" in row["refused"]) == ("", True)
    assert dce("diff", 1, "--path", "src/x.py", code=1).code == 1


def test_diff_can_be_applied(dce: Dce, generated: Path) -> None:
    """`dce diff SLOT | git apply` has the same result as accepting."""
    subprocess.run(["git", "apply", "-"], input=dce("diff", 1).out.encode(), cwd=generated, check=True, timeout=100)
    assert (generated / "src" / "a.py").read_text() == A_2


@pytest.mark.parametrize(
    ("mark", "encoding", "name"), [(b"", "cp1251", "cp1251"), (b"\xef\xbb\xbf", "utf-8", "byte-order mark")]
)
def test_a_diff_that_may_not_apply_says_so(
    dce: Dce, workspace: Path, gateway: ScriptedGateway, mark: bytes, encoding: str, name: str
) -> None:
    """A diff is printed as UTF-8; for a file in another form a note on stderr says that `git apply` may refuse it."""
    old = "# Проверка связи, настройка\nx = 1\n"
    (workspace / "src/a.py").write_bytes(mark + old.encode(encoding))
    (workspace / ".dce/config.toml").write_text(f'encoding = {{"*.py" = "{encoding}"}}\n', encoding="utf-8")
    gateway.answers = ["```diff\n--- a/src/a.py\n+++ b/src/a.py\n@@ -2 +2 @@\n-x = 1\n+x = 2\n```\n"]
    dce("generate", "-n", 1)
    shown = dce("diff", 1)
    assert "+x = 2\n" in shown.out
    assert name in shown.err
    assert "git apply" in shown.err


MOVE = "diff --git a/src/a.py b/src/moved.py\nsimilarity index 50%\nrename from src/a.py\nrename to src/moved.py\n"
HUNK = "--- a/src/a.py\n+++ b/src/moved.py\n@@ -1,2 +1,2 @@\n def a():\n-    return 1\n+    return 2\n"


def test_diff_shows_a_rename(dce: Dce, workspace: Path, gateway: ScriptedGateway) -> None:
    """A renamed file is compared with its old name, in the form that `git apply` reads, even if nothing else changes."""
    before = (workspace / "src/a.py").read_text()
    gateway.answers = [f"```diff\n{MOVE}```\n", f"```diff\n{MOVE}{HUNK}```\n"]
    dce("generate", "-n", 2)
    (row,) = dce("diff", 1, "--json").json
    assert (row["path"], row["from_path"], row["hunks"]) == ("src/moved.py", "src/a.py", [])
    assert row["diff"].endswith("similarity index 100%\nrename from src/a.py\nrename to src/moved.py\n")
    assert "+    return 2\n" in dce("diff", 2).out
    subprocess.run(["git", "apply", "-"], input=dce("diff", 1).out.encode(), cwd=workspace, check=True, timeout=100)
    assert (workspace / "src/moved.py").read_text() == before
    (workspace / "src/moved.py").rename(workspace / "src/a.py")
    subprocess.run(["git", "apply", "-"], input=dce("diff", 2).out.encode(), cwd=workspace, check=True, timeout=100)
    assert (workspace / "src/moved.py").read_text() == A_2


def test_accept_and_restore(dce: Dce, generated: Path) -> None:
    """Accepting writes the files, restoring brings back the bytes; a dry run changes nothing."""
    before = (generated / "src" / "a.py").read_bytes()
    planned = dce("accept", 1, "--dry-run", "--json").json
    assert (planned["dry_run"], planned["acceptance"]) == (True, None)
    assert (generated / "src" / "a.py").read_bytes() == before
    assert "~ src/a.py +1 -1" in dce("accept", 1).out
    assert (generated / "src" / "a.py").read_text() == A_2
    assert dce("cycle", "show", "--json").json["chosen_slot"] == 1
    dce("restore", "--dry-run")
    assert (generated / "src" / "a.py").read_text() == A_2
    dce("restore")
    assert (generated / "src" / "a.py").read_bytes() == before
    assert dce("restore", code=1).code == 1


def test_doubts_are_named_and_need_force(dce: Dce, workspace: Path, gateway: ScriptedGateway) -> None:
    """Accept and its dry run name all doubts, including failing checks; without --force a file with omitted text is refused."""
    elided = answer_of("a() returns 2.", **{"src/a__py": "# ... rest of the code unchanged ...\n"})
    gateway.answers = [elided]
    (workspace / ".dce" / "checks.toml").write_text(CHECKS)
    dce("generate", "-n", 1)
    dce("run-checks", "--yes", code=None)
    dry = dce("accept", 1, "--dry-run", code=3)
    assert "doubtful: elision" in dry.out
    assert "1 of 1 checks fail" in dry.err
    assert "dce accept --force" in dce("accept", 1, code=3).err
    forced = dce("accept", 1, "--force", "--json").json
    assert {doubt["flag"] for doubt in forced["doubts"]} == {"elision", "failing_checks"}
    assert forced["files"][0]["doubts"] == ["elision"]


def test_restoring_older_work_needs_its_id_and_a_yes(dce: Dce, generated: Path) -> None:
    """A second restore, or one in a new cycle, names older ids and changes nothing; with an id the files are shown and --yes is needed."""
    before = (generated / "src" / "a.py").read_bytes()
    dce("accept", 1)
    dce("restore")
    assert "dce restore --redo" in dce("restore", code=1).err
    assert "accepted again: acceptance 1" in dce("restore", "--redo").out
    assert (generated / "src" / "a.py").read_text() == A_2
    dce("cycle", "new", "--title", "next")
    assert "Older acceptances in force: 1." in dce("restore", code=1).err
    listed = dce("restore", "--list")
    assert "1 of generation 1  in force  src/a.py" in listed.out
    [row] = dce("restore", "--list", "--json").json
    assert (row["acceptance"]["id"], row["acceptance"]["cycle"], row["is_last"], row["committed"]) == (1, 1, False, [])
    refused = dce("restore", 1, code=3)
    assert "~ src/a.py +1 -1" in refused.out
    assert "not the last one of the current cycle" in refused.err
    assert "dce restore 1 --yes" in refused.err
    assert dce("restore", 1, "--json", code=3).json["error"]["code"] == "conflict"
    assert (generated / "src" / "a.py").read_text() == A_2
    assert dce("restore", 1, "--dry-run", "--json").json["is_last"] is False
    assert "restored" in dce("restore", 1, "--yes").out
    assert (generated / "src" / "a.py").read_bytes() == before
    assert "nothing to redo" in dce("restore", "--redo", code=1).err
    assert dce("restore", "--redo", 1, "--json").json["files"][0]["change"] == "modified"


def test_what_git_holds_is_said_before_it_is_restored(dce: Dce, generated: Path) -> None:
    """If HEAD has the accepted files, restore says so and needs confirmation; the commit is kept."""
    git = ("git", "-c", "user.name=t", "-c", "user.email=t@t")
    subprocess.run(["git", "init", "--quiet"], cwd=generated, check=True, timeout=60)
    dce("accept", 1)
    for words in (("add", "--all"), ("commit", "--quiet", "--message", "x")):
        subprocess.run([*git, *words], cwd=generated, check=True, timeout=60)
    assert "1 committed" in dce("restore", "--list").out
    assert "git's HEAD already holds src/a.py" in dce("restore", code=3).err
    assert (generated / "src" / "a.py").read_text() == A_2
    assert "HEAD still holds the accepted src/a.py" in dce("restore", "--yes").out
    assert (generated / "src" / "a.py").read_text() != A_2


def test_restore_keeps_what_was_edited_if_asked(dce: Dce, generated: Path) -> None:
    """An edited file stops a restore, and the error names the option that restores the others; if it is the only one, nothing is."""
    dce("accept", 1)
    (generated / "src" / "a.py").write_text("mine\n")
    assert "--keep-edited" in dce("restore", code=3).err
    assert dce("restore", "--dry-run", "--json", code=3).json["files"][0]["refused"] == "edited since"
    assert "edited since" in dce("restore", "--keep-edited", code=3).err
    assert (generated / "src" / "a.py").read_text() == "mine\n"


def test_nothing_to_accept_or_restore(dce: Dce, generated: Path) -> None:
    """A response without files cannot be accepted, and without an acceptance nothing can be restored: both give the next step."""
    assert "dce show 4" in dce("accept", 4, code=1).err
    assert "no response was accepted in cycle 1" in dce("restore", code=1).err


def test_accept_outside(dce: Dce, generated: Path) -> None:
    """A response that writes outside the workspace is refused, in a dry run too, and nothing is written."""
    assert dce("accept", 3, "--json", code=3).json["error"]["code"] == "outside_workspace"
    assert "refused" in dce("accept", 3, "--dry-run", code=3).out
    assert not (generated.parent / "evil.py").exists()


def test_accept_stale(dce: Dce, generated: Path) -> None:
    """A file edited since the prompt is not overwritten; after accepting, an edit stops the restore."""
    file = generated / "src" / "a.py"
    before = file.read_text()
    file.write_text("mine\n")
    assert "stale_file" in dce("accept", 1, code=3).err
    file.write_text(before)
    dce("accept", 1)
    file.write_text("mine\n")
    assert "stale_file" in dce("restore", code=3).err
    assert file.read_text() == "mine\n"


def test_accept_one_path(dce: Dce, generated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PATHs pick files of the response, relative to the current folder; for others the error lists the response's files."""
    assert "src/a.py" in dce("accept", 1, "src/b.py", code=1).err
    monkeypatch.chdir(generated / "src")
    dce("accept", 1, "a.py")
    assert (generated / "src" / "a.py").read_text() == A_2


def test_continue(dce: Dce, workspace: Path, gateway: ScriptedGateway) -> None:
    """A truncated response is continued: the new text follows the old in the next version; a complete one is refused."""
    gateway.answers, gateway.finish_reason = ["def a():\n    return 2\n\ndef b(wid"], "length"
    dce("generate", "-n", 1)
    gateway.answers, gateway.finish_reason = ["def b(width):\n    return 3\n"], "stop"
    events = dce("continue", "latest", 1, "--json").events
    assert (events[0]["event"], events[-1]["statuses"]) == ("generation_started", {"complete": 1})
    shown = dce("show", 1, "--json").json["response"]
    assert (shown["version"], shown["text"]) == (2, "def a():\n    return 2\n\ndef b(width):\n    return 3\n")
    assert dce("show", 1, "--version", 1, "--json").json["response"]["status"] == "truncated"
    assert dce("continue", 1, 1, "--json", code=3).json["error"]["code"] == "conflict"


def test_regenerate(dce: Dce, generated: Path, gateway: ScriptedGateway) -> None:
    """A regenerated slot has a new version; the earlier one can still be shown."""
    gateway.answers = [GOOD]
    events = dce("regenerate", "latest", 4, "--json").events
    assert events[0]["slots"] == [4]
    assert "a() returns 2." in dce("show", 4).out
    assert dce("show", 4, "--version", 1).out == "I would rather not."
    assert dce("regenerate", 1, 9, code=1).code == 1


def test_run_checks(dce: Dce, generated: Path) -> None:
    """The project's checks run on the responses: the right one passes and leads the board; the workspace does not change."""
    assert "checks.toml" in dce("run-checks", 1, code=1).err
    assert "short calls to the code" in dce("run-checks", code=3).err
    assert "has no checks" in dce("run-checks", "--yes").err
    (generated / ".dce" / "checks.toml").write_text(CHECKS)
    refused = dce("run-checks", 1, code=3).err
    assert "you have not agreed yet" in refused
    assert "--yes" in refused
    assert dce("board", "--json").json[0]["checks"] is None
    reports = dce("run-checks", 1, 2, "--json", "--yes", code=1).json
    assert (reports["1"]["failed"], reports["2"]["failed"]) == (0, 1)
    assert dce("run-checks", 1).code == 0
    assert "1 of 3 responses pass" in dce("run-checks").err
    assert "nothing to check" in dce("run-checks", 4, code=1).err
    shown = dce("board").out
    assert "look at 1 first: Breaks nothing, 1 test gained" in shown
    assert dce("board", "--evidence", "--json").json["report"]["compared"]
    assert "  2. response " in dce("board", "--evidence").out
    best = dce("board", "--json").json[0]
    assert best["slot"] == 1
    assert best["checks"] == {
        "passed": 1,
        "failed": 0,
        "new_failures": 0,
        "gained": 1,
        "fails_anyway": False,
        "flaky": [],
        "stale": "",
        "own": None,
        "limits": [],
    }
    assert "return 1" in (generated / "src" / "a.py").read_text()


def test_doctor(dce: Dce, workspace: Path) -> None:
    """The doctor exits with 0 if all is well, 1 with a wrong key, 4 if nothing answers."""
    assert dce("doctor", "--json").json["ok"] is True
    assert "✓ model    token" in dce("doctor").out
    assert dce("doctor", "--key", "wrong", "--json", code=1).json["code"] == "invalid_key"
    result = dce("doctor", "--url", f"http://127.0.0.1:{closed_port()}", "--json", code=4)
    assert (result.json["failing_hop"], result.json["code"]) == ("gateway", "gateway_unreachable")


LONG = "".join(f"line {number}\n" for number in range(40))


@pytest.fixture
def judged_twice(dce: Dce, workspace: Path, gateway: ScriptedGateway) -> Path:
    """Two responses: one changes the long file's first and last line, the other changes another file and the first line too."""
    (workspace / "src/long.txt").write_text(LONG)
    dce("select", "add", "src/long.txt")
    changed = LONG.replace("line 0\n", "line zero\n").replace("line 39\n", "line end\n")
    gateway.answers = [
        answer_of("Changed it.", **{"src/long__txt": changed}),
        answer_of("Other.", **{"src/long__txt": LONG.replace("line 0\n", "line none\n"), "src/n__py": "n = 1\n"}),
    ]
    dce("generate", "-n", 2)
    return workspace


def test_hunks_are_numbered_and_accepted(dce: Dce, judged_twice: Path) -> None:
    """`dce diff --hunks` and --json number the hunks that `dce accept PATH --hunk` takes."""
    shown = dce("diff", 1, "--hunks").out
    assert "@@ hunk 1: line 1, +1 -1 @@" in shown
    assert "-   1  line 0" in shown
    (row,) = dce("diff", 1, "--json").json
    assert [(hunk["number"], hunk["added"], hunk["removed"]) for hunk in row["hunks"]] == [(1, 1, 1), (2, 1, 1)]
    assert "name it" in dce("accept", 1, "--hunk", "2", code=3).err
    dce("accept", 1, "src/long.txt", "--hunk", "2")
    assert (judged_twice / "src/long.txt").read_text() == LONG.replace("line 39", "line end")


def test_accept_merge(dce: Dce, judged_twice: Path) -> None:
    """--merge keeps edits made since the prompt; if both changed a line, the diff and the refusal name it."""
    path = judged_twice / "src/long.txt"
    path.write_text(LONG.replace("line 20\n", "line twenty\n"))
    assert "--merge" in dce("accept", 1, code=3).err
    assert "-line twenty" in dce("diff", 1).out
    assert "-line twenty" not in dce("diff", 1, "--merge").out
    assert "merged with edits made since" in dce("accept", 1, "--merge").out
    assert {"line zero", "line twenty", "line end"} <= set(path.read_text().splitlines())
    dce("restore")
    path.write_text(LONG.replace("line 0\n", "line O\n"))
    assert "at line 1" in dce("accept", 1, "--merge", code=3).err
    assert "at line 1" in dce("diff", 1, "--merge", "--json").json[0]["refused"]


def test_accept_from_several_responses(dce: Dce, judged_twice: Path) -> None:
    """--also adds another response's files to the same step; a file in which the two differ is refused."""
    assert "responses 1 and 2 differ in it" in dce("accept", 1, "--also", "2", code=3).err
    assert "from response 2" in dce("accept", 1, "--also", "2:src/n.py").out
    assert (judged_twice / "src/n.py").read_text() == "n = 1\n"
    dce("restore")
    assert not (judged_twice / "src/n.py").exists()
    assert dce("accept", 1, "--also", "x", code=2).code == 2


def test_paths_read_as_others_and_marks_are_said(dce: Dce, workspace: Path, gateway: ScriptedGateway) -> None:
    """Board, show and accept name the path that an answer had, and the stray marks in a file."""
    marked = answer_of("Done.", **{"src/a__py": "1 | def a():\n2 |     return 2\n"})
    gateway.answers = [answer_of("Done.", **{"b/src/a__py": A_2}), marked]
    dce("generate", "-n", 2)
    rows = {row["slot"]: row for row in dce("board", "--json").json}
    assert [(file["path"], file["written_path"]) for file in rows[1]["files"]] == [("src/a.py", "b/src/a.py")]
    assert rows[2]["flags"] == ["does_not_compile", "line_numbers"]
    assert "written as b/src/a.py" in dce("board").out
    assert "note: `b/src/a.py` read as `src/a.py`." in dce("show", 1, "--parsed").out
    assert "read from b/src/a.py" in dce("accept", 1, "--dry-run").out
    assert "doubtful: line_numbers" in dce("accept", 2, "--dry-run").out
    assert dce("accept", 2, "--dry-run", "--json").json["files"][0]["doubts"] == ["line_numbers"]
