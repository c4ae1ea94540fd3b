"""Generates docs/reference/cli.md from the verbs themselves: `python -m dce.cli.reference FILE [--check]`.

What must hold: the page says what `--help` says; a test compares the two.
"""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from dce.cli.exits import EXIT_OF_CODE, MEANING, Exit
from dce.cli.main import VERBS, cli

_HEAD = """# The command line

<!-- Written by `python -m dce.cli.reference docs/reference/cli.md` from the verbs themselves. -->

`dce VERB --help` says the same. Paths are relative to the current folder (or to `-C DIR`); `-` as a file is standard input. With
`--json`, standard output is always JSON: an error is `{"error": {"message", "type", "code", "hop", "hint"}}`;
[what each verb prints](json.md).

Environment: `DCE_URL` and `DCE_API_KEY` (the gateway and its key), `DCE_DATA_DIR` and `VLLM_URL` (read by the gateway),
`SSL_CERT_FILE`, `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY` (as usual), `DCE_DEBUG=1` (tracebacks).

Completion: `dce completion bash|zsh|fish` prints the script for your shell; its `--help` says where to put it.
"""


def page() -> str:
    """The whole page."""
    parts = [_HEAD, _exits(), "## Verbs\n"]
    with click.Context(cli, info_name="dce") as context:
        for verb in VERBS:
            command = cli.get_command(context, verb)
            if command is not None:
                parts += _sections(command, f"dce {verb}", context)
    return "\n".join(parts)


def _exits() -> str:
    rows = [f"| {code.value} | {text} | {_codes(code)} |" for code, text in MEANING.items()]
    return "\n".join(["## Exit codes\n", "| exit | meaning | error codes |", "|---|---|---|", *rows, ""])


def _codes(code: Exit) -> str:
    return ", ".join(f"`{name}`" for name, found in sorted(EXIT_OF_CODE.items()) if found is code)


def _sections(command: click.Command, name: str, parent: click.Context) -> Iterator[str]:
    context = click.Context(command, info_name=name.rsplit(" ", 1)[-1], parent=parent)
    if isinstance(command, click.Group):
        yield f"### `{name}`\n\n{_help(command)}\n"
        for sub in command.list_commands(context):
            found = command.get_command(context, sub)
            if found is not None:
                yield from _sections(found, f"{name} {sub}", context)
        return
    usage = " ".join(command.collect_usage_pieces(context)).replace("[OPTIONS] ", "").replace("[OPTIONS]", "")
    yield f"### `{f'{name} {usage}'.strip()}`\n\n{_help(command)}\n"
    rows = [record for parameter in command.params if (record := parameter.get_help_record(context))]
    if rows:
        yield "\n".join(["| option | meaning |", "|---|---|", *(f"| `{_cell(a)}` | {_cell(b)} |" for a, b in rows), ""])


def _help(command: click.Command) -> str:
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    return "\n\n".join(
        f"```\n{paragraph.removeprefix(chr(8)).strip()}\n```" if paragraph.startswith("\b") else paragraph
        for paragraph in paragraphs
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main(arguments: list[str]) -> int:
    """Writes the page to a file; with `--check` only reports whether the file is up to date."""
    names = [argument for argument in arguments if argument != "--check"]
    if len(names) != 1:
        click.echo("usage: python -m dce.cli.reference FILE [--check]", err=True)
        return Exit.USAGE
    path, text = Path(names[0]), page()
    if "--check" not in arguments:
        path.write_text(text, encoding="utf-8")
        return Exit.DONE
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return Exit.DONE
    click.echo(f"{path} is out of date: python -m dce.cli.reference {path}", err=True)
    return Exit.NO


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
