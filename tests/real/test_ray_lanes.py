"""Lanes on a real Ray cluster of two nodes on this machine: the board of ten answers, what is sent, what is contained, a node that is killed."""

import asyncio
import contextlib
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from dce.workspace.judging.behaving import compare_behaviour
from dce.workspace.judging.board import board
from dce.workspace.judging.check_report import CheckReport
from dce.workspace.judging.checking import check_responses
from dce.workspace.judging.lanes.choosing import lanes_of
from dce.workspace.judging.lanes.lane import Ended, Lane, RunOptions
from dce.workspace.judging.lanes.on_ray.cluster import Clusters
from dce.workspace.judging.lanes.on_ray.ray_lanes import RayLanes
from dce.workspace.judging.lanes.processes import descendants, kill
from dce.workspace.judging.lanes.settings import LaneSettings
from dce.workspace.project import Project
from tests.workspace.judging import Bench, snapshot, write

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

START_S = 120
"""How long a node may take to start: it is a dozen processes."""

FILES = {
    "calc.py": "def add(a, b):\n    return a - b\n\n\ndef halve(a):\n    return a / 2\n",
    "test_calc.py": (
        "import unittest\nimport calc\nimport vendored\n\n\nclass T(unittest.TestCase):\n"
        "    def test_add(self):\n        self.assertEqual(calc.add(1, 2), 3)\n\n"
        "    def test_halve(self):\n        self.assertEqual(calc.halve(4), 2)\n"
    ),
    ".gitignore": "vendored.py\n",
    "vendored.py": "there = True\n",
}
CHECKS = '{}[[check]]\nname = "tests"\ncommand = ["python", "-m", "unittest"]\n'
RIGHT = "def add(a, b):\n    return a + b\n\n\ndef halve(a):\n    return a / 2\n"
SLEEP = "3607.5"
"""A time for which nobody else sleeps."""

FAST = RunOptions(timeout_s=60)

HOSTILE = """
import os, pathlib, socket, sys
def tried(work):
    try:
        work()
        print("yes")
    except OSError:
        print("no")
above, nodes, port = sys.argv[1:]
tried(lambda: pathlib.Path("/etc/dce-x").write_text("x"))
tried(lambda: pathlib.Path("/usr/dce-x").write_text("x"))
tried(lambda: os.listdir(nodes + "/head"))
tried(lambda: socket.create_connection(("127.0.0.1", int(port)), 2))
tried(lambda: os.listdir(above + "/local"))
"""
"""What a command of a model's may try: to write to the system, to read trees of others and other workspaces, to reach the cluster."""

ANSWERS = (
    RIGHT,
    RIGHT.replace("a + b", "b + a"),
    RIGHT.replace("a + b", "a * b"),
    RIGHT.replace("a / 2", "a // 3"),
    RIGHT + "1 / 0\n",
    RIGHT + "def (:\n",
    RIGHT.replace("a + b", "sum((a, b))"),
    "import os\nos._exit(0)\n",
    RIGHT + "import time\ntime.sleep(0.2)\n",
    RIGHT.replace("a / 2", "a // 2"),
)


class RealNodes:
    """A cluster that was started for these tests: the head with its server for clients, and nodes beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # A token of these tests' own: Ray asks for the user's, if there is one.
        write(folder / "token", secrets.token_hex(32), mode=0o600)
        self.variables = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(folder / "token"),
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        self._port, client = _free_port(), _free_port()
        self._started: list[subprocess.Popen[bytes]] = []
        self.address = f"ray://127.0.0.1:{client}"
        own = (f"--port={self._port}", f"--ray-client-server-port={client}", "--include-dashboard=false")
        self._start("head", "--head", *own)
        self._wait_for(self._port)
        self.second = self._start("second", f"--address=127.0.0.1:{self._port}")
        self._wait_for(client)

    def _wait_for(self, port: int) -> None:
        """Waits until somebody listens there."""
        for _ in range(START_S * 10):
            assert self._started[0].poll() is None, (self.folder / "head.log").read_text()
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError((self.folder / "head.log").read_text())

    def stop(self) -> None:
        """Ends everything that was started."""
        for process in reversed(self._started):
            end(process)

    def _start(self, name: str, *options: str) -> subprocess.Popen[bytes]:
        temporary = self.folder / name
        temporary.mkdir()
        words = ("--block", "--num-cpus=2", "--object-store-memory=100000000", "--disable-usage-stats")
        head = (f"--temp-dir={self.folder}/r",) if "--head" in options else ()
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "ray.scripts.scripts", "start", *options, *words, *head],
                cwd=temporary,
                env={**os.environ, "TMPDIR": str(temporary), **self.variables},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._started.append(process)
        return process


def end(process: subprocess.Popen[bytes]) -> None:
    """Kills a node at once, as a machine that loses its power: all that its `ray start` has started."""
    kill([process.pid, *descendants(process.pid)])
    process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def cluster() -> Iterator[RealNodes]:
    """Two nodes with two processors each, whose token this process has. Their folder's name is short, because sockets lie in it."""
    with tempfile.TemporaryDirectory(prefix="dce-ray-", ignore_cleanup_errors=True) as folder:
        nodes = RealNodes(Path(folder))
        try:
            with pytest.MonkeyPatch.context() as patch:
                for name, value in nodes.variables.items():
                    patch.setenv(name, value)
                yield nodes
        finally:
            nodes.stop()


def _bench(root: Path, address: str = "") -> Bench:
    bench = Bench(root, FILES)
    write(root / ".dce" / "checks.toml", CHECKS.format(f'[lane]\non = "{address}"\n' if address else ""))
    return bench


def _facts(reports: Mapping[int, CheckReport]) -> list[object]:
    return [
        (
            slot,
            report.is_passed,
            report.new_failures,
            [(run.state, run.passed, run.failed, run.failures) for run in report.runs],
        )
        for slot, report in sorted(reports.items())
    ]


def _judged(bench: Bench) -> tuple[dict[int, CheckReport], list[object]]:
    generation = bench.answer(*({"calc.py": text} for text in ANSWERS))
    bench.agree_to_commands()

    async def go() -> dict[int, CheckReport]:
        reports = await check_responses(bench, generation)
        await compare_behaviour(bench, generation)
        return reports

    reports = asyncio.run(go())
    return reports, [(row.slot, row.rank, row.class_, row.why) for row in board(bench, generation)]


def test_a_cluster_judges_as_this_machine_does(cluster: RealNodes, tmp_path: Path) -> None:
    """On a real cluster ten answers get the verdicts and the ranks that they get here; both nodes take part; each file goes to a node once; a
    command reaches nothing outside its lane; a client that is killed leaves nothing running; a node that is killed is replaced.
    """
    _, expected = here = _judged(_bench(tmp_path / "local"))
    there = _bench(tmp_path / "workspace", cluster.address)
    before = snapshot(there.root)
    reports, rows = _judged(there)
    assert (_facts(reports), rows) == (_facts(here[0]), expected)
    assert [report.is_passed for _, report in sorted(reports.items())].count(True) == 5
    assert len({report.node for report in reports.values()}) == 2
    assert {report.on for report in reports.values()} == {cluster.address}
    assert snapshot(there.root) == before
    there.clusters.close()
    _leaves_nothing(there, cluster)
    asyncio.run(_lanes(there, cluster))
    there.clusters.close()


def _leaves_nothing(bench: Bench, cluster: RealNodes) -> None:
    """A client that is killed while a command runs: the command ends."""
    script = f"""
import asyncio
from tests.real.test_ray_lanes import sleeping
asyncio.run(sleeping({str(bench.root)!r}, {cluster.address!r}))
"""
    client = subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[2])
    try:
        _until(_is_sleeping, lambda: client.poll() is None)
    finally:
        client.kill()
        client.wait()
    _until(lambda: not _is_sleeping())


async def sleeping(root: str, address: str) -> None:
    """Runs a command on the cluster that takes long."""
    lanes = lanes_of(Project(Path(root)), LaneSettings(on=address), Clusters())
    async with lanes.opened(None) as lane:
        await lane.run(("sleep", SLEEP), RunOptions(timeout_s=600))


def _is_sleeping() -> bool:
    wanted = f"sleep\0{SLEEP}\0".encode()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes() == wanted:
                return True
    return False


def _until(holds: Callable[[], bool], may_wait: Callable[[], bool] = lambda: True) -> None:
    for _ in range(START_S * 10):
        assert may_wait()
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("waited too long")


async def _lanes(bench: Bench, cluster: RealNodes) -> None:
    """What is sent, contained and replaced, in two lanes on two nodes."""
    lanes = lanes_of(bench.project, LaneSettings(on=cluster.address), bench.clusters)
    assert isinstance(lanes, RayLanes)
    async with lanes.opened(None) as one, lanes.opened(None) as other:
        assert one.node != other.node
        assert (lanes.sent_files, lanes.parallel) == (0, 4)
        port = cluster.address.rpartition(":")[2]
        held = await one.run(("python", "-c", HOSTILE, str(bench.root.parent), str(cluster.folder), port), FAST)
        assert held.output.decode().split() == ["no"] * 5, held
        names = [await lane.run(("sh", "-c", f"ls {cluster.folder} /tmp; cat calc.py"), FAST) for lane in (one, other)]
        assert all(b"def add" in ended.output and b"dce-trees" not in ended.output for ended in names)
        write(bench.root / "calc.py", RIGHT)
        async with lanes.opened(None) as third:
            assert (await third.run(("cat", "calc.py"), FAST)).output == RIGHT.encode()
        assert lanes.sent_files == 1
        doomed = asyncio.ensure_future(_both(one, other))
        await asyncio.sleep(1)
        await asyncio.to_thread(end, cluster.second)
        assert [ended.output for ended in await doomed] == [b"done\n", b"done\n"]
        assert one.node == other.node


async def _both(*lanes: Lane) -> list[Ended]:
    return await asyncio.gather(*(lane.run(("sh", "-c", "sleep 4; echo done"), FAST) for lane in lanes))
