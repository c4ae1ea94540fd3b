"""command.py: one command, from its start to its end."""

import asyncio
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import msgspec
import pytest

from dce.wire.errors import DceError
from dce.workspace.judging.lanes.command import MAX_KEPT_BYTES, Spawn, execute
from dce.workspace.judging.lanes.folders import LaneFolder
from dce.workspace.judging.lanes.lane import Ended
from dce.workspace.judging.lanes.processes import GroupProcesses
from dce.workspace.judging.lanes.settings import LaneSettings, Limits


def _execute(tmp_path: Path, command: tuple[str, ...], limits: Limits | None = None, **fields: object) -> Ended:
    folder = LaneFolder(tmp_path)
    spawn = Spawn(
        command=command,
        name=command[0],
        folder=folder,
        root=tmp_path,
        cwd="",
        variables={"PATH": os.environ["PATH"], "M": "1"},
        timeout_s=50.0,
        limits=limits or LaneSettings().limits(),
        processes=GroupProcesses("M=1"),
    )
    try:
        return asyncio.run(execute(msgspec.structs.replace(spawn, **fields)))
    finally:
        folder.remove()


def test_output_and_exit_code(tmp_path: Path) -> None:
    """The output is both streams, exactly; the exit code is the command's; an own 127 is no failure to start."""
    ended = _execute(tmp_path, ("sh", "-c", "printf out; printf err >&2; exit 127"))
    assert (ended.output, ended.exit_code, ended.problem, ended.limits) == (b"outerr", 127, "", ())


def test_too_much_output_ends_the_command(tmp_path: Path) -> None:
    """A command that prints without end is killed, the end of its output kept, and the limit named."""
    limits = Limits(memory_bytes=1 << 40, disk_bytes=1 << 40, processes=99, printed_bytes=4 << 20)
    ended = _execute(tmp_path, ("yes", "y" * 100), limits)
    assert (ended.exit_code, ended.limits) == (None, ("output",))
    assert ended.problem == "`yes` was killed: it printed more than 4 MiB"
    assert len(ended.output) <= 2 * MAX_KEPT_BYTES + (1 << 20)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """A command whose folder is missing cannot start; one in a folder below the root starts there."""
    assert _execute(tmp_path, ("true",), cwd="no/such").problem == "`true` cannot start: there is no folder no/such"
    (tmp_path / "-d").mkdir()
    assert _execute(tmp_path, ("pwd",), cwd="-d").output == f"{tmp_path}/-d\n".encode()


def test_a_lane_that_cannot_be_set_up_is_no_verdict(tmp_path: Path) -> None:
    """If what is put around the command fails before the command starts, that is an error of the lane, not of the answer."""
    with pytest.raises(DceError) as caught:
        _execute(tmp_path, ("true",), wrapper=("sh", "-c", "echo no namespace; exit 1"))
    assert "no namespace" in caught.value.message


def test_a_group_ends_with_dce(tmp_path: Path) -> None:
    """Without namespaces too, a command ends when DCE is killed."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    program = f"""
        from pathlib import Path
        from tests.workspace.lanes.test_command import _execute
        _execute(Path({str(tmp_path)!r}), ("sh", "-c", "echo $$ > {pipe}; sleep 300"))
    """
    dce = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], cwd=Path(__file__).parents[3])
    pid = int(pipe.read_text())
    dce.kill()
    dce.wait()
    for _ in range(400):
        if not Path(f"/proc/{pid}").exists():
            return
        subprocess.run(["sleep", "0.05"], check=True)
    raise AssertionError(f"{pid} still runs")
