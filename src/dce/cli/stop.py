"""`dce stop`: stops one response, or all of a running generation, from any terminal."""

import asyncio
from pathlib import Path

import click

from dce.cli.context import GENERATION, gateway_options, generation_of, json_option, open_workspace, workspace_option
from dce.cli.output import say, say_json
from dce.wire.errors import DceError


@click.command(name="stop")
@click.argument("generation_id", metavar="[GENERATION]", type=GENERATION, required=False)
@click.argument("slot", type=int, required=False)
@gateway_options
@json_option
@workspace_option
def command(generation_id: int | None, slot: int | None, is_json: bool, directory: Path, **flags: object) -> None:
    """Stop one response, or all, of a running generation.

    SLOT is the response; without it, all of GENERATION are stopped (a number or `latest`, the default). This works from any terminal;
    what has arrived is kept. Ends with 1 if nothing was running.
    """
    from dce.workspace.record.responses import ACTIVE  # noqa: PLC0415

    with open_workspace(directory, **flags) as workspace:
        generation = generation_of(workspace, generation_id)
        if slot is not None:
            workspace.store.responses.get(generation.id, slot)
        running = [
            response.slot
            for response in workspace.responses(generation.id)
            if response.status in ACTIVE and slot in (None, response.slot)
        ]
        if not running:
            what = f"generation {generation.id}" if slot is None else f"response {slot} of generation {generation.id}"
            raise DceError("not_found", f"{what} is not running", hint="`dce board` shows how it ended.")
        asyncio.run(workspace.for_generation(generation.id).generator.stop(generation.id, slot))
    if is_json:
        say_json({"generation": generation.id, "stopped": running})
    else:
        which = f"response{'s' * (len(running) != 1)} {', '.join(str(number) for number in running)}"
        say(f"asked to stop {which} of generation {generation.id}")
