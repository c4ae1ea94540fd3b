"""Every client verb, run in a realistic workspace: the embedded engine answers, pytest checks, the JSON matches the reference."""

import contextlib
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dce.cli.main import main
from dce.engine.process import EngineProcess
from dce.gateway.access.keys import KeyStore
from dce.gateway.server import GatewayServer
from dce.gateway.settings import BackendSettings, GatewaySettings
from tests.cli.conftest import Dce, Result
from tests.workspace.test_extract import pdf_of

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "json.md"

STUBS = '''"""Figures."""


def mean(values):
    """Return the arithmetic mean of values."""
    raise NotImplementedError
'''
TESTS = """from pkg.core.figures import mean
from pkg.core.m1 import add_1


def test_mean():
    assert mean([1, 2, 3]) == 2


def test_add():
    assert add_1(1) == 2
"""
CHECKS = """[[check]]
name = "tests"
command = ["python", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
timeout_s = 120
"""
ANSWER = """<summary>
Fills `mean`.
</summary>

<file path="pkg/core/figures.py">
def mean(values):
    return sum(values) / len(values)
</file>
"""


def git(folder: Path, *words: str) -> None:
    """Runs git in a folder, with a neutral identity."""
    who = ("-c", "user.name=walk", "-c", "user.email=walk@example.invalid", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def make(root: Path) -> None:
    """Makes a repository of two hundred files, including every kind that is not plain UTF-8 text."""
    for package in ("core", "api", "util", "data", "web"):
        (root / "pkg" / package).mkdir(parents=True)
        (root / "pkg" / package / "__init__.py").touch()
        for number in range(1, 40):
            text = f"def add_{number}(value):\n    return value + {number}\n"
            (root / "pkg" / package / f"m{number}.py").write_text(text)
    (root / "pkg" / "__init__.py").touch()
    (root / "pkg" / "core" / "figures.py").write_text(STUBS)
    (root / "test_figures.py").write_text(TESTS)
    (root / "README.md").write_text("# A package of figures\n")
    (root / "data.bin").write_bytes(bytes(range(256)) * 16)
    (root / "latin.txt").write_bytes("café, déjà vu\n".encode("cp1252"))
    (root / "notes.txt").write_bytes("Grüße\r\n".encode("utf-16"))
    (root / "spec.pdf").write_bytes(pdf_of("The mean is the sum over the count."))
    (root / "inside.md").symlink_to("README.md")
    (root / "outside.txt").symlink_to("/etc/hostname")
    (root / "circle").symlink_to("circle")
    (root / ".env").write_text("MODE=walk\n")
    (root / ".gitignore").write_text("*.log\n")
    (root / "a.log").write_text("ignored\n")
    (root / "nested").mkdir()
    git(root / "nested", "init", "-q")
    (root / "nested" / "inner.py").touch()
    git(root, "init", "-q")
    git(root, "add", "pkg", "*.md", "*.txt", "*.py", "data.bin", "spec.pdf", ".gitignore")
    git(root, "commit", "-q", "-m", "As it was")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The embedded engine behind a gateway: its URL and a key."""
    data = tmp_path / "gateway"
    with contextlib.closing(KeyStore(data)) as keys:
        _, secret = keys.create("walk")
    with EngineProcess.start(log=tmp_path / "engine.log") as engine:
        backends = (BackendSettings(url=engine.url),)
        with GatewayServer(GatewaySettings(port=0, no_admin=True, data_dir=str(data), backends=backends)) as gateway:
            yield gateway.url, secret


@pytest.fixture
def dce(
    tmp_path: Path, served: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Dce:
    """Calls the command line in the repository."""
    root = tmp_path / "project"
    make(root)
    monkeypatch.chdir(root)
    monkeypatch.setenv("DCE_URL", served[0])
    monkeypatch.setenv("DCE_API_KEY", served[1])

    def call(*words: object, code: int | None = 0) -> Result:
        found = main([str(word) for word in words])
        captured = capsys.readouterr()
        assert code in (None, found), captured
        return Result(found, captured.out, captured.err)

    return call


def reference() -> dict[str, tuple[str, list[str]]]:
    """Verb → its output and the fields that the reference names."""
    rows = re.findall(r"^\| `dce ([^`]+)` \| ([^|]+) \| (.+) \|$", REFERENCE.read_text("utf-8"), re.MULTILINE)
    fields = {verb: (kind, re.findall(r"`([a-z_0-9]+)`", said)) for verb, kind, said in rows}
    cycle = fields["cycle new"][1]
    return {verb: (kind, cycle if "*cycle" in said else fields[verb][1]) for verb, kind, said in rows}


class Walk:
    """Runs verbs with `--json`, compares their output with the reference, and records which were run."""

    def __init__(self, dce: Dce) -> None:
        self._dce = dce
        self.left = reference()

    def __call__(self, verb: str, *words: object, code: int = 0) -> Any:
        """The verb's output; `words` are its arguments."""
        said = [word for word in verb.split() if not word.isupper()]
        result = self._dce(*said, *words, "--json", code=code)
        kind, fields = reference()[verb]
        self.left.pop(verb, None)
        if kind == "events":
            events = result.events
            assert all({"event", "generation"} <= event.keys() for event in events), events
            return events
        value = result.json
        assert isinstance(value, list) == (kind == "list"), (verb, value)
        if kind == "object":
            assert list(value) == fields, verb
        elif kind in ("list", "by slot"):
            rows = value if kind == "list" else list(value.values())
            assert rows, verb
            assert all(list(row) == fields for row in rows), (verb, rows[0])
        return value

    def refused(self, *words: object, code: int, error: str, hop: str = "client") -> None:
        """Asserts that the verb fails with this exit code and error and names the hop and the next step, in JSON and text."""
        told = self._dce(*words, "--json", code=code).json["error"]
        assert (told["code"], told["hop"]) == (error, hop), told
        assert told["hint"], told
        text = self._dce(*words, code=code)
        assert text.err.startswith(f"error [{hop} · {error}] "), text
        assert "\n  next: " in text.err
        assert "Traceback" not in text.err + text.out


def curate(walk: Walk, root: Path) -> None:
    """From a folder to a prompt."""
    walk.refused("files", code=3, error="not_a_workspace")
    (root / "scope.log").write_text("A package of figures.\n")
    assert walk("init", "--scope", "scope.log")["has_scope"]
    rows = {row["path"]: row for row in walk("files")}
    assert len(rows) >= 205
    assert {path for path, row in rows.items() if row["excluded"]} == {"data.bin", "outside.txt", "circle", "nested"}
    assert {rows["latin.txt"]["encoding"], rows["notes.txt"]["encoding"]} == {"cp1252", "utf-16"}
    assert (rows["latin.txt"]["certainty"], rows["notes.txt"]["certainty"]) == ("doubtful", "known")
    walk("files --folders")
    assert "*.log" in walk("files --why", "a.log", code=1)["excluded"]
    assert "outside" in walk("files --why", "outside.txt", code=1)["excluded"]
    added = walk("select add", "pkg/core", "latin.txt", "notes.txt", "spec.pdf", "inside.md", ".env")["added"]
    assert len(added) == 46
    walk.refused("select", "add", "nosuch.py", code=1, error="not_found")
    walk.refused("select", "add", "data.bin", code=3, error="invalid_input")
    walk.refused("select", "add", "outside.txt", code=3, error="invalid_input")
    walk.refused("select", "add", "../x", code=3, error="outside_workspace")
    assert [row["rule"] for row in walk("secrets scan", code=1)] == ["secret-file"]
    walk("secrets allow", ".env")
    assert all(row["is_agreed"] for row in walk("consent"))
    assert walk("select rm", ".env")["removed"] == [".env"]
    walk("select show", "outline", "pkg/core/m1.py")
    walk("select pages", "1", "spec.pdf")
    walk("select save", "core")
    assert walk("select sets")["core"]
    assert walk("select list")["pages"] == {"spec.pdf": "1"}
    assert walk("select clear")["removed"]
    (root / "trace.log").write_text('  File "pkg/core/m2.py", line 2, in add_2\n')
    assert walk("select from", "trace.log")["added"] == ["pkg/core/m2.py"]
    (root / "README.md").write_text("# A package of figures, edited\n")
    # A link is the file that it leads to: both changed.
    assert "README.md" in walk("select changed")["added"]
    assert "spec.pdf" in walk("select diff", "core")["only_first"]
    assert walk("select load", "core")["missing"] == []
    walk.refused("select", "load", "cora", code=1, error="not_found")
    begun = walk("cycle new", "--title", "Fill", "-m", "Fill in the stub in pkg/core/figures.py.")
    assert begun["id"] == 1
    assert walk("cycle edit", 1, "--title", "Fill it in")["rev"] == 2
    assert walk("cycle delete", walk("cycle new")["id"])["id"] == 2
    assert [cycle["id"] for cycle in walk("cycle list")] == [0, 1]
    assert walk("cycle show")["title"] == "Fill it in"
    walk.refused("cycle", "show", 9, code=1, error="not_found")
    walk.refused("cycle", "delete", 0, code=3, error="invalid_input")
    cost = walk("prompt")
    assert (cost["exact"], cost["files"], cost["is_over"]) == (True, 45, False)
    assert cost["total"] == sum(section["tokens"] for section in cost["sections"])
    assert [file["path"] for file in cost["guessed"]] == ["latin.txt"]
    walk.refused("prompt", "--cycle", 9, code=1, error="not_found")


def settle(walk: Walk, dce: Dce) -> None:
    """Settings, a card, the doctor, and failing hops."""
    assert walk("settings get")["key"] == "…"
    assert walk("settings set", "max_tokens", 800) == {"max_tokens": 800}
    walk.refused("settings", "set", "nosuch", 1, code=3, error="invalid_input")
    dce("settings", "cards", "add", "warm", "--temperature", "0.9")
    assert list(walk("settings cards list")) == ["warm"]
    assert walk("cycle card", "warm")["card"] == "warm"
    walk("cycle card", "")
    assert walk("doctor", "--silence", 1)["ok"]
    nowhere = ("--url", "http://127.0.0.1:9")
    walk.refused("generate", "-n", 1, *nowhere, code=4, error="gateway_unreachable", hop="gateway")
    walk.refused("generate", "-n", 1, "--key", "dce_wrong", code=3, error="invalid_key", hop="gateway")


def judge(walk: Walk, root: Path, dce: Dce) -> None:
    """From the prompt to judged answers."""
    dce("select", "clear")
    dce("select", "add", "pkg/core/figures.py")
    events = walk("generate", "-n", 2, "--schema", "fill", "--temperature", "0.8")
    assert events[-1]["statuses"] == {"complete": 2}
    assert [row["parse"] for row in walk("board")] == ["ok", "ok"]
    assert walk("regenerate", "latest", 2)[-1]["slots"] == [2]
    assert walk("show", 2)["response"]["version"] == 2
    assert [row["path"] for row in walk("diff", 1)] == ["pkg/core/figures.py"]
    assert dce("run-checks", "--json", "--yes").json == {}  # no checks: behaviour only
    walk.refused("run-checks", 1, code=1, error="not_found")
    (root / ".dce" / "checks.toml").write_text(CHECKS)
    walk("paste", 3, "answer.log")
    reports = dce("run-checks", "--json", "--yes", code=None).json
    assert set(reports) == {"1", "2", "3"}
    assert (reports["3"]["passed"], reports["3"]["failed"]) == (2, 0)
    assert walk("run-checks", 3)["3"]["new_failures"] == 0
    best = next(row for row in walk("board") if row["slot"] == 3)  # the model's own answers are what they are
    assert (best["checks"]["passed"], best["checks"]["failed"], best["checks"]["stale"]) == (2, 0, "")
    assert walk("follow-up", 3, "-m", "Shorter.")[-1]["slots"] == [4]
    assert {row["slot"]: row["made_from"] for row in walk("board")}[4]["slot"] == 3
    assert walk("board --evidence")["report"]["sentence"]
    assert walk("run-checks --workspace", code=1)["runs"][0]["tests"]
    assert walk("checks init", "--force", "--no-run")["checks"][0]["command"]
    walk.refused("stop", "latest", 1, code=1, error="not_found")
    walk.refused("continue", "latest", 1, code=3, error="conflict")
    walk.refused("show", 9, code=1, error="not_found")
    walk.refused("diff", 9, code=1, error="not_found")
    walk.refused("board", 99, code=1, error="not_found")


def keep(walk: Walk, root: Path, dce: Dce, tmp_path: Path) -> None:
    """Accept and restore; export and import."""
    figures = root / "pkg" / "core" / "figures.py"
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, check=True).stdout
    walk.refused("restore", code=1, error="not_found")
    assert walk("stats")["total"]["picks"] == 0
    assert walk("accept", 3, "--dry-run")["acceptance"] is None
    assert figures.read_text() == STUBS
    assert walk("accept", 3)["files"][0]["change"] == "modified"
    assert "sum(values)" in figures.read_text()
    accepted = figures.read_text()
    figures.write_text(accepted + "# mine\n")
    walk.refused("restore", code=3, error="stale_file")
    figures.write_text(accepted)
    assert walk("restore")["files"][0]["path"] == "pkg/core/figures.py"
    assert figures.read_text() == STUBS
    assert subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, check=True).stdout == head
    assert walk("history")[0]["responses"] == 4
    assert walk("history QUERY", "mean")
    assert "words that begin with them" in dce("history", "zzzzq", code=1).err
    bundle = tmp_path / "h.dce"
    assert walk("export", bundle)["size"] == bundle.stat().st_size
    walk.refused("export", tmp_path / "nosuch" / "h.dce", code=3, error="invalid_input")
    (tmp_path / "other").mkdir()
    dce("init", "-C", tmp_path / "other")
    assert walk("import", bundle, "-C", tmp_path / "other")["sets"] == ["core"]
    walk.refused("import", bundle, "-C", tmp_path / "other", code=3, error="conflict")


def mend(walk: Walk) -> None:
    """Checks the store, recovers it although it is sound, and restores a backup of it."""
    assert walk("restore --list")[0]["is_last"] in (True, False)
    assert walk("store check")["state"] == "sound"
    assert walk("store recover")["set_aside"] == ""
    backup = walk("store restore")[0]["path"]
    assert walk("store restore BACKUP", backup)["backup"] == backup
    assert walk("store check")["state"] == "sound"
    walk.refused("store", "restore", "nosuch", code=1, error="not_found")


@pytest.mark.timeout(900)
def test_every_verb(dce: Dce, tmp_path: Path) -> None:
    """Each verb works in a workspace of two hundred files, prints the reference's JSON, and on failure names its hop and a next step."""
    root, walk = tmp_path / "project", Walk(dce)
    (root / "answer.log").write_text(ANSWER)
    curate(walk, root)
    settle(walk, dce)
    judge(walk, root, dce)
    keep(walk, root, dce, tmp_path)
    mend(walk)
    # Stopping needs a running response, continuing a truncated one, judging two that fare alike: other tests cover them.
    assert set(walk.left) == {"stop", "continue", "judge"}
    assert json.loads(dce("stop", 99, 1, "--json", code=1).out)["error"]["code"] == "not_found"
