"""`dce consent`, and asking for consent before anything is sent to a new host."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
import msgspec

from dce.cli.context import Verb, cards_of, gateway_options, json_option, open_workspace, workspace_option
from dce.cli.output import note, say, say_json, visible
from dce.wire.errors import DceError

if TYPE_CHECKING:
    from dce.workspace.workspace import Workspace

T = TypeVar("T")


class HostRow(msgspec.Struct, frozen=True, kw_only=True):
    """An address that this workspace would contact. `why`: the setting or card that names it."""

    url: str
    host: str
    is_agreed: bool
    why: str


@click.command(name="consent")
@click.argument("urls", metavar="[URL...]", nargs=-1)
@json_option
@workspace_option
def command(urls: tuple[str, ...], is_json: bool, directory: Path) -> None:
    """Show which hosts this workspace would contact, or agree to some.

    No request goes to another host, with or without a key, until you agree to that host: the address may come from a config.toml that
    somebody else wrote. Consent is stored for this workspace only. URL is an address or host from the list; for any other host give the
    full address. This machine needs no consent.
    """
    from dce.workspace.outbound.consent import host_of  # noqa: PLC0415

    with open_workspace(directory) as workspace:
        consents = workspace.sending.consents
        known = _addresses(workspace, directory)
        for url in urls:
            named = [address for address in known if url.casefold() in (address.casefold(), host_of(address))]
            if not named and not url.startswith(("http://", "https://")):
                raise DceError(
                    "not_found", f"no setting names the host {url!r}", hint="Give the full address: https://HOST"
                )
            for address in named or [url]:
                known.setdefault(address, "named here")
                consents.give(address)
        rows = [
            HostRow(url=url, host=host_of(url), is_agreed=consents.covers(url), why=why) for url, why in known.items()
        ]
    if is_json:
        say_json(rows)
        return
    for row in rows:
        say(f"{'agreed' if row.is_agreed else 'not agreed'}  {visible(row.url)}  ({visible(row.why)})")


def _addresses(workspace: "Workspace", directory: Path) -> dict[str, str]:
    """Every address in the settings and cards, and what names it."""
    settings = workspace.settings
    found = {} if settings.provider == "manual" else {settings.url: "the server"}
    if settings.tokenizer.startswith(("http://", "https://")):
        found.setdefault(settings.tokenizer, "the tokenizer")
    for name, card in cards_of(directory).list().items():
        for field in ("url", "tokenizer"):
            if str(card.get(field, "")).startswith(("http://", "https://")):
                found.setdefault(str(card[field]), f"{field} of the card {name}")
    return found


def yes_option(verb: Verb) -> Verb:
    """`--yes`: agrees in advance."""
    return click.option(
        "--yes",
        "-y",
        "is_yes",
        is_flag=True,
        help="Agree to send to this gateway's host; stored for the workspace.",
    )(verb)


def sending_options(verb: Verb) -> Verb:
    """The options of every verb that sends a prompt: consent, gateway, and the two that all workspace verbs take."""
    for option in (workspace_option, json_option, gateway_options, yes_option):
        verb = option(verb)
    return verb


def secrets_option(verb: Verb) -> Verb:
    """`--secrets POLICY`."""
    return click.option(
        "--secrets",
        type=click.Choice(("refuse", "placeholder", "exclude")),
        help="Secrets in the prompt: refuse to send them to another host (the default), send placeholders"
        " instead, or leave their files out.",
    )(verb)


async def with_consent(
    workspace: "Workspace", attempt: Callable[[], Awaitable[T]], *, is_yes: bool, is_json: bool
) -> T:
    """The result of `attempt`. A new host needs consent, by `--yes` or at the terminal; otherwise raises consent_needed."""
    try:
        return await attempt()
    except DceError as error:
        if error.code != "consent_needed":
            raise
        is_asked = not is_yes and not is_json and sys.stdin.isatty()
        if is_yes:
            note(error.message)
        if not is_json and workspace.settings.provider == "gateway":
            await _show_notice(workspace.settings.url, workspace.sending.host, is_asked=is_asked)
        if not (is_yes or (is_asked and click.confirm(f"{visible(error.message)} Send it?", err=True))):
            raise
    workspace.sending.agree()
    return await attempt()


async def _show_notice(url: str, host: str, *, is_asked: bool) -> None:
    """Shows the gateway's privacy notice. Fetching it is the first request to that host, so it needs a yes as well."""
    from dce.workspace.generating.privacy import PATH, fetch_notice  # noqa: PLC0415

    question = f"Fetch the privacy notice of {visible(host)} first (a request without key or prompt)?"
    if is_asked and click.confirm(question, err=True):
        note((await fetch_notice(url) or f"{url} has no privacy notice") + "\n")
    else:
        note(f"its privacy notice, if it has one: {url.rstrip('/')}{PATH}")
