"""The demo's folder: a copy of the sample workspace in an empty folder, with scope, files and cycle chosen as a person would.

What must hold: a folder with files of its own is refused and no file is ever overwritten; only a folder that an earlier demo made is
reused, unchanged.
"""

import contextlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w

import dce
from dce import durable
from dce.wire.errors import DceError
from dce.workspace.file_update import updating
from dce.workspace.judging.checks_file import CHECKS_FILE
from dce.workspace.project import Project
from dce.workspace.schema.fill import find_stubs
from dce.workspace.settings import CONFIG_FILE, keep_key, read_config
from dce.workspace.tree.git import GitFailed, run_git

if TYPE_CHECKING:
    from dce.workspace.record.cycles import Cycle
    from dce.workspace.workspace import Workspace

SAMPLE = "tiny_metrics"
MARKER = "demo"
"""The file in `.dce/` that marks a folder as made by a demo."""

STUBS = "tiny_metrics/stats.py"
SELECTION = ("README.md", STUBS)
SCOPE = "A small library of statistics without dependencies. Plain Python, one expression where one is enough."
TITLE = "Mean and spread"
CONTEXT = "`mean` and `spread` in tiny_metrics/stats.py are stubs: fill them in, so that the tests pass."
CHECKS: dict[str, Any] = {"check": [{"name": "tests", "command": ["python", "-m", "unittest", "-q"], "timeout_s": 30}]}

GENERATION_SETTINGS: dict[str, Any] = {"schema": "fill", "temperature": 0.8, "max_tokens": 320}
"""Settings for the sample's generations. Warm enough that ten answers differ, cool enough that some are right; an answer has 140 tokens."""


def find_sample() -> Path:
    """The sample's folder: in the wheel, or beside the sources. Raises DceError not_found."""
    package = Path(dce.__file__).parent
    for folder in (package / "examples", package.parent.parent / "examples"):
        if (folder / SAMPLE).is_dir():
            return folder / SAMPLE
    raise DceError("not_found", f"this installation of DCE lacks the sample workspace {SAMPLE}", hint="Reinstall DCE.")


def make_folder(folder: Path) -> Project:
    """Makes `folder` (created if needed) a workspace that holds the sample. An earlier demo's folder stays as it is.

    Raises DceError invalid_input for a folder with other files, or one whose stubs are already filled.
    """
    is_former = (folder / ".dce" / MARKER).is_file()
    if not is_former:
        _require_empty(folder)
        folder.mkdir(parents=True, exist_ok=True)
    project = Project.init(folder)
    # Write the marker first, so that a demo interrupted here can be run again.
    (project.state_dir / MARKER).write_text("Made by `dce demo`.\n", encoding="utf-8")
    _copy_missing(find_sample(), project.root)
    if not find_stubs((project.root / STUBS).read_text(encoding="utf-8")):
        raise DceError(
            "invalid_input",
            f"in {folder} the stubs of {STUBS} are already filled: the demo has nothing to generate",
            hint=f"Undo an accepted response with `dce restore --workspace {folder}`, or name another folder.",
        )
    checks = project.state_dir / CHECKS_FILE
    if not checks.exists():
        durable.write(checks, tomli_w.dumps(CHECKS).encode())
    if not is_former:
        _make_repository(project.root)
    return project


def _require_empty(folder: Path) -> None:
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        raise DceError("invalid_input", f"{folder} cannot be used: {error.strerror}") from error
    if names:
        raise DceError(
            "invalid_input",
            f"{folder} is not empty ({', '.join(names[:3])}{', …' if names[3:] else ''}); nothing was changed",
            hint="Name a new or empty folder, or omit --workspace to get one.",
        )


def _copy_missing(source: Path, target: Path) -> None:
    for file in sorted(source.rglob("*")):
        copy = target / file.relative_to(source)
        if file.is_file() and file.suffix != ".pyc" and not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)


def _make_repository(root: Path) -> None:
    """A git repository with one commit, so that `git diff` shows what accepting changed. Without git the demo still works."""
    who = {f"GIT_{role}_NAME": "dce demo" for role in ("AUTHOR", "COMMITTER")}
    who |= {f"GIT_{role}_EMAIL": "demo@example.invalid" for role in ("AUTHOR", "COMMITTER")}
    commit = ("commit", "-q", "--no-gpg-sign", "-m", "The sample as it comes")
    with contextlib.suppress(GitFailed):
        for arguments in (("init", "-q"), ("add", "-A"), commit):
            run_git(root, arguments, who)


def configure(project: Project, url: str, key: str) -> None:
    """Writes gateway, key and generation settings to where every verb finds them, so that verbs work here from another terminal."""
    config = project.state_dir / CONFIG_FILE
    with updating(project.state_dir):
        durable.write(config, tomli_w.dumps(read_config(config) | GENERATION_SETTINGS | {"url": url}).encode())
    keep_key(project.state_dir, key)


def curate(workspace: "Workspace") -> "Cycle":
    """Sets scope, selection and cycle text, unless an earlier demo (or its user) already has."""
    if not workspace.cycles.get(0).context:
        workspace.cycles.edit(0, context=SCOPE)
    if not workspace.selection.paths():
        workspace.selection.add(SELECTION)
    cycle = workspace.cycles.current()
    return cycle if cycle.id else workspace.cycles.create(title=TITLE, context=CONTEXT)
