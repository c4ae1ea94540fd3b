"""`dce checks init` and `dce run-checks --workspace`: from a stranger's project to a verdict in two commands."""

from pathlib import Path

import pytest

from tests.cli.conftest import Dce

TEST = (
    "import unittest\nclass T(unittest.TestCase):\n    def test_ok(self): pass\n    def test_bad(self): self.fail()\n"
)


@pytest.fixture
def project(dce: Dce, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with one test that passes and one that fails."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test_a.py").write_text(TEST)
    dce("init")
    return tmp_path


def test_init_proposes_and_says_what_came(dce: Dce, project: Path) -> None:
    """The proposal is written and tried; what fails without any response is named; a second time it needs --force."""
    done = dce("checks", "init", "--yes")
    assert "unittest     python -m unittest   (test_a.py has a TestCase)" in done.out
    assert "✗ unittest: 1 passed, 1 failed (unittest)" in done.out
    assert "fails without any response: test_a.T.test_bad" in done.out
    assert 'command = ["python", "-m", "unittest"]' in (project / ".dce" / "checks.toml").read_text()
    assert "--force" in dce("checks", "init", code=3).err
    found = dce("checks", "init", "--force", "--json", "--yes").json
    assert found["checks"][0]["name"] == "unittest"
    assert found["report"]["runs"][0]["failures"] == ["test_a.T.test_bad"]
    assert dce("checks", "init", "--force", "--no-run", "--json").json["report"] is None


def test_init_with_nothing_to_propose(dce: Dce, project: Path) -> None:
    """A project without a runner that DCE knows gets no file, and an error that says what to write."""
    (project / "test_a.py").unlink()
    assert "[[check]]" in dce("checks", "init", code=1).err
    assert not (project / ".dce" / "checks.toml").exists()


def test_init_where_the_runner_is_missing(dce: Dce, project: Path) -> None:
    """If the proposal cannot run here, that is said with the reason, and the exit code is 1."""
    (project / ".dce" / "checks.toml").write_text('[[check]]\nname = "js"\ncommand = ["sh", "-c", "no-such-runner"]\n')
    done = dce("run-checks", "--workspace", "--yes", code=1)
    assert "✗ cannot run here: js: no-such-runner: not found" in done.out


def test_the_workspace_as_it_is(dce: Dce, project: Path) -> None:
    """`--workspace` without a folder checks no response; its exit code says whether all passes; it takes no slot."""
    dce("checks", "init", "--no-run")
    done = dce("run-checks", "--workspace", "--yes", code=1)
    assert "✗ unittest: 1 passed, 1 failed" in done.out
    (project / "test_a.py").write_text(TEST.replace("self.fail()", "pass"))
    assert dce("run-checks", "--workspace", "--json").json["passed"] == 2
    assert "takes no SLOT" in dce("run-checks", "1", "--workspace", code=2).err
    assert dce("run-checks", "-C", str(project), code=1).err  # no generation yet


def test_unittest_in_a_folder_is_proposed_and_runs(dce: Dce, project: Path) -> None:
    """What is proposed for a folder of tests runs as it is, with what DCE adds to its command."""
    (project / "test_a.py").unlink()
    (project / "tests").mkdir()
    (project / "tests" / "test_b.py").write_text(TEST)
    done = dce("checks", "init", "--yes")
    assert "python -m unittest discover -s tests" in done.out
    assert "✗ unittest: 1 passed, 1 failed (unittest)" in done.out


def test_a_check_that_fails_without_tests_shows_its_end(dce: Dce, project: Path) -> None:
    """Where no test says what is wrong, the end of the output is shown, and what is missing comes with the next step."""
    (project / ".dce" / "checks.toml").write_text(
        '[[check]]\nname = "c"\ncommand = ["sh", "-c", "echo beginning; echo the end; exit 3"]\n'
        '[[check]]\nname = "no-such-runner"\ncommand = ["no-such-runner"]\n'
    )
    done = dce("run-checks", "--workspace", "--yes", code=1)
    assert "✗ c: fails with exit code 3" in done.out
    assert "    | the end\n" in done.out
    assert "✗ cannot run here: no-such-runner: not found" in done.out
    assert "then `dce run-checks --workspace`" in done.err


def test_many_packages_are_named(dce: Dce, project: Path) -> None:
    """Folders that are too many to be proposed are named, so that nobody takes the proposal for complete."""
    for number in range(6):
        (project / f"p{number}").mkdir()
        (project / f"p{number}" / "go.mod").touch()
    done = dce("checks", "init", "--no-run")
    assert "not proposed, because there are too many: go in p5" in done.err
