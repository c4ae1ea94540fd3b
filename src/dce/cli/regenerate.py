"""`dce regenerate`: single responses anew, from the same prompt; the earlier versions stay."""

import asyncio
from pathlib import Path

import click

from dce.cli.consent import with_consent, yes_option
from dce.cli.context import GENERATION, gateway_options, generation_of, json_option, open_workspace, workspace_option
from dce.cli.exits import Exit
from dce.cli.progress import open_view
from dce.cli.running import Run


@click.command(name="regenerate")
@click.argument("generation_id", metavar="GENERATION", type=GENERATION)
@click.argument("slots", metavar="SLOT...", type=int, nargs=-1, required=True)
@yes_option
@gateway_options
@json_option
@workspace_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    generation_id: int | None,
    slots: tuple[int, ...],
    is_yes: bool,
    is_json: bool,
    directory: Path,
    **flags: object,
) -> None:
    """Write one response anew, from the same prompt.

    Or several: SLOTs of GENERATION, a number or `latest`. The earlier version stays: `dce show SLOT --version 1`.
    """
    with open_workspace(directory, **flags) as workspace:
        generation = generation_of(workspace, generation_id)
        workspace = workspace.for_generation(generation.id)  # noqa: PLW2901 - the same one

        async def run() -> Exit:
            prompt = workspace.store.get_prompt(generation.prompt_sha256).text
            await with_consent(
                workspace, lambda: asyncio.to_thread(workspace.sending.check, prompt), is_yes=is_yes, is_json=is_json
            )
            with workspace.writer_lock("regenerate"), open_view(is_json=is_json) as view:
                return await Run(workspace, generation, view, tuple(dict.fromkeys(slots))).to_end()

        code = asyncio.run(run())
    ctx.exit(code)
