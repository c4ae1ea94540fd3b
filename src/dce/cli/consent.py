"""Asking before anything goes to a host for the first time."""

import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click

from dce.cli.context import Verb, gateway_options, json_option, workspace_option
from dce.cli.output import note, visible
from dce.wire.errors import DceError

if TYPE_CHECKING:
    from dce.workspace.workspace import Workspace

T = TypeVar("T")


def yes_option(verb: Verb) -> Verb:
    """`--yes`: agrees beforehand."""
    return click.option(
        "--yes",
        "-y",
        "is_yes",
        is_flag=True,
        help="Agree to send to this gateway's host; remembered for the workspace.",
    )(verb)


def sending_options(verb: Verb) -> Verb:
    """What every verb takes that sends a prompt: consent, where to, and the two that all verbs of a workspace take."""
    for option in (workspace_option, json_option, gateway_options, yes_option):
        verb = option(verb)
    return verb


def secrets_option(verb: Verb) -> Verb:
    """`--secrets POLICY`."""
    return click.option(
        "--secrets",
        type=click.Choice(("refuse", "placeholder", "exclude")),
        help="Secrets in the prompt: refuse to send them to another host (the default), send placeholders in their"
        " places, or leave their files out.",
    )(verb)


async def with_consent(
    workspace: "Workspace", attempt: Callable[[], Awaitable[T]], *, is_yes: bool, is_json: bool
) -> T:
    """What `attempt` gives. If the host is new it is agreed to by `--yes` or at the terminal; else consent_needed is raised."""
    try:
        return await attempt()
    except DceError as error:
        if error.code != "consent_needed":
            raise
        is_asked = not is_yes and not is_json and sys.stdin.isatty()
        if is_yes:
            note(error.message)
        if not is_json and workspace.settings.provider == "gateway":
            await _show_notice(workspace.settings.url, is_whole=is_asked)
        if not (is_yes or (is_asked and click.confirm(f"{visible(error.message)} Send it?", err=True))):
            raise
    workspace.sending.agree()
    return await attempt()


async def _show_notice(url: str, *, is_whole: bool) -> None:
    """What the gateway says it does with what it is sent: all of it to somebody who is being asked, else where it stands."""
    from dce.workspace.generating.privacy import PATH, fetch_notice  # noqa: PLC0415

    notice = await fetch_notice(url)
    if not notice:
        note(f"{url} has no privacy notice")
    elif is_whole:
        note(notice + "\n")
    else:
        note(f"what becomes of it: {url.rstrip('/')}{PATH}")
