"""`dce settings`: the workspace's settings, and its model cards."""

import sys
from pathlib import Path
from typing import Any

import click

from dce.cli.context import Verb, cards_of, json_option, open_workspace, own_settings, schema_option, workspace_option
from dce.cli.output import say, say_json
from dce.cli.tables import columns
from dce.wire.errors import DceError


@click.group(name="settings")
def command() -> None:
    """Settings of this workspace, and its model cards.

    They are in .dce/config.toml, which can be committed; keys are stored elsewhere.
    """


@command.command()
@click.argument("name", metavar="[NAME]", required=False)
@json_option
@workspace_option
def get(name: str | None, is_json: bool, directory: Path) -> None:
    """Print the settings in force (or one of them): from the environment, the default card and config.toml."""
    shown = dict(own_settings(directory).__rich_repr__())
    if name is not None:
        if name not in shown:
            raise DceError("not_found", f"there is no setting {name!r}", hint=f"There are: {', '.join(shown)}.")
        shown = {name: shown[name]}
    if is_json:
        say_json(shown)
        return
    for line in columns([(key, "-" if value is None else str(value)) for key, value in shown.items()]):
        say(line)


@command.command(name="set")
@click.argument("name")
@click.argument("value")
@json_option
@workspace_option
def set_(name: str, value: str, is_json: bool, directory: Path) -> None:
    """Set NAME in config.toml; an empty VALUE removes it. Comments in the file are kept."""
    kept = cards_of(directory).set_value(name, value)
    if is_json:
        say_json({name: kept})
    else:
        say(f"{name} = {value}" if value else f"{name} is no longer set")


@command.group()
def cards() -> None:
    """Model cards: named groups of settings that a cycle can generate with (`dce cycle card NAME`)."""


@cards.command(name="list")
@json_option
@workspace_option
def list_(is_json: bool, directory: Path) -> None:
    """Print all model cards."""
    found = cards_of(directory).list()
    if is_json:
        say_json(found)
        return
    for name, card in found.items():
        say(f"{name}: {', '.join(f'{key} {value}' for key, value in card.items()) or 'no settings of its own'}")


@cards.command()
@click.argument("name")
@json_option
@workspace_option
def show(name: str, is_json: bool, directory: Path) -> None:
    """Print one model card, and whether it has a key; the key itself is never shown."""
    cards = cards_of(directory)
    shown = cards.get(name) | {"has_key": cards.vault.get(name) is not None}
    if is_json:
        say_json(shown)
        return
    for line in columns([(key, str(value)) for key, value in shown.items()]):
        say(line)


def _card_options(verb: Verb) -> Verb:
    options = (
        click.option("--provider", type=click.Choice(("gateway", "openai", "manual")), help="Server type."),
        click.option("--url", metavar="URL", help="The server's base URL, its /v1, or the full URL of a route."),
        click.option("--model", metavar="M", help="The model (default: the server's first)."),
        click.option("--context", type=int, metavar="T", help="Context in tokens, if the server does not state it."),
        click.option("--max-tokens", type=int, metavar="T", help="Max output tokens."),
        click.option("-n", "n", type=int, help="How many responses."),
        click.option("--temperature", type=float, help="Sampling temperature."),
        click.option("--temperature-spread", type=float, help="Spread of the slots' temperatures (openai)."),
        click.option("--seed", type=int, help="Seed of slot 1; the other slots' seeds follow from it (openai)."),
        click.option("--reasoning-effort", metavar="E", help="low, medium or high, if the model supports it."),
        schema_option,
        click.option("--extra-body", metavar="JSON", help="Fields added to every request, such as '{\"top_k\": 20}'."),
        click.option(
            "--header",
            "headers",
            metavar="NAME:VALUE",
            multiple=True,
            help="A header of every request; ${NAME} in the value stands for an environment variable. Repeatable.",
        ),
        click.option("--omit", metavar="FIELD", multiple=True, help="A field left out of every request. Repeatable."),
        click.option("--images/--no-images", default=None, help="Whether selected pictures are sent as images."),
    )
    for option in reversed(options):
        verb = option(verb)
    return verb


def _header(text: str) -> tuple[str, str]:
    """A header from `NAME: VALUE`. The message does not repeat it: it may hold a secret by mistake."""
    name, colon, value = text.partition(":")
    if not colon:
        raise DceError(
            "invalid_input", "--header is not of the form NAME:VALUE", hint="For example --header 'X-Team: a'."
        )
    return name.strip(), value.strip()


@cards.command()
@click.argument("name")
@_card_options
@click.option(
    "--key-stdin", is_flag=True, help="Read the key from standard input; stored in the keyring or a 0600 file."
)
@json_option
@workspace_option
def add(name: str, key_stdin: bool, is_json: bool, directory: Path, **values: Any) -> None:
    """Add or replace a model card. Options not given come from the workspace's settings."""
    card = {field: value for field, value in values.items() if value not in (None, ())}
    if "extra_body" in card:
        from dce.workspace.cards import parsed  # noqa: PLC0415 - `dce --help` starts without it

        card["extra_body"] = parsed("extra_body", card["extra_body"])
    if "headers" in card:
        card["headers"] = dict(map(_header, card["headers"]))
    cards = cards_of(directory)
    key = sys.stdin.readline().strip() if key_stdin else ""
    if key_stdin and not key:
        raise DceError("invalid_input", "standard input holds no key")
    cards.put(name, card)
    where = cards.vault.put(name, key) if key else ""
    if is_json:
        say_json({"name": name, **card, "key": where or None})
    else:
        say(f"card {name}: {', '.join(f'{key} {value}' for key, value in card.items()) or 'same as the settings'}")
        say(
            f"its key is kept in the {where}"
            if where
            else f"use it: dce cycle card {name}, or dce settings set card {name}"
        )


@cards.command()
@click.argument("name")
@json_option
@workspace_option
def rm(name: str, is_json: bool, directory: Path) -> None:
    """Remove a model card and its key. Refused while the latest cycle uses it."""
    with open_workspace(directory) as workspace:
        if workspace.cycles.current().card == name:
            raise DceError(
                "conflict", f"the latest cycle uses the model card {name!r}", hint="Change it first: dce cycle card ''"
            )
    cards_of(directory).remove(name)
    if is_json:
        say_json({"name": name})
    else:
        say(f"removed card {name}")
