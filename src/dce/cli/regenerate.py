"""`dce regenerate`: generates single responses again from the same prompt; the earlier versions are kept."""

from typing import Any

import click

from dce.cli.consent import sending_options
from dce.cli.context import GENERATION
from dce.cli.running import run_again


@click.command(name="regenerate")
@click.argument("generation_id", metavar="GENERATION", type=GENERATION)
@click.argument("slots", metavar="SLOT...", type=int, nargs=-1, required=True)
@sending_options
@click.pass_context
def command(ctx: click.Context, /, generation_id: int | None, slots: tuple[int, ...], **options: Any) -> None:
    """Generate responses again from the same prompt.

    SLOTs are responses of GENERATION (a number or `latest`). The earlier versions are kept: `dce show SLOT --version 1`.
    """
    ctx.exit(run_again("regenerate", generation_id, slots=tuple(dict.fromkeys(slots)), **options))
