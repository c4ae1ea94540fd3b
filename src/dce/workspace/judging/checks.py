"""The project's own checks, run on a response in isolation: a scratch copy of the workspace with the response's files in it.

Invariants: the workspace itself is only read; neither a check nor any process it started outlives its deadline; its output is
bounded; DCE's keys are not in its environment. This isolates against accidents and is not a sandbox: a check runs code that a
model wrote, with the rights of the user who runs DCE.
"""

import asyncio
import contextlib
import os
import signal
import site
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import msgspec

from dce.wire.errors import DceError
from dce.workspace.judging.against_base import compared
from dce.workspace.judging.check_report import CheckReport, CheckRun, report_of
from dce.workspace.judging.check_run import Ended, not_run, run_of
from dce.workspace.judging.checks_file import Check
from dce.workspace.judging.report_files import read, stamps, written_since
from dce.workspace.judging.results.asking import ask
from dce.workspace.judging.results.table import Left
from dce.workspace.judging.scratch import Scratch
from dce.workspace.project import Project
from dce.workspace.schema.reading import Reading

CONCURRENCY = 2
"""Responses checked at once. Checks are mostly CPU work, and a developer's machine must stay responsive."""

MAX_SCANNED_BYTES = 1024 * 1024
"""How much of the output's end is searched for counts and names. This bounds memory when a check floods its output."""

DRAIN_S = 2.0
"""How long to wait for remaining output once a check has ended. Its leftover processes were killed, so the pipe closes at once."""

_KEPT = frozenset(
    {
        *("PATH", "LANG", "LANGUAGE", "TZ", "TERM", "USER", "LOGNAME", "SHELL", "VIRTUAL_ENV"),
        *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        *("PYENV_ROOT", "PYENV_VERSION", "PYTHONUSERBASE", "NVM_DIR", "CARGO_HOME", "RUSTUP_HOME"),
        *("JAVA_HOME", "GOROOT", "GOPATH", "GOMODCACHE"),
        *("SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT"),
    }
)
"""Variables that programs need to start. A check must request all others by name, above all keys and passwords."""

_NEVER_KEPT = frozenset({"DCE_API_KEY", "PYTHONPATH"})
"""Never passed on, even if requested: DCE's key, and the Python search path, which `_python_path` points at the scratch copy."""


async def run_checks(
    project: Project, checks: Sequence[Check], reading: Reading | None, baseline: CheckReport | None = None
) -> CheckReport:
    """Runs the checks, in order, on a response (None: on the unchanged workspace) in one scratch copy.

    `baseline` is the report on the unchanged workspace: checks that cannot start there are not run; without it, every failure counts
    as new. New failures in a stage keep the later stages from running. A check that fails, hangs or cannot start gives a run that is not
    ok. Raises DceError invalid_input for a workspace too large to copy.
    """
    before = {run.name: run for run in baseline.runs} if baseline else {}
    wanted = [check for check in checks if not baseline or check.name in before]
    runs: list[CheckRun] = []
    async with _scratch(project, reading) as scratch:
        for check in wanted:
            if any(run.new_failures and run.stage != check.stage for run in runs):
                runs.append(not_run(check))
                continue
            environment = await asyncio.to_thread(_environment, project, scratch, check)
            run = await _run(check, scratch, environment)
            runs.append(run if reading is None else compared(run, before.get(check.name)))
    return report_of(tuple(runs), baseline.cannot_start if baseline else ())


@contextlib.asynccontextmanager
async def _scratch(project: Project, reading: Reading | None) -> AsyncIterator[Scratch]:
    scratch = Scratch(await asyncio.to_thread(_new_folder), project.root.name or "workspace")
    filling = asyncio.ensure_future(asyncio.to_thread(scratch.fill, project, reading))
    try:
        await _filled(filling)
        yield scratch
    finally:
        await asyncio.wait([filling])  # a thread cannot be cancelled; what it still writes must also be removed
        await asyncio.to_thread(scratch.remove)


def _new_folder() -> Path:
    return Path(os.path.realpath(tempfile.mkdtemp(prefix="dce-check-")))


async def _filled(filling: asyncio.Future[None]) -> None:
    try:
        await asyncio.shield(filling)
    except OSError as error:
        raise DceError(
            "write_failed",
            f"cannot create the scratch copy for checks: {error}",
            hint="Free space in the temporary folder.",
        ) from error


def _environment(project: Project, scratch: Scratch, check: Check) -> dict[str, str]:
    """The environment of a check's processes. The home and temporary folders are in the scratch copy."""
    named = {*_KEPT, *check.env} - _NEVER_KEPT
    kept = {name: value for name, value in os.environ.items() if name in named or name.startswith("LC_")}
    own = {"HOME": str(scratch.home), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUSERBASE": site.getuserbase()}
    own |= {name: str(scratch.tmp) for name in ("TMPDIR", "TEMP", "TMP")}
    own["PYTHONPATH"] = _python_path(project, scratch, os.environ.get("PYTHONPATH", ""))
    return own | kept


def _python_path(project: Project, scratch: Scratch, inherited: str) -> str:
    """The scratch copy's folders first: otherwise an editable install would test the code in the workspace."""
    folders = [scratch.root, *(folder for folder in (scratch.root / "src",) if folder.is_dir())]
    for entry in filter(None, inherited.split(os.pathsep)):
        path = Path(os.path.realpath(entry))
        inside = path.is_relative_to(project.root)
        folders.append(scratch.root / path.relative_to(project.root) if inside else path)
    return os.pathsep.join(str(folder) for folder in dict.fromkeys(folders))


async def _run(check: Check, scratch: Scratch, environment: Mapping[str, str]) -> CheckRun:
    clock = asyncio.get_running_loop().time
    folder = scratch.root / check.cwd
    if not folder.is_dir():
        problem = f"`{check.command[0]}` cannot start: there is no folder {check.cwd}"
        ended = Ended(exit_code=None, problem=problem, is_started=False, duration_s=0.0)
        return run_of(check, ended, Left(output=""))
    asked = ask(check.command, str(scratch.tmp), environment)
    before = await asyncio.to_thread(stamps, folder, check.report)
    started = clock()
    command = msgspec.structs.replace(check, command=asked.command)
    exit_code, output, problem = await _execute(command, folder, {**environment, **asked.environment})
    ended = Ended(
        exit_code=exit_code,
        problem=problem,
        is_started=" cannot start: " not in problem,
        duration_s=clock() - started,
    )

    def interpret() -> CheckRun:
        left = Left(
            output=output.decode("utf-8", "replace"),
            folder=str(folder),
            named=written_since(folder, check.report, before),
            asked={path.name: data for path, data in read(Path(report) for report in asked.reports).items()},
        )
        return run_of(check, ended, left)

    return await asyncio.to_thread(interpret)  # a test runner's output can be megabytes: not in the event loop


async def _execute(check: Check, folder: Path, environment: Mapping[str, str]) -> tuple[int | None, bytes, str]:
    """Exit code, the end of the output, and what went wrong ("" if the command ended by itself).

    DCE makes the pipe, not asyncio, so that a grandchild that keeps it open cannot delay the wait for the check itself.
    """
    program = sys.executable if check.command[0] == "python" else check.command[0]
    read_end, write_end = os.pipe()
    tail = _Tail()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: tail, os.fdopen(read_end, "rb", buffering=0))
    try:
        try:
            process = await asyncio.create_subprocess_exec(
                program,
                *check.command[1:],
                cwd=folder,
                env=dict(environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=write_end,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return None, b"", f"`{check.command[0]}` cannot start: {_why(error)}"
        finally:
            os.close(write_end)
        is_late = await _end_of(process, check.timeout_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await tail.closed.wait()
        if is_late:
            return (
                None,
                bytes(tail.data),
                f"`{check.command[0]}` was killed: it ran for more than {check.timeout_s:g} s",
            )
        return process.returncode, bytes(tail.data), ""
    finally:
        transport.close()


async def _end_of(process: asyncio.subprocess.Process, timeout_s: float) -> bool:
    """Waits for a process and kills the rest of its group: when it ends, at the deadline (returns True), or on cancellation."""
    try:
        async with asyncio.timeout(timeout_s):
            await process.wait()
    except TimeoutError:
        return True
    finally:
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        elif process.returncode is None:
            process.kill()
        await process.wait()
    return False


class _Tail(asyncio.Protocol):
    """Keeps the end of a pipe's data."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.closed = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.data += data
        if len(self.data) > 2 * MAX_SCANNED_BYTES:
            del self.data[:-MAX_SCANNED_BYTES]

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self.closed.set()


def _why(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such program"
    return error.strerror or str(error)
