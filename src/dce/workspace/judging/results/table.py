"""The runners that DCE can read, and what counts among all that a command left behind.

Invariants: everything known about a runner is in its module and its row here; a report file counts before printed text, but only
if it accounts for at least as many tests as the text: otherwise a second run has overwritten the first one's.
"""

from collections.abc import Callable, Mapping

import msgspec

from dce.workspace.judging.results.cargo import read_cargo
from dce.workspace.judging.results.ctest import read_ctest
from dce.workspace.judging.results.dotnet import read_dotnet, read_trx
from dce.workspace.judging.results.go_test import read_go
from dce.workspace.judging.results.jest import read_jest, read_jest_report
from dce.workspace.judging.results.junit import read_junit
from dce.workspace.judging.results.jvm import read_gradle, read_maven
from dce.workspace.judging.results.mocha import read_mocha
from dce.workspace.judging.results.node import read_node
from dce.workspace.judging.results.outcome import Results, clean, together
from dce.workspace.judging.results.phpunit import read_phpunit
from dce.workspace.judging.results.pytest import read_pytest
from dce.workspace.judging.results.python_unittest import read_unittest
from dce.workspace.judging.results.rspec import read_rspec, read_rspec_report
from dce.workspace.judging.results.tap import read_tap
from dce.workspace.judging.results.vitest import read_vitest

PRINTED: tuple[Callable[[str], Results | None], ...] = (
    *(read_pytest, read_unittest, read_node, read_tap, read_vitest, read_jest, read_mocha),
    *(read_cargo, read_go, read_ctest, read_maven, read_gradle, read_rspec, read_phpunit, read_dotnet),
)
"""What runners print. Each reader knows its runner by the line that ends its run; any other command counts as one test."""

WRITTEN: tuple[Callable[[bytes, str], Results | None], ...] = (
    read_junit,
    read_trx,
    read_jest_report,
    read_rspec_report,
)
"""What runners write to report files. The second argument is the folder in which the command ran."""


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What a command left behind: its output, the report files that the check names, and those that the runner was asked for."""

    output: str
    folder: str = ""
    named: Mapping[str, bytes] = {}
    asked: Mapping[str, bytes] = {}


def read_printed(output: str) -> Results | None:
    """What the runners in a command's output report, together; None if there is none that DCE knows."""
    plain = clean(output)
    return together([found for reader in PRINTED if (found := reader(plain)) is not None])


def read_written(files: Mapping[str, bytes], folder: str) -> Results | None:
    """What report files hold, together; None if none can be read."""
    return together([found for _, data in sorted(files.items()) if (found := _read_file(data, folder)) is not None])


def read_results(left: Left) -> Results | None:
    """The results of a command: from the report files that the check names, those that the runner was asked for, or its output."""
    if (report := read_written(left.named, left.folder)) is not None:
        return report
    printed, written = read_printed(left.output), read_written(left.asked, left.folder)
    if written is None or (printed is not None and printed.total > written.total + _TOLERANCE * written.failed):
        return printed
    return written


_TOLERANCE = 1
"""Printed counts may exceed a report's by one for each failure: text counts a test and its failing teardown apart."""


def _read_file(data: bytes, folder: str) -> Results | None:
    for reader in WRITTEN:
        if (found := reader(data, folder)) is not None:
            return found
    return read_printed(data.decode("utf-8", "replace"))
