"""What every verb starts from: the options they share, and the workspace they open with them."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dce.wire.errors import DceError

if TYPE_CHECKING:
    from dce.workspace.project import Project
    from dce.workspace.settings import Settings

Verb = TypeVar("Verb", bound=Callable[..., Any])


def workspace_option(verb: Verb) -> Verb:
    """`--workspace DIR`, `-C DIR`: where to look for the workspace, from there upwards."""
    return click.option(
        "--workspace",
        "-C",
        "directory",
        metavar="DIR",
        type=click.Path(path_type=Path, file_okay=False, exists=True),
        default=".",
        help="The workspace, or a folder in it (default: here).",
    )(verb)


def json_option(verb: Verb) -> Verb:
    """`--json`: JSON on standard output."""
    return click.option("--json", "is_json", is_flag=True, help="Print JSON.")(verb)


def generation_option(verb: Verb) -> Verb:
    """`--generation G`: another generation than the latest."""
    return click.option(
        "--generation", "-g", "generation_id", type=int, metavar="G", help="The generation (default: the latest)."
    )(verb)


def gateway_options(verb: Verb) -> Verb:
    """`--url`, `--key`: which gateway, and the key for it."""
    verb = click.option("--key", metavar="K", help="The gateway's key (default: DCE_API_KEY).")(verb)
    return click.option("--url", metavar="URL", help="The gateway's address (default: DCE_URL).")(verb)


def find_project(directory: Path) -> "Project":
    """The workspace folder that holds `directory`."""
    from dce.workspace.project import Project  # noqa: PLC0415 - verbs load what they use, so that --help stays quick

    return Project.find(directory)


def read_settings(directory: Path, **flags: object) -> "Settings":
    """The settings in force at `directory`, which need not be a workspace."""
    import os  # noqa: PLC0415

    from dce.workspace.project import Project  # noqa: PLC0415
    from dce.workspace.settings import load_settings  # noqa: PLC0415

    try:
        project = Project.find(directory)
    except DceError:
        project = None
    return load_settings(project, os.environ, **flags)
