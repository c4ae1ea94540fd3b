"""`dce show`: prints one response, or parts of it."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dce.cli.context import generation_of, generation_option, json_option, open_workspace, workspace_option
from dce.cli.output import data, note, say, say_json
from dce.cli.progress import rate, seconds, token_text
from dce.wire.errors import DceError

if TYPE_CHECKING:
    from dce.workspace.record.follow_ups import FollowUp
    from dce.workspace.record.responses import Response
    from dce.workspace.schema.reading import Reading


@click.command(name="show")
@click.argument("slot", type=int)
@click.option("--parsed", is_flag=True, help="The summary, plan and files parsed from it.")
@click.option("--thinking", is_flag=True, help="The model's thinking instead of its answer.")
@click.option("--request", is_flag=True, help="The message that a follow-up was made from, exactly as sent.")
@click.option("--file", "file", metavar="PATH", help="One of its files, exactly.")
@click.option("--version", "version", type=int, metavar="V", help="An earlier version of a regenerated response.")
@generation_option
@json_option
@workspace_option
def command(
    slot: int,
    *,
    parsed: bool,
    thinking: bool,
    request: bool,
    file: str | None,
    version: int | None,
    generation_id: int | None,
    is_json: bool,
    directory: Path,
) -> None:
    """One response: its text exactly as the model wrote it, or parts of it."""
    if sum((parsed, thinking, request, file is not None)) > 1:
        raise click.UsageError("give one of --parsed, --thinking, --request and --file")
    from dce.cli.board import made_text  # noqa: PLC0415 - `dce --help` starts without it
    from dce.workspace.judging.board import prompt_cut  # noqa: PLC0415

    with open_workspace(directory) as workspace:
        generation = generation_of(workspace, generation_id)
        response = workspace.store.responses.get(generation.id, slot, version)
        reading = workspace.reading(generation.id, slot, version)
        cut = prompt_cut(workspace, response)
        follow_up = workspace.store.follow_ups.find(generation.id, slot)
    made_from = follow_up.made_from if follow_up else None
    if is_json:
        asked = follow_up.request if follow_up else None
        say_json(
            {
                "response": response,
                "reading": reading,
                "prompt_read": cut,
                "made_from": made_from,
                "request": asked,
            }
        )
        return
    note(_headline(response))
    if made_from is not None:
        note(made_text(made_from))
    if cut is not None:
        note(cut.describe())
    if request:
        data(_request(follow_up, slot))
    elif file is not None:
        data(_content(reading, file))
    elif parsed:
        _print_reading(reading)
    else:
        data(response.thinking if thinking else response.text)


def _headline(response: "Response") -> str:
    version = f" v{response.version}" if response.version > 1 else ""
    figures = (
        f"{token_text(response.tokens)} tokens · {rate(response.tokens_per_s)} tokens/s · {seconds(response.elapsed_s)}"
    )
    error = f"\n[{response.error.hop} · {response.error.code}] {response.error.message}" if response.error else ""
    return (
        f"generation {response.generation} · response {response.slot}{version} · {response.status} · {figures}{error}"
    )


def _content(reading: "Reading", path: str) -> str:
    for block in reading.files:
        if block.path.removeprefix("./") == path.removeprefix("./"):
            return block.content
    held = ", ".join(block.path for block in reading.files) or "none"
    raise DceError("not_found", f"the response contains no file {path}", hint=f"Its files: {held}.")


def _request(follow_up: "FollowUp | None", slot: int) -> str:
    if follow_up is None:
        raise DceError(
            "not_found", f"response {slot} is not a follow-up", hint="Its prompt is .dce/prompt.md of its generation."
        )
    return follow_up.request


def _print_reading(reading: "Reading") -> None:
    for name, text in (("summary", reading.summary), ("plan", reading.plan), ("activity", reading.activity)):
        if text.strip():
            say(f"{name}:\n{text.strip()}\n")
    for block in reading.files:
        state = "" if block.status == "complete" else f" ({block.status})"
        say(f"file {block.path}: {len(block.content.splitlines())} lines{state}")
    for edit in reading.unapplied:
        say(f"not applied {edit.path}: {edit.reason}")
    if reading.flags:
        say(f"flags: {', '.join(reading.flags)}")
    for text in reading.notes:
        say(f"note: {text}")
    if reading.parse != "ok":
        say(f"parse: {reading.parse}")
