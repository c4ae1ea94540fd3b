"""Lanes of either kind: what a command sees, what it may not change, and how it ends."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from dce.workspace.judging.checks import run_checks
from dce.workspace.judging.checks_file import Check
from dce.workspace.judging.lanes.folders import PREFIX, clear
from dce.workspace.judging.lanes.lane import Kind, RunOptions
from dce.workspace.judging.lanes.settings import LaneSettings
from dce.workspace.schema.reading import FileBlock, Reading
from tests.workspace.judging import reading_of, snapshot
from tests.workspace.laned import KINDS, checked, lanes_of, project_of, ran, script

either = pytest.mark.parametrize("kind", KINDS)


@either
def test_the_kind_is_what_was_asked_for(tmp_path: Path, kind: Kind) -> None:
    """This machine allows both kinds; a copy says why it is only one."""
    lanes = lanes_of(project_of(tmp_path, {"a": ""}), kind)
    assert asyncio.run(lanes.find_kind()) == kind
    assert ("bubblewrap is not installed" in lanes.why) == (kind == "copy")


@either
def test_the_answers_files_are_seen_and_the_workspace_stays(tmp_path: Path, kind: Kind) -> None:
    """Written, deleted, moved and made executable: a command sees it all; what it writes itself reaches no file of the workspace."""
    files: dict[str, str | bytes] = {"keep": "k", "gone": "g", "d/old": "o", "a.bin": b"\x00\xff"}
    project = project_of(tmp_path / "w", files)
    (tmp_path / "w" / "run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "w" / "run.sh").chmod(0o755)
    reading = _answer({"keep": "K\n", "new/x": "x\n"}, deleted="gone")
    before = snapshot(tmp_path / "w", skip=())
    run = ran(
        lanes_of(project, kind),
        script(
            """
            import os, pathlib
            print(sorted(p.as_posix() for p in pathlib.Path(".").rglob("*") if p.is_file()), pathlib.Path.cwd().name)
            print(pathlib.Path("keep").read_text().strip(), pathlib.Path("a.bin").read_bytes(), oct(os.stat("run.sh").st_mode & 0o777))
            open("keep", "w").write("changed"); open("a.bin", "w").write("changed"); os.remove("run.sh"); open("made", "w")
            print(sorted(os.listdir(".")))
            """
        ),
        reading,
    )
    assert run.ok, run.output
    assert "['a.bin', 'd/old', 'keep', 'new/x', 'run.sh'] w" in run.output
    assert f"K {bytes([0, 255])!r} 0o755" in run.output
    assert "run.sh" not in run.output.splitlines()[2]
    assert snapshot(tmp_path / "w", skip=()) == before


@either
def test_an_answer_of_the_same_size_in_the_same_second_is_not_taken_for_compiled(tmp_path: Path, kind: Kind) -> None:
    """Python's cache of the workspace's file, left in the workspace, is not used for an answer's file of the same size."""
    project = project_of(tmp_path, {"calc.py": "A = 1\n"})
    import compileall  # noqa: PLC0415

    compileall.compile_file(tmp_path / "calc.py", quiet=1)
    assert list((tmp_path / "__pycache__").iterdir())
    check = Check(name="c", command=(sys.executable, "-c", "import calc; print(calc.A)"))
    assert ran(lanes_of(project, kind), check, reading_of({"calc.py": "A = 2\n"})).output == "2\n"


@either
def test_paths_outside_are_not_written(tmp_path: Path, kind: Kind) -> None:
    """A response's path outside the workspace is not written, even through a link in it; the rest is."""
    project = project_of(tmp_path / "w", {"d/a": "a"})
    (tmp_path / "w" / "link").symlink_to("d")
    reading = reading_of(
        {"../../escaped": "x", "/tmp/dce-escaped": "x", ".git/config": "x", "link/a": "via link", "d": "x"}
    )
    check = script(
        "import os, pathlib; print(pathlib.Path('d/a').read_text(), os.listdir('..'), os.listdir('.'), os.readlink('link'))"
    )
    run = ran(lanes_of(project, kind), check, reading)
    assert "via link" in run.output
    assert "escaped" not in run.output
    assert ".git" not in run.output
    assert not Path("/tmp/dce-escaped").exists()
    assert (tmp_path / "w" / "d" / "a").read_text() == "a"


@either
def test_a_file_replaced_by_a_folder(tmp_path: Path, kind: Kind) -> None:
    """An answer may delete a file and write files into a folder of that name."""
    project = project_of(tmp_path, {"a": "file", "z": ""})
    run = ran(
        lanes_of(project, kind), Check(name="c", command=("cat", "a/b")), _answer({"a/b": "inside\n"}, deleted="a")
    )
    assert run.output == "inside\n"


@either
def test_a_replaced_file_keeps_its_form(tmp_path: Path, kind: Kind) -> None:
    """A read-only file is replaced, keeping its mode, line ends and BOM."""
    project = project_of(tmp_path, {"a": b"\xef\xbb\xbfone\r\ntwo\r\n"})
    (tmp_path / "a").chmod(0o444)
    check = script("import os, pathlib; print(pathlib.Path('a').read_bytes(), oct(os.stat('a').st_mode & 0o777))")
    expected = repr(b"\xef\xbb\xbf1\r\ntwo\r\n") + " 0o444"
    assert expected in ran(lanes_of(project, kind), check, reading_of({"a": "1\ntwo\n"})).output


@either
def test_lane_folders_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind) -> None:
    """Nothing is left behind, not even files that a check made read-only."""
    _use_temporary(monkeypatch, tmp_path / "t")
    project = project_of(tmp_path / "w", {"a": ""})
    run = ran(lanes_of(project, kind), script("import os; os.makedirs('d/e'); os.chmod('d', 0); os.chmod('.', 0o500)"))
    assert run.ok
    assert not list((tmp_path / "t").iterdir())


@either
def test_only_usual_and_named_variables_reach_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    """No key or password reaches a check, only variables that it or the lane names; DCE's own never do."""
    for name in ("DCE_API_KEY", "DCE_URL", "AWS_SECRET_ACCESS_KEY", "MY_TOKEN", "PASSWORD", "WANTED", "ALSO_WANTED"):
        monkeypatch.setenv(name, f"value-of-{name}")
    monkeypatch.setenv("LC_TIME", "C")
    check = script("import os, tempfile; print(sorted(os.environ))", env=("WANTED", "DCE_API_KEY"))
    settings = LaneSettings(env=("ALSO_WANTED", "DCE_URL"))
    names = ran(lanes_of(project_of(tmp_path, {"a": ""}), kind, settings), check).output
    for name in ("'WANTED'", "'ALSO_WANTED'", "'LC_TIME'", "'PYTHONDONTWRITEBYTECODE'", "'HOME'", "'TMPDIR'"):
        assert name in names
    for secret in ("DCE_", "AWS_SECRET_ACCESS_KEY", "MY_TOKEN", "PASSWORD"):
        assert secret not in names


@either
def test_a_search_path_into_the_workspace_leads_to_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    """A search path into the workspace (as from an editable install) shows the answer's file."""
    project = project_of(tmp_path, {"src/lib.py": "WHO = 'workspace'\n", "tests/go.py": "import lib\nprint(lib.WHO)\n"})
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "src"))
    reading = reading_of({"src/lib.py": "WHO = 'response'\n"})
    check = Check(name="c", command=("python", "tests/go.py"))
    assert ran(lanes_of(project, kind), check, reading).output.strip() == "response"


@either
def test_src_layout_is_found(tmp_path: Path, kind: Kind) -> None:
    """A project with its packages below src/ is tested without being installed."""
    project = project_of(tmp_path, {"src/lib.py": "", "tests/go.py": "import lib\nprint(lib.__file__)\n"})
    run = ran(lanes_of(project, kind), Check(name="c", command=("python", "tests/go.py")))
    assert run.output.strip().endswith("src/lib.py")
    assert (PREFIX in run.output) == (kind == "copy")


@either
def test_the_deadline_ends_everything(tmp_path: Path, kind: Kind) -> None:
    """A check past its deadline is killed with its children, and the run says so; counts it printed are ignored."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    code = """
        import os, subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print("3 passed in 0.1s", flush=True)
        time.sleep(600)
    """
    run = ran(lanes_of(project_of(tmp_path / "w", {"a": ""}), kind), script(code, timeout_s=2.0))
    assert (run.ok, run.exit_code, run.passed, run.failed, run.limits) == (False, None, 0, 1, ("time",))
    assert run.output.endswith("`python` was killed: it ran for more than 2 s")
    assert not _running_below(tmp_path)


@either
def test_a_daemon_ends_with_its_command(tmp_path: Path, kind: Kind) -> None:
    """A check ends although its daemon keeps the output open in a session of its own; the daemon is killed."""
    code = f"""
        import subprocess, sys
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", {str(tmp_path)!r}], start_new_session=True)
    """
    run = ran(lanes_of(project_of(tmp_path / "w", {"a": ""}), kind), script(code, timeout_s=300.0))
    assert run.ok
    assert run.duration_s < 150
    assert not _running_below(tmp_path)


@either
def test_cancellation_ends_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind) -> None:
    """Cancelling `run_checks` kills the check and removes the lane before it returns."""
    _use_temporary(monkeypatch, tmp_path / "t")
    project = project_of(tmp_path / "w", {"a": ""})
    lanes = lanes_of(project, kind)
    check = Check(name="c", command=("sh", "-c", f": {tmp_path}; sleep 600; :"))

    async def go() -> None:
        task = asyncio.create_task(run_checks(lanes, [check], None))
        while not _running_below(tmp_path):  # noqa: ASYNC110 - another program sets no event
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(go())
    assert not _running_below(tmp_path)
    assert not list((tmp_path / "t").iterdir())


@either
def test_command_that_cannot_start(tmp_path: Path, kind: Kind) -> None:
    """A missing or non-executable program gives a failed run that names the command."""
    lanes = lanes_of(project_of(tmp_path, {"plain": "not a program"}), kind)
    missing = "no-such-program-here"
    for command, why in ((missing, f"{missing}: not found"), ("./plain", "`./plain` cannot start: Permission denied")):
        run = ran(lanes, Check(name="c", command=(command,)))
        assert (run.ok, run.exit_code, run.failed) == (False, None, 1)
        assert run.output == why


@either
def test_setup_runs_first_and_its_failure_is_no_verdict(tmp_path: Path, kind: Kind) -> None:
    """A setup command runs once before the checks; if it fails, the report says so and blames no answer."""
    project = project_of(tmp_path, {"a": ""})
    lanes = lanes_of(project, kind, LaneSettings(setup=(("touch", "built"),)))
    assert ran(lanes, Check(name="c", command=("test", "-e", "built"))).ok
    lanes = lanes_of(project, kind, LaneSettings(setup=(("sh", "-c", "echo no registry; exit 3"),)))
    report = asyncio.run(run_checks(lanes, [Check(name="c", command=("true",))], None))
    assert (report.runs, report.is_passed) == ((), False)
    assert "exit 3" in report.problem
    assert "no registry" in report.problem


@either
def test_an_answer_that_breaks_the_setup_fails(tmp_path: Path, kind: Kind) -> None:
    """A setup that fails with an answer in the lane, and not without, is that answer's failure, with its output."""
    project = project_of(tmp_path, {"a": "fine\n"})
    lanes = lanes_of(project, kind, LaneSettings(setup=(("sh", "-c", "cat a; grep -q fine a"),)))
    checks = [Check(name="c", command=("true",))]
    base = checked(project, checks, lanes=lanes)
    report = checked(project, checks, reading_of({"a": "broken\n"}), base, lanes=lanes)
    assert (report.is_passed, report.problem, report.new_failures) == (False, "", 1)
    assert (report.runs[0].name, report.runs[0].output) == ("setup", "broken\n")


@either
def test_any_name_of_the_workspace(tmp_path: Path, kind: Kind) -> None:
    """Names that mean something in mount options, shells or search paths are names like any other."""
    for name in ("with space", "a,b", "c:d", "back\\slash", "quote'\"$x", "ünï", "-dash"):
        project = project_of(tmp_path / name, {"a": "old\n"})
        lanes = lanes_of(project, kind)
        run = ran(lanes, Check(name="c", command=("cat", "a")), reading_of({"a": "new\n"}))
        assert (asyncio.run(lanes.find_kind()), run.output) == (kind, "new\n"), (name, lanes.why)


@either
def test_what_a_command_wrote_is_found(tmp_path: Path, kind: Kind) -> None:
    """Reports that a command writes to the workspace and to its temporary folder are found by DCE; further variables reach it."""
    lanes = lanes_of(project_of(tmp_path, {"sub/a": ""}), kind)

    async def go() -> None:
        async with lanes.opened(None) as lane:
            code = 'printf 1 >out.xml; printf "$MORE" >"$TMPDIR/r.xml"; echo "$TMPDIR"'
            options = RunOptions(timeout_s=20, cwd="sub", variables={"MORE": "2"})
            ended = await lane.run(("sh", "-c", code), options)
            assert ended.output.decode().strip() == str(lane.tmp)
            assert (lane.written_root / "sub" / "out.xml").read_text() == "1"
            assert (lane.written_tmp / "r.xml").read_text() == "2"

    asyncio.run(go())


@either
def test_memory_processes_and_disk_are_limited(tmp_path: Path, kind: Kind) -> None:
    """A command that takes too much of anything is killed, and the run names the limit."""
    settings = LaneSettings(memory="200M", processes=20, disk="64M")
    lanes = lanes_of(project_of(tmp_path, {"a": ""}), kind, settings)
    cases = {
        "memory": "held = []\nfor _ in range(300): held.append(b'x' * (4 << 20)); time.sleep(0.01)",
        "processes": "for _ in range(60): subprocess.Popen(['sleep', '60'])\ntime.sleep(60)",
        "disk": "with open('big', 'wb') as f:\n    for _ in range(200): f.write(b'x' * (1 << 20)); f.flush()\n",
    }
    for limit, code in cases.items():
        run = ran(lanes, Check(name="c", command=("python", "-c", f"import subprocess, time\n{code}"), timeout_s=50.0))
        assert (run.ok, run.limits) == (False, (limit,)), run.output
        assert "was killed: " in run.output


def _answer(files: dict[str, str], deleted: str) -> Reading:
    gone = FileBlock(path=deleted, content="", action="delete")
    return Reading(files=(gone, *reading_of(files).files))


def _use_temporary(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))


def _running_below(folder: Path) -> list[int]:
    """The running processes that name a folder on their command line, or whose folder is in it; this one apart."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes()
            if entry.name.isdigit() and int(entry.name) != os.getpid() and str(folder).encode() in words:
                state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
                found += [int(entry.name)] if state not in "ZX" else []
        except (OSError, ValueError):
            continue
    return found


def test_a_missing_program_of_a_long_command_is_named_alone(tmp_path: Path) -> None:
    """The message names the program, not its arguments, which may be long."""
    run = ran(
        lanes_of(project_of(tmp_path, {"a": ""}), "overlay"), Check(name="c", command=("vitest", "run", "x" * 999))
    )
    assert run.output == "vitest: not found"


def test_package_managers_know_that_there_is_no_network(tmp_path: Path) -> None:
    """Without network they are told so, since some try for a minute; a variable of the user's that the check names counts more."""
    project = project_of(tmp_path / "w", {"a": ""})
    show = script("import os; print(os.environ.get('npm_config_offline'), os.environ.get('GOPROXY'))", env=("GOPROXY",))
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"), "GOPROXY": "file:///mine"}
    assert ran(lanes_of(project, "overlay", environ=environ), show).output.strip() == "true file:///mine"
    opened = LaneSettings(network=True)
    assert ran(lanes_of(project, "overlay", opened, environ), show).output.strip() == "None file:///mine"


def test_what_is_cleared_is_gone_and_nothing_that_it_leads_to(tmp_path: Path) -> None:
    """A link goes and what it leads to stays; a folder goes with all that is in it; nothing there is no error."""
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("mine")
    for leads_to in (kept, kept / "file"):
        (tmp_path / "link").symlink_to(leads_to)
        clear(tmp_path / "link")
        assert not os.path.lexists(tmp_path / "link")
    (tmp_path / "folder/inner").mkdir(parents=True)
    (tmp_path / "folder/inner/link").symlink_to(kept)
    for _ in range(2):
        clear(tmp_path / "folder")
    assert not (tmp_path / "folder").exists()
    assert (kept / "file").read_text() == "mine"
