"""Stands in for `subprocess` where a test starts the project's own Python (`python -m package`): runs it in a fork of the probe's process.

Hundreds of probes do so, and a new interpreter for each would take longer than everything else. Sent to the lane as text, like
`stand_ins.py`. Any other command is started as ever.
"""

from __future__ import annotations

import argparse  # noqa: F401 - most programs import it: once here, not in every fork
import atexit
import contextlib
import os
import runpy
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

_PYTHONS = ("python", "python3")
_POLL_S = 0.001
_MAX_S = 60.0

_plain_run, _plain_check_output = subprocess.run, subprocess.check_output


@contextlib.contextmanager
def provided(*_: Any) -> Any:
    """Replaces `subprocess.run` and `subprocess.check_output`; gives no names."""
    subprocess.run, subprocess.check_output = run, check_output  # type: ignore[assignment]
    try:
        yield {}
    finally:
        subprocess.run, subprocess.check_output = _plain_run, _plain_check_output


_KNOWN = frozenset(
    {
        *("input", "capture_output", "stdin", "stdout", "stderr", "text", "universal_newlines", "encoding", "errors"),
        *("cwd", "env", "check", "timeout"),
    }
)


def check_output(command: Any, **options: Any) -> Any:
    """As subprocess.check_output."""
    return run(command, stdout=subprocess.PIPE, check=True, **options).stdout


def run(command: Any, **options: Any) -> Any:
    """As subprocess.run; a command that starts Python on a module or script of the project runs in a fork."""
    words = [os.fspath(word) for word in command] if isinstance(command, (list, tuple)) else []
    if not _is_python(words) or not set(options) <= _KNOWN or not hasattr(os, "fork"):
        return _plain_run(command, **options)
    if options.get("stdin") not in (None, subprocess.DEVNULL):
        return _plain_run(command, **options)
    is_text = any(options.get(name) for name in ("text", "universal_newlines", "encoding", "errors"))
    given = options.get("input")
    data = given.encode() if isinstance(given, str) else bytes(given or b"")
    code, out, err = _forked(words, data, options)
    streams: list[Any] = []
    for name, found in (("stdout", out), ("stderr", err)):
        is_kept = options.get("capture_output") or options.get(name) == subprocess.PIPE
        text = found.decode("utf-8", "replace").replace("\r\n", "\n") if is_text else found
        streams.append(text if is_kept else None)
    if options.get("check") and code:
        raise subprocess.CalledProcessError(code, command, *streams)
    return subprocess.CompletedProcess(command, code, *streams)


def _is_python(words: list[Any]) -> bool:
    if len(words) < 2 or not (words[0] == sys.executable or Path(words[0]).name in _PYTHONS):
        return False
    return (words[1] == "-m" and len(words) > 2) or words[1].endswith(".py")


def _forked(words: list[Any], data: bytes, options: Any) -> tuple[int, bytes, bytes]:
    """The exit code and what was printed."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(data)
        given.seek(0)
        child = os.fork()
        if child == 0:
            files = [given.fileno(), out.fileno(), err.fileno()]
            if options.get("stderr") == subprocess.STDOUT:
                files[2] = files[1]
            _run_in_child(words, files, options)
        status = _wait(child, options.get("timeout"), words)
        out.seek(0)
        err.seek(0)
        code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        return code, out.read(), err.read()


def _wait(child: int, timeout_s: float | None, words: list[Any]) -> int:
    ends_at = time.monotonic() + (timeout_s or _MAX_S)
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        if time.monotonic() > ends_at:
            os.kill(child, 9)
            os.waitpid(child, 0)
            raise subprocess.TimeoutExpired(words, timeout_s or _MAX_S)
        time.sleep(_POLL_S)


def _run_in_child(words: list[Any], files: list[int], options: Any) -> None:
    """Runs the program and ends the process with its exit code. Never returns."""
    code = 1
    try:
        for number, file in enumerate(files):
            os.dup2(file, number)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - until the process ends
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        if options.get("cwd"):
            os.chdir(options["cwd"])
        if options.get("env") is not None:
            os.environ.clear()
            os.environ.update(options["env"])
            sys.path[:0] = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
        _forget_project(str(Path.cwd()))
        code = _program(words)
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(code)


def _forget_project(root: str) -> None:
    """A program starts with modules of its own, not with what earlier probes left in them."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if name != "__main__" and file.startswith(root + os.sep) and "site-packages" not in file:
            del sys.modules[name]


def _program(words: list[Any]) -> int:
    warnings.simplefilter("ignore")
    code: Any = 0
    try:
        if words[1] == "-m":
            sys.argv[:] = words[2:]
            sys.path.insert(0, str(Path.cwd()))
            runpy.run_module(words[2], run_name="__main__", alter_sys=True)
        else:
            sys.argv[:] = words[1:]
            sys.path.insert(0, str(Path(words[1]).resolve().parent))
            runpy.run_path(words[1], run_name="__main__")
    except SystemExit as ended:
        code = ended.code
        if code is not None and not isinstance(code, int):
            sys.stderr.write(f"{code}\n")
            code = 1
    except BaseException:  # noqa: BLE001 - a program that fails prints why and ends with 1
        traceback.print_exc()
        code = 1
    with contextlib.suppress(Exception):
        atexit._run_exitfuncs()  # noqa: SLF001 - os._exit skips them
    return (code or 0) & 0xFF
