"""diagnosis.py: what a failed command misses here, and the first error in its output."""

import pytest

from dce.workspace.judging.diagnosis import MAX_REASON_CHARS, first_error, why_not_fetched, why_not_started

NETWORK = "A lane has no network"


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ("sh: 1: vitest: not found\n", "vitest: not found"),
        ("/usr/bin/python3: No module named pytest\n", "/usr/bin/python3 has no module pytest"),
        ("Could not find rake-13.0 in locally installed gems\n", "gems are not installed"),
        (
            "npm error code ENOTCACHED\nnpm error request to https://registry.example/vitest failed: cache mode is 'only-if-cached'\n",
            "vitest is not installed; run `npm ci`",
        ),
        (
            "error: no matching package named `itoa` found\nlocation searched: crates.io index\n",
            "the crate itoa is not",
        ),
        ("# x\na.go:3:8: module lookup disabled by GOPROXY=off\n", "Go modules are not"),
        ("go: download go1.99.0 for linux/amd64: toolchain not available\n", "go.mod requires go1.99.0"),
        ("[ERROR] … Could not transfer artifact a:b:pom:1 from/to central\n", "artifacts are not"),
        ("> No cached version of a:b:1 available for offline mode.\n", "artifacts are not"),
        ("ERROR: No matching distribution found for freezegun\n", "pip cannot fetch freezegun"),
    ],
)
def test_what_is_missing_is_named_with_its_cure(output: str, why: str) -> None:
    """What interpreters and package managers print when something is not installed becomes one sentence."""
    assert why_not_started(1, f"first line\n{output}last line\n").startswith(why)


def test_what_must_be_fetched_names_the_setting() -> None:
    """Where something would have to be fetched, the setting that opens the network is named; elsewhere it is not."""
    assert NETWORK in why_not_fetched("error: no matching package named `itoa` found\n")
    assert not why_not_fetched("sh: 1: vitest: not found\n")


def test_a_failing_test_is_not_something_missing() -> None:
    """Output that only reports failures says nothing about what is missing, unless a shell found no program (126, 127)."""
    assert why_not_started(1, "1 failed\nAssertionError: not found\n") == ""
    assert why_not_started(127, "some odd shell\n  what?\n") == "what?"
    assert why_not_started(126, "") == "exit code 126"


@pytest.mark.parametrize(
    ("output", "error"),
    [
        (
            "gcc …\n/w/parts.c:2:36: error: 'c' undeclared\nmake: *** [x] Error 1\n",
            "/w/parts.c:2:36: error: 'c' undeclared",
        ),
        ("   Compiling x\nerror[E0599]: no method named `a`\n", "error[E0599]: no method named `a`"),
        ("src/a.ts(3,7): error TS2304: Cannot find name 'b'.\n", "src/a.ts(3,7): error TS2304: Cannot find name 'b'."),
        ("[ERROR] /w/A.java:[3,7] cannot find symbol\n", "[ERROR] /w/A.java:[3,7] cannot find symbol"),
        ("E   ModuleNotFoundError: No module named 'x'\n", "ModuleNotFoundError: No module named 'x'"),
        ("nox: error: unrecognized arguments: -q\n", "nox: error: unrecognized arguments: -q"),
        ("a\nmake: *** [Makefile:5: test] Error 1\n", "make: *** [Makefile:5: test] Error 1"),
        ("Traceback …\n  File\nruntime.FooError: bad\n", "runtime.FooError: bad"),
        ("all is well\n", ""),
    ],
)
def test_the_first_error_of_compilers_is_found(output: str, error: str) -> None:
    """A compiler's line counts more than the build tool's that follows it."""
    assert first_error(output) == error


def test_reasons_are_short() -> None:
    """A reason is one line of bounded length, whatever was printed."""
    assert len(first_error(f"error: {'x' * 5_000}\n")) == MAX_REASON_CHARS
