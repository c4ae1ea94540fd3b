"""`dce continue`: continues a response that was cut off, as its next version; the earlier version is kept."""

from typing import Any

import click

from dce.cli.consent import sending_options
from dce.cli.context import GENERATION
from dce.cli.running import run_again


@click.command(name="continue")
@click.argument("generation_id", metavar="GENERATION", type=GENERATION)
@click.argument("slot", type=int)
@sending_options
@click.pass_context
def command(ctx: click.Context, /, generation_id: int | None, slot: int, **options: Any) -> None:
    """Continue a response that was cut off.

    SLOT of GENERATION (a number or `latest`) was truncated by its limit, stopped, interrupted, or lost its connection. The model gets
    the same prompt and its own text so far; the joined text is the response's next version. The earlier one is kept:
    `dce show SLOT --version 1`.
    """
    ctx.exit(run_again("continue", generation_id, continued=slot, **options))
