"""runners.py: the closing lines of test runners, parsed from real output."""

import subprocess
import sys
from pathlib import Path

import pytest

from dce.workspace.judging.runners import Counts, read_counts
from tests.workspace.judging import write

UNITTEST = """
import unittest
class T(unittest.TestCase):
    def test_ok(self): pass
    def test_bad(self): self.fail("x")
    def test_err(self): raise ValueError
    @unittest.skip("no")
    def test_skip(self): pass
    def test_sub(self):
        for i in range(3):
            with self.subTest(i=i): self.assertEqual(i, 0)
    @unittest.expectedFailure
    def test_known(self): self.fail()
"""

PYTEST = """
import pytest
@pytest.mark.parametrize("x", ["a b", "c - d"])
def test_p(x): assert x == "a"
def test_q(): pass
@pytest.fixture
def boom(): raise ValueError("e")
def test_f(boom): pass
@pytest.mark.skip
def test_s(): pass
"""


def _output(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout + done.stderr


def test_unittest(tmp_path: Path) -> None:
    """unittest's counts and names: a test with failing subtests counts once, skipped and expected failures not at all."""
    write(tmp_path / "test_a.py", UNITTEST)
    write(tmp_path / "test_b.py", "import nowhere\n")
    counts = read_counts(_output(tmp_path, "-m", "unittest"))
    assert counts is not None
    assert (counts.passed, counts.failed) == (1, 4)
    assert set(counts.failures) == {
        "test_a.T.test_bad",
        "test_a.T.test_err",
        "test_a.T.test_sub",
        "unittest.loader._FailedTest.test_b",
    }


@pytest.mark.parametrize("arguments", [("-q",), (), ("--tb=no", "--color=yes")])
def test_pytest(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """pytest's counts and names, quiet or not, in colour or not; an error in a fixture is a failure."""
    write(tmp_path / "test_p.py", PYTEST)
    counts = read_counts(_output(tmp_path, "-m", "pytest", "-p", "no:cacheprovider", *arguments))
    assert counts is not None
    assert (counts.passed, counts.failed) == (1, 3)
    assert set(counts.failures) == {"test_p.py::test_p[a b]", "test_p.py::test_p[c - d]", "test_p.py::test_f"}


@pytest.mark.parametrize(
    ("output", "passed", "failed"),
    [
        ("Ran 5 tests in 0.001s\n\nOK\n", 5, 0),
        ("Ran 5 tests in 0.001s\r\n\r\nFAILED (failures=1, errors=2)\r\n", 2, 3),
        ("Ran 3 tests in 0.001s\n\nOK (skipped=1, expected failures=1)\n", 1, 0),
        ("Ran 3 tests in 0.001s\n\nFAILED (unexpected successes=1)\n", 2, 1),
        ("Ran 0 tests in 0.000s\n\nNO TESTS RAN\n", 0, 0),
        ("===== 1 failed, 2 passed, 1 warning in 61.00s (0:01:01) =====\n", 2, 1),
        ("3 passed, 1 xfailed, 1 xpassed in 0.01s\n", 4, 0),
        ("1 error in 0.60s\n", 0, 1),
        ("==== no tests ran in 0.47s ====\n", 0, 0),
        ("Ran 5 tests in 0.001s\n\nOK\n1 failed in 0.01s\n", 0, 1),
    ],
)
def test_closing_lines(output: str, passed: int, failed: int) -> None:
    """Each form of the last lines is read; if two runners printed, the later one counts."""
    counts = read_counts(output)
    assert counts is not None
    assert (counts.passed, counts.failed) == (passed, failed)


@pytest.mark.parametrize(
    "output", ["", "OK\n", "all 5 tests passed\n", "Ran 5 tests in 0.001s\n", "x 1 passed in 1s\n"]
)
def test_other_output(output: str) -> None:
    """Output without a known runner's closing lines gives no counts."""
    assert read_counts(output) is None


def test_names_before_python_3_11() -> None:
    """Older unittest prints only the class; the full name is assembled."""
    output = "FAIL: test_x (tests.test_m.T)\nRan 1 test in 0.001s\n\nFAILED (failures=1)\n"
    assert read_counts(output) == Counts(
        passed=0, failed=1, failures=("tests.test_m.T.test_x",), at=output.index("FAILED")
    )
