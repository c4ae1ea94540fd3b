"""ray_lanes.py, ray_lane.py, workers.py and node.py, on nodes in this process: what goes there, what comes back, and what is lost on the way."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dce.wire.errors import DceError
from dce.workspace.judging.check_report import CheckReport
from dce.workspace.judging.checks import run_checks
from dce.workspace.judging.checks_file import Check
from dce.workspace.judging.lanes.lane import Ended, Lane, RunOptions
from dce.workspace.judging.lanes.on_ray.exchange import Changes
from dce.workspace.judging.lanes.on_ray.manifest import Walker, encoded
from dce.workspace.judging.lanes.on_ray.node import LaneSpec, Node
from dce.workspace.judging.lanes.on_ray.ray_lanes import RayLanes, messages
from dce.workspace.judging.lanes.on_ray.workers import Found
from dce.workspace.judging.lanes.opening import Lanes, LaneUnfit
from dce.workspace.judging.lanes.settings import LaneSettings
from dce.workspace.project import Project
from dce.workspace.schema.reading import Reading
from tests.workspace.judging import reading_of, snapshot, write
from tests.workspace.laned import project_of
from tests.workspace.lanes.on_ray.nodes import Here

FILES = {"a.py": "print(1)\n", ".gitignore": "ignored\n", "ignored": "there\n"}


def _lanes(tmp_path: Path, cluster: Here, settings: LaneSettings | None = None, **environ: str) -> RayLanes:
    root = tmp_path / "w"
    project = Project(root) if root.exists() else project_of(root, FILES)
    return RayLanes(project, settings or LaneSettings(on=cluster.address), cluster, environ)


async def _run(
    lanes: Lanes, *commands: str, reading: Reading | None = None, **options: Any
) -> tuple[list[Ended], Lane]:
    """How shell commands ended, one after the other in a lane."""
    async with lanes.opened(reading) as lane:
        return [await lane.run(("sh", "-c", text), RunOptions(timeout_s=20, **options)) for text in commands], lane


def _said(lanes: Lanes, *commands: str, reading: Reading | None = None, **options: Any) -> list[str]:
    ended, _ = asyncio.run(_run(lanes, *commands, reading=reading, **options))
    assert not any(one.problem for one in ended)
    return [one.output.decode().strip() for one in ended]


def _verdicts(lanes: Lanes, readings: Sequence[Reading], checks: Sequence[Check]) -> list[CheckReport]:
    async def go() -> list[CheckReport]:
        base = await run_checks(lanes, checks, None)
        return [base, *await asyncio.gather(*(run_checks(lanes, checks, reading, base) for reading in readings))]

    return asyncio.run(go())


def test_a_node_shows_the_workspace_at_its_own_path(tmp_path: Path) -> None:
    """A command sees the answer, the ignored files and the workspace's path; the workspace itself stays as it is."""
    lanes = _lanes(tmp_path, Here(tmp_path))
    before = snapshot(lanes.project.root, skip=())
    said = _said(
        lanes, "pwd; cat a.py ignored; echo x >a.py; rm ignored", "cat a.py; ls", reading=reading_of({"a.py": "2\n"})
    )
    assert said == [f"{lanes.project.root}\n2\n\nthere".replace("\n\n", "\n"), "x\na.py"]
    assert snapshot(lanes.project.root, skip=()) == before


@pytest.mark.parametrize("root", ["/no-such-folder/deep/w", "/usr/no-such-folder/w"])
def test_a_path_that_the_node_does_not_have(tmp_path: Path, root: str) -> None:
    """The workspace is shown at its path even where no part of that exists; what else is there stays visible, and is not writable."""
    node, worked = Node(place=tmp_path / "trees"), Walker(str(project_of(tmp_path / "w", FILES).root))
    found = worked.manifest()
    for pieces in messages(worked.root, found, frozenset(node.lacking(found.digest, encoded(found)) or ())):
        node.add(pieces)
    node.build(encoded(found))
    node.open(LaneSpec(root=root, tree=found.digest, settings=LaneSettings()))
    command = (
        f"pwd; cat a.py; ls -d /usr/bin /etc/passwd; touch {Path(root).parent}/x 2>/dev/null || echo no; echo x >y"
    )
    ran = node.run(("sh", "-c", command), RunOptions(timeout_s=20), Changes(), Changes())
    node.close()
    assert ran.ended.output.decode().split() == [root, "print(1)", "/etc/passwd", "/usr/bin", "no"]
    assert [sent.path for sent in ran.root.files] == ["y"]


def test_each_content_goes_to_a_node_once(tmp_path: Path) -> None:
    """The first run sends every file to every node, a second one nothing, another run after a change the changed file."""
    cluster = Here(tmp_path)
    lanes = _lanes(tmp_path, cluster)

    async def twice(lanes: RayLanes) -> int:
        async with lanes.opened(None) as one, lanes.opened(None) as other:
            assert {one.node, other.node} == {"a", "b"}
        return lanes.sent_files

    assert asyncio.run(twice(lanes)) == 2 * len(FILES)
    again = _lanes(tmp_path, Here(tmp_path))
    assert asyncio.run(twice(again)) == 0
    write(again.project.root / "a.py", "print(2)\n")
    assert asyncio.run(twice(again)) == 2
    assert _said(again, "cat a.py") == ["print(2)"]


def test_verdicts_are_those_of_local_lanes(tmp_path: Path) -> None:
    """The same answers get the same reports, report files included; both nodes take part."""
    lanes = _lanes(tmp_path, Here(tmp_path))
    junit = '<testsuite><testcase name="t" classname="c"/></testsuite>'
    checks = [
        Check(name="runs", command=("python", "a.py")),
        Check(name="reports", command=("sh", "-c", f"mkdir -p out; echo '{junit}' >out/r.xml"), report="out/*.xml"),
        Check(name="slow", command=("sleep", "9"), timeout_s=0.3),
        Check(name="missing", command=("no-such-program",)),
    ]
    readings = [reading_of({"a.py": text}) for text in ("print(2)\n", "1/0\n", "print(3)\n")]
    local = _verdicts(Lanes(lanes.project, LaneSettings()), readings, checks)
    there = _verdicts(lanes, readings, checks)

    def facts(reports: list[CheckReport]) -> list[object]:
        return [
            [
                (run.name, run.ok, run.state, run.limits, run.failures, run.new_failures, run.runner)
                for run in report.runs
            ]
            for report in reports
        ]

    assert facts(there) == facts(local)
    assert there[0].runs[1].runner
    assert {report.on for report in there} == {"ray://here:10001"}
    assert {report.node for report in there} == {"a", "b"}
    assert {(report.on, report.node) for report in local} == {("", "")}


def test_files_travel_between_commands(tmp_path: Path) -> None:
    """What DCE writes to the lane's temporary folder is there for the next command, what a command writes comes back, and what either
    deletes is gone."""

    async def go() -> None:
        async with _lanes(tmp_path, Here(tmp_path)).opened(None) as lane:
            (lane.written_tmp / "asked").write_text("question")
            await lane.run(
                ("sh", "-c", "cp /tmp/asked /tmp/answer; echo r >new; mkdir d; echo s >d/s"), RunOptions(timeout_s=20)
            )
            assert (lane.written_tmp / "answer").read_text() == "question"
            assert sorted(path.name for path in lane.written_root.rglob("*")) == ["d", "new", "s"]
            (lane.written_tmp / "asked").unlink()
            ended = await lane.run(("sh", "-c", "ls /tmp/answer /tmp/asked; rm /tmp/answer"), RunOptions(timeout_s=20))
            assert ended.output.splitlines()[1:] == [b"/tmp/answer"]
            assert b"/tmp/asked" in ended.output.splitlines()[0]
            assert not list(lane.written_tmp.iterdir())

    asyncio.run(go())


def test_the_variables_are_the_nodes_but_for_named_ones(tmp_path: Path) -> None:
    """A command gets the client's values of the variables that the project names, and nothing else of the client's or of DCE's."""
    settings = LaneSettings(on="ray://here:10001", env=("NAMED", "DCE_API_KEY", "HOME"))
    lanes = _lanes(
        tmp_path, Here(tmp_path), settings, NAMED="1", OTHER="2", DCE_API_KEY="k", HOME="/client", PATH="/none"
    )
    said = _said(lanes, "echo $NAMED-$OTHER-$DCE_API_KEY-$ALSO; echo $HOME $PATH $PYTHONPATH", variables={"ALSO": "3"})
    assert said[0].startswith("1---3\n")
    assert not {"/client", "/none"}.intersection(said[0].split())


def test_a_node_that_dies_is_replaced(tmp_path: Path) -> None:
    """The command runs once more on another node, in a lane with the same setup and the files that came back."""
    settings = LaneSettings(on="ray://here:10001", setup=(("sh", "-c", "echo ready >setup"),))
    died: list[str] = []

    def dies(node: str, name: str, arguments: tuple[Any, ...]) -> bool:
        is_third = name == "run" and "third" in arguments[0] and not died
        died.extend([node] * is_third)
        return is_third

    async def go() -> tuple[bytes, str]:
        async with _lanes(tmp_path, Here(tmp_path, fault=dies), settings).opened(None) as lane:
            first = lane.node
            await lane.run(("sh", "-c", "echo kept >/tmp/t; echo kept >r"), RunOptions(timeout_s=20))
            ended = await lane.run(("sh", "-c", "cat setup /tmp/t r", "third"), RunOptions(timeout_s=20))
            assert died == [first]
            return ended.output, lane.node

    assert asyncio.run(go()) == (b"ready\nkept\nkept\n", "b")


@pytest.mark.parametrize("fatal", ["run", "open", "lacking"])
def test_two_nodes_that_die_leave_no_verdict(tmp_path: Path, fatal: str) -> None:
    """Nothing is said about an answer on which two nodes went away; the report names them."""
    cluster = Here(tmp_path, "abc", fault=lambda _, name, __: name == fatal)
    report = asyncio.run(
        run_checks(_lanes(tmp_path, cluster), [Check(name="t", command=("true",))], reading_of({"x": "1"}))
    )
    assert (report.runs, report.problem) == (
        (),
        "the nodes a and b went away, one after the other, while the checks ran there",
    )
    assert not asyncio.run(_left(cluster))


async def _left(cluster: Here) -> list[str]:
    """Idle workers on nodes that are gone."""
    workers = await cluster.connect()
    return [worker.node for worker in workers._idle if worker.node in cluster.dead]


def test_without_a_free_processor_there_is_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster on which no worker ever starts is an error after a while, which says so."""
    monkeypatch.setattr("dce.workspace.judging.lanes.on_ray.workers.START_S", 0.05)
    cluster = Here(tmp_path)
    monkeypatch.setattr(cluster, "_start", lambda _: Found())
    with pytest.raises(DceError, match=r"no node of ray://here:10001 had a processor free"):
        _said(_lanes(tmp_path, cluster), "true")


def test_a_cluster_without_nodes_is_said(tmp_path: Path) -> None:
    """When no worker can be started, the reason is the error; nothing waits forever."""
    with pytest.raises(DceError, match="no node left"):
        _said(_lanes(tmp_path, Here(tmp_path, "")), "true")


def test_a_lane_that_is_given_up_ends_on_its_node(tmp_path: Path) -> None:
    """A cancellation ends the worker with all that it runs; the next lane gets another."""
    cluster = Here(tmp_path, cpus=1)
    lanes = _lanes(tmp_path, cluster)

    async def go() -> list[Ended]:
        begun = asyncio.Event()

        def begins(_: str, name: str, __: tuple[Any, ...]) -> bool:
            if name == "run":
                begun.set()
            return False

        cluster.fault = begins
        task = asyncio.ensure_future(_run(lanes, "sleep 2"))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert cluster.ended == ["a"]
        return (await _run(lanes, "echo fine"))[0]

    assert [ended.output for ended in asyncio.run(go())] == [b"fine\n"]


def test_no_more_workers_than_processors(tmp_path: Path) -> None:
    """More lanes than the cluster has processors wait for each other; a worker is used again."""
    cluster = Here(tmp_path, cpus=2)
    lanes = _lanes(tmp_path, cluster)

    async def go() -> None:
        await asyncio.gather(*(_run(lanes, "true") for _ in range(5)))

    asyncio.run(go())
    assert (lanes.parallel, cluster._started) == (2, ["a", "b"])
    assert cluster.calls.count(("a", "open")) + cluster.calls.count(("b", "open")) == 5


def test_whoever_gives_up_waiting_takes_no_worker(tmp_path: Path) -> None:
    """A cancelled wait for a worker leaves the worker to the next one."""
    cluster = Here(tmp_path, cpus=1)

    async def go() -> str:
        workers = await cluster.connect()
        worker = await workers.take()
        waiting = [asyncio.ensure_future(workers.take()) for _ in range(2)]
        await asyncio.sleep(0.05)
        waiting[0].cancel()
        await asyncio.sleep(0.05)
        workers.give(worker)
        return (await asyncio.wait_for(waiting[1], 5)).node

    assert asyncio.run(go()) == "a"


@pytest.mark.parametrize(
    ("programs", "said"),
    [
        (None, "node a: .venv/bin/python of the workspace leads to /none/py"),
        ((), "node a: no lane there can contain the checks: bubblewrap is not installed"),
    ],
    ids=["interpreter", "bubblewrap"],
)
def test_a_node_that_cannot_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, programs: tuple[str, ...] | None, said: str
) -> None:
    """A node without the project's Python, or one that cannot contain, runs nothing: the error names it and says what is missing."""
    lanes = _lanes(tmp_path, Here(tmp_path))
    if programs is None:
        (lanes.project.root / ".venv" / "bin").mkdir(parents=True)
        (lanes.project.root / ".venv" / "bin" / "python").symlink_to("/none/py")
    else:
        monkeypatch.setattr("dce.workspace.judging.lanes.hosting.bubblewraps", lambda _: programs)
    with pytest.raises(DceError) as caught:
        _said(lanes, "true")
    assert caught.value.message.startswith(said)


def test_an_unfit_lane_keeps_its_worker(tmp_path: Path) -> None:
    """What is wrong with an answer or its setup costs no worker."""
    cluster = Here(tmp_path, cpus=1)
    lanes = _lanes(tmp_path, cluster)

    async def go() -> None:
        with pytest.raises(LaneUnfit):
            async with lanes.opened(None):
                raise LaneUnfit("so")

    asyncio.run(go())
    assert _said(lanes, "echo on") == ["on"]
    assert (cluster._started, cluster.ended) == (["a"], [])
