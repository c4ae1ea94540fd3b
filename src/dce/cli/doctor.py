"""`dce doctor`: the connectivity tree, one line a hop, with the failing hop's cause and the fix."""

import asyncio
import os
from pathlib import Path

import click

from dce.cli.context import gateway_options, json_option, read_settings, workspace_option
from dce.cli.exits import EXIT_OF_CODE, Exit
from dce.cli.output import say, say_json
from dce.doctor.findings import Check, Diagnosis
from dce.doctor.tree import Options, examine

_MARKS = {True: "✓", False: "✗", None: "·"}


@click.command(name="doctor")
@gateway_options
@click.option("--model", metavar="M", help="The model that should answer (default: the settings' model, or any).")
@json_option
@workspace_option
@click.pass_context
def command(
    ctx: click.Context, url: str | None, key: str | None, model: str | None, is_json: bool, directory: Path
) -> None:
    """Find the hop that fails between here and the model, and the fix.

    Ends with 0 when a token came through, events came one by one and a dropped response was ended; 4 when a hop cannot be reached;
    1 when all answer but something is not right (the key, a limit, the route, the model, a proxy that buffers). Costs one response
    of one token, and one of at most 256 that is dropped at its first.
    """
    # The URL is the doctor's own to judge, so a wrong one must not end the verb while the settings are read.
    environ = {name: value for name, value in os.environ.items() if name != "DCE_URL"}
    settings = read_settings(directory, environ, key=key, model=model)
    options = Options(
        url=url or os.environ.get("DCE_URL") or settings.url,
        key=settings.key,
        model=settings.model,
        context=settings.context,
        max_tokens=settings.max_tokens,
    )
    if not is_json:
        say(options.url + ("" if settings.key else " (no key: DCE_API_KEY is not set)"))
        if settings.provider != "gateway":
            say(
                f"(this workspace's provider is `{settings.provider}`: it uses no gateway, and the doctor looks for one)"
            )
    diagnosis = asyncio.run(examine(options, os.environ, (lambda _: None) if is_json else _line))
    if is_json:
        say_json(diagnosis)
    else:
        say(_verdict(diagnosis))
    ctx.exit(_exit(diagnosis))


def _line(check: Check) -> None:
    mark = "!" if check.ok and check.fix else _MARKS[check.ok]
    say(f"{mark} {check.hop:<8} {check.name:<9} {check.detail}")
    if check.fix:
        say(f"    {'fix' if check.ok is False else 'better'}: {check.fix}")


def _verdict(diagnosis: Diagnosis) -> str:
    if diagnosis.ok:
        warnings = sum(bool(check.fix) for check in diagnosis.checks)
        but = f"; {warnings} thing{'s' * (warnings != 1)} could be better" if warnings else ""
        return f"all is well: a token came through every hop{but}"
    return f"the {diagnosis.failing_hop} is at fault ({diagnosis.code})"


def _exit(diagnosis: Diagnosis) -> Exit:
    if diagnosis.code is None:
        return Exit.DONE
    return Exit.UNREACHABLE if EXIT_OF_CODE[diagnosis.code] is Exit.UNREACHABLE else Exit.NOT_SO
