"""`dce generate`: N responses to the cycle's prompt, with live progress."""

import asyncio
from pathlib import Path

import click

from dce.cli.checks_along import along, along_settings
from dce.cli.consent import secrets_option, sending_options, with_consent
from dce.cli.context import (
    card_option,
    cycle_of,
    cycle_option,
    note_empty_selection,
    note_old_prompt,
    open_workspace,
    schema_option,
)
from dce.cli.exits import Exit
from dce.cli.output import note
from dce.cli.progress import open_view
from dce.cli.running import Run
from dce.cli.waiting import waited
from dce.wire.asking import MAX_RESPONSES


@click.command(name="generate")
@click.option(
    "-n", "n", type=click.IntRange(1, MAX_RESPONSES), help="How many responses (default: from the settings, else 10)."
)
@cycle_option
@click.option("--model", metavar="M", help="The model (default: from the settings, else the gateway's).")
@click.option(
    "--max-tokens", type=click.IntRange(min=1), help="Max output tokens of a response (default: from the settings)."
)
@click.option("--temperature", type=click.FloatRange(0, 2), help="Sampling temperature (default: the model's).")
@click.option(
    "--check/--no-check",
    "is_check",
    default=None,
    help="Run the project's checks on each response as it completes (default: if you have agreed to the commands).",
)
@click.option(
    "--enough",
    metavar="K",
    type=click.IntRange(1, MAX_RESPONSES),
    help="Stop the rest as soon as K responses pass every check.",
)
@schema_option
@card_option
@secrets_option
@sending_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    n: int | None,
    cycle_id: int | None,
    is_check: bool | None,
    enough: int | None,
    is_yes: bool,
    is_json: bool,
    directory: Path,
    **flags: object,
) -> None:
    """Have the model write N responses to the cycle's prompt.

    You are asked before anything is sent to a new host, and prompts with secrets are refused (`dce secrets --help`). Ctrl-C stops the
    responses and keeps what has arrived. The project's checks run on each response as it completes, if there are any and you have agreed
    to their commands. Ends with 0 if at least one response finished. With --json, prints one event per line.
    """
    with open_workspace(directory, n=n, **flags) as workspace:
        cycle = cycle_of(workspace, cycle_id)
        note_empty_selection(workspace)
        note_old_prompt(workspace)
        workspace = workspace if flags.get("card") else workspace.for_cycle(cycle.id)  # noqa: PLW2901 - the same one

        settings = along_settings(workspace, is_check=is_check, enough=enough, may_ask=not is_json)

        async def run() -> Exit:
            with workspace.writer_lock("generate"):
                generation = await with_consent(
                    workspace,
                    lambda: waited(workspace.preparation.begin(cycle.id, workspace.settings.n), "preparing the prompt"),
                    is_yes=is_yes,
                    is_json=is_json,
                )
                for path in workspace.preparation.inputs.left_out(
                    workspace.store.prompts.get(generation.prompt_sha256)
                ):
                    note(f"left out because of a possible secret: {path}")
                if generation.schema == "fill" and workspace.store.prompts.grammar(generation.prompt_sha256) is None:
                    note(
                        "note: no selected file contains a stub (`raise NotImplementedError`) to fill: asking for whole files"
                    )
                with open_view(is_json=is_json) as view:
                    checks = along(workspace, generation, settings)
                    return await Run(workspace, generation, view, checks=checks).to_end()

        code = asyncio.run(run())
    if code is Exit.DONE and not is_json:
        note("next: dce board; dce show SLOT; dce diff SLOT; dce accept SLOT")
    ctx.exit(code)
