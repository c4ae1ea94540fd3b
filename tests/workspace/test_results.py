"""results/: what test runners print and write, read into one form. Most inputs are recorded from real runners."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dce.workspace.judging.results.junit import read_junit
from dce.workspace.judging.results.outcome import MAX_NAME_CHARS, Results, TestResult, numbered, results
from dce.workspace.judging.results.table import PRINTED, WRITTEN, Left, read_printed, read_results, read_written
from tests.workspace.judging import write

RECORDED = Path(__file__).parent.parent / "fixtures" / "runners"
FAULTS = Path(__file__).parent.parent / "fixtures" / "faults"


def _read(file: str) -> Results:
    """What a recorded file holds."""
    path = RECORDED / file
    found = (
        read_printed(path.read_text("utf-8"))
        if path.suffix == ".txt"
        else read_written({file: path.read_bytes()}, "/project/jest")
    )
    assert found is not None
    return found


def _outcomes(found: Results) -> dict[str, str]:
    return {test.name: test.outcome for test in found.tests}


@pytest.mark.parametrize(
    ("file", "runner", "counts", "named", "stop"),
    [
        ("cargo-all.txt", "cargo", (4, 1, 1), 6, ""),
        ("cargo-q.txt", "cargo", (4, 1, 1), 1, ""),
        ("cargo.txt", "cargo", (2, 1, 1), 4, "early"),
        ("ctest-stop.txt", "ctest", (1, 1, 0), 2, "early"),
        ("ctest.txt", "ctest", (1, 4, 1), 6, ""),
        ("go-failfast.txt", "go", (1, 1, 0), 2, ""),
        ("go-json.txt", "go", (3, 3, 1), 7, "broken"),
        ("go-v.txt", "go", (3, 3, 1), 7, "broken"),
        ("go.txt", "go", (1, 3, 0), 3, "broken"),
        ("jest-bail.txt", "jest", (2, 2, 2), 2, "early"),
        ("jest-verbose.txt", "jest", (3, 3, 2), 8, "broken"),
        ("jest.json", "jest", (3, 3, 2), 8, "broken"),
        ("jest.txt", "jest", (3, 3, 2), 3, "broken"),
        ("mocha-bail.txt", "mocha", (1, 1, 0), 2, ""),
        ("mocha-dot.txt", "mocha", (3, 3, 2), 3, ""),
        ("mocha.txt", "mocha", (3, 3, 2), 8, ""),
        ("node-spec.txt", "node", (4, 2, 2), 8, ""),
        ("node-tap.txt", "tap", (4, 2, 2), 8, ""),
        ("node.xml", "junit", (4, 2, 2), 8, ""),
        ("prove-v.txt", "prove", (4, 2, 2), 8, ""),
        ("prove.txt", "prove", (5, 2, 0), 2, ""),
        ("pytest-plain.txt", "pytest", (0, 1, 0), 1, "broken"),
        ("pytest-q.txt", "pytest", (6, 7, 2), 7, "broken"),
        ("pytest-qq.txt", "pytest", (6, 6, 2), 6, ""),
        ("pytest-tbno.txt", "pytest", (6, 6, 2), 6, ""),
        ("pytest-v.txt", "pytest", (4, 6, 2), 12, ""),
        ("pytest-x.txt", "pytest", (1, 1, 0), 1, "early"),
        ("pytest.xml", "pytest", (4, 7, 2), 13, "broken"),
        ("tap.txt", "tap", (3, 1, 2), 6, ""),
        ("unittest-f.txt", "unittest", (0, 1, 0), 1, ""),
        ("unittest-v.txt", "unittest", (3, 5, 2), 10, "broken"),
        ("unittest.txt", "unittest", (3, 5, 2), 5, "broken"),
        ("vitest-bail.txt", "vitest", (1, 1, 2), 1, "early"),
        ("vitest-verbose.txt", "vitest", (3, 3, 2), 8, "broken"),
        ("vitest.txt", "vitest", (3, 3, 2), 3, "broken"),
        ("vitest.xml", "vitest", (3, 3, 2), 8, "broken"),
    ],
)
def test_recorded_runs(file: str, runner: str, counts: tuple[int, int, int], named: int, stop: str) -> None:
    """Each recorded run gives the counts that the runner had, all names that it printed, and why it did not run everything."""
    found = _read(file)
    assert (found.runner, (found.passed, found.failed, found.skipped)) == (runner, counts)
    assert (len(found.tests), found.stop) == (named, stop)
    assert len({test.name for test in found.tests}) == named


def test_every_recording_is_read() -> None:
    """No recorded file is left out of the table above."""
    table = test_recorded_runs.pytestmark[0].args[1]  # type: ignore[attr-defined]
    recorded = {path.name for path in RECORDED.iterdir() if path.suffix not in {".md", ".sh"}}
    assert {row[0] for row in table} == recorded


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ("jest.txt", "jest.json"),
        ("jest-verbose.txt", "jest.json"),
        ("vitest.txt", "vitest.xml"),
        ("vitest-verbose.txt", "vitest.xml"),
        ("node-spec.txt", "node.xml"),
        ("node-tap.txt", "node.xml"),
        ("pytest-v.txt", "pytest.xml"),
        ("pytest-q.txt", "pytest.xml"),
        ("go.txt", "go-json.txt"),
        ("go-v.txt", "go-json.txt"),
        ("cargo-q.txt", "cargo-all.txt"),
        ("cargo.txt", "cargo-all.txt"),
        ("unittest.txt", "unittest-v.txt"),
        ("mocha-bail.txt", "mocha.txt"),
    ],
)
def test_a_test_has_one_name(less: str, more: str) -> None:
    """Text and report of a runner give the same name and outcome to a test: one run may be read from text, another from a report."""
    some, all_of_them = _outcomes(_read(less)), _outcomes(_read(more))
    if less == "cargo-q.txt":  # quiet, cargo does not say which binary runs
        some = {f"src/lib.rs::{name}": outcome for name, outcome in some.items()}
    assert some.items() <= all_of_them.items()


def test_fault_14_subtests_in_the_closing_line(tmp_path: Path) -> None:
    """pytest's line with `3 subtests passed` is read, however quiet: a broken test beside a known failing one is named."""
    fault = FAULTS / "14-pytest-subtests-line"
    for path in ("calc.py", "tests/test_calc.py", "tests/test_sub.py"):
        write(tmp_path / path, (fault / Path(path).with_suffix(".txt").name).read_bytes())
    write(tmp_path / "conftest.py", "")
    for quiet in ((), ("-q",), ("-qq",), ("-v",)):
        found = read_printed(_output(tmp_path, "-m", "pytest", "-p", "no:cacheprovider", *quiet))
        assert found is not None
        assert (found.passed, found.failed) == (2, 1), quiet
        assert found.failures == ("tests/test_calc.py::test_sub",)


def _output(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stdout + done.stderr


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
        ("1 failed, 2 passed, 3 subtests passed in 0.16s\n", 2, 1),
        ("1 error in 0.60s\n", 0, 1),
        ("==== no tests ran in 0.47s ====\n", 0, 0),
        ("..F.x [100%]\n", 3, 1),
        ("OK (3 tests, 3 assertions)\n", 3, 0),
        ("Tests: 5, Assertions: 6, Errors: 1, Failures: 1, Skipped: 1.\n", 2, 2),
        ("12 examples, 2 failures, 1 pending\n", 9, 2),
        (
            "Passed!  - Failed:     0, Passed:     3, Skipped:     1, Total:     4, Duration: 9 ms - A.dll (net8.0)\n",
            3,
            0,
        ),
        ("3 tests completed, 1 failed\n", 2, 1),
    ],
)
def test_closing_lines(output: str, passed: int, failed: int) -> None:
    """Each form of the last lines is read."""
    found = read_printed(output)
    assert found is not None
    assert (found.passed, found.failed) == (passed, failed)


@pytest.mark.parametrize(
    "output", ["", "OK\n", "all 5 tests passed\n", "Ran 5 tests in 0.001s\n", "x 1 passed in 1s\n", "ok\nnot ok\n"]
)
def test_other_output(output: str) -> None:
    """Output without a known runner's closing lines gives no results."""
    assert read_printed(output) is None


def test_several_runs_add_up() -> None:
    """A command that runs several runners, or one of them several times, has the tests of all; one name twice is two tests."""
    output = (
        "FAILED t.py::test_a - x\n1 failed, 2 passed in 0.1s\nFAILED t.py::test_a - x\n1 failed, 2 passed in 0.1s\n"
        "Ran 5 tests in 0.001s\n\nOK\n"
    )
    found = read_printed(output)
    assert found is not None
    assert (found.runner, found.passed, found.failed) == ("pytest and unittest", 9, 2)
    assert found.failures == ("t.py::test_a", "t.py::test_a (2)")


def test_names_before_python_3_11() -> None:
    """Older unittest prints only the class; the full name is assembled."""
    found = read_printed("FAIL: test_x (tests.test_m.T)\nRan 1 test in 0.001s\n\nFAILED (failures=1)\n")
    assert found is not None
    assert found.failures == ("tests.test_m.T.test_x",)


MAVEN = """\
[INFO] Running t.CalcTest
[ERROR] Tests run: 5, Failures: 2, Errors: 1, Skipped: 1, Time elapsed: 0.05 s <<< FAILURE! -- in t.CalcTest
[ERROR] t.CalcTest.bad -- Time elapsed: 0.004 s <<< FAILURE!
org.opentest4j.AssertionFailedError: expected: <1> but was: <2>
[ERROR] t.CalcTest.err -- Time elapsed: 0.001 s <<< ERROR!
[ERROR] t.CalcTest.many(int)[2] -- Time elapsed: 0.001 s <<< FAILURE!
[INFO] Running t.OtherTest
[INFO] Tests run: 1, Failures: 0, Errors: 0, Skipped: 0, Time elapsed: 0.001 s -- in t.OtherTest
[INFO] Results:
[ERROR] Tests run: 6, Failures: 2, Errors: 1, Skipped: 1
"""
GRADLE = """\
> Task :test FAILED

CalcTest > bad() FAILED
    org.opentest4j.AssertionFailedError at CalcTest.java:8

CalcTest > many(int) > [2] 2 FAILED
    org.opentest4j.AssertionFailedError at CalcTest.java:11

6 tests completed, 2 failed, 1 skipped
"""
RSPEC = """\
.F*

Failures:

  1) Calc adds
     Failure/Error: expect(1).to eq(2)

Finished in 0.01 seconds (files took 0.1 seconds to load)
3 examples, 1 failure, 1 pending

Failed examples:

rspec ./spec/calc_spec.rb:3 # Calc adds
"""
PHPUNIT = """\
.FES                                                                4 / 4 (100%)

There was 1 error:

1) Tests\\CalcTest::testErr
RuntimeException: x

--

There was 1 failure:

1) Tests\\CalcTest::testBad with data set "a b" (1, 2)
Failed asserting that 2 matches expected 1.

ERRORS!
Tests: 4, Assertions: 3, Errors: 1, Failures: 1, Skipped: 1.
"""
DOTNET = """\
  Passed Calc.Tests.One [3 ms]
  Failed Calc.Tests.Bad(n: 2) [< 1 ms]
  Error Message:
   Assert.Equal() Failure
  Skipped Calc.Tests.Later [1 ms]

Failed!  - Failed:     1, Passed:     1, Skipped:     1, Total:     3, Duration: 12 ms - Calc.Tests.dll (net8.0)
"""
NEXTEST = """\
        PASS [   0.004s] (1/3) tiny tests::one
        FAIL [   0.005s] (2/3) tiny tests::known_bad
     Summary [   0.010s] 2/3 tests run: 1 passed, 1 failed, 0 skipped
"""


@pytest.mark.parametrize(
    ("output", "runner", "counts", "failures", "stop"),
    [
        (MAVEN, "maven", (2, 3, 1), ("t.CalcTest.bad", "t.CalcTest.err", "t.CalcTest.many(int)[2]"), ""),
        (GRADLE, "gradle", (3, 2, 1), ("CalcTest > bad()", "CalcTest > many(int) > [2] 2"), ""),
        (RSPEC, "rspec", (1, 1, 1), ("Calc adds",), ""),
        (
            *(PHPUNIT, "phpunit", (1, 2, 1)),
            *(("Tests\\CalcTest::testErr", 'Tests\\CalcTest::testBad with data set "a b" (1, 2)'), ""),
        ),
        (DOTNET, "dotnet", (1, 1, 1), ("Calc.Tests.Bad(n: 2)",), ""),
        (NEXTEST, "nextest", (1, 1, 0), ("tiny tests::known_bad",), "early"),
    ],
)
def test_documented_forms(
    output: str, runner: str, counts: tuple[int, int, int], failures: tuple[str, ...], stop: str
) -> None:
    """Runners that could not be recorded are read in the form that they document."""
    found = read_printed(output)
    assert found is not None
    assert (found.runner, (found.passed, found.failed, found.skipped)) == (runner, counts)
    assert (found.failures, found.stop) == (failures, stop)


def test_reports_of_rspec_and_dotnet() -> None:
    """RSpec's JSON and dotnet's TRX name every test."""
    rspec = (
        b'{"examples":[{"full_description":"Calc adds","status":"failed"},{"full_description":"Calc","status":"pending"}],'
        b'"summary":{"errors_outside_of_examples_count":1}}'
    )
    found = read_written({"r.json": rspec}, "")
    assert found is not None
    assert (found.passed, found.failed, found.skipped, found.stop) == (0, 2, 1, "broken")
    trx = (
        b'<TestRun xmlns="http://microsoft.com/schemas/VisualStudio/TeamTest/2010"><Results>'
        b'<UnitTestResult testName="A.One" outcome="Passed"/><UnitTestResult testName="A.Two" outcome="Failed"/>'
        b"</Results></TestRun>"
    )
    found = read_written({"r.trx": trx}, "")
    assert found is not None
    assert found.tests == (TestResult("A.One", "passed"), TestResult("A.Two", "failed"))


def test_junit_of_other_programs() -> None:
    """A report without classes is named by its suites, one with classes by these; a root `testsuite` is read too."""
    report = (
        b'<testsuite name="all"><testcase name="a"/><testcase classname="t.C" name="b"><failure/></testcase>'
        b'<testcase classname="t.C" name="b"/></testsuite>'
    )
    found = read_junit(report)
    assert found is not None
    assert _outcomes(found) == {"all > a": "passed", "t.C > b": "failed", "t.C > b (2)": "passed"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"<html/>",
        b"<testsuites",
        b'<!DOCTYPE t [<!ENTITY a "aaaa">]><testsuites><testsuite name="&a;"/></testsuites>',
        b"{}",
        b'{"testResults": 3}',
        b"[" * 100_000,
        b"<testsuites>" * 100_000,
    ],
)
def test_files_that_are_no_reports(data: bytes) -> None:
    """A file that is no report, is broken, or could grow without bound gives nothing and raises nothing."""
    assert read_written({"r": data}, "") is None
    assert all(reader(data, "") is None for reader in WRITTEN)


TRICKY = (
    *("FAILED a::[", "FAILED ::[]", ".a::x", "1 a, ", "ok 1 - #", "  1) a:", "  1) a\n       ", " > ", "a > b PASSED "),
    *(
        "FAIL  x [ ",
        "PASS a ",
        "test a - should panic with expected ",
        "1/2 Test #1: a ...",
        "  Passed a [1",
        "[ERROR] a.a(",
    ),
    *(
        "--- FAIL: a/b (0.0s)\n",
        "✔ a (1",
        "... skipped '",
        "Ran 1 test in 0.1s\n",
        " Tests  1 failed (",
        "[gw0] [ 1%] PASSED a.a::",
    ),
)


@pytest.mark.parametrize("seed", TRICKY)
def test_no_output_keeps_a_reader_busy(seed: str) -> None:
    """A megabyte of lines that nearly are a runner's, or of one line of them, is read within this suite's deadline."""
    line = (seed * (900 // len(seed)))[:900]
    for output in (f"{line}\n" * 1_100, seed * (1_000_000 // len(seed))):
        assert len(PRINTED) == 15
        read_printed(output)


def test_a_report_counts_before_text_unless_it_lacks_tests() -> None:
    """Named report files come first; a report that DCE asked for is not believed if the output counts more tests than it holds."""
    xml = (RECORDED / "pytest.xml").read_bytes()
    text = (RECORDED / "pytest-q.txt").read_text("utf-8")
    asked = read_results(Left(output=text, asked={"r.xml": xml}))
    assert asked is not None
    assert asked.is_fully_named
    twice = read_results(Left(output=text + text + "20 passed in 0.1s\n", asked={"r.xml": xml}))
    assert twice is not None
    assert (twice.passed, twice.failed) == (32, 14)
    named = read_results(Left(output="1 passed in 0.1s\n", named={"r.xml": xml}))
    assert named is not None
    assert named.failed == 7
    broken = read_results(Left(output="1 passed in 0.1s\n", named={"r.xml": b"x"}, asked={"s.xml": b""}))
    assert broken is not None
    assert broken.passed == 1


def test_names_are_bounded_and_unique() -> None:
    """A name is cut at a limit; a name that occurs twice is one test with the worse outcome, or two that are numbered."""
    long = results("r", [("n" * 10_000, "passed")])
    assert len(long.tests[0].name) == MAX_NAME_CHARS
    twice = [("a", "passed"), ("a", "failed"), ("a", "skipped")]
    assert results("r", twice).tests == (TestResult("a", "failed"),)  # type: ignore[arg-type]
    assert _outcomes(numbered("r", twice)) == {"a": "failed", "a (2)": "passed", "a (3)": "skipped"}  # type: ignore[arg-type]


def test_a_test_in_documentation_keeps_its_name_when_lines_move() -> None:
    """Cargo names such tests by their line; a line added above them makes no test missing and none new."""
    text = (RECORDED / "cargo-all.txt").read_text("utf-8")
    assert "(line " in text
    moved = re.sub(r"\(line (\d+)\)", lambda found: f"(line {int(found[1]) + 7})", text)
    found = read_printed(moved)
    assert found is not None
    assert _outcomes(found) == _outcomes(_read("cargo-all.txt"))
