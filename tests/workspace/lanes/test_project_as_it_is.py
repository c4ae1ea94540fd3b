"""A check sees the project as it is: ignored dependencies, the tool folders of the home, the project's own python."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from dce.workspace.judging.checks_file import load_checks
from dce.workspace.judging.lanes.lane import Kind
from dce.workspace.judging.lanes.settings import LaneSettings
from dce.workspace.project import Project
from tests.workspace.judging import reading_of, write
from tests.workspace.laned import KINDS, checked, lanes_of, project_of, ran, script

FAULTS = Path(__file__).parents[2] / "fixtures" / "faults"

either = pytest.mark.parametrize("kind", KINDS)

VITEST = """#!/bin/sh
grep -q 'a+b' src/add.js && echo 'Tests  1 passed (1)'
"""
NPM = """#!/bin/sh
PATH="$PWD/node_modules/.bin:$PATH"; exec sh -c 'vitest run'
"""
CARGO = """#!/bin/sh
[ -e "$HOME/.rustup/settings.toml" ] || { echo 'rustup could not choose a version of cargo to run'; exit 1; }
exec "$HOME/.rustup/toolchains/stable/bin/cargo" "$@"
"""
REAL_CARGO = """#!/bin/sh
touch "$HOME/.cargo/registry/lock" && grep -q 'a + b' src/lib.rs && echo 'test result: ok. 2 passed; 0 failed'
"""
PYTEST = """
import importlib
test = importlib.import_module("test_calc")
test.test_a()
print("1 passed in 0.01s")
"""


def _fault(root: Path, name: str) -> Project:
    shutil.copytree(FAULTS / name, root)
    for path in root.glob("*.txt"):  # no Python files of this repository
        path.rename(path.with_suffix(".py"))
    project = Project.init(root)
    shutil.move(root / "checks.toml", project.state_dir / "checks.toml")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    return project


def _environ(home: Path, *folders: Path) -> Mapping[str, str]:
    path = os.pathsep.join([*(str(folder) for folder in folders), os.environ["PATH"]])
    kept = {name: value for name, value in os.environ.items() if name not in {"CARGO_HOME", "RUSTUP_HOME"}}
    return kept | {"HOME": str(home), "PATH": path}


@either
def test_ignored_dependencies_are_there(tmp_path: Path, kind: Kind) -> None:
    """[10] `npm test` finds the runner in the ignored node_modules: by itself in an overlay, through `link` in a copy."""
    project = _fault(tmp_path / "w", "10-checks-without-ignored-dependencies")
    write(tmp_path / "w" / "node_modules" / ".bin" / "vitest", VITEST, mode=0o755)
    write(tmp_path / "bin" / "npm", NPM, mode=0o755)
    settings = LaneSettings(link=("node_modules",) if kind == "copy" else ())
    lanes = lanes_of(project, kind, settings, _environ(tmp_path / "home", tmp_path / "bin"))
    checks = load_checks(project)
    assert checked(project, checks, lanes=lanes).is_passed
    broken = reading_of({"src/add.js": "export const add=(a,b)=>a-b;\n"})
    assert not checked(project, checks, broken, lanes=lanes).is_passed


@either
def test_tool_folders_of_the_home_are_there(tmp_path: Path, kind: Kind) -> None:
    """[11] cargo runs, whose toolchain and registry are in the home; an overlay's writes there reach no file of the user's."""
    project = _fault(tmp_path / "w", "11-checks-home-replaced")
    home = tmp_path / "home"
    write(home / ".cargo" / "bin" / "cargo", CARGO, mode=0o755)
    write(home / ".cargo" / "registry" / "index", "")
    write(home / ".rustup" / "settings.toml", "")
    write(home / ".rustup" / "toolchains" / "stable" / "bin" / "cargo", REAL_CARGO, mode=0o755)
    lanes = lanes_of(project, kind, environ=_environ(home, home / ".cargo" / "bin"))
    checks = load_checks(project)
    report = checked(project, checks, lanes=lanes)
    assert report.is_passed, report
    text = (project.root / "src" / "lib.rs").read_text()
    assert not checked(
        project, checks, reading_of({"src/lib.rs": text.replace("a + b", "a - b")}), lanes=lanes
    ).is_passed
    assert (home / ".cargo" / "registry" / "lock").exists() == (kind == "copy")


@either
def test_python_is_the_projects(tmp_path: Path, kind: Kind) -> None:
    """[12] `python` is that of the workspace's `.venv`, with what is installed there."""
    project = _fault(tmp_path / "w", "12-checks-python-is-dces-own")
    packages = _environment_in(project.root / ".venv")
    write(packages / "six.py", "")
    write(packages / "pytest.py", PYTEST)
    write(project.root / ".gitignore", ".venv/\n")
    lanes = lanes_of(project, kind, environ=_environ(tmp_path / "home"))
    checks = load_checks(project)
    report = checked(project, checks, lanes=lanes)
    assert report.is_passed, report
    assert not checked(project, checks, reading_of({"calc.py": "def add(a,b): return a-b\n"}), lanes=lanes).is_passed


@either
def test_an_editable_install_leads_to_the_answer(tmp_path: Path, kind: Kind) -> None:
    """In a monorepo, a package that is installed in place outside `src/` is the answer's: a broken answer does not pass."""
    files = {"packages/foo/src/foo/__init__.py": "A = 1\n", ".gitignore": ".venv/\n", "packages/foo/pyproject.toml": ""}
    project = project_of(tmp_path / "w", files)
    subprocess.run(["git", "init", "-q", str(project.root)], check=True)
    packages = _environment_in(project.root / ".venv")
    write(packages / "foo.pth", f"{project.root / 'packages/foo/src'}\n")
    lanes = lanes_of(project, kind, environ=_environ(tmp_path / "home"))
    check = script("import foo; print(foo.A)")
    assert ran(lanes, check).output == "1\n"
    assert ran(lanes, check, reading_of({"packages/foo/src/foo/__init__.py": "A = 2\n"})).output == "2\n"


@either
def test_an_install_that_hides_the_answer_gives_no_verdict(tmp_path: Path, kind: Kind) -> None:
    """A package that was installed as a copy would be tested instead of the answer: the report says so and has no runs."""
    project = project_of(tmp_path / "w", {"src/foo/__init__.py": "A = 1\n", ".gitignore": ".venv/\n"})
    subprocess.run(["git", "init", "-q", str(project.root)], check=True)
    write(_environment_in(project.root / ".venv") / "foo" / "__init__.py", "A = 1\n")
    lanes = lanes_of(project, kind, environ=_environ(tmp_path / "home"))
    report = checked(
        project, [script("import foo; print(foo.A)")], reading_of({"src/foo/__init__.py": "A = 2\n"}), lanes=lanes
    )
    if kind == "overlay":
        assert report.runs == ()
        assert "Python imports `foo` from" in report.problem
    else:
        assert report.runs[0].output == "2\n"  # a copy searches its own src/ first


def test_a_finder_that_leads_back_gives_no_verdict(tmp_path: Path) -> None:
    """In a copy, an editable install that nothing redirects would test the workspace's code: there is no verdict."""
    files = {"python/foo/__init__.py": "A = 1\n", ".gitignore": ".venv/\n"}
    project = project_of(tmp_path / "w", files)
    subprocess.run(["git", "init", "-q", str(project.root)], check=True)
    finder = f"import sys; sys.path.append({str(project.root / 'python')!r})\n"
    write(_environment_in(project.root / ".venv") / "__editable__foo.pth", finder)
    reading = reading_of({"python/foo/__init__.py": "A = 2\n"})
    environ = _environ(tmp_path / "home")
    report = checked(project, [script("import foo")], reading, lanes=lanes_of(project, "copy", environ=environ))
    assert report.runs == ()
    assert f"from {project.root}" in report.problem
    assert (
        ran(lanes_of(project, "overlay", environ=environ), script("import foo; print(foo.A)"), reading).output == "2\n"
    )


@either
def test_links_into_the_workspace_lead_to_the_answer(tmp_path: Path, kind: Kind) -> None:
    """A package of the workspace that node_modules links to is the answer's, also under a scope."""
    project = project_of(tmp_path / "w", {"packages/a/index.js": "old\n", ".gitignore": "node_modules/\n"})
    subprocess.run(["git", "init", "-q", str(project.root)], check=True)
    (project.root / "node_modules" / "@our").mkdir(parents=True)
    (project.root / "node_modules" / "a").symlink_to("../packages/a")
    (project.root / "node_modules" / "@our" / "a").symlink_to("../../packages/a")
    lanes = lanes_of(project, kind, LaneSettings(link=("node_modules",)))
    check = script("print(open('node_modules/a/index.js').read(), open('node_modules/@our/a/index.js').read())")
    assert ran(lanes, check, reading_of({"packages/a/index.js": "new\n"})).output.split() == ["new", "new"]


@either
def test_named_paths_are_there(tmp_path: Path, kind: Kind) -> None:
    """What `link` and `copy` name is there, from the workspace and from the home; writing to a copy changes no file of the user's."""
    home = tmp_path / "home"
    project = project_of(home / "w", {".gitignore": ".env\n"})
    subprocess.run(["git", "init", "-q", str(project.root)], check=True)
    write(project.root / ".env", "A=1")
    write(home / ".toolrc", "rc")
    write(home / "data" / "x", "x")
    settings = LaneSettings(link=("~/.toolrc", "missing"), copy=(".env", "~/data"))
    code = """
        import pathlib
        home = pathlib.Path.home()
        print(pathlib.Path(".env").read_text(), (home / ".toolrc").read_text(), (home / "data/x").read_text())
        (home / "data/x").write_text("changed"); pathlib.Path(".env").write_text("changed")
    """
    run = ran(lanes_of(project, kind, settings, _environ(home)), script(code))
    assert run.output == "A=1 rc x\n"
    assert (home / "data" / "x").read_text() == "x"
    assert (project.root / ".env").read_text() == "A=1"


def _environment_in(folder: Path) -> Path:
    """A virtual environment; returns the folder of its packages."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return next((folder / "lib").glob("python*")) / "site-packages"
