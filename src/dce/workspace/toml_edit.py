"""Small edits of a hand-written TOML file that keep its comments, its order and its line ends.

What must always hold: the edited file has exactly the values that were asked for. Several ways to edit the text are tried; if none
achieves that, the file is regenerated from its values.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import tomli_w

_HEADER = re.compile(r"^[ \t]*\[", re.MULTILINE)
_LINE_END = re.compile(r"\n|\Z")
_LAST_COMMENTS = re.compile(r"(?:^[ \t]*(?:#[^\n]*)?\r?\n)+\Z", re.MULTILINE)
"""Blank lines and comments at the end of a piece of the file: they belong to what follows."""

MAX_LINES = 1_000
"""Most lines of one value. Beyond them the file is regenerated."""


class _Statement(NamedTuple):
    """Where a key and its value are in the text, and the comment behind them, with the space before it."""

    start: int
    end: int
    comment: str


def with_value(text: str, name: str, value: Any | None) -> str:
    """The file with a top-level value set; None removes it."""
    wanted = {key: kept for key, kept in tomllib.loads(text).items() if key != name}
    if value is not None:
        wanted[name] = value
    return _first(_with_value(text, name, value), wanted, _end_of_lines(text))


def with_table(text: str, group: str, name: str, values: Mapping[str, Any] | None) -> str:
    """The file with the table `[group.name]` added or replaced; None removes it."""
    wanted = tomllib.loads(text)
    tables = {key: kept for key, kept in wanted.get(group, {}).items() if key != name}
    if values is not None:
        tables[name] = dict(values)
    wanted = {key: kept for key, kept in wanted.items() if key != group} | ({group: tables} if tables else {})
    return _first(_with_table(text, (group, name), values), wanted, _end_of_lines(text))


def _with_value(text: str, name: str, value: Any | None) -> Iterator[str]:
    """The texts that may be the file with this value, the one with the smallest change first."""
    end = _end_of_lines(text)
    line = "" if value is None else _lines({name: value}).replace("\n", end)
    for found in _statements(text, name):
        new = line
        if line:
            own = re.search(r"\r?\n\Z", text[found.start : found.end])
            new = line.removesuffix(end) + found.comment + (own[0] if own else "")
        yield text[: found.start] + new + text[found.end :]
    text = _without_tables(text, (name,))
    for header in [*(header.start() for header in _HEADER.finditer(text)), len(text)]:
        comments = _LAST_COMMENTS.search(text[:header]) if header < len(text) else None
        at = comments.start() if comments and comments.start() else header  # above the table's own comments
        gap = end if line and at and not text[:at].endswith("\n") else ""
        yield text[:at] + gap + line + text[at:]


def _with_table(text: str, path: tuple[str, str], values: Mapping[str, Any] | None) -> Iterator[str]:
    """The texts that may be the file with this table: edited where it is, then moved to the end."""
    end = _end_of_lines(text)
    if values is not None:
        for start, stop in _tables(text, path):
            body = text[start:stop]
            now = _parsed(body) or {}
            for key in [*now, *(key for key in values if key not in now)]:
                if key not in values or now.get(key) != values[key]:
                    body = with_value(body, key, values.get(key))
            gap = "" if text[:start].endswith("\n") or not body else end
            yield text[:start] + gap + body + text[stop:]
    kept = _without_tables(text, path)
    if values is not None:
        body = f"[{'.'.join(path)}]\n{_lines(values)}".replace("\n", end)
        kept = (kept.rstrip("\r\n") + end * 2 if kept.strip() else "") + body
    yield kept


def _statements(text: str, name: str) -> Iterator[_Statement]:
    """Where a key may be set, by its name at the start of a line. The value may go on for several lines."""
    for found in re.finditer(rf"^[ \t]*{_quoted(name)}[ \t]*=", text, re.MULTILINE):
        for count, line_end in enumerate(_LINE_END.finditer(text, found.end())):
            statement = text[found.start() : line_end.end()]
            values = _parsed(statement)
            if values is not None:
                yield _Statement(found.start(), line_end.end(), _comment_of(statement, values))
            if values is not None or count > MAX_LINES:
                break


def _comment_of(statement: str, values: Mapping[str, Any]) -> str:
    """The comment behind the value, with the space before it; "" if there is none."""
    statement = statement.rstrip("\r\n")
    last_line = statement.rfind("\n") + 1
    for mark in re.finditer(r"[ \t]*#", statement):
        if mark.start() >= last_line and _parsed(statement[: mark.start()]) == values:
            return statement[mark.start() :]
    return ""


def _tables(text: str, path: tuple[str, ...], *, with_inner: bool = False) -> Iterator[tuple[int, int]]:
    """Where the body of the table with this path is; `with_inner`: also those of the tables inside it, headers included.

    Comments before the next header belong to that one.
    """
    name = r"[ \t]*\.[ \t]*".join(_quoted(part) for part in path)
    inner = r"(?:[ \t]*\.[^\n]*?)?" if with_inner else ""
    for found in re.finditer(rf"^[ \t]*\[[ \t]*{name}{inner}[ \t]*\][^\n]*\n?", text, re.MULTILINE):
        following = _HEADER.search(text, found.end())
        stop = following.start() if following else len(text)
        comments = _LAST_COMMENTS.search(text, found.end(), stop) if following else None
        yield found.start() if with_inner else found.end(), comments.start() if comments else stop


def _without_tables(text: str, path: tuple[str, ...]) -> str:
    for start, stop in reversed(list(_tables(text, path, with_inner=True))):
        text = text[:start] + text[stop:]
    return text


def _quoted(name: str) -> str:
    """A pattern for a key, bare or quoted."""
    return "(?:" + "|".join(quote + re.escape(name) + quote for quote in ("", '"', "'")) + ")"


def _end_of_lines(text: str) -> str:
    return "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"


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


def _first(texts: Iterable[str], wanted: Mapping[str, Any], end: str) -> str:
    """The first text with the wanted values; without one, a new text of them."""
    for text in texts:
        if _parsed(text) == wanted:
            return text
    return tomli_w.dumps(wanted).replace("\n", end)


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
