"""`dce regenerate`: single responses anew, from the same prompt; the earlier versions stay."""

from pathlib import Path

import click

from dce.cli.consent import yes_option
from dce.cli.context import GENERATION, gateway_options, generation_of, json_option, open_workspace, workspace_option
from dce.cli.running import run_again


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
        code = run_again(
            workspace, generation, "regenerate", slots=tuple(dict.fromkeys(slots)), is_yes=is_yes, is_json=is_json
        )
    ctx.exit(code)
