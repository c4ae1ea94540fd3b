"""checks.py and scratch.py: the project's own checks on a response, isolated from the workspace and from DCE."""

import asyncio
import os
import sys
import textwrap
from pathlib import Path

import pytest

from dce.wire.errors import DceError
from dce.workspace.judging.check_report import CheckReport, CheckRun
from dce.workspace.judging.check_run import MAX_OUTPUT_BYTES
from dce.workspace.judging.checks import run_checks
from dce.workspace.judging.checks_file import Check, load_checks
from dce.workspace.project import Project
from dce.workspace.schema.reading import Reading
from tests.workspace.judging import reading_of, snapshot, write

TESTS = """
import unittest
from calc import add, sub
class T(unittest.TestCase):
    def test_add(self): self.assertEqual(add(1, 2), 3)
    def test_sub(self): self.assertEqual(sub(3, 2), 1)
"""
CALC = "def add(a, b):\n    return 0\n\ndef sub(a, b):\n    return a - b\n"
UNITTEST = Check(name="tests", command=("python", "-m", "unittest"))


def _project(root: Path, files: dict[str, str | bytes] | None = None) -> Project:
    for path, content in (files or {"calc.py": CALC, "test_calc.py": TESTS}).items():
        write(root / path, content)
    return Project.init(root)


def _script(code: str, **settings: object) -> Check:
    return Check(name="script", command=("python", "-c", textwrap.dedent(code)), **settings)  # type: ignore[arg-type]


def _run(
    project: Project, check: Check, reading: Reading | None = None, baseline: CheckReport | None = None
) -> CheckRun:
    return asyncio.run(run_checks(project, [check], reading, baseline)).runs[0]


def test_response_is_tested_not_the_workspace(tmp_path: Path) -> None:
    """Checks see the response's files; the workspace's own still fail, and none of its paths changes."""
    project = _project(tmp_path)
    before = snapshot(tmp_path, skip=())
    fixed = reading_of({"calc.py": CALC.replace("return 0", "return a + b")})
    base = asyncio.run(run_checks(project, [UNITTEST], None))
    report = asyncio.run(run_checks(project, [UNITTEST], fixed, base))
    assert (base.passed, base.failed, base.new_failures, base.is_passed) == (1, 1, 0, False)
    assert base.runs[0].failures == ("test_calc.T.test_add",)
    assert (report.passed, report.failed, report.new_failures, report.is_passed) == (2, 0, 0, True)
    assert report.runs[0].exit_code == 0
    assert "OK" in report.runs[0].output
    assert snapshot(tmp_path, skip=()) == before


def test_new_failures(tmp_path: Path) -> None:
    """Existing failures are not new; tests that break or no longer run are."""
    project = _project(tmp_path)
    base = asyncio.run(run_checks(project, [UNITTEST], None))
    cases = {
        CALC: 0,
        CALC.replace("return a - b", "return 1 + a"): 1,
        "syntax error\n": 2,  # one failing import, of two tests that ran before
    }
    for content, expected in cases.items():
        report = asyncio.run(run_checks(project, [UNITTEST], reading_of({"calc.py": content}), base))
        assert report.new_failures == expected, content
        assert not report.is_passed


def test_removing_tests_is_no_pass(tmp_path: Path) -> None:
    """A response that removes the failing test has new failures, although all its checks succeed."""
    project = _project(tmp_path)
    base = asyncio.run(run_checks(project, [UNITTEST], None))
    fewer = TESTS.replace("    def test_add(self): self.assertEqual(add(1, 2), 3)\n", "")
    report = asyncio.run(run_checks(project, [UNITTEST], reading_of({"test_calc.py": fewer}), base))
    assert (report.passed, report.failed, report.new_failures, report.is_passed) == (1, 0, 1, False)


def test_unnamed_failures_are_counted(tmp_path: Path) -> None:
    """If names are unknown, only failures beyond the earlier count are new; without a baseline, all are."""
    project = _project(tmp_path, {"a": ""})
    check = Check(name="t", command=("python", "-c", "import sys; print('3 failed, 1 passed in 0.1s'); sys.exit(1)"))
    run = CheckRun(name="t", ok=False, exit_code=1, passed=2, failed=2, duration_s=0, output="")
    before = CheckReport(passed=2, failed=2, new_failures=0, runs=(run,))
    reading = reading_of({"a": "x"})
    assert asyncio.run(run_checks(project, [check], reading, before)).new_failures == 1
    assert asyncio.run(run_checks(project, [check], reading)).new_failures == 3


def test_scratch_holds_all_listed_files_and_shares_none(tmp_path: Path) -> None:
    """The copy has binary files, modes and inner links, but no ignored files or links out; writing to it leaves the workspace unchanged."""
    root = tmp_path / "w"
    write(tmp_path / "outside", "secret")
    project = _project(root, {"a.bin": b"\x00\xff", "run.sh": "#!/bin/sh\n", ".gitignore": "*.log\n", "x.log": "no"})
    (root / "run.sh").chmod(0o755)
    (root / "inner").symlink_to("a.bin")
    (root / "out").symlink_to(tmp_path / "outside")
    before = snapshot(root, skip=())
    inode = (root / "a.bin").stat().st_ino
    run = _run(
        project,
        _script(f"""
            import os, pathlib
            print(sorted(p.as_posix() for p in pathlib.Path(".").rglob("*")), pathlib.Path.cwd().name)
            print(pathlib.Path("a.bin").read_bytes(), oct(os.stat("run.sh").st_mode & 0o777), os.readlink("inner"))
            assert os.stat("a.bin").st_ino != {inode}
            open("a.bin", "w").write("changed"); open("inner", "w").write("changed"); os.remove("run.sh")
        """),
    )
    assert run.ok, run.output
    assert "['.gitignore', 'a.bin', 'inner', 'run.sh'] w" in run.output
    assert repr(b"\x00\xff") + " 0o755 a.bin" in run.output
    assert snapshot(root, skip=()) == before


def test_paths_outside_are_not_written(tmp_path: Path) -> None:
    """A response's path outside the workspace is not written, even through a link in the copy; the rest is."""
    project = _project(tmp_path / "w", {"d/a": "a"})
    (tmp_path / "w" / "link").symlink_to("d")
    reading = reading_of(
        {"../../escaped": "x", "/tmp/dce-escaped": "x", ".git/config": "x", "link/a": "via link", "d": "x"}
    )
    check = _script(
        "import pathlib; print(pathlib.Path('d/a').read_text(), sorted(p.name for p in pathlib.Path('../..').rglob('*')))"
    )
    run = _run(project, check, reading)
    assert "via link" in run.output
    assert "escaped" not in run.output
    assert "config" not in run.output
    assert not Path("/tmp/dce-escaped").exists()


def test_read_only_files_are_replaced_in_the_copy(tmp_path: Path) -> None:
    """In the copy a read-only file is replaced, keeping its mode, line ends and BOM."""
    project = _project(tmp_path, {"a": b"\xef\xbb\xbfone\r\ntwo\r\n"})
    (tmp_path / "a").chmod(0o444)
    check = _script("import os, pathlib; print(pathlib.Path('a').read_bytes(), oct(os.stat('a').st_mode & 0o777))")
    expected = repr(b"\xef\xbb\xbf1\r\ntwo\r\n") + " 0o444"
    assert expected in _run(project, check, reading_of({"a": "1\ntwo\n"})).output


def test_scratch_copies_are_removed(tmp_path: Path) -> None:
    """Nothing is left behind, not even files that a check made read-only."""
    project = _project(tmp_path, {"a": ""})
    run = _run(
        project, _script("import os; print(os.getcwd()); os.makedirs('d/e'); os.chmod('d', 0); os.chmod('.', 0o500)")
    )
    assert run.ok
    assert not Path(run.output.strip()).parent.parent.exists()


def test_environment_is_minimal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key or password reaches a check, only variables that it names; home and temporary folder are in the scratch copy."""
    for name in ("DCE_API_KEY", "AWS_SECRET_ACCESS_KEY", "MY_TOKEN", "PASSWORD", "WANTED"):
        monkeypatch.setenv(name, f"value-of-{name}")
    monkeypatch.setenv("LC_TIME", "C")
    check = _script(
        "import os, tempfile; print(sorted(os.environ)); print(os.environ['HOME'], tempfile.gettempdir())",
        env=("WANTED", "DCE_API_KEY"),
    )
    run = _run(_project(tmp_path, {"a": ""}), check)
    names, home, temporary = run.output.split("\n")[0], *run.output.split("\n")[1].split()
    assert "WANTED" in names
    assert "LC_TIME" in names
    assert "PYTHONDONTWRITEBYTECODE" in names
    for secret in ("DCE_API_KEY", "AWS_SECRET_ACCESS_KEY", "MY_TOKEN", "PASSWORD"):
        assert secret not in names
    assert "dce-check-" in home
    assert "dce-check-" in temporary


def test_a_check_that_names_home_has_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HOME is in the scratch copy unless the check asks for the user's by name; other variables are unchanged."""
    monkeypatch.setenv("HOME", str(tmp_path / "home-of-the-user"))
    project = _project(tmp_path, {"a": ""})
    code = "import os, tempfile; print(os.environ['HOME']); print(tempfile.gettempdir())"
    home, temporary = _run(project, _script(code, env=("HOME",))).output.split()
    assert home == str(tmp_path / "home-of-the-user")
    assert "dce-check-" in temporary
    assert "dce-check-" in _run(project, _script(code)).output.split()[0]


def test_editable_install_does_not_shadow_the_response(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search path into the workspace (as from an editable install) leads into the copy instead."""
    project = _project(tmp_path, {"src/lib.py": "WHO = 'workspace'\n", "tests/go.py": "import lib\nprint(lib.WHO)\n"})
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "src"))
    reading = reading_of({"src/lib.py": "WHO = 'response'\n"})
    assert _run(project, Check(name="c", command=("python", "tests/go.py")), reading).output.strip() == "response"


def test_src_layout_is_found(tmp_path: Path) -> None:
    """A project with its packages below src/ is tested from the copy without being installed."""
    project = _project(tmp_path, {"src/lib.py": "", "tests/go.py": "import lib\nprint(lib.__file__)\n"})
    assert "dce-check-" in _run(project, Check(name="c", command=("python", "tests/go.py"))).output


def test_deadline_kills_the_whole_group(tmp_path: Path) -> None:
    """A check past its deadline is killed with its child processes, and the run says so; counts it printed are ignored."""
    code = """
        import os, subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print("pids", os.getpid(), child.pid); print("3 passed in 0.1s", flush=True)
        time.sleep(600)
    """
    run = _run(_project(tmp_path, {"a": ""}), _script(code, timeout_s=6.0))  # it must get to print first
    assert (run.ok, run.exit_code, run.passed, run.failed) == (False, None, 0, 1)
    assert run.output.endswith("`python` was killed: it ran for more than 6 s")
    pids = [int(word) for word in run.output.split("\n")[0].split()[1:]]
    assert len(pids) == 2
    assert not any(_is_alive(pid) for pid in pids)


def test_left_over_child_does_not_hold_up(tmp_path: Path) -> None:
    """A check ends even if its child keeps the output open, and the child is killed."""
    code = """
        import subprocess, sys
        print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid)
    """
    run = _run(_project(tmp_path, {"a": ""}), _script(code, timeout_s=300.0))
    assert run.ok
    assert run.duration_s < 150
    assert not _is_alive(int(run.output))


def test_cancellation_kills_the_check(tmp_path: Path) -> None:
    """Cancelling `run_checks` kills the check and removes the scratch copy before it returns."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    project = _project(tmp_path / "w", {"a": ""})
    code = f"""
        import os, time
        with open({str(pipe)!r}, "w") as pipe: pipe.write(f"{{os.getpid()}} {{os.getcwd()}}")
        time.sleep(600)
    """

    async def go() -> str:
        task = asyncio.create_task(run_checks(project, [_script(code)], None))
        said = await asyncio.to_thread(pipe.read_text)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return said

    pid, folder = asyncio.run(go()).split(" ", 1)
    assert not _is_alive(int(pid))
    assert not Path(folder).exists()


def test_command_that_cannot_start(tmp_path: Path) -> None:
    """A missing or non-executable program gives a failed run that names the command."""
    project = _project(tmp_path, {"plain": "not a program"})
    for command, why in (("no-such-program-here", "there is no such program"), ("./plain", "Permission denied")):
        run = _run(project, Check(name="c", command=(command,)))
        assert (run.ok, run.exit_code, run.failed) == (False, None, 1)
        assert run.output == f"`{command}` cannot start: {why}"


def test_exit_code_counts_more_than_words(tmp_path: Path) -> None:
    """A failing command counts as failed whatever it prints; a plain command that succeeds counts as one passed test."""
    project = _project(tmp_path, {"a": ""})
    liar = _run(project, _script("print('5 passed in 0.1s'); raise SystemExit(3)"))
    assert (liar.ok, liar.exit_code, liar.failed) == (False, 3, 1)
    plain = _run(project, _script("pass"))
    assert (plain.ok, plain.passed, plain.failed) == (True, 1, 0)


def test_output_is_bounded(tmp_path: Path) -> None:
    """Only the end of the output is kept, whatever its bytes; stdin is empty."""
    code = """
        import sys
        assert sys.stdin.read() == ""
        for _ in range(3000): sys.stdout.buffer.write(b"\\xff" + b"x" * 1023)
        print("the end")
    """
    run = _run(_project(tmp_path, {"a": ""}), _script(code))
    assert run.ok
    assert run.output.endswith("the end\n")
    assert len(run.output) <= MAX_OUTPUT_BYTES


def test_checks_run_in_order_in_one_copy(tmp_path: Path) -> None:
    """A later check sees what an earlier one built."""
    checks = [
        Check(name="build", command=("python", "-c", "open('built', 'w')")),
        Check(name="test", command=("python", "-c", "open('built')")),
    ]
    report = asyncio.run(run_checks(_project(tmp_path, {"a": ""}), checks, None))
    assert [(run.name, run.ok) for run in report.runs] == [("build", True), ("test", True)]


def test_checks_file(tmp_path: Path) -> None:
    """.dce/checks.toml is read; a workspace without one has no checks."""
    project = _project(tmp_path, {"a": ""})
    assert load_checks(project) == ()
    (project.state_dir / "checks.toml").write_text(
        '[[check]]\nname = "unit"\ncommand = ["python", "-m", "unittest"]\ntimeout_s = 30\n\n'
        '[[check]]\nname = "lint"\ncommand = ["ruff", "check"]\nenv = ["RUFF_CACHE_DIR"]\n'
    )
    assert load_checks(project) == (
        Check(name="unit", command=("python", "-m", "unittest"), timeout_s=30),
        Check(name="lint", command=("ruff", "check"), env=("RUFF_CACHE_DIR",)),
    )


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("check = 3", "Expected `array`"),
        ("[[check]", "cannot be used"),
        ('[[check]]\nname = "a"\ncommand = "python -m unittest"', "Expected `array`"),
        ('[[check]]\nname = "a"\ncommand = []', "list of words"),
        ('[[check]]\nname = "a"\ncommand = ["x"]\ntimeout_s = 0', "timeout_s"),
        ('[[check]]\nname = "a"\ncommand = ["x"]\ntimeout = 9', "timeout"),
        ('[[check]]\nname = ""\ncommand = ["x"]', "not empty"),
        ('[[check]]\nname = "a"\ncommand = ["x"]\n' * 2, "unique"),
        ('[[check]]\nname = "a"\ncommand = ["x"]\n' * 21, "at most 20"),
    ],
)
def test_bad_checks_file(tmp_path: Path, text: str, fact: str) -> None:
    """A mistake in checks.toml gives one clear error that names the file and the fault."""
    project = _project(tmp_path, {"a": ""})
    (project.state_dir / "checks.toml").write_text(text)
    with pytest.raises(DceError) as caught:
        load_checks(project)
    assert caught.value.code == "invalid_input"
    assert "checks.toml" in caught.value.message
    assert fact in caught.value.message


def _is_alive(pid: int) -> bool:
    """Whether a process is running; an unreaped zombie is not."""
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat")
        return not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_python_is_ours(tmp_path: Path) -> None:
    """`python` as a command means the interpreter that runs DCE."""
    run = _run(_project(tmp_path, {"a": ""}), _script("import sys; print(sys.executable)"))
    assert run.output.strip() == sys.executable
