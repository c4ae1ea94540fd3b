"""Runs one command of a lane to its end, or to the limit that it hits.

Invariants: when `execute` returns, or is cancelled, no process of the command is left that the lane's kind can find; output is bounded;
a program that cannot start is told apart from one that fails.
"""

import asyncio
import contextlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import msgspec

from dce.wire.errors import DceError
from dce.workspace.judging.lanes.finishing import finished
from dce.workspace.judging.lanes.folders import LaneFolder
from dce.workspace.judging.lanes.lane import Ended, Limit
from dce.workspace.judging.lanes.processes import KILL_S, Processes
from dce.workspace.judging.lanes.settings import Limits
from dce.workspace.judging.lanes.watch import Watch

MAX_KEPT_BYTES = 1024 * 1024
"""How much of the output's end is kept, to be searched for counts and names."""

HEAD_BYTES = 256
"""How much of the output's beginning is kept: the marks of the start."""

DRAIN_S = 2.0
"""How long to wait for remaining output once a command has ended. Its other processes were killed, so the pipe closes at once."""

_START = r"""
mark=$1 blocks=$2 lifeline=$3 cwd=$4; shift 4
ulimit -c 0 2>/dev/null; ulimit -f "$blocks" 2>/dev/null; echo 1000 2>/dev/null >/proc/self/oom_score_adj
[ -z "$lifeline" ] || ( ( cat "/dev/fd/$lifeline"; kill -KILL "-$$" ) >/dev/null 2>&1 & )
no() { echo "$mark$1"; exit 127; }
echo "$mark"
[ -z "$cwd" ] || cd -- "$cwd" 2>/dev/null || no "there is no folder $cwd"
case $1 in
*/*) [ -e "$1" ] || no "not found"; [ -f "$1" ] && [ -x "$1" ] || no "Permission denied" ;;
*) command -v -- "$1" >/dev/null 2>&1 || no "not found" ;;
esac
exec "$@"
"""
"""Starts a command in a POSIX shell: no core dumps, no file larger than the limit, the first to be killed when the machine is out of
memory, and its group killed when the lifeline's other end closes. It prints a mark when the lane stands, and once more with the reason if
the command cannot start."""

_CANNOT_START = 127

_NOT_FOUND = "not found"


class Spawn(msgspec.Struct, frozen=True, kw_only=True):
    """A command to run. `wrapper`: what is put before it. `name` is the program as the project wrote it, `cwd` its folder below `root`."""

    command: tuple[str, ...]
    name: str
    folder: LaneFolder
    root: Path
    cwd: str
    variables: Mapping[str, str]
    timeout_s: float
    limits: Limits
    processes: Processes
    wrapper: tuple[str, ...] = ()


async def execute(spawn: Spawn) -> Ended:
    """Runs a command to its end. Raises DceError if the lane around it cannot be set up.

    DCE makes the pipe, not asyncio, so that a process that keeps it open cannot delay the wait for the command itself.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    mark = secrets.token_hex(16)
    read_end, write_end = os.pipe()
    tail = _Tail(spawn.limits.printed_bytes)
    transport, _ = await loop.connect_read_pipe(lambda: tail, os.fdopen(read_end, "rb", buffering=0))
    try:
        try:
            process = await asyncio.create_subprocess_exec(
                *_words(spawn, mark),
                cwd=spawn.root,
                env=dict(spawn.variables),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=write_end,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                pass_fds=spawn.processes.passed_fds,
            )
        except OSError as error:
            why = _NOT_FOUND if isinstance(error, FileNotFoundError) else error.strerror or str(error)
            return _not_started(spawn, why, loop.time() - started)
        finally:
            os.close(write_end)
        limit = await _ended(process, spawn, tail)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await tail.closed.wait()
    finally:
        transport.close()
        spawn.processes.close()
    return _read_end(spawn, tail, mark, limit, process.returncode, loop.time() - started)


def _words(spawn: Spawn, mark: str) -> tuple[str, ...]:
    if os.name == "nt":
        return spawn.command
    blocks, lifeline = str(spawn.limits.disk_bytes // 512), spawn.processes.lifeline
    return (*spawn.wrapper, "/bin/sh", "-c", _START, "sh", mark, blocks, lifeline, spawn.cwd, *spawn.command)


def _read_end(
    spawn: Spawn, tail: "_Tail", mark: str, limit: Limit | None, exit_code: int | None, duration_s: float
) -> Ended:
    """What the end of a command says."""
    head, output = bytes(tail.head), bytes(tail.data)
    if os.name != "nt":
        first = f"{mark}\n".encode()
        if head.startswith(first + mark.encode()) and exit_code == _CANNOT_START:
            why = head.removeprefix(first + mark.encode()).decode("utf-8", "replace")
            return _not_started(spawn, why.strip(), duration_s)
        if not head.startswith(first) and limit is None:
            raise DceError(
                "write_failed",
                f"the lane for `{spawn.name}` cannot be set up: {output.decode('utf-8', 'replace').strip()[-500:]}",
                hint="Run the checks again; if it happens again, report the message.",
            )
        output = output.removeprefix(first)
    if limit is None:
        return Ended(exit_code=exit_code, output=output, duration_s=duration_s)
    problem = f"`{spawn.name}` was killed: {spawn.limits.describe(limit, spawn.timeout_s)}"
    return Ended(exit_code=None, output=output, duration_s=duration_s, limits=(limit,), problem=problem)


def _not_started(spawn: Spawn, why: str, duration_s: float) -> Ended:
    said = f"{spawn.name}: not found" if why == _NOT_FOUND else f"`{spawn.name}` cannot start: {why}"
    return Ended(exit_code=None, output=b"", duration_s=duration_s, problem=said)


async def _ended(process: asyncio.subprocess.Process, spawn: Spawn, tail: "_Tail") -> Limit | None:
    """Waits for the command's end, and ends it when it hits a limit (returned) or is cancelled. Nothing of it runs afterwards."""
    watch = Watch(process.pid, spawn.limits, spawn.folder, spawn.processes.kill)
    starting = asyncio.ensure_future(asyncio.to_thread(spawn.processes.started, process.pid))
    watch.start()
    waits = (asyncio.ensure_future(process.wait()), asyncio.ensure_future(tail.flooded.wait()))
    limit: Limit | None = None
    try:
        done, _ = await asyncio.wait(waits, timeout=spawn.timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            limit = "time"
        elif waits[0] not in done:
            limit = "output"
    finally:
        waits[1].cancel()
        hit = await finished(_clean_up(process, spawn.processes, starting, watch))
    return limit or hit


async def _clean_up(
    process: asyncio.subprocess.Process, processes: Processes, starting: "asyncio.Future[None]", watch: Watch
) -> Limit | None:
    await starting

    def end() -> Limit | None:
        processes.kill()
        return watch.stop()

    hit = await asyncio.to_thread(end)
    try:
        async with asyncio.timeout(KILL_S):
            await process.wait()
    except TimeoutError:
        process.kill()
    return hit


class _Tail(asyncio.Protocol):
    """Keeps the end of a pipe's data, and notices a flood."""

    def __init__(self, limit_bytes: int) -> None:
        self.data = bytearray()
        self.head = b""
        self.closed = asyncio.Event()
        self.flooded = asyncio.Event()
        self._left_bytes = limit_bytes

    def data_received(self, data: bytes) -> None:
        self.data += data
        if len(self.head) < HEAD_BYTES:
            self.head += data[:HEAD_BYTES]
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            self.flooded.set()
        if len(self.data) > 2 * MAX_KEPT_BYTES:
            del self.data[:-MAX_KEPT_BYTES]

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self.closed.set()
