"""Which files are the exam: tests, and what decides which tests run and how. A table, one row for each language or runner.

What must always hold: a row is data; names are compared case-insensitively, as some file systems do, except where only the case tells
a test (`ParserTest.java`) from a word (`Latest.java`). A file that is both (a manifest
with a section for the runner, a source file with tests in it, a build file) has a role of its own, and the module for that role takes
only the runner's part of it.
"""

import functools
import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Literal

import msgspec

Role = Literal["test", "config", "manifest", "rust", "build"]
"""`test`: tests and their data. `config`: nothing but configuration of the checks. `manifest`: data of which some sections are
(`manifests.py`). `rust`: source with tests in it (`rust_tests.py`). `build`: a program or a description that builds the project and can
also choose what is tested; nothing tells the two apart (`examining.py`)."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """Files with one role. A pattern without a slash is a file's name; with one, the end of its path; with one at its end, a folder
    anywhere on it."""

    of: str
    role: Role
    patterns: tuple[str, ...]
    is_case_exact: bool = False


TABLE: tuple[Row, ...] = (
    # Configuration comes first: a conftest.py in a folder of tests is configuration.
    Row(
        of="pytest, unittest, nose, tox",
        role="config",
        patterns=(
            *("conftest.py", "sitecustomize.py", "usercustomize.py", "*.pth", "pytest.ini", ".pytest.ini"),
            *("pytest.toml", ".pytest.toml", "tox.ini", "tox.toml", "noxfile.py", "unittest.cfg", "nose2.cfg", ".noserc"),
            *(".stestr.conf", ".testr.conf", ".coveragerc", "pytest.py", "_pytest.py", "unittest.py", "doctest.py"),
            *("pluggy.py", "iniconfig.py", "pytest/", "_pytest/", "unittest/", "pluggy/", "site-packages/"),
            *(".venv/", "venv/", ".tox/", ".nox/", ".eggs/"),
        ),
    ),
    Row(
        of="JavaScript and TypeScript",
        role="config",
        patterns=(
            *("jest.config.*", "jest.*.config.*", "jest-*.config.*", "jest.setup.*", "jest.preset.*", "setuptests.*"),
            *("vitest.config.*", "vitest.*.config.*", "vitest.workspace.*", "vitest.setup.*", ".mocharc*", "mocha.opts"),
            *("ava.config.*", ".taprc", ".c8rc*", ".nycrc*", "nyc.config.*", "karma.conf.*", "jasmine.json"),
            *("playwright.config.*", "cypress.config.*", "wdio.conf.*", ".npmrc", ".yarnrc*", ".pnpmfile.cjs"),
            *("node_modules/", "web-test-runner.config.*", "node.config.json"),
        ),
    ),
    Row(of="cargo", role="config", patterns=(".cargo/config", ".cargo/config.toml", ".config/nextest.toml")),
    Row(of="CMake", role="config", patterns=("ctestcustom.cmake", "ctestconfig.cmake", "ctesttestfile.cmake")),
    Row(
        of="Java and its relatives",
        role="config",
        patterns=(".mvn/", "gradle/wrapper/", "junit-platform.properties", "testng*.xml"),
    ),
    Row(of="Ruby", role="config", patterns=(".rspec", ".rspec-local", "spec_helper.rb", "rails_helper.rb", ".simplecov")),
    Row(of="PHP", role="config", patterns=("vendor/bin/", "vendor/phpunit/", "phpunit.xml", "phpunit.xml.dist", "phpunit.dist.xml", "behat.y*ml", "pest.php")),
    Row(of="dotnet", role="config", patterns=("*.runsettings", "xunit.runner.json", "testconfig.json")),
    Row(
        of="linters and type checkers",
        role="config",
        patterns=(
            *("ruff.toml", ".ruff.toml", "mypy.ini", ".mypy.ini", ".flake8", ".pylintrc", "pylintrc", "pyrightconfig.json"),
            *(".eslintrc*", "eslint.config.*", ".eslintignore", "biome.json*", ".oxlintrc.json", ".stylelintrc*"),
            *("clippy.toml", ".clippy.toml", ".golangci.*", ".rubocop.y*ml", "phpstan.neon*", "psalm.xml*", "checkstyle*.xml"),
            *(".pre-commit-config.yaml", ".shellcheckrc", ".yamllint*", ".markdownlint*", ".prettierrc*", ".prettierignore"),
            *("prettier.config.*", "tslint.json", "rustfmt.toml", ".rustfmt.toml", ".clang-tidy", ".clang-format", ".clangd"),
        ),
    ),
    Row(
        of="manifests",
        role="manifest",
        patterns=(
            *("package.json", "pyproject.toml", "setup.cfg", "cargo.toml", "composer.json", "deno.json", "deno.jsonc"),
            "bunfig.toml",
        ),
    ),
    Row(
        of="tests by their folder",
        role="test",
        patterns=(
            *("tests/", "test/", "__tests__/", "__snapshots__/", "__mocks__/", "__fixtures__/", "testdata/", "spec/"),
            *("e2e/", "cypress/", "features/step_definitions/", "golden/", "goldens/", "src/testfixtures/", "benches/"),
        ),
    ),
    Row(of="Python", role="test", patterns=("test_*.py", "*_test.py", "tests.py", "test.py", "*_tests.py")),
    Row(
        of="JavaScript and TypeScript",
        role="test",
        patterns=(
            *("*.test.*", "*.spec.*", "*[_-]test.[jt]s", "*[_-]test.[cm][jt]s", "*[_-]test.[jt]sx", "test.[jt]s", "test.[cm]js"),
            *("tests.[jt]s", "tests.[cm]js", "*[_-]tests.[jt]s", "*[_-]tests.[cm]js", "spec.[jt]s", "specs.[jt]s"),
            "*.snap",
        ),
    ),
    Row(of="Go", role="test", patterns=("*_test.go",)),
    Row(of="Rust", role="test", patterns=("tests.rs", "test.rs", "*_test.rs", "*_tests.rs")),
    Row(
        of="Java and its relatives",
        role="test",
        patterns=(
            *("*Test.java", "*Tests.java", "*TestCase.java", "*IT.java", "*Test.kt", "*Tests.kt", "*Spec.groovy", "*Spec.scala"),
            *("*Test.scala", "*Test.groovy"),
        ),
        is_case_exact=True,
    ),
    Row(of="Ruby", role="test", patterns=("*_spec.rb", "*_test.rb", "test_*.rb")),
    Row(of="PHP", role="test", patterns=("*Test.php",), is_case_exact=True),
    Row(of="dotnet", role="test", patterns=("*.tests/", "*.test/", "*.unittests/")),
    Row(of="dotnet", role="test", patterns=("*Tests.cs", "*Test.cs", "*Tests.fs", "*Test.fs"), is_case_exact=True),
    Row(of="shell and Perl", role="test", patterns=("*.bats", "*.t", "test.sh", "tests.sh", "*_test.sh", "test_*.sh", "*-test.sh")),
    Row(of="C and C++", role="test", patterns=("*_test.c", "*_test.cc", "*_test.cpp", "test_*.c", "test_*.cc", "test_*.cpp", "*_unittest.cc")),
    Row(of="Dart, Elixir", role="test", patterns=("*_test.dart", "*_test.exs", "test_helper.exs")),
    Row(of="Rust", role="rust", patterns=("*.rs",)),
    Row(
        of="build files",
        role="build",
        patterns=(
            *("makefile", "gnumakefile", "*.mk", "justfile", ".justfile", "taskfile*.y*ml", "rakefile", "*.rake", "setup.py"),
            *("cmakelists.txt", "*.cmake", "cmakepresets.json", "meson.build", "build.sbt", "project.json", "angular.json"),
            *("build.gradle*", "settings.gradle*", "gradle.properties", "gradlew*", "mvnw*", "pom.xml", "nx.json", "turbo.json"),
            *("*.csproj", "*.fsproj", "*.vbproj", "*.sln", "*.slnx", "directory.build.*", "global.json", "go.work"),
            *("vite.config.*", "babel.config.*", ".babelrc*", ".swcrc", "tsconfig*.json", "gemfile", "mix.exs"),
        ),
    ),
)  # fmt: skip
"""The first row that fits decides."""


def role_of(path: str, harness: Iterable[str] = ()) -> Role | None:
    """The role of a file; None for one that is not part of the exam. `harness`: the files that `harness_of` (harness.py) finds."""
    if path in harness:
        return "test"
    exact, lowered = f"/{path}", f"/{path.lower()}"
    return next((role for role, fits, is_exact in _compiled() if fits.search(exact if is_exact else lowered)), None)


def is_in_test_folder(path: str) -> bool:
    """Whether a folder makes the file a part of the tests. Otherwise only its name does, and the program can have such a file too."""
    return any(part.lower() in _FOLDERS for part in PurePosixPath(path).parts[:-1])


def is_collected(path: str) -> bool:
    """Whether runners look for tests in a file of this name: in Python, its folder does not make it one; elsewhere, text is none."""
    name = PurePosixPath(path).name
    return role_of(name) == "test" if name.endswith(".py") else not name.endswith((".txt", ".md", ".rst", ".bak"))


_FOLDERS = frozenset(
    {
        "tests",
        "test",
        "__tests__",
        "__snapshots__",
        "__mocks__",
        "__fixtures__",
        "testdata",
        "spec",
        "e2e",
        "cypress",
        "golden",
        "goldens",
    }
)


@functools.cache
def _compiled() -> tuple[tuple[Role, re.Pattern[str], bool], ...]:
    return tuple((row.role, re.compile("|".join(map(_expression, row.patterns))), row.is_case_exact) for row in TABLE)


def _expression(pattern: str) -> str:
    """A pattern as an expression to search for in a path that begins with a slash."""
    if pattern.endswith("/"):
        return f"/{'[^/]*'.join(re.escape(part) for part in pattern[:-1].split('*'))}/"
    return (
        f"/{_WILD.sub(lambda found: found[0] if found[1] else _MEANS.get(found[0]) or re.escape(found[0]), pattern)}$"
    )


_WILD = re.compile(r"(\[[^\]]+\])|.")
_MEANS = {"*": "[^/]*", "?": "[^/]"}
