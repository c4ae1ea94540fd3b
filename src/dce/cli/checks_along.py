"""Whether the checks run while a generation does, for the verbs that run one."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from dce.cli.checks import agree
from dce.cli.output import note

if TYPE_CHECKING:
    from dce.workspace.judging.as_completed import AsCompleted
    from dce.workspace.judging.checks_file import RunSettings
    from dce.workspace.record.generations import Generation
    from dce.workspace.workspace import Workspace


def along_settings(
    workspace: "Workspace",
    *,
    is_check: bool | None = None,
    enough: int | None = None,
    may_ask: bool = False,
    tell: Callable[[str], None] = note,
) -> "RunSettings | None":
    """How the checks run along; None: they do not. `is_check` None: as `.dce/checks.toml` says, if the user has agreed to the commands.
    `tell` is given why they do not.

    Raises DceError not_found or consent_needed if they were asked for and cannot run, before anything is sent.
    """
    from dce.workspace.judging.as_completed import settings_along  # noqa: PLC0415 - `dce --help` starts without it
    from dce.workspace.judging.checking import commands_to_run, required_checks  # noqa: PLC0415
    from dce.workspace.judging.checks_file import RunSettings  # noqa: PLC0415
    from dce.workspace.judging.command_consent import CommandConsents  # noqa: PLC0415

    if is_check is False:
        return None
    if is_check or enough:
        file = required_checks(workspace.project)
        agree(workspace, is_yes=False, may_ask=may_ask)
        CommandConsents(workspace.store.meta).require(asyncio.run(commands_to_run(workspace)))
        return file.run if enough is None else RunSettings(when=file.run.when, enough=enough)
    settings, why_not = asyncio.run(settings_along(workspace))
    if why_not:
        tell(why_not)
    return settings


def along(
    workspace: "Workspace", generation: "Generation", settings: "RunSettings | None", n: int | None = None
) -> "AsCompleted | None":
    """The checks that run along with a generation, or with `n` of its responses."""
    from dce.workspace.judging.as_completed import AsCompleted  # noqa: PLC0415

    if settings is None:
        return None
    return AsCompleted(
        workspace,
        generation.id,
        generation.n if n is None else n,
        enough=settings.enough,
        stop=lambda: workspace.generator.stop(generation.id),
    )
