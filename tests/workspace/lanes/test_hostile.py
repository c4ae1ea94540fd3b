"""A lane holds against a command that means harm. Each attack is bounded and aimed at sentinels, so that a hole harms nothing else."""

import asyncio
import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from dce.workspace.judging.checks import run_checks
from dce.workspace.judging.checks_file import Check
from dce.workspace.judging.lanes.folders import PREFIX, sweep
from dce.workspace.judging.lanes.opening import Lanes
from dce.workspace.judging.lanes.settings import LaneSettings
from dce.workspace.project import Project
from tests.workspace.judging import snapshot, write
from tests.workspace.laned import lanes_of, project_of, ran, script

SECRET = "sk-sentinel-7d1f"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A workspace in git, with a key among DCE's files, below a home that has secrets of its own."""
    root = tmp_path / "home" / "code" / "w"
    project = project_of(root, {"a.py": "A = 1\n"})
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    write(root / ".dce" / "card-keys.json", SECRET)
    write(tmp_path / "home" / ".ssh" / "id_ed25519", SECRET)
    write(tmp_path / "home" / ".cargo" / "credentials.toml", SECRET)
    write(tmp_path / "home" / ".cargo" / "bin" / "tool", "#!/bin/sh\necho tool runs\n", mode=0o755)
    write(tmp_path / "home" / "code" / "other" / "b.py", SECRET)
    return project


@pytest.fixture
def sentinel() -> Iterator[subprocess.Popen[bytes]]:
    """A process of the user's, with a key in its environment."""
    process = subprocess.Popen(["sleep", "300"], env={"PATH": os.environ["PATH"], "DCE_API_KEY": SECRET})
    yield process
    process.kill()
    process.wait()


def _lanes(project: Project, tmp_path: Path, settings: LaneSettings | None = None) -> Lanes:
    environ = os.environ | {"HOME": str(tmp_path / "home"), "DCE_API_KEY": SECRET}
    return lanes_of(project, "overlay", settings, environ)


def test_nothing_outside_is_written_or_deleted(project: Project, tmp_path: Path) -> None:
    """Emptying the workspace, its git hooks and the home, and writing beside them, changes none of them."""
    before = snapshot(tmp_path, skip=())
    run = ran(
        _lanes(project, tmp_path),
        script(
            """
            import os, pathlib, shutil
            root, home = pathlib.Path.cwd(), pathlib.Path.home()
            (root / ".git" / "hooks" / "post-checkout").write_text("#!/bin/sh\\ntouch owned\\n")
            (root / "a.py").write_text("owned")
            for outside in (root.parent / "owned", home.parent / "owned", pathlib.Path("/etc/dce-owned"), root / ".dce/owned"):
                try: outside.write_text("owned")
                except OSError: pass
            shutil.rmtree(home, ignore_errors=True)
            shutil.rmtree(root, ignore_errors=True)
            print(sorted(os.listdir(root)), os.path.exists("/etc/dce-owned"))
            """
        ),
    )
    assert run.ok, run.output
    assert "False" in run.output
    assert snapshot(tmp_path, skip=()) == before


def test_no_secret_is_read(
    project: Project, tmp_path: Path, sentinel: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No key is in the environment, in DCE's folder, in the home, or in any process that the command can see; tools run."""
    monkeypatch.setenv("DCE_API_KEY", SECRET)
    run = ran(
        _lanes(project, tmp_path),
        script(
            """
            import os, pathlib, subprocess
            print(sorted(os.environ.items()))
            print(subprocess.run([str(pathlib.Path.home() / ".cargo/bin/tool")], capture_output=True, text=True).stdout)
            for folder in (pathlib.Path.home(), pathlib.Path.cwd()):
                for path in folder.rglob("*"):
                    if path.is_file() and ".git" not in path.parts: print(path, path.read_bytes()[:200])
            for process in pathlib.Path("/proc").glob("[0-9]*"):
                print(process.name, (process / "environ").read_bytes(), (process / "cmdline").read_bytes())
            """
        ),
    )
    assert run.ok, run.output
    assert "tool runs" in run.output
    assert "a.py" in run.output
    assert SECRET not in run.output
    assert f"/proc/{sentinel.pid}" not in run.output


def test_no_other_process_is_seen_or_killed(
    project: Project, tmp_path: Path, sentinel: subprocess.Popen[bytes]
) -> None:
    """A command that kills everything it sees, and its parents, ends only itself; what is tested next runs."""
    code = f"""
        import os, signal
        seen = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        if len(seen) > 20 or {sentinel.pid} in seen:
            raise SystemExit(f"not contained: {{seen}}")
        for pid in ({sentinel.pid}, {os.getpid()}):
            try: os.kill(pid, 0)
            except ProcessLookupError: print("unseen")
        print("killing", flush=True)
        for pid in seen:
            try: os.kill(pid, signal.SIGKILL)
            except OSError: pass
    """
    lanes = _lanes(project, tmp_path)
    run = ran(lanes, script(code))
    assert (run.ok, run.output) == (False, "unseen\nunseen\nkilling\n")
    assert sentinel.poll() is None
    assert ran(lanes, Check(name="c", command=("true",))).ok


def test_the_network_is_the_lanes_own(project: Project, tmp_path: Path) -> None:
    """A server of this machine is not reached, unless the project's lanes have the network; a lane's own loopback works."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = f"""
            import socket
            try: socket.create_connection(("127.0.0.1", {port}), 5); print("reached")
            except OSError as error: print(error)
            with socket.create_server(("127.0.0.1", 0)) as own: socket.create_connection(own.getsockname(), 5); print("own loopback")
        """
        assert ran(_lanes(project, tmp_path), script(code)).output == "[Errno 111] Connection refused\nown loopback\n"
        run = ran(_lanes(project, tmp_path, LaneSettings(network=True)), script(code))
        assert run.output == "reached\nown loopback\n"


def test_two_lanes_on_one_port_do_not_meet(project: Project, tmp_path: Path) -> None:
    """Tests that bind a fixed port pass in two lanes at once."""
    lanes = _lanes(project, tmp_path)
    check = script(
        'import socket, time; s = socket.create_server(("127.0.0.1", 26500)); print("bound", flush=True); time.sleep(1)'
    )

    async def both() -> list[bool]:
        reports = await asyncio.gather(*(run_checks(lanes, [check], None) for _ in range(2)))
        return [report.is_passed for report in reports]

    assert asyncio.run(both()) == [True, True]


def test_a_fork_bomb_is_ended(project: Project, tmp_path: Path) -> None:
    """Processes that keep forking are stopped at the limit, and none is left."""
    code = """
        import os, time
        for _ in range(9):  # at most 512
            os.fork()
        time.sleep(300)
    """
    run = ran(_lanes(project, tmp_path, LaneSettings(processes=60)), script(code, timeout_s=100.0))
    assert run.limits == ("processes",)
    assert "more than 60 processes" in run.output


def test_no_capability_and_no_setting_of_the_kernel(project: Project, tmp_path: Path) -> None:
    """A command has no capability, also when DCE runs as root, and can change no setting of the kernel and make no namespace; `/run`
    has no sockets."""
    code = """
        import os, pathlib, subprocess
        status = pathlib.Path("/proc/self/status").read_text()
        print([line.split()[1].strip("0") for line in status.splitlines() if line.startswith("Cap")])
        for setting in ("/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches"):
            try: open(setting, "r+").close(); print("open", setting)
            except OSError as error: print("closed")
        print(os.listdir("/run"))
        print(subprocess.run(["unshare", "-Ur", "true"], capture_output=True).returncode)
    """
    run = ran(_lanes(project, tmp_path), script(code))
    assert run.output == "['', '', '', '', '']\nclosed\nclosed\n[]\n1\n"


def test_lanes_end_with_dce(project: Project, tmp_path: Path) -> None:
    """If DCE is killed, its lanes end at once; the next one removes their folders, and none that is in use."""
    place, ready = tmp_path / "t", tmp_path / "ready"
    place.mkdir()
    os.mkfifo(ready)
    program = f"""
        import asyncio, os, pathlib, tempfile
        tempfile.tempdir = {str(place)!r}
        from dce.workspace.judging.checks import run_checks
        from dce.workspace.judging.checks_file import Check
        from tests.workspace.laned import lanes_of
        from dce.workspace.project import Project
        check = Check(name="c", command=("python", "-c", "import os, time; print(os.getpid()); time.sleep(300)"))
        async def go():
            lanes = lanes_of(Project(pathlib.Path({str(project.root)!r})), "overlay")
            running = asyncio.create_task(run_checks(lanes, [check], None))
            while b"time.sleep(300)" not in b"".join(map(read, pathlib.Path("/proc").glob("[0-9]*/cmdline"))): await asyncio.sleep(0.05)
            await asyncio.to_thread(pathlib.Path({str(ready)!r}).write_text, "running")
            await running
        def read(path):
            try: return path.read_bytes() if int(path.parent.name) != os.getpid() else b""
            except OSError: return b""
        asyncio.run(go())
    """
    dce = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], cwd=Path(__file__).parents[3])
    ready.read_text()
    (folder,) = place.glob(f"{PREFIX}*")
    sweep(place)
    assert (folder / "home").exists()
    inside = _below(dce.pid)
    assert inside
    dce.kill()
    dce.wait()
    deadline = 400
    while any(Path(f"/proc/{pid}").exists() for pid in inside):
        deadline -= 1
        assert deadline, inside
        subprocess.run(["sleep", "0.05"], check=True)
    sweep(place)
    assert not list(place.iterdir())


def _below(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(line.split()[0]): int(line.split()[1]) for line in listed.splitlines()}
    found: list[int] = []
    for child in parents:
        above = child
        while above in parents and above != pid:
            above = parents[above]
        if above == pid and child != pid:
            found.append(child)
    return found
