"""`dce cycle`: the iterations of the work, and what each asks for."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dce.cli.context import Verb, cycle_of, cycle_option, json_option, open_workspace, read_text, workspace_option
from dce.cli.output import say, say_json
from dce.wire.errors import DceError

if TYPE_CHECKING:
    from dce.workspace.record.cycles import Cycle


@click.group(name="cycle")
def command() -> None:
    """The iterations of the work, and what each asks for.

    Cycle 0 holds the project's scope and always exists; `dce cycle edit 0 --context F` sets it.
    """


def _text_options(verb: Verb) -> Verb:
    verb = click.option(
        "--ephemeral", metavar="F", help="A file with one-time context, for this cycle only (logs, errors)."
    )(verb)
    verb = click.option("--message", "-m", metavar="TEXT", help="What the cycle asks for, as text instead of a file.")(
        verb
    )
    verb = click.option(
        "--context", metavar="F", help="A file that says what the cycle asks for; `-`: standard input."
    )(verb)
    return click.option("--title", "-t", metavar="TEXT", help="The cycle's title.")(verb)


def _texts(title: str | None, context: str | None, message: str | None, ephemeral: str | None) -> dict[str, str]:
    if context is not None and message is not None:
        raise click.UsageError("give --context or --message, not both")
    if context == "-" and ephemeral == "-":
        raise click.UsageError("standard input can be only one of --context and --ephemeral")
    texts = {
        "title": title,
        "context": message if context is None else read_text(context),
        "ephemeral": None if ephemeral is None else read_text(ephemeral),
    }
    return {name: text for name, text in texts.items() if text is not None}


@command.command()
@_text_options
@json_option
@workspace_option
def new(
    title: str | None,
    context: str | None,
    message: str | None,
    ephemeral: str | None,
    is_json: bool,
    directory: Path,
) -> None:
    """Start a cycle; it becomes the default of verbs that take --cycle."""
    texts = _texts(title, context, message, ephemeral)
    with open_workspace(directory) as workspace:
        cycle = workspace.cycles.create(**texts)
    _print_result(is_json, cycle, "new")


@command.command()
@click.argument("card", metavar="CARD")
@cycle_option
@json_option
@workspace_option
def card(card: str, cycle_id: int | None, is_json: bool, directory: Path) -> None:
    """Set the model card that the cycle generates with; '' means the settings. The choice is stored with the cycle."""
    with open_workspace(directory) as workspace:
        workspace.by_card(card)  # not_found if there is none
        cycle = cycle_of(workspace, cycle_id)
        cycle = workspace.cycles.set_card(cycle.id, card)
    _print_result(is_json, cycle, "changed")


@command.command(name="list")
@json_option
@workspace_option
def list_(is_json: bool, directory: Path) -> None:
    """Print all cycles."""
    with open_workspace(directory) as workspace:
        cycles = workspace.cycles.list()
    if is_json:
        say_json(cycles)
        return
    for cycle in cycles:
        say(_line(cycle))


@command.command()
@click.argument("cycle_id", metavar="[N]", type=int, required=False)
@json_option
@workspace_option
def show(cycle_id: int | None, is_json: bool, directory: Path) -> None:
    """Print cycle N (default: the latest)."""
    with open_workspace(directory) as workspace:
        cycle = cycle_of(workspace, cycle_id)
    if is_json:
        say_json(cycle)
        return
    say(_line(cycle))
    for name, text in (("context", cycle.context), ("ephemeral context", cycle.ephemeral)):
        if text:
            say(f"\n{name}:\n{text}")


@command.command()
@click.argument("cycle_id", metavar="[N]", type=int, required=False)
@_text_options
@json_option
@workspace_option
def edit(
    cycle_id: int | None,
    title: str | None,
    context: str | None,
    message: str | None,
    ephemeral: str | None,
    is_json: bool,
    directory: Path,
) -> None:
    """Change cycle N (default: the latest). Without options its context opens in your editor."""
    texts = _texts(title, context, message, ephemeral)
    with open_workspace(directory) as workspace:
        cycle = cycle_of(workspace, cycle_id)
        if not texts:
            texts = {"context": _edited(cycle)}
        # Pass the revision that was read: a change saved while the editor was open becomes a conflict and is not overwritten.
        cycle = workspace.cycles.edit(cycle.id, cycle.rev, **texts)
    _print_result(is_json, cycle, "changed")


@command.command()
@click.argument("cycle_id", metavar="N", type=int)
@json_option
@workspace_option
def delete(cycle_id: int, is_json: bool, directory: Path) -> None:
    """Hide cycle N: it is left out of the history. Its record stays in the store."""
    with open_workspace(directory) as workspace:
        cycle = workspace.cycles.get(cycle_id)
        workspace.cycles.delete(cycle_id)
    _print_result(is_json, cycle, "deleted")


def _edited(cycle: "Cycle") -> str:
    text = click.edit(cycle.context, extension=".md", require_save=False)
    if text is None:
        raise DceError(
            "invalid_input", "the editor returned no text", hint="Nothing was changed; set EDITOR, or use --context F."
        )
    return text


def _print_result(is_json: bool, cycle: "Cycle", verb: str) -> None:
    if is_json:
        say_json(cycle)
    else:
        say(f"{verb}: {_line(cycle)}")


def _line(cycle: "Cycle") -> str:
    title = cycle.title or ("the project's scope" if cycle.id == 0 else "(no title)")
    chosen = f" · chosen: response {cycle.chosen_slot}" if cycle.chosen_slot else ""
    size = len(cycle.context) + len(cycle.ephemeral)
    card = f" · card: {cycle.card}" if cycle.card else ""
    return f"cycle {cycle.id} · {title} · {size:,} characters{chosen}{card}"
