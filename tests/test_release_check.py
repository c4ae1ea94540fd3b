"""`make release-check`: what it finds in a repository, a wheel and a command, and how it says so."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from scripts.release_check import (
    PANEL_PAGE,
    ROOT,
    Build,
    Check,
    Failed,
    _output,
    check_changelog,
    check_tree,
    check_versions,
    checks,
    report,
    versions,
)

CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n## [1.2.0] – 2030-01-31\n\n### Added\n\n- A verb.\n\n## [1.1.0] - 2029-01-31\n\n- Older.\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The files that the checks read, all of version 1.2.0."""
    files = {
        "pyproject.toml": '[project]\nname = "sample"\nversion = "1.2.0"\n',
        "src/dce/__init__.py": '__version__ = "1.2.0"\n',
        "frontend/package.json": json.dumps({"version": "1.2.0"}),
        "frontend/package-lock.json": json.dumps({"version": "1.2.0"}),
        "frontend/openapi.json": json.dumps({"info": {"version": "1.2.0"}}),
        "CHANGELOG.md": CHANGELOG,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def test_this_repository_states_one_version() -> None:
    """The version is the same everywhere, at every commit."""
    assert len(set(versions(ROOT).values())) == 1


@pytest.mark.parametrize("place", ["pyproject.toml", "src/dce/__init__.py", "frontend/package.json"])
def test_a_place_with_another_version_is_named(repository: Path, place: str) -> None:
    """A version that differs fails, with the place and what it says."""
    assert "1.2.0" in check_versions(repository)
    path = repository / place
    path.write_text(path.read_text("utf-8").replace("1.2.0", "1.1.9"), "utf-8")
    with pytest.raises(Failed, match=f"{place} says 1.1.9"):
        check_versions(repository)


@pytest.mark.parametrize(
    ("old", "new", "fact"),
    [
        ("[1.2.0]", "[1.3.0]", "no section for 1.2.0"),
        (" – 2030-01-31", "", "no date"),
        ("- A verb.\n", "", "is empty"),
        ("[Unreleased]\n", "[Unreleased]\n\n- Too late.\n", "under Unreleased"),
        ("## [1.2.0] – 2030-01-31\n", "", "no section for 1.2.0"),
    ],
)
def test_a_changelog_that_is_not_ready(repository: Path, old: str, new: str, fact: str) -> None:
    """The version's section must be the newest, dated and not empty, and Unreleased must be empty."""
    assert check_changelog(repository) == "1 entries, dated 2030-01-31"
    (repository / "CHANGELOG.md").write_text(CHANGELOG.replace(old, new), "utf-8")
    with pytest.raises(Failed, match=fact):
        check_changelog(repository)


def test_an_uncommitted_file_is_named(repository: Path) -> None:
    """A tree with a file that is not committed fails and names it."""
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *words], cwd=repository, check=True)
    assert check_tree(repository).startswith("clean at ")
    (repository / "left.txt").write_text("")
    with pytest.raises(Failed, match=r"1 files are changed or untracked: left\.txt"):
        check_tree(repository)


@pytest.mark.parametrize(
    ("packed", "missing"),
    [({}, PANEL_PAGE), ({PANEL_PAGE: '<script src="/assets/app.js">'}, "assets/app.js")],
)
def test_a_wheel_without_its_panel(tmp_path: Path, packed: dict[str, str], missing: str) -> None:
    """A wheel that lacks the panel's page, or a file that the page loads, fails and says which."""
    dist = tmp_path / "clone" / "dist"
    dist.mkdir(parents=True)
    build = Build(tmp_path, tmp_path)
    with zipfile.ZipFile(dist / "sample-1.2.0.whl", "w") as wheel:
        for name, text in packed.items():
            wheel.writestr(name, text)
    with pytest.raises(Failed, match=missing):
        build.check_panel()
    with zipfile.ZipFile(dist / "sample-1.2.0.whl", "w") as wheel:
        wheel.writestr(PANEL_PAGE, '<script src="/assets/app.js">')
        wheel.writestr("dce/panel/static/assets/app.js", "")
    assert build.check_panel() == "1 files of the panel's page, 2 in all"


def test_a_build_that_made_nothing(tmp_path: Path) -> None:
    """A missing package is a failed check, not a traceback."""
    with pytest.raises(Failed, match="holds 0 files"):
        Build(tmp_path, tmp_path).check_panel()


@pytest.mark.parametrize(
    ("command", "timeout_s", "fact"),
    [
        ([sys.executable, "-c", "import sys; sys.exit('the reason')"], 60, "ended with 1: the reason"),
        ([sys.executable, "-c", "import time; time.sleep(60)"], 0.1, "did not end"),
        (["a-program-that-nobody-has"], 60, "cannot be run"),
    ],
)
def test_a_command_that_fails(tmp_path: Path, command: list[str], timeout_s: float, fact: str) -> None:
    """A command that fails, hangs or is not there becomes a fact with the next step."""
    with pytest.raises(Failed, match=fact) as caught:
        _output(command, tmp_path, timeout_s, "look into it")
    assert caught.value.step == "look into it"


def test_variables_that_steer_dce_do_not_reach_what_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks run as on a machine that has none of our variables."""
    monkeypatch.setenv("DCE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("KEPT", "1")
    names = json.loads(
        _output([sys.executable, "-c", "import json, os; print(json.dumps(list(os.environ)))"], tmp_path)
    )
    assert "KEPT" in names
    assert "DCE_URL" not in names


def test_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    """Each check has a line; a failed one says the next step, and those that depend on it are not run."""

    def fail() -> str:
        raise Failed("the fact", "the step")

    listed = [
        Check("a", lambda: "fine"),
        Check("b", fail),
        Check("c", fail, is_needed=True),
        Check("d", lambda: "never"),
    ]
    assert report(iter(listed)) == 3
    assert capsys.readouterr().out.splitlines() == [
        "✓ a: fine",
        "✗ b: the fact",
        "    next: the step",
        "✗ c: the fact",
        "    next: the step",
        "✗ d: not checked, since 'c' failed",
    ]


def test_the_checks_in_order(tmp_path: Path) -> None:
    """What is quick comes first, and nothing is installed before it is built."""
    names = [check.name for check in checks(tmp_path, Build(tmp_path, tmp_path))]
    assert names == ["version", "changelog", "working tree", "build", "panel", "wheel", "sdist"]
