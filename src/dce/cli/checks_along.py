"""Whether the checks run while a generation does, for the verbs that run one."""

import asyncio
from typing import TYPE_CHECKING

from dce.cli.checks import agree
from dce.cli.output import note
from dce.wire.errors import DceError

if TYPE_CHECKING:
    from dce.workspace.judging.as_completed import AsCompleted
    from dce.workspace.judging.checks_file import RunSettings
    from dce.workspace.record.generations import Generation
    from dce.workspace.workspace import Workspace


def along_settings(
    workspace: "Workspace", *, is_check: bool | None = None, enough: int | None = None, may_ask: bool = False
) -> "RunSettings | None":
    """How the checks run along; None: they do not. `is_check` None: as `.dce/checks.toml` says, if the user has agreed to the commands.

    Raises DceError not_found or consent_needed if they were asked for and cannot run, before anything is sent.
    """
    from dce.workspace.judging.checking import commands_to_run, required_checks  # noqa: PLC0415
    from dce.workspace.judging.checks_file import RunSettings, load_checks_file  # noqa: PLC0415
    from dce.workspace.judging.command_consent import CommandConsents  # noqa: PLC0415

    is_asked_for = is_check or bool(enough)
    if is_check is False:
        return None
    if is_asked_for:
        file = required_checks(workspace.project)
        agree(workspace, is_yes=False, may_ask=may_ask)
    else:
        try:
            file = load_checks_file(workspace.project)
        except DceError as error:
            note(f"the checks do not run: {error.message}")
            return None
        if not file.check or file.run.when == "asked":
            return None
    commands, consents = asyncio.run(commands_to_run(workspace)), CommandConsents(workspace.store.meta)
    if is_asked_for:
        consents.require(commands)
    elif not consents.covers(commands):
        note("the checks do not run along, because nobody has agreed to their commands yet: `dce run-checks` asks")
        return None
    return file.run if enough is None else RunSettings(when=file.run.when, enough=enough)


def along(workspace: "Workspace", generation: "Generation", settings: "RunSettings | None") -> "AsCompleted | None":
    """The checks that run along with a generation."""
    from dce.workspace.judging.as_completed import AsCompleted  # noqa: PLC0415

    if settings is None:
        return None
    return AsCompleted(
        workspace,
        generation.id,
        generation.n,
        enough=settings.enough,
        stop=lambda: workspace.generator.stop(generation.id),
    )
