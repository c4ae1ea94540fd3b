"""Runs pytest on a folder in a forked child: importing pytest once for hundreds of runs, instead of a second for each.

Only for the benchmark, whose answers have been read: a child is a process of its own and nothing more.
"""

import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

POLL_S = 0.005

DEADLINE = "they end in time"
"""The name of the test that fails where the others did not end."""

MEMORY_BYTES = 1024**3
"""Most memory for the tests of one answer: one of ours builds a list of every id."""


def run_pytest(folder: Path, names: Sequence[str], timeout_s: float) -> dict[str, bool]:
    """Whether each test passed, by name; with one more, DEADLINE, that failed if they did not end in time."""
    with tempfile.NamedTemporaryFile("r", suffix=".jsonl", encoding="utf-8") as report:
        child = os.fork()
        if child == 0:
            _child(folder, names, report.name)
        ends_at = time.monotonic() + timeout_s
        while time.monotonic() < ends_at and os.waitpid(child, os.WNOHANG) == (0, 0):
            time.sleep(POLL_S)
        if time.monotonic() >= ends_at:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        results = dict(json.loads(line) for line in report.read().splitlines())
        return results | ({DEADLINE: False} if time.monotonic() >= ends_at else {})


class _Report:
    """A pytest plugin that writes each test's result as it comes."""

    def __init__(self, path: str) -> None:
        self._file = Path(path).open("a", encoding="utf-8")  # noqa: SIM115 - open until the process ends

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called by pytest for the setup, the call and the teardown of a test."""
        if report.when == "call" or report.failed:
            self._write(report.nodeid, is_passed=report.passed)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Called by pytest for each file: one that cannot be imported is a failed test."""
        if report.failed:
            self._write(report.nodeid, is_passed=False)

    def _write(self, name: str, *, is_passed: bool) -> None:
        self._file.write(json.dumps([name, is_passed]) + "\n")
        self._file.flush()


def _child(folder: Path, names: Sequence[str], report: str) -> None:
    """Runs the tests and ends the process."""
    try:
        os.chdir(folder)
        # A fork has the whole address space of this process, which may be larger than what the tests may add to it.
        own = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (own + MEMORY_BYTES, own + MEMORY_BYTES))
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        sys.path.insert(0, str(folder))
        sys.dont_write_bytecode = True
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # the plugins of this environment take a second to load
        options = ["-q", "--tb=no", "-p", "no:cacheprovider", "--rootdir=.", "-c", os.devnull]
        pytest.main([*options, *names], plugins=[_Report(report)])
    finally:
        os._exit(0)
