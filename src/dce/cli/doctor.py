"""`dce doctor`: the connectivity tree, one line per check, with the cause and the fix where a hop fails."""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.request import getproxies

import click

from dce.cli.consent import yes_option
from dce.cli.context import gateway_options, json_option, open_workspace, read_settings, workspace_option
from dce.cli.exits import EXIT_OF_CODE, Exit
from dce.cli.output import note, say, say_json, visible
from dce.doctor.findings import Check, Diagnosis
from dce.doctor.tree import SILENCE_S, Options, examine
from dce.wire.errors import DceError

_MARKS = {True: "✓", False: "✗", None: "·"}


@click.command(name="doctor")
@gateway_options
@click.option("--model", metavar="M", help="The model that should answer (default: the settings' model, or any).")
@click.option(
    "--silence",
    "silence_s",
    metavar="S",
    type=click.FloatRange(0, 600),
    default=SILENCE_S,
    show_default=True,
    help="How many seconds a stream is left quiet, to find what cuts quiet connections; 0 leaves that out.",
)
@yes_option
@json_option
@workspace_option
@click.pass_context
def command(
    ctx: click.Context,
    url: str | None,
    key: str | None,
    model: str | None,
    silence_s: float,
    is_yes: bool,
    is_json: bool,
    directory: Path,
) -> None:
    """Find the hop that fails between here and the model, and the fix.

    Ends with 0 when a token came through, events arrived one by one and a dropped response was stopped; 4 when a hop cannot be
    reached; 1 when every hop answers but something is wrong (the key, a limit, the route, the model, a proxy that buffers, cuts or filters).
    Sends 4 MB and reads 2 MB; costs one response of one token, and one of at most 256 tokens that is dropped at its first token. Takes
    about 20 seconds, most of them for the silence, and never more than 240 beyond it. A host that only the workspace's config.toml names
    is contacted only after you agree.
    """
    # The doctor judges the URL itself, so reading the settings must not fail on a bad one.
    environ = {name: value for name, value in os.environ.items() if name != "DCE_URL"}
    settings = read_settings(directory, environ, key=key, model=model)
    options = Options(
        url=url or os.environ.get("DCE_URL") or settings.url,
        key=settings.key,
        model=settings.model,
        context=settings.context,
        max_tokens=settings.max_tokens,
        silence_s=silence_s,
    )
    if not (url or os.environ.get("DCE_URL")):  # naming a host yourself counts as consent
        _require_consent(directory, options.url, is_yes=is_yes, is_asked=not is_json and sys.stdin.isatty())
    if not is_json:
        say(options.url + ("" if settings.key else " (no key: DCE_API_KEY is not set)"))
        if settings.provider != "gateway":
            say(f"(this workspace's provider is `{settings.provider}`: it uses no gateway, but the doctor checks one)")
    on_check, on_notice = (_nothing, _nothing) if is_json else (_line, _wait)
    diagnosis = asyncio.run(examine(options, proxy_environment(os.environ), on_check, on_notice))
    if is_json:
        say_json(diagnosis)
    else:
        say(_verdict(diagnosis))
    ctx.exit(_exit(diagnosis))


def _require_consent(directory: Path, url: str, *, is_yes: bool, is_asked: bool) -> None:
    """Gets consent, by `--yes` or at the terminal, for a host that a committed file may have named. Raises consent_needed."""
    from dce.workspace.outbound.consent import is_here  # noqa: PLC0415

    if is_here(url):
        return
    with open_workspace(directory) as workspace:  # the host comes from the settings, so there is a workspace
        consents = workspace.sending.consents
        try:
            consents.require(url, "examine it, with the key and one short response")
        except DceError as error:
            if not (is_yes or (is_asked and click.confirm(f"{visible(error.message)} Contact it?", err=True))):
                raise
            consents.give(url)


def proxy_environment(environ: Mapping[str, str]) -> Mapping[str, str]:
    """The environment with the proxies that requests of this process use; macOS and Windows also have them in their settings."""
    return {**{f"{scheme}_proxy": proxy for scheme, proxy in getproxies().items()}, **environ}


def _nothing(_: object) -> None:
    pass


def _wait(notice: str) -> None:
    note(f"… {notice}")


def _line(check: Check) -> None:
    mark = "!" if check.ok and check.fix else _MARKS[check.ok]
    say(f"{mark} {check.hop:<8} {check.name:<11} {check.detail}")
    if check.fix:
        say(f"    {'fix' if check.ok is False else 'better'}: {check.fix}")


def _verdict(diagnosis: Diagnosis) -> str:
    if diagnosis.ok:
        warnings = sum(bool(check.fix) for check in diagnosis.checks)
        but = f"; {warnings} thing{'s' * (warnings != 1)} could be better" if warnings else ""
        return f"all is well: a response came through every hop, in {diagnosis.elapsed_s:.0f} s{but}"
    return f"the {diagnosis.failing_hop} is at fault ({diagnosis.code})"


def _exit(diagnosis: Diagnosis) -> Exit:
    if diagnosis.code is None:
        return Exit.DONE
    return Exit.UNREACHABLE if EXIT_OF_CODE[diagnosis.code] is Exit.UNREACHABLE else Exit.NO
