"""proposing.py: which checks fit a workspace, by the files that are there."""

from pathlib import Path

import pytest

from dce.workspace.judging.checks_file import Check, load_checks, write_checks
from dce.workspace.judging.place import MAX_PLACES
from dce.workspace.judging.proposing import DETECTORS, propose, propose_all
from dce.workspace.project import Project
from tests.workspace.judging import write

CASE = "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): pass\n"


def _package(script: str = "", **dependencies: str) -> str:
    names = ", ".join(f'"{name}": "1"' for name in dependencies)
    return f'{{"scripts": {{"test": "{script}"}}, "devDependencies": {{{names}}}}}'


def _root(**dependencies: str) -> str:
    return _package("", **dependencies).replace("{", '{"workspaces": ["packages/*"], ', 1)


@pytest.mark.parametrize(
    ("files", "commands"),
    [
        ({"pyproject.toml": "[tool.pytest.ini_options]\n"}, ["pytest: python -m pytest -q"]),
        ({"tox.ini": "[tox]\n[pytest]\n"}, ["pytest: python -m pytest -q"]),
        ({"tests/test_a.py": "def test_a():\n    pass\n"}, ["pytest: python -m pytest -q"]),
        ({"test_a.py": CASE}, ["unittest: python -m unittest"]),
        ({"tests/test_a.py": CASE}, ["unittest: python -m unittest discover -s tests"]),
        ({"tests/test_a.py": CASE, "tests/__init__.py": ""}, ["unittest: python -m unittest"]),
        ({"tests/test_a.py": CASE, "conftest.py": ""}, ["pytest: python -m pytest -q"]),
        ({"package.json": _package("vitest")}, ["vitest: npx --no-install vitest run"]),
        ({"package.json": _package("vitest run --dir src")}, ["vitest: npx --no-install vitest run --dir src"]),
        ({"package.json": _package("jest --ci")}, ["jest: npx --no-install jest --ci"]),
        ({"package.json": _package("mocha")}, ["mocha: npx --no-install mocha"]),
        ({"package.json": _package("", jest="")}, ["jest: npx --no-install jest"]),
        ({"package.json": _package("node --test test")}, ["node: node --test test"]),
        ({"package.json": "{}", "test/a.js": "import 'node:test'"}, ["node: node --test"]),
        ({"package.json": _package("tap")}, ["npm test: npm test"]),
        ({"package.json": _package("tsc && vitest")}, ["npm test: npm test"]),
        ({"package.json": _package("x"), "pnpm-lock.yaml": ""}, ["npm test: pnpm test"]),
        ({"package.json": _package('echo \\"Error: no test specified\\" && exit 1')}, []),
        ({"package.json": "not json"}, []),
        ({"Cargo.toml": ""}, ["cargo: cargo test --no-fail-fast"]),
        ({"Cargo.toml": "[workspace]\n"}, ["cargo: cargo test --workspace --no-fail-fast"]),
        ({"go.mod": ""}, ["go: go test ./..."]),
        (
            {"CMakeLists.txt": "enable_testing()"},
            [
                "configure: cmake -S . -B build-dce",
                "build: cmake --build build-dce",
                "ctest: ctest --test-dir build-dce --output-on-failure",
            ],
        ),
        ({"CMakeLists.txt": "project(x)"}, []),
        ({"build.gradle.kts": "", "gradlew": ""}, ["gradle: ./gradlew test --continue --console=plain"]),
        ({"pom.xml": ""}, ["maven: mvn -B -ntp --fail-at-end test"]),
        ({"spec/a_spec.rb": "", "Gemfile": ""}, ["rspec: bundle exec rspec"]),
        ({"phpunit.xml.dist": ""}, ["phpunit: vendor/bin/phpunit"]),
        ({"a.sln": ""}, ["dotnet: dotnet test a.sln"]),
        ({"noxfile.py": ""}, ["nox: nox"]),
        ({"tox.ini": "[tox]"}, ["tox: tox -q"]),
        ({"Makefile": "all:\n\ntest: all\n\ttrue\n"}, ["make: make test"]),
        ({"Makefile": "test := 3\n"}, []),
        ({"Makefile": "test:\n", "go.mod": ""}, ["go: go test ./..."]),
        ({"a.txt": ""}, []),
        ({"py/pyproject.toml": "[tool.pytest]", "py/t.py": ""}, ["pytest in py: python -m pytest -q"]),
        (
            {"web/package.json": _package("jest"), "Cargo.toml": ""},
            ["jest in web: npx --no-install jest", "cargo: cargo test --no-fail-fast"],
        ),
        (
            {"package.json": _package("turbo run test"), "packages/a/package.json": _package("jest")},
            ["npm test: npm test"],
        ),
        (
            {
                "package.json": _root(jest=""),
                "packages/a/package.json": _package("node --test"),
                "packages/b/package.json": "{}",
            },
            ["node in packages/a: node --test"],
        ),
        (
            {"package.json": _root(jest=""), "packages/b/package.json": "{}"},
            ["jest: npx --no-install jest"],
        ),
        (
            {"package.json": _root(), **{f"packages/{n}/package.json": _package("jest") for n in "abcde"}},
            ["npm test: npm --workspaces --if-present run test"],
        ),
        (
            {
                "package.json": _package(""),
                "pnpm-workspace.yaml": "",
                **{f"packages/{n}/package.json": _package("vitest") for n in "abcde"},
            },
            ["npm test: pnpm -r --no-bail --if-present run test"],
        ),
        (
            {"tests/test_a.py": "def test_a(): pass\n", "sub/pyproject.toml": "", "sub/test_b.py": CASE},
            ["pytest: python -m pytest -q"],
        ),
    ],
)
def test_proposals(tmp_path: Path, files: dict[str, str], commands: list[str]) -> None:
    """Each kind of project gets its runner's command, started so that it can report; a Makefile or tox only if nothing else fits."""
    for path, text in files.items():
        write(tmp_path / path, text)
    found = propose(Project.init(tmp_path))
    assert [f"{each.check.name}: {' '.join(each.check.command)}" for each in found] == commands
    assert all(each.why and (each.check.cwd in each.check.name) for each in found)


def test_every_detector_has_a_case() -> None:
    """No row of the table is without a test above."""
    cases = test_proposals.pytestmark[0].args[1]  # type: ignore[attr-defined]
    tested = {command.partition(":")[0] for _, commands in cases for command in commands}
    assert {row.name for row in DETECTORS} <= tested


def test_a_monorepo_is_bounded(tmp_path: Path) -> None:
    """Of many folders of one kind the first few are proposed and the others named; ignored ones and those deep down are not."""
    for number in range(9):
        write(tmp_path / f"packages/p{number}/package.json", _package("jest"))
    write(tmp_path / "node_modules/x/package.json", _package("jest"))
    write(tmp_path / "a/b/c/d/package.json", _package("jest"))
    write(tmp_path / ".gitignore", "node_modules\n")
    found = propose_all(Project.init(tmp_path))
    assert [each.check.cwd for each in found.proposals] == [f"packages/p{number}" for number in range(MAX_PLACES)]
    assert found.left_out == tuple(f"jest in packages/p{number}" for number in range(MAX_PLACES, 9))


def test_links_out_of_the_workspace_are_not_read(tmp_path: Path) -> None:
    """A file that leads out of the workspace says nothing about it."""
    write(tmp_path / "outside.json", _package("jest"))
    write(tmp_path / "w" / "a", "")
    (tmp_path / "w" / "package.json").symlink_to(tmp_path / "outside.json")
    assert propose(Project.init(tmp_path / "w")) == ()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """A written checks.toml gives the same checks, whatever their words."""
    project = Project.init(tmp_path)
    checks = (
        Check(name='a "b" \\ é\t\x7f', command=("x", "", 'q"', "\\d+\n"), stage="quick", cwd="a b", report="**/*.xml"),
        Check(name="t", command=("python",), timeout_s=0.5, env=("A",)),
    )
    write_checks(project, checks)
    assert load_checks(project) == checks


@pytest.mark.parametrize(
    ("script", "installed", "commands"),
    [
        (
            "xo && ava && tsd",
            "xo ava tsd",
            ["xo: npx --no-install xo", "ava: npx --no-install ava", "tsd: npx --no-install tsd"],
        ),
        (
            "node --test && npm run check:types",
            "",
            ["node: node --test", "npm run check:types: npm run check:types"],
        ),
        (
            "tsc -p a && tsc -p b && mocha --exit",
            "tsc mocha",
            [
                "tsc -p a: npx --no-install tsc -p a",
                "tsc -p b: npx --no-install tsc -p b",
                "mocha: npx --no-install mocha --exit",
            ],
        ),
        ("xo && ava", "ava", ["npm test: npm test"]),
        ("rm -rf dist && ava", "ava", ["npm test: npm test"]),
        ("CI=1 ava && xo", "xo ava", ["npm test: npm test"]),
        ("ava 'a b' && xo", "xo ava", ["npm test: npm test"]),
        ("ava && (xo || true)", "xo ava", ["npm test: npm test"]),
        ("ava; xo && tsd", "xo ava tsd", ["npm test: npm test"]),
        ("ava &&", "ava", ["npm test: npm test"]),
    ],
)
def test_a_script_of_several_commands_gives_a_check_for_each(
    tmp_path: Path, script: str, installed: str, commands: list[str]
) -> None:
    """One that fails hides none of the others. What needs a shell, or is not installed, stays a script."""
    for name, text in {
        "package.json": _package(script),
        **{f"node_modules/.bin/{one}": "" for one in installed.split()},
    }.items():
        write(tmp_path / name, text)
    (tmp_path / ".gitignore").write_text("node_modules\n")
    found = [f"{one.check.name}: {' '.join(one.check.command)}" for one in propose(Project.init(tmp_path))]
    assert found == commands
