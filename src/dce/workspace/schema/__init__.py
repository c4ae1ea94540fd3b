"""The interaction schemas (one row each) and the function that reads an answer with them."""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from dce.wire.errors import DceError
from dce.workspace.schema.blocks import BlocksSchema
from dce.workspace.schema.diff_form import DiffSchema
from dce.workspace.schema.escaped import unescaped, unquoted
from dce.workspace.schema.fill import FillSchema
from dce.workspace.schema.free_form import FreeReader
from dce.workspace.schema.json_form import JsonSchema
from dce.workspace.schema.near_paths import NamedPath
from dce.workspace.schema.reading import FileBlock as FileBlock
from dce.workspace.schema.reading import PromptFile as PromptFile
from dce.workspace.schema.reading import Reader, Shown, nothing_shown
from dce.workspace.schema.reading import Reading as Reading
from dce.workspace.schema.reading import Schema as Schema
from dce.workspace.schema.second_look import marked, renamed, with_edits_made
from dce.workspace.schema.strict import StrictSchema
from dce.workspace.schema.tag_events import MAX_TAG_CHARS
from dce.workspace.schema.tags import TagsSchema

_ALL: tuple[Schema, ...] = (BlocksSchema(), StrictSchema(), FillSchema(), TagsSchema(), JsonSchema(), DiffSchema())

SCHEMAS: Mapping[str, Schema] = MappingProxyType({schema.name: schema for schema in _ALL})
"""Every interaction schema by its name."""


def find_schema(name: str) -> Schema:
    """The schema with this name. Raises DceError invalid_input, listing the schemas."""
    if name not in SCHEMAS:
        raise DceError("invalid_input", f"there is no schema {name!r}", hint=f"There are: {', '.join(SCHEMAS)}.")
    return SCHEMAS[name]


_FREE = FreeReader()
_READERS: Mapping[str, Reader] = MappingProxyType({**SCHEMAS, _FREE.name: _FREE})
"""Every reader: those of the schemas, and the one for forms that no prompt asks for."""

_TOLERANT = ("blocks", "tags", "diff", "free")
"""The readers tried when an answer does not follow its prompt's schema, strictest first."""


def read_answer(
    text: str,
    schema: str,
    nonce: str,
    is_truncated: bool = False,
    shown: Shown = nothing_shown,
    named: Callable[[str], NamedPath] = NamedPath,
) -> Reading:
    """Parses an answer: with the reader of the prompt's schema, else with the tolerant ones. Never raises, whatever the text.

    `is_truncated`: the model reached its token limit. Edits apply to the text that was `shown`; `named` says which file a path means.
    If no reader recognises the format, `parse` is "failed" and the summary holds the whole text.
    """
    reading = renamed(_read(text, schema, nonce, is_truncated, lambda path: shown(named(path).path)), named)
    return marked(with_edits_made(reading, nonce, shown), shown)


def _read(text: str, schema: str, nonce: str, is_truncated: bool, shown: Shown) -> Reading:
    plain = unquoted(text)
    if plain != text:
        quoted = _first(plain, schema, nonce, shown)
        if quoted is not None and (quoted.files or quoted.unapplied):
            quoted = _repaired(quoted, "The answer is quoted with `>`; it was read without these signs.")
            return _cut_off(quoted, plain) if is_truncated else quoted
    reading = _first(text, schema, nonce, shown)
    if reading is None or not (reading.files or reading.unapplied):
        # Only where nothing else was found: `&lt;file` and `\\<file` could be a file's own text.
        plain = unescaped(text)
        again = None if plain == text else _first(plain, schema, nonce, shown)
        if again is not None and again.files:
            reading = _repaired(again, "The answer's tags were escaped for Markdown or HTML; they were read unescaped.")
    if reading is None:
        reading = Reading(
            summary=text, parse="failed", notes=("The answer's format is unknown; its raw text is shown.",)
        )
    return _cut_off(reading, text) if is_truncated else reading


def _first(text: str, schema: str, nonce: str, shown: Shown) -> Reading | None:
    """The result of the first reader that finds files; of the first that recognises the text, if none does."""
    # JSON comes first: its strings may hold any tag, and no other format begins like it. A grammar's output needs no guess.
    names = (schema, "json", *_TOLERANT) if schema in {"fill", "strict"} else ("json", schema, *_TOLERANT)
    without_files = None
    for name in dict.fromkeys(names):
        reading = _READERS[name].read(text, nonce, shown) if name in _READERS else None
        if reading is None:
            continue
        if name != schema:
            reading = _repaired(reading, f"The answer is in the form {name!r}, not {schema!r} as asked.")
        if reading.files or reading.unapplied:
            return reading
        # An answer of another form may have a `<summary>` too, so the readers after this one still get their turn.
        without_files = without_files or reading
    return without_files


def _repaired(reading: Reading, note: str) -> Reading:
    return msgspec.structs.replace(reading, parse="repaired", notes=(note, *reading.notes))


_INLINE_END = re.compile(r"^[^\n]*\S[^\n]*</file[^<>\n]*>\s*\Z", re.MULTILINE)


def _cut_off(reading: Reading, text: str) -> Reading:
    """The reading of an answer that reached the token limit: files may be missing even if those present are whole.

    If it ends with a closing tag in the middle of a line, that line may be the last file's own text.
    """
    if reading.files and reading.files[-1].status == "complete" and _INLINE_END.search(text[-4 * MAX_TAG_CHARS :]):
        doubtful = msgspec.structs.replace(reading.files[-1], status="ambiguous")
        reading = msgspec.structs.replace(reading, files=(*reading.files[:-1], doubtful))
    flags = reading.flags if "truncated" in reading.flags else ("truncated", *reading.flags)
    parse = "repaired" if reading.parse == "ok" else reading.parse
    return msgspec.structs.replace(reading, flags=flags, parse=parse)
