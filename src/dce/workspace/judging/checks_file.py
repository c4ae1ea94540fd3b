"""`.dce/checks.toml`: which commands of the project are its checks.

A mistake in the file is one error that names the file and the fault; an unknown key is a mistake.
"""

import tomllib
from pathlib import Path

import msgspec

from dce.wire.errors import DceError
from dce.workspace.judging.lanes.settings import LaneSettings
from dce.workspace.project import Project

CHECKS_FILE = "checks.toml"

MAX_CHECKS = 20
"""Maximum checks in a workspace: they run one after the other, for each of perhaps ten responses."""

MAX_TIMEOUT_S = 3600.0
"""Longest timeout a check may set: nobody waits for ten runs of more than an hour."""


class Check(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command of the project. `python` as its first word means the project's interpreter; `env` names variables it needs."""

    name: str
    command: tuple[str, ...]
    timeout_s: float = 60.0
    env: tuple[str, ...] = ()


class ChecksFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    check: tuple[Check, ...] = ()
    lane: LaneSettings = LaneSettings()


def load_checks(project: Project) -> tuple[Check, ...]:
    """The checks in .dce/checks.toml (`[[check]]` tables); empty without that file. Raises DceError invalid_input."""
    return load_checks_file(project).check


def load_checks_file(project: Project) -> ChecksFile:
    """The contents of .dce/checks.toml; empty without that file. Raises DceError invalid_input."""
    path = project.state_dir / CHECKS_FILE
    try:
        found = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), ChecksFile)
    except FileNotFoundError:
        return ChecksFile()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError, OSError) as error:
        raise _bad_file(path, str(error)) from error
    checks = found.check
    names = [check.name for check in checks]
    if len(checks) > MAX_CHECKS:
        raise _bad_file(path, f"{len(checks)} checks, at most {MAX_CHECKS}")
    for check in checks:
        if not check.name.strip() or names.count(check.name) > 1:
            raise _bad_file(path, f"a check's name must be unique and not empty: {check.name!r}")
        if not check.command or not check.command[0] or any("\0" in word for word in check.command):
            raise _bad_file(path, f"check {check.name!r}: `command` must be a list of words, the program first")
        if not 0 < check.timeout_s <= MAX_TIMEOUT_S:
            raise _bad_file(path, f"check {check.name!r}: `timeout_s` must be over 0 and at most {MAX_TIMEOUT_S:.0f}")
    if problem := found.lane.problem():
        raise _bad_file(path, problem)
    return found


def _bad_file(path: Path, why: str) -> DceError:
    return DceError(
        "invalid_input",
        f"{path} cannot be used: {why}",
        hint='Write a check as [[check]], name = "tests", command = ["python", "-m", "unittest"], timeout_s = 60.',
    )
