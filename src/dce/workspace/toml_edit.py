"""Small edits of a hand-written TOML file that keep its comments and order.

What must always hold: the edited file has exactly the values that were asked for. If editing the text would not achieve that, the
file is regenerated from its values.
"""

import re
import tomllib
from collections.abc import Mapping
from typing import Any

import tomli_w

_TABLE = re.compile(r"^\s*\[", re.MULTILINE)


def with_value(text: str, name: str, value: Any | None) -> str:
    """The file with a top-level value set; None removes it."""
    wanted = {key: kept for key, kept in tomllib.loads(text).items() if key != name}
    if value is not None:
        wanted[name] = value
    first_table = _TABLE.search(text)
    at = first_table.start() if first_table else len(text)
    top, rest = text[:at], text[at:]
    line = "" if value is None else _lines({name: value})
    found = re.search(rf"^{re.escape(name)}\s*=.*\n?", top, re.MULTILINE)
    if found:
        top = top[: found.start()] + line + top[found.end() :]
    elif line:
        top = top + ("\n" if top and not top.endswith("\n") else "") + line
    return _checked(top + rest, wanted)


def with_table(text: str, group: str, name: str, values: Mapping[str, Any] | None) -> str:
    """The file with the table `[group.name]` added or replaced; None removes it."""
    wanted = tomllib.loads(text)
    tables = {key: kept for key, kept in wanted.get(group, {}).items() if key != name}
    if values is not None:
        tables[name] = dict(values)
    wanted = {key: kept for key, kept in wanted.items() if key != group} | ({group: tables} if tables else {})
    found = re.search(rf"^\[{re.escape(group)}\.{re.escape(name)}\][^\n]*\n(?:(?!\s*\[)[^\n]*\n?)*", text, re.MULTILINE)
    kept = text[: found.start()] + text[found.end() :] if found else text
    if values is not None:
        kept = (kept.rstrip("\n") + "\n\n" if kept.strip() else "") + f"[{group}.{name}]\n{_lines(values)}"
    return _checked(kept, wanted)


def _lines(values: Mapping[str, Any]) -> str:
    """Keys with their values. A table is written on the line of its key: one of its own would end the table around it."""
    flat = {name: value for name, value in values.items() if not isinstance(value, Mapping)}
    tables = {name: value for name, value in values.items() if isinstance(value, Mapping)}
    return tomli_w.dumps(flat) + "".join(f"{name} = {_inline(value)}\n" for name, value in tables.items())


def _inline(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_inline(str(name))} = {_inline(item)}" for name, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return tomli_w.dumps({"x": value}).removeprefix("x = ").rstrip("\n")


def _checked(text: str, wanted: Mapping[str, Any]) -> str:
    try:
        if tomllib.loads(text) == wanted:
            return text
    except tomllib.TOMLDecodeError:
        pass
    return tomli_w.dumps(wanted)
