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

from dce.wire.errors import DceError
from dce.workspace.judging.check_report import MAX_FAILURES, CheckReport, CheckRun, count_new_failures
from dce.workspace.judging.checks_file import Check
from dce.workspace.judging.runners import read_counts
from dce.workspace.judging.scratch import Scratch
from dce.workspace.project import Project
from dce.workspace.schema.reading import Reading

CONCURRENCY = 2
"""Responses checked at once. Checks are mostly CPU work, and a developer's machine must stay responsive."""

MAX_OUTPUT_BYTES = 8 * 1024
"""How much of a check's output is kept: the end, where test runners report failures."""

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

    `baseline` is the report on the unchanged workspace; without one, every failure counts as new. A check that fails, hangs or
    cannot start gives a run that is not ok. Raises DceError invalid_input for a workspace too large to copy.
    """
    async with _scratch(project, reading) as scratch:
        runs = [
            await _run(check, scratch, await asyncio.to_thread(_environment, project, scratch, check))
            for check in checks
        ]
    return CheckReport(
        passed=sum(run.passed for run in runs),
        failed=sum(run.failed for run in runs),
        new_failures=0 if reading is None else count_new_failures(runs, baseline),
        runs=tuple(runs),
    )


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
    started = clock()
    exit_code, output, problem = await _execute(check, scratch.root, environment)
    duration_s = clock() - started
    # A test runner's output can be megabytes: not in the event loop.
    counts = await asyncio.to_thread(read_counts, output.decode("utf-8", "replace")) if not problem else None
    kept = output[-MAX_OUTPUT_BYTES:].decode("utf-8", "replace")
    passed, failed = (counts.passed, counts.failed) if counts else (0, 0)
    if exit_code != 0:
        failed = max(1, failed)  # whatever its output says
    elif counts is None:
        passed = 1
    return CheckRun(
        name=check.name,
        ok=exit_code == 0 and not failed,
        exit_code=exit_code,
        passed=passed,
        failed=failed,
        duration_s=duration_s,
        output=f"{kept.rstrip()}\n{problem}".lstrip() if problem else kept,
        failures=counts.failures[:MAX_FAILURES] if counts else (),
    )


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
