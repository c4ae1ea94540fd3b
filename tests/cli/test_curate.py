"""From a folder to a prompt: init, files, select, cycle, prompt."""

import subprocess
from pathlib import Path

import pytest

from dce.wire.errors import CODES
from tests.cli.conftest import Dce
from tests.cli.scripted_gateway import ScriptedGateway
from tests.doctor.test_tree import closed_port

FAULT_02 = Path(__file__).parents[1] / "fixtures/faults/02-old-encodings-guessed"


def test_init_twice(dce: Dce, folder: Path) -> None:
    """`init` creates a workspace with its own .gitignore; a second `init` changes nothing."""
    assert dce("init", "--json").json == {"root": str(folder), "is_new": True, "has_scope": False}
    before = sorted(path.name for path in folder.iterdir())
    assert dce("init", "--json").json["is_new"] is False
    assert sorted(path.name for path in folder.iterdir()) == before
    assert (folder / ".dce" / ".gitignore").is_file()


def test_init_with_scope(dce: Dce, folder: Path) -> None:
    """`init --scope F` stores the text as cycle 0's context."""
    (folder / "scope.txt").write_text("A sample.\n")
    assert "10 characters" in dce("init", "--scope", "scope.txt").out
    assert dce("cycle", "show", 0, "--json").json["context"] == "A sample.\n"


def test_init_elsewhere(dce: Dce, folder: Path) -> None:
    """`init DIR` makes that folder a workspace, creating it if needed; a file is refused."""
    assert dce("init", ".", "--json").json["root"] == str(folder)
    assert dce("init", "new/one", "--json").json["root"] == str(folder / "new" / "one")
    assert (folder / "new" / "one" / ".dce" / ".gitignore").is_file()
    (folder / "file").write_text("x")
    assert "not a directory" in dce("init", "file", code=2).err.lower() + dce("init", "file/below", code=3).err.lower()


def test_outside_a_workspace(dce: Dce) -> None:
    """A verb that needs a workspace says how to make one."""
    result = dce("board", code=3)
    assert "not_a_workspace" in result.err
    assert "dce init" in result.err


def test_files(dce: Dce, workspace: Path) -> None:
    """Every file is listed: selected ones with the model's count, others with an estimate, unselectable ones with the reason."""
    rows = {row["path"]: row for row in dce("files", "--json").json}
    assert rows["src/a.py"] | {"size": 0} == {
        "path": "src/a.py",
        "size": 0,
        "is_selected": True,
        "tokens": 4,
        "exact": True,
        "excluded": "",
        "encoding": "utf-8",
        "certainty": "known",
    }
    assert (rows["readme.md"]["is_selected"], rows["readme.md"]["exact"]) == (False, False)
    assert rows["readme.md"]["tokens"] > 0
    assert (rows["logo.bin"]["tokens"], rows["logo.bin"]["excluded"]) == (None, "binary")


def test_files_that_are_not_selected_are_sent_nowhere(dce: Dce, workspace: Path, gateway: ScriptedGateway) -> None:
    """Listing counts only the selected files on the gateway; `--exact` counts all."""
    dce("files")
    sent = [body["prompt"] for _, path, body in gateway.requests if path == "/tokenize"]
    assert sorted(sent) == ["def a():\n    return 1\n", "def b():\n    return 2\n"]
    assert {row["exact"] for row in dce("files", "--exact", "--json").json if not row["excluded"]} == {True}


def test_files_without_a_gateway(dce: Dce, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the gateway down, files are still listed, with tokens marked as estimates and the reason."""
    monkeypatch.setenv("DCE_URL", f"http://127.0.0.1:{closed_port()}")
    result = dce("files")
    assert "≈" in result.out
    assert "tokens are estimates" in result.err


def test_selected_file_that_is_gone(dce: Dce, workspace: Path) -> None:
    """A selected file that was deleted is still listed, with that as the reason."""
    (workspace / "src" / "b.py").unlink()
    rows = {row["path"]: row for row in dce("files", "--json").json}
    assert rows["src/b.py"]["excluded"] == "does not exist"


def test_select(dce: Dce, workspace: Path) -> None:
    """Files, folders and globs are selected and deselected; for an unknown name the error names the nearest."""
    assert dce("select", "list").out.splitlines() == ["src/a.py", "src/b.py"]
    assert dce("select", "list", "--json").json == {"paths": ["src/a.py", "src/b.py"], "details": {}, "pages": {}}
    assert dce("select", "rm", "src/*.py", "--json").json == {"removed": ["src/a.py", "src/b.py"], "paths": []}
    assert dce("select", "add", "src/a.py", "--json").json["added"] == ["src/a.py"]
    assert "src/b.py" in dce("select", "add", "src/bb.py", code=1).err
    assert dce("select", "clear", "--json").json == {"removed": ["src/a.py"], "paths": []}


@pytest.mark.parametrize("path", ["../outside.py", "/etc/passwd", ".git/config", ".dce/config.toml"])
def test_select_outside(path: str, dce: Dce, workspace: Path) -> None:
    """Nothing outside the workspace, and nothing of .git or .dce, can be selected."""
    result = dce("select", "add", path, "--json", code=3)
    assert result.json["error"]["code"] == "outside_workspace"


def test_select_binary(dce: Dce, workspace: Path) -> None:
    """A binary file named in full is refused with the reason."""
    assert "binary" in dce("select", "add", "logo.bin", code=3).err


def test_paths_are_taken_from_where_you_are(dce: Dce, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a subfolder, names are relative to it, `..` goes up within the workspace, and absolute paths inside work too."""
    dce("select", "clear")
    monkeypatch.chdir(workspace / "src")
    assert dce("select", "add", "a.py", "../readme.md", workspace / "src" / "b.py", "--json").json["added"] == [
        "readme.md",
        "src/a.py",
        "src/b.py",
    ]
    assert dce("select", "rm", ".", "--json").json["removed"] == ["src/a.py", "src/b.py"]


def test_workspace_option(dce: Dce, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-C DIR` acts as if run in DIR."""
    dce("select", "clear")
    monkeypatch.chdir(tmp_path)
    assert dce("select", "add", "a.py", "-C", workspace / "src", "--json").json["added"] == ["src/a.py"]
    assert dce("select", "list", "-C", tmp_path / "nowhere", code=2).code == 2


def test_selection_sets(dce: Dce, workspace: Path) -> None:
    """A saved set can be loaded; its missing files are named."""
    dce("select", "save", "core")
    dce("select", "clear")
    assert dce("select", "sets", "--json").json == {"core": ["src/a.py", "src/b.py"]}
    (workspace / "src" / "b.py").unlink()
    assert dce("select", "load", "core", "--json").json == {
        "name": "core",
        "paths": ["src/a.py"],
        "missing": ["src/b.py"],
    }
    assert dce("select", "load", "none", code=1).code == 1


def test_cycles(dce: Dce, workspace: Path) -> None:
    """Cycles are created, listed, edited and deleted; the default is the latest one."""
    made = dce("cycle", "new", "--title", "Second", "-m", "More.", "--json").json
    assert (made["id"], made["title"], made["context"]) == (2, "Second", "More.")
    edited = dce("cycle", "edit", "--title", "Renamed", "--json").json
    assert (edited["id"], edited["title"], edited["context"]) == (2, "Renamed", "More.")
    assert [cycle["id"] for cycle in dce("cycle", "list", "--json").json] == [0, 1, 2]
    dce("cycle", "delete", 2)
    assert dce("cycle", "show", "--json").json["id"] == 1
    assert dce("cycle", "show", 2, code=1).code == 1
    assert dce("cycle", "delete", 0, code=3).code == 3


def test_cycle_texts_from_files(dce: Dce, workspace: Path) -> None:
    """Context and one-time context are read from files; files that are not text are refused."""
    (workspace / "c.md").write_text("Context ü\n", encoding="utf-8")
    (workspace / "bad.md").write_bytes(b"\xff\xfe")
    made = dce("cycle", "new", "--context", "c.md", "--ephemeral", "c.md", "--json").json
    assert (made["context"], made["ephemeral"]) == ("Context ü\n", "Context ü\n")
    assert "not UTF-8" in dce("cycle", "new", "--context", "bad.md", code=3).err
    assert "cannot read nothere" in dce("cycle", "new", "--context", "nothere", code=3).err
    assert dce("cycle", "new", "--context", "c.md", "-m", "x", code=2).code == 2


def test_edit_in_the_editor(dce: Dce, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without options the context opens in the editor, and the saved text is stored."""
    monkeypatch.setenv("EDITOR", "sed -i s/return/give/")
    assert dce("cycle", "edit", "--json").json["context"] == "Make a() give 2.\n"


def test_prompt(dce: Dce, workspace: Path) -> None:
    """`prompt` writes .dce/prompt.md and shows exact tokens by section against the model's context."""
    report = dce("prompt", "--json").json
    text = (workspace / ".dce/prompt.md").read_text(encoding="utf-8")
    assert report["path"] == str(workspace / ".dce/prompt.md")
    assert [row["name"] for row in report["sections"]] == ["M1", "M2", "M3", "M4", "M5", "M6", "M7"]
    assert (report["total"], report["exact"]) == (len(text.split()), True)
    assert (report["context"], report["is_over"], report["files"]) == (8192, False, 2)
    assert "fits" in dce("prompt").out


def test_select_says_what_does_not_come_along(dce: Dce, workspace: Path) -> None:
    """`select add` of a folder names up to five of the files it leaves out."""
    for number in range(7):
        (workspace / f"{number}.bin").write_bytes(b"\0")
    result = dce("select", "add", ".")
    assert result.err.count("(binary)") == 5
    assert "more; `dce files` says why" in result.err
    assert dce("select", "add", ".", "--json").json["passed_over"]["0.bin"] == "binary"


def test_files_says_why_a_document_has_no_tokens_yet(dce: Dce, workspace: Path) -> None:
    """A document is not opened for the list; the line says so instead of showing an unexplained dash."""
    (workspace / "spec.docx").write_bytes(b"PK\x03\x04 damaged")
    assert "spec.docx   a document: opened and counted when it is selected" in dce("files").out
    dce("select", "add", "spec.docx")
    assert "a document" not in dce("files").out


def test_prompt_names_documents_that_could_not_be_read(dce: Dce, workspace: Path) -> None:
    """In the prompt, a line replaces a damaged document; `prompt` reports it too."""
    (workspace / "spec.docx").write_bytes(b"PK\x03\x04 damaged")
    dce("select", "add", "spec.docx")
    told = dce("prompt").out
    assert "could not be read: spec.docx: damaged or encrypted" in told
    assert list(dce("prompt", "--json").json["unread"]) == ["spec.docx"]
    assert "[spec.docx cannot be read: damaged" in (workspace / ".dce/prompt.md").read_text(encoding="utf-8")


def test_files_and_prompt_say_how_certain_an_encoding_is(dce: Dce, workspace: Path) -> None:
    """[02] A guessed encoding is shown as one, a doubtful one as in doubt, and `settings set encoding` settles both."""
    (workspace / "ru.py").write_bytes((FAULT_02 / "ru.py.txt").read_bytes())
    (workspace / "fr.py").write_bytes("# é\n".encode("cp1252"))
    dce("select", "add", "ru.py", "fr.py")
    assert "ru.py   cp1251, guessed" in dce("files").out
    rows = {row["path"]: row for row in dce("files", "--json").json}
    assert {path: rows[path]["certainty"] for path in ("ru.py", "fr.py", "src/a.py", "logo.bin")} == {
        "ru.py": "guessed",
        "fr.py": "doubtful",
        "src/a.py": "known",
        "logo.bin": "",
    }
    assert "encoding guessed: ru.py is shown as cp1251" in dce("prompt").out
    assert dce("prompt", "--json").json["guessed"] == [
        {"path": "fr.py", "encoding": rows["fr.py"]["encoding"], "is_doubtful": True},
        {"path": "ru.py", "encoding": "cp1251", "is_doubtful": False},
    ]
    dce("settings", "set", "encoding", "*.py=cp1251, /fr.py=cp1252")
    assert dce("prompt", "--json").json["guessed"] == []
    assert "fr.py   cp1252, as declared" in dce("files").out
    assert "'cp-none'" in dce("settings", "set", "encoding", "*.py=cp-none", code=3).err
    (workspace / ".dce/config.toml").write_text('encoding = {"*.c" = "rot13"}\n', encoding="utf-8")
    assert "'rot13' is not an encoding that DCE reads files in" in dce("files", code=3).err


def test_prompt_says_what_the_server_may_have_cached(dce: Dce, workspace: Path) -> None:
    """After a prompt was sent, `prompt` shows how many leading tokens the next one shares with it, and the setting that raises that."""
    assert dce("prompt", "--json").json["shared"] is None
    dce("settings", "set", "section_order", "stable")
    dce("generate", "-n", 1)
    report = dce("prompt", "--json").json
    assert report["shared"] == report["total"]
    dce("cycle", "new", "--title", "Next", "-m", "Something else.")
    report = dce("prompt", "--json").json
    assert [row["name"] for row in report["sections"]] == ["M1", "M3", "M4", "M5", "M7", "M2", "M6"]
    assert report["total"] / 2 < report["shared"] < report["total"]
    assert "may still have cached" in (told := dce("prompt").out)
    assert "section_order" not in told
    dce("settings", "set", "section_order", "numbered")
    assert "dce settings set section_order stable" in dce("prompt").out


def test_prompt_to_standard_output(dce: Dce, workspace: Path) -> None:
    """`--out -` prints exactly the file's bytes without writing a file; `--out F` writes a copy."""
    text = dce("prompt", "--out", "-").out
    assert not (workspace / ".dce/prompt.md").exists()
    dce("prompt", "--out", "other.md")
    assert (workspace / "other.md").read_bytes().decode() == text


def test_prompt_too_long(dce: Dce, workspace: Path, gateway: ScriptedGateway) -> None:
    """A prompt over the budget is written and reported as too long (exit 1); generating refuses it (exit 3) and sends nothing."""
    gateway.context = 200
    result = dce("prompt", code=1)
    assert "too long by" in result.out
    refused = dce("generate", "-n", 1, "--json", code=3)
    assert refused.json["error"]["code"] == "prompt_too_long"
    assert not [path for _, path, _ in gateway.requests if path == "/api/dce/proxy"]


def test_prompt_without_files(dce: Dce, workspace: Path) -> None:
    """A prompt without files is made, with a warning that this is seldom intended."""
    assert "no files are selected" not in dce("prompt").err
    dce("select", "clear")
    assert "no files are selected" in dce("prompt").err


def test_unknown_schema(dce: Dce, workspace: Path) -> None:
    """An unknown schema is refused, naming the known ones."""
    assert "blocks" in dce("prompt", "--schema", "xml", code=3).err


def test_every_code_has_a_next_step() -> None:
    """Every error that a verb can end with has a next step in the table."""
    assert all(row.hint for row in CODES.values())


def test_why_a_file_is_left_out(dce: Dce, workspace: Path) -> None:
    """`files --why` names the rule and exits with 1; for a selectable file it exits with 0."""
    (workspace / ".dce" / "config.toml").write_text('exclude = ["*.lock"]\n')
    (workspace / "a.lock").write_text("x")
    assert "'*.lock'" in dce("files", "--why", "a.lock", code=1).out
    assert dce("files", "--why", "src/a.py", "--json").json == {"path": "src/a.py", "excluded": ""}
    assert "'*.lock'" in dce("select", "add", "a.lock", code=3).err


def test_select_changed(dce: Dce, workspace: Path) -> None:
    """`changed` adds files that differ from a commit or a cycle's prompt; `--replace` makes them the selection."""
    for words in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=t", "-c", "user.email=t@e.org", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", *words], cwd=workspace, check=True)
    (workspace / "readme.md").write_text("# Changed\n")
    (workspace / ".env").write_text("A=1\n")
    changed = dce("select", "changed", "--replace", "--json")
    assert changed.json["paths"] == ["readme.md"]
    assert "not selected: .env" in changed.err
    assert "has been sent yet" in dce("select", "changed", "--since-cycle", 1, code=1).err
    dce("generate", "-n", 1)
    (workspace / "readme.md").write_text("# Changed again\n")
    dce("select", "clear")
    assert "readme.md" in dce("select", "changed", "--since-cycle", 1, "--json").json["added"]


def test_select_from_a_trace(dce: Dce, workspace: Path) -> None:
    """`from` adds the files that a text names; a text that names none is an error."""
    dce("select", "clear")
    (workspace / "trace.log").write_text('File "/srv/src/b.py", line 2, in b\n')
    assert dce("select", "from", "trace.log", "--json").json["added"] == ["src/b.py"]
    (workspace / "trace.log").write_text("nothing\n")
    assert "names no file" in dce("select", "from", "trace.log", code=1).err


def test_sets_compared_and_merged(dce: Dce, workspace: Path) -> None:
    """`diff` shows the difference between sets, or from the selection; `load --merge` adds a set."""
    dce("select", "save", "code")
    dce("select", "clear")
    dce("select", "add", "readme.md", "src/a.py")
    found = dce("select", "diff", "code", "--json").json
    assert found == {
        "only_first": ["src/b.py"],
        "only_second": ["readme.md"],
        "both": ["src/a.py"],
        "shown_differently": [],
    }
    assert "- src/b.py" in dce("select", "diff", "code").out
    assert dce("select", "load", "code", "--merge", "--json").json["paths"] == ["readme.md", "src/a.py", "src/b.py"]
    assert "not_found" in dce("select", "diff", "kode", code=1).err


def test_show_less_of_a_file(dce: Dce, workspace: Path) -> None:
    """`show` sets how much of a file the prompt has."""
    assert dce("select", "show", "path", "src/a.py", "--json").json["details"] == {"src/a.py": "path"}
    dce("prompt")
    assert "[2 lines, not shown]" in (workspace / ".dce/prompt.md").read_text()
    assert dce("select", "show", "full", "src", "--json").json["details"] == {}


def test_prompt_costs_by_file(dce: Dce, workspace: Path) -> None:
    """`prompt --json` has the tokens of each file, and advice on what to cut only if the prompt is too long."""
    report = dce("prompt", "--json").json
    assert [(cost["path"], cost["exact"], cost["detail"]) for cost in report["file_costs"]] == [
        ("src/a.py", True, "full"),
        ("src/b.py", True, "full"),
    ]
    assert report["cuts"] == []


def test_a_prompt_too_long_says_what_to_cut(dce: Dce, workspace: Path) -> None:
    """If a file exceeds the context, `prompt` exits with 1 and names the change that makes it fit."""
    (workspace / "src" / "big.py").write_text("def f(x):\n" + "    x = x + 1\n" * 60_000)
    dce("select", "add", "src/big.py")
    cut = dce("prompt", "--json", code=1).json["cuts"][0]
    assert (cut["path"], cut["change"]) == ("src/big.py", "outline")
    assert "dce select show outline src/big.py" in dce("prompt", code=1).out


def test_files_by_folder(dce: Dce, workspace: Path) -> None:
    """`files --folders` sums up every folder with everything below it."""
    rows = {row["path"]: row for row in dce("files", "--folders", "--json").json}
    assert set(rows) == {".", "src"}
    assert (rows["src"]["files"], rows["src"]["selected_files"], rows["src"]["exact"]) == (2, 2, True)
    assert rows["src"]["tokens"] == rows["src"]["selected_tokens"] == rows["."]["selected_tokens"]
    assert "folder" in dce("files", "--folders").out


def test_many_paths_are_counted_not_listed(dce: Dce, folder: Path) -> None:
    """In text output at most twenty paths are named; JSON and the list have all."""
    dce("init")
    for number in range(30):
        (folder / "src" / f"m{number:02}.py").write_text("")
    result = dce("select", "add", "src")
    assert (result.out.count("added"), "added 12 more" in result.out) == (21, True)
    assert len(dce("select", "list").out.splitlines()) == 32
    assert len(dce("select", "clear", "--json").json["removed"]) == 32
