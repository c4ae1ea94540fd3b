"""`dce continue`: goes on with a response that was cut, as its next version; what was there stays."""

from pathlib import Path

import click

from dce.cli.consent import yes_option
from dce.cli.context import GENERATION, gateway_options, generation_of, json_option, open_workspace, workspace_option
from dce.cli.running import run_again


@click.command(name="continue")
@click.argument("generation_id", metavar="GENERATION", type=GENERATION)
@click.argument("slot", type=int)
@yes_option
@gateway_options
@json_option
@workspace_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    generation_id: int | None,
    slot: int,
    is_yes: bool,
    is_json: bool,
    directory: Path,
    **flags: object,
) -> None:
    """Go on with a response that was cut.

    SLOT of GENERATION, a number or `latest`, was truncated by its limit, stopped, interrupted, or lost its connection. The model gets the same prompt and its own words so far; the joined text is the response's next version, and the earlier one stays: `dce show SLOT --version 1`.
    """
    with open_workspace(directory, **flags) as workspace:
        generation = generation_of(workspace, generation_id)
        workspace = workspace.for_generation(generation.id)  # noqa: PLW2901 - the same one
        code = run_again(workspace, generation, "continue", continued=slot, is_yes=is_yes, is_json=is_json)
    ctx.exit(code)
