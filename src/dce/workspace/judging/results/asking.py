"""How a runner is asked for more than it prints by itself: an environment variable, or a flag added to its own command.

What is asked must be harmless: it changes no test, no exit code and nothing that the runner prints but its detail. A runner started
by another program (`npm test`, `make test`, `tox`) is asked by the environment or not at all. `DIRECT` and `ENVIRONMENT` are all.
"""

from collections.abc import Mapping, Sequence
from pathlib import PurePath

import msgspec

REPORT_NAME = "dce-report"
"""First part of the names of report files that DCE asks for. They are written to the temporary folder of the check."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A command that was asked for more: the variables that it gets, and the names of the files that it may write."""

    command: tuple[str, ...]
    variables: Mapping[str, str]
    reports: tuple[str, ...]


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    """A runner that takes flags. `words`: what its command begins with, after the programs that only start it. `flags` are added at
    `at` (None: at the end, or before a `--`), unless the command has one of `unless`. `{report}` stands for the report file."""

    words: tuple[str, ...]
    flags: tuple[str, ...]
    unless: tuple[str, ...] = ()
    at: int | None = None
    report: str = ""


DIRECT: tuple[_Row, ...] = (
    _Row(words=("python", "-m", "unittest"), flags=("-v",), unless=("-v", "--verbose", "-q", "--quiet")),
    _Row(words=("vitest",), flags=("--reporter=default", "--reporter=junit", "--outputFile.junit={report}"),
         unless=("--reporter", "--outputFile"), report="xml"),
    _Row(words=("jest",), flags=("--json", "--outputFile={report}"), unless=("--json", "--outputFile"), report="json"),
    _Row(words=("ava",), flags=("--tap",), unless=("--tap", "-t", "--watch", "-w"), at=1),
    _Row(words=("go", "test"), flags=("-v",), unless=("-v", "-json"), at=2),
    _Row(words=("prove",), flags=("-v",), unless=("-v", "--verbose", "-q", "-Q"), at=1),
    _Row(words=("rspec",), flags=("--format", "progress", "--format", "json", "--out", "{report}"),
         unless=("-f", "--format", "-o", "--out"), at=1, report="json"),
    _Row(words=("phpunit",), flags=("--log-junit", "{report}"), unless=("--log-junit",), at=1, report="xml"),
    _Row(words=("dotnet", "test"), flags=("--logger", "console;verbosity=normal"), unless=("-l", "--logger"), at=2),
)  # fmt: skip
"""Runners that are asked by flags. vitest and jest print failures only; their reports name every test. cargo, ctest, mocha, node and
pytest name every test anyway, or are asked by the environment."""

ENVIRONMENT: Mapping[str, str] = {"PYTEST_ADDOPTS": "--junit-xml={report} -o junit_family=xunit1"}
"""pytest writes its own JUnit report, whoever starts it. Options of the command count more. A variable that the check names is the user's
and stays as it is. (node takes reporters by NODE_OPTIONS, but versions that do not know them refuse to start.)"""

_STARTERS = frozenset(
    {"npx", "bunx", "pnpm", "yarn", "exec", "bundle", "poetry", "uv", "run", "pdm", "hatch", "--no-install", "--"}
)
"""Programs and words that only start the runner behind them."""

_FAIL_FAST: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("pytest", ("-x", "--exitfirst", "--maxfail")),
    ("unittest", ("-f", "--failfast")),
    ("go", ("-failfast", "--failfast")),
    ("mocha", ("-b", "--bail")),
    ("jest", ("-b", "--bail")),
    ("vitest", ("--bail",)),
    ("rspec", ("--fail-fast",)),
    ("ctest", ("--stop-on-failure",)),
    ("phpunit", ("--stop-on-failure", "--stop-on-error", "--stop-on-defect")),
    ("prove", ("--bail",)),
)
"""Runner → flags with which it ends at the first failures. Some say so in their output; these do not, or not always."""


def ask(command: Sequence[str], folder: str, named: Sequence[str] = ()) -> Asked:
    """The command with its runner asked for more. `folder`: where reports go, as the command sees it; `named`: the check's variables."""
    runner = _runner_at(command)
    asked, reports = tuple(command), []
    for row in DIRECT:
        if _starts(command, runner, row.words) and not _has(command, row.unless):
            report = f"{REPORT_NAME}-{row.words[0]}.{row.report}"
            flags = tuple(flag.replace("{report}", f"{folder}/{report}") for flag in row.flags)
            reports += [report] * bool(row.report)
            end = command.index("--") if "--" in command[runner:] else len(command)
            at = end if row.at is None else min(runner + row.at, end)
            asked = (*command[:at], *flags, *command[at:])
            break
    variables = {}
    for name, value in ENVIRONMENT.items():
        if name not in named:
            report = f"{REPORT_NAME}-{name.lower()}.xml"
            reports.append(report)
            variables[name] = value.replace("{report}", f"{folder}/{report}")
    return Asked(command=asked, variables=variables, reports=tuple(reports))


def is_fail_fast(command: Sequence[str]) -> bool:
    """Whether a command's own flags end its runner at the first failures."""
    words = {PurePath(word).stem for word in command}
    return any(runner in words and _has(command, flags) for runner, flags in _FAIL_FAST)


def _runner_at(command: Sequence[str]) -> int:
    """Where the runner's own words begin."""
    for at, word in enumerate(command):
        if PurePath(word).name not in _STARTERS:
            return at
    return 0


def _starts(command: Sequence[str], at: int, words: Sequence[str]) -> bool:
    here = list(command[at : at + len(words)])
    if not here:
        return False
    program = PurePath(here[0]).name
    is_python = words[0] == "python" and program.rstrip("0123456789.") == "python"
    return (is_python or program == words[0]) and here[1:] == list(words[1:])


def _has(command: Sequence[str], flags: Sequence[str]) -> bool:
    return any(word == flag or word.startswith((f"{flag}=", f"{flag}.")) for word in command for flag in flags)
