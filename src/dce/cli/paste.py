"""`dce paste`: puts an answer from a chat into a slot."""

import asyncio
import re
from pathlib import Path

import click

from dce.cli.context import generation_of, generation_option, json_option, open_workspace, read_text, workspace_option
from dce.cli.output import note, say, say_json


@click.command(name="paste")
@click.argument("slot", metavar="[SLOT]", default="")
@click.argument("file", metavar="[F]", default="-")
@click.option(
    "--as", "as_path", metavar="PATH", default="", help="The text is the content of this file, not an answer."
)
@generation_option
@json_option
@workspace_option
def command(slot: str, file: str, as_path: str, generation_id: int | None, is_json: bool, directory: Path) -> None:
    """Put an answer from a file, or standard input, into a slot.

    For chats that have no API: copy the prompt that `dce prompt` writes into the chat. Without SLOT, the next empty one is used; a slot
    that is filled gets a new version. If the current prompt has no generation, one is started. Pasting the prompt itself is refused.
    `--as` stores the text as one file, for chats that answer with bare code.
    """
    from dce.workspace.manual import paste  # noqa: PLC0415

    number, file = _slot_and_file(slot, file)
    text = read_text(file)
    with open_workspace(directory) as workspace:
        under = workspace.for_cycle(workspace.cycles.current().id)
        chosen = None if generation_id is None else generation_of(workspace, generation_id).id
        with workspace.writer_lock("paste"):
            response = asyncio.run(paste(under, number, text, chosen, as_path=as_path))
        reading = workspace.reading(response.generation, response.slot)
    if is_json:
        say_json({"response": response, "reading": reading})
        return
    files = ", ".join(block.path for block in reading.files) or "no files"
    say(f"generation {response.generation} · response {response.slot} v{response.version}: {files}")
    if reading.parse != "ok":
        note(f"parse: {reading.parse}; `dce show {response.slot} --parsed` shows what was read")


def _slot_and_file(slot: str, file: str) -> tuple[int | None, str]:
    """The slot (None: the next empty one) and the file; either may have been left out."""
    if re.fullmatch(r"-?\d+", slot):
        return int(slot), file
    if slot and file != "-":
        raise click.BadParameter(f"{slot!r} is not a number.", param_hint="SLOT")
    return None, slot or file
