"""examining.py: every answer is judged by the workspace's tests, whatever it does to them; real runners, in real lanes."""

import asyncio
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from dce.workspace.judging.board import BoardRow, board
from dce.workspace.judging.check_report import CheckReport
from dce.workspace.judging.checking import check_responses
from dce.workspace.schema.reading import FileBlock, Reading
from tests.workspace.judging import Bench, reading_of

PYTHON = {
    "pyproject.toml": "[project]\nname = 'calc'\nversion = '1'\n",
    "calc.py": "def add(a, b):\n    return a - b\n\n\ndef neg(a):\n    return -a\n",
    "tests/test_calc.py": (
        "import calc\n\n\ndef test_add():\n    assert calc.add(2, 3) == 5\n\n\ndef test_neg():\n    assert calc.neg(2) == -2\n"
    ),
}
"""A project whose test_add fails as it is."""
PYTEST = ("python", "-m", "pytest", "-q")
FIX = "def add(a, b):\n    return a + b\n\n\ndef neg(a):\n    return -a\n"
BROKEN = "def add(a, b):\n    return 0\n\n\ndef neg(a):\n    return a\n"
TESTS = PYTHON["tests/test_calc.py"]

NODE = {
    "package.json": '{"name": "calc", "type": "module", "scripts": {"test": "node --test"}}\n',
    "calc.js": "export const add = (a, b) => a - b;\nexport const neg = (a) => -a;\n",
    "test/calc.test.js": (
        "import test from 'node:test';\nimport assert from 'node:assert';\nimport { add, neg } from '../calc.js';\n"
        "test('adds', () => { assert.strictEqual(add(2, 3), 5); });\ntest('negates', () => { assert.strictEqual(neg(2), -2); });\n"
    ),
}
NODE_FIX = NODE["calc.js"].replace("a - b", "a + b")
NODE_BROKEN = "export const add = (a, b) => 0;\nexport const neg = (a) => a;\n"

RUST = {
    "Cargo.toml": '[package]\nname = "calc"\nversion = "0.1.0"\nedition = "2021"\n',
    "Cargo.lock": 'version = 3\n\n[[package]]\nname = "calc"\nversion = "0.1.0"\n',
    "src/lib.rs": (
        "pub fn add(a: i32, b: i32) -> i32 { a - b }\n\n#[cfg(test)]\nmod tests {\n    use super::*;\n\n"
        "    #[test]\n    fn adds() { assert_eq!(add(2, 3), 5); }\n\n    #[test]\n    fn zero() { assert_eq!(add(0, 0), 0); }\n}\n"
    ),
}


def _judged(
    root: Path, files: Mapping[str, str], command: tuple[str, ...], *answers: Mapping[str, str] | Reading
) -> tuple[dict[int, CheckReport], list[BoardRow]]:
    """The reports and the board of answers to a project with one check."""
    bench = Bench(root, files)
    words = ", ".join(f'"{word}"' for word in command)
    (bench.project.state_dir / "checks.toml").write_text(
        f'[[check]]\nname = "t"\ncommand = [{words}]\ntimeout_s = 300\n'
    )
    generation = bench.answer(*answers)
    bench.agree_to_commands()
    reports = asyncio.run(check_responses(bench, generation))
    return reports, board(bench, generation)


def _kinds(row: BoardRow) -> list[str]:
    return [change.kind for change in row.test_changes]


def test_the_three_answers_of_the_issue(tmp_path: Path) -> None:
    """Honest fix, `assert True`, `os._exit(0)`, emptied tests: only the fix gains a test, and what weakens tests comes last."""
    true = "import calc\n\n\ndef test_add():\n    assert True\n\n\ndef test_neg():\n    assert True\n"
    reports, rows = _judged(
        tmp_path,
        PYTHON,
        PYTEST,
        {"tests/test_calc.py": true},
        {"conftest.py": "import os\n\nos._exit(0)\n"},
        {"tests/test_calc.py": "\n"},
        {"calc.py": FIX},
        {"calc.py": BROKEN},
        {"calc.py": FIX, "tests/test_calc.py": TESTS + "\n\ndef test_more():\n    assert calc.add(0, 0) == 0\n"},
        {"calc.py": FIX, "tests/test_extra.py": "import calc\n\n\ndef test_wrong():\n    assert calc.add(1, 1) == 3\n"},
    )
    assert [(reports[slot].gained, reports[slot].new_failures) for slot in range(1, 8)] == [
        *((0, 0), (0, 0), (0, 0), (1, 0), (0, 1), (1, 0), (1, 0)),
    ]
    assert [row.slot for row in rows][:3] == [4, 6, 7]
    assert {row.slot for row in rows[-3:]} == {1, 2, 3}
    flagged = {row.slot for row in rows if "changes_tests" in row.flags}
    assert flagged == {1, 2, 3, 6, 7}
    kinds = {row.slot: _kinds(row) for row in rows}
    assert [kinds[slot] for slot in (1, 2, 3, 4, 6, 7)] == [["weakened"]] * 3 + [[], ["added"], ["added"]]
    own = reports[6].own
    assert own is not None
    assert (own.passed, own.failed, own.not_run) == (3, 0, 0)
    wrong = reports[7].own
    assert wrong is not None
    assert (wrong.failed, wrong.failures) == (1, ("tests/test_extra.py::test_wrong",))
    assert reports[4].own is None
    bent = reports[1].own
    assert bent is not None
    assert (bent.gained, bent.contradicted) == (("tests/test_calc.py::test_add",), ())


PYTHON_TRICKS: dict[str, Mapping[str, str] | Reading] = {
    "pytest-ini": {"pytest.ini": "[pytest]\naddopts = -k neg\n"},
    "pyproject": {
        "pyproject.toml": PYTHON["pyproject.toml"] + "[tool.pytest.ini_options]\naddopts = '--ignore=tests'\n"
    },
    "setup-cfg": {"setup.cfg": "[tool:pytest]\npython_files = none_*.py\n"},
    "tox-ini": {"tox.ini": "[pytest]\naddopts = --collect-only\n"},
    "collect-ignore": {"conftest.py": "collect_ignore = ['tests']\n"},
    "hook": {
        "tests/conftest.py": "def pytest_collection_modifyitems(items):\n    items[:] = []\n",
    },
    "outcome": {
        "conftest.py": (
            "import pytest\n\n\n@pytest.hookimpl(hookwrapper=True)\ndef pytest_runtest_makereport(item, call):\n"
            "    out = yield\n    report = out.get_result()\n    report.outcome = 'passed'\n"
        )
    },
    "sitecustomize": {
        "sitecustomize.py": "import os\nimport sys\n\nif 'pytest' in ' '.join(sys.orig_argv):\n    os._exit(0)\n"
    },
    "shadowed-runner": {"pytest.py": "print('2 passed in 0.01s')\n"},
    "shadowed-package": {"pytest/__init__.py": "", "pytest/__main__.py": "print('2 passed in 0.01s')\n"},
    "deleted": Reading(files=(FileBlock(path="tests/test_calc.py", content="", action="delete"),)),
    "renamed": Reading(
        files=(FileBlock(path="tests/calc_checks.txt", content="", action="rename", from_path="tests/test_calc.py"),)
    ),
    "skipped": {"tests/test_calc.py": f"import pytest\npytestmark = pytest.mark.skip\n{TESTS}"},
    "patched": {
        "tests/test_a.py": "import calc\n\ncalc.add = lambda a, b: a + b\n\n\ndef test_a():\n    assert calc\n"
    },
}


def test_no_trick_with_pytest_passes_a_broken_answer(tmp_path: Path) -> None:
    """With each of them, a broken answer is found out, named, and ranked below one that does nothing."""
    reports, rows = _judged(
        tmp_path, PYTHON, PYTEST, {"README.md": "Calc.\n"}, *_broken(PYTHON_TRICKS, "calc.py", BROKEN)
    )
    assert rows[0].slot == 1
    by_slot = {row.slot: row for row in rows}
    for slot, trick in enumerate(PYTHON_TRICKS, start=2):
        assert (reports[slot].new_failures, reports[slot].gained) == (1, 0), trick
        assert "changes_tests" in by_slot[slot].flags, trick
        is_weakened = reports[slot].weakens_tests or _kinds(by_slot[slot]) == ["changed"]
        assert is_weakened or trick == "patched", trick


def _broken(tricks: Mapping[str, Mapping[str, str] | Reading], path: str, content: str) -> list[Reading]:
    """Broken answers, each with one trick."""
    readings = [answer if isinstance(answer, Reading) else reading_of(answer) for answer in tricks.values()]
    return [Reading(files=(*reading.files, FileBlock(path=path, content=content))) for reading in readings]


NODE_TRICKS: dict[str, Mapping[str, str] | Reading] = {
    "emptied": {"test/calc.test.js": "\n"},
    "trivial": {
        "test/calc.test.js": "import test from 'node:test';\nimport assert from 'node:assert';\ntest('adds', () => { assert.ok(true); });\n"
    },
    "todo": {"test/calc.test.js": NODE["test/calc.test.js"].replace("test('", "test.skip('")},
    "script": {"package.json": NODE["package.json"].replace("node --test", "true")},
    "pattern": {"package.json": NODE["package.json"].replace("node --test", "node --test --test-name-pattern=none")},
    "pretest": {"package.json": NODE["package.json"].replace('"test":', '"pretest": "rm -r test", "test":')},
    "exit": {"test/a.test.js": "process.exit(0);\n"},
    "npmrc": {".npmrc": "script-shell=/bin/true\n"},
    "deleted": Reading(files=(FileBlock(path="test/calc.test.js", content="", action="delete"),)),
}


def test_no_trick_with_node_passes_a_broken_answer(tmp_path: Path) -> None:
    """Likewise, through npm's script."""
    answers = _broken(NODE_TRICKS, "calc.js", NODE_BROKEN)
    reports, rows = _judged(tmp_path, NODE, ("npm", "test"), {"calc.js": NODE_FIX}, *answers)
    assert (rows[0].slot, reports[1].gained) == (1, 1)
    by_slot = {row.slot: row for row in rows}
    for slot, trick in enumerate(NODE_TRICKS, start=2):
        assert reports[slot].new_failures > 0, trick
        assert "changes_tests" in by_slot[slot].flags, trick


def test_a_manifest_that_gets_a_dependency_is_no_change_of_the_exam(tmp_path: Path) -> None:
    """A new dependency, or a new script, costs no second run and no flag."""
    manifest = NODE["package.json"].replace('"scripts"', '"dependencies": {"left-pad": "1"}, "scripts"')
    reports, rows = _judged(tmp_path, NODE, ("node", "--test"), {"package.json": manifest, "calc.js": NODE_FIX})
    assert reports[1].own is None
    assert (rows[0].test_changes, "changes_tests" in rows[0].flags, reports[1].gained) == ((), False, 1)


def test_tests_inside_rust_sources_are_the_workspaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source keeps the answer's program and gets the workspace's tests; `#[ignore]`, emptied and trivial tests are weakened."""
    installed = Path(shutil.which("cargo") or "").parent.parent  # rustup's toolchains lie beside it, wherever HOME is
    if installed.name == ".cargo":
        monkeypatch.setenv("CARGO_HOME", str(installed))
        monkeypatch.setenv("RUSTUP_HOME", os.environ.get("RUSTUP_HOME", str(installed.with_name(".rustup"))))
    source = RUST["src/lib.rs"]
    fixed = source.replace("a - b", "a + b")
    broken = source.replace("a - b", "b - b + 7")
    reports, rows = _judged(
        tmp_path,
        RUST,
        ("cargo", "test", "--offline", "--lib", "--no-fail-fast"),
        {"src/lib.rs": broken.replace("#[test]\n", "#[test]\n    #[ignore]\n")},
        {
            "src/lib.rs": broken.replace("assert_eq!(add(2, 3), 5)", "assert!(true)").replace(
                "assert_eq!(add(0, 0), 0)", ""
            )
        },
        {"src/lib.rs": fixed},
        {"src/lib.rs": broken, "Cargo.toml": RUST["Cargo.toml"] + "\n[lib]\ntest = false\n"},
        {
            "src/lib.rs": fixed.replace(
                "    #[test]\n    fn zero",
                "    #[test]\n    fn one() { assert_eq!(add(1, 0), 1); }\n\n    #[test]\n    fn zero",
            )
        },
    )
    assert [(reports[slot].gained, reports[slot].new_failures) for slot in range(1, 6)] == [
        (0, 1),
        (0, 1),
        (1, 0),
        (0, 1),
        (1, 0),
    ]
    assert [row.slot for row in rows][:2] == [3, 5]
    kinds = {row.slot: _kinds(row) for row in rows}
    assert kinds == {1: ["weakened"], 2: ["weakened"], 3: [], 4: ["weakened"], 5: ["added"]}
    shutil.rmtree(tmp_path / "target", ignore_errors=True)


def test_a_test_that_had_to_change_is_told(tmp_path: Path) -> None:
    """Where the cycle asks for other behaviour, the workspace's test fails, and the report names it as contradicted, not as weakened."""
    files = {**PYTHON, "calc.py": FIX}
    changed = FIX.replace("-a", "abs(a)")
    reports, rows = _judged(
        tmp_path,
        files,
        PYTEST,
        {"calc.py": changed, "tests/test_calc.py": TESTS.replace("neg(2) == -2", "neg(2) == 2")},
    )
    own = reports[1].own
    assert own is not None
    assert (own.contradicted, own.failed, own.not_run) == (("tests/test_calc.py::test_neg",), 0, 0)
    assert reports[1].new_failures == 1
    assert not reports[1].weakens_tests
    assert "; it passes in the response's own version" in rows[0].why
    assert _kinds(rows[0]) == ["changed"]


def test_a_build_file_that_is_needed_counts(tmp_path: Path) -> None:
    """A Makefile that a renamed source needs is the answer's own; one that only says that all is well is not."""
    files = {**PYTHON, "calc.py": FIX, "Makefile": "test:\n\tcat calc.py >/dev/null\n\tpython -m pytest -q\n"}
    files["tests/test_calc.py"] = TESTS.replace(
        "import calc", "import importlib.util as u\ncalc = __import__('calc' if u.find_spec('calc') else 'sums')"
    )
    moved = Reading(
        files=(
            FileBlock(path="sums.py", content="", action="rename", from_path="calc.py"),
            FileBlock(path="Makefile", content=files["Makefile"].replace("calc.py", "sums.py")),
        )
    )
    reports, rows = _judged(
        tmp_path,
        files,
        ("make", "test"),
        moved,
        {"calc.py": BROKEN, "Makefile": "test:\n\t@echo '2 passed in 0.01s'\n"},
        {"calc.py": BROKEN, "Makefile": "test:\n\ttrue\n"},
    )
    assert [reports[slot].new_failures > 0 for slot in (1, 2, 3)] == [False, True, True]
    assert rows[0].slot == 1


def test_examples_in_docstrings_judge_as_the_workspace_has_them(tmp_path: Path) -> None:
    """Where pytest runs them: an answer that changes or empties an example to fit its fault fails the workspace's."""
    source = '''def add(a, b):\n    """\n    >>> add(2, 3)\n    5\n    """\n    return a + b\n'''
    bent = source.replace("    5\n", "    -1\n").replace("a + b", "a - b")
    emptied = source.replace("    >>> add(2, 3)\n    5\n", "").replace("a + b", "a - b")
    command = ("python", "-m", "pytest", "-q", "--doctest-modules")
    files = {"calc.py": source, "test_calc.py": "def test_nothing():\n    pass\n"}
    reports, rows = _judged(
        tmp_path, files, command, {"calc.py": bent}, {"calc.py": emptied}, {"calc.py": source + "\n"}
    )
    assert [reports[slot].new_failures for slot in (1, 2, 3)] == [1, 1, 0]
    assert [(row.slot, _kinds(row)) for row in rows] == [(3, []), (1, ["changed"]), (2, ["weakened"])]
