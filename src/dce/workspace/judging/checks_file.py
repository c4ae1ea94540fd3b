"""`.dce/checks.toml`: which commands of the project are its checks.

A mistake in the file is one error that names the file and the fault; an unknown key is a mistake.
"""

import contextlib
import tomllib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Literal, get_args

import msgspec

from dce import durable
from dce.wire.asking import MAX_RESPONSES
from dce.wire.errors import DceError
from dce.workspace.judging.lanes.settings import LaneSettings
from dce.workspace.project import Project

CHECKS_FILE = "checks.toml"

MAX_CHECKS = 20
"""Maximum checks in a workspace: they run one after the other, for each of perhaps ten responses."""

MAX_TIMEOUT_S = 3600.0
"""Longest timeout a check may set: nobody waits for ten runs of more than an hour."""

Stage = Literal["quick", "lint", "test"]
"""When a check runs. The checks of a stage run before those of the next; new failures in a stage stop the later ones."""

STAGES: tuple[Stage, ...] = get_args(Stage)


class Check(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command of the project. `python` as its first word means the project's interpreter; `env` names variables it needs.

    `cwd`: the folder it runs in, relative to the workspace ("": the workspace). `report`: the files in which its runner reports the
    tests, relative to `cwd`; `*` and `**` are allowed.
    """

    name: str
    command: tuple[str, ...]
    timeout_s: float = 60.0
    env: tuple[str, ...] = ()
    stage: Stage = "test"
    cwd: str = ""
    report: str = ""


_FILE_HEAD = """\
# The commands that decide whether a response works. `dce run-checks --workspace` runs them on the files as they are.
# A check has: name, command, stage ("quick", "lint" or "test"), cwd, timeout_s, report (JUnit XML or another runner's report), env.\
"""


class RunSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[run]`. `when`: the checks of a response run as soon as it is complete, if the user has agreed to the commands, or only when
    the user asks. `enough`: once so many responses of a generation pass every check, what still runs is stopped; 0: never."""

    when: Literal["as_completed", "asked"] = "as_completed"
    enough: int = 0


class ChecksFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file, with the checks in the order in which they run."""

    check: tuple[Check, ...] = ()
    lane: LaneSettings = LaneSettings()
    run: RunSettings = RunSettings()


def load_checks(project: Project) -> tuple[Check, ...]:
    """The checks in .dce/checks.toml (`[[check]]` tables) in the order in which they run; empty without that file.

    Raises DceError invalid_input.
    """
    return load_checks_file(project).check


def readable_checks(project: Project) -> tuple[Check, ...]:
    """As `load_checks`; empty if the file is wrong, for whoever only looks at answers: running the checks says what is wrong."""
    with contextlib.suppress(DceError):
        return load_checks(project)
    return ()


def load_checks_file(project: Project) -> ChecksFile:
    """The contents of .dce/checks.toml; empty without that file. Raises DceError invalid_input."""
    text = read_text(project)
    return ChecksFile() if text is None else parse(project, text)


def read_text(project: Project) -> str | None:
    """The text of .dce/checks.toml; None if there is no such file. Raises DceError invalid_input if it is not readable text."""
    path = project.state_dir / CHECKS_FILE
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except (UnicodeDecodeError, OSError) as error:
        raise _bad_file(path, str(error)) from error


def parse(project: Project, text: str) -> ChecksFile:
    """What this text says as the workspace's .dce/checks.toml, checked. Raises DceError invalid_input."""
    path = project.state_dir / CHECKS_FILE
    try:
        found = msgspec.convert(tomllib.loads(text), ChecksFile)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as error:
        raise _bad_file(path, str(error)) from error
    if len(found.check) > MAX_CHECKS:
        raise _bad_file(path, f"it has {len(found.check)} checks; at most {MAX_CHECKS} are allowed")
    names = [check.name for check in found.check]
    for check in found.check:
        if fault := _fault(check, names):
            raise _bad_file(path, fault)
    if not 0 <= found.run.enough <= MAX_RESPONSES:
        raise _bad_file(path, f"[run] `enough` must be from 0 to {MAX_RESPONSES}")
    if problem := found.lane.problem():
        raise _bad_file(path, problem)
    ordered = sorted(found.check, key=lambda check: STAGES.index(check.stage))
    return msgspec.structs.replace(found, check=tuple(ordered))


def missing_checks() -> DceError:
    """The error of a workspace that has no checks."""
    return DceError(
        "not_found",
        "this workspace has no checks",
        hint="`dce checks init` proposes some, or write your own in .dce/checks.toml.",
    )


def write_text(project: Project, text: str, seen: str) -> None:
    """Replaces .dce/checks.toml by an edited text. `seen`: the text that was edited; "" if there was no file.

    Raises DceError invalid_input for a text that is no such file, conflict if somebody else changed it since.
    """
    parse(project, text)
    if (read_text(project) or "") != seen:
        raise DceError(
            "conflict",
            f"{project.state_dir / CHECKS_FILE} was changed elsewhere since it was shown",
            hint="Copy your text, show the file again, then make your change in it.",
        )
    durable.write(project.state_dir / CHECKS_FILE, text.encode())


def write_checks(project: Project, checks: Sequence[Check]) -> None:
    """Writes .dce/checks.toml with these checks, replacing what is there."""
    durable.write(project.state_dir / CHECKS_FILE, text_of(checks).encode())


def text_of(checks: Sequence[Check]) -> str:
    """A .dce/checks.toml with these checks."""
    defaults = msgspec.to_builtins(Check(name="", command=()))
    lines = [_FILE_HEAD]
    for check in checks:
        values = {key: value for key, value in msgspec.to_builtins(check).items() if value != defaults[key]}
        lines += ["", "[[check]]", *(f"{key} = {_toml(value)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    """A value on one line. Strings and numbers of JSON are TOML as well."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(item) for item in value)}]"
    number = int(value) if isinstance(value, float) and value.is_integer() else value
    return msgspec.json.encode(number).decode().replace("\x7f", "\\u007f")


def _fault(check: Check, names: list[str]) -> str:
    """What is wrong with a check; "" if nothing is."""
    if not check.name.strip() or names.count(check.name) > 1:
        return f"a check's name must be unique and not empty: {check.name!r}"
    if not check.command or not check.command[0] or any("\0" in word for word in check.command):
        return f"check {check.name!r}: `command` must be a list of words, the program first"
    if not 0 < check.timeout_s <= MAX_TIMEOUT_S:
        return f"check {check.name!r}: `timeout_s` must be more than 0 and at most {MAX_TIMEOUT_S:.0f}"
    for key, value in (("cwd", check.cwd), ("report", check.report)):
        if not _is_inside(value):
            return f"check {check.name!r}: `{key}` must be a path inside the workspace, with `/`: {value!r}"
    return ""


def _is_inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return not path.startswith("/") and ".." not in parts and "\\" not in path and "\0" not in path


def _bad_file(path: Path, why: str) -> DceError:
    return DceError(
        "invalid_input",
        f"{path} cannot be used: {why}",
        hint='Write a check as [[check]], name = "tests", command = ["python", "-m", "unittest"], timeout_s = 60.',
    )
