"""What the command line writes, and how: text for people, JSON for programs, errors for both.

What must hold: text from a model or a file name never reaches a terminal with control characters in it; with `--json` standard
output is always JSON, errors included.
"""

import re
import sys
from typing import Any

import click
import msgspec

from dce.wire.errors import DceError, encode_error

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Everything a terminal could act on, except tab and newline: escape sequences and the characters that reverse text."""


def visible(text: str) -> str:
    """`text` made safe for a terminal: control characters become `\\x1b` and the like; CRLF becomes LF."""
    return _CONTROL.sub(_escape, text.replace("\r\n", "\n"))


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


def say(text: str = "") -> None:
    """Prints a line for people on standard output."""
    click.echo(visible(text))


def note(text: str) -> None:
    """Prints a line for people on standard error, so that standard output holds only the verb's result."""
    click.echo(visible(text), err=True)


def data(text: str) -> None:
    """Prints text unchanged into a pipe or file, and without control characters on a terminal. Adds no newline to a pipe."""
    if sys.stdout.isatty():
        click.echo(visible(text), nl=not text.endswith("\n"))
        return
    click.echo(text.encode("utf-8", "surrogateescape"), nl=False)


def say_json(value: Any) -> None:
    """Prints one JSON document on one line."""
    click.echo(msgspec.json.encode(value).decode())


def error_text(error: DceError) -> str:
    """`error [hop · code] fact`, with the next step on its own line."""
    next_step = f"\n  next: {error.hint}" if error.hint else ""
    return f"error [{error.hop} · {error.code}] {error.message}{next_step}"


def report(error: DceError, is_json: bool) -> None:
    """Prints the error: JSON on standard output, or text on standard error."""
    if is_json:
        click.echo(encode_error(error).decode())
    else:
        note(error_text(error))
