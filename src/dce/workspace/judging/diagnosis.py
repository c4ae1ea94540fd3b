"""Why a command failed, by what it printed: what is missing here, or the first error of a compiler. Pure.

Invariant: a reason is only looked for in a command that failed; it explains a verdict and never makes one.
"""

import re

import msgspec

from dce.workspace.judging.results.outcome import clean


class _Missing(msgspec.Struct, frozen=True):
    """What a program prints that misses something, and how to say it. `{what}` and others are the pattern's groups."""

    pattern: re.Pattern[str]
    words: str


def _row(pattern: str, words: str) -> _Missing:
    return _Missing(re.compile(pattern, re.MULTILINE), words)


_NOT_STARTED: tuple[_Missing, ...] = (
    _row(r"^(?:/\S*/)?(?:sh|bash|dash|zsh)(?::| \d+:)? ?(?:\d+: |line \d+: )?(?P<what>\S+): (?:command )?not found$", "{what}: not found"),
    _row(r"^(?:/usr/bin/)?env: .(?P<what>[^'’\n]+).: No such file or directory$", "{what}: not found"),
    _row(r"^(?P<python>\S*python[\d.]*): No module named (?P<what>[\w.]+)$",
         "{python} has no module {what}; install it there, or in a virtual environment .venv in the workspace"),
    _row(r"^\S*python[\d.]*: can't open file '(?P<what>[^'\n]+)'", "{what}: no such file"),
    _row(r"^npm (?:ERR!|error) Missing script: \"(?P<what>[^\"\n]+)\"", "package.json has no script {what}"),
    _row(r"^npm (?:ERR!|error) could not determine executable to run", "npx finds no such program; run `npm ci`"),
    _row(r"^error: rustup could not choose a version of (?P<what>\S+)", "rustup has no toolchain for {what}"),
    _row(r"^error: no such command: `(?P<what>[^`\n]+)`", "cargo has no command {what}"),
    _row(r"^make: \*\*\* (?P<what>No rule to make target .*?|No targets specified and no makefile found)\.  Stop\.$", "make: {what}"),
    _row(r"^go: (?P<what>go\.mod file not found|cannot find main module)", "go: {what}"),
    _row(r"^(?P<what>No tests were found!!!)$", "ctest: {what}"),
    _row(r"^(?:Could not find .{1,200} in (?:locally installed gems|any of the sources)|bundler: command not found: .*)$",
         "gems are not installed; run `bundle install`"),
)  # fmt: skip
"""What shells, interpreters and package managers print when the command that they were to run does not exist here."""

_NOT_FETCHED: tuple[_Missing, ...] = (
    _row(r"^npm (?:ERR!|error) request to https?://[^/\s]+/(?P<what>\S+) failed", "{what} is not installed; run `npm ci`"),
    _row(r"^error: no matching package named `(?P<what>[^`\n]+)` found$",
         "the crate {what} is not on this machine; run `cargo fetch`"),
    _row(r"^error: failed to (?:get|download) `(?P<what>[^`\n]+)`", "the crate {what} is not on this machine; run `cargo fetch`"),
    _row(r": (?:module lookup disabled by GOPROXY=off|dial tcp: lookup )",
         "Go modules are not on this machine; run `go mod download`"),
    _row(r"^go: download (?P<what>\S+) for .*: toolchain not available", "go.mod requires {what}, which is not on this machine"),
    _row(r"Could not transfer artifact | has not been downloaded from it before",
         "artifacts are not on this machine; run `mvn dependency:go-offline`, or the tests once outside DCE"),
    _row(r"No cached version of \S+ available for offline mode|> Could not (?:GET|HEAD) 'http",
         "artifacts are not on this machine; run the Gradle build once outside DCE"),
    _row(r"\berror NU1301: ", "NuGet packages are not on this machine; run `dotnet restore`"),
    _row(r"^ERROR: No matching distribution found for (?P<what>\S+)", "pip cannot fetch {what}"),
)  # fmt: skip
"""What package managers print that want to fetch something."""

_NO_NETWORK = ". A lane has no network unless .dce/checks.toml says `network = true` under [lane]"

_ERRORS: tuple[re.Pattern[str], ...] = (
    re.compile(
        r"^(?:E +)?(?P<why>(?:ModuleNotFoundError|ImportError|SyntaxError|IndentationError|NameError): .*"
        r"|(?:Error: )?Cannot find (?:module|package) .*|error(?:\[E\d+\])?: .*"
        r"|[^\s:]+:\d{1,7}:(?:\d{1,7}:)? (?:fatal )?error: .*|\S+\.go:\d{1,7}:\d{1,7}: .*|\S+\(\d{1,7},\d{1,7}\): error .*"
        r"|\[ERROR\] \S+:\[\d{1,7},\d{1,7}\] .*)$",
        re.MULTILINE,
    ),
    re.compile(r"^(?P<why>make(?:\[\d{1,3}\])?: \*\*\* .*|[\w.]*(?:Error|Exception): .*|[\w.-]+: error: .*|\S+: (?:line )?\d{1,7}: .*)$", re.MULTILINE),
)  # fmt: skip
"""The lines in which interpreters and compilers say what is wrong; those of the first pattern count more."""

MAX_REASON_CHARS = 200
"""Longest reason: one line of a table."""

_NOT_FOUND_CODES = frozenset({126, 127})
"""The exit codes of a shell whose command cannot be run or is not found."""


def why_not_started(exit_code: int | None, output: str) -> str:
    """Why the program behind a failed command could not run here; "" if nothing says so."""
    output = clean(output)
    if found := _found(_NOT_STARTED, output) or why_not_fetched(output):
        return found
    if exit_code in _NOT_FOUND_CODES:
        lines = output.strip().splitlines()
        return lines[-1].strip()[:MAX_REASON_CHARS] if lines else f"exit code {exit_code}"
    return ""


def why_not_fetched(output: str) -> str:
    """What a failed command would have had to fetch; "" if nothing says so."""
    found = _found(_NOT_FETCHED, clean(output))
    return found and found + _NO_NETWORK


def first_error(output: str) -> str:
    """The first line of a failed command that says what is wrong; "" if none does."""
    text = clean(output)
    for pattern in _ERRORS:
        if match := pattern.search(text):
            return match["why"].strip()[:MAX_REASON_CHARS]
    return ""


def _found(table: tuple[_Missing, ...], output: str) -> str:
    for row in table:
        if match := row.pattern.search(output):
            return row.words.format(**match.groupdict())[:MAX_REASON_CHARS]
    return ""
