"""exam_of.py, table.py, manifests.py and weakening.py: what an answer changes about the exam, without running anything."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from dce.workspace.judging.checks_file import Check
from dce.workspace.judging.exam.doctests import examples_of
from dce.workspace.judging.exam.exam_of import Exam, exam_of
from dce.workspace.judging.exam.manifests import laid_over
from dce.workspace.judging.exam.table import harness_of, role_of
from dce.workspace.project import Project
from dce.workspace.schema.reading import FileBlock, Reading
from tests.workspace.judging import reading_of, write

PY = (
    "import pytest\nimport calc\n\n\ndef test_a():\n    assert calc.f(1) == 2\n    assert calc.f(2) == 3\n\n\n"
    "@pytest.mark.parametrize('n', [1, 2, 3])\ndef test_b(n):\n    assert calc.g(n) == n\n"
)
JS = (
    "import test from 'node:test';\nimport assert from 'node:assert';\nimport { f } from '../calc.js';\n"
    "test('a', () => { assert.strictEqual(f(1), 2); });\ntest('b', () => {\n  assert.equal(f(2), 3);\n  assert.equal(f(3), 4);\n});\n"
)
GO = (
    'package calc\n\nimport "testing"\n\nfunc TestA(t *testing.T) {\n\tif F(1) != 2 {\n\t\tt.Errorf("F")\n\t}\n}\n\n'
    'func TestB(t *testing.T) {\n\tif F(2) != 3 {\n\t\tt.Fatal("F")\n\t}\n}\n'
)
RUST = "pub fn f(a: i32) -> i32 { a }\n\n#[cfg(test)]\nmod tests {\n    use super::*;\n    #[test]\n    fn a() { assert_eq!(f(1), 2); }\n}\n"


def _exam(root: Path, files: Mapping[str, str], reading: Reading | Mapping[str, str], *checks: Check) -> Exam:
    """The exam of one answer."""
    for path, content in files.items():
        write(root / path, content)
    return exam_of(Project.init(root), reading if isinstance(reading, Reading) else reading_of(reading), checks)


WEAKENED = {
    "assert-true": ("tests/test_a.py", PY, PY.replace("calc.f(1) == 2", "True").replace("calc.f(2) == 3", "1 == 1")),
    "one-assert-fewer": ("tests/test_a.py", PY, PY.replace("    assert calc.f(2) == 3\n", "")),
    "looser": ("tests/test_a.py", PY, PY.replace("calc.f(1) == 2", "calc.f(1) is not None")),
    "or-true": ("tests/test_a.py", PY, PY.replace("calc.f(1) == 2", "calc.f(1) == 2 or True")),
    "early-return": ("tests/test_a.py", PY, PY.replace("def test_a():\n", "def test_a():\n    return\n")),
    "fewer-cases": ("tests/test_a.py", PY, PY.replace("[1, 2, 3]", "[1]")),
    "test-gone": ("tests/test_a.py", PY, PY[: PY.index("@pytest")]),
    "emptied": ("tests/test_a.py", PY, ""),
    "skipped": ("tests/test_a.py", PY, PY.replace("def test_a", "@pytest.mark.skip\ndef test_a")),
    "xfail": ("tests/test_a.py", PY, PY.replace("def test_a", "@pytest.mark.xfail(reason='x')\ndef test_a")),
    "module-skip": ("tests/test_a.py", PY, PY.replace("import calc\n", "import calc\npytestmark = pytest.mark.skip\n")),
    "not-collected": ("tests/test_a.py", PY, PY.replace("import calc\n", "import calc\n__test__ = False\n")),
    "swallowed": (
        "tests/test_a.py",
        PY,
        PY.replace(
            "    assert calc.f(1) == 2\n", "    try:\n        assert calc.f(1) == 2\n    except AssertionError:\n        pass\n"
        ),
    ),
    "renamed-away": ("tests/test_a.py", PY, PY.replace("def test_a", "def check_a")),
    "js-trivial": ("test/a.test.js", JS, JS.replace("assert.strictEqual(f(1), 2)", "assert.ok(true)")),
    "js-commented": ("test/a.test.js", JS, JS.replace("  assert.equal(f(3)", "  // assert.equal(f(3)")),
    "js-skip": ("test/a.test.js", JS, JS.replace("test('a'", "test.skip('a'")),
    "js-only": ("test/a.test.js", JS, JS.replace("test('b'", "test.only('b'")),
    "js-gone": ("test/a.test.js", JS, JS.replace("test('a', () => { assert.strictEqual(f(1), 2); });\n", "")),
    "go-build-tag": ("a_test.go", GO, f"//go:build ignore\n\n{GO}"),
    "go-skip": ("a_test.go", GO, GO.replace("testing.T) {\n\tif F(1)", "testing.T) {\n\tt.Skip()\n\tif F(1)")),
    "go-gone": ("a_test.go", GO, GO[: GO.index("func TestB")]),
    "rust-ignore": ("src/lib.rs", RUST, RUST.replace("#[test]\n", "#[test]\n    #[ignore]\n")),
    "rust-trivial": ("src/lib.rs", RUST, RUST.replace("assert_eq!(f(1), 2)", "assert!(true)")),
    "rust-gone": ("src/lib.rs", RUST, RUST[: RUST.index("#[cfg(test)]")]),
    "pytest-ini": ("pytest.ini", "[pytest]\naddopts = -q\n", "[pytest]\naddopts = -q -k nothing\n"),
    "makefile": ("Makefile", "test:\n\tpytest -q\n", "test:\n\tpytest -q || true\n"),
    "npm-test": ("package.json", '{"scripts": {"test": "jest"}}', '{"scripts": {"test": "true"}}'),
    "jest": ("jest.config.js", "module.exports = {};\n", "module.exports = { testPathIgnorePatterns: ['.'] };\n"),
    "vitest": ("vitest.config.ts", "export default {}\n", "export default { test: { passWithNoTests: true, exclude: ['**'] } }\n"),
    "mocharc": (".mocharc.json", "{}\n", '{"ignore": ["test/**"]}\n'),
    "gradle": ("build.gradle", "test {\n}\n", "test {\n  exclude '**/*Test*'\n}\n"),
    "maven": ("pom.xml", "<project/>\n", "<project><properties><skipTests>true</skipTests></properties></project>\n"),
    "cargo": ("Cargo.toml", '[package]\nname = "a"\n', '[package]\nname = "a"\nautotests = false\n'),
    "setup-cfg": ("setup.cfg", "[metadata]\nname = a\n", "[metadata]\nname = a\n[tool:pytest]\naddopts = --ignore=tests\n"),
}  # fmt: skip


@pytest.mark.parametrize("case", WEAKENED)
def test_what_weakens_the_exam_is_told(tmp_path: Path, case: str) -> None:
    """Tests that are gone, skipped, or check less, and configuration that keeps tests from running, in every language of the table."""
    path, before, after = WEAKENED[case]
    exam = _exam(tmp_path, {path: before}, {path: after})
    assert [(change.path, change.kind) for change in exam.changes] == [(path, "weakened")]
    assert exam.changes[0].why
    assert [file.path for file in exam.laid] == [path]


ADDED = {
    "python": ("tests/test_a.py", PY, PY + "\n\ndef test_c():\n    assert calc.f(0) == 1\n"),
    "javascript": ("test/a.test.js", JS, JS + "test('c', () => { assert.equal(f(0), 1); });\n"),
    "go": ("a_test.go", GO, GO + "\nfunc TestC(t *testing.T) {\n\tif F(0) != 1 {\n\t\tt.Error()\n\t}\n}\n"),
    "rust": ("src/lib.rs", RUST, RUST.replace("    #[test]\n", "    #[test]\n    fn b() { assert_eq!(f(0), 0); }\n    #[test]\n")),
    "file": ("tests/test_new.py", None, "def test_new():\n    assert 1 + 1 == 2\n"),
    "fixture": ("tests/conftest.py", None, "import pytest\n\n\n@pytest.fixture\ndef data():\n    return 1\n"),
}  # fmt: skip


@pytest.mark.parametrize("case", ADDED)
def test_what_adds_to_the_exam_is_told_apart(tmp_path: Path, case: str) -> None:
    """More tests are no weaker tests; they are kept out of the verdict all the same."""
    path, before, after = ADDED[case]
    exam = _exam(tmp_path, {path: before} if before is not None else {}, {path: after})
    assert [change.kind for change in exam.changes] == ["added"]
    assert [(file.path, file.data is None) for file in exam.laid] == [(path, before is None)]


CHANGED = {
    "expected": ("tests/test_a.py", PY, PY.replace("calc.f(1) == 2", "calc.f(1) == 5")),
    "renamed": ("tests/test_a.py", PY, PY.replace("def test_a", "def test_other")),
    "hook": ("conftest.py", None, "import pytest\n\n\n@pytest.fixture(autouse=True)\ndef no(monkeypatch):\n    pass\n"),
    "data": ("tests/data/expected.txt", "1\n", "2\n"),
    "data-gone": ("tests/data/expected.txt", "1\n", None),
    "javascript": ("test/a.test.js", JS, JS.replace("f(1), 2", "f(1), 9")),
    "options": ("pytest.ini", "[pytest]\n", "[pytest]\nfilterwarnings = error\n"),
}


@pytest.mark.parametrize("case", CHANGED)
def test_what_is_otherwise_is_neither(tmp_path: Path, case: str) -> None:
    """Another expected value, a new name or data, a hook: whether it is right depends on what the cycle asks for."""
    path, before, after = CHANGED[case]
    block = FileBlock(path=path, content=after or "", action="write" if after is not None else "delete")
    exam = _exam(tmp_path, {path: before} if before is not None else {}, Reading(files=(block,)))
    assert [change.kind for change in exam.changes] == ["changed"]
    assert [(file.path, file.data) for file in exam.laid] == [(path, None if before is None else before.encode())]


UNTOUCHED = {
    "source": ("calc.py", "x = 1\n", "x = 2\n"),
    "the-same": ("tests/test_a.py", PY, PY),
    "dependency": ("package.json", '{"scripts": {"test": "jest"}}', '{"scripts": {"test": "jest", "lint": "x"}, "dependencies": {"a": "1"}}'),
    "requirement": ("pyproject.toml", "[project]\nname = 'a'\n", "[project]\nname = 'a'\ndependencies = ['b']\n"),
    "crate": ("Cargo.toml", '[package]\nname = "a"\n', '[package]\nname = "a"\n\n[dependencies]\nb = "1"\n'),
    "rust-source": ("src/lib.rs", RUST, RUST.replace("{ a }", "{ a + 1 }")),
    "gradle-dependency": ("build.gradle", "plugins {}\n", "plugins {}\ndependencies { implementation 'a:b:1' }\n"),
    "word-like-test": ("src/latest.py", "x = 1\n", "x = 2\n"),
    "broken-manifest": ("package.json", "{}", "{"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNTOUCHED)
def test_what_is_not_of_the_exam_is_left_alone(tmp_path: Path, case: str) -> None:
    """Source, dependencies and metadata are the answer's: nothing is laid over them, and no second run is made."""
    path, before, after = UNTOUCHED[case]
    assert _exam(tmp_path, {path: before}, {path: after}) == Exam()


def test_a_test_that_moves_is_not_gone(tmp_path: Path) -> None:
    """Tests that are in another of the answer's files are not called gone."""
    deleted = FileBlock(path="tests/test_a.py", content="", action="delete")
    reading = Reading(files=(deleted, FileBlock(path="tests/unit/test_a.py", content=PY)))
    exam = _exam(tmp_path, {"tests/test_a.py": PY}, reading)
    assert {change.path: change.kind for change in exam.changes} == {
        "tests/test_a.py": "changed",
        "tests/unit/test_a.py": "added",
    }


DOCUMENTED = '''"""Sums.

>>> twice(4)
8
"""


def twice(n):
    """Twice.

    >>> twice(2)
    4
    >>> twice(0)
    0
    """
    return 2 * n


class Box:
    @property
    def size(self):
        """>>> Box().size
        1
        """
        return 1
'''
DOCTEST = Check(name="t", command=("python", "-m", "pytest", "--doctest-modules"))


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (("    4\n", "    5\n"), "changed"),
        (("    >>> twice(0)\n    0\n", ""), "weakened"),
        ((DOCUMENTED[DOCUMENTED.index('    """Twice'):DOCUMENTED.index("    return 2")], ""), "weakened"),
        ((">>> twice(4)\n8\n", ""), "weakened"),
        (('        """>>> Box().size\n        1\n        """\n', ""), "weakened"),
    ],
    ids=["result", "one-gone", "all-gone", "module", "method"],
)  # fmt: skip
def test_examples_that_are_run_are_the_workspaces(tmp_path: Path, change: tuple[str, str], kind: str) -> None:
    """Where a project runs the examples in its docstrings, an answer that loses some gets the workspace's back; its code stays."""
    after = DOCUMENTED.replace(*change).replace("2 * n", "n + n")
    exam = _exam(tmp_path, {"sums.py": DOCUMENTED}, {"sums.py": after}, DOCTEST)
    assert [change.kind for change in exam.changes] == [kind]
    [laid] = exam.laid
    assert examples_of((laid.data or b"").decode()) == examples_of(DOCUMENTED)
    assert b"n + n" in (laid.data or b"")
    assert _exam(tmp_path, {}, {"sums.py": after}) == Exam()


def test_more_examples_and_other_code_are_the_answers(tmp_path: Path) -> None:
    """An answer that keeps every example is left alone, whatever else its docstrings say."""
    after = DOCUMENTED.replace("Twice.", "Two times.").replace(
        "    >>> twice(0)\n", "    >>> twice(1)\n    2\n    >>> twice(0)\n"
    )
    assert _exam(tmp_path, {"sums.py": DOCUMENTED}, {"sums.py": after}, DOCTEST) == Exam()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", "import os\n\nX = 1 if 'PYTEST_CURRENT_TEST' in os.environ else 2\n"),
        ("a.js", "export const x = process.env.NODE_ENV === 'test' ? 1 : 2;\n"),
        ("src/a.rs", "pub fn x() -> i32 { if cfg!(test) { 1 } else { 2 } }\n"),
        ("a.go", "package a\n\nvar X = testing.Testing()\n"),
    ],
)
def test_a_program_that_asks_whether_it_is_tested_is_named(tmp_path: Path, path: str, text: str) -> None:
    """Its verdict may say nothing about how it behaves elsewhere. Nothing is laid over it."""
    exam = _exam(tmp_path, {}, {path: text})
    assert [(change.kind, change.path) for change in exam.changes] == [("changed", path)]
    assert exam.laid == ()


def test_a_build_file_that_bends_the_runner_never_counts(tmp_path: Path) -> None:
    """A changed build file may be needed, unless what it changes can keep tests from running or failing."""
    files = {"Makefile": "test:\n\tpython -m pytest -q a.py\n"}
    needed = _exam(tmp_path, files, {"Makefile": files["Makefile"].replace("a.py", "b.py")})
    assert needed.without_build == ()
    for words in ("-p evil", "-k none", "|| true"):
        assert _exam(tmp_path, files, {"Makefile": files["Makefile"].replace("a.py", words)}).without_build is None


def test_a_part_of_the_program_with_a_tests_name_stays(tmp_path: Path) -> None:
    """A new module that the program imports stays in the lane although its name is that of a test; one in a folder of tests does not."""
    reading = reading_of(
        {"calc/test_utils.py": "X = 1\n", "calc/core.py": "from calc.test_utils import X\n", "tests/test_utils.py": ""}
    )
    exam = _exam(tmp_path, {}, reading)
    assert [file.path for file in exam.laid] == ["tests/test_utils.py"]
    assert {change.kind for change in exam.changes} == {"added"}


HELPER = "def make():\n    return 1\n"


@pytest.mark.parametrize(
    ("path", "is_exam"),
    [
        ("src/app/test_utils.py", False),
        ("lib/app/test_helpers.rb", False),
        ("src/test.ts", False),
        ("app/test/client.py", False),
        ("tests/helpers.py", True),
        ("test/helpers.py", True),
        ("app/tests/helpers.py", True),
        ("app/test/checks.py", True),
        ("test.sh", True),
    ],
)
def test_a_file_of_the_program_may_have_the_name_of_a_test(tmp_path: Path, path: str, is_exam: bool) -> None:
    """A module that holds no test is the program's, unless it is in a folder of tests; a package `test` inside another is no such folder."""
    files = {"app/__init__.py": "", "app/test/__init__.py": "", "app/tests/__init__.py": ""}
    text = HELPER if not path.endswith("checks.py") else "def check(x):\n    assert x\n"
    exam = _exam(tmp_path, {**files, path: text}, {path: text.replace("1", "2").replace("assert x", "pass")})
    assert [file.path for file in exam.laid] == [path] * is_exam


def test_what_a_check_starts_is_of_the_exam(tmp_path: Path) -> None:
    """A script that a check runs and whose name says so is laid over; a program under test is not."""
    check = Check(name="t", command=("sh", "-c", "./ci/check.sh && python app.py --selftest"), cwd="")
    assert harness_of([check]) == {"ci/check.sh"}
    files = {"ci/check.sh": "#!/bin/sh\npython -c 'import app'\n", "app.py": "x = 1\n"}
    exam = _exam(tmp_path, files, {"ci/check.sh": "#!/bin/sh\nexit 0\n", "app.py": "x = 2\n"}, check)
    assert [file.path for file in exam.laid] == ["ci/check.sh"]


def test_a_manifest_keeps_what_else_the_answer_says() -> None:
    """Only the runner's sections are the workspace's; new scripts stay, unless they hook into one that is there."""
    after = '{"scripts": {"test": "true", "pretest": "rm -r test", "build": "b"}, "jest": {"testMatch": []}, "dependencies": {"a": "1"}}'
    made = laid_over("package.json", '{"scripts": {"test": "jest"}}', after)
    assert made is not None
    assert "".join(made.split()) == '{"scripts":{"test":"jest","build":"b"},"dependencies":{"a":"1"}}'
    toml = laid_over(
        "Cargo.toml",
        '[package]\nname = "a"\n',
        '[package]\nname = "b"\n[lib]\ntest = false\n[[test]]\nname = "t"\nharness = false\n',
    )
    assert toml is not None
    assert 'name = "b"' in toml
    assert "harness" not in toml
    assert "test = false" not in toml


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("tests/conftest.py", "config"),
        ("src/ParserTest.java", "test"),
        ("src/Latest.java", None),
        ("pkg/Foo.Tests/A.cs", "test"),
        ("vite.config.ts", "build"),
        ("CMakeLists.txt", "build"),
        (".cargo/config.toml", "config"),
        ("src/a.rs", "rust"),
        ("tests/a.rs", "test"),
        ("lib/testing/helper.py", None),
        ("docs/contest.md", None),
        (".NPMRC", "config"),
    ],
)
def test_the_table_tells_the_roles(path: str, role: str | None) -> None:
    """Names are compared whatever their case, except where only the case tells a test from a word."""
    assert role_of(path) == role
