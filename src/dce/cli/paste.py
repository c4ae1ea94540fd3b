"""`dce paste`: an answer from a chat, into a slot."""

import asyncio
from pathlib import Path

import click

from dce.cli.context import generation_of, generation_option, json_option, open_workspace, read_text, workspace_option
from dce.cli.output import note, say, say_json


@click.command(name="paste")
@click.argument("slot", type=int)
@click.argument("file", metavar="[F]", default="-")
@generation_option
@json_option
@workspace_option
def command(slot: int, file: str, generation_id: int | None, is_json: bool, directory: Path) -> None:
    """Put an answer from a file, or standard input, into a slot.

    For chats that no program may ask: `dce prompt` writes what to carry there. Without a generation of the present prompt one is
    begun; a slot that is filled gets a new version. The prompt itself is refused.
    """
    from dce.workspace.manual import paste  # noqa: PLC0415

    text = read_text(file)
    with open_workspace(directory) as workspace:
        under = workspace.for_cycle(workspace.cycles.current().id)
        chosen = None if generation_id is None else generation_of(workspace, generation_id).id
        with workspace.writer_lock("paste"):
            response = asyncio.run(paste(under, slot, text, chosen))
        reading = workspace.reading(response.generation, response.slot)
    if is_json:
        say_json({"response": response, "reading": reading})
        return
    files = ", ".join(block.path for block in reading.files) or "no files"
    say(f"generation {response.generation} · response {slot} v{response.version}: {files}")
    if reading.parse != "ok":
        note(f"parse: {reading.parse}; `dce show {slot} --parsed` says what was read")
